# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corruption is counted as it was made; a check that does not apply or may not read says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.integrity import CHECKS, NAMES, SMALL, by_name, load, look, statuses
from tests.integration.place import Database
from tests.support.dataset import DataSet


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"quoted": False, "on_delete": None},
        {"ids": "uuid", "keyed": False, "on_delete": "NO ACTION"},
    ],
    ids=["camel case", "lower case", "uuid, TicketTags without id"],
)
def test_the_plans_counts(db: Database, shape: dict[str, Any]) -> None:
    data = load(db, **shape)
    before = {table: db.snapshot(data.sql_name(table)) for table in ("Tags", "Tickets")}
    result = look(db.modules())
    assert result["counts"] == data.expected_corruption()
    assert (result["status"], result["corrupt"], result["complete"]) == ("corrupt", True, True)
    assert result["total_count"] == sum(data.expected_corruption().values())
    assert set(statuses(result).values()) == {"corrupt"}
    assert all(one["exact"] and 0 < len(one["samples"]) <= 10 for one in result["checks"])
    assert result["snapshot"]["lsn"]
    assert result["snapshot"]["replica"] is False
    checked = look(db.modules(), check=True)
    assert checked["counts"] == result["counts"]
    assert {table: db.snapshot(data.sql_name(table)) for table in before} == before


def test_whole_data_is_ok(db: Database) -> None:
    load(db, corruption=False)
    result = look(db.modules())
    assert result["counts"] == dict.fromkeys(NAMES, 0)
    assert (result["status"], result["corrupt"], result["complete"], result["total_count"]) == ("ok", False, True, 0)
    assert [one["samples"] for one in result["checks"]] == [[], [], [], []]


def test_samples_are_keys_of_rows_that_are_corrupt(db: Database) -> None:
    load(db)
    found = by_name(look(db.modules(), limit_samples=1000))
    gone = (
        'SELECT "id"::text FROM "Tags" WHERE "companyId" IS NULL OR "companyId" NOT IN (SELECT "id" FROM "Companies")'
    )
    assert sorted(one["id"] for one in found["orphan_tags"]["samples"]) == sorted(row[0] for row in db.rows(gone))
    # The plan's own query also counts a ticket without a company here; that has a check of its own.
    lanes = """SELECT "id"::text FROM "Tickets" AS t WHERE "kanbanLane" IS NOT NULL AND "companyId" IS NOT NULL
               AND "kanbanLane" NOT IN (SELECT "id" FROM "Lanes" WHERE "companyId" = t."companyId")"""
    assert sorted(one["id"] for one in found["invalid_lanes"]["samples"]) == sorted(row[0] for row in db.rows(lanes))
    twice = """SELECT "ticketId"::text, "tagId"::text, count(*)::text FROM "TicketTags" GROUP BY 1, 2
               HAVING count(*) > 1"""
    duplicates = found["duplicate_ticket_tags"]
    assert sorted((one["ticketId"], one["tagId"], one["rows"]) for one in duplicates["samples"]) == sorted(
        db.rows(twice)
    )
    whose = """SELECT count(DISTINCT "companyId") FROM "Tickets" WHERE "id" IN
               (SELECT "ticketId" FROM "TicketTags" GROUP BY "ticketId", "tagId" HAVING count(*) > 1)"""
    assert duplicates["affected_tenants"] == db.value(whose)
    assert duplicates["groups"] == duplicates["count"]
    assert found["orphan_tags"]["affected_tenants"] is None


def test_a_duplicate_is_what_is_too_much(db: Database) -> None:
    db.rows("CREATE TABLE links (a integer, b integer)")
    db.rows("INSERT INTO links VALUES (1, 1), (1, 1), (1, 1), (2, 1), (NULL, 1), (NULL, 1)")
    check = {"name": "twice", "kind": "duplicate", "table": "links", "columns": ["a", "b"], "tenant": "b"}
    (found,) = look(db.modules(), checks=[check])["checks"]
    assert (found["count"], found["groups"], found["affected_tenants"]) == (2, 1, 1)
    assert found["samples"] == [{"a": "1", "b": "1", "rows": "3"}]


def test_null_is_an_orphan_or_is_ignored(db: Database) -> None:
    data = load(db)
    orphan = CHECKS[0]
    checks = [orphan, {**orphan, "name": "gone", "null_is": "ignored"}]
    counts = look(db.modules(), checks=checks)["counts"]
    nobody = db.value('SELECT count(*) FROM "Tags" WHERE "companyId" IS NULL')
    assert 0 < nobody < data.expected_corruption()["orphan_tags"]
    assert counts == {"orphan_tags": data.expected_corruption()["orphan_tags"], "gone": counts["orphan_tags"] - nobody}


def test_what_is_tolerated_is_no_incident_and_is_said(db: Database) -> None:
    expected = load(db).expected_corruption()["orphan_tags"]
    for tolerate, status in ((expected, "ok"), (expected - 1, "corrupt")):
        result = look(db.modules(), checks=[{**CHECKS[0], "tolerate": tolerate}])
        assert (result["status"], result["counts"]) == (status, {"orphan_tags": expected})
        assert ("tolerated" in result["checks"][0]["why"]) == (status == "ok")


