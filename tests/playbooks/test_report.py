# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention: what is old goes; never an open incident's dump, the last good one, or what is not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import text_of
from tests.hosts.host import Host
from tests.playbooks.place import Site

HOME = "/var/lib/postgresql/.local/state/kanban_rollback"
DUMPS, INCIDENTS = f"{HOME}/dumps", f"{HOME}/incidents"
ELSEWHERE = "/var/tmp/kanban_rollback"  # noqa: S108
CLOSE = {"kanban_reenable": "all", "kanban_close": True}


class Kept:
    """What is kept on db1."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def shell(self, script: str) -> str:
        """Run a script as the modules' user."""
        return self.host.run(["sh", "-ec", script], user="postgres").stdout.strip()

    def dump_of(self, incident: str) -> str:
        """Return the one dump of an incident, whatever else is in its name."""
        found = self.shell(f"ls -d {DUMPS}/{incident}-*").split()
        assert len(found) == 1
        return found[0]

    def copy(self, dump: str, name: str, **changes: Any) -> str:
        """Make another dump from a real one, with a valid manifest of its own."""
        path = f"{DUMPS}/{name}"
        manifest = json.loads(self.shell(f"cp -a {dump} {path}; cat {path}/manifest.json"))
        self.host.run(
            ["sh", "-c", f"cat >{path}/manifest.json"], user="postgres", stdin=text_of({**manifest, **changes})
        )
        return path

    def age(self, *paths: str) -> None:
        """Make files a hundred days old."""
        self.shell(f"find {' '.join(paths)} -exec touch -h -d '100 days ago' {{}} +")

    def names(self) -> list[str]:
        """Return what is in the directory of dumps."""
        return sorted(self.shell(f"ls -A {DUMPS}").split())


def know_as_closed(site: Site, *incidents: str) -> None:
    """Add incidents that are over to the ledger."""
    rows = ", ".join(f"('{incident}', '2026-01-01', '2026-01-02')" for incident in incidents)
    site.psql("db1", f"INSERT INTO kanban_rollback.incidents (incident_id, opened_at, closed_at) VALUES {rows}")


@pytest.fixture
def kept(site: Site) -> Iterator[Kept]:
    """An empty home, emptied again afterwards: tests share their hosts."""
    hosts = [site.fleet[name] for name in ("db1", "db2")]
    for host in hosts:
        host.run(["rm", "-rf", HOME, ELSEWHERE])
    yield Kept(site.fleet["db1"])
    site.mend("db1")
    site.mend("db2")
    for host in hosts:
        host.run(["rm", "-rf", HOME, ELSEWHERE])


@pytest.mark.drill
def test_evidence_that_found_no_place_in_its_directory_is_told_and_goes_by_retention(site: Site, kept: Kept) -> None:
    # A file where the directory has to be.
    kept.shell(f"mkdir -p {HOME}; touch {INCIDENTS}")
    stop = site.run("scenario3", whole=True)
    place = f"{ELSEWHERE}/incidents/{stop.incident}/evidence"
    assert f"in {place}/t0 (kanban_incidents_dir could not be written there)" in stop.screen
    noted = "SELECT data -> 'elsewhere' ->> 0 FROM kanban_rollback.events WHERE event = 'evidence elsewhere'"
    assert site.psql("db1", noted) == f"{place}/t0"
    kept.age(place)
    assert site.run("report", whole=True).rc == 0
    kept.shell(f"ls -d {place}")
    assert site.run("reenable", extra=CLOSE, whole=True).rc == 0
    report = site.run("report", whole=True)
    assert report.rc == 0, report.output
    assert kept.shell(f"ls {ELSEWHERE}/incidents/{stop.incident}") == ""


