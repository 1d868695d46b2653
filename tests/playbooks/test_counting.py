# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answered is counted: a host that is dead, a primary that is missing, an empty group are never a success."""

from __future__ import annotations

import contextlib

import pytest

from tests.hosts.host import Host, until
from tests.playbooks.place import ON, TENANTS, Site
from tests.playbooks.runner import SWITCHED_OFF

ALL = ("db1", "db2", "db3")
# From Enter to the containment of a healthy host that waits for a dead one's time limit, on a busy machine.
SECONDS_TO_CONTAIN = 30
HASTY = {"kanban_connect_timeout": 3, "kanban_deadline": 3, "kanban_sweep_seconds": 2}


def over_tcp(site: Site) -> dict[str, object]:
    """Return the variables of a host whose database is reached with a password, as root: no privilege escalation."""
    return {
        "ansible_become": False,
        "kanban_postgresql_host": "127.0.0.1",
        "kanban_postgresql_password": site.fleet.postgres_password,
    }


@pytest.mark.drill
def test_two_databases_of_one_server_are_summed_up(site: Site) -> None:
    other = f"{site.database}_other"
    site.fleet["db1"].psql(f"CREATE DATABASE {other} TEMPLATE {site.database}")
    try:
        hosts = {"db1": {}, "brazil": {"same_as": "db1", "kanban_postgresql_db": other}}
        run = site.run("scenario3", hosts=hosts)
        assert run.rc == 0, run.output
        assert f"off for all {2 * TENANTS} tenants ({2 * ON} were switched off now)" in run.screen
    finally:
        site.fleet["db1"].psql(f"DROP DATABASE {other} WITH (FORCE)")


@pytest.mark.drill
def test_a_host_without_power_delays_nobody_and_is_named(site: Site) -> None:
    site.disconnect()
    site.fault("db3", Host.kill)
    # Longer than the kill takes on a busy machine: a host that waited for the dead one would be noticed.
    running = site.start("scenario3", hosts=("db3", "db1", "db2"), variables={**HASTY, "kanban_connect_timeout": 25})
    running.says(SWITCHED_OFF, timeout=100)
    run = running.wait(timeout=200)
    assert run.rc != 0
    assert site.on("db1") == 0
    assert "CONTAINED IN PART: 1 of 2 hosts did not answer" in run.screen
    assert "db3: NOT ACCOUNTED FOR" in run.screen
    assert "type the same command again" in run.screen


@pytest.mark.drill
def test_a_host_that_dies_in_the_middle_of_the_kill_is_given_up_as_well(site: Site) -> None:
    with contextlib.closing(site.connect("db3")) as session:
        # The module is busy with this tenant until its deadline.
        session.cursor().execute('SELECT FROM "Companies" WHERE id = 3 FOR UPDATE')
        busy = {**HASTY, "kanban_deadline": 4}
        running = site.start("scenario3", hosts=("db3", "db1", "db2"), variables=busy)
        until(lambda: site.on("db3") == 1, "all others to be off", timeout=60)
        site.fault("db3", Host.blackhole)
        run = running.wait(timeout=100)
    assert run.rc != 0
    assert site.on("db1") == 0
    assert "db3: NOT ACCOUNTED FOR" in run.screen


@pytest.mark.drill
def test_a_host_that_died_behind_an_open_ssh_connection_does_not_keep_the_others_off(site: Site) -> None:
    before = site.rows("db1")
    hosts = {name: over_tcp(site) for name in ("db3", "db1")}
    assert site.run("scenario3", hosts=hosts, variables=HASTY).rc == 0
    site.fault("db3", Host.blackhole)
    extra = {"kanban_reenable": "all", "kanban_reenable_deadline": 5}
    run = site.run("reenable", hosts=hosts, variables=HASTY, extra=extra, timeout=100)
    assert run.rc != 0
    assert site.rows("db1") == before
    assert "db3: NOT ACCOUNTED FOR" in run.screen


