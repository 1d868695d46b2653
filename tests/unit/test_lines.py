# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last screen: what it says about plans, incidents, time and what to do next, one line each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import NOT_ASKED
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import KEEP_OPEN
from tests.unit.answers import REFUSED, UNREACHABLE, Answer, answer, database, judge, swept, text

UNSAVED: Answer = {
    "kept_in": "result",
    "path": None,
    "file_name": "INC-1.priors.jsonl",
    "unsaved": [{"action": "disabled"}],
}


@pytest.mark.parametrize("what", ["contain", "restore"])
def test_a_plan_says_that_nothing_was_changed_and_how_to_do_it(what: str) -> None:
    planned = answer(on=0, changed=300)
    result = judge({"db1": planned}, what=what, check_mode=True)
    assert result["failed"] is False
    assert result["headline"] == "PLAN, nothing was changed: 300 of 1,000 tenants would change."
    assert result["lines"][-1] == "Next: the same command without --check."
    assert "misfire" not in text(result)


def test_a_plan_over_databases_that_did_not_answer_is_no_good_plan() -> None:
    result = judge({"db1": answer(), "db2": UNREACHABLE}, check_mode=True)
    assert result["failed"] is True
    assert "1 of 2 hosts did not answer" in result["headline"]


def incident(name: str, *before: Answer) -> Answer:
    return {"incident_id": name, "open_before": list(before)}


def test_databases_that_know_different_incidents_are_said_to() -> None:
    result = judge(
        {
            "db1": answer("1/1", incident=incident("INC-20261124-007")),
            "db2": answer("2/1", incident=incident("INC-20261125-001")),
        }
    )
    assert result["failed"] is False
    assert result["incident_id"] == "INC-20261125-001"
    assert "Incident INC-20261125-001, environment production" in result["lines"]
    told = [line for line in result["lines"] if "different incidents" in line]
    assert len(told) == 1
    assert "INC-20261124-007, INC-20261125-001" in told[0]
    assert "different incidents" not in text(judge({"db1": answer("1/1"), "db2": answer("2/1")}))


def test_the_incident_that_the_ledger_knows_is_the_one_that_is_named() -> None:
    adopted = judge({"db1": answer(incident=incident("INC-20261124-007"))})
    assert adopted["incident_id"] == "INC-20261124-007"
    assert "-e kanban_incident_id=INC-20261124-007" in text(adopted)
    assert judge({"db1": UNREACHABLE})["incident_id"] == "INC-20261125-001"


def test_a_database_that_does_not_know_the_incident_leads_to_what_to_do() -> None:
    unknown = {"changed": False, "database": database()}
    lines = judge({"db1": unknown}, what="restore")["lines"]
    assert any("this incident. See " in line and line.endswith("errors.md#unknown_incident") for line in lines), lines


def test_an_incident_that_is_open_for_more_than_a_day_is_named_once_and_early() -> None:
    old = {"incident_id": "INC-20261120-001", "opened_at": "2026-11-20T03:00:00Z", "age_seconds": 86_401}
    new = {"incident_id": "INC-20261124-009", "opened_at": "2026-11-24T23:00:00Z", "age_seconds": 86_400}
    both = incident("INC-20261125-001", old, new)
    lines = judge({"db1": answer("1/1", incident=both), "db2": answer("2/1", incident=both)})["lines"]
    told = [i for i, line in enumerate(lines) if "is it still one?" in line]
    assert len(told) == 1
    assert told[0] < 4
    assert "INC-20261120-001 is open since 2026-11-20T03:00:00Z" in lines[told[0]]


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (3.44, "Time: 3.4 s, within the objective of 120 s."),
        (120, "Time: 120.0 s, within the objective of 120 s."),
        (120.5, "Time: 120.5 s, OVER the objective of 120 s."),
    ],
)
def test_the_clock_is_read_against_the_objective(seconds: float, line: str) -> None:
    assert line in judge({"db1": answer()}, seconds=seconds)["lines"]


def test_a_failure_is_never_within_its_objective() -> None:
    assert "within" not in text(judge({"db1": UNREACHABLE}))


def test_earlier_transactions_that_are_still_open_are_named() -> None:
    waiting = [{"pid": pid, "application_name": name} for pid, name in [(11, "worker"), (12, None)]]
    sweep = {"settled": False, "switched_again": 3, "waiting_for": waiting}
    lines = text(judge({"db1": answer()}, {"db1": swept(sweep=sweep)}))
    assert "3 tenants were written back by earlier transactions; they are switched off again" in lines
    assert "still open and could write back: pid 11 (worker), pid 12 (no name)" in lines
    assert "every earlier transaction has ended" not in lines


