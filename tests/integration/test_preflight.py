# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look ahead: it reports what is missing and not what is there, and changes and holds up nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, population
from tests.integration.place import Database
from tests.integration.preflights import SERVER, TABLES, checks, healthy, missing
from tests.support.servers import Postgres, workspace

_numbers = itertools.count(1)
# Everything that a preflight could leave behind; numbers of rows that were ever written are in the statistics.
CATALOG = """
SELECT 'class', oid::text, relname::text, relkind::text, xmin::text FROM pg_class WHERE relpersistence <> 't'
UNION ALL SELECT 'proc', oid::text, proname::text, '', xmin::text FROM pg_proc
UNION ALL SELECT 'namespace', oid::text, nspname::text, COALESCE(nspacl::text, ''), xmin::text FROM pg_namespace
  WHERE nspname NOT LIKE 'pg\\_t%%'
UNION ALL SELECT 'trigger', oid::text, tgname::text, '', xmin::text FROM pg_trigger
ORDER BY 1, 2
"""
LEDGER_ROWS = """
SELECT (SELECT count(*) FROM kanban_rollback.incidents), (SELECT count(*) FROM kanban_rollback.flag_changes),
       (SELECT count(*) FROM kanban_rollback.events), (SELECT count(*) FROM kanban_rollback.leases)
"""


@pytest.fixture(scope="module")
def watched() -> Iterator[Postgres]:
    """A server that keeps the statements it was sent."""
    with workspace() as directory, Postgres(directory / "watched", SERVER, fsync=False) as started:
        yield started


@pytest.fixture
def db(watched: Postgres) -> Iterator[Database]:
    """An empty database with the extension."""
    made = Database(watched, f"kanban{next(_numbers)}")
    watched.create_database(made.name)
    made.rows("CREATE EXTENSION pg_stat_statements")
    yield made
    made.drop()


def test_everything_is_there_and_nothing_is_changed(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)

    def state() -> tuple[Any, ...]:
        # A row that was written and rolled back, or locked, keeps a mark.
        marks = "SELECT id, xmax::text FROM companies UNION ALL SELECT id, xmax::text FROM tickets ORDER BY 1, 2"
        tables = (db.snapshot("companies"), db.snapshot("tickets"))
        return (db.rows(CATALOG), *tables, db.rows(LEDGER_ROWS), db.rows(marks))

    before = state()
    files = sorted(map(str, directory.rglob("*")))
    for check in (False, True):
        result = modules.ok("preflight_info", check, **options)
        assert (missing(result), result["ready"], result["changed"]) == ({}, True, False)
    assert state() == before
    assert sorted(map(str, directory.rglob("*"))) == files
    names = (
        "server flag ledger same_name kill blockers terminate latch forecast settings break_glass dump_tables snapshot"
    )
    last = "dump_schema tools disk backup orm_saves fence_triggers installed latch_shut search_path"
    assert list(checks(result)) == [*names.split(), *last.split()]
    assert result["backup"]["dump"]["incident_id"] == "INC-0"
    assert result["clock"] == result["database"]["now"]


def test_a_role_that_may_not_switch_the_flag(db: Database, directory: Path) -> None:
    _modules, options = healthy(db, directory)
    reader = db.role("reader", "SELECT ON companies", "SELECT ON tickets", "pg_read_all_stats")
    result = db.modules(reader, **FLAG).ok("preflight_info", **options)
    found = missing(result)
    assert {name: found[name] for name in ("flag", "kill", "ledger", "break_glass")} == dict.fromkeys(
        ("flag", "kill", "ledger", "break_glass"), "must"
    )
    assert result["ready"] is False
    assert "UPDATE (settings)" in checks(result)["flag"]["what"]
    assert "permission denied" in checks(result)["kill"]["what"]
    assert result["forecast"]["on"] == 50


