# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole stop of scenario 3, every tier: writes refused, evidence and dump kept, and all of it undone."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import psycopg2
import pytest

from tests.hosts.host import Host
from tests.playbooks.bootstraps import CATALOG
from tests.playbooks.place import BLOCK, ON, TENANTS, TICKETS, Site
from tests.playbooks.runner import SWITCHED_OFF, Run

ALL = {"kanban_reenable": "all"}
HASTY = {"kanban_connect_timeout": 3, "kanban_drain_seconds": 2, "kanban_sweep_seconds": 2}
MOVES = (
    'INSERT INTO "TicketTags" VALUES (1, 1)',
    'DELETE FROM "TicketTags" WHERE "ticketId" = 1',
    """UPDATE "Tags" SET name = 'x' WHERE id = 1""",
    'UPDATE "Tickets" SET "kanbanLane" = 2 WHERE id = 1',
    'DELETE FROM "Tickets" WHERE id = 1',
)
INBOUND = (
    """INSERT INTO "Tickets" ("companyId", status, "lastMessage") VALUES (1, 'open', 'Bom dia')""",
    """UPDATE "Tickets" SET "lastMessage" = 'Bom dia', status = 'pending' WHERE id = 1""",
    """UPDATE "Companies" SET name = 'Empresa' WHERE id = 1""",
)


def refused(site: Site, host: str = "db1") -> list[str]:
    """Try what a board does and what inbound messages do, each rolled back; return what was refused."""
    found = []
    with contextlib.closing(site.connect(host)) as session, session.cursor() as cursor:
        for statement in (*MOVES, *INBOUND):
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                if error.pgcode != "KB001":
                    raise
                found.append(statement)
            session.rollback()
    return found


def files(site: Site, host: str, run: Run, kind: str) -> str:
    """Return the directory that the last screen names for a host: of evidence or of the dump."""
    words = {"evidence": f"{host}: ", "dump": f"{host}: dump of "}[kind]
    for line in run.screen.split(f"{host}: ")[1:]:
        if kind in line.partition("/")[0] and " in /" in line:
            return "/" + line.partition(" in /")[2].split()[0].strip(",;'")
    raise AssertionError(f"no {words!r} on the screen: {run.screen}")


def copies(site: Site) -> set[str]:
    """Return the module files and job directories that are lying about on the database's host."""
    find = "find /tmp /var/tmp -name 'AnsiballZ*' -o -name 'ansible-tmp-*' -o -name 'kanban_rollback.*'"
    return set(site.fleet["db1"].run(["sh", "-c", find]).stdout.split())


def undo(site: Site, before: str, **how: Any) -> None:
    undone = site.run("reenable", whole=True, **{"extra": ALL, **how})
    assert undone.rc == 0, undone.output
    assert f"{ON} of {TENANTS} have Kanban V2" in undone.screen
    assert "Also: the fence is lowered, no write block is held." in undone.screen
    assert undone.seconds < 60
    assert site.rows() == before
    assert refused(site) == []
    assert site.redis("GET", BLOCK) == ""


@pytest.mark.drill
def test_stopped_preserved_and_undone(site: Site) -> None:
    before, catalog, lying_about = site.rows(), site.psql("db1", CATALOG), copies(site)
    first = site.run("scenario3", whole=True)
    assert (first.rc, site.on()) == (0, 0), first.output
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants ({ON} were switched off now)" in first.screen
    good = "Also: the fence is proven, the write block is held, evidence is kept, the dump is proven, the checks found "
    good += "nothing corrupt, the data is validated."
    assert good in first.screen
    assert refused(site) == list(MOVES)
    assert site.redis("MGET", BLOCK, f"{{{BLOCK}}}:owner") == f"true\n{first.incident}"
    assert site.redis("TTL", BLOCK) == "-1"

    dump = files(site, "db1", first, "dump")
    manifest = json.loads(site.fleet["db1"].run(["cat", f"{dump}/manifest.json"]).stdout)
    assert {table["name"]: table["rows"] for table in manifest["tables"]} == {
        "public.Tags": 3000,
        "public.TicketTags": TICKETS,
        "public.Tickets": TICKETS,
    }
    assert manifest["incident_id"] == first.incident
    for host in ("db1", "app1", "app2"):
        place = files(site, host, first, "evidence")
        modes = site.fleet[host].run(["find", place, "-printf", "%y%m\\n"]).stdout.split()
        assert set(modes) <= {"d700", "f600"}
        assert "f600" in modes

    # The job's copy of the module contains its options, perhaps a password.
    assert copies(site) <= lying_about

    again = site.run("scenario3", whole=True)
    assert again.rc == 0, again.output
    assert good in again.screen
    assert {host: again.recap(host)["changed"] for host in ("db1", "redis1")} == {"db1": 0, "redis1": 0}
    assert "taken before" in again.screen

    undo(site, before)
    # What was made on demand is gone again; the ledger stays, because it is the record.
    left = [row for row in site.psql("db1", CATALOG).splitlines() if row not in catalog.splitlines()]
    assert [row for row in left if "kanban_rollback" not in row] == []
    assert "fence" not in "\n".join(left)


