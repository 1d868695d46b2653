# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What prevents a ranking or makes it doubtful: each case is named, and none reads as an empty list."""

from __future__ import annotations

import pytest

from tests.integration.errors import Errors, ids, warned
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace


@pytest.fixture
def errors(db: Database) -> Errors:
    """Two tenants that are on, with 12 and 11 errors."""
    made = Errors(db)
    made.companies(1, 2, users=4)
    made.log(1, 12)
    made.log(2, 11)
    return made


def test_no_table_of_errors(errors: Errors) -> None:
    errors.db.rows('ALTER TABLE "ErrorLogs" RENAME TO "ErrorLog"')
    told = errors.fails("missing_table")
    assert "'ErrorLogs'" in told["error"]["what"]
    assert "nobody is affected" in told["error"]["why"]
    for word in ("ErrorLog'", "kanban_tables.error_logs", "scenario 1"):
        assert word in told["error"]["todo"]
    told = errors.rank(on_missing="report")
    assert (told["measured"], told["tenants"], told["affected_count"], told["share"]) == (False, [], None, None)
    assert "ErrorLogs" in told["why_not"]
    assert warned(told, "Not measured", "nobody is affected")
    # A profile that says so, with null.
    for none in ("", None):
        told = errors.fails("missing_table", error_logs=none)
        assert told["error"]["what"] == "The profile names no table of errors."
        assert errors.rank(on_missing="report", error_logs=none)["why_not"] == told["error"]["what"]


def test_a_missing_table_of_flags_is_no_missing_table_of_errors(errors: Errors) -> None:
    errors.fails("missing_table", on_missing="report", table="Firms")


@pytest.mark.parametrize(
    ("columns", "code", "word"),
    [
        ({"company": "companyId", "context": "kontext", "created_at": "createdAt"}, "missing_column", "kontext"),
        ({"company": "companyId", "context": "context"}, "incomplete_columns", "error_logs.created_at"),
        ({"company": "companyId", "context": "context", "created_at": "context"}, "wrong_column_type", "timestamp"),
        ({"company": "companyId", "context": "id", "created_at": "createdAt"}, "wrong_column_type", "jsonb"),
    ],
)
def test_columns_that_are_not_there(errors: Errors, columns: dict[str, str], code: str, word: str) -> None:
    told = errors.fails(code, columns={"error_logs": columns, "companies": {"id": "id", "name": "name"}})
    assert word in told["error"]["what"]


def test_a_context_that_nothing_is_looked_for_in_need_not_be_there(errors: Errors) -> None:
    columns = {"error_logs": {"company": "companyId", "created_at": "createdAt"}}
    assert ids(errors.rank(columns=columns, contains="", companies=None)) == ["1", "2"]


def test_rights_that_are_missing(errors: Errors) -> None:
    """Without the errors there is no ranking; without names or users there is one, and it says so."""
    errors.role = errors.db.role("reader", 'SELECT ON "Companies"', 'SELECT ("companyId", context) ON "ErrorLogs"')
    told = errors.fails("missing_privilege")
    assert 'SELECT (createdAt) on public."ErrorLogs"'.replace('"', "") in told["error"]["what"]
    errors.db.rows(f'GRANT SELECT ("createdAt") ON "ErrorLogs" TO {errors.role}')
    told = errors.rank(users="Users")
    assert (ids(told), told["users_count"]) == (["1", "2"], None)
    assert warned(told, "users are not counted", "companyId")
    errors.db.rows('CREATE TABLE names AS SELECT id, name FROM "Companies"')
    told = errors.rank(companies="names")
    assert (ids(told), told["tenants"][0]["name"]) == (["1", "2"], None)
    assert warned(told, "names of tenants are not shown", "SELECT (id, name)")


