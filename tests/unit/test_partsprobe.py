# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of kill, walk and health: a part holds only when every application host says so."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsprobe import (
    commit_moment,
    health_part,
    proof_part,
    v1_moment,
    walk_part,
)
from tests.unit.answers import UNREACHABLE, Answer, answer, judge, replica, text

FAILED: Answer = {"failed": True, "msg": "no.", "error": {"what": "serves_path is no path.", "code": "bad_json_path"}}
MASKED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def process(number: int = 1, serves: str = "v1", error: str | None = None) -> Answer:
    return {"url": f"http://127.0.0.1:{8079 + number}", "pid": 100 + number, "serves": serves, "error": error}


def proof(*unproven: Answer, **more: Any) -> Answer:
    rows = [process(1), *unproven]
    figures = {"p50_seconds": 0.3, "max_seconds": 0.9, "committed_seconds_ago": 0.2, "elapsed_ms": 1500}
    return {"proven": not unproven, "processes": rows, "unproven": list(unproven), **figures, **more}


def step(name: str, passed: bool | None = True, why: str | None = None) -> Answer:
    return {"name": name, "status": 200 if passed else None, "ms": 12, "passed": passed, "why": why}


def walk(*steps: Answer, **more: Any) -> Answer:
    rows = list(steps) or [step("log in"), step("see the board")]
    return {"passed": all(row["passed"] is not False for row in rows), "steps": rows, "elapsed_ms": 840, **more}


def whole(part: dict[str, Any]) -> str:
    return "\n".join([*part["bad"], *part["lines"]])


def test_a_proof_says_how_many_and_how_long_after_the_commit() -> None:
    named = proof_part(["app1"], [proof()], named=True)
    assert named["good"] == "every application process serves V1 to those of the list"
    part = proof_part(["app1", "app2"], [proof(), proof(max_seconds=2)], [1.7, 2.2])
    assert (part["kind"], part["holds"]) == ("validate", True)
    # Half a second passed before app2 was asked, which its module could not know.
    assert part["lines"] == [
        "app1: 1 of 1 processes serve V1, at most 0.3 s (median) and 0.9 s (slowest) after the commit",
        "app2: 1 of 1 processes serve V1, at most 0.8 s (median) and 2.5 s (slowest) after the commit",
    ]
    assert part["good"] == "every application process serves V1, the last at most 2.5 s after the commit"


@pytest.mark.parametrize("seconds", [[], [0.0], [0]])
def test_without_the_moment_of_the_commit_no_figure_is_made_up(seconds: list[float]) -> None:
    part = proof_part(["app1"], [proof()], seconds)
    assert part["holds"]
    assert part["lines"] == ["app1: 1 of 1 processes serve V1"]


def test_of_a_list_that_was_asked_for_in_part_no_more_is_said() -> None:
    names, all_asked = ["app1", "app2"], proof(tenants_asked=20, tenants_named=20)
    part = proof_part(names, [all_asked, proof(tenants_asked=20, tenants_named=40)], [1.7, 1.7], named=True)
    assert part["holds"]
    assert part["good"] == (
        "every application process serves V1 to 20 of the 40, the others were not asked for, "
        "the last at most 0.9 s after the commit"
    )
    headline = judge({"db1": answer(total=40, changed=40)}, parts=[part], named=True)["headline"]
    assert "to 20 of the 40, the others" in headline
    assert "to those of the list" not in headline
    whole_list = "every application process serves V1 to those of the list"
    assert proof_part(["app1"], [all_asked], named=True)["good"] == whole_list
    masked = proof(tenants_asked=MASKED, tenants_named=40)
    assert proof_part(["app1"], [masked], named=True)["good"] == f"{whole_list} that were asked for"


