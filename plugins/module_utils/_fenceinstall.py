# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the dormant fence ahead of time: it lets everything pass, and is raised without any table lock."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fence import refresh
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencecreate import (
    TODO,
    WHY,
    incomplete,
    make_functions,
    make_triggers,
    missing_triggers,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencehelpers import (
    check_roles,
    put_helpers,
    stale_helpers,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelower import remove
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import Verdict, failure
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceresult import described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import DORMANT, Fence, Found


def outdated(place: FencePlace) -> list[Fence]:
    """Return dormant fences of the requested tables that have another scope: they would refuse something else."""
    return [
        fence
        for found in place.view.found
        for fence in found.fences
        if found.problem is None and not fence.raised and not fence.scope.same_as(found.scope)
    ]


def needs_function(place: FencePlace, found: Found) -> bool:
    """Tell whether a table lacks a dormant fence of exactly this scope, for these roles and for the table's owner."""
    fence = found.own_fence()
    passers = list(place.request.grant_to) or [place.view.role]
    if fence is None:
        return True
    return (
        fence.kind != DORMANT
        or fence.shuts_out
        or (not fence.raised and (fence.state.get("passers") != passers or fence.body != DORMANT))
    )


def install(place: FencePlace) -> tuple[dict[str, Any], KanbanError | None]:
    """Make what is missing, grant it, remove what is outdated; return the result and the error. Raises KanbanError."""
    with place.session().transaction(5.0, mode="READ ONLY") as cursor:
        check_roles(cursor, place.request.grant_to)
    problems: dict[str, KanbanError] = {}
    able = incomplete(place, exact=True)
    lacking = [found for found in place.view.found if found.problem is None and needs_function(place, found)]
    tables = list({found.table.oid: found for found in [*able, *lacking]}.values())
    changed = bool(tables)
    if place.view.may_create:
        changed = make_functions(place, tables, DORMANT, lambda cursor: put_helpers(cursor, place)) or changed
    elif stale_helpers(place.view, place.request.grant_to):
        what = f"Role {place.view.role} may not create in the schema kanban_rollback."
        raise ServerError("missing_privilege", what, f"The fence could not be raised later. {WHY}", TODO)
    refresh(place)
    made, failed = make_triggers(place, missing_triggers(place, exact=True))
    problems.update(failed)
    removed, left_behind = remove(place, outdated(place))
    refresh(place)
    verdicts = {found.asked: _verdict(found, problems) for found in place.view.found}
    for found in place.view.found:
        if found.raised:
            holder = found.raised[0].holder
            place.warnings.append(f"The fence of {found.table} is raised by incident {holder}; it stays so.")
    if left_behind:
        place.warnings.append(f"An older fence could not be removed, and stays dormant: {'; '.join(left_behind)}")
    result = {
        **described(place, verdicts, [], None),
        "changed": bool(changed or made or removed),
        "left_behind": left_behind,
        "terminated": [blocker.as_result() for blocker in place.patience.terminated],
    }
    error = failure(verdicts, "The dormant fence stands on the other tables.")
    return result, error


def _verdict(found: Found, problems: dict[str, KanbanError]) -> Verdict:
    gaps = found.gaps(found.exact)
    if not gaps:
        return Verdict("unproven", "It is raised; no canary was sent.") if found.raised else Verdict("dormant")
    error = next((problems[str(gap)] for gap in gaps if str(gap) in problems), found.problem)
    error = error or ServerError("not_fenced", "It was not made.", "", "")
    where = ", ".join(str(gap) for gap in gaps[:3])
    return Verdict("not_fenced", f"The dormant fence does not stand on {where}: {error.what}", error.code)
