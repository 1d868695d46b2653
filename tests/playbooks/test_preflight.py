# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ahead of the day, over SSH: READY after a bootstrap, a line for what is missing, a script that psql alone runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.application import Application, running
from tests.playbooks.bootstraps import CATALOG
from tests.playbooks.place import Site

HASTY = {"kanban_connect_timeout": 3}
# For tests without the application itself.
NO_APPLICATION = {"kanban_app_hosts": "none"}


@pytest.fixture
def application(site: Site) -> Iterator[Application]:
    """The staging application, with figures of the whole test, because nobody is at work on it meanwhile."""
    with running(site, window=600) as started:
        yield started


@pytest.fixture
def ready(site: Site, tmp_path: Path) -> dict[str, Any]:
    """The inventory's variables of a place that was bootstrapped; its backups are proven elsewhere."""
    made = site.run("bootstrap", whole=True)
    assert made.rc == 0, made.output
    return {
        "kanban_contacts": [{"role": "dba", "primary": "Ana", "phone": "+55 11 0000"}],
        "kanban_incidents_dir": str(tmp_path / "incidents"),
        "kanban_backup_max_age": 0,
    }


@pytest.mark.drill
def test_ready_after_a_bootstrap_and_nothing_is_changed(
    site: Site, application: Application, ready: dict[str, Any]
) -> None:
    """With the application there: its processes, its board, its figures and its cache."""
    before = (site.psql("db1", CATALOG), site.places(), site.redis("KEYS", "cache:*"))
    for options in (("--check", "--diff"), ()):
        run = site.run("preflight", *options, whole=True, variables={**application.variables, **ready})
        assert run.rc == 0, run.output
        assert "READY" in run.screen
        assert "NOT READY" not in run.screen
        assert "60 of 200 tenants are on" in run.screen
        for words in ("pm2", "Which board", "healthy", "walk", "give nothing", "ErrorLogs", "apply to this schema"):
            assert words not in run.screen, run.screen
        assert "environment staging" in run.screen
        for host in ("db1", "db2", "redis1", "app1", "app2"):
            assert run.recap(host)["changed"] == 0, run.output
    assert (site.psql("db1", CATALOG), site.places(), site.redis("KEYS", "cache:*")) == before


@pytest.mark.drill
def test_without_a_bootstrap_it_says_what_to_run(site: Site, tmp_path: Path) -> None:
    variables = {"kanban_incidents_dir": str(tmp_path / "incidents"), "kanban_drain_seconds": "20s"}
    run = site.run("preflight", whole=True, variables=variables)
    assert run.rc != 0
    wrong = "A variable has a wrong value: argument 'kanban_drain_seconds'"
    for words in ("NOT READY", wrong, "The fence is not armed", "bootstrap.yml", "There are no contacts"):
        assert words in run.screen


@pytest.mark.drill
def test_a_dead_host_is_named_and_the_others_are_looked_at(site: Site, ready: dict[str, Any]) -> None:
    site.disconnect()
    site.fault("db1", Host.blackhole)
    run = site.run("preflight", whole=True, hosts=("db1", "db2"), variables={**ready, **HASTY}, timeout=120)
    assert run.rc != 0
    assert "db1: It could not be reached" in run.screen
    assert "db2: It is a replica, and its primary did not answer" in run.screen


@pytest.mark.drill
def test_the_script_stops_and_undoes_it_with_psql_alone(site: Site, ready: dict[str, Any]) -> None:
    before = site.rows()
    assert site.run("preflight", whole=True, variables=ready, extra=NO_APPLICATION).rc == 0
    script = Path(ready["kanban_incidents_dir"], "break-glass/db1.sql").read_text(encoding="utf-8")
    psql = ["psql", "-X", "-d", site.database]
    db1 = site.fleet["db1"]
    done = db1.run([*psql, "-f", "-"], user="postgres", stdin=script, check=False)
    assert (done.returncode, site.on()) == (0, 0), done.stderr
    undone = db1.run([*psql, "-v", "undo=1", "-f", "-"], user="postgres", stdin=script, check=False)
    assert undone.returncode == 0, undone.stderr
    assert site.rows() == before
    # What it did is in the ledger, so a person finds it there.
    (incident,) = site.incidents()
    assert incident.startswith("BREAK-GLASS-")


@pytest.mark.drill
def test_what_the_script_switched_reenable_puts_back(site: Site, ready: dict[str, Any]) -> None:
    before = site.rows()
    assert site.run("preflight", whole=True, variables=ready, extra=NO_APPLICATION).rc == 0
    script = Path(ready["kanban_incidents_dir"], "break-glass/db1.sql").read_text(encoding="utf-8")
    done = site.fleet["db1"].run(
        ["psql", "-X", "-d", site.database, "-v", "no_fence=1", "-f", "-"], user="postgres", stdin=script, check=False
    )
    assert (done.returncode, site.on()) == (0, 0), done.stderr
    (incident,) = site.incidents()
    extra = {"kanban_reenable": "all", "kanban_incident_id": incident}
    undone = site.run("reenable", variables=ready, extra=extra)
    assert undone.rc == 0, undone.output
    assert site.rows() == before
