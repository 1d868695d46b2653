# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of scenario 2's matrix, and that a run continues by itself only on what is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import MATRIX, scenario2_decision
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagefacts import gate_facts

Facts = dict[str, Any]
FEW = {"known": True, "affected_on": 20, "on": 385, "share": 20 / 385}
MANY = {"known": True, "affected_on": 193, "on": 385, "share": 193 / 385}
NOBODY = {"known": True, "affected_on": 0, "on": 0, "share": None}
NOT_KNOWN = {"known": False, "why": "no table ErrorLogs"}
METRICS = {"socketLatencyMs": {"value": 1450, "threshold": {"max": 1000}, "unit": "ms", "verdict": "degraded"}}


def gate(verdict: str, **more: Any) -> Facts:
    return {"verdict": verdict, "metrics": METRICS, **more}


def decide(facts: Any, escalate: str = "ask", **options: Any) -> Facts:
    result = scenario2_decision(facts, escalate=escalate, **options)
    assert result["decision"] in ("go_on", "hold", "escalate", "ask", "pause", "unknown")
    assert result["failed"] is (result["decision"] in ("ask", "unknown") or result["row"] == "ok_not_counted")
    assert result["headline"] in result["lines"]
    assert bool(result["command"]) is (result["decision"] not in ("go_on", "hold") or result["failed"])
    assert all("\n" not in line for line in result["lines"])
    assert (result["decision"] == "escalate") <= (escalate == "auto")
    return result


@pytest.mark.parametrize(
    ("row", "facts", "by_itself", "asked"),
    [
        ("ranked", {"before": FEW}, "go_on", "go_on"),
        ("ranked", {"before": {**FEW, "affected_on": 0, "share": 0.0}, "gate": {}}, "go_on", "go_on"),
        ("not_ranked", {"before": NOT_KNOWN}, "unknown", "unknown"),
        ("not_ranked", {}, "unknown", "unknown"),
        ("not_ranked", {"before": {**NOT_KNOWN, "tenants": []}}, "unknown", "unknown"),
        ("ranked_in_part", {"before": {**NOT_KNOWN, "tenants": [{"tenant": "7"}]}}, "go_on", "go_on"),
        ("most", {"before": MANY}, "escalate", "ask"),
        ("most", {"before": MANY, "gate": gate("ok")}, "escalate", "ask"),
        ("most", {"before": FEW, "gate": gate("ok"), "after": MANY}, "escalate", "ask"),
        ("nobody", {"before": NOBODY}, "unknown", "unknown"),
        # The list has those that were on, and the same command, typed again, continues with them.
        ("ranked", {"before": {**NOBODY, "tenants": [{"tenant": "7"}]}}, "go_on", "go_on"),
        ("nobody", {"before": FEW, "gate": gate("degraded"), "after": NOBODY}, "unknown", "unknown"),
        ("nobody", {"before": NOBODY, "gate": gate("degraded")}, "unknown", "unknown"),
        ("degraded", {"before": NOBODY, "gate": gate("degraded"), "after": NOT_KNOWN}, "escalate", "ask"),
        ("ok", {"before": FEW, "gate": gate("ok"), "after": NOBODY}, "hold", "hold"),
        ("ok", {"before": FEW, "gate": gate("ok")}, "hold", "hold"),
        ("ok", {"before": FEW, "gate": gate("ok"), "after": FEW}, "hold", "hold"),
        ("ok", {"before": NOT_KNOWN, "gate": gate("ok"), "after": FEW}, "hold", "hold"),
        ("ok_not_counted", {"before": FEW, "gate": gate("ok"), "after": NOT_KNOWN}, "hold", "hold"),
        ("ok_not_counted", {"before": NOT_KNOWN, "gate": gate("ok")}, "hold", "hold"),
        ("ok_not_counted", {"gate": gate("ok")}, "hold", "hold"),
        ("most", {"before": MANY, "gate": gate("ok"), "after": NOT_KNOWN}, "escalate", "ask"),
        ("degraded", {"before": FEW, "gate": gate("degraded")}, "escalate", "ask"),
        ("unstable", {"before": FEW, "gate": gate("unstable")}, "pause", "pause"),
        ("no_data", {"before": FEW, "gate": gate("no_data", metrics={})}, "unknown", "unknown"),
        ("no_data", {"before": FEW, "gate": {"verdict": "what?"}}, "unknown", "unknown"),
        ("no_data", {"before": FEW, "gate": "broken"}, "unknown", "unknown"),
    ],
)
def test_each_row(row: str, facts: Facts, by_itself: str, asked: str) -> None:
    for escalate, decision in (("auto", by_itself), ("ask", asked), ("", asked), ("Auto", asked)):
        result = decide(facts, escalate)
        assert (result["row"], result["decision"]) == (row, decision)
        if decision == "ask":
            assert f"Next: {result['command']}" in result["lines"]
            assert result["command"].startswith("ansible-playbook chatia.kanban_rollback.scenario1")


def test_the_figures_come_first() -> None:
    result = decide({"before": FEW, "gate": gate("degraded"), "after": FEW}, arguments=["-i", "in production"])
    assert result["lines"] == [
        "Metrics: socketLatencyMs 1,450 ms (at most 1,000 ms)",
        "Affected when this run began: 20 of 385 tenants that are on, 5.19 %",
        "Affected since the switch: 20 of 385 tenants that are on, 5.19 %",
        "SCENARIO 1 IS NEXT, TYPE IT: still degraded after the selective rollback.",
        "Next: ansible-playbook chatia.kanban_rollback.scenario1 -i 'in production'",
        "With -e kanban_escalate=auto the run goes on to it by itself.",
    ]


