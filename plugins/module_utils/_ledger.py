# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: made once, asked on each run, and never in the way of containment."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgernames as naming
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState, refuse_foreign
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change, Left
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import files, progress, quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledgerstate import STATE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._turns import take_turn

# The run goes on without a ledger that does not answer within this time.
LEDGER_SECONDS = 3.0
# A run's lease, and beside it the lease of the one module at work.
LEASE, WORK = "recovery", "recovery work"


def ledger_state(cursor: Cursor) -> LedgerState:
    """Return the state of the ledger; raises ServerError."""
    table, creatable, usable, foreign, stranger, logs_in = cursor.row(STATE, {})
    state = LedgerState(bool(table), False, creatable, stranger=stranger, stranger_logs_in=logs_in)
    if foreign:
        # A look into it could already run the code of whoever put it there.
        return replace(state, present=True, creatable=False, reason=foreign, foreign=True)
    if not table or not usable:
        return state
    meta = dict(cursor.rows(queries.META, {}))
    version = meta.get("version", "")
    number = int(version) if version.isdecimal() else None
    return replace(state, usable=True, version=number, environment=meta.get("environment"))


def check_environment(state: LedgerState, environment: str | None) -> None:
    """Refuse another environment's ledger, the only refusal that containment makes; raises BadInput."""
    if environment and state.environment and state.environment != environment:
        raise BadInput(
            "other_environment",
            f"This database's ledger belongs to environment {state.environment!r}, you are acting on {environment!r}.",
            "It is the wrong database, or the wrong inventory; nothing was changed.",
            "Check -i and kanban_environment; the first lines of the run name cluster and database.",
            ledger_environment=state.environment,
        )


def check_version(state: LedgerState) -> None:
    """Refuse a ledger that this collection does not know how to write; raises BadInput."""
    if state.usable and state.version != queries.VERSION:
        raise BadInput(
            "newer_ledger",
            f"The ledger has version {state.version}, this collection knows {queries.VERSION}.",
            "A newer collection made it; writing into it could spoil its records. Nothing was changed.",
            "Use that newer chatia.kanban_rollback.",
        )


def is_marked(state: LedgerState, environment: str | None) -> bool:
    """Tell whether there is a ledger to use that has its environment, if it is to have one."""
    return state.usable and bool(state.environment or not environment)


def make_ledger(cursor: Cursor, environment: str | None) -> bool:
    """Make the ledger unless it exists, mark its environment; return whether that changed it. Raises ServerError."""
    take_turn(cursor, queries.LOCK)
    state = ledger_state(cursor)
    refuse_foreign(state)
    check_environment(state, environment)
    if is_marked(state, environment):
        return False
    if not state.usable:
        cursor.run(queries.CREATE, {})
        cursor.run(quarantine.CREATE, {})
        cursor.run(files.CREATE, {})
        cursor.run(progress.MAKE_ROOM, {})
        cursor.run(queries.SET_META, {"key": "version", "value": str(queries.VERSION)})
    if environment:
        cursor.run(queries.SET_META, {"key": "environment", "value": environment})
    return True


@dataclass(frozen=True)
class Who:
    """An incident and the run that acts on it; all fields are free text."""

    incident_id: str
    run_id: str
    scenario: str | None = None
    operator: str | None = None
    reason: str | None = None
    environment: str | None = None


@dataclass(frozen=True)
class Joined:
    """The incident that the ledger knows for the given id; ``adopted``: that id is new to it.

    ``unnamed``: why it could not note that id; it is the same incident anyway, but nobody finds it by that id.
    ``left``: what it goes on with, of a run that could not open it.
    """

    incident_id: str
    opened_now: bool
    open_before: list[dict[str, Any]]
    adopted: bool = False
    unnamed: ServerError | None = None
    left: Left | None = None


