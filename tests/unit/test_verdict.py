# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who should have answered compared with who did: what holds is never better than what was seen."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import with_page
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsfence import fence_part
from tests.unit.answers import REFUSED, UNREACHABLE, Answer, answer, database, judge, replica, swept, text


def test_all_databases_off_is_contained() -> None:
    result = judge({"db1": answer("1/1"), "db2": answer("2/1", total=50, changed=7)}, {"db1": swept("1/1")})
    assert (result["verdict"], result["failed"]) == ("contained", False)
    assert result["headline"] == "CONTAINED: Kanban V2 is off for all 1,050 tenants (307 were switched off now)."
    assert result["lines"][0] == result["headline"]


def test_a_second_run_that_has_nothing_to_do_is_contained_too() -> None:
    result = judge({"db1": answer(changed=0)})
    assert result["verdict"] == "contained"
    assert "0 were switched off now" in result["headline"]


def test_one_dead_host_is_degraded_and_named() -> None:
    result = judge({"db1": answer(), "db2": UNREACHABLE})
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert result["headline"].startswith("CONTAINED IN PART: 1 of 2 hosts did not answer.")
    told = "could not be reached: Failed to connect via ssh: Connection timed out"
    assert with_page(f"db2: NOT ACCOUNTED FOR: {told}", "host_silent") in result["lines"]


def test_what_was_begun_on_a_host_that_fell_silent_may_have_been_done() -> None:
    silent = {"failed": True, "msg": "Task failed: Timed out after 45 second(s).", "timedout": {"period": 45}}
    mute = {"unreachable": True, "msg": "Task failed: Timeout (12s) waiting for a prompt"}
    lines = text(judge({"db1": answer(), "db2": silent, "db3": mute}, {"db1": silent}))
    told = "no answer within 45 s; what was begun there may have been done all the same"
    assert f"db2: NOT ACCOUNTED FOR: {told}" in lines
    assert "db3: NOT ACCOUNTED FOR: could not be reached: Timeout (12s) waiting for a prompt" in lines
    assert f"db1: the sweep after the kill gave no answer: {told}" in lines
    assert fence_part(["db1"], [answer()], [silent], [])["lines"] == [f"db1: fence NOT ACCOUNTED FOR: {told}"]


def test_a_word_that_nobody_knows_keeps_no_stop_from_being_done_and_is_told() -> None:
    result = judge({"db1": answer(), "db2": answer("2/1")}, on_blocked=["terminat", "terminat"])
    assert result["verdict"] == "contained"
    said = "kanban_on_blocked is terminat, and may be report or terminate: nobody was ended."
    assert [line for line in result["lines"] if "kanban_on_blocked" in line] == [said]
    known = judge({"db1": answer(), "db2": answer("2/1")}, on_blocked=["report", "terminate"])
    assert "kanban_on_blocked" not in text(known)


def test_who_said_no_is_not_said_to_be_silent() -> None:
    may_not: Answer = {"failed": True, "msg": "It lacks UPDATE.", "error": {"code": "missing_privilege"}}
    nobody: Answer = {"failed": True, "msg": "Refused.", "error": {"code": "unreachable"}}
    assert judge({"db1": may_not})["headline"].startswith("NOT CONTAINED: 1 of 1 hosts could not do it. No tenant")
    several = judge({"db1": answer(), "db2": may_not, "db3": nobody, "db4": UNREACHABLE})
    assert "2 of 4 hosts did not answer. 1 of 4 hosts could not do it. 0 of 1,000" in several["headline"]
    assert "db2: NOT ACCOUNTED FOR: It lacks UPDATE." in several["lines"]


@pytest.mark.parametrize("dead", [UNREACHABLE, REFUSED, {}])
def test_all_dead_is_failed_however_they_died(dead: Answer) -> None:
    result = judge({"db1": dead, "db2": dead})
    assert (result["verdict"], result["failed"]) == ("failed", True)
    assert result["headline"].startswith("NOT CONTAINED: 2 of 2 hosts did not answer.")
    assert text(result).count("NOT ACCOUNTED FOR") == 2


def test_a_host_that_was_never_asked_is_said_to_be() -> None:
    assert "db2: NOT ACCOUNTED FOR: was not asked" in text(judge({"db1": answer(), "db2": {}}))