def test_a_process_that_is_not_proven_is_named_with_its_reason() -> None:
    on, silent = process(2, "v2", "it serves V2 (12)"), {**process(3, "unknown", "connection refused"), "pid": None}
    part = proof_part(["app1"], [proof(on, silent)], [5.0])
    assert (part["holds"], part["bad"]) == (False, ["V1 is not proven on app1"])
    assert "app1: 1 of 3 processes serve V1" in whole(part)
    assert "app1: process 102 at http://127.0.0.1:8081 SERVES V2: it serves V2 (12)" in part["lines"]
    assert "app1: a process at http://127.0.0.1:8082 NOT PROVEN: connection refused" in part["lines"]
    listed = {"processes": [{"pid": 101, "pm_id": 0}, {"pid": 102, "pm_id": 1}]}
    told = proof_part(["app1"], [proof(on, silent)], [5.0], listed=[listed])["next"]
    assert told == ["Next, on app1: process 102 goes on serving V2 and has to be started again: pm2 restart 1"]
    assert part["next"] == ["Next, on app1: process 102 goes on serving V2 and has to be started again"]
    many = proof_part(["app1"], [proof(*[on] * 9)], [5.0])
    assert "app1: 4 more processes are not proven" in many["lines"]


def living(*numbers: int, name: str = "api", **more: Any) -> list[Answer]:
    return [{"name": name, "pid": 100 + number, "pm_id": number, "alive": True, **more} for number in numbers]


def test_a_number_that_is_out_of_date_is_held_against_the_list_of_pm2() -> None:
    asked = proof(processes=[process(1), process(2)])
    part = proof_part(["app1"], [asked], [2.0], listed=[{"processes": living(1, 2, 3, 4)}])
    assert part["bad"] == [
        "V1 is not proven on app1: pm2 lists 4 living processes of api, 2 were asked "
        "(kanban_app_process_urls, kanban_app_processes, kanban_app_pm2_names)"
    ]
    dead = [*living(1, 2), *living(3, 4, alive=False)]
    assert proof_part(["app1"], [asked], [2.0], listed=[{"processes": dead}])["holds"]
    # A process that was restarted since is not an additional one.
    assert proof_part(["app1"], [asked], [2.0], listed=[{"processes": living(1, 9)}])["holds"]
    # Two addresses of one process are one process.
    twice = proof(processes=[process(1), {**process(2), "pid": 101}])
    assert not proof_part(["app1"], [twice], [2.0], listed=[{"processes": living(1, 2)}])["holds"]


def test_other_processes_of_pm2_are_named_and_not_held_against_the_proof() -> None:
    asked = proof(processes=[process(1), process(2)])
    listed = {"processes": [*living(1, 2), *living(5, 6, name="mail\nner")]}
    part = proof_part(["app1"], [asked], [2.0], listed=[listed])
    assert part["holds"]
    assert part["lines"][1:] == ["app1: pm2 also lists mail ner, not asked which board it serves"]
    # If no id is found again, nobody can tell which process is which.
    nameless = proof(processes=[{**process(1), "pid": None}, {**process(2), "pid": None}])
    part = proof_part(["app1"], [nameless], [2.0], listed=[listed])
    assert "4 living processes of api, mail ner, 2 were asked" in part["bad"][0]
    assert proof_part(["app1"], [nameless], [2.0], listed=[{"processes": living(1, 2)}])["holds"]


@pytest.mark.parametrize("unknown", [FAILED, UNREACHABLE])
def test_a_list_that_could_not_be_read_is_said(unknown: Answer) -> None:
    part = proof_part(["app1"], [proof()], [2.0], listed=[unknown])
    assert (part["holds"], len(part["lines"])) == (True, 2)
    assert part["lines"][1].startswith("app1: whether these are all of its processes is not known: ")
    assert len(proof_part(["app1"], [proof()], [2.0], listed=[{"skipped": True, "processes": []}])["lines"]) == 1


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED, {"skipped": True, "skip_reason": "no"}])
@pytest.mark.parametrize("judged", [proof_part, walk_part, health_part])
def test_a_host_that_could_not_be_asked_is_named(judged: Any, nothing: Answer) -> None:
    good = {proof_part: proof(), walk_part: walk(), health_part: walk(step("health"))}[judged]
    part = judged(["app1", "app2"], [good, nothing])
    assert not part["holds"]
    assert any("app2" in bad for bad in part["bad"])
    assert "app2: " in whole(part)
    assert "NOT ACCOUNTED FOR" in whole(part)
    assert not any("app1" in bad for bad in part["bad"])
    # A host without any answer counts as well.
    assert not judged(["app1", "app2"], [good])["holds"]


