# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``incident`` does, from a login and a request to a result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerclosing as closing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server, identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import lower_latches
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchclosing import let_pass
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Login,
    Session,
)

LEASE, WORK = ledger.LEASE, ledger.WORK
_LEASE_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class IncidentRequest:
    """What is asked of an incident; the fields are the options of ``incident``."""

    who: ledger.Who
    state: str
    adopt: bool = False
    aliases: Sequence[str] = ()
    event: Mapping[str, Any] | None = None
    lease: str | None = None
    lease_seconds: float = 60.0
    lease_by_force: bool = False
    lease_wait: float = 0.0
    latch: str | None = None
    switched_off: int | None = None
    deadline: float = READ_SECONDS

    @property
    def is_guarded(self) -> bool:
        """Whether it is refused after a later stop, for which the writers under it are read."""
        return self.switched_off is not None and (self.state == "closed" or self.latch is not None)


@dataclass
class Facts:
    """The server, and the state of its ledger."""

    server: Server
    state: LedgerState
    warnings: list[str] = field(default_factory=list)

    def as_result(self) -> dict[str, Any]:
        """Return the parts of a result that all modules of the ledger have in common."""
        return {
            "database": {**self.server.as_result(), "ledger_environment": self.state.environment},
            "ledger": self.state.as_result(),
            "warnings": self.warnings,
        }


def look_at_ledger(session: Session, environment: str | None) -> Facts:
    """Read the state of server and ledger; raises BadInput for another environment's ledger."""
    server = identify(session)
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        state = ledger.ledger_state(cursor)
    ledger.check_environment(state, environment)
    ledger.check_version(state)
    warnings = [f"The ledger is not used: {state.reason}."] if state.reason else []
    return Facts(server, state, [*server.warnings, *warnings])


def refuse_replica(server: Server) -> None:
    """Raise ServerError on a server that takes no writes."""
    if server.in_recovery:
        raise ServerError(
            "read_only_server",
            f"{server.address} is a replica (in recovery), so it is read-only.",
            "The ledger is written on the primary and arrives here by itself. Nothing was changed.",
            "Act on the primary.",
        )


def unknown_incident(incident_id: str) -> KanbanError:
    """Return the error for something to be kept of an incident that this ledger does not know."""
    return KanbanError(
        "unknown_incident",
        f"This database has no ledger that knows {incident_id!r}.",
        "What was to be kept lies on this controller alone. Nothing was kept here.",
        "Keep it in the ledger of the database that the incident is of.",
    )


def set_incident(login: Login, request: IncidentRequest, check_mode: bool) -> dict[str, Any]:
    """Open, find, append to or close an incident, and hold its lease; raises KanbanError."""
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, request.who.environment)
        refuse_replica(facts.server)
        if check_mode:
            return {"changed": False, "incident_id": request.who.incident_id, **facts.as_result()}
        if request.is_guarded:
            changed, result = _patiently(session, request)
        else:
            changed, result = _in_turn(session, request)
        if request.state == "closed" or request.latch == "lowered":
            result["latch_left"] = _latch_left(session, request, result["incident_id"])
            _look_again(session, request, result["incident_id"])
        return {**result, "changed": result["changed"] or changed, **facts.as_result()}
    finally:
        session.close()


def _latch_left(session: Session, request: IncidentRequest, incident_id: str) -> list[str]:
    """Lower what is up and drop what was made on demand; return what stayed."""
    try:
        return lower_latches(session, incident_id=incident_id)
    except ServerError as error:
        if request.state != "closed":
            raise
        return [error.what]  # Closing has made them let everything pass, so this keeps nobody off.


def _look_again(session: Session, request: IncidentRequest, incident_id: str) -> None:
    """Raise KanbanError if it was stopped again while its latch was lowered, which may then be the new stop's."""
    if request.state == "closed" or request.switched_off is None:
        return  # A closed incident's latch is another's from the moment of its closing on.
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        what = f"The latch of {incident_id} was lowered in the same moment"
        closing.refuse_if_stopped(cursor, incident_id, request.switched_off, what)


