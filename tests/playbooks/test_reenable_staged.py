# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""V2 back in stages on real hosts: an application that logs errors, a controller that dies, two primaries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.application import Application
from tests.playbooks.place import ON, PRIMARIES, Site
from tests.playbooks.test_scenario1 import BRIEF
from tests.playbooks.test_scenario1 import ON as PEOPLE

SHORT = {"kanban_watch_minutes": {"scenario1": 0, "stage": 0.2}, "kanban_stages": [10, 100]}
OTHERS = ("socket_latency", "dnd_p95", "query_p95", "memory")
# Databases alone: what is measured is asked of them, and their data has one check.
ERRORS = "CREATE TABLE errors (rate float); INSERT INTO errors VALUES (0)"
ALONE: dict[str, Any] = {
    "kanban_metrics": {
        "error_rate": {"where": "db", "source": "sql", "query": "SELECT rate FROM errors", "url": "", "path": ""},
        **dict.fromkeys(OTHERS),
    },
    "kanban_thresholds": dict.fromkeys(OTHERS),
    "kanban_gate_interval": 1,
    "kanban_sweep_seconds": 2,
    **SHORT,
}
CHECKS = {
    "__kanban_integrity_checks": [
        {"name": "nobodys", "kind": "null_reference", "table": "Tickets", "column": "companyId", "severity": "critical"}
    ]
}
BOTH = ("db1", "db2", "db3")


def stages(site: Site, host: str = "db1") -> list[str]:
    """Return what became of each stage, according to the ledger."""
    kept = site.psql(
        host,
        """SELECT event || ' ' || (data ->> 'share')::float8 FROM kanban_rollback.events
           WHERE event LIKE 'stage%' ORDER BY at""",
    )
    return kept.splitlines()


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_stage_in_which_errors_are_logged_is_off_again_and_mended_it_goes_on(
    site: Site, application: Application
) -> None:
    before = site.rows()
    variables = {**application.variables, **BRIEF, **SHORT}
    assert site.run("scenario1", whole=True, variables=variables, timeout=280).rc == 0
    places = site.places()
    plan = site.run("reenable", "--check", "--diff", whole=True, variables=variables)
    assert plan.rc == 0, plan.output
    assert f"stage 10 %, then stage 100 % would come; 0 of {PEOPLE} tenants have Kanban V2." in plan.screen
    assert (site.places(), stages(site)) == (places, [])

    running = site.start("reenable", whole=True, variables=variables)
    running.says("stage 10 %: passed", timeout=180)
    # It is watched by now: what was logged before a stage began does not count for it.
    running.says("stage 100 % (", timeout=180)
    application.log_errors("app1", 9)
    run = running.wait(timeout=200)
    assert (run.rc != 0, site.on()) == (True, PEOPLE // 10), run.output
    assert (
        f"RETURNED {PEOPLE // 10} of {PEOPLE} tenants that had Kanban V2. STOPPED: stage 100 % did not pass"
        in run.screen
    )
    assert "on app1, they have to be fewer than 5" in run.screen
    assert f"stage 100 %: its tenants are off again ({PEOPLE - PEOPLE // 10} were switched off)" in run.screen

    done = site.run("reenable", whole=True, variables=variables, timeout=280)
    assert done.rc == 0, done.output
    assert f"RETURNED {PEOPLE} of {PEOPLE} tenants that had Kanban V2." in done.screen
    assert site.rows() == before


@pytest.mark.drill
def test_two_primaries_have_a_share_each_and_one_gate_and_a_dead_controller_loses_nothing(site: Site) -> None:
    before = [site.rows(name) for name in PRIMARIES]
    for name in PRIMARIES:
        site.psql(name, ERRORS)
    assert site.run("scenario3", hosts=BOTH).rc == 0
    lost = site.start("reenable", hosts=BOTH, variables=ALONE, extra=CHECKS)
    lost.says("stage 10 % (", timeout=120)
    lost.kill()
    assert [site.on(name) for name in PRIMARIES] == [ON // 10] * 2
    refused = site.run("reenable", hosts=BOTH, variables={**ALONE, "kanban_operator": "rui"}, extra=CHECKS)
    assert refused.rc != 0
    assert "last sign of life" in refused.screen
    for name in PRIMARIES:
        site.psql(name, "DELETE FROM kanban_rollback.leases")
    running = site.start("reenable", hosts=BOTH, variables=ALONE, extra=CHECKS)
    running.says("stage 10 %: passed", timeout=180)
    # What one database has to say ends the stage on both.
    site.psql("db3", "UPDATE errors SET rate = 7")
    run = running.wait(timeout=200)
    assert (run.rc != 0, [site.on(name) for name in PRIMARIES]) == (True, [ON // 10] * 2), run.output
    assert f"RETURNED {ON // 5} of {2 * ON}" in run.screen
    for name in PRIMARIES:
        assert stages(site, name) == [
            "stage begun 10", "stage passed 10", "stage begun 100", "stage failed 100"
        ]  # fmt: skip
    site.psql("db3", "UPDATE errors SET rate = 0")
    done = site.run("reenable", hosts=BOTH, variables=ALONE, extra=CHECKS)
    assert done.rc == 0, done.output
    assert [site.rows(name) for name in PRIMARIES] == before


@pytest.mark.drill
def test_nothing_begins_where_a_database_does_not_answer_or_writes_are_refused(site: Site) -> None:
    assert site.run("scenario3", whole=True).rc == 0
    refused = site.run("reenable", whole=True, variables=ALONE, extra=CHECKS)
    assert refused.rc != 0
    assert "db1: the fence is up for" in refused.screen
    assert "redis1: the write block is held for" in refused.screen
    assert "chatia.kanban_rollback.release -i" in refused.screen
    site.fault("db1", Host.blackhole)
    site.disconnect()
    dead = site.run("reenable", whole=True, variables=ALONE, extra=CHECKS)
    assert dead.rc != 0
    assert "db1 did not answer, so who had the feature there is not known" in dead.screen
    site.mend("db1")
    assert (site.on(), stages(site)) == (0, [])
