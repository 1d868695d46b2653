# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry point of both flag modules: identify the server, then do what was requested."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import replace
from types import ModuleType
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._beforehand import plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencebeside import start_beside
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import Moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._feature_flag import Switch
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencewithkill import FenceWithKill
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import (
    SHOWN,
    Place,
    Request,
    count,
    global_default,
    look,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wal import position_of

_MOST_LACKING = 10_000


def change_flag(
    login: Login, request: Request, check_mode: bool, evidence_dir: str | None = None
) -> tuple[dict[str, Any], KanbanError | None]:
    """Do what ``feature_flag`` was asked to do; return its result and final error, if any. Raises KanbanError."""
    started = time.monotonic()
    wanted = evidence_dir if request.state == "disabled" and not check_mode else None
    who = request.who
    moment = Moment(who.incident_id, run_id=who.run_id, scenario=who.scenario or "")
    evidence = start_beside(login, moment, wanted, request.deadline)
    place = look(login, request, evidence.go)
    fence = FenceWithKill(request) if request.fence and request.state == "disabled" and not check_mode else None
    try:
        stage: dict[str, Any] = {}
        if request.tenants is not None or request.share is not None:
            # The default decides for everybody without a row, so it is not switched with some.
            request = replace(request, global_default=False)
        if request.share is not None and not place.server.in_recovery:
            request, stage = _back().narrowed(place, request)
        if place.server.in_recovery:
            result, error = _on_replica(place, request)
        elif request.state == "restored":
            result, error = _back().put_back(place, request, check_mode)
        elif request.state == "paused":
            result, error = _back().pause(place, request, check_mode)
        elif check_mode:
            result, error = plan(place, request), None
        else:
            switch = Switch(place, request, fence.beside if fence else None)
            error = switch.run()
            result = {**switch.result, "incident": switch.incident_result()}
    finally:
        place.close()
    named = {"list_id": list_id(request.tenants)}
    result = {**result, **stage, **named, **_common(place, started)}
    if fence:
        result.update(fence.after(login, result, time.monotonic() - started))
    return evidence.told(result), error


def _back() -> ModuleType:
    """Return what only an undo, a stage and a pause need: a kill would have to read and compile it, on each host."""
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _flagback  # noqa: PLC0415

    return _flagback


def list_id(tenants: Sequence[str] | None) -> str | None:
    """Return an id by which the same tenants are recognized in any order; None for all of them."""
    return None if tenants is None else hashlib.sha256("\n".join(sorted(set(tenants))).encode()).hexdigest()[:16]


def read_flag(login: Login, request: Request, names: int, share: float | None = None) -> dict[str, Any]:
    """Return what ``feature_flag_info`` shows; takes no row locks. Raises KanbanError.

    :param names: how many ids of tenants that are on to return.
    :param share: share of all tenants that would have to be on; if given, those lacking for it are returned.
    """
    started = time.monotonic()
    place = look(login, request)
    if place.ledger_state.reason:
        text = f"The ledger cannot be used, so whose it is was not compared: {place.ledger_state.reason}"
        place.warnings.append(text)
    try:
        with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            now = count(cursor, place)
            result = {
                "changed": False,
                "total": now.total,
                "enabled": now.on,
                "unreadable": now.unreadable_sample,
                "unreadable_count": now.unreadable,
                "without_row": now.without_row,
                "flag_values": place.rows.values(cursor, place.scope),
                "tenants_on": place.rows.named(cursor, place.scope, False, names) if names else [],
                "global_default": global_default(cursor, *place.meant),
            }
            if not place.server.in_recovery:
                result["position"] = position_of(cursor)
            if share is not None:
                lack = min(_MOST_LACKING, max(0, math.ceil(now.total * share) - now.on))
                result["tenants_lacking"] = place.rows.named(cursor, place.scope, True, lack) if lack else []
    finally:
        place.close()
    return {**result, **_common(place, started)}


def _on_replica(place: Place, request: Request) -> tuple[dict[str, Any], KanbanError | None]:
    """Report what a replica sees; it switches nothing."""
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        now = count(cursor, place)
    result = {
        "changed": False,
        "total": now.total,
        "enabled_before": now.on,
        "enabled_after": now.on,
        "changed_count": 0,
        "skipped": request.on_replica == "skip",
    }
    if request.on_replica == "skip":
        return {**result, "skipped_reason": "This server is a replica; the primary is the one to act on."}, None
    return result, ServerError(
        "read_only_server",
        f"{place.server.address} is a replica (in recovery), so it is read-only.",
        "A replica cannot switch anything off; nothing was changed here.",
        "Act on the primary: put it in the db group, or give its address in kanban_postgresql_host.",
    )


def _common(place: Place, started: float) -> dict[str, Any]:
    return {
        "flag": place.target.identity,
        "table": str(place.target.table),
        "database": {**place.server.as_result(), "ledger_environment": place.ledger_state.environment},
        "unknown_tenants": place.unknown[:SHOWN],
        "unknown_tenants_count": len(place.unknown),
        "warnings": place.warnings,
        "elapsed_ms": round((time.monotonic() - started) * 1000),
    }
