# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions, lanes that are tags, and checks whose repairs meet in the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import counts, plan, ready, repair, undo, whole

ORDERING: dict[str, Any] = {
    "name": "ordering",
    "kind": "ordering",
    "table": "cards",
    "tenant": "company",
    "lane": ["lane"],
    "position": "place",
}
TWO_LANES: dict[str, Any] = {
    "name": "two_lanes",
    "kind": "two_lanes",
    "table": "links",
    "columns": ["ticket"],
    "column": "tag",
    "lanes": {"table": "tags", "column": "id", "mark": "kanban"},
    "time": "at",
}
DUPLICATE: dict[str, Any] = {
    "name": "duplicate",
    "kind": "duplicate",
    "table": "links",
    "columns": ["ticket", "tag"],
    "time": "at",
}


def lanes(db: Database, lane: int = 1) -> list[tuple[int, int | None]]:
    """Return ids with their places in one lane."""
    return db.rows("SELECT id, place FROM cards WHERE lane = %s ORDER BY place, id", (lane,))


@pytest.fixture
def cards(db: Database) -> None:
    db.rows("CREATE TABLE cards (id integer PRIMARY KEY, company integer, lane integer, place integer)")
    db.rows("""INSERT INTO cards VALUES (1, 1, 1, 3), (2, 1, 1, 3), (3, 1, 1, 7), (4, 1, 1, NULL), (5, 2, 1, 3),
               (6, 1, 2, 0), (7, 1, 2, 1), (8, 1, NULL, 5), (9, 1, NULL, 5)""")


@pytest.mark.usefixtures("cards")
def test_an_ordering_is_renumbered_from_its_first_on(db: Database) -> None:
    modules = ready(db, ["cards"])
    before = whole(db)
    done = repair(modules, [ORDERING])
    assert counts(done) == {"ordering": 0}
    assert db.rows("SELECT id, place FROM cards WHERE company = 1 AND lane = 1 ORDER BY place") == [
        (1, 3), (2, 4), (3, 5), (4, 6)
    ]  # fmt: skip
    assert done["quarantined"] == 3
    undo(modules)
    assert whole(db) == before


@pytest.mark.usefixtures("cards")
def test_where_numbers_may_be_left_out_only_what_is_wrong_moves(db: Database) -> None:
    modules = ready(db, ["cards"])
    done = repair(modules, [{**ORDERING, "gaps": "ignored"}])
    assert counts(done) == {"ordering": 0}
    assert db.rows("SELECT id, place FROM cards WHERE company = 1 AND lane = 1 ORDER BY place") == [
        (1, 3), (3, 7), (2, 8), (4, 9)
    ]  # fmt: skip


@pytest.mark.usefixtures("cards")
def test_a_lane_is_renumbered_without_what_other_checks_take_away(db: Database) -> None:
    db.rows("CREATE TABLE lanes (id integer, company integer)")
    db.rows("INSERT INTO lanes VALUES (1, 1), (2, 1), (1, 2)")
    db.rows("CREATE TABLE companies (id integer)")
    db.rows("INSERT INTO companies VALUES (1)")
    db.rows("INSERT INTO cards VALUES (10, 1, 9, 1), (11, 9, 1, 1), (12, 9, 1, 5), (13, 1, 1, 5)")
    # Without it, the lane has one place less.
    db.rows("ALTER TABLE cards ADD owner integer DEFAULT 1")
    db.rows("UPDATE cards SET owner = 9 WHERE company = 9 OR id = 13")
    db.rows("UPDATE cards SET owner = NULL WHERE company = 2")
    gone = {"name": "gone", "kind": "orphan", "table": "cards", "column": "owner"}
    invalid = {"name": "invalid", "kind": "invalid_reference", "table": "cards", "column": "lane", "tenant": "company"}
    checks: list[dict[str, Any]] = [
        {**gone, "references": {"table": "companies", "column": "id"}},
        {**invalid, "references": {"table": "lanes", "column": "id"}},
        ORDERING,
    ]
    modules = ready(db, ["cards"])
    before = whole(db)
    done = repair(modules, checks, max_fraction=1)
    assert counts(done) == {"gone": 0, "invalid": 0, "ordering": 0}
    assert [row[0] for row in db.rows("SELECT id FROM cards ORDER BY id")] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert db.value("SELECT lane FROM cards WHERE id = 10") is None
    undo(modules)
    assert whole(db) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["lanes first", "duplicates first"])
