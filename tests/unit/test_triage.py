# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each path through the decision tree."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._tree import OUTCOMES, START, TREE
from tests.unit.measured import ALL_DOWN, GONE, GOOD, NO_SOCKETS, SLOW, Facts, answers, decide, facts


def test_all_known_and_good_is_no_incident() -> None:
    result = decide(GOOD)
    assert (result["scenario"], result["severity"], result["failed"]) == ("none", "none", False)
    assert answers(result) == ["no", "no", "no", "no", "no", "yes"]
    assert result["lines"][-1] == "NO INCIDENT: everything is known, and good"


@pytest.mark.parametrize(
    ("what", "scenario", "severity"),
    [("corruption", "scenario3", "P0"), ("down", "scenario1", "P0"), ("security", "scenario1", "P0")],
)
def test_what_a_person_declares_comes_first(what: str, scenario: str, severity: str) -> None:
    # Measurements are not considered, good or bad.
    for measured in (facts(), {}, facts(integrity={"status": "corrupt"})):
        result = decide({**measured, "declared": {"what": what, "reason": "a customer\ncalled"}})
        assert (result["scenario"], result["severity"]) == (scenario, severity)
        assert answers(result) == ["yes"]
        assert "a customer called" in result["headline"]
        assert result["lines"][-1] == f"Next: ansible-playbook chatia.kanban_rollback.{scenario}"


@pytest.mark.parametrize(
    ("given", "recommended"),
    [
        (facts(), "none"),
        (facts(integrity={"status": "corrupt", "counts": {"orphan_tags": 12}}), "scenario3"),
        (facts(performance=SLOW), "scenario2"),
        (facts(integrity={"status": "unknown"}), "unknown"),
    ],
)
def test_a_p2_is_recorded_and_switches_nothing(given: Facts, recommended: str) -> None:
    result = decide({**given, "declared": {"what": "p2", "reason": "colours are off"}})
    assert (result["scenario"], result["severity"], result["recommended"]) == ("p2", "P2", recommended)
    assert "nothing is switched" in result["headline"]
    assert result["failed"] is (recommended != "none")


def test_a_word_that_nobody_knows_is_not_taken_for_nothing() -> None:
    result = decide(facts(declared={"what": "corupption"}))
    assert result["scenario"] == "unknown"
    assert "corupption" in result["path"][0]["because"]


def test_corruption_is_scenario_3_with_its_counts() -> None:
    counts = {"orphan_tags": 12, "invalid_lanes": 0, "duplicate_ticket_tags": 4000}
    result = decide(facts(integrity={"status": "corrupt", "counts": counts, "not_applicable": ["x"]}, performance=SLOW))
    assert (result["scenario"], result["severity"]) == ("scenario3", "P0")
    assert answers(result) == ["no", "yes"]
    assert result["path"][1]["because"] == "duplicate_ticket_tags 4,000, orphan_tags 12; does not apply here: x"


def test_what_does_not_decide_is_said() -> None:
    noted = {"two": 2, "slow": None, **{f"more{i}": 1 for i in range(5)}}
    for status, scenario in (("ok", "none"), ("corrupt", "scenario3"), ("unknown", "unknown")):
        result = decide(facts(integrity={"status": status, "noted": noted, "why": "too slow"}))
        assert result["scenario"] == scenario
        told = "; noted, and does not decide: slow not counted, two 2, more0 1, more1 1, more2 1 and 2 more"
        assert told in result["path"][1]["because"]
    assert "noted" not in decide(facts(integrity={"noted": "odd"}))["path"][1]["because"]


@pytest.mark.parametrize(
    "integrity",
    [
        {"status": "unknown", "why": "orphan_tags ran out of time"},
        {"status": "ok", "counts": {}, "not_applicable": ["orphan_tags"]},
        {"status": "ok", "counts": {"orphan_tags": None}},
        {"status": None},
        {},
        None,
        "no",
    ],
)
def test_integrity_that_is_not_known_is_a_fork_of_its_own(integrity: Any) -> None:
    given = {**facts(), "integrity": integrity}
    result = decide(given)
    assert (result["scenario"], result["unknown"]) == ("unknown", ["Is data corrupt?"])
    assert any(line.startswith("Look at: why the checks") for line in result["lines"])
    # It does not prevent a scenario that is known.
    assert decide({**given, "performance": SLOW})["scenario"] == "scenario2"
    assert decide({**given, "health": {**GOOD["health"], **ALL_DOWN}})["scenario"] == "scenario1"


