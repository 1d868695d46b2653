# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point in time from pgBackRest: which backup, which commands and settings, and what a failure means. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, moment_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

_RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')
_ERROR = re.compile(r"(?:ERROR|FATAL): .*")
_MOST_CHARACTERS = 500
# What a server says when it has come to the moment.
READY = "database system is ready to accept connections"
# Nothing of it is to survive anything, nobody but us is to reach it, and nothing of production's is to run in it. Not a
# standby before it is ready (hot_standby): so it needs none of production's limits, and who is let in finds it ready.
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "ssl": "off",
    "archive_mode": "off",
    "hot_standby": "off",
    "primary_conninfo": "",
    "recovery_target_inclusive": "off",
    "recovery_target_action": "promote",
    "recovery_target_timeline": "latest",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "default_transaction_read_only": "on",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "max_connections": "10",
    # Those that were prepared at that moment come back with it.
    "max_prepared_transactions": "1000",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_connections": "off",
    # Its own words alone: statements, and what they fail on, hold data.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_line_prefix": "",
    "lc_messages": "C",
}
# From this version on a trigger of the application's may fire when somebody connects.
_HAS_LOGIN_TRIGGERS = 17


@dataclass(frozen=True)
class Point:
    """What is to be restored. ``moment``: seconds since 1970; what was committed before it is there, no more."""

    program: str
    stanza: str
    config: str | None
    repo: int | None
    moment: float
    database: str

    @property
    def taken_at(self) -> str:
        """The last moment that it shows: the one before, in the smallest unit that the server knows."""
        return datetime.fromtimestamp(self.moment - 1e-6, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def shown(self) -> str:
        """The moment, as errors name it."""
        return datetime.fromtimestamp(self.moment, timezone.utc).isoformat()

    def _tool(self, place: Path) -> list[str]:
        """Return what every command of pgBackRest has: no lock or log of production's is touched."""
        given = [f"--config={self.config}"] if self.config else []
        given += [f"--repo={self.repo}"] if self.repo else []
        own = [f"--pg1-path={place / 'data'}", f"--lock-path={place / 'lock.d'}"]
        logs = ["--log-level-file=off", "--log-level-console=off", "--log-level-stderr=error"]
        return [self.program, *given, f"--stanza={self.stanza}", *own, *logs]

    def restore_argv(self, place: Path, label: str) -> list[str]:
        """Return the command that restores one backup: of other databases it writes holes alone."""
        tablespaces = f"--tablespace-map-all={place / 'tablespaces'}"
        what = [f"--set={label}", f"--db-include={self.database}", "--type=default", "--archive-mode=off"]
        return [*self._tool(place), *what, tablespaces, "--no-delta", "--process-max=2", "restore"]

    def settings(self, place: Path, sockets: Path, major: int) -> str:
        """Return the instance's postgresql.conf."""
        # Not ahead of time: what is fetched so waits in a directory that production's own archiving uses.
        fetch = [*self._tool(place), "--no-archive-async", "archive-get"]
        command = f'{" ".join(shlex.quote(word) for word in fetch).replace("%", "%%")} %f "%p"'
        told = {
            **_SETTINGS,
            "unix_socket_directories": str(sockets),
            "hba_file": str(place / "pg_hba.conf"),
            "ident_file": str(place / "pg_ident.conf"),
            "restore_command": command,
            "recovery_target_time": datetime.fromtimestamp(self.moment, timezone.utc).strftime(
                "%Y-%m-%d %H:%M:%S.%f+00"
            ),
            **({"event_triggers": "off"} if major >= _HAS_LOGIN_TRIGGERS else {}),
        }
        return "".join(f"{name} = {_quoted(value)}\n" for name, value in told.items())


def _quoted(value: str) -> str:
    """Return a value as postgresql.conf has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def target_moment(target: str | None, corrupt_since: str | None) -> float:
    """Return the moment to go back to; raises BadInput."""
    given = target or corrupt_since
    moment = moment_of(given) if given else None
    if moment is None:
        raise BadInput(
            "bad_time" if given else "no_target",
            f"The moment to go back to is {given!r}." if given else "It is not said to which moment to go back.",
            "Without it nobody can tell which rows were there. Nothing was changed.",
            "Give source.target, or corrupt_since, with its zone, for instance 2026-11-25T02:45:00-03:00; the check "
            "timeline of integrity_info proposes one.",
        )
    return moment


def choose(backups: Sequence[Backup], point: Point) -> Backup:
    """Return the newest usable backup that was whole before the moment; raises KanbanError."""
    before = [one for one in backups if one.usable and one.ended is not None and one.ended < point.moment]
    if before:
        return max(before, key=lambda one: one.ended or 0.0)
    unusable = next((f" The newest one is of no use: {one.why_not}." for one in reversed(backups) if one.why_not), "")
    raise KanbanError(
        "backup_too_late",
        f"pgBackRest, stanza {point.stanza}, has no usable backup that ended before {point.shown}.{unusable}",
        "The log leads on from a backup, never back from one. Nothing was changed.",
        "Give a later moment (source.target), another stanza or repository, or use a dump.",
    )


def not_archived(point: Point, archived_to: float | None, now: float) -> KanbanError | None:
    """Return why the log cannot lead to the moment yet, as the server tells it; None where nothing says so.

    The server recognizes the moment by the first commit after it, so the file that has that must be archived.

    :param archived_to: when it last archived a file of the log; None where it archives none itself.
    """
    if archived_to is None or archived_to >= point.moment:
        return None
    if point.moment >= now:
        return BadInput(
            "bad_time",
            f"The moment to go back to, {point.shown}, is yet to come.",
            "Nothing was changed.",
            "Give a moment that is past (source.target or corrupt_since).",
        )
    return _missing(
        f"The server last archived a file of its log at {_text(archived_to)}, before {point.shown}.",
        "Have it close the present file and archive it (SELECT pg_switch_wal(), as a superuser), then run the same "
        "command again; backup_info says whether archiving works.",
    )


def not_started(point: Point, backup: Backup, said: str) -> KanbanError:
    """Return why the instance did not come to the moment.

    :param said: the end of what it wrote.
    """
    restored = _RESTORED.findall(said)
    errors = _ERROR.findall(said)
    last = restored[-1] if restored else None
    if "before configured recovery target was reached" in said:
        after = f"after {last}" if last else "that the backup begins with"
        reach = f"; the archive reaches to {backup.last_segment}" if backup.last_segment else ""
        tool = next((f" ({line[:200]})" for line in errors if line.startswith("ERROR: [")), "")
        return _missing(
            f"The log ends before {point.shown}: the archive gave no file {after}{reach}{tool}.",
            "See with pgbackrest info, and verify, which file is missing and whether the server still has it; if it is "
            "yet to be archived: SELECT pg_switch_wal(). Else give an earlier moment (source.target), or use a dump.",
        )
    told = " ".join(errors or said.split("\n"))[-_MOST_CHARACTERS:].strip()
    return KanbanError(
        "scratch_not_started",
        f"The scratch instance did not come up: {told or 'it said nothing'}.",
        "Without it there is nothing to compare with. It is removed again, and nothing was changed.",
        "Mend what it says; where it cannot be, use a dump, or restore by hand on another host and dump from there.",
    )


def not_restored(point: Point, error: KanbanError) -> KanbanError:
    """Return why pgBackRest did not restore, given how it ended."""
    told = " ".join(str(error.details.get("stderr") or error.what).split())[:_MOST_CHARACTERS]
    return KanbanError(
        "restore_failed",
        f"pgBackRest, stanza {point.stanza}, did not restore: {told}",
        "Without it there is nothing to compare with. What it had written is removed, and nothing was changed.",
        "Run it as a user who may read the repository and its configuration (become_user); the message says the rest.",
    )


def _missing(what: str, todo: str) -> KanbanError:
    return KanbanError(
        "wal_missing",
        what,
        "Data of another moment than the one asked for would be compared instead. Nothing was changed.",
        todo,
    )


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")