def test_a_sweep_that_settled_says_what_keeps_the_flag_off() -> None:
    lines = text(judge({"db1": answer()}, {"db1": swept()}))
    assert "the latch is up; every earlier transaction has ended" in lines
    assert "could write back" not in lines
    assert "no latch" in text(judge({"db1": answer()}, {"db1": swept(latch={"raised": False})}))


def test_where_the_prior_values_are_is_named() -> None:
    path = "/var/lib/kanban_rollback/INC.priors.jsonl"
    kept = {"kept_in": "file", "path": path, "unsaved": []}
    assert f"who had it: file {path}" in text(judge({"db1": answer(priors=kept)}))
    assert "who had it: ledger" in text(judge({"db1": answer()}))
    nothing: Answer = {"kept_in": "nothing to keep", "path": None, "unsaved": []}
    assert "who had it" not in text(judge({"db1": answer(changed=0, priors=nothing)}))


def test_no_database_is_asked_to_list_more_than_a_screen_holds() -> None:
    blocked = [{"tenant": str(i), "pid": None} for i in range(50)]
    lines = judge({"db1": answer(on=50, blocked=blocked)})["lines"]
    assert sum("is held" in line for line in lines) == SHOWN


def test_a_restore_counts_what_is_as_before_and_lists_what_was_left_alone() -> None:
    undone = answer(on=0, changed=290, changed_since=["7", "8"], changed_since_count=2, missing=["9"], missing_count=1)
    undone.update(enabled_after=290, already_count=7)
    result = judge({"db1": undone}, what="restore")
    assert (result["verdict"], result["failed"]) == ("restored", False)
    assert (
        result["headline"] == "RESTORED: 290 tenants were put back as before the incident, 290 of 1,000 have Kanban V2."
    )
    assert "7 were so already" in text(result)
    # Another run, perhaps one that was killed, has put everybody back.
    undone.update(changed_count=0, already_count=297)
    result = judge({"db1": undone}, what="restore")
    assert result["headline"] == "RESTORED: nobody was left to put back, 290 of 1,000 have Kanban V2."
    assert "db1: 2 tenants were left alone: somebody changed their flag since: 7, 8" in result["lines"]
    assert "db1: 1 tenants no longer exist: 9" in result["lines"]
    assert "misfire" not in text(result)
    part = judge({"db1": undone, "db2": REFUSED}, what="restore")
    assert part["headline"].startswith("RESTORED IN PART: 1 of 2 hosts did not answer.")
    assert judge({"db2": REFUSED}, what="restore")["headline"].startswith("NOT RESTORED: ")


LEFT_ON: Answer = {"failed": True, "error": {"code": "default_left_on", "what": "It stays on."}, "global_default": "on"}


def test_a_default_of_all_tenants_that_is_left_on_is_not_contained() -> None:
    result = judge({"db1": answer(), "db2": answer("2/1", **LEFT_ON)})
    assert (result["verdict"], result["contained"]) == ("degraded", False)
    assert result["headline"] == (
        "CONTAINED IN PART: 0 of 2,000 tenants that could be counted still have Kanban V2; whoever has no row of their "
        "own may still have it, for the default of all is on."
    )
    assert "db2: to switch off the default of all tenants: -e kanban_global_default=true" in result["lines"]
    assert "kanban_global_default" not in text(judge({"db1": answer(global_default="off")}))
    # Where it is known who has no row, they are in the count.
    counted = judge({"db1": answer(on=9, **LEFT_ON, without_row=9)})["headline"]
    assert counted == "NOT CONTAINED: 9 of 1,000 tenants that could be counted still have Kanban V2."
    # Some are switched off by rows of their own, and the default stays.
    assert "default" not in text(judge({"db1": answer(global_default="on", without_row=0)}, named=True))


@pytest.mark.parametrize(
    ("default", "without", "said"), [("off", None, True), ("off", 900, False), ("absent", None, False)]
)
def test_whoever_has_no_row_is_off_with_the_default(default: str, without: int | None, said: bool) -> None:
    result = judge({"db1": answer(), "db2": answer("2/1", global_default=default, without_row=without)})
    also = " and whoever has no row" if said else ""
    assert result["headline"] == (
        f"CONTAINED: Kanban V2 is off for all 2,000 tenants{also} (600 were switched off now)."
    )
    followers = "0 of 1,000 on, 900 of these have no row and follow the default of all"
    assert any(followers in line for line in result["lines"]) is bool(without)


