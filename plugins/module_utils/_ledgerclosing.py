# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an incident is closed, and opened again by a kill that had joined it before it was closed.

A batch of a kill keeps a share lock on its incident's row until it commits, by the foreign key of what it records.
Closing that relies on an earlier look locks the whole row first: a batch is either committed by then, and counted, or
it waits and then finds the incident closed.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries

# The row is tried again and again, never waited for: a waiting session has the ledger's lock, which a kill needs, too.
TRY_SECONDS, PAUSE_SECONDS = 5.0, 0.1
# A closing session that falls silent while it has locked the row loses it.
SETTINGS = {"idle_in_transaction_session_timeout": "1s"}


def switched_off(cursor: Cursor, incident_id: str) -> int:
    """Return how many tenants an incident has switched off so far, counting repetitions; it never decreases."""
    return _switched_off(cursor, [incident_id])[incident_id]


def add_switched_off(cursor: Cursor, incidents: Sequence[dict[str, Any]]) -> None:
    """Add to each incident what ``switched_off`` returns; None if this role may not read what was changed."""
    found: dict[str, int] = {}
    try:
        with cursor.savepoint():
            found = _switched_off(cursor, [row["incident_id"] for row in incidents])
    except ServerError as error:
        # Open incidents are reported anyway: everything else begins with them.
        if error.code != "missing_privilege":
            raise
    for row in incidents:
        row["switched_off"] = found.get(row["incident_id"])


def left_off(cursor: Cursor, incidents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return which of these incidents were closed with tenants off, each with how many.

    :param incidents: rows as ``list_incidents`` returns them.
    """
    found = cursor.rows(queries.LEFT_OFF, {"incidents": [row["incident_id"] for row in incidents if row["closed_at"]]})
    return [{"incident_id": name, "tenants": number} for name, number in found]


def _switched_off(cursor: Cursor, incident_ids: Sequence[str]) -> dict[str, int]:
    found = cursor.rows(queries.SWITCHED_OFF, {"incidents": list(incident_ids)})
    return {**dict.fromkeys(incident_ids, 0), **{name: int(number) for name, number in found}}


def close_incident(cursor: Cursor, incident_id: str, operator: str | None, known: int | None = None) -> bool:
    """Close an incident; return whether it was open.

    :param known: how many tenants it had switched off when somebody looked: if it is more by now, it stays open, and
        KanbanError is raised. Timeout is raised if somebody is writing under it.
    """
    if known is not None:
        lock_incident(cursor, incident_id)
        refuse_if_stopped(cursor, incident_id, known, f"Incident {incident_id} is not closed")
    cursor.run(queries.CLOSE_INCIDENT, {"incident": incident_id, "operator": operator})
    return cursor.rowcount > 0


def lock_incident(cursor: Cursor, incident_id: str) -> None:
    """Lock the incident's row until the transaction ends; raises Timeout if a run is writing under it."""
    cursor.run(queries.LOCK_INCIDENT, {"incident": incident_id})


def refuse_if_stopped(cursor: Cursor, incident_id: str, known: int, what: str) -> None:
    """Raise KanbanError if an incident has switched off more tenants than the caller knew.

    :param what: what is not done, or has to be looked at; the message begins with it.
    """
    since = switched_off(cursor, incident_id) - known
    if since > 0:
        raise KanbanError(
            "stopped_again",
            f"{what}: somebody stopped it again and switched {since:,} tenants off.",
            "Whoever is to put them back looks for what is open. The incident is open as before.",
            "Ask who stopped it, and why, before it is undone.",
        )


def refuse_while_at_work(lease: Mapping[str, Any] | None, incident_id: str, run_id: str | None) -> None:
    """Raise KanbanError if another run has the lease of an incident: what it records next would open another.

    :param lease: who holds it, as the ledger has it; None for nobody.
    """
    another = lease is not None and lease["incident_id"] == incident_id and lease["run_id"] != run_id
    if not lease or not another or lease["expires_in_seconds"] <= 0:
        return
    raise KanbanError(
        "lease_held",
        f"Incident {incident_id} is not closed: {lease['holder']} is at work on it since {lease['acquired_at']} "
        f"(last sign of life {lease['heartbeat_seconds_ago']} s ago).",
        "What that run switches or repairs next would be kept under another incident. It is open as before.",
        "Run the same command again once that has ended: without a sign of life the lease ends in "
        f"{lease['expires_in_seconds']} s.",
        lease=dict(lease),
    )


def is_closed(cursor: Cursor, incident_id: str) -> bool:
    """Return whether an incident is closed: asked after a batch was recorded, which waits for any closing."""
    return bool(cursor.row(queries.IS_CLOSED, {"incident": incident_id})[0])


def reopen_incident(cursor: Cursor, incident_id: str) -> str:
    """Open an incident again that was closed during a kill; return the message about it.

    Raises only if the connection is lost: this must not hold up a kill.
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