def test_what_is_tolerated_is_told_and_is_no_corruption() -> None:
    result = decide(facts(integrity={"counts": {"orphan_tags": 5, "x": 0}}))
    assert result["scenario"] == "none"
    assert "tolerated: orphan_tags 5" in result["path"][1]["because"]


@pytest.mark.parametrize(
    ("health", "scenario"),
    [
        (ALL_DOWN, "scenario1"),
        ({**ALL_DOWN, "places": 1}, "scenario1"),
        ({**ALL_DOWN, "tries": 2}, "unknown"),
        (GONE, "scenario1"),
        ({**GONE, "places": 1}, "unknown"),
        ({**GONE, "tries": 1}, "unknown"),
        ({"healthy": 0, "unhealthy": 1, "unreachable": 1}, "scenario1"),
        ({"healthy": 0, "unhealthy": 1, "unreachable": 1, "places": 1}, "unknown"),
        ({"healthy": 0, "unhealthy": 1}, "unknown"),
        ({"healthy": 1, "unhealthy": 1}, "unknown"),
        ({"healthy": 1, "unreachable": 1}, "unknown"),
        ({"hosts": 0, "healthy": 0}, "unknown"),
        ({"hosts": [], "healthy": []}, "unknown"),
        ({"hosts": None, "healthy": None}, "unknown"),
        ({"sockets": NO_SOCKETS}, "scenario1"),
        ({"sockets": NO_SOCKETS, "tries": 1}, "unknown"),
        ({"sockets": {**NO_SOCKETS, "connected": 1, "refused": 1}}, "unknown"),
        ({"sockets": {**NO_SOCKETS, "refused": 1, "unreachable": 1}}, "unknown"),
        ({"sockets": {**NO_SOCKETS, "refused": 0, "unclear": 2}}, "unknown"),
        ({"sockets": {**NO_SOCKETS, "connected": 2, "refused": 0, "unclear": 1}}, "unknown"),
        ({"sockets": {}}, "unknown"),
        ({"sockets": None}, "unknown"),
        # Hosts that are healthy are asked once; their sockets are watched.
        ({"tries": 1, "sockets": {**NO_SOCKETS, "tries": 3}}, "scenario1"),
        ({"tries": 3, "sockets": {**NO_SOCKETS, "tries": 2}}, "unknown"),
        ({**ALL_DOWN, "sockets": {**NO_SOCKETS, "tries": 1}}, "scenario1"),
        ({**GONE, "places": 1, "sockets": {**NO_SOCKETS, "tries": 3}}, "scenario1"),
        ({**ALL_DOWN, "users": {"asked": True, "served": True}}, "unknown"),
        ({**GONE, "users": {"asked": True, "served": "True"}}, "unknown"),
        ({**ALL_DOWN, "users": {"asked": True, "served": True}, "sockets": {**NO_SOCKETS, "tries": 1}}, "unknown"),
        ({**ALL_DOWN, "users": {"asked": True, "served": False}}, "scenario1"),
        ({"hosts": 0, "healthy": 0, "users": {"asked": True, "served": True}}, "unknown"),
        ({"unhealthy": 1}, "unknown"),
        ({"users": {"asked": True, "served": False}}, "unknown"),
        ({"users": {"asked": True, "served": True}}, "none"),
        ({"users": {"asked": False, "served": False}}, "none"),
        ({"healthy": 1, "silent": ["app2: no python"]}, "unknown"),
        ({"hosts": ["app1", "app2"], "healthy": ["app1", "app2"], "unhealthy": []}, "none"),
    ],
)
def test_down_is_what_is_known_to_be_down(health: Facts, scenario: str) -> None:
    result = decide(facts(health=health))
    assert result["scenario"] == scenario
    assert len(result["path"]) == (3 if scenario == "scenario1" else 6)


