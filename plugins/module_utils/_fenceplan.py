# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode shows: what would be raised, made, lowered or removed. Takes no table lock and changes nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencecreate import incomplete
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencehelpers import stale_helpers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceinstall import needs_function, outdated
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelower import to_lower, to_remove
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    Verdict,
    failure,
    lowered_status,
    replicated,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceresult import described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Found


def plan(place: FencePlace) -> tuple[dict[str, Any], KanbanError | None]:
    """Return what would be done, and the error that it would end with, as far as that is known."""
    how = {"absent": _lowered, "dormant": _installed, "present": _raised}[place.request.state]
    now = {found.asked: _status(found) for found in place.view.found}
    steps, verdicts, changed = how(place)
    for asked, error in place.view.unresolved:
        verdicts[asked.name] = Verdict("not_fenced", error.what, error.code)
    result = {
        **described(place, verdicts, [], None),
        "changed": changed,
        "terminated": [],
        "raised_ms": None,
        "diff": {"before": {"fence": now}, "after": {"fence": {**now, **steps}}},
    }
    return result, failure(verdicts, "Nothing was changed (check mode); the rest would be.")


def _status(found: Found) -> str:
    if found.raised:
        return f"raised by incident {found.raised[0].holder}"
    return lowered_status(found, False)


def _raised(place: FencePlace) -> tuple[dict[str, str], dict[str, Verdict], bool]:
    steps, verdicts, changed = {}, {}, False
    incomplete(place)
    for found in place.view.found:
        sleeping = [fence for fence in found.fences if fence.triggers and not fence.raised]
        strange = [fence for fence in sleeping if not place.view.may_run("fence_raise", fence)]
        gaps = found.gaps([fence for fence in found.fences if fence not in strange])
        parts = ["raised from the dormant fence"] if sleeping and not strange else []
        makes = [gap for gap in gaps if gap.mine and place.view.may_create]
        parts += [f"made on demand on {', '.join(str(gap) for gap in makes)}"] if makes else []
        changed = changed or bool(parts)
        if parts:
            steps[found.asked] = " and ".join(parts)
        if found.problem and found.gaps():
            verdicts[found.asked] = Verdict("not_fenced", found.problem.what, found.problem.code)
        elif strange:
            what = f"The dormant fence belongs to {strange[0].owner}, who did not grant it to {place.view.role}."
            verdicts[found.asked] = Verdict("not_fenced", what, "missing_privilege")
        else:
            now = Verdict("unproven" if found.raised else lowered_status(found, False))
            verdicts[found.asked] = replicated(found) or now
    return steps, verdicts, changed


def _installed(place: FencePlace) -> tuple[dict[str, str], dict[str, Verdict], bool]:
    steps, verdicts = {}, {}
    able = {found.table.oid for found in incomplete(place, exact=True)}
    leaving = bool(outdated(place))
    for found in place.view.found:
        if found.table.oid in able or (found.problem is None and needs_function(place, found)):
            steps[found.asked] = "dormant"
        status = Verdict("unproven" if found.raised else lowered_status(found, False))
        verdicts[found.asked] = (
            Verdict("not_fenced", found.problem.what, found.problem.code) if found.problem else status
        )
    return steps, verdicts, bool(steps or leaving or stale_helpers(place.view, place.request.grant_to))


def _lowered(place: FencePlace) -> tuple[dict[str, str], dict[str, Verdict], bool]:
    ours, strange, names = to_lower(place)
    handed_on = [] if place.request.force else [fence for fence in ours if {*fence.holders} - {*names}]
    going = {fence.name for fence in to_remove(place, ours) if fence not in handed_on}
    raised = {fence.name for fence in ours if fence.holder or fence.body != "dormant"}
    steps, verdicts = {}, {}
    for found in place.view.found:
        there = {fence.name for fence in found.fences}
        kept = [fence for fence in found.fences if fence in strange or fence in handed_on]
        if there & (going | raised):
            steps[found.asked] = "absent" if there <= going else "handed on" if kept else "lowered"
        if kept:
            others = [holder for holder in kept[0].holders if holder not in names]
            what = f"It is up for incident {', '.join(others)} and would be kept."
            verdicts[found.asked] = Verdict("unproven", what, "other_incident")
        else:
            verdicts[found.asked] = Verdict("unproven" if found.raised else lowered_status(found, False))
    purging = place.request.purge and bool(place.view.helpers) and not strange
    return steps, verdicts, bool(going or raised or purging)
