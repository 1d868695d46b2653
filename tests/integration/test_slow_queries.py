# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow statements, on every version of pg_stat_statements that these servers have, and what is reported without it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2 import sql

from tests.integration.module import Result
from tests.integration.place import Database
from tests.support import binaries
from tests.support.servers import PgBouncer, Postgres, ServerError, workspace

SECRET = "tr0ub4dor-and-3"
LOADED = {"shared_preload_libraries": "pg_stat_statements", "autovacuum": False}
# The plan's total_time is the name up to 1.7; total_exec_time came with 1.8, toplevel and the view of facts with 1.9.
TABLES = ("a_b", "axb", "it's", "once", "thrice", "often", "before", "now", "newcomer", "hidden_one")
# Before 1.9 the facts are unknown, and the result says so.
NO_FACTS = "pg_stat_statements does not say when it was reset or what it has evicted"
VERSIONS = ("1.4", "1.7", "1.8", "1.9", "")


@pytest.fixture(scope="module")
def watched() -> Iterator[Postgres]:
    """A server that counts statements."""
    settings = {**LOADED, "max_prepared_transactions": 5, "track_io_timing": True}
    with workspace() as directory, Postgres(directory / "watched", settings, fsync=False) as started:
        yield started


@pytest.fixture
def crm(watched: Postgres) -> Iterator[Database]:
    """A database with a table, in which the extension is installed."""
    watched.create_database("crm")
    made = Database(watched, "crm")
    made.rows("CREATE EXTENSION pg_stat_statements")
    made.rows('CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" int, status text)')
    made.rows("""INSERT INTO "Tickets" ("companyId", status) SELECT g, 'open' FROM generate_series(1, 50) g""")
    # A statement's id does not depend on the names in its result: to tell statements apart they read other tables.
    for name in TABLES:
        made.rows(sql.SQL("CREATE TABLE {} AS SELECT 1 AS one").format(sql.Identifier(name)))
    made.rows("SELECT pg_stat_statements_reset()")
    yield made
    made.drop()


def slow(db: Database, role: str | None = None, **options: Any) -> Result:
    return db.modules(role).ok("slow_queries_info", **options)


def texts(result: Result) -> list[str]:
    return [row["query"] for row in result["queries"]]


def check_figures(result: Result, extension: str) -> None:
    assert (result["available"], result["reason"], result["changed"]) == (True, None, False)
    (row,) = result["queries"]
    assert (row["query"], row["calls"]) == ('SELECT * FROM "Tickets" WHERE "companyId" = $1', 3)
    assert (row["database"], row["user"]) == (result["database"]["name"], "postgres")
    assert 0 < row["min_ms"] <= row["mean_ms"] <= row["max_ms"] <= row["total_ms"]
    assert row["total_ms"] == pytest.approx(3 * row["mean_ms"], abs=0.01)
    assert (row["rows"], int(row["queryid"]) != 0) == (3, True)
    assert row["shared_blks_hit"] >= 3
    assert 0 < row["share"] <= 1
    parts = tuple(int(part) for part in result["source"]["version"].split("."))
    assert extension in ("", result["source"]["version"])
    assert (row["toplevel"], result["source"]["reset_at"] is not None) == (
        (True, True) if parts >= (1, 9) else (None, False)
    )
    assert (row["plan_ms"] is not None) == (parts >= (1, 8))
    assert (row["stats_since"] is not None) == (parts >= (1, 11))


def ask_thrice(db: Database, extension: str) -> Result:
    db.rows(f"CREATE EXTENSION pg_stat_statements {f'VERSION {extension!r}' if extension else ''}")
    db.rows('CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" int)')
    db.rows('INSERT INTO "Tickets" ("companyId") VALUES (1), (2), (3)')
    with db.connect() as session, session.cursor() as cursor:
        for company in (1, 2, 3):
            cursor.execute('SELECT * FROM "Tickets" WHERE "companyId" = %s', (company,))
    return slow(db, contains=['from "tickets" where'])


@pytest.mark.parametrize("extension", VERSIONS)
def test_the_columns_that_the_view_has_are_read(watched: Postgres, extension: str) -> None:
    """An extension that was not updated with its server is a real case: its view has the old names."""
    watched.create_database("old")
    try:
        old = Database(watched, "old")
        if extension == "1.9":
            old.needs(14, "there is no such version of the extension")
        check_figures(ask_thrice(old, extension), extension)
    finally:
        watched.drop_database("old")


def test_an_older_server() -> None:
    try:
        binaries.postgres(15)
    except ServerError as missing:
        pytest.skip(str(missing))
    with workspace() as directory, Postgres(directory / "older", LOADED, version=15, fsync=False) as server:
        server.create_database("old")
        result = ask_thrice(Database(server, "old"), "")
        assert result["source"]["version"] == "1.10"
        check_figures(result, "")


