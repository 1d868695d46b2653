# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``integrity_repair`` does, from a login and a request to a result.

A whole repair is one REPEATABLE READ transaction, so that the plan, the quarantine, the change and the checks
afterwards see one snapshot plus what this transaction did itself. A row that another session has changed since is a
server error and never overwritten, and so is a row that a cascade would take along but the plan did not see. READ
COMMITTED would follow such rows to their newest version, which nobody approved.
"""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    ServerError,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import checks_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairapply import (
    add_repair,
    apply,
    ensure_quarantine,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairfence import Passage, look_at_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import (
    SOURCE,
    Look,
    Request,
    Work,
    count_repairs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import (
    Where,
    hash_error,
    refusal,
    refusals,
    refused_error,
    repair_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner, Touched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrun import carry_out
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairundoentry import (
    undo_repairs,
    without_fence,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written


def set_integrity(login: Login, request: Request, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Do what was requested; return the result and the error that it ends with. Raises KanbanError."""
    return carry_out(login, request, check_mode, SOURCE, _repair if request.state == "repaired" else undo_repairs)


def _repair(work: Work, check_mode: bool) -> None:
    request = work.request
    checks = checks_from(request.checks)
    repairs = {given["name"]: repair_of(given) for given in request.checks}
    with work.transaction() as cursor:
        planner = Planner(cursor, work.deadline, request.limit_samples, work.progress)
        plan = planner.make(checks, repairs)
        plan_hash = plan.hash(request.checks, where_of(cursor, work))
        reasons = refusals(plan, request.max_rows, request.max_fraction)
        passage = look_at_fence(cursor, _scopes(planner.touched), work.held_as or [request.who.incident_id])
        if not request.allow_unfenced:
            reasons += passage.reasons
        if work.incident is None:
            reasons.append(refusal("no_open_incident", f"No incident {request.who.incident_id!r} is open."))
        plan.refused = reasons if plan.total or not plan.refused else plan.refused
        work.result = {"plan": plan.as_result(), "plan_hash": plan_hash, "fenced": passage.fenced, **_none_done()}
        work.result["warnings"] = _warnings(planner, passage, request)
        work.result["diff"] = {"before": _figures(plan), "after": _figures(plan, planned=True)}
        unknown = [reason for reason in reasons if reason["code"] == "not_known"]
        if check_mode or (not plan.total and not unknown):
            work.result["changed"] = bool(plan.total) and check_mode
            raise Look
        if reasons:
            work.error = refused_error(reasons)
            raise Look
        if request.plan_hash != plan_hash:
            work.error = hash_error(request.plan_hash, plan_hash)
            raise Look
        ensure_quarantine(cursor)
        _apply(work, cursor, planner, passage)
        work.result["changed"] = True
    if work.taken_back:
        # The server counts rolled-back deletions as deletions; later measurements of writes have to know about them.
        with work.transaction() as cursor:
            work.event(cursor, "rolled back", work.taken_back)


def where_of(cursor: Cursor, work: Work) -> Where:
    """Return the place that a plan is approved for; raises ServerError."""
    # An incident that is not in the ledger yet will be known there by the given id.
    incident, server = work.incident or work.request.who.incident_id, work.facts.server
    earlier = count_repairs(cursor, incident) if work.incident else 0
    return Where(server.cluster, server.database, incident, earlier)


def _none_done() -> dict[str, Any]:
    return {"repair_id": None, "quarantined": 0}


def _apply(work: Work, cursor: Cursor, planner: Planner, passage: Passage) -> None:
    request, plan = work.request, planner.plan
    figures = {key: work.result["plan"][key] for key in ("parts", "tables", "total_rows")}
    told = {
        "plan_hash": work.result["plan_hash"],
        "approved_by": request.approved_by,
        "operator": request.who.operator,
        "fenced": passage.fenced,
        "allow_unfenced": request.allow_unfenced,
        **figures,
    }
    work.event(cursor, "planned", {**told, "counts": {check.name: check.count for check in plan.checks}})
    values = {
        "incident": work.incident,
        "run": request.who.run_id,
        "operator": request.who.operator,
        "approved_by": request.approved_by,
        "plan_hash": work.result["plan_hash"],
    }
    repair = add_repair(cursor, values, {"checks": list(request.checks), **figures})
    passage.open(cursor)
    written = Written(cursor)
    try:
        work.result["warnings"] += apply(planner, repair, checks_from(request.checks), written)
    except ServerError:
        raise
    except KanbanError as error:
        # Return all figures, because a person has to take the next step.
        work.result["plan"], work.error = plan.as_result(), error
        work.taken_back = {**told, "why": error.what, "deleted": written.deletions()}
        raise Look from error
    counts = {check.name: {"before": check.count, "after": check.remaining} for check in plan.checks}
    work.event(cursor, "repaired", {**told, "repair_id": repair, "counts": counts})
    work.result.update(plan=plan.as_result(), repair_id=repair, quarantined=plan.total)
    work.result["approved_by"] = request.approved_by


def _scopes(touched: Sequence[Touched]) -> dict[str, Scope]:
    """Return what is done to the tables of the checks; the one transaction covers the rows that go along."""
    found = {}
    for table in touched:
        if table.direct:
            operations = (["UPDATE"] if table.updated else []) + (["DELETE"] if table.deleted else [])
            found[str(table)] = Scope(tuple(operations), table.columns)
    return found


def _warnings(planner: Planner, passage: Passage, request: Request) -> list[str]:
    found = []
    if request.allow_unfenced and passage.reasons:
        found.append(without_fence(passage.reasons))
    if planner.plan.triggers:
        found.append(
            f"Triggers of the application fire, and what they do is not undone: {', '.join(planner.plan.triggers)}."
        )
    for row in planner.plan.unindexed:
        found.append(
            f"No index of {row['table']} begins with the columns of {row['via']}: each row that goes reads it."
        )
    return found


def _figures(plan: Any, planned: bool = False) -> str:
    lines = [
        f"{check.name}: {0 if planned and check.mends else check.count}"
        for check in plan.checks
        if check.count is not None
    ]
    return "\n".join(lines) + "\n"
