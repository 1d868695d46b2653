# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rehearse.yml: the scenario's real playbook on staging, verified, timed, and everything exactly as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.journals import lines, tasks
from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.playbook import silent_where
from tests.integration.redisplace import RedisPlace
from tests.integration.rehearsals import Staging


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on, and rows that are corrupt already."""
    return Staging.load(db, directory)


def test_scenario_3_is_rehearsed_and_everything_is_as_before(place: Staging) -> None:
    before = place.rows()
    run = place.rehearse(kanban_notify=True)
    assert run.rc == 0, run.output
    assert place.rows() == before
    assert place.open() == []
    for said in (
        "REHEARSED: scenario3, and all is as before.",
        "Time to disable feature flag: ",
        "Time to verify: ",
        "Total rollback time: ",
        "db1: 8 tenants switched on for it; 7 of duplicate in public.TicketTags; 7 of orphan in public.Tags",
    ):
        assert said in run.screen, run.output
    assert "kanban_recovery=surgical" not in run.output
    # One run, one incident, one journal: of the scenario's own tasks.
    ((incident, seconds),) = place.db.rows(
        """SELECT incident_id, data -> 'seconds' FROM kanban_rollback.events WHERE event = 'rehearsal ended'"""
    )
    assert seconds["disable"] + seconds["verify"] == pytest.approx(seconds["total"], abs=0.2)
    (file,) = place.journals(incident)
    found = lines(file)
    assert found[0]["data"]["rehearsal"] is True
    # Its messages cannot be taken for those of an incident, and on staging they are only written.
    told = [json.loads(path.read_text(encoding="utf-8")) for path in file.parent.glob("messages/*.json")]
    assert {(message["subject"][:9], route["status"]) for message in told for route in message["routes"]} == {
        ("[ENSAIO] ", "dry_run")
    }
    on, off, *_later = tasks(found, "feature_flag")
    assert [on["figures"]["changed_count"], off["figures"]["changed_count"]] == [8, 20]
    assert [one["figures"]["removed"] for one in tasks(found, "rehearsal_data")][-1] == 14
    assert found[-1]["data"]["exit"] == {
        "kanban_incident_id": incident,
        "kanban_plan_hash": found[-1]["data"]["exit"]["kanban_plan_hash"],
        "kanban_rehearsed": "rehearsed",
        "kanban_scenario": "scenario3",
        "kanban_verdict": "contained",
    }


# Nothing is watched for long, and the one metric is good.
OTHERS = ("socket_latency", "dnd_p95", "query_p95", "memory")
SHORT: dict[str, Any] = {
    "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.05},
    "kanban_metrics": {"error_rate": {"source": "sql", "where": "db", "query": "SELECT 0"}, **dict.fromkeys(OTHERS)},
    "kanban_thresholds": {"error_rate": {"consecutive": 2}, **dict.fromkeys(OTHERS)},
    "kanban_gate_interval": 1,
    "kanban_gate_initial_delay": 0,
}


@pytest.mark.drill
def test_scenario_1_is_rehearsed_with_what_the_team_breaks(place: Staging) -> None:
    before = place.rows()
    broken, mended = place.directory / "broken", place.directory / "mended"
    for name, file in (("break", broken), ("mend", mended)):
        task = {"name": name, "ansible.builtin.file": {"path": str(file), "state": "touch", "mode": "0600"}}
        (place.directory / f"{name}.yml").write_text(json.dumps([task]))
    files = {f"kanban_rehearse_{name}": [str(place.directory / f"{name}.yml")] for name in ("break", "mend")}
    run = place.rehearse("-e", "kanban_rehearse=scenario1", **SHORT, **files)
    assert run.rc == 0, run.output
    assert "REHEARSED: scenario1, and all is as before." in run.screen
    assert "misfire" not in run.output
    assert (broken.exists(), mended.exists()) == (True, True)
    assert (place.rows(), place.open()) == (before, [])


@pytest.mark.drill
def test_scenario_2_is_rehearsed_with_errors_that_it_ranks(place: Staging) -> None:
    before = place.rows()
    # Errors of the load itself would be ranked as well.
    run = place.rehearse("-e", "kanban_rehearse=scenario2", **SHORT, kanban_rehearse_rows=40, kanban_share_limit=0.9)
    assert run.rc == 0, run.output
    assert "of errors in public.ErrorLogs" in run.screen
    assert "REHEARSED: scenario2, and all is as before." in run.screen
    assert (place.rows(), place.open()) == (before, [])


@pytest.mark.drill
def test_killed_in_the_middle_it_is_put_back_by_the_next_one(place: Staging) -> None:
    before = place.rows()
    with RedisPlace.started() as redis:
        server = redis.server
        given = {
            "kanban_redis_hosts": "db",
            "kanban_redis_host": server.host,
            "kanban_redis_port": server.port,
            "kanban_redis_password": server.password,
        }
        for says in ("Plant test data", "Stopped: result so far", "Lower the fence"):
            running = place.begin(**given)
            try:
                running.says(says)
                running.kill()
            finally:
                running.clear()
            assert place.rows() != before, says
            ((incident, scenario),) = place.open()
            assert scenario == "rehearsal of scenario3"
            # As far as the next one can know, it may still be at work.
            # Its dump may take longer than this, and writes nothing meanwhile.
            place.age(200)
            early = place.rehearse(**given)
            assert (early.rc, place.open()) == (2, [(incident, scenario)]), early.output
            assert "it may be at work" in early.screen
            if says == "Stopped: result so far":
                assert redis.run("GET", "kanban:emergency:write-block") == "true"
                place.db.rows("""UPDATE kanban_rollback.events SET at = '2020' || substr(at, 5)""")
                later = place.rehearse(**given)
            else:
                later = place.rehearse("-e", "kanban_rehearse=put_back", **given)
            # One that was asked for a scenario has rehearsed none.
            assert later.rc == (2 if says == "Stopped: result so far" else 0), later.output
            assert f"PUT BACK: what the rehearsal {incident} left is as before." in later.screen
            assert (place.rows(), place.open()) == (before, [])
            assert redis.run("GET", "kanban:emergency:write-block") is None
        nothing = place.rehearse("-e", "kanban_rehearse=put_back", **given)
        assert nothing.rc == 0, nothing.output
        assert "NOTHING TO PUT BACK" in nothing.screen


@pytest.mark.drill
def test_it_is_refused_and_nothing_is_changed(place: Staging) -> None:
    before = place.rows()
    for environment in ("Production", ""):
        run = place.rehearse(kanban_environment=environment)
        assert (run.rc, place.db.has_ledger()) == (2, False), run.output
        assert "REFUSED: nothing was changed." in run.screen
    with application(place.directory / "application") as app:
        app.says("health", {"status": "ok"})
        well = {"kanban_app_hosts": "db1", "kanban_app_url": app.url, "kanban_app_pm2": ""}
        plan = place.rehearse("--check", **well)
        app.says("health", {"status": "no"}, 503)
        ill = place.rehearse("--check", **well)
    assert ill.rc == 2, ill.output
    assert "db1: not healthy before anything was broken" in ill.screen
    assert (plan.rc, place.db.has_ledger()) == (0, False), plan.output
    assert "PLAN, nothing was changed: scenario3 may be rehearsed here." in plan.screen
    assert "7 of duplicate in public.TicketTags" in plan.screen
    modules = place.db.modules(incident_id="INC-9")
    modules.ok("incident")
    assert "incident INC-9 is open since" in place.rehearse().screen
    modules.ok("write_fence", tables=["Tags"])
    modules.ok("incident", state="closed")
    assert "a fence is up" in place.rehearse().screen
    modules.ok("write_fence", state="absent")
    place.db.modules().ok("ledger", environment="production")
    marked = place.rehearse()
    assert "belongs to environment 'production'" in marked.screen
    assert (marked.rc, place.rows(), place.open()) == (2, before, [])


@pytest.mark.drill
def test_what_does_not_verify_is_put_back_all_the_same(place: Staging) -> None:
    before = place.rows()
    # Somebody breaks more than the rehearsal did.
    script = """UPDATE "Tickets" SET "kanbanLane" = 999999999 WHERE id = 5"""
    place.db.rows('ALTER TABLE "Tickets" DROP CONSTRAINT "Tickets_kanbanLane_fkey"')
    task = {
        "name": "Break more",
        "community.postgresql.postgresql_query": {
            "login_host": "{{ kanban_postgresql_host }}",
            "login_port": "{{ kanban_postgresql_port }}",
            "login_user": "{{ kanban_postgresql_user }}",
            "login_password": "{{ kanban_postgresql_password }}",
            "login_db": "{{ kanban_postgresql_db }}",
            "query": script,
        },
    }
    (place.directory / "break.yml").write_text(json.dumps([task]))
    run = place.rehearse(
        kanban_rehearse_break=[str(place.directory / "break.yml")], kanban_rto_seconds={"scenario3": 0.1}
    )
    assert run.rc == 2, run.output
    assert "NOT GREEN: scenario3, and all is as before." in run.screen
    assert "NOT VERIFIED: db1: invalid_lanes counts 1 more than before, and 0 were planted" in run.screen
    assert "OBJECTIVE: " in run.screen
    place.db.rows("""UPDATE "Tickets" SET "kanbanLane" = NULL WHERE id = 5""")
    now = place.rows()
    assert {name: rows for name, rows in now.items() if rows != before[name]}.keys() <= {'"Tickets"'}
    assert place.open() == []
    # If a step of the team's fails, the scenario is not run, but everything is put back and mended all the same.
    mended = place.directory / "mended"
    touch = {"name": "Mend", "ansible.builtin.file": {"path": str(mended), "state": "touch", "mode": "0600"}}
    (place.directory / "break.yml").write_text(json.dumps([{"name": "Fail", "ansible.builtin.fail": {"msg": "no"}}]))
    (place.directory / "mend.yml").write_text(json.dumps([touch]))
    given = {"kanban_rehearse_break": ["break"], "kanban_rehearse_mend": ["break", "mend"]}
    run = place.rehearse(
        **{name: [str(place.directory / f"{file}.yml") for file in files] for name, files in given.items()}
    )
    assert run.rc == 2, run.output
    assert "NOT SET UP: db1: no" in run.screen
    assert "NOT AS BEFORE: db1: no" in run.screen
    assert "CONTAINED" not in run.screen
    assert (place.rows(), len(place.open()), mended.exists()) == (now, 1, True)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("after", "lost", "said"),
    [
        ("__rehearse_seen_at", "__rehearse_lowered", "the fence is not known to be down"),
        ("__rehearse_removed", "__rehearse_closed", "the incident is not known to be closed"),
    ],
)
def test_a_host_that_is_lost_for_one_task_is_not_as_before(place: Staging, after: str, lost: str, said: str) -> None:
    before = place.rows()
    # Between one result and the next it is unreachable: Ansible goes on with the task after that, and rescues nothing.
    nowhere = silent_where(f"{after} is defined and {lost} is not defined")
    # If planted rows were fenced, taking them away would show that a fence is up.
    run = place.rehearse(**nowhere, kanban_fence_tables=["Tickets"])
    assert run.rc == 2, run.output
    assert "NOT GREEN: scenario3, and NOT all is as before." in run.screen
    assert f"NOT AS BEFORE: db1: {said}: could not be reached" in run.screen
    ((incident, _scenario),) = place.open()
    again = place.rehearse("-e", "kanban_rehearse=put_back")
    assert again.rc == 0, again.output
    assert f"PUT BACK: what the rehearsal {incident} left is as before." in again.screen
    assert place.db.modules().ok("write_fence_info")["status"] == "absent"
    assert (place.rows(), place.open()) == (before, [])


@pytest.mark.drill
@pytest.mark.parametrize(
    ("after", "lost", "end"),
    [
        ("__rehearse_data", "__rehearse_opened", "and NOT all is as before."),
        ("__rehearse_opened", "__rehearse_enabled", "and all is as before."),
        ("__rehearse_asked", "__rehearse_planted", "and all is as before."),
        # While the team's file breaks something.
        ("__rehearse_planted", "__rehearse_there", "and all is as before."),
    ],
)
def test_a_host_that_is_lost_while_it_is_set_up_is_not_rehearsed_on(
    place: Staging, after: str, lost: str, end: str
) -> None:
    before, broken = place.rows(), place.directory / "broken"
    touch = {"path": str(broken), "state": "touch", "mode": "0600"}
    task = {"name": "Break", "ansible.builtin.file": touch, "when": "inventory_hostname == 'app1'"}
    (place.directory / "break.yml").write_text(json.dumps([task]))
    nowhere = silent_where(f"inventory_hostname == 'db1' and {after} is defined and {lost} is not defined")
    with application(place.directory / "application") as app:
        app.says("health", {"status": "ok"})
        command = ("-i", "app1,", "-e", "kanban_app_hosts=app1")
        given = {
            "kanban_app_url": app.url,
            "kanban_app_pm2": "",
            "kanban_rehearse_break": [f"{place.directory}/break.yml"],
        }
        run = place.rehearse(*command, **nowhere, **given)
    # What is broken before a ledger says so would stay if this run were killed.
    assert broken.exists() == (lost == "__rehearse_there"), run.output
    assert run.rc == 2, run.output
    assert f"NOT GREEN: scenario3, {end}" in run.screen
    assert "NOT SET UP: db1: " in run.screen
    assert "CONTAINED" not in run.screen
    known = "NOT AS BEFORE: db1: whether its incident was opened is not known: could not be reached"
    assert (known in run.screen) == (lost == "__rehearse_opened"), run.output
    assert (place.rows(), place.open()) == (before, [])


@pytest.mark.drill
def test_a_scenario_that_ends_badly_is_put_back_all_the_same(place: Staging) -> None:
    before = place.rows()
    # The metrics never become good, so V1 is not validated, and scenario 1 fails by its own verdict.
    bad = {"error_rate": {"source": "sql", "where": "db", "query": "SELECT 50"}, **dict.fromkeys(OTHERS)}
    run = place.rehearse(
        "-e", "kanban_rehearse=scenario1", **{**SHORT, "kanban_metrics": bad, "kanban_validate_seconds": 3}
    )
    assert run.rc == 2, run.output
    assert "NOT GREEN: scenario1, and all is as before." in run.screen
    assert "THE SCENARIO: CONTAINED" in run.screen
    assert (place.rows(), place.open()) == (before, [])
