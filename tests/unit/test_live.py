# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the events of a run to the lines that a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._live import FAILED, UNREACHABLE, Live, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livetext import BAD, ODD, Line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import KEEP_OPEN

AT = 1_795_759_224.0
FACTS = {
    "environment": "staging",
    "operator": "rui",
    "hosts": {"db": ["db1", "db2", "db3", "db4", "db5"], "app": []},
    "objectives": {"scenario3": "120", "misfire": 60, "scenario1": "soon"},
    "reenable": "staged",
}
DATABASE = {"address": "10.0.0.5:5432", "cluster": "71/16", "name": "chatia", "writable": True}
KILL = {
    "changed_count": 9,
    "database": DATABASE,
    "enabled_after": 0,
    "enabled_before": 9,
    "incident": {"in_ledger": True, "incident_id": "INC-1", "opened_now": True},
    "total": 50,
}


def step(host: str = "db1", task: str = "t1", **more: Any) -> Step:
    fixed = {"at": AT + 4, "name": "Switch it off", "role": "contain", "module": "feature_flag", "ours": True}
    return Step(task=task, host=host, **{**fixed, **more})


def live(heading: str = "1. Contain", playbook: str = "scenario3", apart: bool = False, **options: Any) -> Live:
    made = Live(AT, playbook, options.pop("check_mode", False), **options)
    made.first()
    made.about(FACTS)
    assert [line.text for line in made.play_began(AT + 1, heading, playbook, apart)] == []
    return made


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_first_lines_say_where_it_is() -> None:
    made = Live(AT, "scenario3", True)
    assert texts(made.first()) == [
        "scenario3.yml: P0 CRITICAL, data is lost or corrupted: the IMMEDIATE STOP",
        "CHECK MODE: this is the plan, nothing is changed",
    ]
    lines = made.about(FACTS)
    assert texts(lines)[0] == "Environment  staging"
    assert texts(lines)[-1] == "Hosts        db: db1, db2, db3 and 2 more; app: NONE"
    assert " local, " in lines[2].text
    assert lines[2].text.endswith(" UTC")
    assert made.about({**FACTS, "environment": "Production"})[0] == Line("Environment  PRODUCTION", ODD, 13)
    unknown = made.about({"environment": None})[0]
    assert (unknown.kind, "NOT SAID" in unknown.text) == (ODD, True)


@pytest.mark.parametrize(
    ("heading", "playbook", "reenable", "shown"),
    [
        ("1. Contain", "scenario3", "staged", "00:01 / 02:00"),
        ("3. Keep it off", "scenario3", "staged", "00:01"),
        ("2. Put back", "reenable", "all", "00:01 / 01:00"),
        ("2. Put back", "reenable", "staged", "00:01"),
        ("1. Contain", "scenario1", "staged", "00:01"),
        ("Without a number", "scenario3", "staged", "00:01"),
        ("1. Find it", "release", "staged", "00:01"),
    ],
)
def test_a_heading_has_a_clock_against_its_objective(heading: str, playbook: str, reenable: str, shown: str) -> None:
    made = Live(AT, playbook, False)
    made.about({**FACTS, "reenable": reenable})
    made.play_began(AT + 1, heading, playbook, False)
    lines = texts(made.heading())
    assert lines[:2] == ["", heading]
    assert lines[2].split("   ")[0] == shown
    assert made.heading() == []


def test_the_clock_says_when_it_is_over_and_begins_anew_with_another_scenario() -> None:
    made = live()
    made.play_began(AT + 150, "2. Stopped", "scenario3", False)
    assert "02:30 / 02:00 OVER" in texts(made.heading())[2]
    made.name("INC-9", True, AT + 149)
    made.play_began(AT + 150, "1. Contain", "scenario3", False)
    assert "00:01 / 02:00 " in texts(made.heading())[2]


def test_a_step_is_one_line_with_its_figure_below_the_heading() -> None:
    made = live(apart=True)
    lines = texts(made.ended(step(result=KILL, changed=True)))
    assert lines[1] == "1. Contain"
    assert lines[3:] == [
        "Database     chatia at 10.0.0.5:5432, cluster 71/16, 9 of 50 tenants on",
        "Incident     INC-1, opened now",
        "00:04  Switch it off [db1]: 50 of 50 tenants off, 9 switched now",
    ]
    assert made.incident == "INC-1"
    # The database and the incident are printed once.
    assert texts(made.ended(step(task="t2", result=KILL)))[0].startswith("00:04  Switch it off")


def test_hosts_that_go_together_are_one_line() -> None:
    made = live()
    held = {"held": True, "ttl_seconds": None}
    for name in ("db1", "db2", "db3", "db4"):
        assert made.ended(step(name, module="write_block", result=held)) == []
    assert made.ended(step("db5", module="write_block", result={"held": False})) == []
    assert texts(made.task_began(AT + 5))[3:] == [
        "00:04  Switch it off [db1, db2, db3 and 1 more]: block held until it is released",
        "00:04  Switch it off [db5]: block released",
    ]
    assert made.task_began(AT + 6) == []


