# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident_info`` does, from a login to a result."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerclosing as closing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerprogress as progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._affectedusers import UsersRequest, count_users
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import SOURCE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event, broken_links
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlook import taken_over_since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import LEASE, look_at_ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import count_latched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import directories, list_files

# The most incidents that one answer lists.
MOST_INCIDENTS = 10_000


def read_incidents(
    login: Login,
    incident_id: str | None,
    environment: str | None,
    events: int,
    state_dir: str | None,
    users: UsersRequest | None = None,
    incidents: int = 100,
    done: bool = False,
) -> dict[str, Any]:
    """Return what ``incident_info`` shows; raises KanbanError.

    :param users: how to count users, too; None to count none.
    :param incidents: how many to list at most.
    :param done: whether to read what was done in open incidents, too.
    """
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, environment)
        files = [str(path) for path in list_files(directories(state_dir))]
        result: dict[str, Any] = {
            "changed": False,
            "incidents": [],
            "more_incidents": False,
            "open": [],
            "left_off": [],
            "prior_files": files,
            "lease": None,
            "known_as": None,
            "kills": None,
            "stages": [],
            "validation": None,
            "failovers": [],
            "taken_over": None,
        }
        if facts.state.usable:
            with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                meant, read = _read(cursor, incident_id, events, incidents)
                result.update(read)
                if done:
                    result["done"] = progress.read_done(cursor)
            if not facts.server.in_recovery and meant:
                result["taken_over"] = taken_over_since(session, meant)
            if users is not None and incident_id:
                result.update(count_users(session, incident_id, users))
        return {**result, **facts.as_result()}
    finally:
        session.close()


def _shown(event: Event) -> dict[str, Any]:
    """Return an event as results show it; of a document only the name: its text may be long and has its own module."""
    names = ("run_id", "seq", "at", "phase", "source", "event", "data")
    shown = {name: getattr(event, name) for name in names}
    return {**shown, "data": {"name": event.data.get("name")}} if event.source == SOURCE else shown


def _read(cursor: Any, incident_id: str | None, events: int, most: int) -> tuple[str | None, dict[str, Any]]:
    """Return which incident is meant, if that is clear, and what the ledger has about it and about all."""
    most = max(1, min(most, MOST_INCIDENTS))
    canonical = ledger.find_incident(cursor, incident_id) if incident_id else None
    if incident_id and canonical is None:
        incidents = []
    else:
        incidents = ledger.list_incidents(cursor, canonical, limit=most + 1)
    result: dict[str, Any] = {
        "known_as": canonical,
        "incidents": incidents[:most],
        "more_incidents": len(incidents) > most,
        "open": ledger.list_incidents(cursor, only_open=True),
        "lease": ledger.read_lease(cursor, LEASE),
        "kills": ledger.count_kills(cursor),
    }
    closing.add_switched_off(cursor, result["open"])
    if not result["open"] and not incident_id:
        result["left_off"] = closing.left_off(cursor, result["incidents"])
    if canonical:
        chain = ledger.read_events(cursor, canonical, events)
        result["events"] = [_shown(event) for event, _hash in chain]
        result["chain_broken_at"] = broken_links(chain)
        result["stages"] = progress.read_stages(cursor, canonical)
        latched = zip(("latched_writes", "latched_tenants", "latched_passed"), count_latched(cursor, canonical))
        result.update(latched)
    # Without an id, people mean the only open incident.
    alone = result["open"][0]["incident_id"] if len(result["open"]) == 1 and not incident_id else canonical
    if alone:
        result["validation"] = progress.read_validation(cursor, alone)
        result["failovers"] = progress.read_failovers(cursor, alone)
    return alone, result
