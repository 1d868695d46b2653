# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 2 switches exactly the list that it shows, and a rule decides what follows from the watch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.application import Application, running
from tests.playbooks.place import IS_ON, ON, Site
from tests.playbooks.runner import SWITCHED_OFF, Run
from tests.playbooks.test_evidence_of_stops import taken
from tests.staging.local import ask

# Short times: a watch of five minutes is tested elsewhere, where time is cheap.
BRIEF: dict[str, Any] = {
    "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.2},
    "kanban_gate_interval": 1.5,
    "kanban_gate_initial_delay": 5,
    "kanban_sweep_seconds": 5,
    "kanban_investigate_seconds": 1,
    "kanban_ranking": {"deadline": 10},
}
# One metric that the database itself provides when there is no application: good, or good and bad in turn.
GOOD = "SELECT 0"
BY_TURNS = "SELECT mod(count(*), 2) FROM kanban_rollback.events WHERE data ->> 'gate' = 'scenario2'"
OTHERS = ("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")
ERROR_LOGS = """CREATE TABLE "ErrorLogs" (
  id serial PRIMARY KEY, "companyId" int, severity text, context text, message text,
  "createdAt" timestamptz NOT NULL DEFAULT now()
)"""
ERRORS = """INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
  SELECT c.id, 'error', 'kanban.board', 'TimeoutError'
  FROM (VALUES {rows}) AS c (id, errors), generate_series(1, c.errors)"""
STATS = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}


@pytest.fixture
def application(site: Site) -> Iterator[Application]:
    """Yield the staging application, whose /metrics forget within seconds."""
    with running(site, window=3) as started:
        yield started


def on(site: Site, host: str = "db1") -> set[int]:
    return set(map(int, site.psql(host, f'SELECT id FROM "Companies" WHERE {IS_ON} ORDER BY id').split()))


def errors(site: Site, numbers: Mapping[int, int], host: str = "db1") -> None:
    """Log the given number of errors for each tenant, as of now."""
    site.psql(host, ERRORS.format(rows=", ".join(f"({tenant}, {number})" for tenant, number in numbers.items())))


def switch_on(site: Site, tenant: int, host: str = "db1") -> bool:
    """Switch a tenant on directly, as the application's own screen does; return whether it is on then."""
    site.psql(host, f"""UPDATE "Companies" SET settings = '{{"kanbanV2Enabled": true}}' WHERE id = {tenant}""")
    return tenant in on(site, host)