def test_the_last_move_wins_and_one_link_of_it_stays(db: Database, order: tuple[int, int]) -> None:
    db.rows("CREATE TABLE tags (id integer PRIMARY KEY, kanban integer)")
    db.rows("INSERT INTO tags VALUES (1, 1), (2, 1), (3, 0)")
    db.rows("CREATE TABLE links (ticket integer, tag integer, at timestamptz, note text)")
    db.rows("""INSERT INTO links SELECT t, tag, at, note FROM generate_series(1, 50) AS t, (VALUES
               (1, '2026-01-01'::timestamptz, 'old'), (2, '2026-01-02', 'new'), (2, '2026-01-03', 'new again'),
               (3, '2026-01-04', 'no lane')) AS l(tag, at, note)""")
    db.rows("INSERT INTO links SELECT g, 1, '2026-01-01', 'well' FROM generate_series(100, 400) AS g")
    modules = ready(db, ["links"])
    before = whole(db)
    checks = [(TWO_LANES, DUPLICATE)[number] for number in order]
    planned = plan(modules, checks)
    assert {check["name"]: check["count"] for check in planned["plan"]["checks"]} == {"two_lanes": 50, "duplicate": 50}
    done = repair(modules, checks)
    assert counts(done) == {"two_lanes": 0, "duplicate": 0}
    assert db.rows("SELECT note, count(*) FROM links GROUP BY 1 ORDER BY 1") == [
        ("new", 50), ("no lane", 50), ("well", 301)
    ]  # fmt: skip
    undo(modules)
    assert whole(db) == before


def test_a_users_query_cannot_write(db: Database) -> None:
    db.rows("CREATE TABLE links (ticket integer, tag integer, at timestamptz)")
    db.rows(
        "CREATE FUNCTION spoil() RETURNS integer LANGUAGE sql AS 'INSERT INTO links VALUES (9, 9, now()) RETURNING 9'"
    )
    modules = ready(db, ["links"])
    bad = {"name": "bad", "kind": "sql", "query": "SELECT spoil() AS id"}
    planned = plan(modules, [bad, DUPLICATE])
    assert planned["plan"]["checks"][0]["status"] == "failed"
    modules.ok("write_fence", state="absent")
    assert plan(modules, [bad, DUPLICATE])["plan"]["checks"][0]["status"] == "failed"
    assert db.value("SELECT count(*) FROM links") == 0


def test_what_is_for_databases_without_a_table_repairs_nothing_where_it_is(db: Database) -> None:
    db.rows("CREATE TABLE tags (id int PRIMARY KEY, kanban int)")
    db.rows("CREATE TABLE links (ticket int, tag int REFERENCES tags, at timestamptz DEFAULT now())")
    db.rows("CREATE TABLE lanes (id int)")
    db.rows("INSERT INTO tags VALUES (1, 1), (2, 1)")
    db.rows("INSERT INTO links VALUES (7, 1), (7, 2)")
    modules = ready(db, ["links"])
    assert plan(modules, [TWO_LANES])["plan"]["total_rows"] == 1
    found = plan(modules, [{**TWO_LANES, "unless": "lanes"}])["plan"]
    assert (found["total_rows"], found["checks"][0]["status"], found["checks"][0]["count"]) == (
        0,
        "not_applicable",
        None,
    )


@pytest.fixture
def unique(db: Database) -> None:
    """Gaps, rows before them that are to go, a lane in reverse order, and a place that is empty."""
    db.rows("""CREATE TABLE cards (
      id integer PRIMARY KEY, company integer, lane integer, place integer, owner integer, CHECK (place >= 0))""")
    db.rows("CREATE TABLE companies (id integer)")
    db.rows("INSERT INTO companies VALUES (1)")
    db.rows("""INSERT INTO cards SELECT n, 1, 1, 2 * n, CASE n % 10 WHEN 3 THEN 9 ELSE 1 END
               FROM generate_series(1, 200) AS n""")
    db.rows("INSERT INTO cards SELECT 1000 - n, 1, 2, 3 * n, 1 FROM generate_series(1, 200) AS n")
    db.rows("INSERT INTO cards VALUES (2000, 1, 2, NULL, 1)")
    db.rows("CREATE UNIQUE INDEX ON cards (company, lane, place)")