@pytest.mark.drill
def test_an_undo_goes_on_where_it_can_and_names_where_it_cannot(site: Site) -> None:
    before = site.rows("db1")
    both = ("db3", "db1")
    assert site.run("scenario3", hosts=both).rc == 0
    site.disconnect()
    site.fault("db3", Host.blackhole)
    run = site.run("reenable", hosts=both, variables=HASTY, extra={"kanban_reenable": "all"}, timeout=100)
    assert run.rc != 0
    assert site.rows("db1") == before
    assert "RESTORED IN PART: 1 of 2 hosts did not answer" in run.screen
    assert "db3: NOT ACCOUNTED FOR" in run.screen


@pytest.mark.drill
def test_an_undo_that_reaches_nobody_says_so_on_the_last_screen(site: Site) -> None:
    assert site.run("scenario3", hosts=("db1",)).rc == 0
    site.disconnect()
    site.fault("db1", Host.blackhole)
    run = site.run("reenable", hosts=("db1",), variables=HASTY, extra={"kanban_reenable": "all"}, timeout=100)
    assert run.rc != 0
    assert "NOT RESTORED: 1 of 1 hosts did not answer" in run.screen
    assert "db1: NOT ACCOUNTED FOR: could not be reached" in run.screen


def test_every_host_dead_ends_with_the_last_screen_and_no_zero(site: Site) -> None:
    site.disconnect()
    for name in ALL:
        site.fault(name, Host.blackhole)
    run = site.run("scenario3", hosts=ALL, variables=HASTY, timeout=100)
    assert run.rc != 0
    assert "NOT CONTAINED: 3 of 3 hosts did not answer" in run.screen
    for name in ALL:
        assert f"{name}: NOT ACCOUNTED FOR" in run.screen


@pytest.mark.drill
def test_a_replica_whose_primary_is_dead_contains_nothing(site: Site) -> None:
    site.disconnect()
    site.fault("db1", Host.cut)
    run = site.run("scenario3", variables=HASTY, timeout=100)
    assert run.rc != 0
    assert "NOT CONTAINED" in run.screen
    assert "db2: a replica whose primary did not answer: its tenants are NOT accounted for" in run.screen


@pytest.mark.drill
def test_a_replica_alone_in_the_group_contains_nothing(site: Site) -> None:
    run = site.run("scenario3", hosts=("db2",))
    assert run.rc != 0
    assert "NOT CONTAINED" in run.screen
    assert site.on("db1") == ON


def test_an_empty_group_is_a_failure(site: Site) -> None:
    run = site.run("scenario3", hosts=())
    assert run.rc != 0
    assert "FAILED: the group 'db' has no hosts" in run.screen


@pytest.mark.drill
def test_a_group_that_is_not_there_is_a_failure(site: Site) -> None:
    run = site.run("scenario3", extra={"kanban_db_hosts": "postgres"})
    assert run.rc != 0
    assert "FAILED: the group 'postgres' has no hosts" in run.screen
    assert site.on() == ON


def test_a_limit_without_localhost_contains_what_it_names_and_fails_for_nobody_counted(site: Site) -> None:
    run = site.run("scenario3", "--limit", "db1", hosts=ALL)
    assert run.rc != 0
    assert (site.on("db1"), site.on("db3")) == (0, ON), run.output
    assert "nobody counted" in run.text
    assert "--limit 'db1,localhost'" in run.text
    assert run.screen == ""
    counted = site.run("scenario3", "--limit", "db1,localhost", hosts=ALL)
    assert counted.rc != 0
    assert "db3: NOT ACCOUNTED FOR: was not asked" in counted.screen


@pytest.mark.drill
def test_an_undo_under_a_limit_without_localhost_fails_as_well(site: Site) -> None:
    assert site.run("scenario3", hosts=("db1",)).rc == 0
    run = site.run("reenable", "--limit", "db1", hosts=("db1", "db3"), extra={"kanban_reenable": "all"})
    assert site.on("db1") == ON
    assert run.rc != 0


@pytest.mark.drill
def test_a_dead_host_ahead_in_the_queue_keeps_the_next_waiting_for_its_time_limit_at_most(site: Site) -> None:
    site.disconnect()
    site.fault("db3", Host.blackhole)
    running = site.start("scenario3", "-f", "1", hosts=("db3", "db1"), variables=HASTY)
    contained = running.says(SWITCHED_OFF, timeout=100)
    run = running.wait(timeout=120)
    assert contained < SECONDS_TO_CONTAIN, run.output
    assert run.rc != 0
    assert site.on("db1") == 0
