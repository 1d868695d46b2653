# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 2 on the last screen: the list, the watch, the decision, the pause, and a verdict over them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import scenario2_decision
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsselective import (
    decision_part,
    pause_part,
    ranking_part,
    watch_part,
)

from .answers import UNREACHABLE, Answer, answer, database, judge, swept, text

READ = {"enabled": 0, "unreadable_count": 0}
SKIPPED: Answer = {"skipped": True, "measured": False, "tenants": []}
# A task that a rescued block never reached.
NEVER: Answer = {"skipped": True, "skip_reason": "Conditional result was False"}


def ranked(*tenants: str, **more: Any) -> Answer:
    rows = [{"tenant": one, "name": f"company {one}", "errors": 40, "mean_seconds_between": 1.5} for one in tenants]
    figures = {
        "affected_on_count": len(rows),
        "on_count": 50,
        "share": len(rows) / 50,
        "more_than": 10,
        "since": "04:21",
        "now": {"affected_on_count": 3, "on_count": 48, "share": 0.0625},
    }
    return {"measured": True, "tenants": rows, "frozen": True, "frozen_at": "05:21", **figures, **more}


def rank_part(*answers: Answer, verified: Answer | None = None, why: str = "", **more: Any) -> dict[str, Any]:
    names = [f"db{number}" for number in range(1, len(answers) + 1)]
    return ranking_part(names, answers, more.pop("not_frozen", [""]), [verified or {}], [why], **more)


def watched(verdict: str = "ok", *, passed: bool = True, **more: Any) -> Answer:
    """Return what the role observe leaves of a watch."""
    metric = {"name": "error_rate", "verdict": verdict, "settled": True, "ignored": False, "value": 0.0, "hosts": []}
    facts = {"gate": "scenario2", "try": 4, "watched_seconds": 300.0, "seconds": 300.0, "interval": 10.0}
    limit = {"threshold": {"max": 0.1, "unit": "%", "consecutive": 3}}
    return {
        "verdict": verdict,
        "metrics": [{**metric, **limit}],
        "passed": passed,
        "ledger_kept": True,
        **facts,
        **more,
    }


def test_a_list_holds_when_the_same_ids_were_read_again_and_are_off() -> None:
    part = rank_part(ranked("7", "9"), verified=READ)
    assert (part["holds"], part["bad"], part["kind"]) == (True, [], "select")
    assert part["good"] == "each of the list was asked for again and is off"
    assert part["lines"] == [
        "db1: 2 of 50 tenants that are on (4.0%) have more than 10 errors since 04:21; the worst 2, frozen at 05:21:",
        "  7 (company 7): 40 errors, one every 1.5 s",
        "  9 (company 9): 40 errors, one every 1.5 s",
        "db1: when this run began 3 of 48 tenants that were on were affected (6.2%)",
    ]


def test_a_tenant_that_was_deleted_since_is_named_and_fails_nothing() -> None:
    part = rank_part(ranked("7", "9", gone=["9"]), verified=READ)
    assert (part["holds"], part["lines"][2]) == (True, "  9 (company 9): 40 errors, one every 1.5 s; it exists no more")
    # If nobody is left, there is nobody to ask for again.
    part = rank_part(ranked("7", gone=["7"]))
    assert (part["holds"], part["good"]) == (True, "the list is ranked")


def test_a_frozen_list_says_where_nobody_knows_how_it_is_now() -> None:
    told = rank_part(ranked("7", now=None), verified=READ)["lines"][-1]
    assert told == "db1: the list is frozen; how many are affected now is not known"


@pytest.mark.parametrize(
    ("verified", "why", "said"),
    [
        (
            {**READ, "enabled": 1},
            "1 of the 2 tenants of the list are on (9)",
            "1 of the 2 tenants of the list are on (9)",
        ),
        (READ, "it took too long", "it took too long"),
        ({"failed": True, "msg": "password refused"}, "", "password refused"),
        ({**READ, "failed": True, "msg": "no right"}, "", "no right"),
        (UNREACHABLE, "", "could not be reached"),
        ({}, "", "it was not asked, because an earlier step got no answer here"),
        (NEVER, "", "it was not asked"),
    ],
)
def test_a_list_that_was_not_read_again_does_not_hold(verified: Answer, why: str, said: str) -> None:
    part = rank_part(ranked("7", "9"), verified=verified, why=why)
    assert (part["holds"], part["bad"]) == (False, ["the list on db1 is not known to be off"])
    assert said in part["lines"][-1]


def test_who_did_not_rank_is_named_and_a_replica_is_not() -> None:
    part = rank_part(
        ranked("7"), SKIPPED, UNREACHABLE, {}, {**NEVER}, {"failed": True, "msg": "no table"}, verified=READ
    )
    assert part["bad"] == [f"the tenants on db{number} are not ranked" for number in (3, 4, 5, 6)]
    assert not any(line.startswith("db2") for line in part["lines"])
    assert "db6: no table" in part["lines"]


def test_an_empty_list_has_nobody_to_read_again_and_a_plan_neither() -> None:
    for part in (rank_part(ranked()), rank_part(ranked("7"), plan=True)):
        assert (part["holds"], part["good"]) == (True, "the list is ranked")


def test_a_list_that_is_not_frozen_is_told_and_is_no_failure() -> None:
    part = rank_part(ranked("7", frozen=False), verified=READ, not_frozen=["the ledger is\nheld"])
    assert part["holds"]
    assert "the list could not be frozen (the ledger is held)" in part["lines"][-1]