def _patiently(session: Session, request: IncidentRequest) -> tuple[bool, dict[str, Any]]:
    """Close the incident, or begin to lower its latch, as soon as nobody writes under it, without blocking anybody."""
    give_up_at = time.monotonic() + closing.TRY_SECONDS
    while True:
        try:
            with session.transaction(request.deadline, settings=closing.SETTINGS) as cursor:
                changed = ledger.make_ledger(cursor, request.who.environment)
                return changed, _in_ledger(cursor, request)
        except Timeout as error:
            if time.monotonic() > give_up_at:
                raise KanbanError(
                    "busy",
                    f"Incident {request.who.incident_id} is as before: somebody writes under it, and has for "
                    f"{closing.TRY_SECONDS:g} s. {error.what}",
                    "A stop, a repair or a restore may be under way. It is open as before.",
                    "Run the same command again once that has ended.",
                ) from error
            time.sleep(closing.PAUSE_SECONDS)


def _in_turn(session: Session, request: IncidentRequest) -> tuple[bool, dict[str, Any]]:
    """Act as soon as the lease is free, if it is that of another run of the same operator, which may be dead."""
    give_up_at = time.monotonic() + request.lease_wait
    while True:
        try:
            with session.transaction(request.deadline) as cursor:
                changed = ledger.make_ledger(cursor, request.who.environment)
                return changed, _in_ledger(cursor, request)
        except KanbanError as error:
            lease = error.details.get("lease")
            own = isinstance(lease, dict) and lease.get("holder") == request.who.operator
            if not own or time.monotonic() > give_up_at:
                raise
            time.sleep(_LEASE_PAUSE_SECONDS)


def _in_ledger(cursor: Any, request: IncidentRequest) -> dict[str, Any]:
    who = request.who
    # A lease takes the incident as it is, closed or not: opening X again for it would hide the priors of X.
    # So does the end of a return.
    as_it_is = request.state == "closed" or request.lease or request.latch
    found = ledger.find_incident(cursor, who.incident_id) if as_it_is else None
    if request.state == "closed" or found:
        if found is None:
            raise _unknown(cursor, who.incident_id)
        incident, opened, before = found, False, []
    else:
        joined = ledger.join_incident(cursor, who, request.adopt)
        incident, opened, before = joined.incident_id, joined.opened_now, joined.open_before
    changed, recorded = opened, None
    for alias in request.aliases:
        changed = ledger.add_alias(cursor, alias, incident) or changed
    if request.lease == "held":
        known = ledger.Who(incident, who.run_id, operator=who.operator)
        ledger.take_lease(cursor, LEASE, known, request.lease_seconds, request.lease_by_force)
        changed = True
    elif request.lease == "released":
        changed = ledger.drop_lease(cursor, LEASE, who.run_id) or changed
    if request.event:
        data = request.event.get("data") or {}
        ledger.add_event(cursor, incident, who.run_id, request.event["phase"], "incident", request.event["event"], data)
        changed, recorded = True, request.event["event"]
    if request.state == "closed":
        if not request.lease_by_force:
            closing.refuse_while_at_work(ledger.read_lease(cursor, LEASE), incident, who.run_id)
        changed = closing.close_incident(cursor, incident, who.operator, request.switched_off) or changed
        let_pass(cursor, incident)
    elif request.latch and request.switched_off is not None:
        closing.lock_incident(cursor, incident)
        what = f"The latch of {incident} is not lowered"
        closing.refuse_if_stopped(cursor, incident, request.switched_off, what)
    kills = ledger.count_kills(cursor)
    told = {"event": recorded} if recorded else {}
    names = [name for row in ledger.list_incidents(cursor, incident) for name in dict.fromkeys(ids_of(row))]
    return {
        "changed": changed,
        "incident_id": incident,
        "opened_now": opened,
        "open_before": before,
        "names": names,
        "kills": kills,
        **told,
    }


def _unknown(cursor: Any, incident_id: str) -> BadInput:
    known = [row["incident_id"] for row in ledger.list_incidents(cursor, limit=10)]
    return BadInput(
        "unknown_incident",
        f"The ledger has no incident {incident_id!r}.",
        "What is not there cannot be closed. Nothing was changed.",
        f"The newest are {known}.",
        known_incidents=known,
    )
