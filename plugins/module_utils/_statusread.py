# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``status_info`` does: look at one database within a deadline, and write nothing.

What could not be read is listed with the reason; the other parts are still returned.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, TypeVar

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledgerclosing as closing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server, identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import EVENT, SOURCE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import read_fences
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import is_dormant, latch_holder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchparts import names_of, stands
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState, refuse_foreign
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import global_default, rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import directories, in_force
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import documents as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import find_target

_Read = TypeVar("_Read")
# What is returned of a rehearsal's timings, which docs/report.md describes; and of how many incidents they are read.
_REHEARSAL = ("incident_id", "began", "scenario", "environment", "version", "green")
_MOST_TIMINGS = 1000


@dataclass(frozen=True)
class StatusRequest:
    """What is asked; the fields are the options of ``status_info``."""

    flag: Flag
    environment: str | None = None
    version: str = ""
    state_dir: str | None = None
    deadline: float = 3.0


def read_status(login: Login, request: StatusRequest) -> dict[str, Any]:
    """Return what ``status_info`` shows; raises KanbanError if the server cannot be asked at all."""
    deadline = Deadline(request.deadline)
    bounded = replace(login, not_after=time.monotonic() + request.deadline)
    session = open_session(bounded, APPLICATION, deadline)
    try:
        server = identify(session, deadline.slice(request.deadline))
        look = _Look(session, server, request, deadline)
        state = look.part("ledger", look.ledger) or LedgerState(present=True, usable=False, creatable=False)
        target = look.part("feature", lambda cursor: find_target(cursor, request.flag, writing=False))
        feature = look.feature(target, state.present) if target else {}
        result = {**look.incidents(state), "fence": look.part("fence", _fence)}
        # Last, because it may take long.
        feature.update(look.count(target) if target else {})
    finally:
        session.close()
    return {
        "changed": False,
        "features": [feature] if feature else [],
        **result,
        "unknown": look.unknown,
        "ledger": state.as_result(),
        "database": server.as_result(),
        "elapsed_ms": deadline.elapsed_ms,
    }


@dataclass
class _Look:
    """One look at one database; ``unknown`` lists what could not be read, and why."""

    session: Session
    server: Server
    request: StatusRequest
    deadline: Deadline
    unknown: list[dict[str, str]] = field(default_factory=list)

    def part(self, what: str, read: Callable[[Cursor], _Read]) -> _Read | None:
        """Return what was read in a transaction of its own; None, and a reason in ``unknown``, if that failed."""
        try:
            with self.session.transaction(self.deadline.slice(self.request.deadline), mode="READ ONLY") as cursor:
                return read(cursor)
        except KanbanError as error:
            told = error.told()
            if isinstance(error, LostConnection) and self.deadline.over:
                told["what"] = f"No complete answer within {self.request.deadline:g} s."
            self.unknown.append({"part": what, **told})
            return None

    def ledger(self, cursor: Cursor) -> LedgerState:
        """Return the ledger's state; raises KanbanError for one whose incidents must not or cannot be read."""
        state = ledger.ledger_state(cursor)
        ledger.check_environment(state, self.request.environment)
        ledger.check_version(state)
        refuse_foreign(state)
        if state.present and not state.usable:
            raise ServerError(
                "missing_privilege",
                f"The role {self.server.user} may not read the ledger.",
                "It is not known which incidents are open.",
                "Run bootstrap.yml as the ledger's owner: it grants the role what it needs.",
            )
        return state

    def feature(self, target: Target, has_schema: bool) -> dict[str, Any]:
        """Return the flag's name, its guard, and stops that no ledger has recorded."""
        return {
            "name": target.identity,
            "guard": self.part("guard", lambda cursor: _guard(cursor, target, has_schema)),
            "unrecorded": [
                {"incident_id": left.incident_id, "path": str(left.path), "age_seconds": round(time.time() - left.at)}
                for left in in_force(directories(self.request.state_dir), self.server.cluster, target.identity)
            ],
        }

    def count(self, target: Target) -> dict[str, Any]:
        """Return how many tenants there are and how many have the feature; None where they could not be counted."""
        found = self.part("feature", lambda cursor: _count(cursor, target))
        return found or dict.fromkeys(("total", "enabled", "unreadable_count", "global_default"))

    def incidents(self, state: LedgerState) -> dict[str, Any]:
        """Return open incidents, leases and the last green rehearsal of this version; none without a ledger."""
        nothing: dict[str, Any] = {"incidents": [], "leases": [], "last_rehearsal": None}
        if not state.usable:
            return nothing
        return {**nothing, **(self.part("ledger", self._incidents) or {}), **(self.part("rehearsal", self._last) or {})}

    def _incidents(self, cursor: Cursor) -> dict[str, Any]:
        found = ledger.list_incidents(cursor, only_open=True)
        closing.add_switched_off(cursor, found)
        leases = [(name, ledger.read_lease(cursor, name)) for name in (ledger.LEASE, ledger.WORK)]
        held = [{"name": name, **lease} for name, lease in leases if lease and lease["expires_in_seconds"] > 0]
        return {"incidents": found, "leases": held}

    def _last(self, cursor: Cursor) -> dict[str, Any]:
        values = {"source": SOURCE, "event": EVENT, "name": "timings.json", "limit": _MOST_TIMINGS}
        found = [_rehearsal(text) for _incident, text in cursor.rows(queries.OF_ALL, values)]
        found = [one for one in found if one.get("version") == self.request.version]
        return {"last_rehearsal": max(found, key=lambda one: str(one["began"]), default=None)}


def _rehearsal(text: str) -> dict[str, Any]:
    """Return what timings say about a green rehearsal; nothing of any other incident."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    is_one = isinstance(found, dict) and found.get("rehearsal") is True and found.get("green") is True
    return {name: found.get(name) for name in _REHEARSAL} if is_one and found.get("began") else {}


def _fence(cursor: Cursor) -> dict[str, Any]:
    """Return the fence over all tables that have one; whether it refuses writes would take a canary."""
    fences = read_fences(cursor)
    raised = [fence for fence in fences if fence.raised]
    return {
        "status": "up" if raised else "dormant" if fences else "absent",
        "incident_id": raised[0].holder if raised else None,
        "raised_at": max((str(fence.state.get("raised_at")) for fence in raised), default=None),
        "drained": all(fence.drained for fence in raised) if raised else None,
        "tables": len({root for fence in fences for root in fence.roots}),
        "tables_raised": len({root for fence in raised for root in fence.roots}),
    }


def _guard(cursor: Cursor, target: Target, has_schema: bool) -> dict[str, Any]:
    """Return the guard's status: ``up``, ``not_firing`` (its trigger is missing), ``dormant`` or ``absent``."""
    if not has_schema:
        return {"status": "absent", "incident_id": None}
    names = names_of(target)
    holder = latch_holder(cursor, target)[0]
    if holder:
        status = "up" if stands(cursor, target, names) else "not_firing"
    else:
        status = "dormant" if is_dormant(cursor, names) else "absent"
    return {"status": status, "incident_id": holder}


def _count(cursor: Cursor, target: Target) -> dict[str, Any]:
    now = rows_of(target).count(cursor, Scope())
    unreadable = {"unreadable_count": now.unreadable, "global_default": global_default(cursor, target)}
    return {"total": now.total, "enabled": now.on, **unreadable}
