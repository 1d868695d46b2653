# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision matrix of scenario 2: hold, go on to scenario 1, or pause. Pure: neither Ansible nor a driver.

``docs/decisions.md`` shows the rows as a table; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._tree import OUTCOMES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triage import gate_line, share_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import (
    SHARE,
    Facts,
    is_true,
    limit_of,
    number_of,
    part,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

AUTO = "auto"
NOT_COUNTED = "ok_not_counted"


@dataclass(frozen=True)
class Row:
    """One row: ``when`` in the table's words, the ``decision``, and what is said first on the screen.

    ``escalate`` stands for scenario 1, automatically or on request.
    """

    when: str
    decision: str
    says: str


MATRIX: Mapping[str, Row] = {
    "most": Row(
        "the share of affected tenants reaches the limit, at the ranking or after the watch (plan: 50 %)",
        "escalate",
        "too many tenants are affected for switching some off",
    ),
    "not_ranked": Row(
        "before the watch: nobody knows who is affected",
        "unknown",
        "who is affected is not known, so nobody was switched off",
    ),
    "nobody": Row(
        "no tenant is on: before the watch, where no list is frozen; after it, where it is still degraded",
        "unknown",
        "no tenant is on, so there is nobody left to switch off, and something else is wrong",
    ),
    "ranked_in_part": Row(
        "before the watch: a database did not answer, or not whole, and there is a list",
        "go_on",
        "not every database answered, or not whole: switch off those that are listed, and watch",
    ),
    "ranked": Row(
        "before the watch: fewer are affected",
        "go_on",
        "switch off those that suffer most, and watch",
    ),
    "degraded": Row("after the watch: still degraded", "escalate", "still degraded after the selective rollback"),
    "unstable": Row(
        "after the watch: good and bad in turn",
        "pause",
        "good and bad in turn: the roll-out is paused, nobody new gets it",
    ),
    "ok": Row(
        "after the watch: good",
        "hold",
        "better: the selective rollback stays while the cause is looked for",
    ),
    NOT_COUNTED: Row(
        "after the watch: good, and nobody knows who is affected",
        "hold",
        "better by the metrics, and who is affected is not known: the selective rollback stays",
    ),
    "no_data": Row(
        "after the watch: no data",
        "unknown",
        "whether it got better is not known: there is no data",
    ),
}
_HEADS = {
    "hold": "HOLD",
    "go_on": "GO ON",
    "escalate": "SCENARIO 1",
    "ask": "SCENARIO 1 IS NEXT, TYPE IT",
    "pause": "PAUSE",
    "unknown": "NOT KNOWN",
    "nobody": "NOBODY IS ON",
    NOT_COUNTED: "HOLD",
}


def scenario2_decision(
    facts: Facts, *, escalate: str = "ask", share: float = 0.5, arguments: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what scenario 2 does next: ``decision`` go_on, hold, escalate, ask, pause or unknown.

    :param facts: ``before`` and ``after``, who is affected at the ranking and, by errors since the switch, after the
        watch; ``gate``, the watch's verdict and metrics, left out before there is one.
    :param escalate: ``auto`` lets the run go on to scenario 1 by itself; with anything else, a person is asked.
    :param share: the share of the tenants that are on from which switching some off is not enough.
    :param arguments: what the next command needs, for instance ``["-i", "production"]``.
    """
    before, before_told = share_of(part(facts, "before"))
    # A dead replica must not prevent help for those who are known to suffer.
    listed = bool(part(facts, "before").get("tenants"))
    after, after_told = share_of(part(facts, "after"))
    watched = isinstance(facts, Mapping) and bool(facts.get("gate"))
    gate = part(facts, "gate")
    limit, misread = limit_of("kanban_share_limit", share, SHARE)
    if any(found is not None and found >= limit for found in (before, after)):
        label = "most"
    elif not watched:
        nobody = _nobody_is_on(part(facts, "before")) and not listed
        label = "nobody" if nobody else "ranked" if before is not None else "ranked_in_part" if listed else "not_ranked"
    else:
        label = str(gate.get("verdict"))
        label = label if label in ("ok", "degraded", "unstable") else "no_data"
        if label == "degraded" and _nobody_is_on(part(facts, "after") or part(facts, "before")):
            label = "nobody"
        # Errors of some tenants may not show in the metrics of all.
        if label == "ok" and (after if part(facts, "after") else before) is None:
            label = NOT_COUNTED
    row = MATRIX[label]
    decision = "ask" if row.decision == "escalate" and escalate != AUTO else row.decision
    figures = [f"affected when this run began: {before_told}"]
    if watched:
        figures.insert(0, f"metrics: {gate_line(gate) or one_line(gate.get('verdict') or 'no data')}")
    if part(facts, "after"):
        figures.append(f"affected since the switch: {after_told}")
    kind = label if label in _HEADS else decision
    headline = f"{_HEADS[kind]}: {row.says}."
    command = command_of(_PLAYBOOKS[kind], arguments)
    shown = [figure[:1].upper() + figure[1:] for figure in [*figures, *misread]]
    left = _next(decision, command, command_of(OUTCOMES["scenario1"][2], arguments), command_of("reenable", arguments))
    if label == "nobody":
        left = [_ELSEWHERE, f"What is measured, and which scenario it is: {command}"]
    if label == NOT_COUNTED:
        left.insert(0, f"Look at the source that did not say who is affected, then: {command}")
    return {
        "decision": decision,
        "row": label,
        "because": "; ".join(figures),
        "headline": headline,
        "command": command,
        "lines": [*shown, headline, *left],
        # The same for a screen that shows the metrics anyway, and what is left to do, for the end of that screen.
        "about": [*shown[int(watched) :], headline],
        "next": left,
        # The run fails if a person must do something that it was not allowed to do, or could not know.
        "failed": decision in ("ask", "unknown") or label == NOT_COUNTED,
    }


_PLAYBOOKS = {
    "hold": "",
    "go_on": "",
    "escalate": OUTCOMES["scenario1"][2],
    "ask": OUTCOMES["scenario1"][2],
    "pause": OUTCOMES["pause"][2],
    "unknown": OUTCOMES["scenario2"][2],
    "nobody": OUTCOMES["unknown"][2],
    NOT_COUNTED: OUTCOMES["scenario2"][2],
}
_ELSEWHERE = "Look at what else ails the application, and whether kanban_flag reads the flag as the application does."


def _nobody_is_on(facts: Facts) -> bool:
    return is_true(facts.get("known")) and number_of(facts.get("on")) == 0


def _next(decision: str, command: str, everybody: str, undo: str) -> list[str]:
    if decision == "ask":
        return [f"Next: {command}", "With -e kanban_escalate=auto the run goes on to it by itself."]
    if decision == "escalate":
        return [f"Going on with: {command}"]
    if decision == "pause":
        return [
            "The latch holds while the incident is open; the playbook reenable of this incident passes it.",
            "Next: find what comes and goes; where it gets worse, type the same command again.",
        ]
    if decision == "hold":
        return ["Next: find the cause. Then those tenants get it back:", f"{undo} -e kanban_reenable=all"]
    if decision == "unknown":
        return [
            f"Look at the source that gave no data, then: {command}",
            f"Without data nothing goes on by itself. Where it cannot wait, off for everybody: {everybody}",
        ]
    return []