def test_a_decision_holds_unless_a_person_is_needed() -> None:
    few = {"known": True, "affected_on": 1, "on": 50, "share": 0.02}
    hold = decision_part(scenario2_decision({"before": few, "gate": {"verdict": "ok", "metrics": {}}}))
    assert (hold["holds"], hold["good"][:12]) == (True, "HOLD: better")
    assert hold["lines"] == [
        "Affected when this run began: 1 of 50 tenants that are on, 2 %",
        "HOLD: better: the selective rollback stays while the cause is looked for.",
    ]
    assert hold["next"][0].startswith("Next: find the cause")
    asks = decision_part(scenario2_decision({"before": few, "gate": {"verdict": "degraded", "metrics": {}}}))
    assert (asks["holds"], asks["bad"][0][:18]) == (False, "SCENARIO 1 IS NEXT")
    screen = text(judge({"db1": answer(total=1, changed=1)}, parts=[asks], named=True))
    assert "Next: ansible-playbook chatia.kanban_rollback.scenario1" in screen
    assert "If this was a misfire" in screen
    # There is one next step, and it is not to type the same again.
    assert "Next: mend" not in screen
    assert decision_part({})["bad"] == decision_part(None)["bad"] == ["nothing was decided"]


def test_a_pause_holds_where_every_primary_is_paused() -> None:
    part = pause_part(["db1", "db2"], [answer(on=12, changed=0, failed=False), {"database": database(writable=False)}])
    assert (part["holds"], part["kind"], part["good"]) == (True, "select", "the roll-out is paused")
    assert part["lines"] == [
        "db1: the roll-out is paused: 12 of 1,000 tenants have it and keep it, nobody else gets it"
    ]
    assert "would be paused" in pause_part(["db1"], [answer(changed=0)], True)["lines"][0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"failed": True, "msg": "the latch is not up", "enabled_after": 1, "total": 2}, "the latch is not up"),
        (UNREACHABLE, "could not be reached"),
        ({}, "it was not asked"),
    ],
)
def test_a_pause_that_is_not_known_does_not_hold(given: Answer, said: str) -> None:
    part = pause_part(["db1"], [given])
    assert part["bad"] == ["the roll-out on db1 is not paused"]
    assert said in part["lines"][0]


def test_a_pause_without_a_primary_does_not_hold() -> None:
    assert pause_part([], [])["bad"] == ["the roll-out is not paused, for no primary answered"]
    bad = pause_part(["db2"], [{"database": database(writable=False)}])["bad"]
    assert "the roll-out is not paused, for no primary answered" in bad


@pytest.mark.parametrize("verdict", ["degraded", "unstable", "no_data"])
def test_a_watch_that_a_decision_was_made_on_is_told_and_the_decision_judges(verdict: str) -> None:
    alone = watch_part(watched(verdict, passed=False), 5)
    decided = watch_part(watched(verdict, passed=False), 5, decided=True)
    assert (alone["holds"], decided["holds"], decided["bad"]) == (False, True, [])
    assert alone["lines"] == decided["lines"] != []
    assert decided["good"] == "the metrics were watched"


def test_a_watch_that_was_good_in_the_end_and_not_steady_is_decided_as_well() -> None:
    """The decision is to pause, which is an end like any other."""
    decided = watch_part({**watched(passed=False), "steady": False}, 5, decided=True)
    assert (decided["holds"], decided["bad"]) == (True, [])
    assert watch_part({**watched(passed=False), "steady": False}, 5)["holds"] is False


def test_good_and_not_long_enough_holds_for_nobody() -> None:
    for decided in (False, True):
        part = watch_part(watched(passed=False), 5, decided=decided)
        assert (part["holds"], "not long enough to be sure" in part["bad"][0]) == (False, True)
        assert watch_part(watched(), 5, decided=decided)["good"] == "the 1 metrics of scenario2 are good"


def test_a_watch_that_was_left_out_on_purpose_is_no_failure() -> None:
    assert watch_part({}, 0)["good"] == "no watch (kanban_watch_minutes)"
    later = watch_part({}, 5, True)
    assert (later["holds"], later["kind"]) == (True, "nothing")
    assert later["next"][0].startswith("NOT WATCHED YET")
    planned = watch_part({}, 5, True, True)
    assert (planned["holds"], planned["lines"]) == (True, ["The metrics would be watched for 5 minutes."])


def test_a_watch_that_was_to_be_and_was_not_is_a_failure_with_its_reason() -> None:
    assert watch_part({}, 5)["bad"] == ["nothing was watched, for what is above does not hold"]
    assert watch_part({"problem": "no metric"}, 5, decided=True)["holds"] is False
    # Also if an earlier try of this run left something.
    for result in ({}, watched()):
        part = watch_part(result, 5, decided=True, why="no metric has\na source")
        assert (part["bad"], part["lines"]) == (["the metrics were not watched"], ["No watch: no metric has a source"])


def test_the_screen_never_says_that_writes_are_refused_where_some_were_switched() -> None:
    part = rank_part(ranked("7"), verified=READ)
    result = judge({"db1": answer(total=1, changed=1)}, {"db1": swept(total=1)}, parts=[part], named=True)
    assert result["headline"].startswith(
        "CONTAINED: Kanban V2 is off for the 1 tenants named (1 were switched off now)"
    )
    assert "refused" not in text(result)
    result = judge({"db1": answer(total=1, changed=1)}, parts=[rank_part(ranked("7"))], named=True)
    assert (result["verdict"], result["headline"][:17]) == ("degraded", "CONTAINED IN PART")


def test_an_empty_list_reads_as_nobody() -> None:
    result = judge({"db1": answer(total=0, changed=0)}, parts=[rank_part(ranked())], named=True)
    assert result["headline"].startswith("CONTAINED: nobody is on the list, so nobody was switched off.")
    assert judge({"db1": answer(total=0, changed=0)})["headline"].startswith("CONTAINED: Kanban V2 is off for all 0")
