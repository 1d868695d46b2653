# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What WAL-G says in JSON about backups and the log. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, moment_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import bad_answer


def _argv(program: str, config: str | None, *words: str) -> list[str]:
    return [program, *words, *(["--config", config] if config else [])]


def list_argv(program: str, config: str | None) -> list[str]:
    """Return the command that lists backups."""
    return _argv(program, config, "backup-list", "--detail", "--json")


def log_argv(program: str, config: str | None) -> list[str]:
    """Return the command that shows which files of the log there are, and which are missing in between."""
    return _argv(program, config, "wal-show", "--detailed-json")


def parse_list(text: str, source: int) -> list[Backup]:
    """Return the backups; if there are none, WAL-G writes nothing or null. Raises KanbanError."""
    if not text.strip():
        return []
    try:
        return [_backup(row, source) for row in json.loads(text) or []]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer("wal-g backup-list", error) from error


def _backup(row: Mapping[str, Any], source: int) -> Backup:
    # Without details there is only the time when the list's object was written, which is the last step of a backup.
    ended = moment_of(str(row.get("finish_time") or row.get("time")))
    system = row.get("system_identifier")
    found = Backup(
        kind="wal_g",
        source=source,
        label=str(row["backup_name"]),
        started=moment_of(str(row.get("start_time"))),
        ended=ended,
        as_of=ended,
        physical=True,
        verified="catalog",
        size_bytes=row.get("compressed_size"),
        cluster=str(system) if system else None,
        usable=True,
        facts={"type": "delta" if "_D_" in str(row["backup_name"]) else "full", "first_segment": row["wal_file_name"]},
    )
    if ended is None:
        found.refuse("WAL-G does not say when it ended")
    return found


def add_log(backups: list[Backup], text: str) -> list[str]:
    """Set for each backup how far the log goes without a gap after it; return warnings. Raises KanbanError.

    If a file is missing after the start of a backup, its reach is not known; one before it does not matter. Files
    on a timeline other than the backup's do not count: whether its timeline leads there is not checked.
    """
    try:
        lines = {f"{int(one['id']):08X}": one for one in json.loads(text) or []}
        warnings = []
        for backup in backups:
            first = str(backup.facts["first_segment"])
            line = lines.get(first[:8])
            if line is None:
                backup.refuse("none of the log that it needs is there")
                continue
            gaps = sorted(name for name in line.get("missing_segments") or [] if name >= first)
            backup.last_segment = line["end_segment"]
            if gaps:
                backup.last_segment = None
                backup.facts["reach_unknown"] = f"of the log {gaps[0]} is missing"
                warnings.append(
                    f"WAL-G: after {backup.label} {len(gaps)} files of the log are missing, from {gaps[0]} on"
                )
            elif line["end_segment"] < first:
                backup.refuse("none of the log that it needs is there")
        return warnings
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer("wal-g wal-show", error) from error
