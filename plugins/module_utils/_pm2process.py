# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process that pm2 lists really runs, and how its memory grows. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._procfs import Process

Row = Mapping[str, Any]

# pm2 notes when it started a process; a process with the same pid that began at another time is not the same.
_SAME_START_SECONDS = 30.0
_MOST_SAMPLES = 100
# Over less time than this, memory shows no trend.
_LEAST_SPAN_SECONDS = 1.0
# What pm2 writes in place of a log that is not wanted.
_NO_LOG = ("", "NULL", "/dev/null", "\\\\.\\NUL")


@dataclass(frozen=True)
class Context:
    """What a process is judged by. ``now``: seconds since 1970; ``daemon``: pm2's own pid."""

    now: float
    daemon: int | None
    min_uptime: float


def chosen(processes: Sequence[Row], names: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the processes that are the application, and the names that no process has.

    Without names all are, except pm2's own modules.
    """
    if not names:
        return [one for one in processes if not one.get("pmx_module")], []
    there = {str(one.get("name")) for one in processes}
    found = [one for one in processes if str(one.get("name")) in names]
    return found, [name for name in dict.fromkeys(names) if name not in there]


def pid_of(row: Row) -> int | None:
    """Return the process's pid as pm2 has it; None if it has none, which it shows by 0 or nothing at all."""
    pid = row.get("pid")
    return pid if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0 else None


def log_paths_of(row: Row) -> list[str]:
    """Return where a process logs: the combined log only if it has no others, because it repeats them."""
    if row.get("disable_logs") is True:
        return []
    own = [_path(row.get(name)) for name in ("pm_out_log_path", "pm_err_log_path")]
    found = [path for path in own if path] or [path for path in [_path(row.get("pm_log_path"))] if path]
    return list(dict.fromkeys(found))


def _path(value: Any) -> str | None:
    return value if isinstance(value, str) and value not in _NO_LOG else None


def judged(row: Row, seen: Sequence[Process | None], context: Context, earlier: Row) -> dict[str, Any]:
    """Return a process as the module does, without its logs.

    :param seen: what the kernel said about its pid, oldest first; None if there was no such process.
    :param earlier: the same process in an earlier result; empty without one.
    """
    last = seen[-1] if seen else None
    ours = bool(last) and _is_its(row, last, context)
    restarts = _count(row.get("restart_time"))
    samples = _samples(row, [one for one in seen if one] if ours else [], restarts, earlier)
    found: dict[str, Any] = {
        "name": str(row.get("name"))[:200],
        "pm_id": row.get("pm_id"),
        "pid": pid_of(row),
        "status": str(row.get("status"))[:50],
        "exec_mode": row.get("exec_mode"),
        "online": row.get("status") == "online",
        "alive": ours,
        "restarts": restarts,
        "unstable_restarts": _count(row.get("unstable_restarts")),
        "restarts_since_previous": _since(restarts, earlier),
        "uptime_seconds": round(last.uptime, 1) if last and ours else None,
        "memory_bytes": last.memory if last and ours else None,
        "memory_samples": samples,
        "memory_slope_bytes_per_minute": slope(samples),
    }
    why = _why_not(found, last, any(seen), context)
    return {**found, "ok": why is None, "why_not": why}


def _is_its(row: Row, process: Process | None, context: Context) -> bool:
    """Return whether a process is the one that pm2 started: its child, or one that began when pm2 says."""
    if process is None:
        return False
    if context.daemon and process.parent == context.daemon:
        return True
    started = row.get("pm_uptime")
    began = context.now - process.uptime
    return isinstance(started, (int, float)) and abs(started / 1000 - began) <= _SAME_START_SECONDS


def _why_not(found: Row, last: Process | None, seen: bool, context: Context) -> str | None:
    pid, why = found["pid"], None
    if not found["online"]:
        why = f"pm2 says {found['status']}"
    elif pid is None:
        why = "pm2 says online, but it has no process"
    elif last is None:
        why = f"its process {pid} ended a moment ago" if seen else f"pm2 says online, but its process {pid} is gone"
    elif not found["alive"]:
        why = f"pm2 says online, but pid {pid} is another process by now"
    elif last.stopped:
        why = f"its process {pid} is stopped by a signal"
    elif last.uptime < context.min_uptime:
        why = f"it is up for {last.uptime:.1f} s only, after {found['restarts']} restarts"
    return why


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _since(restarts: int, earlier: Row) -> int | None:
    if "restarts" not in earlier:
        return None
    before = _count(earlier["restarts"])
    # pm2 reset, or pm2 itself was restarted.
    return restarts - before if restarts >= before else restarts


def _samples(row: Row, seen: Sequence[Process], restarts: int, earlier: Row) -> list[dict[str, Any]]:
    """Return the memory of the same process over time, including what an earlier result had of it."""
    new = [{"uptime_seconds": round(one.uptime, 1), "bytes": one.memory} for one in seen if one.memory is not None]
    same = bool(new) and earlier.get("pid") == pid_of(row) and earlier.get("restarts") == restarts
    old = [one for one in earlier.get("memory_samples") or [] if same and isinstance(one, dict)]
    known = [
        {"uptime_seconds": float(one["uptime_seconds"]), "bytes": int(one["bytes"])}
        for one in old
        if _is_number(one.get("uptime_seconds")) and _is_number(one.get("bytes"))
    ]
    return [*(one for one in known if one["uptime_seconds"] < new[0]["uptime_seconds"]), *new][-_MOST_SAMPLES:]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def slope(samples: Sequence[Row]) -> int | None:
    """Return how memory grows, in bytes a minute, by least squares; None for less than a second of samples."""
    if len(samples) < 2 or samples[-1]["uptime_seconds"] - samples[0]["uptime_seconds"] < _LEAST_SPAN_SECONDS:
        return None
    x = [one["uptime_seconds"] / 60 for one in samples]
    y = [one["bytes"] for one in samples]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    return round(sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / spread) if spread else None