@pytest.mark.parametrize("table", ["ErrorLogs", "Companies"])
def test_row_level_security_that_would_hide_rows(errors: Errors, table: str) -> None:
    errors.role = errors.db.role("reader", 'SELECT ON "Companies", "ErrorLogs"')
    errors.db.rows(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    assert table in errors.fails("row_level_security")["error"]["what"]
    errors.db.rows(f"ALTER ROLE {errors.role} BYPASSRLS")
    assert ids(errors.rank()) == ["1", "2"]


def test_a_ranking_that_takes_too_long_is_no_short_list(errors: Errors) -> None:
    errors.db.rows("CREATE FUNCTION strpos(text, text) RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(0.3)'")
    errors.db.rows(f"ALTER DATABASE {errors.db.name} SET search_path = public, pg_catalog")
    told = errors.fails("statement_timeout", deadline=1)
    assert "scenario 1" in told["error"]["todo"]
    assert "public.ErrorLogs" in told["error"]["what"]


def test_a_migration_that_holds_the_table_is_not_waited_for(errors: Errors) -> None:
    with errors.db.transaction('LOCK TABLE "ErrorLogs" IN ACCESS EXCLUSIVE MODE'):
        told = errors.fails("lock_timeout", deadline=20)
    assert "migration" in told["error"]["todo"]


# Clocks.


def test_errors_of_a_host_whose_clock_is_ahead_count_and_are_said(errors: Errors) -> None:
    errors.log(2, 5, ago=-7200)
    told = errors.rank()
    assert [(row["tenant"], row["errors"]) for row in told["tenants"]] == [("2", 16), ("1", 12)]
    assert warned(told, "5 errors are dated after", "2.0 h")
    errors.db.rows(
        """INSERT INTO "ErrorLogs" VALUES (99, 1, 'kanban', 'infinity'), (100, 1, 'kanban', '30000-01-01')"""
    )
    told = errors.rank()
    last = {row["tenant"]: (row["last_at"], row["mean_seconds_between"]) for row in told["tenants"]}
    assert last["1"] == (None, None)
    assert warned(told, "7 errors are dated after")


def test_the_window_is_by_the_servers_clock(errors: Errors) -> None:
    errors.log(2, 3, ago=3590, every=0)
    errors.log(1, 9, ago=3610, every=0)
    told = errors.rank()
    assert [(row["tenant"], row["errors"]) for row in told["tenants"]] == [("2", 14), ("1", 12)]
    assert ids(errors.rank(window=3620)) == ["1", "2"]


def test_times_without_a_zone_are_in_the_zone_that_is_said(db: Database) -> None:
    errors = Errors(db, at="timestamp")
    errors.companies(1)
    db.rows(f"ALTER DATABASE {db.name} SET timezone = 'Asia/Tokyo'")
    db.rows(f"ALTER DATABASE {db.name} SET datestyle = 'SQL, DMY'")
    errors.log(1, 11)
    told = errors.rank()
    assert ids(told) == ["1"]
    true_first = """SELECT to_char(min("createdAt"), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM "ErrorLogs" """
    assert told["tenants"][0]["first_at"] == db.value(true_first)
    # São Paulo is three hours behind: what is written in UTC is three hours ahead there, and the other way round.
    assert warned(errors.rank(naive_timezone="America/Sao_Paulo"), "11 errors are dated after", "2.8 h")
    db.rows("""UPDATE "ErrorLogs" SET "createdAt" = "createdAt" - interval '3 hours'""")
    told = errors.rank()
    assert told["tenants"] == []
    assert warned(told, "No error was found", "3.2 h old", "time zone")
    told = errors.rank(naive_timezone="America/Sao_Paulo")
    assert ids(told) == ["1"]
    in_utc = true_first.replace('min("createdAt")', """min("createdAt") + interval '3 hours'""")
    assert told["tenants"][0]["first_at"] == db.value(in_utc)
    errors.fails("unknown_timezone", naive_timezone="Brazil/Nowhere")


def test_no_error_at_all_says_what_there_is(errors: Errors) -> None:
    told = errors.rank(contains="board")
    assert (told["tenants"], told["share"]) == ([], 0.0)
    assert warned(told, "the window has 23 errors", "'board'")
    errors.db.rows('TRUNCATE "ErrorLogs"')
    assert warned(errors.rank(), "is empty")
    errors.db.rows("""UPDATE "Companies" SET settings = NULL""")
    assert errors.rank()["share"] is None


# Indexes.


def fill(errors: Errors) -> None:
    """Make the table of errors too large to be read in no time."""
    errors.db.rows("""INSERT INTO "ErrorLogs" ("companyId", context, "createdAt")
        SELECT g % 100, repeat('x', 700), now() - g * interval '1 min' FROM generate_series(1, 60000) AS g""")
    errors.db.rows('ANALYZE "ErrorLogs"')


def test_an_index_that_is_missing_is_said(errors: Errors) -> None:
    assert errors.rank()["index_missing"] is False
    fill(errors)
    told = errors.rank()
    assert (told["index_missing"], ids(told)) == (True, ["1", "2"])
    assert warned(told, 'CREATE INDEX CONCURRENTLY ON public."ErrorLogs" ("createdAt");')
    assert "Seq Scan on ErrorLogs" in told["plan"]
    for definition in ('("createdAt") WHERE "companyId" > 5', '(context, "createdAt")', '("companyId")'):
        errors.db.rows(f'CREATE INDEX other ON "ErrorLogs" {definition}')
        assert errors.rank()["index_missing"] is True, definition
        errors.db.rows("DROP INDEX other")
    errors.db.rows('CREATE INDEX pair ON "ErrorLogs" ("companyId", "createdAt")')
    assert errors.rank()["index_missing"] is False
    errors.db.rows('CREATE INDEX by_time ON "ErrorLogs" ("createdAt")')
    told = errors.rank()
    assert (told["index_missing"], told["index_hint"], told["warnings"]) == (False, None, [])
    assert "using by_time on ErrorLogs" in told["plan"]


def test_a_partitioned_table_of_errors(errors: Errors) -> None:
    db = errors.db
    db.rows('ALTER TABLE "ErrorLogs" RENAME TO whole')
    db.rows('CREATE TABLE "ErrorLogs" (LIKE whole) PARTITION BY RANGE ("createdAt")')
    db.rows("""CREATE TABLE old PARTITION OF "ErrorLogs" FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')""")
    db.rows('CREATE TABLE rest PARTITION OF "ErrorLogs" DEFAULT')
    db.rows('INSERT INTO "ErrorLogs" SELECT 1, "companyId", context, "createdAt" FROM whole')
    db.rows("""INSERT INTO "ErrorLogs" SELECT g, 1, 'kanban', '2020-06-01' FROM generate_series(1, 99) AS g""")
    db.rows("""INSERT INTO "ErrorLogs" SELECT g, 7, repeat('x', 700), now() - interval '9 days'
               FROM generate_series(1, 60000) AS g""")
    told = errors.rank()
    assert [(row["tenant"], row["errors"]) for row in told["tenants"]] == [("1", 12), ("2", 11)]
    assert told["index_missing"] is True
    assert warned(told, 'CREATE INDEX ON public."ErrorLogs" ("createdAt");')
    db.rows('CREATE INDEX ON rest ("createdAt")')
    assert errors.rank()["index_missing"] is True
    db.rows('CREATE INDEX ON old ("createdAt")')
    assert errors.rank()["index_missing"] is False


# Users.


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ('SELECT count(*) FROM "Users" WHERE "companyId"::text = ANY (%(tenants)s)', 8),
        ("SELECT count(*) FROM \"Users\" WHERE 'a%b' LIKE 'a%' AND id % 2 = 0 -- half of them\n ;", 4),
        ('SELECT id FROM "Users"', None),
        ("SELECT 1.5", None),
        ('COMMIT; DELETE FROM "Users"; BEGIN; SELECT 8', None),
        ('SELECT 1) AS x; DELETE FROM "Users"; SELECT * FROM (SELECT 1', None),
        ('WITH gone AS (DELETE FROM "Users" RETURNING 1) SELECT count(*) FROM gone', None),
        ("SELECT nextval('\"Users_id_seq\"')", None),
        ("SELECT count(*) FROM nowhere", None),
        ("SELECT count(*) FROM pg_sleep(9)", None),
    ],
)
def test_a_query_for_users_counts_or_says_why_not(errors: Errors, query: str, count: int | None) -> None:
    told = errors.rank(users_query=query, deadline=2)
    assert (ids(told), told["users_count"]) == (["1", "2"], count)
    assert warned(told, "Users are not counted") is (count is None)
    assert errors.db.value('SELECT count(*) FROM "Users"') == 8


# Replicas.


def test_a_replica_is_read_or_skipped() -> None:
    with workspace() as directory, Postgres(directory / "one", fsync=False) as one:
        one.create_database("kanban")
        errors = Errors(Database(one, "kanban"))
        errors.companies(1)
        errors.log(1, 11)
        two = Postgres(directory / "two", fsync=False)
        try:
            two.standby_of(one, "two")
            two.wait_for_replay()
            modules = Database(two, "kanban").modules(**errors.options())
            told = modules.ok("affected_tenants_info", incident_id="INC-1")
            assert (ids(told), told["database"]["writable"]) == (["1"], False)
            skipped = modules.ok("affected_tenants_info", on_replica="skip")
            assert (skipped["skipped"], skipped["measured"], skipped["tenants"]) == (True, False, [])
        finally:
            two.stop()
