# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of PostgreSQL: what is in it, who may read it, its cost at most, and what is reported when it is missing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.servers import PgBouncer, Postgres, workspace

EVERY_PART = (
    "activity.jsonl",
    "databases.jsonl",
    "index.json",
    "locks.jsonl",
    "prepared_xacts.jsonl",
    "replication.jsonl",
    "replication_slots.jsonl",
    "server.json",
    "settings.jsonl",
    "statements.jsonl",
    "tables.jsonl",
)
SECRET = "tr0ub4dor-and-3"


@pytest.fixture(scope="module")
def watched() -> Iterator[Postgres]:
    """A server with pg_stat_statements loaded."""
    settings = {"shared_preload_libraries": "pg_stat_statements", "max_prepared_transactions": 10}
    with workspace() as directory, Postgres(directory / "watched", settings, fsync=False) as started:
        yield started


@pytest.fixture
def frail(directory: Path) -> Iterator[Postgres]:
    """A server of the test's own, to be crashed and frozen."""
    with Postgres(directory / "frail", fsync=False) as started:
        yield started


def fresh(server: Postgres, name: str = "kanban") -> Database:
    server.drop_database(name)
    server.create_database(name)
    return Database(server, name)


def collector(db: Database, directory: Path, role: str | None = None, **options: Any) -> Modules:
    return db.modules(role, dest=str(directory / "evidence"), incident_id="INC-1", **options)


def rows(result: Result, name: str) -> list[dict[str, Any]]:
    (path,) = [Path(file["path"]) for file in result["files"] if file["name"] == name]
    return [json.loads(line) for line in path.read_text().splitlines()]


def document(result: Result, name: str) -> dict[str, Any]:
    (path,) = [Path(file["path"]) for file in result["files"] if file["name"] == name]
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def reasons(result: Result) -> dict[str, str]:
    return {one["part"]: one["reason"] for one in result["missing"]}


def everything(directory: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file())


def evidence_pid(db: Database, waiting: bool = False) -> int | None:
    """Return the backend that reads evidence, or None; ``waiting``: only one that waits for a lock."""
    found = db.server.query(
        """SELECT pid FROM pg_stat_activity WHERE application_name = 'chatia.kanban_rollback evidence'
           AND datname = %s AND (NOT %s OR wait_event_type = 'Lock')""",
        (db.name, waiting),
    )
    return int(found[0][0]) if found else None


def test_all_parts_are_there_private_and_as_the_index_says(watched: Postgres, directory: Path) -> None:
    db = fresh(watched)
    db.rows("CREATE EXTENSION pg_stat_statements")
    db.rows("CREATE TABLE companies (id integer)")
    before = os.umask(0)
    try:
        done = collector(db, directory).ok("evidence")
    finally:
        os.umask(before)
    assert (done["changed"], done["complete"], done["truncated"], done["missing"]) == (True, True, False, [])
    assert (done["taken"], done["path"]) == ("on_request", str(directory / "evidence/t0"))
    assert tuple(sorted(file["name"] for file in done["files"])) == EVERY_PART
    for file in done["files"]:
        content = Path(file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    told = {file["name"]: file for file in document(done, "index.json")["files"]}
    assert {name: file["sha256"] for name, file in told.items()} == {
        file["name"]: file["sha256"] for file in done["files"] if file["name"] != "index.json"
    }
    for path in [directory / "evidence", *(directory / "evidence").rglob("*")]:
        assert path.stat().st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600), path
    assert [row["relname"] for row in rows(done, "tables.jsonl")] == ["companies"]
    assert any("CREATE TABLE companies" in row["query"] for row in rows(done, "statements.jsonl"))
    server = document(done, "server.json")
    assert (server["name"], server["timeline"], server["in_recovery"]) == ("kanban", 1, False)
    assert "/" in server["lsn"]


