# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements as the decision tree takes them, and what holds for each of its outcomes."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._tree import OUTCOMES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triage import triage_decision

Facts = dict[str, Any]
GOOD: Facts = {
    "declared": {"what": "", "reason": ""},
    "integrity": {"status": "ok", "counts": {"orphan_tags": 0, "duplicate_ticket_tags": 0}, "not_applicable": []},
    "health": {
        "hosts": 2,
        "healthy": 2,
        "unhealthy": 0,
        "unreachable": 0,
        "places": 2,
        "tries": 3,
        "sockets": {"asked": 2, "connected": 2, "refused": 0, "unreachable": 0},
    },
    "performance": {
        "verdict": "ok",
        "metrics": {"errorRate": {"value": 0.02, "threshold": {"max": 0.1}, "unit": "%", "verdict": "ok"}},
    },
    "affected": {"known": True, "affected_on": 3, "on": 385, "total": 1284, "share": 3 / 385},
}
SLOW = {
    "verdict": "degraded",
    "metrics": {
        "socketLatencyMs": {"value": 1450, "threshold": {"max": 1000}, "unit": "ms", "verdict": "degraded"},
        "errorRate": {"value": 0.02, "threshold": {"max": 0.1}, "unit": "%", "verdict": "ok"},
    },
}
NO_SOCKETS = {"asked": 2, "connected": 0, "refused": 2, "unreachable": 0}
ALL_DOWN = {"healthy": 0, "unhealthy": 2}
GONE = {"healthy": 0, "unreachable": ["app1", "app2"]}


def facts(**changes: Any) -> Facts:
    """Return good facts with some parts changed; a map is merged into what is there."""
    changed = copy.deepcopy(GOOD)
    for name, change in changes.items():
        changed[name] = {**changed[name], **change} if isinstance(change, dict) else change
    return changed


def decide(measured: Facts, **options: Any) -> Facts:
    result = triage_decision(measured, **options)
    check(result)
    return result


def check(result: Facts) -> None:
    """Assert what holds for each outcome, whatever the facts."""
    outcome = result["recommended"]
    assert outcome in OUTCOMES
    assert result["scenario"] in (outcome, "p2")
    assert result["failed"] is (outcome != "none")
    assert (result["command"] == "") is (outcome == "none")
    assert result["severity"] in ("P0", "P1", "P2", "none")
    assert result["headline"] in result["lines"]
    assert result["lines"].index(result["headline"]) == len(result["path"]), "the path comes first"
    assert all("\n" not in line for line in result["lines"])
    for step, line in zip(result["path"], result["lines"], strict=False):
        assert step["because"], step
        assert step["answer"] in ("yes", "no", "unknown")
        assert step["because"] in line
        assert step["because"].startswith("not known: ") is (step["answer"] == "unknown"), step
    if outcome == "none":
        assert all(step["answer"] == "no" for step in result["path"][1:-1])
        assert result["unknown"] == []


def answers(result: Facts) -> list[str]:
    return [step["answer"] for step in result["path"]]
