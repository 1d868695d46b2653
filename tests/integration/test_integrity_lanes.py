# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes and the positions in them, lanes that are tags, and what ties one tenant to another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.integrity import find
from tests.integration.place import Database

ORDERING: dict[str, Any] = {
    "kind": "ordering",
    "table": "Tickets",
    "position": "kanbanOrder",
    "lane": ["kanbanLane"],
    "tenant": "companyId",
    "time": "updatedAt",
}
TWO_LANES: dict[str, Any] = {
    "kind": "two_lanes",
    "table": "TicketTags",
    "columns": ["ticketId"],
    "column": "tagId",
    "lanes": {"table": "Tags", "column": "id", "tenant": "companyId", "mark": "kanban"},
    "time": "createdAt",
}
CARDLESS: dict[str, Any] = {
    "kind": "cardless_ticket",
    "table": "Tickets",
    "column": "kanbanLane",
    "tenant": "companyId",
    "time": "updatedAt",
}
BY_TAG: dict[str, Any] = {
    **CARDLESS,
    "column": "id",
    "references": {"table": "TicketTags", "column": "ticketId"},
    "lanes": {**TWO_LANES["lanes"], "through": "tagId"},
}
CROSS: dict[str, Any] = {
    "kind": "cross_tenant",
    "table": "TicketTags",
    "column": "ticketId",
    "references": {"table": "Tickets", "column": "id", "tenant": "companyId"},
    "other_column": "tagId",
    "other_references": {"table": "Tags", "column": "id", "tenant": "companyId"},
    "time": "createdAt",
}


def schema(
    db: Database, quoted: bool = True, ids: str = "integer", keyed: bool = True, partitioned: bool = False
) -> None:
    """Make the empty tables. Tests fill in tenants 1 and 2, each with tags 10x (of them 101 and 102 lanes)."""
    tickets = "PARTITION BY HASH (id)" if partitioned else ""
    key = ", PRIMARY KEY (id)" if keyed else ""
    text = f"""
    CREATE TABLE "Tags" (id {ids}, "companyId" {ids}, kanban integer{key});
    CREATE TABLE "Tickets" (id {ids}, "companyId" {ids}, "kanbanLane" {ids}, "kanbanOrder" integer,
                            "updatedAt" timestamptz DEFAULT '2026-01-01 00:00Z'{key}) {tickets};
    CREATE TABLE "TicketTags" ("ticketId" {ids}, "tagId" {ids}, "createdAt" timestamp DEFAULT '2026-01-01 00:00')
    """
    if partitioned:
        text += ";" + ";".join(
            f'CREATE TABLE tickets_{i} PARTITION OF "Tickets" FOR VALUES WITH (MODULUS 2, REMAINDER {i})'
            for i in (0, 1)
        )
    db.rows(text if quoted else text.replace('"', "").lower())


SHAPES = [{}, {"quoted": False}, {"ids": "uuid", "keyed": False}, {"partitioned": True}]
IDS = ["camel case", "lower case", "uuid, no keys", "partitioned"]


def value(number: int | None, shape: dict[str, Any]) -> str:
    """Return an id as SQL text."""
    if number is None:
        return "NULL"
    return f"'{number:032d}'::uuid" if shape.get("ids") == "uuid" else str(number)


def insert(db: Database, shape: dict[str, Any], table: str, names: list[str], ids: int, *rows: tuple[Any, ...]) -> None:
    """Insert rows; the first ``ids`` columns are ids."""
    named = ", ".join(f'"{name}"' if shape.get("quoted", True) else name.lower() for name in names)
    each = [
        "("
        + ", ".join(value(one, shape) if i < ids else repr(one).replace("None", "NULL") for i, one in enumerate(row))
        + ")"
        for row in rows
    ]
    db.rows(
        f"INSERT INTO {f'"{table}"' if shape.get('quoted', True) else table.lower()} ({named}) VALUES {', '.join(each)}"
    )