def test_it_tells_who_waits_for_whom(db: Database, directory: Path) -> None:
    db.rows("CREATE TABLE companies (id integer)")
    with (
        db.transaction("LOCK TABLE companies", application_name="migration") as holder,
        db.connect("whaticket-api") as waiter,
        db.transaction("SELECT 1", "SELECT 2 AS idle_in_transaction"),
    ):
        waiter.cursor().execute("SET statement_timeout = '20s'")
        waiting = subprocess.Popen(
            [
                str(db.server.programs / "psql"),
                "-X",
                "-c",
                "SET application_name = 'stuck'; SELECT count(*) FROM companies",
            ],
            env={
                "PGHOST": db.server.host,
                "PGPORT": str(db.server.port),
                "PGUSER": "postgres",
                "PGPASSWORD": db.server.password,
                "PGDATABASE": db.name,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: bool(db.value("SELECT count(*) FROM pg_locks WHERE NOT granted")), "somebody who waits")
            done = collector(db, directory).ok("evidence")
        finally:
            waiting.terminate()
            waiting.wait(10)
        (stuck,) = [row for row in rows(done, "locks.jsonl") if not row["granted"]]
        assert (stuck["relation_name"], stuck["waits_for"]) == ("companies", [holder.info.backend_pid])
    names = {row["application_name"]: row for row in rows(done, "activity.jsonl")}
    assert names["stuck"]["query"].endswith("FROM companies")
    assert names["migration"]["state"] == "idle in transaction"
    assert names["migration"]["xact_start"]


def test_prepared_transactions_and_replication_are_in_it(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    with db.connect() as session:
        session.cursor().execute("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'half-way'")
    db.rows("SELECT pg_create_physical_replication_slot('standby')")
    with Postgres(directory / "standby", fsync=False) as standby:
        standby.stop()
    two = Postgres(directory / "two", fsync=False)
    try:
        two.standby_of(frail, "two")
        done = collector(db, directory).ok("evidence")
        there = collector(Database(two, "kanban"), directory).ok("evidence", label="replica")
    finally:
        two.stop()
    assert [row["gid"] for row in rows(done, "prepared_xacts.jsonl")] == ["half-way"]
    assert [row["application_name"] for row in rows(done, "replication.jsonl")] == ["two"]
    assert [row["slot_name"] for row in rows(done, "replication_slots.jsonl")] == ["standby"]
    replica = document(there, "server.json")
    assert (replica["in_recovery"], replica["writable"], replica["timeline"]) == (True, False, 1)


def test_the_same_again_changes_nothing_and_another_label_collects_anew(db: Database, directory: Path) -> None:
    modules = collector(db, directory)
    plan = modules.ok("evidence", check=True)
    assert (plan["changed"], plan["files"], plan["taken"]) == (True, [], None)
    assert not (directory / "evidence").exists()
    first = modules.ok("evidence")
    again = modules.ok("evidence")
    assert again["changed"] is False
    assert {**again, "elapsed_ms": 0, "changed": True} == {**first, "elapsed_ms": 0}
    assert modules.ok("evidence", check=True)["changed"] is False
    later = modules.ok("evidence", label="after-recovery")
    assert (later["changed"], later["path"]) == (True, str(directory / "evidence/after-recovery"))
    other = modules.ok("evidence", incident_id="INC-2")
    assert other["changed"] is True, "evidence of another incident was taken for this one's"
    assert not {file["path"] for file in other["files"]} & {file["path"] for file in first["files"]}


def test_two_databases_do_not_take_each_others_place(server: Postgres, frail: Postgres, directory: Path) -> None:
    """As with two managed databases that one controller acts on."""
    databases = [fresh(server, "kanban-one"), fresh(server, "kanban one"), fresh(frail, "kanban-one")]
    try:
        for db in databases:
            done = collector(db, directory).ok("evidence")
            assert done["changed"] is True
            told = document(done, "server.json")
            assert (told["name"], told["address"]) == (db.name, f"127.0.0.1:{db.server.port}")
    finally:
        for db in databases:
            db.drop()


def test_settings_tell_what_differs_and_no_secret(frail: Postgres, directory: Path) -> None:
    frail.set_config(
        work_mem="7MB",
        primary_conninfo=f"host=10.0.0.9 password={SECRET}",
        archive_command=f"AWS_SECRET={SECRET} push %p",
    )
    db = fresh(frail)
    db.rows(f"ALTER ROLE postgres SET app.jwt = '{SECRET}'")
    done = collector(db, directory).ok("evidence")
    found = {row["name"]: row["setting"] for row in rows(done, "settings.jsonl")}
    assert found["work_mem"] == "7168"
    assert found["primary_conninfo"] == found["archive_command"] == "(not recorded)"
    assert "enable_seqscan" not in found
    assert SECRET not in everything(directory / "evidence")
    assert frail.password not in everything(directory / "evidence")


def test_without_the_extension_the_rest_is_there(db: Database, directory: Path) -> None:
    done = collector(db, directory).ok("evidence")
    assert list(reasons(done)) == ["statements"]
    assert "not installed" in reasons(done)["statements"]
    assert done["complete"] is True
    assert document(done, "index.json")["missing"][0]["part"] == "statements"


def test_an_extension_whose_library_is_not_loaded(db: Database, directory: Path) -> None:
    db.rows("CREATE EXTENSION pg_stat_statements")
    done = collector(db, directory).ok("evidence")
    assert "shared_preload_libraries" in reasons(done)["statements"]


def test_a_role_without_privileges_collects_what_it_sees(watched: Postgres, directory: Path) -> None:
    db = fresh(watched)
    db.rows("CREATE EXTENSION pg_stat_statements")
    db.rows("SELECT 'somebody''s query'")
    role = db.role("plain")
    try:
        with db.transaction("SELECT 'hidden text'"):
            done = collector(db, directory, role).ok("evidence")
    finally:
        db.drop()
    assert done["missing"] == []
    assert any("pg_read_all_stats" in warning for warning in done["warnings"])
    assert "hidden text" not in everything(directory / "evidence")
    assert any(row["query"] == "<insufficient privilege>" for row in rows(done, "statements.jsonl"))


def test_other_databases_text_in_another_encoding_costs_nothing(server: Postgres, directory: Path) -> None:
    latin = Database(server, "latin")
    server.query("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    db = fresh(server, "kanban-utf8")
    try:
        with latin.transaction("SELECT 'coração, não " + "é" * 2000 + "'", application_name="latin"):
            done = collector(db, directory).ok("evidence")
    finally:
        latin.drop()
        db.drop()
    assert list(reasons(done)) == ["statements"]
    (row,) = [row for row in rows(done, "activity.jsonl") if row["application_name"] == "latin"]
    assert row["query"].startswith("SELECT 'cora")
    assert len(row["query"]) <= 1024


@pytest.mark.skipif(PgBouncer.missing() is not None, reason=str(PgBouncer.missing()))
def test_a_pooler_is_no_obstacle(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    with PgBouncer(directory / "pooler", frail.dsn_of("kanban")) as pooler:
        done = collector(db, directory, login_port=pooler.port).ok("evidence")
    assert document(done, "server.json")["pooled"] is True
