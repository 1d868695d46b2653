# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Triage of an application that is healthy, then really broken: the path that it prints, and what it does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.application import Application
from tests.playbooks.place import IS_ON, Site
from tests.playbooks.runner import Run

BRIEF: dict[str, Any] = {
    # Hosts that answer cost no waiting; on a busy machine a task takes ten seconds, which would be the limit of a try.
    "kanban_triage_seconds": 90,
    "kanban_triage_watch_seconds": 6,
    "kanban_watch_detach": True,
    "kanban_sweep_seconds": 5,
    "kanban_drain_seconds": 5,
}
# As many errors as the ranking counts, for the first ``tenants`` of those that are on.
ERRORS = f"""
INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
SELECT id, 'error', 'kanban.move', 'TypeError' FROM generate_series(1, 11),
  (SELECT id FROM "Companies" WHERE {IS_ON} ORDER BY id LIMIT {{tenants}}) AS worst
"""
# Which row and what is in it, but not who locks it: an error's row locks its company's key.
FLAGS = 'SELECT id, ctid, xmin, settings FROM "Companies" ORDER BY id'
LEDGER = "SELECT count(*) FROM pg_namespace WHERE nspname = 'kanban_rollback'"
EVENTS = "SELECT data FROM kanban_rollback.events WHERE event = 'triage' ORDER BY at"


def triage(site: Site, application: Application, **more: Any) -> Callable[..., Run]:
    """Return a function that runs the command; ``more`` goes to the inventory, its arguments to the command line."""

    def run(*options: str, **extra: Any) -> Run:
        variables = {**application.variables, **BRIEF, **more}
        return site.run("triage", *options, whole=True, timeout=150, variables=variables, extra=extra)

    return run