def test_one_of_several_plain_texts_in_any_case(crm: Database) -> None:
    for table in ('"Tickets"', "a_b", "axb", '"it\'s"'):
        crm.rows(f"SELECT count(*), '100%' FROM {table}")
    found = {
        word: sorted(texts(slow(crm, contains=[word])))
        for word in ("TICKETS", "%", "a_b", "IT'S", "\\", "nothing like this")
    }
    assert found == {
        "TICKETS": ['SELECT count(*), $1 FROM "Tickets"'],
        "%": [],
        "a_b": ["SELECT count(*), $1 FROM a_b"],
        "IT'S": ['SELECT count(*), $1 FROM "it\'s"'],
        "\\": [],
        "nothing like this": [],
    }
    assert len(texts(slow(crm, contains=["a_b", "tickets"]))) == 2
    assert not [text for text in texts(slow(crm, top=100)) if "slow_queries" in text or "strpos" in text]


def test_order_number_and_least_mean(crm: Database) -> None:
    for statement in (
        "SELECT pg_sleep(0.06) FROM once",
        *["SELECT pg_sleep(0.03) FROM thrice"] * 3,
        *["SELECT one FROM often"] * 9,
    ):
        crm.rows(statement)

    def first(**options: Any) -> list[str]:
        return [text.rpartition(" ")[2] for text in texts(slow(crm, contains=["once", "thrice", "often"], **options))]

    assert first() == first(order_by="total") == ["thrice", "once", "often"]
    assert first(order_by="mean") == first(order_by="max") == ["once", "thrice", "often"]
    assert first(order_by="calls") == ["often", "thrice", "once"]
    assert first(top=1) == ["thrice"]
    assert first(min_mean_ms=50) == ["once"]


def test_what_is_slow_now_is_not_what_was_slow_before(crm: Database) -> None:
    crm.needs(14, NO_FACTS)
    crm.rows("SELECT pg_sleep(0.3) FROM before")
    crm.rows("SELECT pg_sleep(0.05) FROM now")
    with crm.modules().start("slow_queries_info", interval=1.2, contains=["pg_sleep"]) as running:
        time.sleep(0.7)
        crm.rows("SELECT pg_sleep(0.05) FROM now")
        crm.rows("SELECT pg_sleep(0.02) FROM newcomer")
        result = running.result()
    assert [(row["query"].rpartition(" ")[2], row["calls"]) for row in result["queries"]] == [
        ("now", 1),
        ("newcomer", 1),
    ]
    assert 50 <= result["queries"][0]["total_ms"] < 100
    assert result["queries"][0]["calls_per_second"] == pytest.approx(1 / result["interval_seconds"], abs=0.01)
    assert 1.2 <= result["interval_seconds"] < 2.5
    assert (result["source"]["reset_between"], result["source"]["evicted_between"]) == (False, 0)
    assert (result["restarted_count"], result["gone_count"]) == (0, 0)


def test_counters_that_were_reset_in_between(crm: Database) -> None:
    crm.needs(14, NO_FACTS)
    crm.rows("SELECT pg_sleep(0.3) FROM now")
    crm.rows("SELECT pg_sleep(0.01) FROM before")
    with crm.modules().start("slow_queries_info", interval=1.2, contains=["pg_sleep"]) as running:
        time.sleep(0.7)
        crm.rows("SELECT pg_stat_statements_reset()")
        crm.rows("SELECT pg_sleep(0.05) FROM now")
        result = running.result()
    assert [(row["query"].rpartition(" ")[2], row["calls"]) for row in result["queries"]] == [("now", 1)]
    assert 50 <= result["queries"][0]["total_ms"] < 100
    assert result["queries"][0]["share"] <= 1
    assert (result["source"]["reset_between"], result["restarted_count"], result["gone_count"]) == (True, 1, 1)
    assert any("set to zero between" in warning for warning in result["warnings"])


def test_statements_that_were_evicted_in_between() -> None:
    with (
        workspace() as place,
        Postgres(place / "small", {**LOADED, "pg_stat_statements.max": 100}, fsync=False) as server,
    ):
        server.create_database("crm")
        crm = Database(server, "crm")
        crm.needs(14, NO_FACTS)
        crm.rows("CREATE EXTENSION pg_stat_statements")
        with crm.modules().start("slow_queries_info", interval=1.5) as running:
            time.sleep(0.7)
            with crm.connect() as session, session.cursor() as cursor:
                for number in range(1, 250):
                    cursor.execute("SELECT " + ", ".join(["1"] * number))
            result = running.result()
    assert result["available"]
    assert result["source"]["evicted_between"] > 0
    assert any("evicted between" in warning for warning in result["warnings"])


