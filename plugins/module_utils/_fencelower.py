# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lowering the fence: everything passes at once; what was made on demand is dropped when the tables are free."""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fence import refresh
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencehelpers import drop_helpers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceledger import names_of, record
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import (
    FencePlace,
    call,
    pass_ddl_guards,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    Verdict,
    failure,
    lowered_status,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceresult import described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import ON_DEMAND, Fence, Found, Trigger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fenceddl as ddl
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._turns import take_turn


def meant(place: FencePlace) -> list[Fence]:
    """Return the fences that are meant: those of the requested tables, or all."""
    if place.request.tables is None:
        return list(place.view.fences)
    return list({fence.name: fence for found in place.view.found for fence in found.fences}.values())


def to_lower(place: FencePlace) -> tuple[list[Fence], list[Fence], list[str]]:
    """Return the fences that may be lowered, those of other incidents, and the names of this incident."""
    request, fences = place.request, meant(place)
    ours = [request.incident_id or ""]
    if any(fence.holder not in (None, *ours) for fence in fences) and not request.force:
        ours = names_of(place, ours[0])
    strange = [fence for fence in fences if fence.holders and not {*fence.holders} & {*ours} and not request.force]
    return [fence for fence in fences if fence not in strange], strange, ours


def to_remove(place: FencePlace, fences: Sequence[Fence]) -> list[Fence]:
    """Return which of these are removed when they are lowered."""
    return [fence for fence in fences if place.request.purge or fence.kind == ON_DEMAND]


def lower(place: FencePlace) -> tuple[dict[str, Any], KanbanError | None]:
    """Lower, then remove what is not to stay; return the result and the error, if any. Raises ServerError."""
    request, before = place.request, list(place.view.found)
    ours, _strange, names = to_lower(place)
    view = place.view
    was_raised = [fence for fence in ours if fence.holder or fence.body != "dormant"]
    asked = {"incidents": names, "force": request.force}
    done: list[tuple[str, str]] = []
    problems: dict[str, KanbanError] = {}
    if was_raised:
        done, problems = place.insist(
            "kanban_rollback", lambda cursor: call(cursor, view, "fence_lower", was_raised, asked)
        )
    lowered = [name for name, how in done if how == "lowered"]
    kept = {name for name, how in done if how != "lowered"}
    going = [fence for fence in to_remove(place, ours) if fence.name not in problems and fence.name not in kept]
    removed, left_behind = remove(place, going)
    refresh(place)
    gone, problem = drop_helpers(place) if request.purge and not place.view.fences else (False, None)
    left_behind += [problem] if problem else []
    if removed or gone:
        _drop_schema(place)
    verdicts = {found.asked: _verdict(place, found, lowered, problems) for found in before}
    for entry, error in view.unresolved:
        verdicts[entry.name] = Verdict("absent", error.what, error.code)
    if lowered or removed:
        record(place, "fence_lowered", {"fences": lowered, "removed": removed, "left_behind": left_behind})
    if left_behind:
        place.warnings.append(f"Left behind, letting everything pass: {'; '.join(left_behind)}")
    # Tables whose fence is gone are reported as well, from what was there before.
    place.view.found, place.view.unresolved = _merged(before, place.view.found), view.unresolved
    result = {
        **described(place, verdicts, [], None),
        "changed": bool(done or removed or gone),
        "left_behind": left_behind,
        "terminated": [blocker.as_result() for blocker in place.patience.terminated],
    }
    # That a fence could not be lowered does not make it another incident's.
    still = [fence for fence in meant(place) if fence.raised and fence.name not in problems]
    return result, _error(verdicts, still, left_behind if request.purge else [])


def _merged(before: Sequence[Found], now: Sequence[Found]) -> list[Found]:
    there = {found.table.oid: found for found in now}
    for found in before:
        found.fences = there[found.table.oid].fences if found.table.oid in there else []
    return list(before)


def _verdict(place: FencePlace, found: Found, lowered: Sequence[str], problems: dict[str, KanbanError]) -> Verdict:
    failed = [problems[fence.name] for fence in found.fences if fence.name in problems]
    if failed:
        return Verdict("unproven", failed[0].what, failed[0].code)
    now = {fence.name: fence for fence in place.view.fences}
    kept = [now[fence.name] for fence in found.fences if fence.name in now and now[fence.name].raised]
    if kept:
        what = f"It is up for incident {', '.join(kept[0].holders)} and is kept."
        return Verdict("unproven", what, "other_incident")
    was_raised = any(fence.name in lowered for fence in found.fences)
    there = [now[fence.name] for fence in found.fences if fence.name in now]
    found = Found(found.asked, found.table, found.scope, fences=there)
    return Verdict(lowered_status(found, was_raised))


def _error(verdicts: dict[str, Verdict], strange: Sequence[Fence], left_behind: Sequence[str]) -> KanbanError | None:
    if strange:
        names = sorted({name for fence in strange for name in fence.holders})
        return ServerError(
            "other_incident",
            f"The fence of {len(strange)} tables is up for another incident: {', '.join(names)}.",
            "Lowering it would let writes through that the other incident stops. It stands; the rest was lowered.",
            "Give that incident's id, or say force (-e '{kanban_break_glass: {what: [fence], reason: ...}}').",
        )
    if left_behind:
        return ServerError(
            "left_behind",
            f"Not every trace is gone: {'; '.join(left_behind[:10])}",
            "What is left lets everything pass.",
            "Run it again when the tables are free, as the role that owns the fence and the tables.",
        )
    bad = failure(verdicts, "The rest was lowered.")
    if bad is None:
        return None
    told = " ".join(f"{name}: {verdict.reason}" for name, verdict in verdicts.items() if verdict.code)
    return ServerError(
        bad.code,
        f"The fence was not lowered everywhere. {told}",
        "Where it stands, people cannot work on what it refuses.",
        "Lower it as its owner, or as a role that the owner let do so.",
    )


def remove(place: FencePlace, fences: Sequence[Fence]) -> tuple[list[str], list[str]]:
    """Drop triggers, each when its table is free, then the functions; return what is gone and what stays, with why.

    DROP TRIGGER takes ACCESS EXCLUSIVE and readers queue behind it, so each wait is short.
    """
    tasks = []
    for fence in fences:
        for trigger in fence.triggers:
            if not trigger.cloned:
                drop = partial(_drop_trigger, place=place, trigger=trigger, function=fence.name)
                tasks.append((f"trigger {trigger.name} on {trigger.schema}.{trigger.table}", drop))
    _done, problems = place.in_turns(tasks)
    left = [f"{name}: {error.what}" for name, error in problems.items()]
    gone = []
    for fence in fences:
        if any(fence.name in name for name in problems):
            continue
        try:
            place.insist("kanban_rollback", partial(_drop_function, place=place, name=fence.name))
            gone.append(fence.name)
        except ServerError as error:
            left.append(f"function kanban_rollback.{fence.name}(): {error.what}")
    return gone, left


def _drop_trigger(cursor: Cursor, place: FencePlace, trigger: Trigger, function: str) -> None:
    names = {"trigger": identifier(trigger.name), "relation": identifier(trigger.schema, trigger.table)}
    cursor.run(sql.SQL(ddl.LOCK_TO_DROP).format(**names), {})
    pass_ddl_guards(cursor, place.request)
    # Readers queue behind us, so nothing is waited for here.
    cursor.row(queries.TRY_LOCK, {})
    _see_that_it_is_down(cursor, place, function)
    cursor.run(sql.SQL(ddl.DROP_TRIGGER).format(**names), {})
    # Without the lock somebody may have raised it in between.
    _see_that_it_is_down(cursor, place, function)


def _see_that_it_is_down(cursor: Cursor, place: FencePlace, function: str) -> None:
    """Raise ServerError if another incident raised the fence again while we waited."""
    holder = cursor.row(ddl.HOLDER_NOW, {"function": function})[0]
    if holder and not place.request.force:
        raise ServerError("other_incident", f"Incident {holder} raised it in the meantime.", "", "")


def _drop_function(cursor: Cursor, place: FencePlace, name: str) -> None:
    take_turn(cursor, queries.LOCK)
    _see_that_it_is_down(cursor, place, name)
    pass_ddl_guards(cursor, place.request)
    cursor.run(sql.SQL(ddl.DROP_FUNCTION).format(function=identifier(name)), {})


def _drop_schema(place: FencePlace) -> None:
    def work(cursor: Cursor) -> None:
        take_turn(cursor, queries.LOCK)
        if cursor.row(ddl.SCHEMA_IS_EMPTY, {})[0]:
            cursor.run(ddl.DROP_SCHEMA, {})

    try:
        place.insist("kanban_rollback", work)
    except ServerError as error:
        place.warnings.append(f"The empty schema kanban_rollback stays: {error.what}")
