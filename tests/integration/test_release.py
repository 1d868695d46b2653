# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release.yml on the real application: not before the data is validated; tested; refused again if it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.fences import TABLES
from tests.integration.place import Database
from tests.integration.releases import (
    BEFORE,
    BLOCK,
    FORGETS,
    INCIDENT,
    KILLED,
    MEANWHILE,
    ON_AN_EARLIER_TIMELINE,
    RELEASE,
    REMEMBERS,
    Stopped,
)
from tests.playbooks.turns import EACH, killed_in_turn
from tests.staging.local import Local, ask
from tests.staging.settings import email, fill
from tests.support.processes import free_port
from tests.support.servers import Postgres, Redis, workspace


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Postgres, Redis]]:
    with (
        workspace() as directory,
        Postgres(directory / "pg", {"autovacuum": False}, fsync=False) as postgres,
        Redis(directory / "redis") as redis,
    ):
        postgres.create_database("template")
        with postgres.connect("template") as session:
            fill(session)
        yield postgres, redis


@pytest.fixture
def stopped(shared: tuple[Postgres, Redis], directory: Path) -> Iterator[Stopped]:
    postgres, redis = shared
    postgres.disconnect()
    postgres.query("CREATE DATABASE chatia TEMPLATE template")
    db = Database(postgres, "chatia")
    where = {"host": redis.host, "port": redis.port, "password": redis.password}
    try:
        with Local(directory, postgres.parameters("chatia"), where) as app:
            made = Stopped(directory, db, redis, app)
            made.stop()
            yield made
    finally:
        with redis.client() as client:
            client.flushdb()
        db.drop()


def test_refused_then_planned_then_released_and_the_second_time_nothing_changes(stopped: Stopped) -> None:
    before = stopped.board()
    refused = stopped.release()
    assert (refused.rc != 0, stopped.refuses, stopped.events(), stopped.leases()) == (True, (True, True), [], 0)
    assert "NOT RELEASED, nothing was changed: the data of db1 is not validated" in refused.screen, refused.output
    assert "chatia.kanban_rollback.scenario3 -i /" in refused.screen
    assert f"-e kanban_incident_id={INCIDENT}" in refused.screen
    assert {host: refused.recap(host).get("changed", 0) for host in ("db1", "redis1")} == {"db1": 0, "redis1": 0}

    stopped.validate()
    plan = stopped.release("--check", "--diff")
    assert (plan.rc, stopped.refuses, stopped.events()) == (0, (True, True), []), plan.output
    assert "PLAN, nothing was changed" in plan.screen
    for words in ("the fence would be lowered", "the write block would be released", "app1: would be walked: log in"):
        assert words in plan.screen

    done = stopped.release()
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert "RELEASED: Kanban's writes are let through again" in done.screen
    assert "the fence is lowered, no write block is held, the smoke test passed, the V1 walk passed." in done.screen
    assert f"Incident {INCIDENT}" in done.screen
    assert "db1: data validated at 20" in done.screen
    assert f"kanban_incident_id={INCIDENT} -e kanban_reenable=test" in done.screen
    assert [event for event, _why in stopped.events()] == ["released"]
    assert (stopped.board(), stopped.leases()) == (before, 0)

    again = stopped.release()
    assert again.rc == 0, again.output
    assert [event for event, _why in stopped.events()] == ["released"]
    for host in ("db1", "redis1", "app1", "app2"):
        assert again.recap(host)["changed"] == 0
    assert stopped.board() == before


def test_the_block_of_an_incident_that_the_ledger_gave_a_number_is_its_own(stopped: Stopped) -> None:
    stopped.modules.ok("write_fence", tables=TABLES, state="absent")
    stopped.modules.ok("incident", state="closed")
    stopped.stop()
    stopped.block("SET", f"{{{BLOCK}}}:owner", INCIDENT)
    stopped.validate()
    done = stopped.release()
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert f"Incident {INCIDENT}-2" in done.screen


@pytest.mark.drill
def test_a_test_that_fails_leaves_both_up_again_and_the_validation_valid(stopped: Stopped) -> None:
    before = stopped.board()
    stopped.validate()
    stopped.db.rows(FORGETS)
    failed = stopped.release()
    assert (failed.rc != 0, stopped.refuses) == (True, (True, True)), failed.output
    assert "RAISED AGAIN: the smoke test failed; its writes are refused again." in failed.screen
    assert "app1: the smoke test FAILED at see that the tag stayed" in failed.screen
    assert "app2: smoke test NOT ACCOUNTED FOR: not tried, for it had failed elsewhere" in failed.screen
    assert "fence proven for" in failed.screen
    assert "lowered" not in failed.screen
    assert (stopped.board(), stopped.leases()) == (before, 0)
    assert stopped.events() == [("raised again", '["the smoke test failed"]')]

    stopped.db.rows(REMEMBERS)
    done = stopped.release()
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert [event for event, _why in stopped.events()] == ["raised again", "released"]


