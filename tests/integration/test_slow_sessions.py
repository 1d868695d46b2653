# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs for long and who waits for whom, without customers' data; options, and servers that do not answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import wait_select

from tests.integration.crowd import wait_for
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.servers import Postgres

CUSTOMER = "Maria da Silva"


@pytest.fixture
def crm(db: Database) -> Database:
    """A database with a table."""
    db.rows('CREATE TABLE "Tickets" (id int PRIMARY KEY, name text)')
    db.rows("""INSERT INTO "Tickets" VALUES (1, 'a'), (2, 'b')""")
    return db


def look(db: Database, **options: Any) -> Result:
    return db.modules().ok("slow_queries_info", **options)


@contextlib.contextmanager
def in_the_background(db: Database, statement: str, name: str) -> Iterator[int]:
    """Run a statement while the block runs; yield the pid of its backend. Not in a thread: modules are forks."""
    session = psycopg2.connect(**db.server.parameters(db.name), application_name=name, async_=1)
    try:
        wait_select(session)
        session.cursor().execute(statement)
        pid = session.info.backend_pid
        yield pid
        db.rows("SELECT pg_terminate_backend(%s)", (pid,))
    finally:
        session.close()


def waits(db: Database, pid: int) -> None:
    kind = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    wait_for(lambda: db.value(kind, (pid,)) == "Lock", f"{pid} waits for a lock")


def test_a_waiter_and_whom_it_waits_for(crm: Database) -> None:
    update = f"""UPDATE "Tickets" SET name = '{CUSTOMER}' WHERE id = 1"""
    with (
        crm.transaction(update, application_name="whaticket-api") as holder,
        in_the_background(crm, update, "whaticket-worker") as pid,
    ):
        holding = holder.info.backend_pid
        waits(crm, pid)
        time.sleep(0.3)
        hidden = look(crm, running_ms=200)
        shown = look(crm, running_ms=200, texts=True)
        assert look(crm, running_ms=60_000)["running"] == []
    (waiter,) = hidden["waiting"]
    assert (waiter["pid"], waiter["application_name"], waiter["lock"]) == (pid, "whaticket-worker", "transactionid")
    assert 0.2 < waiter["seconds"] < 10
    assert waiter["query"] == 'UPDATE "Tickets" SET name = ? WHERE id = ?'
    (blocker,) = waiter["blocked_by"]
    assert (blocker["pid"], blocker["state"], blocker["waits_itself"]) == (holding, "idle in transaction", False)
    assert blocker["to_end_it"] == f"SELECT pg_terminate_backend({holding})"
    by_pid = {row["pid"]: row for row in hidden["running"]}
    assert hidden["running_count"] == len(by_pid) == 2
    assert (by_pid[pid]["state"], by_pid[pid]["wait_event_type"]) == ("active", "Lock")
    assert (by_pid[holding]["state"], by_pid[holding]["user"]) == ("idle in transaction", "postgres")
    assert 0.2 < by_pid[holding]["seconds"] <= by_pid[holding]["transaction_seconds"]
    assert CUSTOMER not in json.dumps(hidden)
    assert json.dumps(shown).count(CUSTOMER) == 4


def test_a_chain_of_waiters_and_a_table_by_name(crm: Database) -> None:
    with (
        crm.transaction('LOCK TABLE "Tickets" IN SHARE MODE') as first,
        in_the_background(crm, 'ALTER TABLE "Tickets" ADD lane int', "migration") as second,
    ):
        holding = first.info.backend_pid
        waits(crm, second)
        with in_the_background(crm, 'SELECT * FROM "Tickets"', "whaticket-api") as third:
            waits(crm, third)
            result = look(crm)
    found = {row["pid"]: row for row in result["waiting"]}
    assert found[second]["relation"] == '"Tickets"'
    assert [row["pid"] for row in found[second]["blocked_by"]] == [holding]
    # What helps is to end the first of the chain, so those in the middle are marked as waiting themselves.
    assert [(row["pid"], row["waits_itself"]) for row in found[third]["blocked_by"]] == [(second, True)]


def test_a_prepared_transaction_is_named(crm: Database) -> None:
    with crm.connect() as session, session.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute('DELETE FROM "Tickets" WHERE id = 1')
        cursor.execute("PREPARE TRANSACTION 'it''s stuck'")
    with in_the_background(crm, 'DELETE FROM "Tickets"', "whaticket-api") as pid:
        waits(crm, pid)
        (waiter,) = look(crm)["waiting"]
    (blocker,) = waiter["blocked_by"]
    assert (blocker["pid"], blocker["gid"]) == (0, "it's stuck")
    both = "COMMIT PREPARED 'it''s stuck' or ROLLBACK PREPARED 'it''s stuck', as its transaction manager decided"
    assert blocker["to_end_it"].startswith(both)


def test_another_encoding_a_cut_text_and_another_database(crm: Database, server: Postgres) -> None:
    latin = Database(server, "latin")
    server.query("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        # Longer than track_activity_query_size, so the server cuts inside of the string.
        with latin.transaction(f"SELECT 1 AS coração, '{CUSTOMER} {'é' * 2000}'", application_name="latin"):
            time.sleep(0.1)
            assert look(crm, running_ms=50)["running"] == []
            (row,) = look(crm, running_ms=50, all_databases=True)["running"]
            (own,) = look(latin, running_ms=50)["running"]
    finally:
        latin.drop()
    assert (row["database"], row["application_name"]) == ("latin", "latin")
    assert (row["query"].startswith("SELECT ? AS cora"), row["query"].endswith(", ?…")) == (True, True)
    assert own["query"] == "SELECT ? AS coração, ?…"


def test_a_server_that_is_frozen_holds_nobody(directory: Any) -> None:
    loaded = {"shared_preload_libraries": "pg_stat_statements"}
    with Postgres(directory / "frozen", loaded, fsync=False) as frozen:
        frozen.query("CREATE EXTENSION pg_stat_statements")
        login = {"login_host": frozen.host, "login_port": frozen.port, "login_password": frozen.password}
        with Modules(login).start("slow_queries_info", interval=1, deadline=3) as running:
            time.sleep(0.8)
            backends = frozen.query("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%slow_queries'")
            os.kill(backends[0][0], signal.SIGSTOP)
            try:
                result = running.result()
                assert running.seconds < 9
            finally:
                os.kill(backends[0][0], signal.SIGCONT)
    assert result["failed"]
    assert result["error"]["code"] == "lost_connection"


@pytest.mark.parametrize(
    "options",
    [
        {"contains": ["x", ""]},
        {"top": 0},
        {"top": 101},
        {"min_mean_ms": -1},
        {"interval": "nan"},
        {"running_ms": -5},
        {"deadline": 1},
        {"deadline": "nan"},
        {"interval": 20, "deadline": 21},
    ],
)
def test_options_that_make_no_sense(db: Database, options: dict[str, Any]) -> None:
    db.modules().fails("bad_option", "slow_queries_info", **options)


def test_a_database_that_is_not_there_is_a_failure(server: Postgres) -> None:
    login = {"login_host": server.host, "login_port": 1, "login_password": "x"}
    Modules(login).fails("unreachable", "slow_queries_info")