def test_where_nobody_knows_a_person_gets_both_lines_to_type() -> None:
    lines = decide({"before": NOT_KNOWN}, arguments=["-i", "production"])["lines"]
    assert lines == [
        "Affected when this run began: not known: no table ErrorLogs",
        "NOT KNOWN: who is affected is not known, so nobody was switched off.",
        "Look at the source that gave no data, then: ansible-playbook chatia.kanban_rollback.scenario2 -i production",
        "Without data nothing goes on by itself. Where it cannot wait, off for everybody: ansible-playbook "
        "chatia.kanban_rollback.scenario1 -i production",
    ]


def test_better_by_the_metrics_alone_holds_and_says_what_is_not_known() -> None:
    lines = decide({"before": FEW, "gate": gate("ok"), "after": NOT_KNOWN}, arguments=["-i", "production"])["lines"]
    assert lines[2:] == [
        "Affected since the switch: not known: no table ErrorLogs",
        "HOLD: better by the metrics, and who is affected is not known: the selective rollback stays.",
        "Look at the source that did not say who is affected, then: "
        "ansible-playbook chatia.kanban_rollback.scenario2 -i production",
        "Next: find the cause. Then those tenants get it back:",
        "ansible-playbook chatia.kanban_rollback.reenable -i production -e kanban_reenable=all",
    ]


def test_where_nobody_is_on_nobody_is_told_to_switch_everybody_off() -> None:
    for facts in ({"before": NOBODY}, {"before": FEW, "gate": gate("degraded"), "after": NOBODY}):
        lines = decide(facts, arguments=["-i", "production"])["lines"]
        assert lines[-3:] == [
            "NOBODY IS ON: no tenant is on, so there is nobody left to switch off, and something else is wrong.",
            "Look at what else ails the application, and whether kanban_flag reads the flag as the application does.",
            "What is measured, and which scenario it is: ansible-playbook chatia.kanban_rollback.triage -i production",
        ]


def test_a_watch_becomes_facts_with_figures_for_people() -> None:
    limit = {"max": 20.0, "unit": "%", "consecutive": 3}
    metric = {"name": "memory", "value": 0.36628320967995404, "threshold": limit, "verdict": "ok"}
    facts = gate_facts({"verdict": "ok", "metrics": [metric], "silent": {"app2": "could not\nbe reached"}})
    assert facts["metrics"]["memory"]["value"] == 0.3663
    assert facts["why"] == "app2: could not be reached"
    assert decide({"before": FEW, "gate": facts})["lines"][0] == "Metrics: memory 0.366 % (at most 20 %)"
    for nothing, why in (
        ({}, "nothing was measured"),
        (None, "nothing was measured"),
        ({"problem": "no\nsource"}, "no source"),
    ):
        facts = gate_facts(nothing)
        assert (facts["verdict"], facts["why"]) == ("no_data", why)
        assert f"Metrics: {why}" in decide({"before": FEW, "gate": facts})["lines"]


def test_what_did_not_count_is_named_and_a_watch_that_was_not_steady_is_no_hold() -> None:
    metric = {"name": "error_rate", "value": 0.0, "threshold": {"max": 0.1}, "verdict": "ok"}
    spells = [{"verdict": "unstable", "from": 60.0, "to": 280.0}]
    watch = {"verdict": "ok", "metrics": [metric], "spells": spells, "end": "whole", "unmeasured": ["query_p95"]}
    facts = gate_facts({**watch, "steady": True})
    result = decide({"before": FEW, "gate": facts})
    assert (result["row"], result["lines"][0]) == (
        "ok",
        "Metrics: error_rate 0 (at most 0.1); NOT MEASURED, for no source is given: query_p95; "
        "was unstable from 01:00 to 04:40",
    )
    shaken = decide({"before": FEW, "gate": gate_facts({**watch, "steady": False})})
    assert (shaken["decision"], shaken["row"]) == ("pause", "unstable")
    assert "was unstable from 01:00 to 04:40" in shaken["lines"][0]


def test_the_limit_is_given() -> None:
    assert decide({"before": FEW}, share=0.05)["decision"] == "ask"
    assert decide({"before": MANY}, share=0.9)["decision"] == "go_on"


anything = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
shares = st.sampled_from([FEW, MANY, NOBODY, NOT_KNOWN]) | anything
gates = st.sampled_from([gate("ok"), gate("degraded"), gate("unstable"), gate("no_data"), {}]) | anything


@given(st.fixed_dictionaries({}, optional={"before": shares, "after": shares, "gate": gates}) | anything)
def test_every_input_has_one_decision_and_good_only_where_it_is_known(facts: Any) -> None:
    result = decide(facts, "auto")
    assert result["row"] in MATRIX
    if result["decision"] == "hold":
        assert facts["gate"]["verdict"] == "ok"
        found = [facts[name] for name in ("after", "before") if isinstance(facts.get(name), dict)]
        assert result["failed"] is (found[:1] in ([], [NOT_KNOWN]))
    if result["decision"] == "escalate":
        assert MANY in (facts.get("before"), facts.get("after")) or facts["gate"]["verdict"] == "degraded"


@pytest.mark.parametrize("share", [None, "50%", "0,5", [], True])
def test_a_limit_that_is_no_number_keeps_nobody_from_being_helped(share: Any) -> None:
    result = decide({"before": FEW}, share=share)
    assert result["decision"] == "go_on"
    assert any("Kanban_share_limit is " in line and "the plan's 0.5 counts" in line for line in result["lines"])
    assert decide({"before": MANY}, share=share)["row"] == "most"
    assert decide({"before": FEW}, share="0.5")["lines"] == decide({"before": FEW}, share=0.5)["lines"]
