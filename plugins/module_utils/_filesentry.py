# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_files`` does: read the files that a ledger keeps of an incident, and add what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._files import (
    MOST,
    MOST_AT_ONCE,
    MOST_OTHERS,
    is_journal,
    wanted,
    with_room,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    look_at_ledger,
    refuse_replica,
    unknown_incident,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import refuse_lacking_in_ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import files as queries

_ALONE = "What was to be kept lies on this controller alone. Nothing was kept here."


@dataclass(frozen=True)
class FilesRequest:
    """What is requested; the fields are the options of ``incident_files``."""

    who: ledger.Who
    files: Sequence[Mapping[str, Any]]
    texts: bool
    but: Mapping[str, int]
    deadline: float


def keep_files(login: Login, request: FilesRequest, check_mode: bool) -> dict[str, Any]:
    """Add what is new, and return the files that the incident had before; raises KanbanError if it cannot be added."""
    given = wanted(request.files)
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, request.who.environment)
        result: dict[str, Any] = {"changed": False, "known_as": None}
        result.update({name: [] for name in ("files", "kept", "left_out", "no_room")})
        if facts.state.usable:
            with session.transaction(request.deadline, mode="READ ONLY") as cursor:
                result.update(_read(cursor, request))
        if given:
            refuse_replica(facts.server)
            if result["known_as"] is None:
                raise unknown_incident(request.who.incident_id)
            with session.transaction(request.deadline, mode="READ ONLY" if check_mode else "READ WRITE") as cursor:
                kept, full = _keep(cursor, result["known_as"], request.who.run_id, given, check_mode)
                result.update(kept=kept, no_room=full)
            result["changed"] = bool(result["kept"])
    finally:
        session.close()
    return {**result, **facts.as_result()}


def _read(cursor: Cursor, request: FilesRequest) -> dict[str, Any]:
    incident = ledger.find_incident(cursor, request.who.incident_id)
    if incident is None:
        return {}
    found, left_out, room = [], [], MOST_AT_ONCE
    for name, at, run, length in _there(cursor, incident):
        one = {"name": name, "at": at, "run_id": run, "length": length}
        if request.texts and request.but.get(name, -1) < length:
            if length > room:
                left_out.append(name)
            else:
                room -= length
                one["text"] = cursor.row(queries.TEXT, {"incident": incident, "name": name})[0]
        found.append(one)
    return {"known_as": incident, "files": found, "left_out": left_out}


def _there(cursor: Cursor, incident: str) -> list[Any]:
    """Return what is there without texts; nothing in a ledger from before there was a place for files."""
    is_there = cursor.row(queries.STATE, {})[0]
    return cursor.rows(queries.FILES, {"incident": incident}) if is_there else []


def _keep(
    cursor: Cursor, incident: str, run_id: str, given: Sequence[Mapping[str, str]], check_mode: bool
) -> tuple[list[str], list[str]]:
    """Add what is new or continues what is there; return the names, and those for which there is no room."""
    there, creatable = cursor.row(queries.STATE, {})
    if there:
        refuse_lacking_in_ledger(cursor, "files", ("SELECT", "INSERT", "UPDATE"), _ALONE)
    elif not creatable:
        raise _no_place()
    before = {row[0]: row[3] for row in _there(cursor, incident)}
    taken, full = with_room(before, given)
    if not taken:
        raise _too_many(incident)
    if check_mode:
        return [one["name"] for one in taken if before.get(one["name"], -1) < len(one["text"])], full
    if not there:
        # A ledger from before there was a place for files.
        cursor.run(queries.CREATE, {})
    kept = []
    for one in taken:
        cursor.run(queries.KEEP, {"incident": incident, "run": run_id, "grows": is_journal(one["name"]), **one})
        kept += [one["name"]] if cursor.rowcount > 0 else []
    return kept, full


def _no_place() -> KanbanError:
    return KanbanError(
        "no_place",
        "This ledger is from before there was a place for files, and this role may not make it.",
        _ALONE,
        "Run bootstrap.yml, which makes the place and gives the right.",
    )


def _too_many(incident: str) -> KanbanError:
    return KanbanError(
        "too_many",
        f"{incident} has no room for more: {MOST} journals are kept, and {MOST_OTHERS} other files.",
        _ALONE,
        "Close the incident; a new one has files of its own.",
    )
