# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml takes away again: all that it made, nothing that others did."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.host import Host
from tests.playbooks.bootstraps import CATALOG, bootstrap, traces
from tests.playbooks.place import Site


@pytest.mark.drill
def test_absent_leaves_no_trace(site: Site, least: dict[str, Any]) -> None:
    before, nothing = site.psql("db1", CATALOG), traces(site)
    assert bootstrap(site, least).rc == 0
    assert site.psql("db1", CATALOG) != before
    # With a latch of the superuser's on the table, and an incident that is closed in the end.
    assert site.run("scenario3").rc == 0
    set_up, laid_down = site.psql("db1", CATALOG), traces(site)
    refused = bootstrap(site, least, kanban_state="absent")
    assert refused.rc != 0
    # One database needs it, and so every host keeps what it has.
    assert traces(site) == laid_down
    assert site.psql("db1", CATALOG) == set_up
    assert "db1: Incidents are open in this ledger" in refused.screen
    assert "docs/errors.md#removal_refused" in refused.screen.partition("TASK [")[0]
    assert "reenable.yml with -e kanban_reenable=all -e kanban_close=true" in refused.screen
    undone = site.run("reenable", extra={"kanban_reenable": "all", "kanban_close": True})
    assert undone.rc == 0, undone.output
    gone = bootstrap(site, least, kanban_state="absent")
    assert gone.rc == 0, gone.output
    assert site.psql("db1", CATALOG) == before
    assert traces(site) == nothing
    again = bootstrap(site, least, kanban_state="absent")
    assert again.rc == 0, again.output
    assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}


@pytest.mark.drill
def test_absent_removes_nothing_anywhere_unless_every_database_was_asked(site: Site, least: dict[str, Any]) -> None:
    assert bootstrap(site, least).rc == 0
    laid_down = traces(site)
    absent: dict[str, Any] = {"extra": {"kanban_state": "absent"}, "whole": True}
    for options, words in (
        (("--limit", "redis1"), "has not asked every database"),
        (("--limit", "redis1,localhost"), "db1: no answer"),
        (("--limit", "db1,redis1,localhost"), "db2: no answer"),
    ):
        limited = site.run("bootstrap", *options, **absent)
        assert limited.rc != 0
        assert words in limited.text
        assert traces(site) == laid_down, options
    silent = site.run("bootstrap", hosts={"db1": {}, "db2": {"kanban_postgresql_db": "gone"}}, **absent)
    assert silent.rc != 0
    assert "db2: " in silent.screen
    site.disconnect()
    site.fault("db2", Host.blackhole)
    cut_off = site.run("bootstrap", variables={"ansible_ssh_timeout": 3}, **absent)
    site.mend("db2")
    assert cut_off.rc != 0
    assert "NOTHING WAS REMOVED, on any host" in cut_off.screen
    mistyped = site.run("bootstrap", extra={"kanban_state": "absent", "kanban_db_hosts": "dbs"}, whole=True)
    assert mistyped.rc != 0
    assert "No host is in the group of databases" in mistyped.screen
    assert traces(site) == laid_down


@pytest.mark.drill
def test_absent_leaves_what_others_put_there_and_says_where(site: Site, least: dict[str, Any]) -> None:
    db1 = site.fleet["db1"]
    # The directory of the team was there before, and so were its rights.
    db1.run(["sh", "-c", "mkdir -m 0750 /opt/chatia; echo the team >/opt/chatia/README"])
    assert bootstrap(site, least).rc == 0
    db1.run(["sh", "-c", "echo mine >/opt/chatia/runbooks/scenario9.md; echo prior >/var/lib/kanban_rollback/a.jsonl"])
    kept = "/var/lib/postgresql/.local/state/kanban_rollback"
    db1.run(["sh", "-c", f"mkdir -p {kept}/dumps/INC-1-crm {kept}/incidents/INC-1/evidence"], user="postgres")
    try:
        gone = bootstrap(site, least, kanban_state="absent")
        assert gone.rc == 0, gone.output
        assert "5 of 5 hosts are as before, except for what stands here." in gone.screen
        home = kept.replace("/var/lib/postgresql", "~")
        why = "until somebody removes it by hand: without a ledger report.yml knows no incident as closed."
        assert f"db1: {home}/dumps stays, with 1 in it (INC-1-crm), {why}" in gone.screen
        for path, inside in (
            ("/opt/chatia/runbooks", "scenario9.md"),
            ("/var/lib/kanban_rollback", "a.jsonl"),
            (f"{home}/dumps", "INC-1-crm"),
            (f"{home}/incidents", "INC-1"),
        ):
            assert f"db1: {path} stays" in gone.screen
            assert inside in gone.screen
        db1.run(["ls", "-d", f"{kept}/dumps/INC-1-crm", f"{kept}/incidents/INC-1/evidence"])
        assert set(traces(site)["db1"].splitlines()) == {
            "drwx------ /var/lib/kanban_rollback",
            "-rw-r--r-- /var/lib/kanban_rollback/a.jsonl",
            "-rw------- /var/lib/kanban_rollback.bootstrap",
            "drwxr-x--- /opt/chatia",
            "-rw-r--r-- /opt/chatia/README",
            "drwxr-xr-x /opt/chatia/runbooks",
            "-rw-r--r-- /opt/chatia/runbooks/scenario9.md",
        }
        assert traces(site)["app1"] == ""
        # When they have taken theirs away, the rest goes; what was there before never does.
        db1.run(["rm", "/opt/chatia/runbooks/scenario9.md", "/var/lib/kanban_rollback/a.jsonl"])
        assert bootstrap(site, least, kanban_state="absent").rc == 0
        assert traces(site)["db1"].splitlines() == ["drwxr-x--- /opt/chatia", "-rw-r--r-- /opt/chatia/README"]
    finally:
        db1.run(["rm", "-rf", kept])