@pytest.mark.parametrize("judged", [proof_part, walk_part, health_part])
def test_an_empty_group_is_a_failure_and_none_is_said(judged: Any) -> None:
    empty = judged([], [])
    assert not empty["holds"]
    assert "for the group 'app' has no hosts" in empty["bad"][0]
    none = judged([], [], group="none")
    assert (none["kind"], none["holds"]) == ("nothing", True)
    assert none["good"] == "the application was not asked (there are no application hosts)"


@pytest.mark.parametrize("odd", [MASKED, "True", 1, None])
def test_only_true_is_proven_and_passed(odd: Any) -> None:
    assert not proof_part(["app1"], [proof(proven=odd)], [2.0])["holds"]
    assert not walk_part(["app1"], [walk(passed=odd)])["holds"]
    assert not health_part(["app1"], [walk(step("health"), passed=odd)])["holds"]


def test_figures_that_were_masked_do_not_break_the_screen() -> None:
    masked = proof(max_seconds=MASKED, p50_seconds=MASKED)
    assert proof_part(["app1"], [masked], [2.0])["lines"] == ["app1: 1 of 1 processes serve V1"]
    assert walk_part(["app1"], [walk(elapsed_ms=MASKED)])["holds"]


def test_a_walk_says_what_was_walked_and_where_it_failed() -> None:
    good = walk_part(["app1"], [walk()])
    assert (good["kind"], good["holds"]) == ("validate", True)
    assert good["lines"] == ["app1: the V1 walk passed in 0.8 s: log in, see the board"]
    failed = walk(
        step("log in"), step("open a ticket", False, "it answered 502, not 200"), step("board", None, "not sent")
    )
    bad = walk_part(["app1"], [failed])
    assert bad["bad"] == ["the V1 walk failed on app1"]
    assert bad["lines"] == [
        "app1: the V1 walk FAILED at open a ticket: it answered 502, not 200",
        "app1: what passed of the V1 walk: log in",
    ]


def test_a_walk_without_steps_is_said_and_is_no_pass() -> None:
    part = walk_part(["app1"], [{}], wanted=False)
    assert (part["kind"], part["good"]) == ("nothing", "no V1 walk (it has no steps)")
    assert part["lines"] == ["No V1 walk was made: kanban_app_v1_steps is empty."]


def test_the_address_of_users_is_judged_as_well() -> None:
    part = health_part(
        ["app1", "localhost"], [walk(step("health")), walk(step("health", False, "it answered 502, not 200"))]
    )
    assert (part["holds"], part["lines"][1]) == (False, "the users' address: NOT HEALTHY: it answered 502, not 200")
    # Without application hosts it is all there is to ask.
    assert health_part(["localhost"], [walk(step("health"))], "none")["lines"] == [
        "the users' address: healthy, 200 in 12 ms"
    ]


def test_health_is_what_the_application_says() -> None:
    assert health_part(["app1"], [walk(step("health"))])["lines"] == ["app1: healthy, 200 in 12 ms"]
    part = health_part(["app1"], [walk(step("health", False, "it answered 503, not 200"))])
    assert part["bad"] == ["app1 is not healthy"]
    assert part["lines"] == ["app1: NOT HEALTHY: it answered 503, not 200"]


def test_a_plan_lists_what_would_be_asked() -> None:
    planned = walk(step("log in", None), step("board", None), passed=None)
    assert proof_part(["app1"], [{}], plan=True)["holds"]
    part = walk_part(["app1"], [planned], plan=True)
    assert (part["holds"], part["lines"]) == (True, ["app1: would be walked: log in, board"])
    assert health_part(["app1"], [walk(step("health", None), passed=None)], plan=True)["holds"]
    assert not walk_part(["app1"], [UNREACHABLE], plan=True)["holds"]