@pytest.mark.drill
def test_what_overrides_needs_a_reason_and_is_on_record(stopped: Stopped) -> None:
    stopped.validate("data not validated")
    nameless = stopped.release(kanban_break_glass={"what": ["validation"], "reason": " "})
    assert (nameless.rc != 0, stopped.refuses) == (True, (True, True))
    assert "kanban_break_glass has no reason" in nameless.screen, nameless.output
    assert "did not pass" in nameless.screen
    done = stopped.release(kanban_break_glass={"what": ["validation"], "reason": "{{ 7 * 7 }} support cannot work"})
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert "OVERRIDDEN by ana, and recorded: {{ 7 * 7 }} support cannot work" in done.screen
    assert stopped.events()[0] == ("validation overridden", "{{ 7 * 7 }} support cannot work")


@pytest.mark.drill
def test_a_release_after_another_stop_is_on_record_also_if_the_run_that_made_it_is_lost(stopped: Stopped) -> None:
    stopped.validate()
    assert stopped.release().rc == 0
    stopped.stop()
    stopped.validate()
    # As a run leaves it that is killed before it has recorded it.
    stopped.modules.ok("write_fence", state="absent", tables=TABLES)
    stopped.block("DEL", BLOCK, f"{{{BLOCK}}}:owner")
    again = stopped.release()
    assert (again.rc, stopped.refuses) == (0, (False, False)), again.output
    assert [event for event, _why in stopped.events()] == ["released", "released"]
    assert stopped.release().rc == 0
    assert len(stopped.events()) == 2


@pytest.mark.drill
@pytest.mark.parametrize(("when", "lowered"), [(BEFORE, 0), (MEANWHILE, 1)], ids=["before", "meanwhile"])
def test_a_later_stop_wins(stopped: Stopped, when: str, lowered: int) -> None:
    stopped.validate()
    stopped.db.rows(KILLED + when)
    run = stopped.release()
    assert (run.rc != 0, stopped.refuses) == (True, (True, True)), run.output
    assert "RAISED AGAIN: somebody stopped it again on db1, and the later stop wins" in run.screen
    assert "Next: ask who stopped it again" in run.screen
    assert ("db1: the fence was never lowered there: " in run.screen) == (not lowered)
    assert stopped.db.value("SELECT count(*) FROM kanban_rollback.events WHERE event = 'fence_lowered'") == lowered
    # The application never stopped refusing.
    assert run.recap("redis1").get("changed", 0) == 0


