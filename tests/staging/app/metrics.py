# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /metrics reports: figures of the last minute, counters since the start. Pure, but for the file it is kept in."""

from __future__ import annotations

import json
import math
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DND, TAGS, QUERY, SOCKET = "dnd", "tags", "query", "socket"
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_STATM_PAGE = 4096


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the values do not exceed; None if there are no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None


def memory_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _STATM_PAGE


class Metrics:
    """Requests and durations. Times are Unix times, so the window continues in the process that follows this one."""

    def __init__(self, window: float) -> None:
        self.window = window
        self.began = time.time()
        self.sockets = 0
        self._requests: deque[tuple[float, int]] = deque()
        self._samples: dict[str, deque[tuple[float, float]]] = {kind: deque() for kind in (DND, TAGS, QUERY, SOCKET)}
        self._connects: deque[tuple[float, bool]] = deque()
        self._by_status: Counter[tuple[int, str]] = Counter()
        self._tried = self._connected = 0
        self._dnd = [0] * (len(_BUCKETS) + 1)
        self._dnd_sum = 0.0

    def request(self, status: int, path: str) -> None:
        """Count a request that was answered; a crash counts as the 502 that the proxy in front makes of it."""
        self._by_status[status, path] += 1
        self._requests.append((time.time(), status))
        self._trim(self._requests)

    def duration(self, kind: str, seconds: float) -> None:
        """Take a sample of moving a card, tagging one, running a query, or connecting a socket."""
        self._samples[kind].append((time.time(), seconds))
        self._trim(self._samples[kind])
        if kind == DND:
            self._dnd[next((i for i, bound in enumerate(_BUCKETS) if seconds <= bound), len(_BUCKETS))] += 1
            self._dnd_sum += seconds

    def connect(self, succeeded: bool) -> None:
        """Count an attempt to connect by Socket.IO."""
        self._tried += 1
        self._connected += succeeded
        self._connects.append((time.time(), succeeded))
        self._trim(self._connects)

    def _trim(self, samples: deque[Any]) -> None:
        oldest = time.time() - self.window
        while samples and samples[0][0] < oldest:
            samples.popleft()

    def summary(self) -> dict[str, Any]:
        """Return what /metrics says as JSON: errorRate in percent of the window's requests, 0 if there were none."""
        self._trim(self._requests)
        total = len(self._requests)
        errors = sum(status >= 500 for _at, status in self._requests)
        return {
            "errorRate": round(100 * errors / total, 4) if total else 0.0,
            "requests": total,
            "errors": errors,
            "windowSeconds": self.window,
            "uptimeSeconds": round(time.time() - self.began, 1),
        }

    def performance(self) -> dict[str, Any]:
        """Return what /metrics/performance says: milliseconds and percent of the window; null if nothing happened."""

        def p95(kind: str) -> float | None:
            self._trim(self._samples[kind])
            found = percentile((seconds for _at, seconds in self._samples[kind]), 0.95)
            return None if found is None else round(found * 1000, 2)

        self._trim(self._connects)
        succeeded = sum(ok for _at, ok in self._connects)
        return {
            "socketLatencyMs": p95(SOCKET),
            "socketSuccessRate": round(100 * succeeded / len(self._connects), 2) if self._connects else None,
            "socketsConnected": self.sockets,
            "dndP95Ms": p95(DND),
            "tagP95Ms": p95(TAGS),
            "queryP95Ms": p95(QUERY),
            "memoryMb": round(memory_bytes() / 1e6, 1),
            "windowSeconds": self.window,
        }

    def prometheus(self) -> str:
        """Return the counters since the start as Prometheus text."""
        lines = ["# TYPE http_requests_total counter"]
        for (status, path), number in sorted(self._by_status.items()):
            lines.append(f'http_requests_total{{status="{status}",path="{path}"}} {number}')
        lines += [
            "# TYPE socketio_connection_attempts_total counter",
            f"socketio_connection_attempts_total {self._tried}",
        ]
        lines += ["# TYPE socketio_connection_success_total counter"]
        lines += [f"socketio_connection_success_total {self._connected}"]
        lines.append("# TYPE kanban_dnd_duration_seconds histogram")
        below = 0
        for bound, number in zip((*map(str, _BUCKETS), "+Inf"), self._dnd, strict=True):
            below += number
            lines.append(f'kanban_dnd_duration_seconds_bucket{{le="{bound}"}} {below}')
        lines += [f"kanban_dnd_duration_seconds_sum {self._dnd_sum:.6f}", f"kanban_dnd_duration_seconds_count {below}"]
        lines += ["# TYPE process_resident_memory_bytes gauge", f"process_resident_memory_bytes {memory_bytes()}"]
        lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {self.began:.3f}"]
        return "\n".join(lines) + "\n"

    def save(self, path: Path) -> None:
        """Keep the window's requests, so that a process that crashes does not look good once it is back."""
        self._trim(self._requests)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(list(self._requests)))
        temporary.replace(path)

    def resume(self, path: Path) -> None:
        """Continue with the requests of the process before this one, and delete its file."""
        try:
            self._requests.extend((at, status) for at, status in json.loads(path.read_text()))
        except FileNotFoundError:
            return
        path.unlink()