def text(number: int, shape: dict[str, Any]) -> str:
    """Return an id as samples show it."""
    digits = f"{number:032d}"
    if shape.get("ids") == "uuid":
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return str(number)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_positions_that_are_there_twice_or_are_missing(db: Database, shape: dict[str, Any]) -> None:
    schema(db, **shape)
    names = ["id", "companyId", "kanbanLane", "kanbanOrder", "updatedAt"]
    old, new = "2026-01-01 00:00Z", "2026-02-02 02:02Z"
    insert(
        db, shape, "Tickets", names, 3,
        # Lane 11 of tenant 1: 3 is there three times, 4 and 5 are left out, one has no position.
        (1, 1, 11, 1, old), (2, 1, 11, 2, old), (3, 1, 11, 3, old), (4, 1, 11, 3, old), (5, 1, 11, 3, new),
        (6, 1, 11, 6, old), (7, 1, 11, None, old),
        # The same lane number of another tenant is another lane, and intact; so is one that begins with 7.
        (8, 2, 11, 1, old), (9, 2, 11, 2, old), (10, 2, 12, 7, old), (11, 2, 12, 8, old),
        # In no lane, or nobody's.
        (12, 1, None, 3, old), (13, 1, None, 3, old), (14, None, 11, 3, old), (15, None, 11, 3, old),
    )  # fmt: skip
    found = find(db, ORDERING)
    assert (found["status"], found["count"], found["groups"], found["affected_tenants"]) == ("corrupt", 5, 1, 1), found
    one, lane = ("companyId", "kanbanLane") if shape.get("quoted", True) else ("companyid", "kanbanlane")
    assert found["samples"] == [
        {one: text(1, shape), lane: text(11, shape), "rows": "7", "twice": "2", "unplaced": "1", "left_out": "2"}
    ]
    assert (found["first_at"], found["last_at"]) == ("2026-02-02T02:02:00Z",) * 2
    assert find(db, {**ORDERING, "gaps": "ignored"})["count"] == 3
    # Without a tenant a lane number is one lane, whoever owns it.
    assert find(db, {**ORDERING, "tenant": None, "gaps": "ignored"})["count"] == 7


def test_one_without_a_position_is_enough(db: Database) -> None:
    schema(db)
    names = ["id", "companyId", "kanbanLane", "kanbanOrder"]
    insert(db, {}, "Tickets", names, 3, (1, 1, 1, None), (2, 1, 2, 0), (3, 1, 2, 0), (4, 1, 3, 0), (5, 1, 3, 2))
    assert [
        (one["twice"], one["unplaced"], one["left_out"])
        for one in sorted(find(db, ORDERING)["samples"], key=lambda one: str(one["kanbanLane"]))
    ] == [("0", "1", "0"), ("1", "0", "0"), ("0", "0", "1")]


def test_one_position_far_away_is_no_billion_of_mistakes(db: Database) -> None:
    schema(db)
    insert(db, {}, "Tickets", ["id", "companyId", "kanbanLane", "kanbanOrder"], 3, (1, 1, 1, 0), (2, 1, 1, 2147483647))
    assert find(db, ORDERING)["count"] == 2
    db.rows('ALTER TABLE "Tickets" ALTER "kanbanOrder" TYPE numeric')
    assert find(db, ORDERING)["count"] == 0
    db.rows('ALTER TABLE "Tickets" ALTER "kanbanOrder" TYPE text')
    db.rows("""UPDATE "Tickets" SET "kanbanOrder" = '0|hzzz:'""")
    assert find(db, ORDERING)["count"] == 1


