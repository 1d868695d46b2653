# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry of ``affected_tenants_info``: the frozen list if there is one, else a ranking. Reads only."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _rankwords as words
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import APPLICATION, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import (
    FIGURES,
    ON_THE_WAY_SECONDS,
    RankRequest,
    of_now,
    since_switch,
    written_late,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranklook import (
    MissingErrors,
    find_frozen,
    find_logs,
    switched_ago,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankmake import Look
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import Ranking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ranking as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import find_target, known_tenants


def read_affected(login: Login, request: RankRequest) -> dict[str, Any]:
    """Return what ``affected_tenants_info`` shows; raises KanbanError."""
    started = time.monotonic()
    deadline = Deadline(request.deadline)
    session = open_session(login, APPLICATION, deadline)
    try:
        server = identify(session)
        warnings = list(server.warnings)
        if server.in_recovery and request.on_replica == "skip":
            result: dict[str, Any] = {
                "skipped": True,
                "skipped_reason": "This server is a replica; the primary is the one to act on.",
                "measured": False,
            }
        else:
            result = _look(Look(session, server, request, deadline, warnings))
    finally:
        session.close()
    nothing: dict[str, Any] = {
        **dict.fromkeys(FIGURES),
        "tenants": [],
        "frozen": False,
        "frozen_at": None,
        "gone": [],
        "now": None,
        "note": None,
        "doubt": None,
        "index_missing": None,
    }
    return {
        "changed": False,
        **nothing,
        **result,
        "database": server.as_result(),
        "warnings": warnings,
        "elapsed_ms": round((time.monotonic() - started) * 1000),
    }


def _look(look: Look) -> dict[str, Any]:
    """Return the frozen list, or a ranking."""
    with look.reading() as cursor:
        state, frozen = find_frozen(cursor, look.request, look.warnings)
    ledger = state.as_result()
    try:
        if look.request.frozen == "only":
            found = _beside_frozen(look, frozen) if frozen else {"measured": False, "why_not": "No list is frozen."}
        elif look.request.since_switch is not None:
            found = _since_switch(look, frozen)
        else:
            found = _beside_frozen(look, frozen) if frozen else look.ranked()
    except MissingErrors as error:
        if look.request.on_missing != "report":
            raise
        look.warnings.append(f"Not measured: {error.what} {error.why}")
        found = {"measured": False, "why_not": error.what}
    return {**found, "ledger": ledger}


def _beside_frozen(look: Look, frozen: dict[str, Any]) -> dict[str, Any]:
    """Return the frozen list with its present errors, and a ranking of now beside it; the list is valid without
    both."""
    listed = [tenant["tenant"] for tenant in frozen["tenants"]]
    now: dict[str, Any] | None = None
    gone: list[str] = []
    try:
        gone = _gone(look, listed)
        now = look.ranked(listed) if look.request.frozen != "only" else None
    except KanbanError as error:
        look.warnings.append(f"The list is frozen; what its errors are now could not be read: {error.what}")
    for tenant in frozen["tenants"]:
        tenant["errors_now"] = None if now is None else look.errors_listed.get(tenant["tenant"], 0)
    return {"measured": True, **frozen, "gone": gone, "now": None if now is None else of_now(now)}


def _gone(look: Look, listed: list[str]) -> list[str]:
    with look.reading() as cursor:
        known = known_tenants(cursor, find_target(cursor, look.request.flag), listed)
    return [tenant for tenant in listed if tenant not in known]


def _since_switch(look: Look, frozen: dict[str, Any] | None) -> dict[str, Any]:
    """Rank by the errors since the list was switched off, and say what speaks against that count."""
    seconds = None
    if frozen:
        with look.reading() as cursor:
            seconds = switched_ago(cursor, find_target(cursor, look.request.flag), frozen)
    look.request = since_switch(look.request, look.request.since_switch or 0.0 if seconds is None else seconds)
    found = look.ranked()
    late = None
    try:
        late = _late(look, frozen) if frozen and frozen["since"] and frozen["errors_total"] is not None else None
    except KanbanError as error:
        look.warnings.append(f"Whether a clock is behind could not be seen: {error.what}")
    if late:
        found["doubt"] = words.late(late)
    elif look.ahead > ON_THE_WAY_SECONDS:
        found["doubt"] = words.early(look.ahead)
    elif found["note"] and late is None and not look.errors_of_others:
        found["doubt"] = words.silent(found["note"])
    return found


def _late(look: Look, frozen: dict[str, Any]) -> int:
    with look.reading() as cursor:
        logs = find_logs(cursor, look.request)
        ranking = Ranking(logs, look.request.match, find_target(cursor, look.request.flag))
        values = {"zone": look.request.naive_timezone, **ranking.params}
        values |= {"ranked_since": frozen["since"], "ranked_window": frozen["window"]}
        now, since = cursor.row(ranking.format(queries.EARLIER), values)
        look.bound(cursor)
        earlier = cursor.row(ranking.format(queries.COUNT_EARLIER), {**values, "now": now, "since": since})
    return written_late(earlier[0], frozen)
