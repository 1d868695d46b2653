# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of all databases, what speaks against it, and whether data is sound; and how the last screen says it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsdata import data_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import (
    assessment_part,
    recovery_part,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import (
    data_judgement,
    plan_of_all,
    why_not_to_recover,
)

GONE = {"unreachable": True, "msg": "no route"}


def planned(cluster: str, made: str = "", rows: int = 0, **more: Any) -> dict[str, Any]:
    plan = {"total_rows": rows, "refused": [], "checks": [], "parts": [], "tables": [], "estimate_seconds": 1.0, **more}
    return {"plan": plan, "plan_hash": made, "database": {"cluster": cluster, "writable": True}}


def check(name: str, count: int | None, severity: str = "critical", status: str = "") -> dict[str, Any]:
    told = status or ("corrupt" if count else "ok")
    return {"name": name, "count": count, "severity": severity, "status": told, "why": "it took too long"}


def counted(*checks: dict[str, Any], cluster: str = "1") -> dict[str, Any]:
    return {
        "checks": list(checks),
        "counts": {one["name"]: one["count"] for one in checks if one["count"] is not None},
        "corrupt": any(one["status"] == "corrupt" for one in checks),
        "not_applicable": [],
        "elapsed_ms": 10,
        "database": {"cluster": cluster, "writable": True},
    }


def point(writes: int | None = 0, unmeasured: str = "", **table: Any) -> dict[str, Any]:
    figures = {
        "compared_by": "key",
        "name": "Tags",
        "rows_then": 9,
        "rows_now": 8,
        "quarantined": 1,
        "restored": 0,
        "new": 0,
        "gone": 0,
    }
    measured = {"measured": writes is not None, "writes": writes, "why": unmeasured}
    return {"recovery_point": measured, "tables": [{**figures, "accounted": True, "why": "", **table}]}


def test_an_override_that_came_as_a_text_is_said_with_the_line_that_would_do() -> None:
    whole = plan_of_all([planned("1", "aa")])
    # What Ansible makes of -e kanban_break_glass={what: [approval], reason: ...}
    found = why_not_to_recover(whole, whole["hash"], "ana", "ana", "{what:", True)  # type: ignore[arg-type]
    assert "is a text" in found[0]
    assert "-e '{kanban_break_glass: {what: [approval], reason: ...}}'" in found[0]
    assert any("may not approve" in text for text in found)
    # Any of these words would be found in such a text, and none would be on record.
    for text in ("approval", "no approval", "approval dump"):
        found = why_not_to_recover(whole, whole["hash"], "ana", "ana", {"what": text, "reason": "x"}, False)
        assert found[0].startswith("what of kanban_break_glass is a text and overrides nothing: type -e '"), found
        assert any("may not approve" in line for line in found), found
        assert any("no proven dump" in line for line in found), found


def test_what_was_counted_in_the_plan_has_to_count_again_and_no_plan_is_no_pass() -> None:
    seen = planned("1", checks=[{"name": "a", "action": "none", "count": 3}])
    checks = counted(check("a", None, status="not_applicable"), check("b", 0))
    assert data_judgement(checks, point(), seen)["unmeasured"] == ["a: it does not apply any more: it took too long"]
    assert data_judgement(checks, point(), planned("1"))["passed"]
    assert "there is no plan" in data_judgement(checks, point(), {})["unmeasured"][0]


def test_a_critical_check_whose_own_table_is_gone_is_no_pass() -> None:
    gone = {**check("a", None, status="not_applicable"), "code": "missing_own_table"}
    judged = data_judgement(counted(gone, check("b", 0)), point(), planned("1"))
    assert (judged["passed"], judged["unmeasured"]) == (False, ["a: it took too long"])
    minor = {**gone, "severity": "warning"}
    assert data_judgement(counted(minor, check("b", 0)), point(), planned("1"))["passed"]


@pytest.mark.parametrize("code", ["lost_connection", "job_lost", "no_job", "unreadable_job"])
def test_a_connection_or_a_job_that_is_lost_leaves_open_whether_it_is_done(code: str) -> None:
    lost = {"failed": True, "error": {"code": code, "what": "Gone."}}
    part = recovery_part(["db1"], [lost], [], "surgical", 3, [])
    assert "repair NOT KNOWN to be done" in part["lines"][0]


def test_sound_data_passes_and_what_nobody_mends_is_noted() -> None:
    checks = counted(check("a", 0), check("b", 3, "high"), check("c", None, "low", "timeout"))
    judged = data_judgement(checks, point(), planned("1"))
    assert (judged["passed"], judged["why"]) == (True, [])
    assert judged["noted"] == ["b: counts 3", "c: it took too long"]
    assert (judged["counts"], judged["checked"], judged["writes"]) == ({"b": 3}, 2, 0)


