# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger shows how far a repair is while it works; a ledger that refuses that neither ends nor delays it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from psycopg2.extensions import connection

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._login import Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progressteller import Turn, telling
from tests.integration.crowd import wait_for
from tests.integration.module import Modules, Running
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, PLAN, heard, listen, plan, undo
from tests.support.processes import job_process
from tests.support.servers import PgBouncer, Postgres, workspace

# How many rows of a table are too many; if nothing is measured, a few will do.
MANY, FEW = 50_000, 50
TABLES = ("first", "second")
WRITER = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chatia.kanban_rollback progress'"
# The columns of a lease that its holder has to write.
COLUMNS = "name, incident_id, holder, run_id, acquired_at, heartbeat_at, expires_at"
LEASES = "SELECT name FROM kanban_rollback.leases"
# Sessions that were told that the lease is held, and go on.
REFUSED = """SELECT count(*) FROM pg_stat_activity
             WHERE application_name = 'chatia.kanban_rollback' AND state = 'idle' AND query = 'ROLLBACK'"""
REPAIRED = "SELECT count(*) FROM kanban_rollback.repairs"


def check_of(table: str) -> dict[str, Any]:
    """Return a check of doubled rows in a table that leads nowhere."""
    check = {**PLAN[3], "name": table, "table": table, "repair": {"order_by": "createdAt"}}
    return {name: value for name, value in check.items() if name not in ("references", "column")}


CHECKS = [check_of(table) for table in TABLES]


@pytest.fixture
def rows() -> int:
    """How many rows of each table are too many."""
    return FEW


@pytest.fixture
def modules(db: Database, rows: int) -> Modules:
    """Two fenced tables with that many rows too many each, for a role with no more rights than bootstrap.yml gives.

    Whatever deletes the rows waits for its gate.
    """
    db.rows("""CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               -- Not by waiting for the lock, which a repair does for some seconds only.
               WHILE NOT pg_try_advisory_xact_lock(TG_ARGV[0]::bigint) LOOP PERFORM pg_sleep(0.01); END LOOP;
               RETURN NULL; END $$""")
    for number, table in enumerate(TABLES):
        db.rows(f'CREATE TABLE {table} ("ticketId" int, "tagId" int, "createdAt" timestamptz, note text)')
        db.rows(f"""INSERT INTO {table} SELECT 1, 1, now() - g * interval '1 second', 'n' || g
                    FROM generate_series(0, {rows}) AS g""")
        db.rows(f"INSERT INTO {table} SELECT g, 2, now(), 'x' FROM generate_series(1, {rows}) AS g")
        db.rows(f"""CREATE TRIGGER gate BEFORE DELETE ON {table} FOR EACH STATEMENT
                    EXECUTE FUNCTION gate({number})""")
    role = db.role("ops", "SELECT, INSERT, DELETE ON first, second")
    owner = db.modules(incident_id=INCIDENT)
    owner.ok("incident")
    db.modules().ok("ledger", grant_to=[role], repairs=[{"table": name} for name in TABLES])
    owner.ok("write_fence", state="dormant", tables=list(TABLES), grant_to=[role])
    owner.ok("write_fence", tables=list(TABLES))
    return db.modules(role, incident_id=INCIDENT, run_id="run-1", operator="ana")


@contextmanager
def under_way(db: Database, modules: Modules) -> Iterator[tuple[Running, list[connection]]]:
    """Yield a repair that is at work and has its leases, with the gates that it will wait for."""
    options: dict[str, Any] = {"checks": CHECKS, "plan_hash": plan(modules, CHECKS)["plan_hash"], "deadline": 120}
    with ExitStack() as stack:
        gates = [
            stack.enter_context(db.transaction(f"SELECT pg_advisory_xact_lock({number})"))
            for number in range(len(TABLES))
        ]
        running = stack.enter_context(modules.start("integrity_repair", **options))
        wait_for(lambda: len(db.rows(LEASES)) == 2 or not running.runs, "the repair at work")
        assert running.runs, running.result()
        yield running, gates


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Path]:
    """Ansible's file about a job that runs."""
    path = tmp_path / "j1.2"
    path.write_text(json.dumps({"started": 1, "finished": 0}))
    with job_process("j1"):
        yield path


def seen(db: Database, job: Path, run_id: str = "run-1") -> dict[str, Any]:
    """Return what somebody else reads; empty if nothing is known."""
    (role,) = db.roles
    told = db.modules(role).ok("progress_info", run_id=run_id, results_file=str(job))["progress"]
    return cast("dict[str, Any]", told[0]) if told else {}


@pytest.mark.parametrize("rows", [MANY])
def test_others_see_it_grow_and_at_its_end_it_is_gone(db: Database, modules: Modules, rows: int, job: Path) -> None:
    assert seen(db, job) == {}
    with under_way(db, modules) as (running, gates):
        wait_for(lambda: seen(db, job).get("step") == "delete", "the first table", 60)
        at_first = seen(db, job)
        assert at_first == {
            **at_first,
            "unit": "table",
            "number": 1,
            "of": 2,
            "name": "public.first",
            "rows": 0,
            "planned": 2 * rows,
        }
        assert at_first["started_at"] <= at_first["last_at"]
        gates[0].commit()
        wait_for(lambda: seen(db, job).get("number") == 2, "the second table", 60)
        assert (seen(db, job)["name"], seen(db, job)["rows"]) == ("public.second", rows)
        # Anyone who asks for the lease sees a sign of life that is newer than its beginning.
        assert db.rows(
            "SELECT bool_and(heartbeat_at > acquired_at + interval '0.3 s') FROM kanban_rollback.leases"
        ) == [(True,)]
        # Another run sees who has the lease.
        theirs = seen(db, job, "run-2")
        assert (theirs["step"], theirs["name"]) == ("wait for the lease", "ana")
        gates[1].commit()
        assert running.result()["quarantined"] == 2 * rows
    assert (seen(db, job), db.rows(LEASES), db.value(WRITER)) == ({}, [], 0)


