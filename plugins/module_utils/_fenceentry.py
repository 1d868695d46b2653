# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry point of both fence modules: identify the server, then do what was requested."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fence import Raising, try_canaries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencedrain import Drain, noted_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceinstall import install
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceledger import read_ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import View, read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelower import lower
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace, FenceRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplan import plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    Verdict,
    judge,
    left_out,
    lowered_status,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceresult import described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Found
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import LOOK_AGAIN_SECONDS, open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Login,
    Session,
)


def set_fence(login: Login, request: FenceRequest, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Do what ``write_fence`` was asked to do; return its result and final error, if any. Raises KanbanError."""
    started = time.monotonic()
    place = look(login, request)
    result: dict[str, Any]
    error: KanbanError | None
    try:
        if place.view.unresolved and (request.state == "dormant" or not place.view.found):
            raise place.view.unresolved[0][1]
        if place.server.in_recovery:
            result, error = _on_replica(place)
        elif check_mode:
            result, error = plan(place)
        elif request.state == "absent":
            result, error = lower(place)
        elif request.state == "dormant":
            result, error = install(place)
        else:
            result, error = Raising(place).run()
    finally:
        place.close()
    return {**result, **_common(place, started)}, error


def raise_at_once(kill: Place, session: Session, request: FenceRequest) -> tuple[dict[str, Any], bool]:
    """Raise what nobody blocks, on a session that waits for nothing meanwhile; return as ``Raising.at_once`` does.

    A table that the kill still writes is not fenced before it, nor is any other: they would be raised for nothing.

    :param kill: the flag's database as the kill has found it.
    """
    deadline = Deadline(request.deadline)
    with session.transaction(deadline.slice(READ_SECONDS), mode="READ ONLY") as cursor:
        view = read_view(cursor, request.tables)
    if kill.server.in_recovery or any(kill.target.table.oid in found.oids for found in view.found):
        return {}, False
    place = FencePlace(kill.login, kill.server, kill.ledger_state, view, request, deadline, _session=session)
    try:
        return Raising(place).at_once()
    finally:
        place.watcher.close()
        if place.session() is not session:
            place.close()


def read_fence(login: Login, request: FenceRequest) -> dict[str, Any]:
    """Return what ``write_fence_info`` shows; raises KanbanError."""
    started = time.monotonic()
    place = look(login, request)
    try:
        if place.view.unresolved:
            raise place.view.unresolved[0][1]
        result = _now(place, prove=request.prove and not place.server.in_recovery)
    finally:
        place.close()
    return {**result, "changed": False, **_common(place, started)}


def look(login: Login, request: FenceRequest) -> FencePlace:
    """Find out everything needed, read-only and without any table lock; raises BadInput or ServerError."""
    deadline = Deadline(request.deadline)
    while True:
        try:
            return _look(login, request, deadline)
        except LostConnection:
            if deadline.over:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)


def _look(login: Login, request: FenceRequest, deadline: Deadline) -> FencePlace:
    session = open_session(login, APPLICATION, deadline)
    server = identify(session, deadline.slice(5.0, 1.0))
    state = read_ledger(session, request.environment)
    with session.transaction(deadline.slice(READ_SECONDS, 1.0), mode="READ ONLY") as cursor:
        view = read_view(cursor, request.tables)
    return FencePlace(login, server, state, view, request, deadline, list(server.warnings), _session=session)


def _now(place: FencePlace, prove: bool) -> dict[str, Any]:
    tried, problems = try_canaries(place) if prove else (None, {})
    drain = Drain(place, set(), set())
    if not place.server.in_recovery:
        drain.wait(0)
    verdicts = {}
    for found in place.view.found:
        if found.raised:
            verdicts[found.asked] = judge(found, tried, problems, bool(drain.of(found)))
        else:
            verdicts[found.asked] = _asleep(found, place.view)
    if place.request.tables is not None:
        verdicts = left_out(verdicts)
    raised = [fence for found in place.view.found for fence in found.raised]
    end = noted_end(raised) if raised and all(fence.drained for fence in raised) else None
    return described(place, verdicts, drain.left, end)


def _asleep(found: Found, view: View) -> Verdict:
    """Judge a fence that is not raised, so that gaps, for instance a later partition, are found before it is needed."""
    gaps = found.gaps()
    status = lowered_status(found, False)
    strange = [fence for fence in found.fences if fence.triggers and not view.may_run("fence_raise", fence)]
    if strange and status != "absent":
        what = f"The dormant fence belongs to {strange[0].owner}, who did not let {view.role} raise it."
        return Verdict("not_fenced", what, "missing_privilege")
    if status == "absent" or not gaps:
        return Verdict(status)
    where = ", ".join(str(gap) for gap in gaps[:3])
    return Verdict("not_fenced", f"The dormant fence does not refuse all of what is asked on {where}.")


def _on_replica(place: FencePlace) -> tuple[dict[str, Any], KanbanError | None]:
    """Report what a replica sees; it raises nothing."""
    skip = place.request.on_replica == "skip"
    result = {**_now(place, prove=False), "changed": False, "skipped": skip}
    if skip:
        return {**result, "skipped_reason": "This server is a replica; the primary is the one to act on."}, None
    return result, ServerError(
        "read_only_server",
        f"{place.server.address} is a replica (in recovery), so it is read-only.",
        "The fence is raised on the primary and arrives here by itself; nothing was changed here.",
        "Act on the primary: put it in the db group, or give its address in kanban_postgresql_host.",
    )


def _common(place: FencePlace, started: float) -> dict[str, Any]:
    return {
        "database": {**place.server.as_result(), "ledger_environment": place.ledger_state.environment},
        "warnings": place.warnings,
        "elapsed_ms": round((time.monotonic() - started) * 1000),
    }