@pytest.mark.drill
def test_a_record_that_others_wrote_or_that_names_other_things_removes_nothing(
    site: Site, least: dict[str, Any]
) -> None:
    assert bootstrap(site, least).rc == 0
    redis1, record = site.fleet["redis1"], "/var/lib/kanban_rollback.bootstrap"
    assert redis1.run(["stat", "-c", "%U %a", record]).stdout == "root 600\n"
    before = traces(site)["redis1"]
    for spoil, words in (
        (
            "echo package redis-server >>",
            "names what bootstrap.yml does not make with this profile: ['package redis-server']",
        ),
        ("echo directory /etc >>", "directory /etc"),
        ("chown nobody", "is not a file of root's with mode 0600"),
    ):
        redis1.run(["sh", "-c", f"cp -p {record} /root/record; {spoil} {record}"])
        refused = bootstrap(site, least, kanban_state="absent")
        assert refused.rc != 0
        assert words in refused.text
        assert "docs/errors.md#record_refused" in refused.text
        assert traces(site)["redis1"] == before
        redis1.run(["sh", "-c", f"rm {record}; mv /root/record {record}"])
    redis1.run(["redis-cli", "PING"])


@pytest.mark.drill
def test_a_driver_goes_unless_something_else_needs_it_by_now(site: Site, least: dict[str, Any]) -> None:
    redis1 = site.fleet["redis1"]
    # Two empty packages: they stand for a driver that was installed, and for something that depends on it.
    control = "Version: 1\nArchitecture: all\nMaintainer: nobody\nDescription: test\n"
    for name, more in (("kanban-driver", ""), ("kanban-needs-it", "Depends: kanban-driver\n")):
        script = f"mkdir -p /root/{name}/DEBIAN; printf 'Package: {name}\n{more}{control}' >/root/{name}/DEBIAN/control"
        redis1.run(["sh", "-ec", f"{script}; dpkg-deb -b /root/{name} /root/{name}.deb; dpkg -i /root/{name}.deb"])
    installed = ["dpkg-query", "-W", "-f", "${db:Status-Status} ", "kanban-driver", "kanban-needs-it"]
    own = {"bootstrap_redis_package": "kanban-driver"}
    try:
        assert bootstrap(site, least, **own).rc == 0
        redis1.run(["sh", "-c", "echo package kanban-driver >>/var/lib/kanban_rollback.bootstrap"])
        needed = bootstrap(site, least, kanban_state="absent", **own)
        assert needed.rc == 0, needed.output
        assert redis1.run(installed).stdout == "installed installed "
        assert "redis1: The package kanban-driver stays, for something else needs it" in needed.screen
        redis1.run(["dpkg", "--purge", "kanban-needs-it"])
        gone = bootstrap(site, least, kanban_state="absent", **own)
        assert gone.rc == 0, gone.output
        assert "installed" not in redis1.run(installed, check=False).stdout.split()
        assert traces(site)["redis1"] == ""
    finally:
        redis1.run(["sh", "-c", "dpkg --purge kanban-needs-it kanban-driver; rm -rf /root/kanban-*"], check=False)


@pytest.mark.drill
def test_absent_with_an_open_incident_goes_by_break_glass_only(site: Site, least: dict[str, Any]) -> None:
    before = site.psql("db1", CATALOG)
    assert bootstrap(site, least).rc == 0
    assert site.run("scenario3").rc == 0
    override = {"what": ["ledger"], "reason": "a rehearsal"}
    gone = bootstrap(site, least, kanban_state="absent", kanban_break_glass=override)
    assert gone.rc == 0, gone.output
    assert site.psql("db1", CATALOG) == before
