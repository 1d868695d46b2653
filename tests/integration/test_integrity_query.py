# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own query: its results are counted like any kind's, and whatever it contains, it only reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.integrity import CHECKS, find, load, look
from tests.integration.place import Database
from tests.integration.test_integrity_lanes import BY_TAG, CARDLESS, CROSS, ORDERING, TWO_LANES, schema

ALL = 'SELECT "id" FROM "Tags"'


def test_what_a_query_finds_is_counted(db: Database) -> None:
    load(db)
    query = """
        WITH found AS (SELECT * FROM "Tags" WHERE "name" LIKE '%Urg%' AND "id" % 10 = 0) -- 100 % of them; all (
        SELECT "id", "name" AS "a name", "companyId" AS tenant, "createdAt" AS moment FROM found;  """
    found = find(db, {"kind": "sql", "query": query}, limit_samples=1)
    expected = """SELECT count(*), count(DISTINCT "companyId"), to_char(min("createdAt") AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM "Tags" WHERE "name" LIKE '%Urg%' AND "id" % 10 = 0"""
    assert [(found["count"], found["affected_tenants"], found["first_at"])] == db.rows(expected)
    assert (found["status"], found["groups"], found["samples"]) == (
        "corrupt",
        None,
        [{"id": "10", "a name": "Urgente"}],
    )
    bare = find(db, {"kind": "sql", "query": ALL + " WHERE false"})
    assert (bare["status"], bare["count"], bare["affected_tenants"], bare["first_at"]) == ("ok", 0, None, None)


@pytest.mark.parametrize(
    "query",
    [
        "{all}; DELETE FROM \"Tags\"",
        "{all}) AS t; COMMIT; DELETE FROM \"Tags\"; SELECT * FROM ({all}",
        "{all}) AS t; COMMIT; DELETE FROM \"Tags\"; --",
        "{all} WHERE 'a\\' = '; COMMIT; DELETE FROM \"Tags\"; --'",
        "{all} WHERE name = 'open",
        '{all} WHERE "open = 1',
        "{all} WHERE name = $x$ open",
        "{all} /* open",
        "(({all})",
        "DELETE FROM \"Tags\" RETURNING \"id\"",
        "WITH gone AS (DELETE FROM \"Tags\" RETURNING \"id\") SELECT * FROM gone",
        "COMMIT",
        "SELECT nextval('\"Tags_id_seq\"') AS id",
        "SELECT id, id FROM \"Tags\"",
        "SELECT 'a' AS tenant, now() AS moment",
        "SELECT nothing FROM nowhere",
        ";",
    ],
)  # fmt: skip
def test_whatever_a_query_holds_it_only_reads(db: Database, query: str) -> None:
    data = load(db)
    before = db.snapshot('"Tags"')
    result = look(db.modules(), checks=[{"name": "a", "kind": "sql", "query": query.format(all=ALL)}, CHECKS[1]])
    assert [one["status"] for one in result["checks"]] == ["failed", "corrupt"], result["checks"][0]
    assert result["counts"] == {"invalid_lanes": data.expected_corruption()["invalid_lanes"]}
    assert db.snapshot('"Tags"') == before
    assert db.value('SELECT last_value FROM "Tags_id_seq"') == data.tenants * 5


def test_a_query_that_takes_too_long_or_may_not_is_not_known(db: Database) -> None:
    load(db)
    checks = [{"name": "slow", "kind": "sql", "query": "SELECT pg_sleep(60)::text AS id"}, *CHECKS]
    result = look(db.modules(), checks=checks, check_seconds=1)
    assert (result["not_known"], result["corrupt"]) == (["slow"], True)
    role = db.role("ops", 'SELECT ON "Tickets"')
    (found,) = db.modules(role).ok("integrity_info", checks=[{"name": "a", "kind": "sql", "query": ALL}])["checks"]
    assert (found["status"], found["code"]) == ("failed", "missing_privilege")


def test_what_decides_is_counted_first_and_progress_can_be_seen(db: Database) -> None:
    load(db)
    query = "SELECT current_setting('application_name') AS id"
    low = {"name": "low", "kind": "sql", "query": query, "severity": "low"}
    critical = {"name": "é" * 60, "kind": "sql", "query": query}
    result = look(db.modules(), checks=[low, critical])
    assert result["checks"][0]["samples"] == [{"id": "chatia.kanban_rollback check 2 of 2: low"}]
    assert result["checks"][1]["samples"][0]["id"].startswith("chatia.kanban_rollback check 1 of 2: ")
    slow = [{**low, "name": f"slow{i}", "query": "SELECT pg_sleep(0.6)::text AS id"} for i in range(2)]
    result = look(db.modules(), checks=[*slow, critical], deadline=0.5)
    assert [one["status"] for one in result["checks"]] == ["timeout", "timeout", "corrupt"]


@pytest.mark.parametrize(
    ("check", "lacks"),
    [
        ({**ORDERING, "position": None}, "option position,"),
        ({**ORDERING, "lane": []}, "option lane,"),
        ({**TWO_LANES, "lanes": None}, "option lanes,"),
        ({**TWO_LANES, "columns": None}, "option columns,"),
        ({**CARDLESS, "tenant": None}, "option tenant,"),
        ({**BY_TAG, "lanes": TWO_LANES["lanes"]}, "lanes.through"),
        ({**CROSS, "other_references": None}, "option other_references,"),
        ({**CROSS, "other_references": {"table": "Tags", "column": "id"}}, "whose rows of Tags are"),
        ({**CROSS, "table": None}, "option table,"),
    ],
)
def test_what_a_check_lacks_is_named(db: Database, check: dict[str, Any], lacks: str) -> None:
    schema(db)
    found = find(db, check)
    assert (found["status"], lacks in found["why"]) == ("failed", True), found