def join_incident(cursor: Cursor, who: Who, adopt: bool, left: Sequence[Left] = ()) -> Joined:
    """Open the incident, or find it again. Never refuses: a closed incident's id gets a number for a new incident.

    :param adopt: the id was made by the controller, not given by a person: then an incident that is already open is
        the same one, and the new id becomes its alias.
    :param left: what incidents left that could not be opened when they began: with ``adopt``, the first of them that
        was not closed since is continued if none is open.
    """
    take_turn(cursor, queries.LOCK)  # Two controllers that start at once should not open two incidents.
    joined = foresee_incident(cursor, who, adopt, left)
    if joined.opened_now:
        cursor.run(queries.OPEN_INCIDENT, {**vars(who), "incident": joined.incident_id})
    if joined.adopted:
        try:
            with cursor.savepoint():
                cursor.run(queries.ADD_ALIAS, {"alias": who.incident_id, "incident": joined.incident_id})
        except ServerError as error:
            # A second incident beside the open one would split what was kept, and its undo with it.
            return replace(joined, unnamed=error)
    return joined


def foresee_incident(cursor: Cursor, who: Who, adopt: bool, left: Sequence[Left] = ()) -> Joined:
    """Return what ``join_incident`` would return, and change nothing."""
    is_open = list_incidents(cursor, only_open=True)
    found = cursor.rows(queries.CANONICAL, {"incident": who.incident_id})
    if found and not found[0][1]:
        return Joined(found[0][0], False, is_open)
    if adopt and is_open:
        return Joined(is_open[0]["incident_id"], False, is_open, adopted=True)
    found_left = naming.continued(cursor, left) if adopt else None
    if found_left:
        goes_on, name = found_left
        return Joined(name, True, is_open, adopted=goes_on.incident_id != who.incident_id, left=goes_on)
    *_older, (name, closed) = naming.namesakes(cursor, who.incident_id)
    return Joined(name, closed is None, is_open)


def list_incidents(
    cursor: Cursor, incident_id: str | None = None, only_open: bool = False, limit: int = 100
) -> list[dict[str, Any]]:
    """Return incidents, newest first, as the modules' results show them."""
    names = ("incident_id", "scenario", "environment", "operator", "reason", "opened_at", "closed_at")
    values = {"incident": incident_id, "only_open": only_open, "limit": limit}
    found = cursor.rows(queries.INCIDENTS, values)
    asked = naming.opened_as(cursor, [row[0] for row in found])
    return [
        {
            **dict(zip(names, row[:7])),
            "age_seconds": round(row[7]),
            "aliases": row[8],
            "opened_as": asked.get(row[0], row[0]),
        }
        for row in found
    ]


def find_incident(cursor: Cursor, incident_id: str) -> str | None:
    """Return the incident that an id or alias means, the newest of that name; None if the ledger has none."""
    there = naming.known_as(cursor, incident_id)
    return there[-1] if there else None


def add_event(
    cursor: Cursor, incident_id: str, run_id: str, phase: str, source: str, event: str, data: Mapping[str, Any]
) -> Event:
    """Append one event to its chain, in the caller's transaction; raises ServerError."""
    key = {"incident": incident_id, "run": run_id}
    cursor.run(queries.LOCK_CHAIN, key)
    at, last, previous = cursor.row(queries.LAST_EVENT, key)
    made = Event(incident_id, run_id, last + 1, at, phase, source, event, data, previous)
    cursor.run(
        queries.ADD_EVENT,
        {
            **key,
            "seq": made.seq,
            "at": at,
            "phase": phase,
            "source": source,
            "event": event,
            "data": json.dumps(data),
            "previous": previous,
            "hash": made.hash,
        },
    )
    return made


def read_events(cursor: Cursor, incident_id: str, limit: int) -> list[tuple[Event, str]]:
    """Return an incident's events with their stored hashes, oldest first."""
    rows = cursor.rows(queries.EVENTS, {"incident": incident_id, "limit": limit})
    return [
        (Event(incident, run, seq, at, phase, source, event, json.loads(data), previous), stored)
        for incident, run, seq, at, phase, source, event, data, previous, stored in rows
    ]


