# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_documents`` and ``incident_timings_info`` do: read what a ledger keeps, and add what is new."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import (
    EVENT,
    MOST,
    SOURCE,
    Document,
    wanted,
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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import is_timings
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import documents as queries

# The document with how long an incident's steps took, which names nobody, and for how many incidents it is read.
TIMINGS, MOST_TIMINGS = "timings.json", 1000


@dataclass(frozen=True)
class DocumentsRequest:
    """What is asked; the fields are the options of ``incident_documents``."""

    who: ledger.Who
    documents: Sequence[Document]
    deadline: float


def keep_documents(login: Login, request: DocumentsRequest, check_mode: bool) -> dict[str, Any]:
    """Return the documents of an incident, after new ones were added; raises KanbanError if they cannot be.

    The ledger has to know the incident, open or closed: documents do not open one.
    """
    given = wanted(request.documents)
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, request.who.environment)
        incident, there = None, []
        if facts.state.usable:
            with session.transaction(request.deadline, mode="READ ONLY") as cursor:
                incident = ledger.find_incident(cursor, request.who.incident_id)
                there = _read(cursor, incident)
        known = {one["name"]: one["text"] for one in there}
        new = [one for one in given if known.get(one["name"]) != one["text"]]
        if new:
            refuse_replica(facts.server)
            if incident is None:
                raise unknown_incident(request.who.incident_id)
        if new and incident is not None and not check_mode:
            with session.transaction(request.deadline) as cursor:
                for one in new:
                    ledger.add_event(cursor, incident, request.who.run_id, "report", SOURCE, EVENT, one)
                there = _read(cursor, incident)
    finally:
        session.close()
    return {
        "changed": bool(new),
        "known_as": incident,
        "documents": there,
        "kept": [one["name"] for one in new],
        **facts.as_result(),
    }


def read_timings(login: Login, environment: str | None, deadline: float) -> dict[str, Any]:
    """Return the timings of all incidents of a ledger, none if there is no ledger; raises KanbanError."""
    session = Session(login, APPLICATION)
    found = []
    try:
        facts = look_at_ledger(session, environment)
        if facts.state.usable:
            values = {"source": SOURCE, "event": EVENT, "name": TIMINGS, "limit": MOST_TIMINGS}
            with session.transaction(deadline, mode="READ ONLY") as cursor:
                found = [_as_timings(text) for _incident, text in cursor.rows(queries.OF_ALL, values)]
    finally:
        session.close()
    return {"changed": False, "timings": [one for one in found if one is not None], **facts.as_result()}


def _as_timings(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return dict(found) if is_timings(found) else None


def _read(cursor: Cursor, incident: str | None) -> list[dict[str, Any]]:
    values = {"incident": incident, "source": SOURCE, "event": EVENT, "limit": MOST}
    rows = cursor.rows(queries.DOCUMENTS, values) if incident else []
    return [
        # One that does not say what it comes after comes after everything there was.
        {"name": name, "text": text, "at": at, "earlier": earlier if after is None else after}
        for name, text, at, earlier, after in rows
    ]
