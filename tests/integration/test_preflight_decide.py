# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios 1 and 2 and triage read of a database is planned ahead of the day; what they lack is named."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.preflights import SERVER, checks, healthy, missing
from tests.support.servers import Postgres, workspace

_numbers = itertools.count(1)
RANKING: dict[str, Any] = {
    "error_logs": "ErrorLogs",
    "companies": "companies",
    "users": "Users",
    # As a template may hand it on.
    "window": "3600",
    "columns": {
        "error_logs": {"company": "companyId", "context": "context", "created_at": "createdAt"},
        "companies": {"id": "id", "name": "id"},
        "users": {"company": "companyId"},
    },
    "contains": "50% kanban",
}
LONELY = {"name": "lonely", "kind": "null_reference", "table": "tickets", "column": "companyId"}
FIGURE = {"queue": "SELECT count(*) FROM tickets WHERE 'a%' <> \"companyId\"::text"}


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


def deciding(db: Database, directory: Path) -> tuple[Modules, dict[str, Any]]:
    """Return the same place, with all that ranks, counts and measures."""
    modules, options = healthy(db, directory)
    db.rows("""CREATE TABLE "ErrorLogs" ("companyId" int, context text, "createdAt" timestamptz, stack text);
        CREATE TABLE "Users" ("companyId" int, email text)""")
    rights = 'SELECT ("companyId", context, "createdAt") ON "ErrorLogs"', 'SELECT ("companyId") ON "Users"'
    for right in rights:
        db.rows(f"GRANT {right} TO {modules.options['login_user']}")
    options.update(ranking=RANKING, integrity_checks=[LONELY], queries=FIGURE, dump_tables=[])
    return modules, options


def test_what_ranks_counts_and_measures_is_planned_and_not_run(db: Database, directory: Path) -> None:
    modules, options = deciding(db, directory)
    db.rows("SELECT pg_stat_statements_reset()")
    result = modules.ok("preflight_info", **options)
    assert (missing(result), result["ready"]) == ({}, True)
    names = ["errors", "errors_index", "errors_owners", "integrity", "figures"]
    assert [name for name in checks(result) if name in names] == names
    users = 'SELECT count(*) FROM "Users" WHERE "companyId"::text = ANY(%(tenants)s)'
    with_query = {**options, "ranking": {**RANKING, "users_query": users}}
    assert missing(modules.ok("preflight_info", **with_query)) == {}
    run = db.rows("""SELECT query FROM pg_stat_statements WHERE query NOT ILIKE 'EXPLAIN%%'
        AND (query LIKE '%%"ErrorLogs"%%' OR query LIKE '%%"Users"%%')""")
    assert run == []


def test_rights_and_tables_that_the_ranking_lacks(db: Database, directory: Path) -> None:
    modules, options = deciding(db, directory)
    role = modules.options["login_user"]
    db.rows(f"""REVOKE SELECT (context) ON "ErrorLogs" FROM {role}; REVOKE SELECT ON tickets FROM {role};
        REVOKE SELECT ON "Users" FROM {role}""")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"errors": "must", "integrity": "must", "figures": "must"}
    assert f'GRANT SELECT (context) ON public."ErrorLogs" TO {role};' in checks(result)["errors"]["todo"]
    assert "GRANT SELECT" in checks(result)["integrity"]["todo"]
    # If no application tier is used, the same is only advice.
    result = modules.ok("preflight_info", application=False, **options)
    assert (set(missing(result).values()), result["ready"]) == ({"should"}, True)
    db.rows(f'GRANT SELECT (context) ON "ErrorLogs" TO {role}; GRANT SELECT ON tickets TO {role}')
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"errors_owners": "should"}
    assert f'GRANT SELECT ("companyId") ON public."Users" TO {role};' in checks(result)["errors_owners"]["what"]
    for name, ranking, severity in (
        ("ErrorLogs", {**RANKING, "error_logs": "Errors"}, "must"),
        ("kanban_tables.error_logs", {**RANKING, "error_logs": ""}, "should"),
        ("createdAt", {**RANKING, "columns": {**RANKING["columns"], "error_logs": {"company": "companyId"}}}, "must"),
    ):
        result = modules.ok("preflight_info", **{**options, "ranking": ranking})
        assert missing(result)["errors"] == severity, name


def test_checks_that_do_not_apply_and_queries_that_are_none(db: Database, directory: Path) -> None:
    modules, options = deciding(db, directory)
    lanes = {**LONELY, "name": "lanes", "table": "Lanes"}
    result = modules.ok("preflight_info", **{**options, "integrity_checks": [LONELY, lanes, {"name": "bad"}]})
    assert missing(result) == {"integrity": "must", "integrity_applies": "should"}
    assert "lanes" in checks(result)["integrity_applies"]["what"]
    result = modules.ok("preflight_info", **{**options, "integrity_checks": [lanes]})
    assert missing(result) == {"integrity_applies": "must"}
    for query in ("SELECT 1; DROP TABLE tickets", "DELETE FROM tickets", "SELECT x FROM nothing"):
        result = modules.ok("preflight_info", **{**options, "queries": {"odd": query}})
        assert missing(result) == {"figures": "must"}, query
        assert checks(result)["figures"]["what"].startswith("odd: ")
    assert db.value("SELECT count(*) FROM tickets") == 50


def test_an_index_that_is_missing_is_advice(db: Database, directory: Path) -> None:
    modules, options = deciding(db, directory)
    db.rows("""ALTER TABLE "ErrorLogs" ALTER context SET STORAGE PLAIN;
        INSERT INTO "ErrorLogs" SELECT 1, repeat('x', 2000), now() FROM generate_series(1, 18000)""")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"errors_index": "should"}
    db.rows(checks(result)["errors_index"]["todo"].partition(": ")[2].replace("CONCURRENTLY ", ""))
    assert missing(modules.ok("preflight_info", **options)) == {}