def test_a_part_that_does_not_hold_degrades_the_verdict_and_stands_in_the_headline() -> None:
    parts = [proof_part(["app1"], [proof()], [1.7]), health_part(["app1"], [UNREACHABLE])]
    result = judge({"db1": answer()}, parts=parts)
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert "every application process serves V1, the last at most 0.9 s after the commit" in result["headline"]
    assert "NOT WELL: the health of app1 is not known" in result["headline"]
    assert "app1: health NOT ACCOUNTED FOR" in text(result)


def test_the_commit_is_what_was_noted_less_what_went_by_since() -> None:
    flag, fence = answer(), {"elapsed_ms": 500}
    assert commit_moment([1000.0], [flag], [fence]) == pytest.approx(999.47)
    assert commit_moment([1000.0], [flag], [{}]) == pytest.approx(999.97)
    # The last of several counts; replicas and hosts that said nothing do not.
    several = commit_moment([990.0, 1000.0, 1010.0, 0, 1020.0], [flag, flag, replica(), flag, UNREACHABLE], [fence] * 5)
    assert several == pytest.approx(999.47)
    assert commit_moment([1000.0], [UNREACHABLE], [{}]) == 0
    assert commit_moment([], [], []) == 0
    # The kill raised the fence as well; or it tried to, and the task did it.
    told = answer(fence={"elapsed_ms": 500, "holds": True}, fence_ms=510)
    assert commit_moment([1000.0], [told], [fence]) == pytest.approx(999.46)
    tried = answer(fence=None, fence_ms=6000)
    assert commit_moment([1000.0], [tried], [fence]) == pytest.approx(993.47)
    # Without a fence the task was skipped or failed, and nothing is known of it.
    assert commit_moment([1000.0], [flag], [{"skipped": True}]) == pytest.approx(999.97)


def killed(count: int = 0, ago: float | None = None) -> Answer:
    return answer(changed_count=count, incident={"incident_id": "INC-1", "switched_seconds_ago": ago})


def test_errors_count_since_the_kill_that_switched_somebody_and_not_since_one_that_found_nobody() -> None:
    # This run switched somebody off: errors count from when its processes turned.
    assert v1_moment(1005.0, [1000.0], [killed(60)], 30) == 1005
    assert v1_moment(1005.0, [1000.0, 1001.0], [killed(0, 900), killed(3)], 30) == 1005
    # An earlier run did, a quarter of an hour ago, and its processes had their time.
    assert v1_moment(1005.0, [1000.0], [killed(0, 900)], 30) == 130
    assert v1_moment(1005.0, [1000.0, 1001.0], [killed(0, 900), killed(0, 601)], 30) == 430
    # It was seconds ago, and this run has seen them turn.
    assert v1_moment(1005.0, [1000.0], [killed(0, 4)], 30) == 1005


@pytest.mark.parametrize("flag", [{}, UNREACHABLE, killed(), replica()])
def test_where_no_ledger_says_when_it_was_it_is_what_this_run_saw(flag: Answer) -> None:
    assert v1_moment(1005.0, [1000.0], [flag], 30) == 1005
    assert v1_moment(1005.0, [0.0], [killed(0, 900)], 30) == 1005
    assert v1_moment(1005.0, [], [], 30) == 1005


def test_the_way_past_a_host_that_is_gone_is_a_line_to_type() -> None:
    gone = {"unreachable": True, "msg": "no route to host"}
    past = proof_part(["app1", "app2"], [proof(), gone])["next"]
    assert past == ["To go on without app2, with the same command: -e 'kanban_app_hosts=app:!app2'"]
    # Ansible splits at commas alone where there is one.
    for group in ("app1,app2", ["app1", "app2"]):
        past = proof_part(["app1", "app2"], [proof(), gone], group=group)["next"]
        assert past == ["To go on without app2, with the same command: -e 'kanban_app_hosts=app1,app2,!app2'"]
    # Nobody is left to go on with, or the other host answered and is not well.
    assert "next" not in proof_part(["app1"], [gone])
    assert "next" not in proof_part(["app1", "app2"], [proof(), {"failed": True, "msg": "broken"}])
