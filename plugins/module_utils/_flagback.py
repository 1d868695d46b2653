# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``feature_flag`` does apart from switching: an undo, whole or in stages, and a pause. A kill does without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagspent import other_values
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pause import Pause
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import SHOWN, Place, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stageholders import had_default, who_lacks_it
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import WHOLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._undo import Restore

_COUNTED = ("changed_count", "total", "enabled_after")


def narrowed(place: Place, request: Request) -> tuple[Request, dict[str, Any]]:
    """Narrow a place to the tenants of a stage; return the request for it, and the result's ``stage``."""
    of_stage = Restore(place, request)
    stage = of_stage.narrow_to_stage()
    if request.withdrawn and request.share == WHOLE:
        # What came back with the last stage goes with it.
        request = replace(request, global_default=had_default(place, of_stage.incident))
        stage["default"] = request.global_default
    return request, {"stage": stage}


def put_back(place: Place, request: Request, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Undo what an incident has switched off, in each table of the flag's name; return result and error, if any."""
    undo, further = _undos(place, request)
    result, error = (undo.plan(), None) if check_mode else (undo.result, undo.run())
    for other in further:
        error = _put_back_other(other, check_mode, result) or error
    error = error or _out_of_reach(place, undo)
    result["incident"] = undo.incident_result()
    if request.share is not None and check_mode and result["incident"]["in_ledger"]:
        result.update(who_lacks_it(place, undo.incident, result))
    if request.spent and check_mode:
        # Of what was put back before, nothing is left to do for those that have it.
        result["changed_count"] = min(result["changed_count"], result["total"] - result["enabled_before"])
        result["changed"] = result["changed_count"] > 0
    elif request.spent and result["incident"]["in_ledger"]:
        result["other_values"] = other_values(place, undo.incident, result["changed_since"])
    return result, error


def _undos(place: Place, request: Request) -> tuple[Restore, list[Restore]]:
    """Return what undoes the flag's table, and what does so in others of its name that the incident switched off.

    If the flag's table has no prior values, the first of the others takes its place. A stage is of the flag's table
    alone; the others come back with the last one.
    """
    undo = Restore(replace(place, others=[]), request)
    if not place.others or request.share not in (None, WHOLE):
        return undo, []
    further = []
    for other in place.others:
        of_other = Restore(replace(place, target=other.target, tenants=other.tenants, others=[]), request)
        further += [of_other] if of_other.has_priors else []
    if further and not undo.has_priors:
        undo = further.pop(0)
        place.target, place.tenants = undo.place.target, undo.place.tenants
    return undo, further


def _put_back_other(undo: Restore, check_mode: bool, result: dict[str, Any]) -> KanbanError | None:
    """Put back a further table, and add what came of it to the result; return its error, if any."""
    error: KanbanError | None = None
    try:
        told, error = (undo.plan(), None) if check_mode else (undo.result, undo.run())
    except KanbanError as refused:
        told, error = undo.result, refused
    counts: dict[str, int] = {name: told[name] for name in _COUNTED if name in told}
    result.setdefault("same_name", []).append({"table": str(undo.place.target.table), **counts})
    result["changed_count"] += counts.get("changed_count", 0)
    result["changed"] = result["changed"] or told.get("changed", False)
    for name in ("blocked", "changed_since", "missing"):
        if told.get(name):
            result[name] = [*result[name], *told[name]][:SHOWN]
            result[f"{name}_count"] += told[f"{name}_count"]
    return error


def _out_of_reach(place: Place, undo: Restore) -> KanbanError | None:
    """Return the error of a table that the incident switched off and this role cannot put back, if there is one."""
    for table, refused in place.refused:
        if table and undo.leaves_off(table):
            return KanbanError(
                refused.code,
                refused.what,
                f"{table} was switched off by this incident and is not put back.",
                refused.todo,
            )
    return None


def pause(place: Place, request: Request, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Keep anybody else from getting the feature; return result and error, if any."""
    begun = Pause(place, request)
    error = begun.run(check_mode)
    return {**begun.result, "incident": begun.incident_result()}, error
