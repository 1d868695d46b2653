# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result that both fence modules have in common."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    CANARY,
    Verdict,
    kind_of,
    overall,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Fence, Found, Holder

SHOWN = 100  # Entries that a result carries per list.


def described(
    place: FencePlace, verdicts: Mapping[str, Verdict], draining: Sequence[Holder], end: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the result, per table and overall, who may still write, and where the recovery point counts from."""
    names = place.view.names()
    fences = list({fence.name: fence for found in place.view.found for fence in found.fences}.values())
    raised = [fence for fence in fences if fence.raised]
    holders = [fence.holder for fence in raised]
    ours = place.request.incident_id
    rows = [_table(found, verdicts[found.asked]) for found in place.view.found if found.asked in verdicts]
    rows += [
        {
            **_table_named(asked.name, verdicts[asked.name]),
            **asked.scope.as_result(),
        }
        for asked, _error in place.view.unresolved
        if asked.name in verdicts
    ]
    return {
        "status": overall([verdict.status for verdict in verdicts.values()]),
        "incident_id": ours if ours in holders else holders[0] if holders else None,
        "kind": kind_of(fences),
        "tables": rows,
        "draining": [holder.as_result(names) for holder in draining[:SHOWN]],
        "blocked": [
            {"table": table, **blocker.as_result()}
            for table, blockers in place.blocked.items()
            for blocker in blockers[:SHOWN]
        ],
        "raised_at": max((str(fence.state["raised_at"]) for fence in raised), default=None),
        "drained_at": None,
        "lsn": None,
        "timeline": None,
        "xid": None,
        "stats_reset": None,
        "counters": {},
        "parts": {},
        **(end or {}),
        "left_behind": [],
    }


def _table(found: Found, verdict: Verdict) -> dict[str, Any]:
    fences: list[Fence] = found.raised or found.fences
    return {
        **_table_named(found.asked, verdict),
        "table": str(found.table),
        "relations": [str(relation) for relation in found.relations],
        "refuses_more": found.refuses_more,
        **found.scope.as_result(),
        "kind": kind_of(fences),
        "incident_id": next((fence.holder for fence in found.raised), None),
    }


def _table_named(name: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "name": name,
        "table": None,
        "relations": [],
        "refuses_more": [],
        "kind": None,
        "incident_id": None,
        "status": verdict.status,
        "reason": verdict.reason,
        "refused": [operation for operation, how in verdict.proof.items() if how == CANARY],
        "proof": verdict.proof,
    }