@pytest.mark.parametrize("what", ["contain", "restore"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_an_empty_group_is_a_failure_and_no_pass(what: str, check_mode: bool) -> None:
    result = judge({}, what=what, check_mode=check_mode, group="db_eu")
    assert (result["verdict"], result["failed"]) == ("failed", True)
    assert result["headline"] == "FAILED: the group 'db_eu' has no hosts, so nothing was asked and nothing was done."


def test_a_database_that_is_blocked_is_not_contained_and_says_by_whom() -> None:
    blocked = [
        {
            "tenant": "17",
            "pid": 4242,
            "application_name": "worker",
            "transaction_age": 61.7,
            "to_end_it": "SELECT pg_terminate_backend(4242)",
        },
        {"tenant": "18", "pid": None},
        {"tenant": None, "pid": 0, "application_name": None, "transaction_age": None, "to_end_it": "ROLLBACK PREPARED"},
    ]
    result = judge({"db1": answer(on=2, changed=298, blocked=blocked)})
    assert (result["verdict"], result["failed"]) == ("failed", True)
    assert "2 of 1,000 tenants that could be counted still have Kanban V2" in result["headline"]
    assert "db1: 2 tenants are still on." in result["lines"]
    assert (
        "db1: tenant 17 is held by pid 4242 (worker, in its transaction for 62 s); "
        "to end it: SELECT pg_terminate_backend(4242)"
    ) in result["lines"]
    assert "db1: tenant 18 is held, by whom could not be seen" in result["lines"]
    assert "db1: the table is held by pid 0 (no name); to end it: ROLLBACK PREPARED" in result["lines"]


@pytest.mark.parametrize(
    ("table", "word", "start"), [("public.T", "degraded", "CONTAINED IN PART"), (None, "failed", "NOT")]
)
def test_of_several_tables_it_is_in_part_if_each_is_off(table: str | None, word: str, start: str) -> None:
    error = {"code": "same_name", "what": "Several tables are named T: app.T (3 of 3), public.T (1 of 1)."}
    rows = [{"table": "app.T", "changed_count": 3}, {"table": table, "changed_count": 1}]
    several = answer(changed=4) | {"failed": True, "error": error, "same_name": rows, "table": "app.T"}
    result = judge({"db1": several})
    assert (result["verdict"], result["failed"]) == (word, True)
    assert result["headline"].startswith(start)
    assert error["what"] in text(result)
    assert ", app.T: 4 tenants switched off" in text(result)


def test_a_kill_that_was_blocked_and_finished_by_the_sweep_is_contained() -> None:
    result = judge({"db1": answer(on=2, changed=298)}, {"db1": swept(changed=2)})
    assert (result["verdict"], result["failed"]) == ("contained", False)
    assert "(300 were switched off now)" in result["headline"]


def test_a_flag_that_is_on_again_at_the_sweep_is_not_contained() -> None:
    result = judge({"db1": answer()}, {"db1": swept(on=1)})
    assert (result["verdict"], result["failed"]) == ("failed", True)


def test_a_flag_that_is_on_again_in_the_end_is_not_contained() -> None:
    still = [{"database": database(), "enabled": 7, "on_again": 7}]
    result = judge({"db1": answer()}, {"db1": swept(latch={"raised": False})}, still=still, final=True)
    assert (result["verdict"], result["failed"], result["contained"]) == ("failed", True, False)
    assert result["headline"] == "NOT CONTAINED: 7 of 1,000 tenants that could be counted still have Kanban V2."
    assert any("300 tenants switched off, 7 of 1,000 on" in line for line in result["lines"])
    again = "db1: 7 tenants have it again, switched on after the sweep. Unless somebody undid this on purpose"
    assert any(line.startswith(again) for line in result["lines"])
    calm = judge({"db1": answer()}, {"db1": swept()}, still=[{"database": database(), "enabled": 0}])
    assert calm["verdict"] == "contained"


def test_settings_that_nobody_can_read_in_the_end_are_not_contained() -> None:
    still = [{"database": database(), "enabled": 0, "on_again": 0, "unreadable_count": 2}]
    result = judge({"db1": answer()}, {"db1": swept()}, still=still, final=True)
    assert (result["verdict"], result["failed"], result["contained"]) == ("failed", True, False)
    assert any("the settings of 2 tenants are no JSON since the sweep" in line for line in result["lines"])


def test_a_default_that_is_on_again_in_the_end_is_told() -> None:
    off: dict[str, Any] = {"global_default": "off"}
    still = [{"database": database(), "enabled": 0, "on_again": 0, "global_default": "on"}]
    calm = judge({"db1": answer(**off)}, {"db1": swept(**off)}, still=[{**still[0], **off}], final=True)
    result = judge({"db1": answer(**off)}, {"db1": swept(**off)}, still=still, final=True)
    assert "default" not in f"{calm['headline']} {calm['lines']}"
    assert "default" in f"{result['headline']} {result['lines']}"
    assert (calm["failed"], result["failed"]) == (False, True)


def test_unreadable_settings_fail_the_count_and_are_listed() -> None:
    more: Answer = {
        "unreadable_count": 1234,
        "unreadable": [str(i) for i in range(20)],
        "failed": True,
        "msg": "1234 no JSON",
    }
    result = judge({"db1": answer(**more)})
    assert (result["verdict"], result["failed"]) == ("failed", True)
    assert "db1: 1,234 tenants have settings that are no JSON and were left: 0, 1, 2, 3, 4" in result["lines"]


def test_a_table_that_could_not_be_counted_is_not_called_empty() -> None:
    result = judge({"db1": {"database": database(), "failed": True, "msg": "The table is held.", "changed_count": 0}})
    assert (result["verdict"], result["failed"]) == ("failed", True)
    assert result["headline"] == "NOT CONTAINED: No tenant could be counted."
    assert "The table is held." in text(result)


KINDS: dict[str, Answer] = {
    "off": answer("1/1"),
    "blocked": answer("2/1", on=2),
    "dead": UNREACHABLE,
    "refused": REFUSED,
    "silent": {},
    "replica": replica("1/1"),
    "headless": replica("3/1"),
    "twin": answer("1/1", changed=0),
}


@pytest.mark.parametrize("what", ["contain", "restore"])
def test_what_holds_is_never_better_than_what_was_seen(what: str) -> None:
    for kinds in itertools.product(KINDS, repeat=3):
        result = judge({f"db{i}": KINDS[kind] for i, kind in enumerate(kinds)}, what=what)
        acted = [kind for kind in kinds if kind in ("off", "blocked", "twin")]
        led = any(kind in ("off", "twin") for kind in kinds)
        silent = [kind for kind in kinds if kind in ("dead", "refused", "silent")]
        led_by_nobody = [kind for kind in kinds if kind == "headless" or (kind == "replica" and not led)]
        lost = [*silent, *led_by_nobody]
        whole = bool(acted) and not lost and "blocked" not in acted
        good = {"contain": "contained", "restore": "restored"}[what]
        assert result["verdict"] == (good if whole else "degraded" if led else "failed"), kinds
        assert result["failed"] is not whole, kinds
        for i in range(3):
            assert any(line.startswith(f"db{i}: ") for line in result["lines"]), kinds
        for of_these, words in ((silent, "did not answer."), (led_by_nobody, "are replicas whose primary is not")):
            said = f"{len(of_these)} of {len(lost) + len(acted)} hosts {words}"
            assert (said in result["headline"]) == bool(of_these), kinds


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_hosts_decides_nothing(kinds: list[str], random: Any) -> None:
    hosts = [(f"db{i}", KINDS[kind]) for i, kind in enumerate(kinds)]
    shuffled = random.sample(hosts, len(hosts))
    one, two = judge(dict(hosts)), judge(dict(shuffled))
    assert (one["verdict"], one["headline"]) == (two["verdict"], two["headline"])
    assert sorted(one["lines"]) == sorted(two["lines"])


@pytest.mark.parametrize("closed", [True, False])
def test_an_undo_says_whether_the_incident_goes_on_and_how_to_close_it(closed: bool) -> None:
    incident = {"incident_id": "INC-7", "open_before": [], "closed": closed}
    shown = judge({"db1": answer("1/1", incident=incident), "db2": answer("2/1", incident=incident)}, what="restore")
    told = shown["lines"][[line.startswith("Incident INC-7 is ") for line in shown["lines"]].index(True) :]
    still = "chatia.kanban_rollback.reenable -e kanban_close=true -e kanban_reenable=all -e kanban_incident_id=INC-7"
    goes_on = ["Incident INC-7 is still open; when it is over, close it:", f"ansible-playbook {still}"]
    assert told == (["Incident INC-7 is closed."] if closed else goes_on)
    planned = judge({"db1": answer(incident=incident)}, what="restore", check_mode=True)
    assert not any(line.startswith("Incident INC-7 is ") for line in planned["lines"])


def test_one_that_was_stopped_again_is_no_success_and_is_not_to_be_undone_blindly() -> None:
    error = {"code": "stopped_again", "what": "Somebody stopped it again while it was undone."}
    stopped = answer("1/1", changed=0, failed=True, msg=error["what"], error=error)
    result = judge({"db1": stopped, "db2": answer("2/1")}, what="restore")
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert "db1: Somebody stopped it again while it was undone." in result["lines"]
    assert "Next: ask who stopped it again" in result["lines"][-1]
    assert "type the same command again" not in text(result)


def test_tenants_that_were_named_are_not_called_all() -> None:
    result = judge({"db1": answer(total=20, changed=18)}, named=True)
    assert result["headline"] == "CONTAINED: Kanban V2 is off for the 20 tenants named (18 were switched off now)."


def test_an_objective_that_counts_more_than_containment_has_both_clocks() -> None:
    lines = judge({"db1": answer()}, seconds=14.24, objective=300, contained_seconds=2.1, whole_seconds=1814.2)["lines"]
    assert "Time: 14.2 s, within the objective of 300 s. Contained after 2.1 s. The run: 1814.2 s." in lines
    assert (
        "Time: 301.0 s, OVER the objective of 300 s." in judge({"db1": answer()}, seconds=301, objective=300)["lines"]
    )


def test_where_nothing_was_contained_there_is_no_time_of_it() -> None:
    for found in ({"db1": UNREACHABLE}, {}):
        lines = judge(found, seconds=9, objective=300, contained_seconds=-1795730395.4 if not found else 8.6)["lines"]
        assert not any("Contained after" in line for line in lines), lines


def test_an_incident_that_was_there_before_is_not_undone_for_this_runs_misfire_alone() -> None:
    begun = {"incident_id": "INC-7", "opened_now": True, "in_ledger": True}
    swept = answer(incident={**begun, "opened_now": False})
    assert "Next, if this was a misfire:" in text(judge({"db1": answer(incident=begun)}, later={"db1": swept}))
    joined = text(judge({"db1": answer(incident={**begun, "opened_now": False})}))
    assert "Next, if all that was stopped in this incident, by earlier runs as well, was a misfire:" in joined


def test_mending_comes_before_what_goes_on_from_here() -> None:
    plan = {"kind": "preserve", "holds": True, "good": "", "bad": [], "lines": [], "next": ["Next: approve the plan"]}
    bad = {"kind": "contain", "holds": False, "good": "", "bad": ["the write block on r1 is not held"], "lines": []}
    lines = judge({"db1": answer()}, parts=[plan, {**bad, "next": ["Next: start r1"]}])["lines"]
    mend = next(line for line in lines if "type the same command again" in line)
    assert lines.index("Next: start r1") < lines.index(mend) < lines.index("Next: approve the plan")


@pytest.mark.parametrize(
    "not_off", [{"db1": answer(on=1)}, {"db1": answer(), "db2": UNREACHABLE}, {"db1": UNREACHABLE}]
)
def test_nothing_goes_on_while_somebody_has_it_or_may_have_it(not_off: dict[str, Answer]) -> None:
    part = {"kind": "preserve", "holds": True, "good": "", "bad": [], "lines": [], "next": ["Next: give writes back"]}
    assert "Next: give writes back" in judge({"db1": answer()}, parts=[part])["lines"]
    lines = judge(not_off, parts=[part])["lines"]
    assert "Next: give writes back" not in lines
    assert any("type the same command again" in line for line in lines)


def test_what_a_part_leaves_to_do_does_not_take_the_place_of_the_same_command_again() -> None:
    part = {"kind": "validate", "holds": False, "good": "", "bad": ["V1 is not proven on app1"], "lines": []}
    lines = judge({"db1": answer()}, parts=[{**part, "next": ["Next, on app1: start process 90 again"]}])["lines"]
    assert lines.index("Next, on app1: start process 90 again") < len(lines) - 1
    assert any("type the same command again" in line for line in lines)
    decided = judge({"db1": answer()}, parts=[{**part, "kind": "decide", "next": ["Next: scenario 1"]}])["lines"]
    assert not any("type the same command again" in line for line in decided)