def test_what_keeps_books_is_silent() -> None:
    made = live(apart=True)
    assert made.ended(step(ours=False, module="ansible.builtin.set_fact")) == []
    made.skipped("db1", "t1")
    assert made.play_began(AT + 3, "2. Nothing", "scenario3", True) == []
    changed = made.ended(step(ours=False, module="ansible.builtin.copy", changed=True))
    assert texts(changed)[-1] == "00:04  Switch it off [db1]: done"


@pytest.mark.parametrize(("state", "word"), [(FAILED, "FAILED"), (UNREACHABLE, "UNREACHABLE")])
def test_a_failure_that_is_handled_is_one_line_and_not_said_twice(state: str, word: str) -> None:
    made = live(apart=True)
    gone = {"msg": "no\nroute \x1b[2J"}
    line = made.ended(step(state=state, handled=True, result=gone))[-1]
    assert (line.text, line.kind) == (f"00:04  Switch it off [db1]: {word}, the run goes on: no route �[2J", ODD)
    again = made.ended(step(name="Raise it", task="t2", state=state, handled=True, result=gone))[-1].text
    assert again.endswith("the run goes on: as above")
    # A watch asks again and again.
    tries = [made.ended(step(name="Sample", state=state, handled=True, result=gone)) for _try in range(3)]
    assert [len(lines) for lines in tries] == [1, 0, 0]
    assert made.ended(step("db2", state=state, result=gone))[-1].kind == BAD


def test_a_screen_is_whole_and_moves_no_cursor() -> None:
    made = live()
    lines = texts(made.message(AT, "What holds", "verdict", ["CONTAINED", "  \x1b[31mred\x07", "x\u202ey"]))
    assert lines[3:] == ["", "What holds", "CONTAINED", "  �[31mred�", "x�y"]
    assert texts(made.message(AT, "What holds", "verdict", "one\ntwo\n"))[1:] == ["What holds", "one", "two"]
    assert texts(made.message(AT + 9, "Say it", "release", "{{ 7*7 }}")) == ["00:09  {{ 7*7 }}"]


def test_what_is_slow_is_said_with_its_limit() -> None:
    made = live()
    for host, limit in (("db1", 35.0), ("db2", 35.0)):
        made.host_began(AT, step(host), limit)
    assert made.status(AT + 0.9) == ""
    assert made.status(AT + 12) == "00:12 / 02:00  for 00:12, at most 00:35: Switch it off [db1, db2]"
    made.host_began(AT + 2, step(task="t2", name="Other"), None)
    assert made.status(AT + 12).endswith("[db1, db2], and 1 more")
    assert texts([*made.ended(step(at=AT + 6)), *made.task_began(AT + 6)])[-1].endswith("[db1]: took 00:06")
    # As a line that stays, below its heading if that is not there yet.
    assert texts(made.slow(AT + 12))[-1].startswith("00:12 / 02:00  for 00:12, at most 00:35: Switch it off [db2]")
    made.play_began(AT + 13, "2. Next", "scenario3", False)
    assert made.slow(AT + 14) == []


def test_a_task_that_only_looks_has_done_nothing() -> None:
    made = live()
    for plan, said in ((True, "[db1]: 9 rows would be planted"), (False, "[db1]: 9 rows planted")):
        asked = step(module="rehearsal_data", plan=plan, changed=True, result={"rows": 9}, task=said)
        assert texts([*made.ended(asked), *made.task_began(AT + 6)])[-1].endswith(said)


def test_a_watch_says_that_the_terminal_may_be_closed_and_stays_with_its_last_word() -> None:
    made = live("7. Watch", "rehearse")
    assert "leave this terminal open" in texts(made.host_began(AT + 2, step(role="observe"), None))[-1]
    made = live("7. Watch", "scenario1")
    begun = made.host_began(AT + 2, step(role="observe"), None)
    assert "This terminal may be closed" in texts(begun)[-1]
    assert made.host_began(AT + 2, step(role="observe", task="t2"), None) == []
    assert made.ended(step(role="observe", module="metric_gate", result={"verdict": "ok"})) == []
    for word in ("at 10 s", "at 20 s"):
        assert made.message(AT + 20, "Report the watch so far", "observe", word) == []
    assert made.status(AT + 20) == "00:20  at 20 s"
    assert texts(made.play_began(AT + 21, "8. What holds", "scenario1", False)) == ["00:21  at 20 s"]