def test_quick_stops_at_the_first_and_says_so(db: Database) -> None:
    load(db)
    result = look(db.modules(), quick=True, limit_samples=2)
    assert {one["count"] for one in result["checks"]} == {2}
    assert not any(one["exact"] for one in result["checks"])
    assert (result["status"], look(db.modules(), quick=True, limit_samples=0)["status"]) == ("corrupt", "corrupt")


def test_types_that_do_not_go_together_are_compared_as_text(db: Database) -> None:
    load(db)
    db.rows('ALTER TABLE "Tickets" DROP CONSTRAINT "Tickets_kanbanLane_fkey", ALTER "kanbanLane" TYPE text')
    db.rows('ALTER TABLE "Tags" DROP CONSTRAINT "Tags_companyId_fkey", ALTER "companyId" TYPE bigint')
    assert look(db.modules())["counts"] == DataSet(**SMALL, corruption=True).expected_corruption()


def test_a_uuid_that_is_kept_as_text_is_the_same_in_upper_case(db: Database) -> None:
    load(db, ids="uuid")
    drop = 'ALTER TABLE "Tags" DROP CONSTRAINT "Tags_companyId_fkey", ALTER "companyId" TYPE char(40) USING '
    db.rows(f'{drop} upper("companyId"::text)')
    assert look(db.modules())["counts"] == DataSet(**SMALL, ids="uuid", corruption=True).expected_corruption()


def test_a_check_that_does_not_apply_says_so_and_has_not_passed(db: Database) -> None:
    data = load(db)
    db.rows('DROP TABLE "Lanes" CASCADE')
    db.rows('ALTER TABLE "Tags" RENAME "companyId" TO owner')
    result = look(db.modules())
    found = by_name(result)
    assert result["not_applicable"] == ["orphan_tags", "invalid_lanes"]
    assert "'Lanes'" in found["invalid_lanes"]["why"]
    assert "'companyId'" in found["orphan_tags"]["why"]
    assert (result["complete"], result["status"]) == (True, "corrupt")
    assert found["duplicate_ticket_tags"]["count"] == data.expected_corruption()["duplicate_ticket_tags"]
    only = look(db.modules(), checks=CHECKS[:2])
    assert (only["status"], only["corrupt"], only["complete"]) == ("unknown", False, True)


def test_what_this_role_may_not_read_is_not_known(db: Database) -> None:
    load(db)
    modules = db.modules(db.role("ops", 'SELECT ON "Tags", "Companies", "Tickets"'))
    result = look(modules)
    assert statuses(result) == {
        "orphan_tags": "corrupt",
        "invalid_lanes": "failed",
        "tickets_without_company": "corrupt",
        "duplicate_ticket_tags": "failed",
    }
    assert "lacks SELECT (id, companyId) on public.Lanes" in by_name(result)["invalid_lanes"]["why"]
    assert (result["complete"], result["not_known"]) == (False, ["invalid_lanes", "duplicate_ticket_tags"])


def test_a_table_out_of_reach_is_not_absent(db: Database) -> None:
    load(db)
    db.rows("CREATE SCHEMA hidden")
    db.rows('ALTER TABLE "Lanes" SET SCHEMA hidden')
    db.rows('CREATE VIEW "Odd" AS SELECT 1 AS a')
    role = db.role("ops", "SELECT ON ALL TABLES IN SCHEMA public")
    odd = {"name": "odd", "kind": "null_reference", "table": "Odd", "column": "a"}
    found = by_name(look(db.modules(role), checks=[CHECKS[1], odd]))
    assert (found["invalid_lanes"]["status"], found["odd"]["status"]) == ("failed", "failed")
    assert "hidden.Lanes is in a schema" in found["invalid_lanes"]["why"]
    assert "is no table" in found["odd"]["why"]


def test_rows_that_a_policy_hides_are_not_known(db: Database) -> None:
    load(db)
    role = db.role("ops", "SELECT ON ALL TABLES IN SCHEMA public")
    db.rows('ALTER TABLE "Tags" ENABLE ROW LEVEL SECURITY')
    found = by_name(look(db.modules(role), checks=CHECKS[:1]))["orphan_tags"]
    assert found["status"] == "failed"
    assert "row-level security" in found["why"]


def test_what_cannot_be_a_check_is_refused_or_named(db: Database) -> None:
    load(db)
    twice = [CHECKS[0], CHECKS[0]]
    db.modules().fails("bad_checks", "integrity_info", checks=twice)
    db.modules().fails("bad_checks", "integrity_info", checks=[])
    lacking: list[dict[str, Any]] = [{"name": "a", "kind": "orphan", "table": "Tags", "column": "companyId"}]
    lacking += [{"name": "b", "kind": "duplicate", "table": "Tags"}]
    lacking += [{"name": "c", "kind": "null_reference", "table": "Tags"}]
    lacking += [{**CHECKS[1], "name": "d", "tenant": None}]
    result = look(db.modules(), checks=[*lacking, CHECKS[0]])
    assert [one["status"] for one in result["checks"]] == ["failed"] * 4 + ["corrupt"]
    for one, option in zip(result["checks"], ("references", "columns", "column", "tenant"), strict=False):
        assert f"option {option}," in one["why"]