def test_no_ledger_is_worse_where_nobody_may_make_one(db: Database) -> None:
    # PostgreSQL's own default from 15 on.
    db.rows("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    before = population(db).ok("preflight_info")
    assert missing(before)["ledger"] == "should"
    assert checks(before)["search_path"]["ok"], "what is in the ledger's schema is not looked for without it"
    assert not db.has_ledger()
    found = db.modules(db.role("rollback", *TABLES), **FLAG).ok("preflight_info")
    assert (missing(found)["ledger"], missing(found)["break_glass"]) == ("must", "must")
    assert "bootstrap.yml" in checks(found)["ledger"]["todo"]


def test_a_ledger_of_another_environment(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    result = modules.ok("preflight_info", **{**options, "environment": "production"})
    assert missing(result)["ledger"] == "must"


def test_a_flag_that_is_nowhere_is_said_beside_the_rest(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    result = modules.ok("preflight_info", **{**options, "table": "compannies"})
    assert missing(result) == {"flag": "must"}
    assert "companies" in checks(result)["flag"]["todo"]
    assert "break_glass" not in result


def test_a_pg_dump_that_is_missing_or_too_old(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    old = directory / "old"
    old.mkdir()
    result = modules.ok("preflight_info", bin_dir=str(old), **options)
    assert missing(result) == {"tools": "must"}
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 9.6.24'\n")
        (old / name).chmod(0o755)
    result = modules.ok("preflight_info", bin_dir=str(old), **options)
    assert missing(result) == {"tools": "must"}
    assert "9.6.24" in checks(result)["tools"]["what"]


def test_a_dump_that_cannot_be_packed_or_proven_as_asked(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    result = modules.ok("preflight_info", dump_compress="zsdt", **options)
    assert missing(result) == {"tools": "must"}
    assert "compress is 'zsdt'" in checks(result)["tools"]["what"]
    result = modules.ok("preflight_info", dump_compress="gzip:1", **options)
    assert missing(result) == {}
    # Clients without a server program: what is left is a database on this server, which this role may not create.
    clients = directory / "clients"
    clients.mkdir()
    for name in ("pg_dump", "pg_restore", "createdb"):
        (clients / name).symlink_to(Path(result["tools"]["directory"]) / name)
    result = modules.ok("preflight_info", dump_verify="restore", bin_dir=str(clients), **options)
    assert missing(result) == {"dump_proof": "must"}
    assert "CREATEDB" in checks(result)["dump_proof"]["what"]
    db.rows(f"ALTER ROLE {modules.options['login_user']} CREATEDB")
    result = modules.ok("preflight_info", dump_verify="restore", bin_dir=str(clients), **options)
    assert missing(result) == {}
    assert "database of its own" in checks(result)["dump_proof"]["what"]


def test_a_disk_that_is_too_small(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    result = modules.ok("preflight_info", disk_spare=1e9, **options)
    assert missing(result) == {"disk": "must"}
    assert 0 < result["disk"]["free_bytes"] < result["disk"]["needed_bytes"]


def test_no_backup_or_an_old_one(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    time.sleep(1.1)
    result = modules.ok("preflight_info", backup_max_age=0.5, **options)
    assert missing(result) == {"backup": "must"}
    assert "newest proven dump" in checks(result)["backup"]["what"]
    result = modules.ok("preflight_info", **{**options, "dump_dir": str(directory / "none")})
    assert missing(result) == {"backup": "must"}
    result = modules.ok("preflight_info", **{**options, "dump_dir": str(directory / "none"), "backup_max_age": 0})
    assert missing(result) == {}
    # A newer dump of fewer tables does not count, nor does one that lost a file.
    db.modules().ok("pg_dump", tables=["tickets"], dest=str(directory / "dumps/second"), incident_id="INC-1")
    assert modules.ok("preflight_info", **options)["backup"]["dump"]["incident_id"] == "INC-0"
    next((directory / "dumps/first").glob("*.dat*")).unlink()
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"backup": "must"}


def test_tables_that_the_dump_could_not_read(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    db.rows("CREATE TABLE secrets (id int)")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"dump_schema": "must"}
    assert "public.secrets" in checks(result)["dump_schema"]["what"]
    result = modules.ok("preflight_info", **{**options, "dump_tables": ["companies", "secrets", "nothing"]})
    # Nor is there a dump that has the secrets.
    assert missing(result) == {"dump_schema": "must", "dump_tables": "must", "backup": "must"}


def test_ending_sessions_needs_its_privilege(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    assert missing(modules.ok("preflight_info", on_blocked="terminate", **options)) == {"terminate": "must"}
    db.rows(f"GRANT pg_signal_backend TO {modules.options['login_user']}")
    assert missing(modules.ok("preflight_info", on_blocked="terminate", **options)) == {}


def test_saves_of_whole_rows_are_seen_and_moves_are_not(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    db.rows("""ALTER TABLE tickets ADD lane int, ADD "laneOrder" int, ADD "updatedAt" timestamptz, ADD status text,
        ADD title text""")  # fmt: skip
    options["fence_tables"] = [{"name": "tickets", "operations": ["UPDATE"], "columns": ["lane", "laneOrder"]}]
    db.rows("""UPDATE "tickets" SET "lane" = 1, "laneOrder" = 2, "updatedAt" = now() WHERE id = 1""")
    db.rows("""UPDATE "tickets" SET "status" = 'open', "title" = 'x', "companyId" = 1 WHERE id = 1""")
    assert missing(modules.ok("preflight_info", **options)) == {}
    for number in (1, 2):
        db.rows(
            """UPDATE "tickets" SET "companyId" = 1, "status" = 'a, lane = 2', "title" = coalesce('x', 'y'),
               "lane" = 1, "updatedAt" = now() WHERE "id" = %s""",
            (number,),
        )
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"orm_saves": "should"}
    (seen,) = result["orm_saves"]["statements"]
    assert (seen["table"], seen["calls"]) == ("public.tickets", 2)
    assert seen["query"].startswith('UPDATE "tickets" SET "companyId" = $1')
    assert len(seen["query"]) <= 200
    options["fence_tables"][0]["when_changed"] = True
    assert missing(modules.ok("preflight_info", **options)) == {}


def test_statements_that_cannot_be_seen(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    db.rows("DROP EXTENSION pg_stat_statements")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"orm_saves": "unknown"}
    assert "pg_stat_statements" in checks(result)["orm_saves"]["todo"]


def test_the_forecast(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    db.rows("UPDATE companies SET settings = '{}' WHERE id > 40")
    with (
        db.transaction("SELECT FROM companies WHERE id IN (3, 4, 45) FOR UPDATE"),
        db.transaction("SELECT 1"),
    ):
        time.sleep(0.3)
        forecast = modules.ok("preflight_info", **options)["forecast"]
    assert (forecast["tenants"], forecast["on"]) == (50, 40)
    assert forecast["locked_now"] == 2  # 45 is off
    assert forecast["open_transactions"]["count"] == 2
    assert 0.3 <= forecast["open_transactions"]["oldest_seconds"] < 10
    assert 0 <= forecast["seconds"] < 1
    assert modules.ok("preflight_info", **options)["forecast"]["locked_now"] == 0


def test_a_table_that_a_migration_holds_is_not_waited_for(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    with db.transaction("LOCK TABLE companies IN SHARE MODE"), modules.start("preflight_info", **options) as running:
        result = running.result()
        assert running.seconds < 10
    assert missing(result) == {"kill": "unknown", "break_glass": "unknown"}
    assert result["ready"] is True


def test_nobody_is_held_up(db: Database, directory: Path) -> None:
    """While it runs, others can lock every row at once, and the modes of its own locks block no writer."""
    modules, options = healthy(db, directory)
    modes, turns = set(), 0
    with modules.start("preflight_info", **options) as running, db.connect("crm") as session, db.connect() as look:
        session.autocommit = False
        while running.runs:
            with session.cursor() as cursor, look.cursor() as watch:
                cursor.execute("SELECT FROM companies FOR UPDATE NOWAIT")
                session.rollback()
                watch.execute("""SELECT l.mode FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                    WHERE a.application_name LIKE 'chatia%' AND l.relation = 'companies'::regclass""")  # fmt: skip
                modes |= {mode for (mode,) in watch.fetchall()}
            turns += 1
        assert missing(running.result()) == {}
    assert turns > 10
    assert modes <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}


def test_a_replica_is_looked_at_and_left_alone(db: Database, directory: Path) -> None:
    _modules, options = healthy(db, directory)
    standby = Postgres(directory / "standby", fsync=False)
    try:
        standby.standby_of(db.server)
        login: dict[str, Any] = {"login_host": standby.host, "login_port": standby.port}
        result = db.modules(**FLAG).ok("preflight_info", **login, **options)
    finally:
        standby.stop()
    assert result["database"]["writable"] is False
    assert (missing(result), result["ready"]) == ({}, True)
    assert list(checks(result)) == ["server", "tools"]


def test_a_database_that_does_not_answer(db: Database) -> None:
    db.modules(login_port=1, **FLAG).fails("unreachable", "preflight_info")