def refused(result: Result, code: str) -> Result:
    """Check that the statements are not known, with a reason for people, and that the rest is there."""
    assert (result["available"], result["queries"], result["reason"]["code"]) == (False, [], code)
    assert all(len(result["reason"][part]) > 10 for part in ("what", "why", "todo"))
    assert any(result["reason"]["what"] in warning for warning in result["warnings"])
    assert result["running"] == result["waiting"] == []
    return result


def test_without_the_extension_or_its_library(db: Database, watched: Postgres) -> None:
    result = refused(slow(db), "not_installed")
    assert "shared_preload_libraries" in result["reason"]["todo"]
    db.rows("CREATE EXTENSION pg_stat_statements")
    assert refused(slow(db), "not_preloaded")["source"]["installed"] is True
    watched.create_database("bare")
    try:
        result = refused(slow(Database(watched, "bare")), "not_installed")
    finally:
        watched.drop_database("bare")
    assert result["source"]["preloaded"] is True
    assert "shared_preload_libraries" not in result["reason"]["todo"]


def test_a_setting_of_a_library_that_is_not_loaded_deceives_nobody() -> None:
    """postgresql.conf may have lines for it that are left over or written in advance."""
    with workspace() as place, Postgres(place / "hoping", {"pg_stat_statements.max": 5000}, fsync=False) as server:
        db = Database(server, "postgres")
        db.rows("CREATE EXTENSION pg_stat_statements")
        assert refused(slow(db), "not_preloaded")["source"]["preloaded"] is False


def test_in_a_schema_of_its_own_and_who_may_not_enter_it(watched: Postgres) -> None:
    watched.create_database("apart")
    db = Database(watched, "apart")
    role = db.role("plain")
    try:
        db.rows('CREATE SCHEMA "My Stats"')
        db.rows('CREATE EXTENSION pg_stat_statements SCHEMA "My Stats"')
        db.rows("SELECT 1 AS here")
        result = slow(db, contains=["AS here"])
        assert (result["source"]["schema"], texts(result)) == ("My Stats", ["SELECT $1 AS here"])
        refused(slow(db, role), "no_privilege")
        db.rows(sql.SQL('GRANT USAGE ON SCHEMA "My Stats" TO {}').format(sql.Identifier(role)))
        assert slow(db, role)["available"] is True
        db.rows('REVOKE SELECT ON "My Stats".pg_stat_statements FROM public')
        assert "pg_stat_statements" in refused(slow(db, role), "no_privilege")["reason"]["what"]
    finally:
        db.drop()


def test_texts_that_this_role_may_not_see_are_counted_and_the_grant_is_told(crm: Database) -> None:
    role = crm.role('odd"name')
    crm.rows("SELECT pg_sleep(0.2) FROM hidden_one")
    with crm.transaction("SELECT 1"):
        result = slow(crm, role)
        (sees,) = {row["user"] for row in result["queries"]} or {role}
        assert (result["available"], sees) == (True, role)
        assert result["text_hidden_count"] >= 1
        assert result["text_hidden_share"] > 0.5
        grant = 'GRANT pg_read_all_stats TO "' + role.replace('"', '""') + '";'
        assert any(grant in warning for warning in result["warnings"])
        assert result["sessions_hidden_count"] >= 1
    crm.rows(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(role)))
    result = slow(crm, role, contains=["hidden_one"])
    assert (result["text_hidden_count"], result["sessions_hidden_count"], len(result["queries"])) == (0, 0, 1)


def test_no_constant_is_in_a_text_not_even_where_the_view_has_it(crm: Database) -> None:
    name = crm.role("rotated")
    crm.rows(f"ALTER ROLE \"{name}\" PASSWORD '{SECRET}'")
    assert SECRET in crm.value("SELECT string_agg(query, ' ') FROM pg_stat_statements WHERE query LIKE 'ALTER ROLE%'")
    result = slow(crm, contains=["ALTER ROLE"])
    assert texts(result) == [f'ALTER ROLE "{name}" PASSWORD ?']
    assert SECRET not in json.dumps(result)


def test_statements_of_this_database_or_of_all(crm: Database) -> None:
    crm.server.query("SELECT count(*) FROM pg_cast")
    assert texts(slow(crm, contains=["pg_cast"])) == []
    (row,) = slow(crm, contains=["pg_cast"], all_databases=True)["queries"]
    assert row["database"] == "postgres"


@pytest.mark.skipif(PgBouncer.missing() is not None, reason=str(PgBouncer.missing()))
def test_through_a_pooler_and_in_check_mode(crm: Database) -> None:
    with workspace() as place, PgBouncer(place / "pooler", crm.server.dsn_of("crm")) as pooler:
        result = crm.modules(login_port=pooler.port).ok("slow_queries_info", check=True, interval=0.2)
    assert (result["available"], result["changed"], result["database"]["pooled"]) == (True, False, True)