def count_kills(cursor: Cursor) -> int:
    """Return how many kills this ledger has recorded over all incidents: if it grows, the feature was stopped."""
    return int(cursor.row(queries.KILLS, {})[0])


def switched_ago(cursor: Cursor, incident_id: str, flag: str, tenants: Sequence[str] | None = None) -> float | None:
    """Return the seconds, by the server's clock, since an incident last switched one of these (or anybody) off."""
    values = {"incident": incident_id, "flag": flag, "tenants": None if tenants is None else list(tenants)}
    ago: float | None = cursor.row(queries.SWITCHED_AGO, values)[0]
    return ago


def add_change(cursor: Cursor, incident_id: str, run_id: str | None, flag: str, change: Change) -> None:
    """Record one batch of switched tenants, in the transaction that switches them; raises ServerError."""
    cursor.run(queries.ADD_CHANGE, {"incident": incident_id, "run": run_id, "flag": flag, **vars(change)})


def add_alias(cursor: Cursor, alias: str, incident_id: str) -> bool:
    """Make an id an alias of an incident, unless it means one already; return whether that is new."""
    if find_incident(cursor, alias) is not None:
        return False
    cursor.run(queries.ADD_ALIAS, {"alias": alias, "incident": incident_id})
    return cursor.rowcount > 0


def read_lease(cursor: Cursor, name: str) -> dict[str, Any] | None:
    """Return a lease's holder, since when and for how much longer; None without one."""
    found = cursor.rows(queries.LEASE, {"name": name})
    if not found:
        return None
    incident, holder, run, since, heartbeat, left = found[0]
    return {
        "incident_id": incident,
        "holder": holder,
        "run_id": run,
        "acquired_at": since,
        "heartbeat_seconds_ago": round(heartbeat),
        "expires_in_seconds": round(left),
    }


def take_lease(cursor: Cursor, name: str, who: Who, seconds: float, by_force: bool) -> None:
    """Take the lease of single-flight work, or renew this run's own; raises KanbanError naming the holder."""
    values = {
        "name": name,
        "incident": who.incident_id,
        "holder": who.operator or "unknown",
        "run": who.run_id,
        "seconds": seconds,
        "by_force": by_force,
    }
    if cursor.rows(queries.TAKE_LEASE, values):
        return
    lease = read_lease(cursor, name) or {}
    raise KanbanError(
        "lease_held",
        f"{lease.get('holder')} is at work on {lease.get('incident_id')} since {lease.get('acquired_at')} "
        f"(last sign of life {lease.get('heartbeat_seconds_ago')} s ago).",
        "Two repairs or re-enables at once could undo each other.",
        f"Wait: without a sign of life the lease ends in {lease.get('expires_in_seconds')} s. To take it now: "
        "-e '{kanban_break_glass: {what: [lease], reason: ...}}'.",
        lease=lease,
    )


def renew_lease(cursor: Cursor, name: str, run_id: str, seconds: float) -> dict[str, Any]:
    """Renew this run's lease, an expired one too; return whether it is ``held``, and ``why`` it is not."""
    cursor.run(queries.RENEW_LEASE, {"name": name, "run": run_id, "seconds": seconds})
    if cursor.rowcount > 0:
        return {"held": True, "why": ""}
    lease = read_lease(cursor, name)
    taken = f"{lease['holder']} has it since {lease['acquired_at']}" if lease else "somebody gave it back"
    return {"held": False, "why": f"The lease is no longer this run's: {taken}."}


def drop_lease(cursor: Cursor, name: str, run_id: str) -> bool:
    """Release the lease if it is this run's; return whether it was."""
    cursor.run(queries.DROP_LEASE, {"name": name, "run": run_id})
    return cursor.rowcount > 0