@pytest.mark.parametrize("how", ["refused", "lacking", "locked", "frozen"])
def test_what_keeps_it_from_being_told_neither_ends_nor_delays_the_repair(
    db: Database, modules: Modules, rows: int, job: Path, how: str
) -> None:
    if how == "refused":
        (role,) = db.roles
        db.rows(f"REVOKE UPDATE ON kanban_rollback.leases FROM {role}")
        db.rows(f"GRANT UPDATE ({COLUMNS}) ON kanban_rollback.leases TO {role}")
    if how == "lacking":
        db.rows("ALTER TABLE kanban_rollback.leases DROP COLUMN progress")
    with under_way(db, modules) as (running, gates), ExitStack() as held:
        if how == "locked":
            locks = held.enter_context(db.transaction("LOCK TABLE kanban_rollback.leases IN EXCLUSIVE MODE"))
        # It has tried by then.
        wait_for(lambda: db.value(WRITER) == 1, "somebody who tells")
        if how == "frozen":
            os.kill(writer_of(running), signal.SIGSTOP)
        elif how != "locked":
            assert seen(db, job) == {}
        for gate in gates:
            gate.commit()
        # With the ledger still as it is.
        wait_for(lambda: db.value(REPAIRED) == 1, "the repair", 60)
        if how == "locked":
            locks.rollback()
        result = running.result()
    assert (result["quarantined"], result["changed"]) == (2 * rows, True)
    wait_for(lambda: db.value(WRITER) == 0, "nobody who tells")


def writer_of(running: Running) -> int:
    """Return the process that reports to the ledger."""
    (pid,) = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    return int(pid)


def test_a_module_of_the_same_run_waits_for_its_turn_and_another_run_as_long_as_it_is_told_to(
    db: Database, modules: Modules, rows: int
) -> None:
    with under_way(db, modules) as (running, gates):
        approved = plan(modules, CHECKS)["plan_hash"]
        again: dict[str, Any] = {"checks": CHECKS, "plan_hash": approved}
        other = modules.having(run_id="run-2")
        assert "ana" in other.fails("lease_held", "integrity_repair", **again)["msg"]
        with modules.start("integrity_repair", **again) as twin:
            wait_for(lambda: bool(db.value(REFUSED)), "the other one, which has asked for the lease")
            for gate in gates:
                gate.commit()
            assert running.result()["quarantined"] == 2 * rows
            assert not twin.result()["changed"], twin.result()
    assert db.rows(LEASES) == []
    other.ok("incident", lease="held", lease_seconds=3)
    # Progress is reported for an undo as well.
    listen(db)
    db.rows("""CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END'""")
    db.rows("CREATE TRIGGER dawdle BEFORE INSERT ON second FOR EACH STATEMENT EXECUTE FUNCTION dawdle()")
    assert undo(modules, lease_wait=60)["changed"]
    assert db.rows(LEASES) == []
    back = {(told["step"], told["planned"]) for told in heard(db)}
    assert ("bring back", 2 * rows) in back


def test_where_children_are_ignored_the_end_of_the_telling_is_no_error() -> None:
    # A module inherits that from a shell or a supervisor, and what is committed must not look as if it had failed.
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with telling(Login(host="127.0.0.1", port=9, database="none"), Turn("w", "run-1/", "l", "run-1")) as progress:
            progress.step("delete")
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_through_a_pooler_a_turn_names_no_session_and_is_waited_for(
    db: Database, modules: Modules, server: Postgres
) -> None:
    if missing := PgBouncer.missing():
        pytest.skip(missing)
    turn = "SELECT run_id FROM kanban_rollback.leases WHERE name = 'recovery work'"
    with workspace() as place, PgBouncer(place / "pooler", server.dsn, users=db.roles) as pooler:
        pooled = modules.having(login_host=pooler.host, login_port=pooler.port)
        with under_way(db, pooled) as (running, gates):
            # The pooler may end a session that is free while the work goes on in another.
            assert db.value(turn).startswith("run-1//")
            again: dict[str, Any] = {"checks": CHECKS, "plan_hash": plan(modules, CHECKS)["plan_hash"]}
            with modules.start("integrity_repair", **again) as twin:
                wait_for(lambda: db.value(REFUSED) or not twin.runs, "the other one, which has asked for the lease")
                assert twin.runs, twin.result()
                for gate in gates:
                    gate.commit()
                assert running.result()["changed"]
                assert not twin.result()["changed"], twin.result()


def test_one_that_is_killed_leaves_nobody_who_tells(db: Database, modules: Modules, job: Path) -> None:
    with under_way(db, modules) as (running, _gates):
        wait_for(lambda: "step" in seen(db, job), "how far it is")
        running.kill()
        wait_for(lambda: db.value(WRITER) == 0, "nobody")
    # What it was doing is not what another run does that takes over its lease.
    db.rows("UPDATE kanban_rollback.leases SET run_id = run_id || '0' WHERE run_id LIKE 'run-1/%'")
    assert seen(db, job) == {}