@pytest.mark.parametrize(
    ("checks", "found", "why"),
    [
        (counted(check("a", 1)), point(), "a: counts 1"),
        (counted(check("a", 0), check("b", 1, "low")), point(), "b: counts 1"),
        (counted(check("a", 0)), point(1234), "1,234 writes were accepted since the fence"),
        (counted(check("a", 0)), point(accounted=False, why="2 are gone"), "of Tags is accounted for: 2 are gone"),
    ],
)
def test_unsound_data_does_not_pass(checks: dict[str, Any], found: dict[str, Any], why: str) -> None:
    mends = planned("1", checks=[{"name": "b", "action": "delete", "count": 1}])
    judged = data_judgement(checks, found, mends)
    assert not judged["passed"]
    assert (len(judged["why"]), judged["unmeasured"]) == (1, [])
    assert why in judged["why"][0]


def test_what_was_left_out_on_purpose_is_said_and_no_failure() -> None:
    checks = counted(check("a", 0))
    assert data_judgement(checks, {}, planned("1"), dumped=False)["noted"] == [
        "rows and writes since the stop were not compared: there is no dump"
    ]
    assert data_judgement(checks, {}, planned("1"), fenced=False)["passed"]


def part_of(plan: dict[str, Any], checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return assessment_part(["db1"], [checks], [plan], plan_of_all([plan]), ["-i", "inv"], **more)


def test_a_plan_is_shown_with_the_line_that_applies_it() -> None:
    part = part_of(planned("1", "aa", 3), counted(check("a", 3)), recovers=False)
    assert (part["kind"], part["holds"], part["good"]) == ("recover", True, "the plan would repair 3 rows")
    assert part["next"][1] == (
        "ansible-playbook chatia.kanban_rollback.scenario3 -i inv -e kanban_recovery=surgical -e kanban_plan_hash=aa "
        "-e kanban_approved_by='<who has looked at it>'"
    )
    assert "next" not in part_of(planned("1", "aa", 3), counted(check("a", 3)), recovers=True)
    # This is a plan of the stop: by the time that the stop is done, the data has another plan.
    assert "next" not in part_of(planned("1", "aa", 3), counted(check("a", 3)), recovers=False, check_mode=True)


def test_what_stays_corrupt_whatever_is_applied_is_said_with_the_plan() -> None:
    looked = [{"name": "a", "action": "none"}, {"name": "b", "action": "delete"}, {"name": "c", "action": "none"}]
    checks = counted(check("a", 2), check("b", 3), check("c", 4, severity="high"))
    lines = part_of(planned("1", "aa", 3, checks=looked), checks)["lines"]
    told = [line for line in lines if "NOT IN THE PLAN" in line]
    assert len(told) == 1
    assert told[0].startswith("db1: NOT IN THE PLAN: 2 rows of a, with which the data is not validated")


def test_an_undo_does_not_go_by_what_was_counted_before_it_and_says_what_comes_next() -> None:
    assert part_of(planned("1"), counted(check("a", 0)), undo=True)["good"] == ""
    done = {"undone": [1], "changed": True, "tables": []}
    part = recovery_part(["db1"], [done], [], "undo", 0, ["-i", "inv"])
    assert part["next"][-1] == "ansible-playbook chatia.kanban_rollback.scenario3 -i inv"


def test_a_plan_that_could_not_be_applied_is_no_good_but_check_mode_raises_no_fence() -> None:
    refused = [{"code": "not_fenced", "what": "Tags is not fenced."}]
    plan = planned("1", "aa", 3, refused=refused)
    assert part_of(plan, counted(check("a", 3)))["bad"] == ["the plan on db1 could not be applied: Tags is not fenced."]
    assert part_of(plan, counted(check("a", 3)), check_mode=True)["holds"]
    many = planned("1", "aa", 3, refused=[{"code": "too_many_rows", "what": "3 rows"}])
    assert not part_of(many, counted(check("a", 3)), check_mode=True)["holds"]


def test_a_database_that_was_not_assessed_is_not_passed_over() -> None:
    part = assessment_part(["db1"], [GONE], [{}], plan_of_all([]), [])
    assert part["bad"] == ["the data on db1 is not assessed"]
    assert assessment_part([], [], [], plan_of_all([]), [])["bad"] == ["no data is assessed, for no primary answered"]
    half = part_of({"failed": True, "msg": "boom"}, counted(check("a", 0)))
    assert half["bad"] == ["there is no plan for db1"]


def test_nothing_corrupt_says_so_and_may_have_been_a_misfire() -> None:
    part = part_of(planned("1"), counted(check("a", 0)))
    assert (part["kind"], part["good"]) == ("preserve", "the checks found nothing corrupt")


def test_a_repair_that_was_refused_or_failed_fails() -> None:
    refused = recovery_part(["db1"], [{}], ["no hash"], "surgical", 3, [])
    assert refused["bad"] == ["the repair was not done: no hash"]
    failed = recovery_part(["db1"], [{"failed": True, "error": {"what": "It changed."}}], [], "surgical", 3, [])
    assert failed["bad"] == ["the data on db1 is not repaired"]
    assert failed["lines"] == ["db1: repair NOT DONE: It changed."]
    assert recovery_part([], [], [], "surgical", 3, [])["bad"] == ["nothing was repaired, for no primary answered"]
    assert recovery_part(["db1"], [{}], [], "none", 3, [])["kind"] == "nothing"


def test_a_repair_says_what_it_found_and_left_and_how_it_is_undone() -> None:
    one = {"name": "a", "action": "delete", "count": 3, "remaining": 0}
    done = {**planned("1", "aa", 3, checks=[one]), "changed": True, "repair_id": 7, "quarantined": 3, "elapsed_ms": 900}
    part = recovery_part(["db1"], [done], [], "surgical", 3, [])
    assert (part["holds"], part["good"]) == (True, "3 rows repaired")
    assert part["lines"] == [
        "db1: 3 rows are repaired and kept in quarantine as repair 7 in 0.9 s",
        "db1: a: 3 found, 0 remaining",
    ]
    assert "kanban_recovery=undo" in part["next"][1]


def test_an_undo_with_something_in_the_way_names_it() -> None:
    row = {"table": "Tags", "why": "the key is in use again", "key": {"id": "1"}}
    failed = {"failed": True, "undone": [], "conflicts": [row], "error": {"what": "1 row."}}
    part = recovery_part(["db1"], [failed], [], "undo", 0, [])
    assert part["bad"] == ["the data on db1 is not as before the repair"]
    assert part["lines"][1] == "db1: in the way: Tags: the key is in use again"
    # A look in check mode does not fail, but does not say that nothing was there either.
    looked = {"changed": False, "undone": [7], "tables": [], "conflicts": [row], "conflicts_count": 1200}
    part = recovery_part(["db1"], [{**looked, "warnings": ["Of INC-1."]}], [], "undo", 0, [], plan=True)
    assert (part["holds"], part["bad"]) == (False, ["1,200 rows on db1 cannot come back"])
    assert part["lines"][:1] == ["db1: in the way: Tags: the key is in use again"]
    assert "INC-1" in part["lines"][1]
    reasons = [{"code": "not_fenced", "what": "No fence."}, {"code": "missing_privilege", "what": "It may not."}]
    part = recovery_part(["db1"], [{**looked, "conflicts_count": 0, "refused": reasons}], [], "undo", 0, [], plan=True)
    assert part["bad"] == ["the undo on db1 could not be done: It may not."]


def test_data_counts_as_validated_only_where_it_is_recorded() -> None:
    judged = data_judgement(counted(check("a", 0)), point(), planned("1"))
    told = {**judged, "recorded": True}
    part = data_part(["db1"], [told], "", ["-i", "inv"])
    assert (part["holds"], part["next"][1]) == (True, "ansible-playbook chatia.kanban_rollback.release -i inv")
    assert data_part(["db1"], [judged], "", [])["bad"] == ["that the data on db1 is sound could not be recorded"]
    assert data_part(["db1"], [{}], "", [])["bad"] == ["the data on db1 is not validated"]
    assert data_part([], [], "", [])["bad"] == ["no data was validated, for no primary answered"]
    rows = [{"what": "gone", "key": {"id": "7"}, "then": {}, "now": None}]
    lost = data_judgement(counted(check("a", 0)), point(1, gone=1, rows_then=None, samples=rows, accounted=False), {})
    lines = data_part(["db1"], [{**lost, "recorded": True}], "", [])["lines"]
    assert lines[:2] == [
        "db1: Tags: an unknown number of rows in the dump, 8 now: 1 in quarantine, 1 GONE",
        "db1: Tags: gone: id 7",
    ]
    nothing = data_part(["db1"], [{**told, "checked": 0, "counts": {}}], "", [])["lines"]
    assert "db1: no check was counted" in nothing, "none at zero, for none was asked"
    assert "db1: 1 checks counted, all at zero" in part["lines"]
    waits = data_part(["db1"], [{}], "that comes with the repair", [])
    assert (waits["kind"], waits["holds"], waits["lines"]) == (
        "nothing", True, ["Not validated: that comes with the repair"],
    )  # fmt: skip


def test_a_stop_says_what_is_not_assessed_and_does_not_fail_for_it() -> None:
    whole = plan_of_all([])
    part = assessment_part(["db1"], [GONE], [{}], whole, [], recovers=False)
    assert (part["holds"], part["good"]) == (True, "")
    assert part["lines"][0] == "Before anything is repaired or released: the data on db1 is not assessed"
    data = data_part(["db1"], [{}], "", [], recovers=False)
    assert (data["holds"], data["good"], "next" in data) == (True, "", False)
    assert data["lines"][0] == "Before anything is repaired or released: the data on db1 is not validated"


def test_deletions_that_only_the_counters_tell_of_are_noted_for_what_they_may_be_and_are_no_failure() -> None:
    judged = data_judgement(counted(check("a", 0)), point(reported_late=1_200), planned("1"))
    assert (judged["passed"], judged["why"]) == (True, [])
    assert judged["noted"] == [
        "Tags: 1,200 deletions stand in the server's counters alone: reported late from before the fence, rolled back, "
        "or by hand of a role that it lets pass (nobody has touched the fence since its drain)"
    ]