def test_the_plan_names_whom_it_would_switch_and_what_would_be_refused_and_dumped(site: Site) -> None:
    catalog, places = site.psql("db1", CATALOG), site.places()
    plan = site.run("scenario3", "--check", "--diff", whole=True)
    assert plan.rc == 0, plan.output
    assert f"PLAN, nothing was changed: {ON} of {TENANTS} tenants would change" in plan.screen
    # The diff shows the first of them.
    assert "tenants_changed" in plan.output
    for words in ("the fence would be raised on", "the write block would be held", "the tables would be dumped to"):
        assert words in plan.screen
    assert (site.psql("db1", CATALOG), site.places()) == (catalog, places)
    assert site.redis("EXISTS", BLOCK) == "0"


@pytest.mark.drill
def test_who_is_writing_is_drained_named_and_then_proven(site: Site) -> None:
    before = site.rows()
    with contextlib.closing(site.connect(application="board")) as session, session.cursor() as cursor:
        cursor.execute(MOVES[0])
        run = site.run("scenario3", variables=HASTY, whole=True)
        assert (run.rc != 0, site.on()) == (True, 0), run.output
        assert "CONTAINED IN PART" in run.screen
        assert f"pid {session.info.backend_pid} (board" in run.screen
        assert f"SELECT pg_terminate_backend({session.info.backend_pid})" in run.screen
        session.rollback()
    again = site.run("scenario3", whole=True)
    assert again.rc == 0, again.output
    assert "the fence is proven" in again.screen
    undo(site, before)


def stop_redis(host: Host) -> None:
    host.run(["systemctl", "stop", "redis-server"])


def freeze_redis(host: Host) -> None:
    host.run(["sh", "-c", "kill -STOP $(systemctl show -P MainPID redis-server)"])


@pytest.fixture
def redis_comes_back(site: Site) -> Any:
    yield
    site.mend("redis1")
    site.fleet["redis1"].run(
        ["sh", "-c", "kill -CONT $(systemctl show -P MainPID redis-server); systemctl start redis-server"], check=False
    )
    site.fleet["redis1"].wait_until_ready()


@pytest.mark.drill
@pytest.mark.usefixtures("redis_comes_back")
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(freeze_redis, id="frozen"),
        pytest.param(Host.blackhole, id="black hole"),
    ],
)
def test_a_redis_that_does_not_answer_neither_stops_nor_delays_the_rest(site: Site, fault: Any) -> None:
    before = site.rows()
    site.disconnect()
    site.fault("redis1", fault)
    running = site.start("scenario3", variables=HASTY, whole=True)
    contained = running.says(SWITCHED_OFF, timeout=30)
    run = running.wait()
    assert contained < 10, run.output
    assert (run.rc != 0, site.on()) == (True, 0)
    assert refused(site) == list(MOVES)
    assert "CONTAINED IN PART" in run.screen
    assert "NOT WELL: the write block on redis1 is not known to be held" in run.screen
    assert f"db1: dump of {3000 + 2 * TICKETS} rows" in run.screen
    assert site.run("reenable", extra={**ALL, "kanban_redis_hosts": "none"}, whole=True).rc == 0
    assert site.rows() == before


@pytest.mark.drill
@pytest.mark.usefixtures("redis_comes_back")
def test_a_block_with_an_expiry_is_renewed_to_the_end_and_said_when_it_is_lost(site: Site) -> None:
    expiring = {**HASTY, "kanban_write_block_ttl": 600}
    run = site.run("scenario3", variables=expiring, whole=True)
    assert run.rc == 0, run.output
    assert "for 600 s unless it is renewed" in run.text
    # Nobody renews it while the dump is made, which may take kanban_dump_seconds.
    assert 1800 < int(site.redis("TTL", BLOCK)) <= 2000
    again = site.start("scenario3", variables=expiring, whole=True)
    again.says("Also: the fence is proven, the write block is held.", timeout=60)
    stop_redis(site.fleet["redis1"])
    lost = again.wait()
    assert lost.rc != 0
    assert "the write block on redis1 is not known to be held" in lost.screen
    assert "CONTAINED IN PART" in lost.screen


def test_a_dead_application_host_and_a_dead_replica_stop_nothing(site: Site) -> None:
    site.disconnect()
    site.fault("app1", Host.blackhole)
    site.fault("db2", Host.kill)
    run = site.run("scenario3", variables=HASTY, whole=True)
    assert (run.rc != 0, site.on()) == (True, 0), run.output
    assert refused(site) == list(MOVES)
    assert "no evidence of app1" in run.screen
    assert "db2: NOT ACCOUNTED FOR" in run.screen
    assert "app2: " in run.screen
    assert f"db1: dump of {3000 + 2 * TICKETS} rows" in run.screen
    assert site.redis("GET", BLOCK) == "true"


@pytest.mark.drill
def test_a_block_of_somebody_else_is_kept_counted_and_released_by_name_only(site: Site) -> None:
    site.redis("MSET", BLOCK, "true", f"{{{BLOCK}}}:owner", "INC-OF-MARIA")
    run = site.run("scenario3", whole=True)
    assert run.rc == 0, run.output
    assert "write block held by INC-OF-MARIA, another incident" in run.screen
    undone = site.run("reenable", extra=ALL, whole=True)
    assert undone.rc != 0
    assert "the write block on redis1 is not known to be released" in undone.screen
    assert site.redis("GET", BLOCK) == "true"
    override = {"what": ["block"], "reason": "maria went home"}
    forced = site.run("reenable", extra={**ALL, "kanban_break_glass": override}, whole=True)
    assert forced.rc == 0, forced.output
    assert site.redis("EXISTS", BLOCK) == "0"