def test_an_undo_counts_who_came_back_with_the_default() -> None:
    undone = answer(on=990, global_default="on", without_row=903, changed_count=101)
    undone.pop("failed"), undone.pop("error")
    result = judge({"db1": undone}, what="restore")
    assert result["verdict"] == "restored"
    assert any(
        "990 of 1,000 on, 903 tenants without a row have it by the default of all" in line for line in result["lines"]
    )
    undone.update(without_row=None)
    result = judge({"db1": undone}, what="restore")
    assert any("990 of 1,000 on, whoever has no row has it by the default of all" in line for line in result["lines"])


def test_a_default_that_is_held_is_named_with_its_holder() -> None:
    row = {"tenant": None, "default_of_all": True, "pid": 7, "application_name": "x", "transaction_age": 3}
    held = answer(on=1, blocked=[{**row, "to_end_it": "SELECT pg_terminate_backend(7)"}], global_default="on")
    assert any("db1: the default of all tenants is held by pid 7 (x" in line for line in judge({"db1": held})["lines"])


def test_warnings_of_both_answers_are_told_once_each() -> None:
    lines = judge({"db1": answer(warnings=["a", "b"])}, {"db1": swept(warnings=["b", "c"])})["lines"]
    assert [line for line in lines if line in ("db1: a", "db1: b", "db1: c")] == ["db1: a", "db1: b", "db1: c"]


@pytest.mark.parametrize(
    ("hosts", "what", "last"),
    [
        ({"db1": answer()}, "contain", "It is safe to close this terminal."),
        ({"db1": answer()}, "restore", "It is safe to close this terminal."),
        ({"db1": UNREACHABLE}, "contain", "it goes on where this one stopped."),
        ({}, "contain", "it goes on where this one stopped."),
        ({"db1": answer(priors=UNSAVED)}, "contain", KEEP_OPEN),
        ({"db1": answer(priors=UNSAVED)}, "restore", KEEP_OPEN),
        ({"db1": answer(priors_of_default=UNSAVED)}, "contain", KEEP_OPEN),
    ],
)
def test_the_last_line_says_what_to_do_next(hosts: dict[str, Answer], what: str, last: str) -> None:
    assert judge(hosts, what=what)["lines"][-1].endswith(last)


_odd = st.text(st.sampled_from('a{}%"\n\r\t\x0b\u2028\x1b '), min_size=1, max_size=30)


@given(_odd)
def test_text_from_a_database_stays_on_its_line_and_braces_stay_braces(odd: str) -> None:
    blocker = {"pid": 1, "application_name": odd, "transaction_age": 1.0, "to_end_it": f"ROLLBACK PREPARED '{odd}'"}
    bad = answer(
        "1/1", on=1, blocked=[{"tenant": odd, **blocker}], unreadable_count=1, unreadable=[odd], warnings=[odd]
    )
    broken = {"failed": True, "msg": odd, "database": database("2/1")}
    hosts = {"db1": bad, "db2": {**UNREACHABLE, "msg": odd}, "db3": {"failed": True, "msg": odd}, "db4": broken}
    lines = judge(hosts)["lines"]
    assert all(len(line.splitlines()) == 1 for line in lines)
    held = next(line for line in lines if " is held by pid 1 " in line)
    for sign in "{}%":
        assert held.count(sign) == 3 * odd.count(sign)


@given(st.text())
def test_one_line_is_one_and_is_short(odd: str) -> None:
    assert one_line("x" * 301) == "x" * 299 + "…"
    assert one_line("x" * 300) == "x" * 300
    line = one_line(odd)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 300
    assert line.split() == odd.split()[: len(line.split())] or len(odd) > 300


def test_a_plan_says_what_would_be_and_keeps_no_time() -> None:
    plan = judge({"db1": answer()}, check_mode=True)
    assert "300 tenants would be switched off, 0 of 1,000 would be on" in text(plan)
    assert "Time:" not in text(plan)
    assert plan["lines"][-1] == "Next: the same command without --check."


def test_a_plan_that_is_not_whole_is_not_to_be_carried_out() -> None:
    assert "mend what is named above" in judge({"db1": UNREACHABLE}, check_mode=True)["lines"][-1]


