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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stageholders import had_default, who_lacks_it
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import WHOLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._undo import Restore


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
    """Undo what an incident has switched off; return result and error, if any."""
    undo = Restore(place, request)
    result, error = (undo.plan(), None) if check_mode else (undo.result, undo.run())
    if request.share in (None, WHOLE):
        error = _put_back_others(place, request, check_mode, result) or error
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


def _put_back_others(place: Place, request: Request, check_mode: bool, result: dict[str, Any]) -> KanbanError | None:
    """Put back the further tables of the flag's name that the incident switched off; return the first error, if any."""
    first: KanbanError | None = None
    for other in place.others:
        undo = Restore(replace(place, target=other.target, tenants=other.tenants, others=[]), request)
        if not undo.has_priors:
            continue
        told, error = (undo.plan(), None) if check_mode else (undo.result, undo.run())
        first = first or error
        counts: dict[str, int] = {
            name: told[name] for name in ("changed_count", "total", "enabled_after") if name in told
        }
        result.setdefault("same_name", []).append({"table": str(other.target.table), **counts})
        result["changed_count"] += counts.get("changed_count", 0)
        result["changed"] = result["changed"] or told.get("changed", False)
    return first


def pause(place: Place, request: Request, check_mode: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Keep anybody else from getting the feature; return result and error, if any."""
    begun = Pause(place, request)
    error = begun.run(check_mode)
    return {**begun.result, "incident": begun.incident_result()}, error
