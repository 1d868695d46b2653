# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage passes only if everything says so, and what could not be determined is never a pass."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._returnjudge import (
    stage_data,
    stage_stopped,
    stage_switched,
    stage_verdict,
    stage_withdrawn,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._returnscreen import return_screen

PLAN = {
    "incident_id": "INC-1",
    "why": [],
    "writes": False,
    "passed": [],
    "todo": [],
    "hosts": ["db1"],
    "kills": {},
    "notes": [],
}
STAGE = {"name": "stage 10 %", "share": 10.0, "above": 0.0, "begun": False}
SECONDS = {"test": 7200.0, "stage": 3600.0}
METRIC = {
    "name": "error_rate", "verdict": "ok", "settled": True, "ignored": False, "value": 0.02, "threshold": {"unit": "%"},
    "hosts": [],
}  # fmt: skip
GATE = {
    "gate": "stage 10 %", "verdict": "ok", "passed": True, "settled": True, "metrics": [METRIC], "try": 6,
    "seconds": 60.0, "watched_seconds": 60.0, "interval": 10.0, "end": "whole",
    "ledger_kept": True, "interrupted": "", "steady": True,
}  # fmt: skip


def counted(**checks: tuple[str, int | None]) -> dict[str, Any]:
    rows = [
        {"name": name, "severity": severity, "count": count, "why": "slow",
         "status": "timeout" if count is None else "corrupt" if count else "ok"}
        for name, (severity, count) in checks.items()
    ]  # fmt: skip
    return {"db1": {"database": {"cluster": "1", "writable": True}, "checks": rows}}


def verdict(counts: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "data": stage_data(counted(lost=("critical", 0), odd=("high", 0))), "gate": GATE,
        "logs": {"bad": [], "lines": ["app1: 2 of 2 processes run"]},
        "renewals": {"db1": {"kills": 1}}, "kills": {"db1": 1}, **changes,
    }  # fmt: skip
    return stage_verdict({"counts": {"lost": 0} if counts is None else counts}, **given)


def test_a_stage_passes_where_metrics_data_and_logs_are_good() -> None:
    made = verdict()
    assert (made["passed"], made["bad"]) == (True, [])
    assert "Data: 2 checks that count, nothing is corrupt, no worse than before the stage." in made["lines"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"gate": {**GATE, "verdict": "degraded", "passed": False}}, "the metrics of stage 10 % are degraded"),
        ({"gate": {}}, "the metrics were not watched"),
        ({"gate": {"problem": "no source"}}, "the metrics were not watched"),
        ({"gate": {**GATE, "passed": False, "interrupted": "db1: rui has it"}}, "the watch was ended: db1: rui has it"),
        ({"logs": {"bad": ["9 error lines on app1"], "lines": []}}, "9 error lines on app1"),
        ({"data": stage_data(counted(lost=("critical", 2)))}, "data is corrupt: lost 2"),
        ({"data": stage_data(counted(lost=("critical", None)))}, "whether data is corrupt is not known"),
        ({"data": stage_data({"db1": {"unreachable": True, "msg": "gone"}})}, "whether data is corrupt is not known"),
        ({"data": stage_data(counted(lost=("critical", 0), odd=("high", 3)))}, "odd counted 0 before the stage, and 3"),
        ({"data": stage_data(counted(lost=("critical", 0), odd=("high", None)))}, "whether odd got worse is not known"),
        ({"renewals": {"db1": {"kills": 2}}}, "db1: somebody stopped it meanwhile: 2 kills, and 1 when this began"),
        ({"renewals": {"db1": {}}}, "db1: it was not asked"),
        ({"renewals": {"db1": {"failed": True, "msg": "lost"}}}, "db1: lost"),
    ],
)
def test_whatever_does_not_say_so_keeps_a_stage_from_passing(changes: dict[str, Any], why: str) -> None:
    made = verdict(**changes)
    assert not made["passed"]
    assert why in "; ".join(made["bad"])


