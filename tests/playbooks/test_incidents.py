# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One incident for all databases, found again without its id; one at a time for what undoes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.place import ON, TENANTS, Site
from tests.playbooks.runner import SWITCHED_OFF

BOTH = ("db1", "db3")
ALL = {"kanban_reenable": "all"}
HASTY = {"kanban_connect_timeout": 3}
PATIENT = {"kanban_connect_timeout": 25, "kanban_deadline": 3, "kanban_sweep_seconds": 2}


def hold_lease(site: Site, incident: str) -> None:
    """Take the lease as a colleague's run would."""
    site.psql(
        "db1",
        f"""INSERT INTO kanban_rollback.leases (name, incident_id, holder, run_id, expires_at)
        VALUES ('recovery', '{incident}', 'maria', 'another run', now() + interval '10 minutes')""",
    )


def events(site: Site, host: str = "db1") -> str:
    """Return phase, event and data of every event of a ledger."""
    return site.psql(host, "SELECT phase, event, data FROM kanban_rollback.events ORDER BY at, seq")


def test_a_dead_host_delays_nobody_and_joins_the_incident_which_is_then_undone_on_all(site: Site) -> None:
    before = [site.rows(host) for host in BOTH]
    site.disconnect()
    site.fault("db3", Host.blackhole)
    # Longer than the kill takes on a busy machine: a host that waited for the dead one would be noticed.
    running = site.start("scenario3", hosts=("db3", "db1", "db2"), variables=PATIENT)
    running.says(SWITCHED_OFF, timeout=100)
    assert "UNREACHABLE" not in running.output
    first = running.wait()
    assert first.rc != 0
    assert (site.on("db1"), site.on("db3")) == (0, ON)
    assert "CONTAINED IN PART: 1 of 2 hosts did not answer" in first.screen
    assert "db3: NOT ACCOUNTED FOR" in first.screen
    assert "type the same command again" in first.screen
    site.mend("db3")
    # As if the minute and a half were over in which a new run would get the same id anyway.
    rename(site, first.incident, "INC-20260101-001")
    second = site.run("scenario3", hosts=BOTH, variables=HASTY)
    assert second.rc == 0, second.output
    assert (site.on("db1"), site.on("db3")) == (0, 0)
    assert f"off for all {2 * TENANTS} tenants ({ON} were switched off now)" in second.screen
    assert {host: second.recap(host)["changed"] for host in BOTH} == {"db1": 0, "db3": 1}
    undone = site.run("reenable", hosts=BOTH, extra=ALL)
    assert undone.rc == 0, undone.output
    assert f"RESTORED: {2 * ON} tenants were put back as before" in undone.screen
    assert [site.rows(host) for host in BOTH] == before


def rename(site: Site, old: str, new: str) -> None:
    """Give an incident an id of another day, everywhere in the ledger of db1."""
    site.psql(
        "db1",
        f"""BEGIN; INSERT INTO kanban_rollback.incidents
          SELECT '{new}', scenario, environment, operator, reason, opened_at
          FROM kanban_rollback.incidents WHERE incident_id = '{old}';
        UPDATE kanban_rollback.flag_changes SET incident_id = '{new}';
        UPDATE kanban_rollback.events SET incident_id = '{new}';
        UPDATE kanban_rollback.files SET incident_id = '{new}' WHERE incident_id = '{old}';
        DELETE FROM kanban_rollback.incidents WHERE incident_id = '{old}'; COMMIT""",
    )


def contain_apart(site: Site) -> None:
    """Contain each database under an incident of its own."""
    for host, incident in (("db1", "INC-20261124-100"), ("db3", "INC-20261124-200")):
        alone = site.run("scenario3", hosts=(host,), extra={"kanban_incident_id": incident})
        assert alone.rc == 0, alone.output


