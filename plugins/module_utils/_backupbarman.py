# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Barman says in JSON about its backups. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, moment_of, utc
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import bad_answer, source_error

# Why a backup with this status is unusable; for any other the status itself is reported.
_STATUS = {
    "WAITING_FOR_WALS": "Barman has not received all of the log that it needs (WAITING_FOR_WALS)",
    "FAILED": "it failed",
    "STARTED": "it is not finished",
    "EMPTY": "it is not finished",
    "SYNCING": "it is being copied from another Barman",
}


def _argv(program: str, config: str | None, *words: str) -> list[str]:
    return [program, *(["--config", config] if config else []), "--format", "json", *words]


def list_argv(program: str, server: str, config: str | None) -> list[str]:
    """Return the command that lists backups."""
    return _argv(program, config, "list-backups", server)


def show_argv(program: str, server: str, config: str | None, label: str) -> list[str]:
    """Return the command that shows everything about one backup."""
    return _argv(program, config, "show-backup", server, label)


def parse_list(text: str, server: str, source: int) -> list[Backup]:
    """Return the backups of a server as far as the list describes them; raises KanbanError."""
    rows = _of_server(text, server, "list-backups")
    try:
        return [_backup(row, source) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer("barman list-backups", error) from error


def _of_server(text: str, server: str, command: str) -> Any:
    try:
        found = json.loads(text)
        problems = found.get("_ERROR") or found.get("_EXCEPTION")
        if problems:
            said = "; ".join(map(str, problems)) if isinstance(problems, list) else str(problems)
            raise source_error("barman_refused", f"Barman: {said}.", f"Try barman {command} {server} by hand.")
        return found[server]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer(f"barman {command}", error) from error


def _backup(row: Mapping[str, Any], source: int) -> Backup:
    stamp = row.get("end_time_timestamp")
    ended = float(stamp) if stamp else None
    status = str(row.get("status"))
    found = Backup(
        kind="barman",
        source=source,
        label=str(row["backup_id"]),
        ended=ended,
        as_of=ended,
        physical=True,
        verified="catalog",
        size_bytes=row.get("size_bytes"),
        facts={"type": row.get("backup_type"), "status": status, "retention": row.get("retention_status")},
    )
    if status != "DONE":
        found.refuse(_STATUS.get(status, f"its status is {status}"))
    elif ended is None:
        found.refuse("Barman does not say when it ended")
    return found


def add_details(backup: Backup, text: str, server: str) -> None:
    """Add what ``show-backup`` says: the exact times, the cluster, how far the log goes; raises KanbanError."""
    found = _of_server(text, server, "show-backup")
    try:
        base, log = found["base_backup_information"], found["wal_information"]
        backup.started = moment_of(str(base.get("begin_time"))) or _stamp(base.get("begin_time_timestamp"))
        ended = moment_of(str(base.get("end_time")))
        if ended is not None:
            # The times in the list are cut to whole seconds.
            backup.ended = backup.as_of = ended
        system = found.get("system_id")
        backup.cluster = str(system) if system else None
        backup.last_segment = log.get("last_available")
        if found.get("status") != "DONE":
            backup.refuse(_STATUS.get(str(found.get("status")), f"its status is {found.get('status')}"))
        else:
            backup.usable = True
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer(f"barman show-backup ({utc(backup.ended)})", error) from error


def _stamp(text: Any) -> float | None:
    return float(text) if text else None