def test_a_job_is_known_again_by_its_id() -> None:
    made = live(apart=True)
    begun = {"ansible_job_id": "j1.2", "started": 1, "finished": 0}
    assert "begun; it goes on" in texts(made.ended(step(module="pg_dump", result=begun)))[-1]
    done = {"ansible_job_id": "j1.2", "finished": 1, "rows": 5, "bytes": 2e6, "tables": [{}], "verified": "toc"}
    # Also a dump that was there already, so that nothing was changed.
    for changed in (True, False):
        asked = step(task="t2", module="ansible.builtin.async_status", ours=False, changed=changed, result=done)
        assert "5 rows of 1 table, 2.0 MB, proven" in texts(made.ended(asked))[-1]
    # The same when the collection's own module asks, on another host of the same play.
    other = step(host="db2", module="integrity_repair", result=begun)
    assert "begun; it goes on" in texts(made.ended(other))[-1]
    mended = {**begun, "finished": 1, "repair_id": 1, "quarantined": 7, "plan": {"total_rows": 7}}
    asked = step(host="db2", task="t2", module="progress_info", result=mended)
    assert "7 rows mended, 7 in quarantine" in texts(made.ended(asked))[-1]
    cleared = {"ansible_job_id": "j1.2", "erased": "/root/.ansible_async/j1.2", "finished": 1}
    assert made.ended(step(task="t3", module="ansible.builtin.async_status", ours=False, result=cleared)) == []


@pytest.mark.parametrize(
    ("failure", "verdict", "check_mode", "word"),
    [
        ("", "contained", False, "DONE (contained) after 00:31, "),
        ("", "planned", True, "PLANNED, nothing was changed after 00:31, "),
        ("CONTAINED IN PART", "degraded", False, "DEGRADED: not all of it holds, or not everywhere, after 00:31, "),
        ("db1: no", "failed", False, "FAILED, after 00:31, "),
        ("db1: no", "", False, "ENDED WITH A FAILURE, after 00:31, "),
    ],
)
def test_last_lines(failure: str, verdict: str, check_mode: bool, word: str) -> None:
    made = live(check_mode=check_mode)
    lines = made.last(AT + 31, bool(failure), failure, verdict, "/srv/INC-1")
    assert lines[0].text == ""
    assert lines[1].text.startswith(word)
    assert not failure or failure in texts(lines)
    assert ("exit status is not 0" in lines[1].text) == bool(failure)
    assert lines[-2].text == "Journal: /srv/INC-1"
    assert (lines[-1].text == "It is safe to close this terminal.") != bool(failure)
    assert "terminal" in lines[-1].text
    assert any(line.kind == BAD for line in lines) == bool(failure)


def test_a_screen_that_alone_says_who_had_the_flag_keeps_the_terminal_open() -> None:
    made = live()
    made.message(
        AT + 2, "What holds", "verdict", ["CONTAINED: everybody.", "db1: SAVE THE NEXT 1 LINES", "{}", KEEP_OPEN]
    )
    for failed in (False, True):
        assert made.last(AT + 31, failed, "", "contained", "")[-1].text == KEEP_OPEN


def test_the_incident_is_said_as_soon_as_it_is_known_and_not_twice() -> None:
    made = live(apart=True)
    assert texts(made.name("INC-7", False)) == ["Incident     INC-7, unless a ledger has one open"]
    assert texts(made.name("INC-1", True)) == ["Incident     INC-1"]
    joined = {**KILL, "incident": {"in_ledger": True, "incident_id": "INC-1", "opened_now": False}}
    assert not [line for line in texts(made.ended(step(result=joined))) if line.startswith("Incident")]
    other = live(apart=True)
    other.name("INC-7", False)
    assert "Incident     INC-1, open already, this run goes on with it" in texts(other.ended(step(result=joined)))


def test_in_ansible_s_own_words_only_clocks_and_first_lines_are_added() -> None:
    made = Live(AT, "scenario3", False, said=False)
    made.about(FACTS)
    assert [line[:13] for line in texts(made.play_began(AT, "1. Contain", "scenario3", False))] == ["00:00 / 02:00"]
    lines = texts(made.ended(step(result=KILL)) + made.task_began(AT) + made.message(AT, "x", "verdict", ["a", "b"]))
    assert [line.split()[0] for line in lines] == ["Database", "Incident"]
    assert made.status(AT + 50) == ""


def test_how_far_a_long_step_is_stands_before_its_name() -> None:
    made = live()
    made.host_began(AT + 2, step(), None)
    made.running.told("db1", "t1", "Tickets 7 of about 9 rows\x1b[2J")
    made.running.told("db2", "t1", "nobody")
    assert made.status(AT + 6).endswith("for 00:04: Tickets 7 of about 9 rows�[2J: Switch it off [db1]")


def test_a_play_has_a_screen_once_it_has_said_one() -> None:
    made = live()
    made.message(AT + 2, "Say", "verdict", "one line")
    assert not made.has_screen
    made.message(AT + 2, "Say", "verdict", ["CONTAINED", "Next: nothing"])
    assert made.has_screen
    made.play_began(AT + 3, "2. Next", "scenario3", False)
    assert not made.has_screen
