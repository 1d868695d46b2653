# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""reenable.yml in stages, on local connections: every stage watched, what fails is off again, anybody can go on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.crowd import on
from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.returns import ALL, SECONDS, Return
from tests.playbooks.runner import Run, one_line
from tests.playbooks.turns import EACH, killed_in_turn
from tests.support.processes import wait_until

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def back(db: Database, directory: Path) -> Iterator[Return]:
    with application(directory / "answers") as app:
        yield Return(db, app, directory)


def screen(run: Run) -> str:
    """Return the last screen on one line, without the separators of a list of lines."""
    return re.sub(r'", "', " ", one_line(run.output.rpartition(": Result]")[2]))


@pytest.mark.drill
def test_stage_by_stage_to_the_last_and_the_same_again_changes_nothing(back: Return) -> None:
    plan = back.run("--check", "--diff")
    assert plan.rc == 0, plan.output
    assert "PLAN, nothing was changed: stage 10 %, then stage 100 % would come; 0 of 20" in screen(plan)
    assert "stage 100 %: 18 tenants of 20, 18 would be switched on, and watched for 00:03" in screen(plan)
    assert (on(back.db), back.stages, back.samples, back.is_free()) == ([], [], 0, True)

    run = back.run()
    assert run.rc == 0, run.output
    told = screen(run)
    assert "RETURNED 20 of 20 tenants that had Kanban V2." in told
    assert "stage 10 %: PASSED; 2 tenants of 20, 2 switched on by this run." in told
    assert "stage 100 %: PASSED; 18 tenants of 20, 18 switched on by this run." in told
    assert "error rate 0.02 % ok" in told
    assert "Data: 2 checks that count, nothing is corrupt, no worse than before the stage." in told
    assert "When the incident is over, close it: ansible-playbook chatia.kanban_rollback.reenable -i" in told
    assert back.db.snapshot("companies").texts == back.before
    assert back.stages == [(event, f"stage {share} %") for share in (10, 100) for event in ("begun", "passed")]
    assert back.is_free()

    tries = back.samples
    again = back.run(kanban_close=True)
    assert again.rc == 0, again.output
    assert "stage 10 %: passed before, at" in screen(again)
    assert "The incident is closed" in screen(again)
    assert back.samples == tries
    assert re.findall(r"(\S+) +: ok=\d+ +changed=(\d+)", again.output) == [
        ("app1", "0"),
        ("db1", "1"),
        ("localhost", "0"),
    ]
    closed = back.run(kanban_incident_id="INC-1")
    assert closed.rc != 0
    assert "INC-1 is closed" in screen(closed)


def test_a_stage_that_is_bad_is_off_again_and_those_before_it_stay(back: Return) -> None:
    running = back.start()
    assert wait_until(lambda: ("passed", "stage 10 %") in back.stages, SECONDS), running.output
    back.app.says("metrics", {"errorRate": 7})
    run = running.wait(timeout=SECONDS)
    assert run.rc != 0, run.output
    told = screen(run)
    assert "RETURNED 2 of 20 tenants that had Kanban V2. STOPPED: stage 100 % did not pass." in told
    assert "are degraded: error rate 7 % DEGRADED" in told
    assert "stage 100 %: its tenants are off again (18 were switched off)" in told
    assert "This begins that stage anew; those before it stay as they are: ansible-playbook" in told
    assert (on(back.db), back.stages[-1], back.is_free()) == ([1, 2], ("failed", "stage 100 %"), True)
    kills = back.db.modules().ok("incident_info")["kills"]
    assert kills == 1, "a stage's own end is no kill"

    # Once mended, it goes on where it stopped, with a watch of its own.
    back.app.says("metrics", {"errorRate": 0.02})
    run = back.run()
    assert run.rc == 0, run.output
    assert "stage 10 %: passed before" in screen(run)
    assert back.db.snapshot("companies").texts == back.before


@pytest.mark.drill
@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("INSERT INTO tickets DEFAULT VALUES", "data is corrupt: lost_tickets 1"),
        ("INSERT INTO tickets VALUES (-1, 1)", "data: odd_tickets counted 0 before the stage, and 1 now"),
    ],
)
def test_data_that_got_worse_ends_a_stage(back: Return, rows: str, why: str) -> None:
    back.db.rows("INSERT INTO tickets VALUES (1000, 1)")
    running = back.start()
    assert wait_until(lambda: back.samples > 0, SECONDS), running.output
    with back.db.connect() as session, session.cursor() as cursor:
        cursor.execute(rows)
    run = running.wait(timeout=SECONDS)
    assert run.rc != 0, run.output
    assert f"NOT WELL: {why}" in screen(run)
    assert (on(back.db), back.stages[-1]) == ([], ("failed", "stage 10 %"))
    if "corrupt" in why:
        again = back.run()
        assert "stage 10 %: DID NOT PASS; 0 tenants" in screen(again), again.output
        assert back.stages[-1] == ("failed", "stage 10 %"), "nobody is put back on data that is corrupt"


@pytest.mark.drill
def test_a_lost_terminal_is_gone_on_with_by_anybody(back: Return) -> None:
    back.variables["kanban_watch_minutes"] = {"stage": 10}
    lost = back.start()
    try:
        assert wait_until(lambda: back.samples >= 2, SECONDS), lost.output
    finally:
        lost.kill()
    before = back.samples
    assert on(back.db) == [1, 2]
    refused = back.run(kanban_operator="rui")
    assert refused.rc != 0
    assert "REFUSED: nobody was switched" in screen(refused)
    assert re.search(r"ana is at work on INC-1 since 20\S+Z \(last sign of life \d+ s ago\)", screen(refused))
    back.db.rows("UPDATE kanban_rollback.leases SET expires_at = now() - interval '1 minute'")
    back.variables["kanban_watch_minutes"] = {"stage": 0.1}
    run = back.run(kanban_operator="rui")
    assert run.rc == 0, run.output
    assert "stage 10 % (gone on with): PASSED; 2 tenants of 20, 0 switched on by this run." in screen(run)
    assert "gone on with after an earlier run" in screen(run)
    assert back.stages.count(("begun", "stage 10 %")) == 1
    assert back.samples > before


