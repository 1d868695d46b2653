# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``pm2_info``: what pm2 says, what the kernel says, and what the logs say, within its time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import Wanted, pattern_of, utc
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logtext import secrets_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2list import processes_of, whole_list
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2logs import (
    Logs,
    counts_of,
    log_result,
    messages_of,
    read_logs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2process import (
    Context,
    Row,
    chosen,
    judged,
    pid_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._procfs import Process, look

# How far back errors count if nothing says since when.
SINCE_SECONDS = 600.0
_A_MOMENT = 0.001
# If there are more processes, the rest is reported as left out.
MOST_PROCESSES = 500
# The minimum and maximum of each option.
_RANGES = {
    "deadline": (2, 600),
    "since": (0, 31 * 86400),
    "last_lines": (1, 100_000),
    "max_bytes": (4096, 256 * 1024 * 1024),
    "samples": (1, 100),
    "trend_seconds": (0, 300),
    "min_uptime": (0, 86400),
    "expected": (0, 10_000),
}


@dataclass(frozen=True)
class Request:
    """What is asked for; the fields are the module's options."""

    pm2: str = "pm2"
    home: str | None = None
    names: Sequence[str] = ()
    expected: int | None = None
    min_uptime: float = 5.0
    since: float | None = None
    last_lines: int = 100
    error_pattern: str = "error"
    ignore_pattern: str | None = None
    samples: int = 2
    trend_seconds: float = 2.0
    previous: Sequence[Row] = ()
    max_bytes: int = 1024 * 1024
    deadline: float = 20.0


def look_at(request: Request) -> tuple[dict[str, Any], KanbanError | None]:
    """Return the module's result; raises KanbanError."""
    for name, (least, most) in _RANGES.items():
        _check_range(name, getattr(request, name), least, most)
    errors = pattern_of("error_pattern", request.error_pattern)
    ignored = pattern_of("ignore_pattern", request.ignore_pattern) if request.ignore_pattern else None
    if not request.pm2:
        return {"changed": False, "skipped": True, "processes": [], "problems": [], "pm2_home": None}, None
    deadline, pm2 = Deadline(request.deadline), Pm2(request.pm2, request.home)
    try:
        text = pm2.listing(deadline.slice(request.deadline))
    except OSError as error:
        raise _failed(pm2, error) from None
    listed, now = processes_of(text), time.time()
    rows, missing = chosen(listed, request.names)
    left_out, rows = len(rows[MOST_PROCESSES:]), rows[:MOST_PROCESSES]
    seen = [[_seen(row)] for row in rows]
    secrets = secrets_of(whole_list(text))
    since = _since(request, now)
    wanted = Wanted(errors, ignored, since, request.last_lines, time.localtime().tm_gmtoff, secrets)
    # The trend has its own time, which logs do not use up.
    time_for_logs = Deadline(max(1.0, deadline.left - request.trend_seconds))
    logs = read_logs(pm2.owner, rows, request.previous, wanted, request.max_bytes, time_for_logs)
    _watch(rows, seen, request, deadline)
    context = Context(time.time(), pm2.daemon, request.min_uptime)
    processes = [
        {**judged(row, several, context, _earlier(request.previous, row)), **log_result(row, logs)}
        for row, several in zip(rows, seen)
    ]
    problems = _problems(processes, missing, request, left_out)
    result = {
        "changed": False,
        "ok": not problems,
        "pm2_home": str(pm2.home),
        "processes": processes,
        "missing": missing,
        "problems": problems,
        **_sums(processes, logs),
        **messages_of(rows, logs, wanted),
        "since": utc(wanted.since),
        "since_seconds": round(now - wanted.since, 3),
        "sampled_at": utc(now),
        "elapsed_ms": deadline.elapsed_ms,
    }
    result["warnings"] = _warnings(logs, result)
    return result, None


def _since(request: Request, now: float) -> float:
    """Return the moment from which errors count: those that were there at the time of an earlier result are older."""
    if request.since is not None:
        return now - request.since
    taken = [log.get("at") for one in request.previous for log in one.get("log_files") or []]
    return max((at for at in taken if isinstance(at, float)), default=now - SINCE_SECONDS - _A_MOMENT) + _A_MOMENT


def _check_range(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise BadInput(
            "bad_option",
            f"{name} is {value:g}; it has to be from {least:g} to {most:g}.",
            "Nothing was looked at.",
            f"Leave {name} out, or give a value in between.",
        )


def _failed(pm2: Pm2, error: OSError) -> KanbanError:
    return KanbanError(
        "pm2_failed",
        f"pm2 could not be run for {pm2.home}: {error.strerror or error}.",
        "What the application's processes are doing is not known here.",
        "As root setpriv (of util-linux) is needed beside pm2; or run it as pm2's user.",
    )


def _seen(row: Row) -> Process | None:
    pid = pid_of(row)
    return look(pid) if pid else None


def _watch(rows: Sequence[Row], seen: Sequence[list[Process | None]], request: Request, deadline: Deadline) -> None:
    """Look again as often as requested; the first look is already done."""
    pause = request.trend_seconds / max(1, request.samples - 1)
    for _number in range(request.samples - 1):
        time.sleep(min(pause, deadline.left))
        for row, several in zip(rows, seen):
            several.append(_seen(row))
        if deadline.over:
            return


def _earlier(previous: Sequence[Row], row: Row) -> Row:
    same = (one for one in previous if one.get("name") == row.get("name") and one.get("pm_id") == row.get("pm_id"))
    return next(same, {})


def _sums(processes: Sequence[Row], logs: Logs) -> dict[str, Any]:
    """Return the sums; a log that several processes share counts once."""
    counts = counts_of([entry for _log, entry in logs.values()])
    for name in ("logs_read", "complete", "recent_known"):
        counts[name] = counts[name] and all(one[name] for one in processes)
    return {
        "online": sum(one["online"] for one in processes),
        "alive": sum(one["alive"] for one in processes),
        "restarts": sum(one["restarts"] for one in processes),
        **counts,
    }


def _problems(processes: Sequence[Row], missing: Sequence[str], request: Request, left_out: int) -> list[str]:
    found = [f"{one['name']} ({one['pm_id']}): {one['why_not']}" for one in processes if not one["ok"]]
    found += [f"pm2 has no process {name}" for name in missing]
    if not processes and not missing:
        found.append("pm2 has no process of the application")
    good = sum(one["ok"] for one in processes)
    if request.expected is not None and good < request.expected:
        found.append(f"{good} processes are up, {request.expected} are expected")
    if left_out:
        found.append(f"{left_out} more processes were not looked at")
    return found


def _warnings(logs: Logs, result: Row) -> list[str]:
    found = [f"{path}: {entry['reason']}" for path, (_log, entry) in logs.items() if entry["reason"]]
    found += [
        f"{path}: its timestamps name no zone, and none can be told, so its errors count as new as any zone makes them"
        for path, (_log, entry) in logs.items()
        if entry.get("since_by") == "local_timestamps" and entry["error_lines_since"]
    ]
    found += [
        f"{one['name']} ({one['pm_id']}): it writes no log, so its errors are not known"
        for one in result["processes"]
        if not one["log_files"]
    ]
    return list(dict.fromkeys(found))[:50]