def test_after_a_watch_that_did_not_pass_nothing_else_was_looked_at_and_nothing_is_said_of_it() -> None:
    earlier: dict[str, Any] = {
        "logs": {"bad": ["9 error lines on app1"], "lines": ["app1: gone"]},
        "renewals": {"db1": {}},
    }
    made = verdict(gate={**GATE, "verdict": "degraded", "passed": False}, data=stage_data({"db1": {}}), **earlier)
    assert (made["passed"], len(made["bad"])) == (False, 1)
    assert made["bad"][0].startswith("the metrics of stage 10 % are")
    assert made["lines"][-1].startswith("Processes, logs and data were not looked at again")
    assert "app1: gone" not in made["lines"]


def test_what_was_so_before_the_stage_does_not_count_against_it() -> None:
    data = stage_data(counted(lost=("critical", 0), odd=("high", 3), strange=("low", 9)))
    assert data["counts"] == {"lost": 0, "odd": 3}
    assert verdict({"lost": 0, "odd": 3}, data=data)["passed"]
    assert verdict({"lost": 0, "odd": 4}, data=data)["passed"]
    assert not verdict({"lost": 0, "odd": 2}, data=data)["passed"]
    # If a count was not known then, nobody can say that it did not get worse.
    assert not verdict({"lost": 0, "odd": None}, data=data)["passed"]


def switched(cluster: str = "1", **more: Any) -> dict[str, Any]:
    stage = {"had_it": 20, "before": 2, "tenants": 8}
    made = {"database": {"cluster": cluster}, "stage": stage, "total": 8, "enabled_after": 8, "changed_count": 8}
    return {**made, **more}


def test_a_stage_is_counted_over_databases_each_once() -> None:
    made = stage_switched({"db1": switched(), "db2": switched(changed_count=0), "db3": switched("3")}, STAGE)
    assert (made["had_it"], made["before"], made["tenants"], made["back"], made["switched"]) == (40, 4, 16, 16, 16)
    assert made["bad"] == []
    some = switched(missing_count=1, missing=["7"], failed=True, msg="1 tenants could not be put back")
    made = stage_switched({"db1": some, "db3": {"unreachable": True, "msg": "gone"}}, STAGE)
    assert made["bad"] == ["db1: 1 tenants could not be put back", "db3: could not be reached: gone"]
    assert made["lines"] == ["db1: 1 tenants no longer exist: 7"]


def test_a_value_that_only_somebody_can_give_back_is_named_and_ends_the_stage() -> None:
    other = switched(stage=None, total=1, enabled_after=0, other_values=[{"tenant": "7", "value": '"trial"'}])
    (bad,) = stage_switched({"db1": other}, {"tenant": "7"})["bad"]
    assert bad.startswith('db1: 7 had "trial", which is not what switching on writes')
    assert "type the same command again" in bad


def test_a_tenant_that_nobody_has_cannot_try_it() -> None:
    nobody = switched(total=0, enabled_after=0, changed_count=0, stage=None)
    assert stage_switched({"db1": nobody}, {"tenant": "7"})["bad"] == ["no database has a tenant 7"]


def test_a_stage_is_left_to_the_run_that_took_the_lease_and_to_nobody_else() -> None:
    held = {"failed": True, "error": {"code": "lease_held", "what": "rui is at work"}}
    assert stage_withdrawn({"db1": switched()}, {"db1": {}}) == {"holds": True, "off": 8, "lines": []}
    made = stage_withdrawn({"db1": {"skipped": True, "skip_reason": "x"}}, {"db1": held})
    assert (made["holds"], made["off"]) == (False, 0)
    assert made["lines"] == ["db1: NOT switched off again, for another run is at work: rui is at work"]
    made = stage_withdrawn({"db1": {"unreachable": True, "msg": "gone"}}, {"db1": {"unreachable": True}})
    assert made["lines"] == ["db1: NOT KNOWN to be switched off again: could not be reached: gone"]


def test_a_last_stage_is_off_only_with_the_default_that_came_back_with_it() -> None:
    last = {"had_it": 20, "before": 2, "tenants": 18, "default": True}
    made = stage_withdrawn({"db1": switched(stage=last, global_default="off")}, {})
    assert (made["holds"], made["lines"]) == (True, ["db1: the default of all tenants is off again, too"])
    made = stage_withdrawn({"db1": switched(stage=last, global_default="on")}, {})
    assert (made["holds"], made["lines"]) == (
        False,
        ["db1: NOT switched off again: the default of all tenants, which is still on"],
    )
    # One that the incident never switched off is none of the stage's.
    made = stage_withdrawn({"db1": switched(stage={**last, "default": False}, global_default="on")}, {})
    assert (made["holds"], made["lines"]) == (True, [])