def pulse(site: Site, query: str, **more: Any) -> dict[str, Any]:
    """Return a profile whose only metric is one query."""
    metrics = {**dict.fromkeys(OTHERS), "pulse": {"where": "db", "source": "sql", "query": query}}
    limits = {"pulse": {"max": 0.5, "consecutive": 3}}
    brief: dict[str, Any] = {"kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.05}, "kanban_gate_interval": 1}
    return {
        **BRIEF,
        **brief,
        "kanban_gate_initial_delay": 0,
        "kanban_incidents_dir": str(site.directory / "incidents"),
        "kanban_metrics": metrics,
        "kanban_thresholds": limits,
        **more,
    }


def stats(run: Run) -> dict[str, str]:
    """Return what the run hands on to whatever comes after it."""
    told = run.output.rpartition("CUSTOM STATS")[2]
    return dict(re.findall(r'"?(kanban_\w+)"?: "?([\w-]+)', told))


def is_there(site: Site, name: str, host: str = "db1") -> bool:
    return site.psql(host, f"SELECT to_regclass('{name}') IS NOT NULL") == "t"


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_those_who_suffer_are_off_the_others_stay_on_and_it_holds(
    site: Site, application: Application, tmp_path: Path
) -> None:
    before = sorted(on(site))
    slow, few, later = before[:3], before[3], before[4]
    never = min(set(range(1, 201)) - set(before))
    known = {**application.variables, **BRIEF, "kanban_incidents_dir": str(tmp_path / "incidents")}
    typed: dict[str, Any] = {"whole": True, "timeout": 280, "variables": known, "environment": STATS}
    errors(site, {slow[0]: 300, slow[1]: 200, slow[2]: 100, few: 8})
    application.misbehave(slow=900, tenants=slow)
    with application.load(tmp_path / "account", tenants=before[:12], rate=30):
        plan = site.run("scenario2", "--check", **typed)
        assert plan.rc == 0, plan.output
        assert f"{slow[1]} (" in plan.text
        assert "PLAN, nothing was changed: 3 of 3 tenants would change" in plan.screen
        assert (stats(plan)["kanban_verdict"], stats(plan)["kanban_decision"]) == ("planned", "go_on")
        assert (sorted(on(site)), is_there(site, "kanban_rollback.incidents")) == (before, False)

        run = site.run("scenario2", **typed)
        assert run.rc == 0, run.output
        assert "CONTAINED: Kanban V2 is off for the 3 tenants named (3 were switched off now)" in run.screen
        assert "HOLD: better" in run.screen
        assert run.text.index("tenants that are on (5.0%) have more than 10 errors") < run.text.index(SWITCHED_OFF)
        assert sorted(on(site)) == before[3:]
        assert "app1: 2 of 2 processes serve V1" in run.screen
        for url in application.urls:
            served = {tenant: ask(f"{url}/health/kanban?tenant={tenant}")[1]["v2"] for tenant in before[:5]}
            assert served == {tenant: tenant not in slow for tenant in before[:5]}
        file = Path(re.search(r"Investigation: (\S+\.md)", run.screen)[1])  # type: ignore[index]
        assert [path.stat().st_mode & 0o777 for path in (file, file.with_suffix(".json"))] == [0o600, 0o600]
        assert stats(run) == {
            "kanban_decision": "hold", "kanban_incident_id": run.incident, "kanban_verdict": "contained"
        }  # fmt: skip

        # Others have had errors since; the frozen list still holds. Naming hosts does not make it go on to scenario 1.
        errors(site, {later: 500})
        again = site.run("scenario2", **typed, extra={"kanban_db_hosts": "db"})
        assert again.rc == 0, again.output
        assert "CONTAINED: Kanban V2 is off for the 3 tenants named (0 were switched off now)" in again.screen
        frozen = re.search(r"frozen at \S+", run.screen)
        assert frozen
        assert frozen[0] in again.screen
        assert (sorted(on(site)), again.incident) == (before[3:], run.incident)

        assert not switch_on(site, never)
        assert not switch_on(site, slow[0])
        undone = site.run("reenable", **typed, extra={"kanban_reenable": "all"})
        assert undone.rc == 0, undone.output
        assert sorted(on(site)) == before
        assert switch_on(site, never)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_still_degraded_asks_for_scenario_1_or_goes_on_to_it(
    site: Site, application: Application, tmp_path: Path
) -> None:
    before = sorted(on(site))
    # A degraded verdict ends the watch.
    minutes = {"kanban_watch_minutes": {"scenario1": 0, "scenario2": 1}}
    # More errors than anybody gets from failures in the meantime, however long it takes to get there.
    known = {**application.variables, **BRIEF, **minutes, "kanban_ranking": {"more_than": 500}}
    typed: dict[str, Any] = {"whole": True, "timeout": 280, "variables": known, "environment": STATS}
    errors(site, {before[0]: 1500, before[1]: 1000, before[2]: 550})
    application.misbehave(fail=3)
    with application.load(tmp_path / "account", tenants=before[:12], rate=30):
        asked = site.run("scenario2", **typed)
        assert asked.rc != 0
        assert "SCENARIO 1 IS NEXT, TYPE IT: still degraded after the selective rollback" in asked.screen
        assert "Next: ansible-playbook chatia.kanban_rollback.scenario1 -i " in asked.screen
        assert sorted(on(site)) == before[3:]
        assert stats(asked)["kanban_decision"] == "ask"

        run = site.run("scenario2", **typed, extra={"kanban_escalate": "auto"})
        assert run.rc == 0, run.output
        assert "SCENARIO 1: still degraded" in run.text
        assert "CONTAINED: Kanban V2 is off for all 200 tenants" in run.screen
        assert on(site) == set()
        assert site.incidents() == [run.incident] == [asked.incident]
        # What was going on when everybody was switched off, beside what was going on when some were.
        assert [scenario for _run, scenario in taken(site, "db1")] == ["scenario2", "scenario2", "scenario1"]
        assert stats(run) == {
            "kanban_decision": "escalate", "kanban_incident_id": run.incident, "kanban_verdict": "contained"
        }  # fmt: skip


@pytest.mark.timeout(900)
def test_half_of_the_tenants_is_scenario_1_at_once(site: Site) -> None:
    site.psql("db1", ERROR_LOGS)
    errors(site, dict.fromkeys(sorted(on(site))[: ON // 2], 11))
    asked = site.run("scenario2", variables=pulse(site, GOOD), environment=STATS, timeout=280)
    assert asked.rc != 0
    assert "SCENARIO 1 IS NEXT, TYPE IT: too many tenants are affected" in asked.screen
    assert f"{ON // 2} of {ON} tenants that are on, 50 %" in asked.screen
    # A list that nobody acted on is not binding.
    assert (site.on(), is_there(site, "kanban_rollback.incidents")) == (ON, False)
    assert (stats(asked)["kanban_decision"], stats(asked)["kanban_verdict"]) == ("ask", "failed")

    auto = {"kanban_escalate": "auto"}
    run = site.run("scenario2", variables=pulse(site, GOOD), extra=auto, environment=STATS, timeout=280)
    assert run.rc == 0, run.output
    assert f"off for all 3000 tenants ({ON} were switched off now)" in run.screen
    assert (site.on(), len(site.incidents())) == (0, 1)
    # Nothing was watched, frozen or investigated before scenario 1.
    assert "scenario2, try" not in run.output
    assert "Investigation:" not in run.output
    assert stats(run)["kanban_decision"] == "escalate"


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_good_and_bad_in_turn_pauses_the_roll_out(site: Site) -> None:
    two = ("db1", "db3")
    site.psql("db1", ERROR_LOGS)
    site.psql("db3", ERROR_LOGS)
    before = sorted(on(site))
    alone = {"kanban_pause": True}
    paused = site.run("scenario2", hosts=two, variables=pulse(site, GOOD), extra=alone, environment=STATS, timeout=280)
    assert paused.rc == 0, paused.output
    for name in two:
        told = f"{name}: the roll-out is paused: {ON} of 3000 tenants have it and keep it, nobody else gets it"
        assert told in paused.screen
        assert not switch_on(site, 1, name)
    assert stats(paused) == {
        "kanban_decision": "pause", "kanban_incident_id": paused.incident, "kanban_verdict": "paused"
    }  # fmt: skip
    assert sorted(on(site)) == before

    # On one database nobody suffers: an empty list means nobody, never everybody.
    errors(site, {before[0]: 12})
    run = site.run("scenario2", hosts=two, variables=pulse(site, BY_TURNS), environment=STATS, timeout=280)
    assert run.rc == 0, run.output
    assert "PAUSE: good and bad in turn" in run.screen
    assert "db3: 0 of 1000 tenants that are on (0.0%) have more than 10 errors" in run.screen
    assert not switch_on(site, 1)
    assert (sorted(on(site)), site.on("db3")) == (before[1:], ON)
    assert (run.incident, site.incidents()) == (paused.incident, [paused.incident])
    assert stats(run)["kanban_decision"] == "pause"
    # The pause investigates nothing; both runs keep their journal with the incident.
    kept = [path.name.partition("-")[0] for path in (site.directory / "incidents" / run.incident).glob("*-*")]
    assert sorted(kept) == ["investigation"] * 2 + ["journal"] * 2


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_where_nobody_knows_nobody_is_switched(site: Site) -> None:
    nothing = site.run("scenario2", variables=pulse(site, GOOD), environment=STATS, timeout=280)
    assert nothing.rc != 0
    assert "NOT KNOWN: who is affected is not known, so nobody was switched off" in nothing.screen
    assert "db1: There is no table 'ErrorLogs'" in nothing.screen
    assert (
        "Where it cannot wait, off for everybody: ansible-playbook chatia.kanban_rollback.scenario1" in nothing.screen
    )
    assert (stats(nothing)["kanban_decision"], stats(nothing)["kanban_verdict"]) == ("unknown", "failed")

    # Without the controller there is no decision.
    limited = site.run("scenario2", "--limit", "db1", variables=pulse(site, GOOD), environment=STATS, timeout=280)
    assert limited.rc != 0
    assert "Nobody was switched off, but --limit db1 leaves out localhost" in limited.text
    assert (site.on("db1"), is_there(site, "kanban_rollback.incidents")) == (ON, False)

    # Tenants that are known to suffer are helped, even if another database does not answer.
    site.psql("db3", ERROR_LOGS)
    worst = min(on(site, "db3"))
    errors(site, {worst: 12}, "db3")
    site.fault("db1", Host.blackhole)
    brief = {"kanban_connect_timeout": 3}
    run = site.run(
        "scenario2", hosts=("db1", "db3"), variables=pulse(site, GOOD, **brief), environment=STATS, timeout=280
    )
    assert run.rc != 0
    assert "GO ON: not every database answered" in run.text
    assert "db1: NOT ACCOUNTED FOR: could not be reached" in run.screen
    assert site.on("db3") == ON - 1
    assert (stats(run)["kanban_decision"], stats(run)["kanban_verdict"]) == ("unknown", "degraded")
