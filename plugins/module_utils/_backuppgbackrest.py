# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``pgbackrest info --output=json`` says. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import bad_answer, source_error

# The status codes of a stanza that can be reported on: ok, no valid backups, several repositories that differ.
_KNOWN = (0, 2, 4)


def info_argv(program: str, stanza: str, config: str | None, repo: int | None) -> list[str]:
    """Return the command; it reads and locks nothing."""
    given = [f"--config={config}"] if config else []
    given += [f"--repo={repo}"] if repo else []
    return [program, *given, f"--stanza={stanza}", "--output=json", "--log-level-console=off", "info"]


def set_argv(program: str, stanza: str, config: str | None, repo: int | None, label: str) -> list[str]:
    """Return the command that says more about one backup."""
    return [*info_argv(program, stanza, config, repo)[:-1], f"--set={label}", "info"]


def parse_set(text: str, stanza: str, label: str) -> tuple[list[str] | None, list[int]]:
    """Return the databases of one backup (None: an old pgBackRest, which does not say) and oids of its tablespaces.

    Raises KanbanError for output that is not understood.
    """
    try:
        one = next(each for each in json.loads(text) if each["name"] == stanza)
        row = next(each for each in one["backup"] if each["label"] == label)
        told = row.get("database-ref")
        names = None if told is None else [str(each["name"]) for each in told]
        return names, [int(each["oid"]) for each in row.get("tablespace") or ()]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise bad_answer("pgbackrest info --set", error) from error


def parse_info(text: str, stanza: str, source: int) -> tuple[list[Backup], list[str]]:
    """Return the backups of a stanza and warnings; raises KanbanError if the stanza is not there or not whole."""
    try:
        found = json.loads(text)
        if not isinstance(found, list):
            raise bad_answer("pgbackrest info", TypeError("no list"))
        one = next((each for each in found if each["name"] == stanza), None)
        if one is None:
            raise source_error("no_stanza", f"pgBackRest knows no stanza {stanza}.", _CREATE)
        status = one["status"]
        if status["code"] not in _KNOWN:
            raise source_error("bad_stanza", f"pgBackRest, stanza {stanza}: {status['message']}.", _CREATE)
        warnings = _warnings(one, stanza)
        return [_backup(row, one, source) for row in one["backup"]], warnings
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_answer("pgbackrest info", error) from error


_CREATE = (
    "Look at pgbackrest info by hand, as the same user and with the same configuration; perhaps name another stanza."
)


def _warnings(one: Mapping[str, Any], stanza: str) -> list[str]:
    found = []
    if (one["status"].get("lock") or {}).get("backup", {}).get("held"):
        found.append(f"pgBackRest, stanza {stanza}: a backup, or another command of its, runs at this moment")
    found += [
        f"pgBackRest, stanza {stanza}, repository {repo.get('key')}: {repo['status']['message']}"
        for repo in one.get("repo", [])
        if repo.get("status", {}).get("code")
    ]
    return found


def _backup(row: Mapping[str, Any], stanza: Mapping[str, Any], source: int) -> Backup:
    where = row.get("database", {})
    stop = float(row["timestamp"]["stop"])
    found = Backup(
        kind="pgbackrest",
        source=source,
        label=str(row["label"]),
        started=float(row["timestamp"]["start"]),
        ended=stop,
        as_of=stop,
        physical=True,
        verified="catalog",
        size_bytes=row.get("info", {}).get("size"),
        cluster=next((str(db["system-id"]) for db in stanza["db"] if _is_at(db, where)), None),
        last_segment=next((each["max"] for each in stanza["archive"] if _is_at(each["database"], where)), None),
        facts={"type": row.get("type"), "repo": where.get("repo-key"), "first_segment": row["archive"].get("start")},
        usable=True,
    )
    if row.get("error"):
        found.refuse("pgBackRest found errors in it: pages whose checksum is wrong")
    elif not row["archive"].get("stop"):
        found.refuse("the log that it needs is not in the archive")
    elif found.last_segment is None or found.last_segment[8:] < row["archive"]["stop"][8:]:
        found.refuse(f"the archive does not reach the end of it ({row['archive']['stop']})")
    return found


def _is_at(one: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Tell whether a row belongs to the same history of the cluster in the same repository."""
    return one.get("id") == where.get("id") and one.get("repo-key", 1) == where.get("repo-key", 1)
