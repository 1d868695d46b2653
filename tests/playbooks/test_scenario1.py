# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 1 on an application that is really broken: off, purged, proven, validated, watched; and on half of one."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.application import Application
from tests.playbooks.place import Site
from tests.playbooks.runner import SWITCHED_OFF, Run
from tests.staging.account import MESSAGE, acknowledged

# Companies of the application, and those that have Kanban V2.
COMPANIES, ON = 200, 60
STALE, KEPT = "kanban:v2:board:1", "bull:queue"
# Short times: a watch of half an hour is tested elsewhere, where time is cheap.
BRIEF: dict[str, Any] = {
    "kanban_watch_minutes": {"scenario1": 0.2},
    "kanban_gate_interval": 2,
    "kanban_validate_seconds": 120,
    "kanban_sweep_seconds": 5,
}
STEPS = "log in, list tickets, open a ticket, see the V1 board"
WATCHED = "scenario1: watched 00:12 of 00:12"
# The plan's objectives. The speed on an idle machine is measured, not asserted: a test shares the machine.
SECONDS_TO_VALIDATE = 300
SECONDS_TO_CONTAIN = 120
# Processes have kanban_app_prove_seconds (30) after the kill to serve V1; what they log until then is not new. The log
# has whole seconds.
SECONDS_TO_TURN = 33


def tries(site: Site) -> list[tuple[str, int, int]]:
    """Return what the ledger keeps of the gates: name, number of the watch, number of the try."""
    kept = site.psql(
        "db1",
        "SELECT data ->> 'gate', data ->> 'watch', data ->> 'try' FROM kanban_rollback.events "
        "WHERE source = 'metric_gate' ORDER BY at",
    )
    return [(name, int(watch), int(number)) for name, watch, number in (row.split("|") for row in kept.splitlines())]


def seconds(what: str, screen: str) -> float:
    """Return a time from the last screen."""
    found = re.search(rf"{what} after ([\d.]+) s", screen)
    assert found, screen
    return float(found[1])


def evidence_of(run: Run) -> list[tuple[str, ...]]:
    """Return where and when evidence of Redis and the application was taken; a database's is taken with each kill."""
    found = re.findall(r"((?:redis|app)\d): \d+ files of evidence, .*?, in (\S+), taken (\S+Z)", run.screen)
    assert len(found) == 3, run.screen
    return found


def look_at_the_plan(site: Site, variables: dict[str, Any]) -> None:
    """Assert that check mode changes nothing in database and Redis, and says what would be done."""
    places = site.places()
    plan = site.run("scenario1", "--check", "--diff", whole=True, variables=variables)
    assert plan.rc == 0, plan.output
    assert f"PLAN, nothing was changed: {ON} of {COMPANIES} tenants would change" in plan.screen
    assert "redis1: 1 key would be purged (1 of kanban:*)" in plan.screen
    assert f"app1: would be walked: {STEPS}" in plan.screen
    assert "app2: its application processes would be asked until each serves V1" in plan.screen
    assert "metrics would be watched for" in plan.screen
    assert "redis1: evidence would be kept in" in plan.screen
    assert site.places() == places
    assert site.psql("db1", "SELECT to_regnamespace('kanban_rollback') IS NULL") == "t"
    assert site.redis("GET", STALE) == "stale"


def is_validated(run: Run) -> None:
    """Assert that the screen shows everything that the scenario has to show, in time."""
    assert f"CONTAINED: Kanban V2 is off for all {COMPANIES} tenants ({ON} were switched off now)" in run.screen
    for host in ("app1", "app2"):
        assert f"{host}: 2 of 2 processes serve V1, at most" in run.screen
        assert f"{host}: healthy, 200" in run.screen
        assert re.search(rf"{host}: the V1 walk passed in [\d.]+ s: {STEPS}", run.screen)
        assert f"{host}: 2 of 2 processes run" in run.screen
    assert "the users' address: healthy, 200" in run.screen
    assert "error rate 0 % ok" in run.screen
    assert re.search(r"socket latency [\d.]+ ms ok", run.screen)
    assert "validation: good after 00:" in run.screen
    assert seconds("Contained", run.screen) < SECONDS_TO_CONTAIN
    assert seconds("Time: validated", run.screen) < SECONDS_TO_VALIDATE
    undo = f"-e kanban_reenable=all -e kanban_incident_id={run.incident}"
    assert "Next, if this was a misfire: ansible-playbook chatia.kanban_rollback.reenable -i " in run.screen
    assert undo in run.screen