@pytest.mark.drill
def test_two_ledgers_with_different_incidents_are_contained_but_undone_only_by_name(site: Site) -> None:
    for host, incident in (("db1", "INC-20261124-100"), ("db3", "INC-20261124-200")):
        alone = site.run("scenario3", hosts=(host,), extra={"kanban_incident_id": incident})
        assert alone.rc == 0, alone.output
    together = site.run("scenario3", hosts=BOTH)
    assert together.rc == 0, together.output
    assert "different incidents (INC-20261124-100, INC-20261124-200)" in together.screen
    assert "Recovery and re-enabling need one named" in together.screen
    refused = site.run("reenable", hosts=BOTH, extra=ALL)
    assert refused.rc != 0
    assert "Several incidents are open: INC-20261124-100, INC-20261124-200" in refused.text
    assert "-e kanban_incident_id=" in refused.text
    assert (site.on("db1"), site.on("db3")) == (0, 0)
    named = site.run("reenable", hosts=BOTH, extra={**ALL, "kanban_incident_id": "INC-20261124-100"})
    assert (site.on("db1"), site.on("db3")) == (ON, 0), named.output


def test_another_environments_ledger_is_refused_before_anything_changes(site: Site) -> None:
    assert site.run("bootstrap", hosts=("db1",), variables={"kanban_environment": "production"}).rc == 0
    places = site.places()
    for playbook in ("scenario3", "reenable"):
        run = site.run(playbook, hosts=("db1",), extra=ALL)
        assert run.rc != 0
        assert "belongs to environment 'production', you are acting on 'staging'" in run.text
        assert playbook != "scenario3" or "NOT CONTAINED" in run.screen
        assert site.places() == places
    assert site.incidents() == []


@pytest.mark.drill
def test_an_incident_of_the_day_before_yesterday_is_named_on_the_first_lines(site: Site) -> None:
    first = site.run("scenario3")
    site.psql("db1", "UPDATE kanban_rollback.incidents SET opened_at = now() - interval '50 hours'")
    again = site.run("scenario3")
    assert again.rc == 0, again.output
    assert f"Incident {first.incident} is open since" in again.screen


@pytest.mark.drill
def test_a_lease_that_a_colleague_holds_refuses_the_undo_and_is_overridden_on_the_record(site: Site) -> None:
    before = site.rows()
    incident = site.run("scenario3").incident
    hold_lease(site, incident)
    refused = site.run("reenable", extra=ALL)
    assert refused.rc != 0
    assert f"maria is at work on {incident}" in refused.text
    assert "NOT RESTORED" in refused.screen
    assert "-e '{kanban_break_glass: {what: [lease], reason: ...}}'" in refused.text
    assert site.on() == 0
    override = {"what": ["lease"], "reason": "maria's laptop is dead"}
    undone = site.run("reenable", extra={**ALL, "kanban_break_glass": override, "kanban_operator": "joão"})
    assert undone.rc == 0, undone.output
    assert site.rows() == before
    assert "maria's laptop is dead" in events(site)
    assert "joão" in events(site)


@pytest.mark.drill
def test_a_lease_whose_holder_is_gone_ends_by_itself(site: Site) -> None:
    incident = site.run("scenario3").incident
    hold_lease(site, incident)
    site.psql("db1", "UPDATE kanban_rollback.leases SET expires_at = now()")
    undone = site.run("reenable", extra=ALL)
    assert (undone.rc, site.on()) == (0, ON), undone.output
    assert site.psql("db1", "SELECT count(*) FROM kanban_rollback.leases") == "0"


@pytest.mark.drill
def test_two_undoes_at_once_do_not_undo_each_other(site: Site) -> None:
    before = site.rows()
    assert site.run("scenario3").rc == 0
    running = [site.start("reenable", extra=ALL) for _time in range(2)]
    runs: list[Any] = [each.wait() for each in running]
    assert 0 in [run.rc for run in runs]
    for run in runs:
        assert run.rc == 0 or "is at work on" in run.text, run.output
    assert site.rows() == before
