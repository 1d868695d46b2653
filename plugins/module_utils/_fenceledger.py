# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fence reads from the ledger and writes to it. Neither gets in the way: a failure becomes a warning."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, LostConnection
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session

# If somebody holds a lock on the ledger, the fence does without it at once.
LOCK_SECONDS = 0.25


def read_ledger(session: Session, environment: str | None) -> LedgerState:
    """Return the ledger's state; raises BadInput if it is another environment's, the only refusal in containment."""
    try:
        with session.transaction(ledger.LEDGER_SECONDS, LOCK_SECONDS, "READ ONLY") as cursor:
            state = ledger.ledger_state(cursor)
        ledger.check_version(state)
    except LostConnection:
        raise
    except KanbanError as error:
        return LedgerState(present=True, usable=False, creatable=False, reason=error.what)
    ledger.check_environment(state, environment)
    return state


def names_of(place: FencePlace, incident_id: str) -> list[str]:
    """Return every id that an incident's fence may be up for: this one and, if the ledger knows it, all its ids."""
    names = [incident_id]
    if not place.ledger_state.usable:
        return names
    try:
        with place.session().transaction(ledger.LEDGER_SECONDS, LOCK_SECONDS, "READ ONLY") as cursor:
            known = ledger.find_incident(cursor, incident_id)
            rows = ledger.list_incidents(cursor, known) if known else []
        return sorted({*names, *(name for row in rows for name in ids_of(row))})
    except KanbanError as error:
        place.warnings.append(f"The ledger could not be asked for the incident's other ids: {error.what}")
        return names


def record(place: FencePlace, event: str, data: Mapping[str, Any]) -> None:
    """Append an event to the incident's chain, if a ledger knows the incident."""
    incident_id = place.request.incident_id
    if not place.ledger_state.usable or not incident_id:
        return
    try:
        with place.session().transaction(ledger.LEDGER_SECONDS, 1.0) as cursor:
            known = ledger.find_incident(cursor, incident_id)
            if known:
                ledger.add_event(cursor, known, place.request.run_id, "contain", "write_fence", event, data)
    except KanbanError as error:
        place.warnings.append(f"The event {event} is not in the ledger: {error.what}")