def test_a_hundred_thousand_at_one_position_are_one_lane(db: Database) -> None:
    schema(db)
    db.rows("""INSERT INTO "Tickets" (id, "companyId", "kanbanLane", "kanbanOrder")
        SELECT g, 1, 1, 0 FROM generate_series(1, 100000) AS g""")
    db.rows('INSERT INTO "TicketTags" ("ticketId", "tagId") SELECT 1, 1 FROM generate_series(1, 100000)')
    found = find(db, ORDERING)
    assert (found["count"], found["groups"], len(found["samples"])) == (99_999, 1, 1)
    twice = {"kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"], "time": "createdAt"}
    found = find(db, twice)
    assert (found["count"], found["groups"], found["samples"][0]["rows"]) == (99_999, 1, "100000")


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_ticket_in_two_lanes_at_once(db: Database, shape: dict[str, Any]) -> None:
    schema(db, **shape)
    insert(
        db,
        shape,
        "Tags",
        ["id", "companyId", "kanban"],
        2,
        (101, 1, 1),
        (102, 1, 1),
        (103, 1, 1),
        (104, 1, 0),
        (201, 2, 1),
    )
    names = ["ticketId", "tagId", "createdAt"]
    insert(
        db, shape, "TicketTags", names, 2,
        # Three lanes; one lane twice and a tag; two lanes, of two tenants; nothing, twice.
        (1, 101, "2026-01-01"), (1, 102, "2026-03-03"), (1, 103, "2026-01-01"),
        (2, 101, "2026-01-01"), (2, 101, "2026-01-01"), (2, 104, "2026-01-01"),
        (3, 101, "2026-01-01"), (3, 201, "2026-05-05"),
        (None, 101, "2026-01-01"), (None, 102, "2026-01-01"), (4, None, "2026-01-01"), (4, 999, "2026-01-01"),
    )  # fmt: skip
    found = find(db, TWO_LANES, limit_samples=5)
    assert (found["count"], found["groups"], found["affected_tenants"]) == (3, 2, 2), found
    ticket = "ticketId" if shape.get("quoted", True) else "ticketid"
    assert sorted((one[ticket], one["lanes"]) for one in found["samples"]) == [
        (text(1, shape), "3"),
        (text(3, shape), "2"),
    ]
    assert (found["first_at"], found["last_at"]) == ("2026-03-03T00:00:00Z", "2026-05-05T00:00:00Z")
    # Every tag is a lane if nothing marks those that are.
    lanes = {name: each for name, each in TWO_LANES["lanes"].items() if name != "mark"}
    assert find(db, {**TWO_LANES, "lanes": lanes})["count"] == 4