@pytest.mark.drill
def test_without_an_application_both_are_up_again_and_without_steps_it_is_no_pass(stopped: Stopped) -> None:
    stopped.validate()
    dead = {name: {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
            for name in ("app1", "app2")}  # fmt: skip
    none = stopped.release(apps=dead)
    assert (none.rc != 0, stopped.refuses) == (True, (True, True)), none.output
    assert "RAISED AGAIN: the smoke test could be made on no application host" in none.screen
    assert "app1: smoke test NOT ACCOUNTED FOR: could not be reached" in none.screen

    one = stopped.release(apps={"app2": dead["app2"]})
    assert (one.rc != 0, stopped.refuses) == (True, (False, False)), one.output
    assert "RELEASED IN PART" in one.screen
    assert "NOT WELL: the smoke test on app2 could not be made" in one.screen

    untested = stopped.release(kanban_app_smoke_steps=[], kanban_app_v1_steps=[])
    assert (untested.rc != 0, stopped.refuses) == (True, (False, False)), untested.output
    assert "RELEASED, NOT TESTED" in untested.screen
    assert "No smoke test was made: kanban_app_smoke_steps is empty." in untested.screen


MOMENTS = ("release : Lower the fence", "Make a tag")


@pytest.mark.timeout(1200)
@pytest.mark.drill
@pytest.mark.parametrize("moments", [MOMENTS, EACH])
def test_killed_on_its_way_the_same_command_goes_on(stopped: Stopped, moments: Sequence[str]) -> None:
    stopped.validate()
    before = stopped.board()
    states: list[tuple[bool, bool]] = [stopped.refuses]

    def left(task: str) -> None:
        states.append(stopped.refuses)
        if "Make a tag" in task:
            held = stopped.release()
            assert held.rc != 0
            assert "db1: ana is at work on" in held.screen, held.output
        # Its lease runs out by itself; nobody has to break anything for that.
        stopped.db.rows("UPDATE kanban_rollback.leases SET expires_at = now()")
        assert set(before[1]) <= set(stopped.board()[1]), task

    done, _tasks = killed_in_turn(
        lambda: playbook.start(stopped.directory, RELEASE, *stopped.options()), left, moments=moments
    )
    # The database lets them through first: an application that may write finds no fence.
    assert set(states) <= {(True, True), (False, True), (False, False)}
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert [event for event, _why in stopped.events()] == ["released"]
    assert stopped.board() == before


@pytest.mark.drill
def test_people_work_on_v1_once_it_is_released(stopped: Stopped) -> None:
    token = ask(f"{stopped.app.urls[0]}/auth/login", {"email": email(2), "password": stopped.app.secrets.password})[1]
    lane = stopped.db.value('SELECT min(id) FROM "Tags" WHERE "companyId" = 2 AND kanban = 1')
    card = stopped.db.value('SELECT min(id) FROM "Tickets" WHERE "companyId" = 2')
    move = (f"{stopped.app.urls[0]}/tickets/{card}/move", {"lane": lane, "board": 1})
    assert ask(*move, token=token["token"])[0] == 423
    stopped.validate()
    assert stopped.release().rc == 0
    assert ask(*move, token=token["token"]) == (200, {"ticketId": card, "version": 1})


@pytest.mark.drill
def test_a_host_that_is_lost_for_one_task_has_not_answered(stopped: Stopped) -> None:
    stopped.validate()
    unread = playbook.silent_where("__release_block_info is not defined")
    unrecorded = playbook.silent_where("__release_again is defined and __release_record is not defined")
    # The walk only reads, so it passes although the application refuses writes.
    lost = stopped.release(redis1=unread, db1=unrecorded, kanban_app_smoke_steps=[])
    assert (lost.rc != 0, stopped.refuses, stopped.events(), stopped.leases()) == (True, (False, True), [], 1), (
        lost.output
    )
    assert "RELEASED IN PART" in lost.screen
    assert "NOT WELL: the write block on redis1 is not known to be released" in lost.screen
    assert "redis1: write block NOT ACCOUNTED FOR: could not be reached" in lost.screen
    assert "NOT WELL: it is not on record: db1: " in lost.screen
    stopped.db.rows("UPDATE kanban_rollback.leases SET expires_at = now()")
    # The lease could not be taken at first, and was taken later: it is given back.
    unleased = playbook.silent_where("__release_open is defined and __release_lease is not defined")
    done = stopped.release(db1=unleased)
    assert (done.rc, stopped.refuses, stopped.leases()) == (0, (False, False), 0), done.output
    assert [event for event, _why in stopped.events()] == ["released"]
    # By now it is on record, and only the lease stays.
    again = stopped.release(db1=unrecorded)
    assert (again.rc, stopped.leases()) == (0, 1), again.output
    assert "The lease on db1 is not known to be given back: " in again.screen
    assert "not on record" not in again.screen


@pytest.mark.drill
def test_nothing_is_given_back_where_another_server_took_over_and_nobody_counted(stopped: Stopped) -> None:
    stopped.validate()
    stopped.db.rows(ON_AN_EARLIER_TIMELINE)
    uncounted = playbook.silent_where("__release_info is defined and __release_count is not defined")
    run = stopped.release(db1=uncounted)
    assert (run.rc != 0, stopped.refuses) == (True, (True, True)), run.output
    assert "NOT RELEASED, nothing was changed: db1: How many tenants are on is not known, and another" in run.screen


@pytest.mark.drill
def test_what_nobody_can_judge_is_refused_again_and_no_steps_are_none(stopped: Stopped) -> None:
    stopped.validate()
    # It is not a list, so whether it is empty cannot be answered.
    unjudged = stopped.release(kanban_app_v1_steps=7)
    assert (unjudged.rc != 0, stopped.refuses, stopped.leases()) == (True, (True, True), 0), unjudged.output
    assert "RAISED AGAIN: it was not judged; its writes are refused again." in unjudged.screen
    assert "NOT WELL: whether it holds is not known: " in unjudged.screen
    assert stopped.events() == [("raised again", '["it was not judged"]')]
    # One host may be in every tier.
    done = stopped.release(
        kanban_app_v1_steps=None, kanban_app_hosts="db1", db1={"kanban_app_url": stopped.app.urls[0]}
    )
    assert (done.rc, stopped.refuses) == (0, (False, False)), done.output
    assert "the smoke test passed" in done.screen
    assert [event for event, _why in stopped.events()] == ["raised again", "released"]
