# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``integrity_repair`` does with ``state=undone``: which repairs, whether it may, and all of it or nothing."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairfence import Passage, look_at_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairkept import SHOWN
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import (
    Look,
    Work,
    count_repairs,
    namesakes_of,
    no_incident,
    not_undone,
    purged_error,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import refused_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairundo import Undo, conflict_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine as queries


def undo_repairs(work: Work, check_mode: bool) -> None:
    """Bring back the rows that the incident's repairs removed, newest first; raises KanbanError."""
    work.result = {"undone": [], "tables": [], "conflicts": [], "conflicts_count": 0, "fenced": True, "refused": []}
    work.result["warnings"] = []
    if work.incident is None:
        refuse_purged(work)
        raise no_incident(work.request.who.incident_id)
    with work.transaction() as cursor:
        repairs = _meant(work, cursor)
        if not repairs:
            raise Look
        for number, plan_hash in repairs:
            _undo(work, cursor, number, plan_hash, check_mode)
        work.result["undone"] = [number for number, _hash in repairs]
        work.result["changed"] = not (check_mode and work.result["conflicts"])
        if check_mode:
            raise Look


def _undo(work: Work, cursor: Cursor, number: int, plan_hash: str, check_mode: bool) -> None:
    request, result = work.request, work.result
    undo = Undo(cursor, number, Planner(cursor, work.deadline, 0).in_time, work.progress)
    undo.look()
    passage = look_at_fence(cursor, {str(kept): kept.scope for kept in undo.kept if kept.direct}, work.held_as)
    _told_of_fence(work, passage)
    result["conflicts"] += undo.conflicts[: max(0, SHOWN - len(result["conflicts"]))]
    result["conflicts_count"] += undo.in_the_way
    result["tables"] += [{"repair_id": number, **counts} for counts in undo.counts()]
    if check_mode:
        return
    if result["refused"]:
        work.error = refused_error(result["refused"])
        raise Look
    if undo.conflicts:
        work.error = conflict_error(result["conflicts"], result["conflicts_count"])
        raise Look
    passage.open(cursor)
    result["warnings"] += undo.put_back()
    cursor.run(queries.UNDONE, {"repair": number, "operator": request.who.operator})
    told: dict[str, Any] = {"repair_id": number, "plan_hash": plan_hash, "tables": undo.counts()}
    told.update(fenced=passage.fenced, allow_unfenced=request.allow_unfenced, operator=request.who.operator)
    told.update(transactions=undo.transactions, approved_by=request.approved_by)
    work.event(cursor, "undone", told)
    result["approved_by"] = request.approved_by


def _told_of_fence(work: Work, passage: Passage) -> None:
    result = work.result
    result["fenced"] = result["fenced"] and passage.fenced
    if not work.request.allow_unfenced:
        result["refused"] += passage.reasons
    elif passage.reasons:
        result["warnings"].append(without_fence(passage.reasons))


def without_fence(reasons: Sequence[dict[str, Any]]) -> str:
    """Return the warning for work that is done although the fence does not stand."""
    return "Without the fence: " + " ".join(str(reason["what"]) for reason in reasons)


def _meant(work: Work, cursor: Cursor) -> list[tuple[int, str]]:
    """Return the repairs to undo: the incident's own, or those of an incident that had its id before."""
    incident = str(work.incident)
    repairs = _repairs(cursor, incident)
    # Once the incident has repairs of its own, a second undo must not reach behind them.
    if repairs or count_repairs(cursor, incident):
        return repairs
    for name in namesakes_of(work, cursor):
        repairs = _repairs(cursor, name)
        if repairs:
            numbers = ", ".join(str(number) for number, _hash in repairs)
            work.result["warnings"].append(
                f"{incident} has had no repair; these ({numbers}) are of {name}, which the same id stood for before."
            )
            return repairs
    others = not_undone(cursor)
    if others:
        work.result["warnings"].append(
            f"{incident} has had no repair. Repairs that are not undone are of {', '.join(others)}: give that id."
        )
    return []


def _repairs(cursor: Cursor, incident_id: str) -> list[tuple[int, str]]:
    """Return the repairs that are not undone, newest first; raises KanbanError if rows of one are gone."""
    if not cursor.row(queries.STATE, {})[0]:
        return []
    rows = cursor.rows(queries.REPAIRS, {"incident": incident_id})
    gone = [number for number, _hash, kept in rows if not kept]
    if gone:
        raise purged_error(incident_id, gone)
    return [(number, plan_hash) for number, plan_hash, _kept in rows]


def refuse_purged(work: Work) -> None:
    """Raise KanbanError if a closed incident's rows are gone, to say that rather than that it is closed."""
    if work.known and work.request.state == "undone":
        with work.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            _repairs(cursor, work.known)