MOMENTS = ("reenable : End the stage",)


@pytest.mark.drill
@pytest.mark.parametrize("moments", [MOMENTS, EACH])
def test_killed_on_its_way_the_same_command_goes_on(back: Return, moments: Sequence[str]) -> None:
    states = [on(back.db)]

    def left(_task: str) -> None:
        states.append(on(back.db))
        back.db.rows("UPDATE kanban_rollback.leases SET expires_at = now()")

    done, _tasks = killed_in_turn(back.start, left, moments=moments)
    assert done.rc == 0, done.output
    assert "RETURNED 20 of 20" in screen(done)
    assert back.db.snapshot("companies").texts == back.before
    assert [state for state, _same in itertools.groupby(states)] in ([[], [1, 2], ALL], [[], [1, 2]]), (
        "a stage at a time"
    )
    assert back.stages == [(event, f"stage {share} %") for share in (10, 100) for event in ("begun", "passed")]
    assert back.is_free()


@pytest.mark.drill
def test_a_stop_meanwhile_ends_the_stage_and_voids_what_had_passed(back: Return) -> None:
    back.variables["kanban_watch_minutes"] = {"stage": 0.1}
    running = back.start()
    assert wait_until(lambda: ("begun", "stage 100 %") in back.stages and len(on(back.db)) == 20, SECONDS), (
        running.output
    )
    back.flag.disable(latch=True)
    run = running.wait(timeout=SECONDS)
    assert run.rc != 0, run.output
    assert "somebody stopped it meanwhile: " in screen(run)
    assert "RETURNED 0 of 20" in screen(run)
    assert (on(back.db), back.stages) == ([], [("failed", "stage 100 %")])
    plan = back.run("--check")
    assert "stage 10 %, then stage 100 % would come" in screen(plan)


@pytest.mark.drill
def test_a_lease_that_another_run_took_leaves_the_stage_to_it(back: Return) -> None:
    back.variables["kanban_watch_minutes"] = {"stage": 0.5}
    running = back.start()
    assert wait_until(lambda: back.samples >= 1, SECONDS), running.output
    back.db.modules().ok(
        "incident", incident_id="INC-1", run_id="theirs", operator="rui", lease="held", lease_by_force=True,
        lease_seconds=3600,
    )  # fmt: skip
    run = running.wait(timeout=SECONDS)
    assert run.rc != 0, run.output
    assert "NOT switched off again, for another run is at work: rui is at work on INC-1" in screen(run)
    assert (on(back.db), back.stages, back.is_free()) == ([1, 2], [("begun", "stage 10 %")], False)


@pytest.mark.drill
def test_one_tenant_tries_it_whether_it_had_the_feature_or_not(back: Return) -> None:
    back.db.rows("INSERT INTO companies VALUES (99, '{}')")
    nobody = back.run(kanban_reenable="test")
    assert "REFUSED" in screen(nobody)
    assert "Which tenant is to try it is not said" in screen(nobody)
    gone = back.run(kanban_reenable="test", kanban_test_tenant="4711")
    assert "no database has a tenant 4711" in screen(gone), gone.output
    run = back.run(kanban_reenable="test", kanban_test_tenant="99")
    assert run.rc == 0, run.output
    assert "test of 99: PASSED; 1 tenant, 1 switched on by this run." in screen(run)
    assert "-e kanban_reenable=staged" in screen(run)
    assert on(back.db) == [99]
    back.app.says("metrics", {"errorRate": 7})
    run = back.run(kanban_reenable="test", kanban_test_tenant="7")
    assert run.rc != 0, run.output
    assert (on(back.db), back.stages[-1]) == ([99], ("failed", "test of 7"))
    back.app.says("metrics", {"errorRate": 0.02})
    run = back.run(kanban_stages=[100], kanban_test_tenant="7")
    assert run.rc == 0, run.output
    assert on(back.db) == [*ALL, 99]


@pytest.mark.drill
def test_it_is_refused_while_writes_are_or_another_incident_is_open(back: Return) -> None:
    back.db.modules().ok("write_fence", tables=["tickets"], incident_id="INC-1")
    run = back.run()
    assert run.rc != 0
    assert "db1: the fence is up for INC-1, so V2 could write nothing." in screen(run)
    assert "ansible-playbook chatia.kanban_rollback.release -i" in screen(run)
    assert "kanban_reenable=all" not in screen(run)
    back.db.modules().ok("write_fence", state="absent", incident_id="INC-1")
    back.db.modules().ok("incident", incident_id="INC-2", operator="rui")
    run = back.run(kanban_incident_id="INC-1", kanban_stages=[50, 10])
    assert run.rc != 0
    assert "db1: another incident is open: INC-2." in screen(run)
    assert "has to be rising per cent of those that had it" in screen(run)
    assert (on(back.db), back.is_free()) == ([], True)


def test_all_at_once_is_not_watched_and_asks_for_no_stage(back: Return) -> None:
    run = back.run(kanban_reenable="all", kanban_fence=False)
    assert run.rc == 0, run.output
    assert "RESTORED: 20 tenants were put back as before the incident, 20 of 20 have Kanban V2." in screen(run)
    assert back.db.snapshot("companies").texts == back.before
    assert (back.stages, back.samples, back.is_free()) == ([], 0, True)
