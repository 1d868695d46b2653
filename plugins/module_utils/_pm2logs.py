# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs that pm2's processes write: each read once, within its time. Neither Ansible nor a driver."""

from __future__ import annotations

import contextlib
import pwd
import signal
import time
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logerrors import Messages, Wanted
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logfiles import (
    Log,
    NotReadable,
    read_log,
    rights_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2process import Row, log_paths_of

# How long one log may take, including its patterns.
LOG_SECONDS = 5.0
COUNTS = ("error_lines_in_last", "error_lines_since", "error_lines_recent")
Logs = Mapping[str, Tuple[Optional[Log], Dict[str, Any]]]


class _TooLong(Exception):
    """A log, or a pattern on it, took longer than it may."""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, including regular expressions: their time has no limit of its own."""

    def ring(_number: int, _frame: Any) -> None:
        raise _TooLong

    before: Any = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_logs(
    owner: pwd.struct_passwd,
    rows: Sequence[Row],
    previous: Sequence[Row],
    wanted: Wanted,
    most: int,
    deadline: Deadline,
) -> Logs:
    """Return each log of the processes once, by its path: what was read of it, and its entry in the result.

    :param previous: processes of an earlier result, which say how much of each log was there then.
    :param most: bytes to read of each file.
    """
    paths = dict.fromkeys(path for row in rows for path in log_paths_of(row))
    before = {one.get("path"): one for row in previous for one in row.get("log_files") or []}

    def one(path: str) -> Log:
        if deadline.over:
            raise NotReadable("slow", "there was no time to read it")
        with _within(deadline.slice(LOG_SECONDS)):
            return read_log(path, wanted, most, before.get(path), deadline)

    try:
        with rights_of(owner):
            return {path: _entry(path, one, wanted) for path in paths}
    except OSError as error:
        reason = f"the rights of pm2's user could not be had: {error.strerror}"
        return {path: (None, _unread(path, "forbidden", reason)) for path in paths}


def _entry(path: str, read: Callable[[str], Log], wanted: Wanted) -> tuple[Log | None, dict[str, Any]]:
    try:
        log = read(path)
    except NotReadable as error:
        return None, _unread(path, error.state, error.reason)
    except _TooLong:
        return None, _unread(path, "slow", "reading it or matching its lines took too long")
    except OSError as error:
        return None, _unread(path, "forbidden", error.strerror or str(error))
    entry = {
        "path": path,
        "state": "read",
        "reason": "; ".join(log.lacking) or None,
        "size_bytes": log.size,
        "inode": log.inode,
        "at": time.time(),
        "written_at": log.written_at,
        "rotated": log.rotated,
        "complete": log.complete,
        "recent_known": log.recent,
        **log.counted.figures(wanted),
    }
    return log, entry


def _unread(path: str, state: str, reason: str) -> dict[str, Any]:
    return {"path": path, "state": state, "reason": reason, "complete": False, "recent_known": False}


def log_result(row: Row, logs: Logs) -> dict[str, Any]:
    """Return what the logs of one process say; null if none was read, which is not the same as no error."""
    entries = [logs[path][1] for path in log_paths_of(row)]
    return {**counts_of(entries), "log_files": entries}


def counts_of(entries: Sequence[Row]) -> dict[str, Any]:
    """Return the sums over some logs, and how much of them is known."""
    read = [entry for entry in entries if entry["state"] == "read"]
    counts = ("last_lines_read", *COUNTS)
    return {
        "logs_read": bool(read) and len(read) == len(entries),
        "complete": bool(entries) and all(entry["complete"] for entry in entries),
        "recent_known": bool(entries) and all(entry["recent_known"] for entry in entries),
        **{name: sum(entry[name] for entry in read) if read else None for name in counts},
    }


def messages_of(rows: Sequence[Row], logs: Logs, wanted: Wanted) -> dict[str, Any]:
    """Return the distinct messages of all logs, and how many there are."""
    messages = Messages(wanted.secrets)
    for path, (log, _in_result) in logs.items():
        whose = sorted({str(row.get("name"))[:200] for row in rows if path in log_paths_of(row)})
        if log:
            messages.add(log.counted.shown(wanted), ", ".join(whose)[:200])
    return messages.result()