@pytest.mark.timeout(900)
@pytest.mark.drill
def test_what_is_measured_decides_and_nothing_is_switched(site: Site, application: Application) -> None:
    # Nobody types kanban_triage_act: in the inventory alone it does not make triage go on.
    type_it, on, flags = triage(site, application, kanban_triage_act=True), site.on(), site.psql("db1", FLAGS)

    well = type_it()
    assert well.rc == 0, well.output
    assert "NO INCIDENT: everything is known, and good" in well.screen
    assert "2 of 2 hosts healthy, 0 not, 0 out of reach" in well.screen
    assert "2 of 2 sockets connected" in well.screen

    # New sockets are as slow as the board.
    application.misbehave(slow=1500)
    site.psql("db1", ERRORS.format(tenants=on // 3))
    some = type_it()
    assert some.rc != 0, some.output
    assert "SCENARIO 2, P1: off for the tenants that suffer most." in some.screen
    # On a busy machine they are slower still.
    assert re.search(r"4\. Is there a performance issue\? YES: socket_latency [1-9]\d{3}\b", some.screen), some.screen
    assert f"no: {on // 3} of {on} tenants that are on" in some.screen

    said = type_it(kanban_declared="security", kanban_reason="anybody's board opens")
    assert said.rc != 0, said.output
    assert "1. Has a person declared what it is? YES: security is declared: anybody's board opens" in said.screen
    assert '-e {"kanban_reason": "anybody' in said.screen.replace("'", "")
    assert "so nothing was gone on with: -e kanban_triage_act=true" in said.screen
    # Nothing is measured when a person knows.
    assert "Count what is corrupt" not in said.output
    assert (site.on(), site.psql("db1", FLAGS), site.psql("db1", LEDGER)) == (on, flags, "0")


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_down_is_told_from_many_who_suffer_and_from_one_host_that_is_gone(site: Site, application: Application) -> None:
    type_it, on, flags = triage(site, application), site.on(), site.psql("db1", FLAGS)
    application.misbehave(slow=1500)
    site.psql("db1", ERRORS.format(tenants=on // 2))
    most = type_it()
    assert "SCENARIO 1, P0: off for every tenant." in most.screen, most.output
    assert f"YES: {on // 2} of {on} tenants that are on, 50 %" in most.screen
    application.misbehave(slow=None, refuse_sockets=True)
    refused = type_it()
    assert "SCENARIO 1, P0" in refused.screen, refused.output
    assert "3. Is the system down? YES: 2 of 2 hosts healthy" in refused.screen
    assert re.search(r"0 of 2 sockets connected, 2 refused [3-9] times", refused.screen)

    application.misbehave(refuse_sockets=None)
    application.pm2("app2", "stop", "all")
    one = type_it()
    assert one.rc != 0, one.output
    assert "NOT CLEAR" in one.screen, one.output
    assert "1 of 2 hosts healthy, 1 not (app2: " in one.screen
    application.pm2("app1", "stop", "all")
    down = type_it()
    assert "SCENARIO 1, P0" in down.screen, down.output
    assert "0 of 2 hosts healthy, 2 not" in down.screen
    assert "asked 3 times" in down.screen
    assert (site.on(), site.psql("db1", FLAGS), site.psql("db1", LEDGER)) == (on, flags, "0")


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_corruption_that_the_application_makes_is_recorded_and_stopped(
    site: Site, application: Application, tmp_path: Path
) -> None:
    # There are no backups at the configured path.
    sources = [{"kind": "dumps", "path": "/var/backups/none", "name": "nightly"}]
    type_it, on = triage(site, application, kanban_backup_sources=sources), site.on()
    application.misbehave(duplicate_tags=1)
    duplicates = 'SELECT count(*) - count(DISTINCT ("ticketId", "tagId")) FROM "TicketTags"'
    with application.load(tmp_path / "account", tenants=range(1, 31), rate=20):
        while int(site.psql("db1", duplicates)) < 3:
            pass
    application.misbehave(duplicate_tags=None)
    counted = site.psql("db1", duplicates)

    plan = type_it("--check", kanban_declared="p2", kanban_reason="colours are off")
    assert site.psql("db1", LEDGER) == "0", plan.output
    p2 = type_it(kanban_declared="p2", kanban_reason="colours are off")
    for run in (plan, p2):
        assert run.rc != 0, run.output
        assert "P2, recorded; nothing is switched. What was measured says: SCENARIO 3" in run.screen
        assert f"2. Is data corrupt? YES: duplicate_ticket_tags {counted}" in run.screen
    (incident,) = site.incidents()
    assert f"Recorded on db1 in incident {incident}, opened for it" in p2.screen
    assert "db1: NO BACKUP THAT IS YOUNG ENOUGH. There is no usable backup: 0 found; 1 of 1 sources" in p2.screen
    assert site.on() == on

    acted = type_it(kanban_triage_act=True)
    assert acted.rc == 0, acted.output
    assert site.on() == 0
    assert site.redis("GET", "kanban:emergency:write-block") == "true"
    assert acted.text.index("Going on with scenario3.") < acted.text.index("Switch the flag off")
    assert acted.text.index("Switch the flag off") < acted.text.index("Ask the backups"), "nothing waits for backups"
    assert "db1: Backups: nightly gave no answer: /var/backups/none cannot be read" in acted.screen
    assert f"Incident {incident}" in acted.screen
    assert acted.screen.count("CONTAINED") == 1
    assert site.incidents() == [incident]
    recorded = [json.loads(line) for line in site.psql("db1", EVENTS).splitlines()]
    assert [(event["scenario"], event["recommended"]) for event in recorded] == [
        ("p2", "scenario3"),
        ("scenario3", "scenario3"),
    ]
    assert counted in recorded[1]["path"][1]["because"]


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_who_suffers_is_switched_off_and_the_screen_says_that_it_holds(site: Site, application: Application) -> None:
    """Scenario 2 contains scenario 1, but none of scenario 1's plays has a say here."""
    on, variables = site.on(), {**application.variables, **BRIEF, "kanban_investigate_seconds": 1}
    application.misbehave(slow=1500)
    site.psql("db1", ERRORS.format(tenants=3))
    acting = {"kanban_triage_act": True}
    acted = site.run("triage", whole=True, timeout=280, variables=variables, extra=acting)
    assert acted.rc == 0, acted.output
    assert "SCENARIO 2, P1: off for the tenants that suffer most." in acted.text
    assert "CONTAINED: Kanban V2 is off for the 3 tenants named (3 were switched off now)" in acted.screen
    assert "NOT CONTAINED" not in acted.text
    assert site.on() == on - 3


def tell_database(host: Host, signal: str) -> None:
    """Send a signal to PostgreSQL: while stopped, it accepts connections and never answers."""
    host.run(["sh", "-c", f"kill -{signal} $(pgrep -x postgres)"])


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_what_hangs_is_not_known_and_costs_its_time_once(site: Site) -> None:
    tell_database(site.fleet["db1"], "STOP")
    try:
        for name in ("app1", "app2"):
            site.fault(name, Host.pause)
        site.disconnect()
        seconds = 20
        variables = {**BRIEF, "kanban_triage_seconds": seconds}
        away = {"kanban_app_public_url": f"http://{site.fleet['app1'].address}:8080"}
        runs = [
            site.start("triage", whole=True, variables={**variables, **more}, hosts=["db1", "db2"])
            for more in ({}, away)
        ]
        alone, together = (run.wait(timeout=90) for run in runs)
    finally:
        tell_database(site.fleet["db1"], "CONT")
    for run in (alone, together):
        assert run.rc != 0, run.output
        assert "2. Is data corrupt? not known: db1: " in run.screen, run.output
        assert "2 out of reach (app1, app2)" in run.screen
        assert run.seconds < seconds + 20, run.output
    assert "NOT CLEAR" in alone.screen, alone.output
    assert "that may be the network, 2 places are needed" in alone.screen
    assert "SCENARIO 1, P0" in together.screen, together.output
    assert "asked 3 times from 3 places, not served at their users' address" in together.screen
    assert "Take one sample" not in together.output