def shown(results: list[dict[str, Any]], plan: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    counts = more.pop("counts", {"db1": switched(total=20, enabled_after=2, stage={"had_it": 20, "tenants": 20})})
    given: dict[str, Any] = {"mode": "staged", "seconds": SECONDS, "arguments": ["-i", "hosts"], **more}
    return return_screen({**PLAN, **(plan or {})}, results, counts, **given)


def result(*, passed: bool, **more: Any) -> dict[str, Any]:
    figures = {"had_it": 20, "before": 0, "tenants": 2, "back": 2, "switched": 2, "bad": [], "lines": []}
    return {"stage": STAGE, "switched": figures, "passed": passed, "bad": [], "lines": ["x"], "withdrawn": {}, **more}


def test_the_last_screen_leads_with_who_has_it_and_what_stopped_it() -> None:
    withdrawn = {"holds": True, "off": 2, "lines": []}
    made = shown([result(passed=False, bad=["9 error lines on app1"], withdrawn=withdrawn)])
    assert (made["verdict"], made["failed"]) == ("degraded", True)
    assert made["headline"] == "RETURNED 2 of 20 tenants that had Kanban V2. STOPPED: stage 10 % did not pass."
    assert made["lines"][1] == "NOT WELL: 9 error lines on app1."
    assert "stage 10 %: its tenants are off again (2 were switched off)." in made["lines"]
    assert made["lines"][-1] == (
        "ansible-playbook chatia.kanban_rollback.scenario1 -i hosts -e kanban_incident_id=INC-1"
    )
    other = {"holds": False, "off": 0, "lines": ["db1: NOT switched off again"]}
    open_end = shown([result(passed=False, bad=["9 error lines on app1"], withdrawn=other)])
    assert open_end["lines"][1] == "NOT WELL: the tenants of stage 10 % are NOT KNOWN to be off again."
    assert open_end["lines"][-1] == made["lines"][-1]
    assert not [line for line in open_end["lines"] if "chatia.kanban_rollback.reenable" in line]
    good = shown([result(passed=True)])
    assert (good["verdict"], good["failed"]) == ("restored", False)
    assert "stage 10 %: PASSED; 2 tenants of 20, 2 switched on by this run." in good["lines"]


def test_what_was_begun_and_not_ended_is_named_with_the_stage_that_did_not_pass() -> None:
    off = {"holds": True, "off": 8, "lines": []}
    other = {"stage": {**STAGE, "name": "stage 50 %"}, "withdrawn": off}
    made = shown([result(passed=False, bad=["x"], withdrawn=off, unended=[other])])
    told = "stage 50 %, which was begun and not ended: its tenants are off again, too (8 were switched off)."
    assert told in made["lines"]
    lost = {**other, "withdrawn": {"holds": False, "off": 0, "lines": ["db1: NOT KNOWN to be switched off again"]}}
    made = shown([result(passed=False, bad=["x"], withdrawn=off, unended=[lost])])
    assert made["lines"][1] == "NOT WELL: the tenants of stage 50 % are NOT KNOWN to be off again."
    assert "chatia.kanban_rollback.scenario1" in made["lines"][-1]
    assert not [line for line in made["lines"] if "chatia.kanban_rollback.reenable" in line]


def counted_back(unreturned: int, *lacking: str, **more: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {"lacking": list(lacking), "lacking_count": len(lacking), "unreturned_count": unreturned}
    stage = {"had_it": 20, "tenants": 20}
    return {"db1": switched(total=20, enabled_after=20 - len(lacking), stage=stage, **figures, **more)}


def test_an_end_with_somebody_off_says_who_and_what_to_type() -> None:
    command = "ansible-playbook chatia.kanban_rollback.{} -i hosts -e kanban_incident_id=INC-1 -e {}"
    made = shown([result(passed=True)], counts=counted_back(0, "7"), closed=True)
    assert (made["verdict"], made["failed"]) == ("degraded", True)
    assert made["headline"] == "RETURNED 19 of 20 tenants that had Kanban V2. NOT WHOLE: 1 that had it is off."
    assert made["lines"][1] == "NOT WELL: db1: off, and nobody is known to have changed it: 7."
    assert command.format("reenable", "kanban_reenable=test -e kanban_test_tenant=7") in made["lines"]
    assert made["lines"][-1] == command.format("report", "kanban_close=true")
    assert not [line for line in made["lines"] if "Everybody has it back" in line or "is closed" in line]
    many = counted_back(9, *map(str, range(9)))
    made = shown([result(passed=True)], counts={**many, "db2": many["db1"]})
    assert made["headline"].endswith("NOT WHOLE: 9 that had it are off.")
    assert made["lines"][1].endswith("0, 1, 2, 3, 4 and 4 more.")
    assert made["lines"][-1] == command.format("reenable", "kanban_reenable=staged")


def test_who_is_off_for_a_reason_that_is_named_is_no_fault_of_a_return() -> None:
    named = {"changed_since": ["7"], "changed_since_count": 1, "missing": ["8"], "missing_count": 1}
    made = shown([result(passed=True)], counts=counted_back(0, **named))
    assert (made["verdict"], made["lines"][-2][:27]) == ("restored", "Everybody has it back and t")
    assert "db1: 1 tenants were changed since and left alone: 7" in made["lines"]
    # Neither is who is off while one tenant tries it, or before the stage of theirs.
    assert not shown([result(passed=True)], counts=counted_back(19, *map(str, range(19))), mode="test")["failed"]
    stopped = shown([result(passed=False)], counts=counted_back(18, *map(str, range(18))))
    assert "NOT WHOLE" not in stopped["headline"]


def test_the_line_to_type_names_the_tenant_that_tries_it() -> None:
    tried = {"name": "test of 7", "tenant": "7", "begun": False}
    made = shown([result(passed=True, stage=tried)], mode="test")
    command = "ansible-playbook chatia.kanban_rollback.reenable -i hosts -e kanban_incident_id=INC-1"
    assert made["lines"][-1] == f"{command} -e kanban_test_tenant=7 -e kanban_reenable=staged"
    made = shown([result(passed=False, stage=tried)], mode="test")
    assert f"{command} -e kanban_test_tenant=7 -e kanban_reenable=test" in made["lines"]


def test_a_row_without_a_tenant_is_called_that_and_is_not_proposed_for_a_try() -> None:
    lacking: list[Any] = [None, "7"]
    lines = shown([result(passed=True)], counts=counted_back(0, *lacking))["lines"]
    assert "NOT WELL: db1: off, and nobody is known to have changed it: the row without a tenant, 7." in lines
    assert [line for line in lines if line.endswith("kanban_test_tenant=7")]


def test_a_plan_says_what_would_come_and_for_how_long() -> None:
    made = shown([result(passed=True)], check_mode=True)
    assert made["headline"] == "PLAN, nothing was changed: stage 10 % would come; 2 of 20 tenants have Kanban V2."
    assert "stage 10 %: 2 tenants of 20, 2 would be switched on, and watched for 60:00." in made["lines"]


def test_a_refusal_points_at_what_lowers_fence_and_block() -> None:
    made = shown([], {"why": ["db1: the fence is up for INC-1."], "writes": True})
    refused = with_page("REFUSED: nobody was switched, and nothing was changed.", "return_refused")
    assert (made["verdict"], made["lines"][0]) == ("failed", refused)
    assert "ansible-playbook chatia.kanban_rollback.release -i hosts -e kanban_incident_id=INC-1" in made["lines"]
    # The undo of a misfire would give writes back to data that nobody has looked at.
    assert not [line for line in made["lines"] if "kanban_reenable=all" in line]
    other = shown([], {"why": ["db1: INC-1 is closed."]})
    assert other["lines"][-1] == "Next: mend what is named above and type the same command again."


def test_what_goes_wrong_at_the_end_is_no_success() -> None:
    made = shown([result(passed=True)], ending=["db1: the latch stays"])
    assert (made["verdict"], made["failed"]) == ("degraded", True)
    assert "NOT WELL: db1: the latch stays." in made["lines"]


def test_kills_of_a_ledger_that_had_no_count_are_not_compared() -> None:
    assert stage_stopped({"db1": {"kills": 5}}, {"db1": None}) == []