def test_what_nobody_knows_of_and_who_is_not_served_is_named() -> None:
    silent = decide(facts(health={"healthy": [], "unhealthy": ["app1: HTTP 503"], "silent": ["app2: no python"]}))
    assert "1 not (app1: HTTP 503)" in silent["lines"][2]
    assert silent["lines"][2].endswith("not every application host has an answer (app2: no python)")
    users = {"asked": True, "served": False, "why": ["db1: HTTP 502"]}
    assert "not served at their users' address (db1: HTTP 502)" in decide(facts(health={"users": users}))["lines"][2]
    served = decide(facts(health={**ALL_DOWN, "users": {"asked": True, "served": True}}))
    assert served["unknown"] == []
    assert "served at their users' address" in served["lines"][2]
    hiccup = decide(facts(health={"tries": 3, "sockets": {**NO_SOCKETS, "tries": 2}}))
    assert hiccup["lines"][2].endswith("too few tries, 3 are needed")
    refused = decide(facts(health={"tries": 1, "sockets": {**NO_SOCKETS, "tries": 4}}))
    assert "2 refused 4 times" in refused["headline"]


def test_one_host_that_is_down_is_no_scenario_and_is_not_passed_over() -> None:
    result = decide(facts(health={"healthy": 1, "unhealthy": 1}))
    assert (result["scenario"], result["unknown"]) == ("unknown", [])
    assert "1 of 2 hosts healthy, 1 not" in result["lines"][2]
    assert "Look at: the hosts that are not healthy, and their logs" in result["lines"]
    named = decide(facts(health={"healthy": ["app1"], "unhealthy": [], "unreachable": ["app2"]}))
    assert "1 out of reach (app2)" in named["lines"][2]
    assert decide(facts(health={"healthy": 1, "unhealthy": 1}, performance=SLOW))["scenario"] == "scenario2"


@pytest.mark.parametrize(
    ("affected", "scenario"),
    [
        ({"share": 0.49, "affected_on": 189}, "scenario2"),
        ({"share": 0.5, "affected_on": 193}, "scenario1"),
        ({"share": None, "affected_on": 192, "on": 384}, "scenario1"),
        ({"share": "0.75"}, "scenario1"),
        ({"known": False, "why": "no table ErrorLogs"}, "scenario2"),
        ({"share": None, "affected_on": None}, "scenario2"),
        ({"on": 0, "affected_on": 0, "share": None}, "unknown"),
    ],
)
def test_a_performance_issue_is_scenario_2_until_it_is_most_tenants(affected: Facts, scenario: str) -> None:
    result = decide(facts(performance=SLOW, affected=affected))
    assert result["scenario"] == scenario
    assert result["path"][3]["because"] == "socketLatencyMs 1,450 ms (at most 1,000 ms)"
    assert result["severity"] == {"scenario1": "P0", "scenario2": "P1"}.get(scenario, "none")


def test_unstable_recommends_a_pause_whoever_is_affected() -> None:
    for share in (0.1, 0.9):
        result = decide(facts(performance={**SLOW, "verdict": "unstable"}, affected={"share": share}))
        assert (result["scenario"], result["severity"]) == ("pause", "P1")
        assert "kanban_pause=true" in result["command"]


@pytest.mark.parametrize(
    "performance", [{"verdict": "no_data"}, {"verdict": "ok", "metrics": {}}, {"verdict": "OK?"}, {}, None]
)
def test_no_metrics_is_no_good_news(performance: Any) -> None:
    result = decide({**facts(), "performance": performance})
    assert (result["scenario"], result["unknown"]) == ("unknown", ["Is there a performance issue?"])


@pytest.mark.parametrize(
    ("affected", "scenario"),
    [
        ({"share": 0.9}, "unknown"),
        ({"known": False}, "unknown"),
        ({"known": False, "applies": False, "why": "there is no ErrorLogs"}, "none"),
        ({"on": 0, "affected_on": 0, "share": None}, "none"),
    ],
)
def test_errors_beside_good_metrics(affected: Facts, scenario: str) -> None:
    assert decide(facts(affected=affected))["scenario"] == scenario