def test_lanes_are_told_by_a_mark_of_any_type(db: Database) -> None:
    schema(db)
    db.rows('ALTER TABLE "Tags" ALTER kanban TYPE boolean USING kanban = 1')
    db.rows('INSERT INTO "Tags" VALUES (1, 1, true), (2, 1, true), (3, 1, false)')
    db.rows('INSERT INTO "TicketTags" VALUES (1, 1), (1, 2), (2, 1), (2, 3)')
    assert find(db, {**TWO_LANES, "lanes": {**TWO_LANES["lanes"], "mark_value": "true"}})["count"] == 1


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_ticket_without_a_card_among_tickets_that_have_one(db: Database, shape: dict[str, Any]) -> None:
    schema(db, **shape)
    insert(db, shape, "Tags", ["id", "companyId", "kanban"], 2, (101, 1, 1), (104, 1, 0))
    placed = [(i, 1, 11, 1) for i in range(1, 20)] + [(20, 1, None, 7), (21, None, None, 1)]
    # Every second ticket of tenant 2 is in no lane, as is usual there; every ticket of tenant 3 is in one.
    some = [(100 + i, 2, 11 if i % 2 else None, 1) for i in range(20)]
    insert(db, shape, "Tickets", ["id", "companyId", "kanbanLane", "kanbanOrder"], 3, *placed, *some, (200, 3, 11, 1))
    cards = [(row[0], 101) for row in placed + some if row[2]]
    # A tag that is not a lane, twice; a lane twice.
    insert(db, shape, "TicketTags", ["ticketId", "tagId"], 2, *cards, (20, 104), (20, 104), (1, 101), (200, 101))
    for check in (CARDLESS, BY_TAG):
        found = find(db, check)
        assert (found["count"], found["affected_tenants"], found["groups"]) == (1, 1, None), found
        if shape.get("keyed", True):
            assert found["samples"] == [{"id": text(20, shape)}]
        assert (found["first_at"], found["last_at"]) == ("2026-01-01T00:00:00Z",) * 2
        assert find(db, {**check, "share": 0.96})["count"] == 0
        assert find(db, {**check, "share": 0})["count"] == 11
        assert "between 0 and 1" in find(db, {**check, "share": 2})["why"]
    # A ticket that has half left its lane still has its position.
    assert find(db, {**CARDLESS, "position": "kanbanOrder"})["count"] == 1
    table, order = ('"Tickets"', '"kanbanOrder"') if shape.get("quoted", True) else ("tickets", "kanbanorder")
    db.rows(f"UPDATE {table} SET {order} = NULL WHERE id = {value(20, shape)}")
    assert find(db, {**CARDLESS, "position": "kanbanOrder"})["count"] == 0


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_ticket_with_a_tag_of_another_tenant(db: Database, shape: dict[str, Any]) -> None:
    schema(db, **shape)
    insert(db, shape, "Tags", ["id", "companyId", "kanban"], 2, (101, 1, 1), (201, 2, 1), (301, None, 1))
    insert(db, shape, "Tickets", ["id", "companyId"], 2, (1, 1), (2, 2), (3, 2), (4, None))
    rows = [
        (1, 101),
        (1, 201),
        (1, 201),
        (2, 101),
        (3, 201),
        (1, 301),
        (4, 101),
        (None, 101),
        (1, None),
        (9, 101),
        (1, 999),
    ]
    insert(db, shape, "TicketTags", ["ticketId", "tagId"], 2, *rows)
    found = find(db, CROSS)
    assert (found["count"], found["affected_tenants"], len(found["samples"])) == (3, 2, 3), found
    assert set(found["samples"][0]) == {"table", "ctid"}
    assert found["first_at"] == "2026-01-01T00:00:00Z"


def test_types_of_both_ends_need_not_be_the_same(db: Database) -> None:
    schema(db)
    db.rows('ALTER TABLE "Tags" ALTER "companyId" TYPE text, ALTER id TYPE bigint')
    db.rows('ALTER TABLE "TicketTags" ALTER "ticketId" TYPE text')
    db.rows("""INSERT INTO "Tags" VALUES (1, '1', 1), (2, '2', 1); INSERT INTO "Tickets" VALUES (1, 1);
        INSERT INTO "TicketTags" VALUES ('1', 1), ('1', 2)""")
    assert find(db, CROSS)["count"] == 1
    assert find(db, TWO_LANES)["count"] == 1
    assert find(db, BY_TAG)["count"] == 0


def test_a_check_of_another_schema_does_not_apply(db: Database) -> None:
    schema(db)
    check = {**TWO_LANES, "unless": "Lanes"}
    assert find(db, check)["status"] == "ok"
    db.rows("CREATE TABLE lanes (id integer)")
    found = find(db, check)
    assert (found["status"], found["code"], found["count"]) == ("not_applicable", "other_schema", None)
    db.rows('DROP TABLE lanes; ALTER TABLE "Tags" RENAME kanban TO mark')
    found = find(db, check)
    assert (found["status"], found["code"]) == ("not_applicable", "missing_column")
    db.rows("CREATE SCHEMA hidden; CREATE TABLE hidden.lanes (id integer)")
    role = db.role("ops", "SELECT ON ALL TABLES IN SCHEMA public")
    (found,) = db.modules(role).ok("integrity_info", checks=[{"name": "a", **check}])["checks"]
    # As far as this role can see, it may exist or not.
    assert (found["status"], found["code"]) == ("failed", "missing_privilege")