def test_what_holds_is_told_beside_what_does_not_and_the_way_back_too() -> None:
    good = {"kind": "contain", "holds": True, "good": "the fence is proven", "bad": [], "lines": []}
    bad = {"kind": "preserve", "holds": False, "good": "evidence is kept", "bad": ["no evidence of app1"], "lines": []}
    result = judge({"db1": answer()}, parts=[good, bad, good])
    assert result["headline"].endswith(" Also: the fence is proven. NOT WELL: no evidence of app1.")
    undo = "ansible-playbook chatia.kanban_rollback.reenable -e kanban_reenable=all -e kanban_incident_id="
    assert f"If this was a misfire:\n{undo}" in text(result)
    # Each has a line of its own, and what does not hold comes first.
    assert result["lines"][1:3] == ["NOT WELL: no evidence of app1.", "Also: the fence is proven."]
    # If nothing was done, and nothing can have been done, there is nothing to take back.
    assert "misfire" not in text(judge({"db1": UNREACHABLE}))


def part(kind: str, bad: str = "", **more: object) -> Answer:
    """Return a part as the filters judge it."""
    wrong = [bad] if bad else []
    return {"kind": kind, "holds": not bad, "good": kind, "bad": wrong, "lines": [f"{kind} line"], **more}


def test_an_objective_that_counts_until_validated_is_met_by_nothing_less() -> None:
    def clock(*parts: Answer) -> str:
        told = judge({"db1": answer()}, parts=parts, seconds=31.0, objective=300, validates=True, contained_seconds=3.0)
        return str(next(line for line in told["lines"] if line.startswith("Time:")))

    good = clock(part("validate"))
    assert good == "Time: validated after 31.0 s, within the objective of 300 s. Contained after 3.0 s."
    bad = clock(part("validate", "the V1 walk failed on app1"))
    assert bad == "Time: NOT VALIDATED after 31.0 s, and the objective is 300 s. Contained after 3.0 s."
    # The watch comes after the validation.
    assert "validated after" in clock(part("validate"), part("watch", "the metrics are degraded"))
    # What is kept for later is a different question.
    assert "Time: validated after" in clock(part("validate"), part("preserve", "no evidence of redis2"))


def test_a_host_without_evidence_makes_the_end_degraded_and_keeps_nobody_from_watching() -> None:
    def look(*parts: Answer, host: Answer | None = None) -> tuple[bool, bool]:
        told = judge({"db1": host or answer()}, parts=parts, validates=True)
        return told["validated"], told["failed"]

    lost = part("preserve", "no evidence of redis2")
    assert look(part("validate"), part("nothing")) == (True, False)
    assert look(part("validate"), lost) == (True, True)
    told = judge({"db1": answer()}, parts=[part("validate"), lost], validates=True)
    assert not any("V1 itself stays unwell" in line for line in told["lines"])
    for kind in ("validate", "contain", "select"):
        assert look(part(kind, "it is not"), part("preserve")) == (False, True)
    assert look(part("validate"), host=answer(on=1)) == (False, True)


def test_what_does_not_hold_is_read_first_and_what_is_left_to_do_last() -> None:
    parts = [part("contain"), part("validate", "the V1 walk failed on app1", next=["Next, on app1: restart it"])]
    lines = judge({"db1": answer()}, parts=parts, validates=True)["lines"]
    assert lines.index("validate line") < lines.index("contain line") < lines.index("Next, on app1: restart it")
    assert lines[-2].startswith("If V1 itself stays unwell, ")
    assert lines[-1] == "ansible-playbook chatia.kanban_rollback.triage"


def test_what_ansible_says_of_its_own_directory_is_not_shown() -> None:
    told = text(judge({"db1": answer(warnings=["Module remote_tmp /x did not exist", "The ledger is full."])}))
    assert "remote_tmp" not in told
    assert "db1: The ledger is full." in told


def test_a_host_that_was_not_asked_is_said_once_with_all_that_is_not_known() -> None:
    lines = [f"app2: {what} NOT ACCOUNTED FOR: {NOT_ASKED}" for what in ("health", "V1 walk")]
    told = judge({"db1": answer()}, parts=[part("validate", "bad", lines=[*lines, "app1: healthy"])])["lines"]
    assert f"app2: health, V1 walk NOT ACCOUNTED FOR: {NOT_ASKED}" in told
    assert "app1: healthy" in told
    assert sum("app2" in line for line in told) == 1


def test_a_headline_says_how_many_more_do_not_hold_and_a_line_each_says_all() -> None:
    result = judge({"db1": answer()}, parts=[part("validate", bad=f"app{n} is not healthy") for n in range(7)])
    assert result["headline"].endswith("app3 is not healthy; app4 is not healthy; and 2 more.")
    assert "NOT WELL: app6 is not healthy." in result["lines"]