def nothing_is_lost(application: Application, path: Path, began: float) -> None:
    """Assert that no acknowledged write is lost, and that messages came in before the kill and after it."""
    report = application.verify(path)
    assert report.holds, report
    messages = [entry.at - began for entry in acknowledged(path) if entry.operation == MESSAGE]
    assert min(messages) < 0
    assert max(messages) > 5


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_crashing_application_is_off_and_validated_and_the_same_again_changes_nothing(
    site: Site, application: Application, tmp_path: Path
) -> None:
    variables = {**application.variables, **BRIEF}
    site.redis("SET", STALE, "stale")
    site.redis("SET", KEPT, "kept")
    look_at_the_plan(site, variables)

    application.misbehave(crash_on_open=True)
    detached = {"kanban_watch_detach": True}
    with application.load(tmp_path / "account", tenants=range(1, 61), rate=30):
        time.sleep(2)
        began = time.time()
        run = site.run("scenario1", whole=True, timeout=280, variables=variables, extra=detached)
    assert (run.rc, site.on()) == (0, 0), run.output
    is_validated(run)
    assert (site.redis("EXISTS", STALE), site.redis("GET", KEPT)) == ("0", "kept")
    assert "NOT WATCHED YET: type the same command without kanban_watch_detach" in run.screen
    assert {name for name, _watch, _try in tries(site)} == {"validation"}
    nothing_is_lost(application, tmp_path / "account", began)

    # The same command again changes nothing. Its window begins after that kill, not after its own, which found nobody.
    places, evidence = site.places(), evidence_of(run)
    time.sleep(max(0.0, began + seconds("Contained", run.screen) + SECONDS_TO_TURN - time.time()))
    application.log_errors("app1", 5)
    dead = {"kanban_app_public_url": "http://127.0.0.1:1"}
    bad = site.run("scenario1", whole=True, timeout=280, variables=variables, extra={**detached, **dead})
    assert bad.rc != 0, bad.output
    assert "(0 were switched off now)" in bad.screen
    assert "the users' address: NOT HEALTHY: " in bad.screen
    assert (bad.incident, site.incidents(), site.places()) == (run.incident, [run.incident], places)
    assert evidence_of(bad) == evidence
    found = re.search(r"NOT WELL: (\d+) error lines since \S+ among the last \d+ of the logs on app1", bad.screen)
    assert found, bad.screen
    assert int(found[1]) >= 5


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_watch_whose_terminal_is_lost_is_gone_on_with(site: Site, application: Application) -> None:
    variables = {**application.variables, **BRIEF}
    lost = site.start("scenario1", whole=True, variables=variables)
    lost.says("scenario1, try 2 of", timeout=200)
    lost.kill()
    before = len([name for name, _watch, _try in tries(site) if name == "scenario1"])
    going_on = site.start("scenario1", whole=True, variables=variables)
    going_on.says("If this terminal is lost", timeout=200)
    # What is logged during the watch counts.
    application.log_errors("app1", 2)
    again = going_on.wait(timeout=280)
    assert again.rc == 0, again.output
    assert "(0 were switched off now)" in again.screen
    assert site.incidents() == [again.incident]
    assert WATCHED in again.screen
    assert re.search(r"app1: .*? 2 of them new in \d+ s", again.screen), again.screen
    assert "gone on with after an earlier run" in again.screen
    kept = [(watch, number) for name, watch, number in tries(site) if name == "scenario1"]
    assert kept == [(1, number) for number in range(1, len(kept) + 1)]
    assert len(kept) > before >= 2
    assert "It is safe to close this terminal" in again.screen


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_processes_that_keep_the_flag_and_hosts_that_are_gone_are_named_and_never_a_silent_pass(
    site: Site, application: Application
) -> None:
    """First app2 is gone and app1 keeps serving V2; then neither the application nor Redis answers."""
    variables = {
        **application.variables, **BRIEF,
        "kanban_connect_timeout": 3, "kanban_app_prove_seconds": 4, "kanban_validate_seconds": 10,
    }  # fmt: skip
    application.misbehave(cache_flag=True)
    pids = [row["pid"] for row in application.processes("app1")]
    site.disconnect()
    site.fault("app2", Host.blackhole)
    running = site.start("scenario1", whole=True, variables=variables)
    contained = running.says(SWITCHED_OFF)
    run = running.wait(timeout=200)
    print(run.output)
    assert contained < SECONDS_TO_CONTAIN, run.output
    assert (run.rc != 0, site.on()) == (True, 0), run.output
    assert f"CONTAINED: Kanban V2 is off for all {COMPANIES} tenants" in run.screen
    assert "NOT VALIDATED after" in run.screen
    assert "NOT WELL: V1 is not proven on app1." in run.screen
    for number, pid in enumerate(pids):
        assert f"app1: process {pid} at http://127.0.0.1:{8080 + number} SERVES V2" in run.screen
        assert f"process {pid} goes on serving V2 and has to be started again: pm2 restart {number}" in run.screen
    assert "app2: proof of kill NOT ACCOUNTED FOR: could not be reached" in run.screen
    assert "app2: health, V1 walk, processes NOT ACCOUNTED FOR: it was not asked" in run.screen
    assert "error rate NO DATA (app2: not asked" in run.screen
    assert "no evidence of app2" in run.screen
    assert "app1: healthy, 200" in run.screen
    assert "type the same command again" in run.screen
    # A dead host costs its timeout only once.
    assert run.output.count("[app2]: UNREACHABLE!") == 1

    site.disconnect()
    for name in ("app1", "redis1"):
        site.fault(name, Host.blackhole)
    none = site.run("scenario1", whole=True, timeout=200, variables=variables)
    print(none.output)
    assert none.rc != 0
    for name in ("app1", "app2"):
        assert f"NOT WELL: {name} could not be asked which board it serves" in none.screen
        assert f"NOT WELL: the health of {name} is not known" in none.screen
    assert "NOT WELL: the cache on redis1 is not known to be purged" in none.screen
    assert "NOT VALIDATED after" in none.screen
    assert "NOT WELL: nothing was watched" in none.screen
    assert none.seconds < 150, none.output