@pytest.mark.drill
def test_retention_takes_what_is_old_but_never_the_last_good_dump_nor_an_open_incident(site: Site, kept: Kept) -> None:
    incident = site.run("scenario3", whole=True).incident
    know_as_closed(site, "INC-OLD", incident[:-1], f"{incident}9")
    dump, evidence = kept.dump_of(incident), f"{INCIDENTS}/{incident}/evidence"
    past = "2026-01-01T00:00:00.000000Z"
    # Named after the open incident and of another; and the other way round.
    old = kept.copy(dump, f"{incident}-old", incident_id="INC-OLD", ended_at=past)
    still_open = kept.copy(dump, "INC-OLD-x", ended_at=past)
    shorter = kept.copy(dump, "INC-OLD-y", incident_id=incident[:-1], ended_at=past)
    other = {"name": "billing", "cluster": "7001"}
    last = kept.copy(dump, "last-of-another", incident_id="INC-OLD", ended_at=past, database=other)
    unknown = kept.copy(dump, "of-another-ledger", incident_id="INC-GONE", ended_at=past)
    kept.shell(
        f"cp -a {dump} {DUMPS}/backup-of-the-dba; rm {DUMPS}/backup-of-the-dba/manifest.json;"
        f"cp -a {old} {HOME}/elsewhere; ln -s {HOME}/elsewhere {DUMPS}/link;"
        f"cp -a {old} {DUMPS}/.{incident}-x.partial-4711; mkdir {DUMPS}/.{incident}-x.partial-4712;"
        f"mkdir -p {INCIDENTS}/INC-OLD/evidence {INCIDENTS}/{incident}9/evidence"
    )
    kept.age(DUMPS, INCIDENTS, f"{HOME}/elsewhere")
    kept.shell(f"touch {DUMPS}/.{incident}-x.partial-4712")
    before = kept.shell(f"find {HOME} | sort")

    plan = site.run("report", "--check", whole=True)
    assert plan.rc == 0, plan.output
    assert kept.shell(f"find {HOME} | sort") == before
    assert "PLAN, nothing was changed: 5 dumps and directories of evidence" in plan.screen
    for path in (old, shorter, f"{DUMPS}/.{incident}-x.partial-4711", f"{INCIDENTS}/INC-OLD/evidence"):
        assert path in plan.screen.partition("kept")[0]

    purged = site.run("report", whole=True)
    assert purged.rc == 0, purged.output
    others = ["of-another-ledger", "backup-of-the-dba", "last-of-another", "link", f".{incident}-x.partial-4712"]
    stay = ["INC-OLD-x", *others]
    assert kept.names() == sorted([*stay, dump.rpartition("/")[2]])
    kept.shell(f"ls -d {evidence} {HOME}/elsewhere/manifest.json")
    assert kept.shell(f"ls {INCIDENTS}/INC-OLD {INCIDENTS}/{incident}9 | grep evidence || true") == ""
    assert f"kept dump {last}: it is the newest proven one of billing" in purged.screen
    assert f"kept dump {unknown}: no ledger that was read knows INC-GONE as closed" in purged.screen
    assert f"kept dump {', '.join(sorted([dump, still_open]))}: {incident} is open" in purged.screen
    assert f"kept directory {DUMPS}/backup-of-the-dba: it has no manifest of ours" in purged.screen
    again = site.run("report", whole=True)
    assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}

    closed = site.run("reenable", extra=CLOSE, whole=True)
    assert closed.rc == 0, closed.output
    assert site.run("report", whole=True).rc == 0
    assert kept.names() == sorted([*others, dump.rpartition("/")[2]])


@pytest.mark.drill
def test_nothing_is_purged_anywhere_while_one_ledger_is_out_of_reach(site: Site, kept: Kept) -> None:
    kept.shell(f"mkdir -p {INCIDENTS}/INC-OLD/evidence")
    kept.age(INCIDENTS)
    # A database without a ledger, as after a restore from before it was made, knows nothing.
    without = site.run("report", whole=True)
    assert without.rc == 0, without.output
    assert "Nothing that may go is older than 90 days." in without.screen
    assert "db1: kept evidence INC-OLD: no ledger that was read knows INC-OLD as closed" in without.screen
    assert site.run("scenario3").rc == 0
    know_as_closed(site, "INC-OLD")
    site.disconnect()
    site.fault("db2", Host.blackhole)
    run = site.run("report", variables={"kanban_connect_timeout": 3}, whole=True)
    assert run.rc != 0
    assert "NOTHING WAS PURGED, on any host" in run.screen
    assert "db2: " in run.screen
    kept.shell(f"ls -d {INCIDENTS}/INC-OLD/evidence")


@pytest.mark.drill
def test_nothing_is_purged_where_not_everybody_was_asked(site: Site, kept: Kept) -> None:
    kept.shell(f"mkdir -p {INCIDENTS}/INC-OLD/evidence")
    kept.age(INCIDENTS)
    assert site.run("scenario3").rc == 0
    know_as_closed(site, "INC-OLD")
    # The host answers and its server does not.
    silent = site.run("report", hosts={"db1": {}, "db2": {"kanban_postgresql_db": "gone"}}, whole=True)
    assert silent.rc != 0
    assert "NOTHING WAS PURGED, on any host" in silent.screen
    kept.shell(f"ls -d {INCIDENTS}/INC-OLD/evidence")
    limited = site.run("report", "--limit", "db1,localhost", whole=True)
    assert limited.rc != 0
    assert "db2: no answer" in limited.screen
    kept.shell(f"ls -d {INCIDENTS}/INC-OLD/evidence")
    # A dead host of another tier is only not looked into, and the screen says so.
    site.disconnect()
    site.fault("app1", Host.blackhole)
    part = site.run("report", variables={"kanban_connect_timeout": 3}, whole=True)
    assert part.rc != 0
    assert "PURGED IN PART: 1 dump or directory of evidence was" in part.screen
    assert "app1: NOT LOOKED INTO: " in part.screen
    assert kept.shell(f"ls {INCIDENTS}/INC-OLD") == ""