def test_the_command_is_quoted_for_a_shell_and_text_stays_one_line() -> None:
    result = decide(
        facts(integrity={"status": "corrupt", "counts": {"x\n; rm -rf /": 1}}),
        arguments=["-i", "my inventories/prod", "-e", "kanban_reason=it's $HOME"],
    )
    assert result["command"] == (
        "ansible-playbook chatia.kanban_rollback.scenario3 -i 'my inventories/prod' "
        """-e 'kanban_reason=it'"'"'s $HOME'"""
    )


@pytest.mark.parametrize(
    ("given", "acts"),
    [
        (facts(integrity={"status": "corrupt", "counts": {"x": 1}}), "scenario3"),
        (facts(health=ALL_DOWN), "scenario1"),
        (facts(performance=SLOW), "scenario2"),
        (facts(performance={**SLOW, "verdict": "unstable"}), "scenario2"),
        (facts(), ""),
        (facts(integrity={"status": "unknown"}), ""),
        (facts(declared={"what": "p2"}, integrity={"status": "corrupt", "counts": {"x": 1}}), ""),
    ],
)
def test_it_is_gone_on_with_only_where_that_is_asked_for_and_the_scenario_is_clear(given: Facts, acts: str) -> None:
    assert decide(given, act=True)["acts"] == acts
    for off in (False, "False", None):
        assert decide(given, act=off)["acts"] == ""
    lines = decide(given, act="True")["lines"]
    assert (f"Going on with {acts}." in lines) is bool(acts)
    assert any(line.startswith("Next: ") for line in lines) is (
        not acts and decide(given)["recommended"] in ("scenario1", "scenario2", "scenario3", "pause")
    )


def test_what_is_recorded_is_the_decision_and_its_path_and_is_bounded() -> None:
    long = {f"check {number} {'x' * 400}": number for number in range(1, 100)}
    result = decide(
        facts(integrity={"status": "corrupt", "counts": long}, declared={"what": "p2", "reason": "y" * 9000})
    )
    record = result["record"]
    assert set(record) == {"scenario", "recommended", "severity", "headline", "path", "command"}
    assert record["path"] == result["path"]
    assert len(json.dumps(record)) < 8000
    assert result["reason"] == result["path"][-1]["because"][:300]


def test_the_limits_are_given() -> None:
    assert decide(facts(health={**ALL_DOWN, "tries": 1}), tries=1)["scenario"] == "scenario1"
    assert decide(facts(health={**GONE, "places": 2}), places=3)["scenario"] == "unknown"
    assert decide(facts(performance=SLOW, affected={"share": 0.3}), share=0.3)["scenario"] == "scenario1"


def test_every_way_leads_on_or_out_and_none_leads_back() -> None:
    order = list(TREE)
    assert order[0] == START
    for place, (name, fork) in enumerate(TREE.items()):
        for way in fork.ways.values():
            assert way.answer in ("yes", "no", "unknown")
            assert way.to in OUTCOMES or order.index(way.to) > place, name
            # What is not known must be looked at, unless the outcome is a scenario that finds out by itself.
            assert way.answer != "unknown" or way.look or way.to == "scenario2", name
            assert way.to != "none" or name == "whole"


def test_where_nobody_has_it_a_rollback_is_said_to_mend_nothing() -> None:
    off, told = {"known": True, "share": None, "affected_on": 0, "on": 0}, "off for everybody already"
    down = decide(facts(health=ALL_DOWN, affected=off))
    assert down["scenario"] == "scenario1"
    assert any(told in line for line in down["lines"])
    assert down["lines"][-1].startswith("To have it proven off all the same: ")
    assert "Next: " not in "\n".join(down["lines"])
    for some in ({**off, "on": 3}, {**off, "known": False}, {}):
        assert not any(told in line for line in decide(facts(health=ALL_DOWN, affected=some))["lines"])
    assert not any(told in line for line in decide(facts(affected=off))["lines"])