@pytest.mark.usefixtures("unique")
@pytest.mark.parametrize("gaps", ["corrupt", "ignored"])
def test_under_a_unique_index_rows_change_places_with_those_that_go_and_back(db: Database, gaps: str) -> None:
    modules = ready(db, ["cards"])
    before = whole(db)
    gone = {"name": "gone", "kind": "orphan", "table": "cards", "column": "owner"}
    checks = [{**gone, "references": {"table": "companies", "column": "id"}}, {**ORDERING, "gaps": gaps}]
    done = repair(modules, checks, max_fraction=1)
    assert counts(done) == {"gone": 0, "ordering": 0}
    if gaps == "corrupt":
        assert db.rows("SELECT lane, min(place), max(place), count(*) FROM cards GROUP BY 1 ORDER BY 1") == [
            (1, 2, 181, 180), (2, 3, 203, 201)
        ]  # fmt: skip
    # Quarantine has what was there, not the place where a row was put aside.
    kept = db.rows("SELECT DISTINCT before FROM kanban_rollback.quarantined")
    assert {row[0] for row in kept} <= set(before["cards"])
    assert modules.ok("integrity_repair", True, state="undone")["conflicts_count"] == 0
    undo(modules)
    assert whole(db) == before


@pytest.mark.usefixtures("unique")
def test_a_place_that_somebody_took_meanwhile_is_still_in_the_way(db: Database) -> None:
    modules = ready(db, ["cards"])
    repair(modules, [ORDERING], max_fraction=1)
    db.rows("""BEGIN; SELECT set_config('kanban_rollback.passage', 'INC-1', true);
               INSERT INTO cards VALUES (3000, 1, 1, 400, 1); COMMIT""")
    held = whole(db)
    looked = undo(modules, check=True)
    assert (looked["changed"], looked["conflicts_count"]) == (False, 1)
    result = modules.fails("conflict", "integrity_repair", state="undone")
    assert [(row["table"], row["key"]) for row in result["conflicts"]] == [("public.cards", {"id": "200"})]
    assert "company, lane, place" in result["conflicts"][0]["why"]
    assert whole(db) == held


@pytest.mark.parametrize(
    ("column", "highest"),
    [
        ("place integer, UNIQUE (lane, place) DEFERRABLE", 5),
        ("place integer CHECK (place <= 5), UNIQUE (lane, place)", 5),
        ("place integer NOT NULL, UNIQUE (lane, place)", 2147483647),
        ("place smallint CHECK (place IS NOT NULL), UNIQUE NULLS NOT DISTINCT (lane, place)", 32767),
        ("place integer, EXCLUDE USING btree (lane WITH =, place WITH =)", 2147483647),
    ],
    ids=["deferrable", "in a range", "not NULL, up to the end", "NULL is one of them", "by exclusion"],
)
def test_however_places_are_kept_apart_they_are_renumbered_and_come_back(
    db: Database, column: str, highest: int
) -> None:
    db.rows(f"CREATE TABLE cards (id integer PRIMARY KEY, company integer, lane integer, owner integer, {column})")
    db.rows("CREATE TABLE companies AS SELECT 1 AS id")
    db.rows(
        """INSERT INTO cards (id, company, lane, owner, place)
               VALUES (1, 1, 1, 1, 1), (2, 1, 1, 9, 2), (3, 1, 1, 1, 4), (4, 1, 1, 1, 5), (5, 1, 2, 1, %s)""",
        (highest,),
    )
    modules = ready(db, ["cards"])
    before = whole(db)
    gone = {"name": "gone", "kind": "orphan", "table": "cards", "column": "owner"}
    checks = [{**gone, "references": {"table": "companies", "column": "id"}}, ORDERING]
    repair(modules, checks, max_fraction=1)
    assert db.rows("SELECT id, place FROM cards WHERE lane = 1 ORDER BY id") == [(1, 1), (3, 2), (4, 3)]
    undo(modules)
    assert whole(db) == before
