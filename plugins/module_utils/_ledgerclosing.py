# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an incident is closed, and opened again by a kill that had joined it when it was closed.

A batch of a kill holds a share of its incident's row until it commits, by the foreign key of what it records. Whoever
closes on the word of a look takes the whole row first: a batch is either committed by then, and counted, or it waits
and then finds the incident closed.
"""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries

# The row is asked for again and again and never waited for: who waits has the ledger's lock, which a kill needs, too.
TRY_SECONDS, PAUSE_SECONDS = 5.0, 0.1
# A closing that falls silent with the row in its hands lets go of it.
SETTINGS = {"idle_in_transaction_session_timeout": "1s"}


def switched_off(cursor: Cursor, incident_id: str) -> int:
    """Return how many tenants an incident has switched off so far, one as often as it was; it never goes down."""
    return _switched_off(cursor, [incident_id])[incident_id]


def add_switched_off(cursor: Cursor, incidents: Sequence[dict[str, Any]]) -> None:
    """Add to each incident what ``switched_off`` returns; None where this role may not read what was changed."""
    found: dict[str, int] = {}
    try:
        with cursor.savepoint():
            found = _switched_off(cursor, [row["incident_id"] for row in incidents])
    except ServerError as error:
        # What is open is told all the same: it is what everything else begins with.
        if error.code != "missing_privilege":
            raise
    for row in incidents:
        row["switched_off"] = found.get(row["incident_id"])


def _switched_off(cursor: Cursor, incident_ids: Sequence[str]) -> dict[str, int]:
    found = cursor.rows(queries.SWITCHED_OFF, {"incidents": list(incident_ids)})
    return {**dict.fromkeys(incident_ids, 0), **{name: int(number) for name, number in found}}


def close_incident(cursor: Cursor, incident_id: str, operator: str | None, known: int | None = None) -> bool:
    """Close an incident; tell whether it was open.

    :param known: how many tenants it had switched off when somebody looked: where it is more by now, it stays open, and
        KanbanError is raised. Timeout where somebody writes under it just now.
    """
    if known is not None:
        cursor.run(queries.LOCK_INCIDENT, {"incident": incident_id})
        since = switched_off(cursor, incident_id) - known
        if since > 0:
            raise KanbanError(
                "stopped_again",
                f"Incident {incident_id} is not closed: somebody stopped it again and switched {since:,} tenants off.",
                "Whoever is to put them back looks for what is open. It is open as before.",
                "Ask who stopped it, and why, before it is undone.",
            )
    cursor.run(queries.CLOSE_INCIDENT, {"incident": incident_id, "operator": operator})
    return cursor.rowcount > 0


def is_closed(cursor: Cursor, incident_id: str) -> bool:
    """Tell whether an incident is closed by now: asked once a batch is recorded, which waits for who is closing."""
    return bool(cursor.row(queries.IS_CLOSED, {"incident": incident_id})[0])


def reopen_incident(cursor: Cursor, incident_id: str) -> str:
    """Open an incident again that was closed while somebody killed under it; return what is to be said of it.

    Never raises but where the connection is lost: a kill is not held up by this.
    """
    try:
        with cursor.savepoint():
            cursor.run(queries.REOPEN_INCIDENT, {"incident": incident_id})
    except ServerError as error:
        if cursor.is_lost:
            raise
        return (
            f"Incident {incident_id} was closed meanwhile, and could not be opened again ({error.what.rstrip('.')}); "
            f"name it to undo this: {incident_id}"
        )
    return f"Incident {incident_id} was closed meanwhile; it is open again, for this switched tenants off under it."
