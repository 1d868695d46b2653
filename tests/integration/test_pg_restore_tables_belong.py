# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that belong to one another, keys that were taken since, checks that would get worse, sequences, rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup, codes, compare, figures, make, ready, restore, table

TREE = (
    "CREATE TABLE companies (id integer PRIMARY KEY)",
    "CREATE TABLE tickets (id serial PRIMARY KEY, company integer REFERENCES companies, "
    "parent integer REFERENCES tickets, slug text UNIQUE, created timestamptz NOT NULL DEFAULT '2026-01-01')",
    "CREATE TABLE links (ticket integer REFERENCES tickets ON DELETE CASCADE, tag integer NOT NULL)",
    "INSERT INTO companies SELECT generate_series(1, 5)",
    "INSERT INTO tickets (company, parent, slug) SELECT 1 + g % 5, NULLIF(g - 1, 0), 's' || g "
    "FROM generate_series(1, 20) AS g",
    "INSERT INTO links SELECT g, g % 3 FROM generate_series(1, 20) AS g",
)
ALL = ("links", {"name": "tickets", "tenant": "company", "created": "created"}, "companies")
TWO_LANES: dict[str, Any] = {
    "name": "two_lanes",
    "kind": "two_lanes",
    "table": "links",
    "columns": ["ticket"],
    "column": "tag",
    "lanes": {"table": "tags", "column": "id"},
}
TWICE: dict[str, Any] = {"name": "twice", "kind": "duplicate", "table": "links", "columns": ["ticket", "tag"]}


def test_those_that_are_referred_to_come_first(db: Database, directory: Path) -> None:
    make(db, *TREE)
    then = whole(db)
    source = backup(db, directory, "dump", "companies", "tickets", "links")
    make(db, "DELETE FROM links", "DELETE FROM tickets", "DELETE FROM companies WHERE id = 2")
    modules = ready(db)
    before = whole(db)
    done = restore(modules, source, *ALL, max_fraction=1.0)
    assert [one["table"] for one in done["plan"]["tables"]] == ["public.companies", "public.tickets", "public.links"]
    assert whole(db) == then
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_without_its_parent_a_row_stays_away_and_so_does_what_belongs_to_it(db: Database, directory: Path) -> None:
    make(db, *TREE)
    source = backup(db, directory, "dump", "companies", "tickets", "links")
    make(db, "TRUNCATE links, tickets, companies", "INSERT INTO companies VALUES (1), (3), (4), (5)")
    modules = ready(db)
    # Company 2 is not asked for: ticket 1 belongs to it, and each further ticket hangs on the one before.
    found = compare(modules, source, "links", "tickets", max_fraction=1.0)
    assert figures(found, "tickets") == {"without_parent": 20}
    assert figures(found, "links") == {"without_parent": 20}
    assert not found["changed"]
    make(db, "INSERT INTO companies VALUES (2)", "DELETE FROM companies WHERE id = 5")
    done = restore(modules, source, "links", "tickets", max_fraction=1.0)
    # Ticket 4 is the first of company 5.
    assert figures(done, "tickets") == {"missing": 3, "without_parent": 17}
    assert figures(done, "links") == {"missing": 3, "without_parent": 17}
    assert table(done, "tickets")["samples"]["without_parent"][0] == {"key": {"id": "4"}}


def test_an_approval_covers_the_rows_that_stay_away(db: Database, directory: Path) -> None:
    make(db, *TREE)
    source = backup(db, directory, "dump", "companies", "tickets", "links")
    make(db, "DELETE FROM links WHERE ticket < 4")
    modules = ready(db)
    given: dict[str, Any] = {"source": source, "tables": ["links"], "max_fraction": 1.0, "approved_by": "ana"}
    approved = compare(modules, source, "links", max_fraction=1.0)["plan_hash"]
    make(db, "DELETE FROM links WHERE ticket > 18", "DELETE FROM tickets WHERE id > 18")
    some = compare(modules, source, "links", max_fraction=1.0)
    assert figures(some, "links") == {"missing": 3, "without_parent": 2}
    modules.fails("plan_changed", "pg_restore_tables", **given, plan_hash=approved)
    # Other rows, as many, are other rows.
    make(db, "INSERT INTO tickets (id, slug) VALUES (19, 's19')", "INSERT INTO links VALUES (19, 1)")
    make(db, "DELETE FROM links WHERE ticket = 18", "UPDATE tickets SET parent = 1 WHERE parent > 16")
    make(db, "DELETE FROM tickets WHERE id = 18")
    other = compare(modules, source, "links", max_fraction=1.0)
    assert (figures(other, "links"), other["plan_hash"] == some["plan_hash"]) == (figures(some, "links"), False)
    # With nothing left to bring back, an approval of all that would have come back is still another one.
    make(db, "UPDATE tickets SET parent = NULL", "DELETE FROM tickets WHERE id < 4")
    before = whole(db)
    gone = compare(modules, source, "links", max_fraction=1.0)
    assert (figures(gone, "links"), gone["plan"]["total_rows"]) == ({"without_parent": 5}, 0)
    modules.fails("plan_changed", "pg_restore_tables", **given, plan_hash=approved)
    assert not modules.ok("pg_restore_tables", **given, plan_hash=gone["plan_hash"])["changed"]
    assert whole(db) == before


def test_a_key_that_another_row_took(db: Database, directory: Path) -> None:
    make(db, *TREE)
    source = backup(db, directory, "dump", "companies", "tickets", "links")
    make(
        db,
        "DELETE FROM tickets WHERE id IN (19, 20)",
        "INSERT INTO tickets (id, company, slug, created) VALUES (20, 3, 'new', '2026-03-03')",
        # Another row has what was ticket 19's alone.
        "UPDATE tickets SET slug = 's19' WHERE id = 1",
    )
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, *ALL)
    assert figures(found, "tickets") == {"changed": 1, "reused": 1, "taken": 1}
    assert table(found, "tickets")["samples"]["reused"] == [
        {"key": {"id": "20"}, "columns": ["company", "parent", "slug", "created"]}
    ]
    # Its link would hang on somebody else's ticket.
    assert figures(found, "links") == {"without_parent": 2}
    # They never come back, whatever is asked for.
    done = restore(modules, source, *ALL, changed="restore", deleted="restore")
    assert figures(done, "tickets") == {"changed": 1, "reused": 1, "taken": 1}
    assert {row for row in whole(db)["tickets"] if row not in before["tickets"]} == {
        '(1,2,,s1,"2026-01-01 00:00:00+00")'
    }
    # Without a column that has the time of creation, a reused key reads as changed.
    assert figures(compare(modules, source, "tickets"), "tickets")["changed"] == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_tables_that_refer_to_one_another_in_a_circle(db: Database, directory: Path, deferrable: bool) -> None:
    wait = "DEFERRABLE" if deferrable else ""
    make(
        db,
        "CREATE TABLE a (id integer PRIMARY KEY, b integer)",
        f"CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a {wait})",
        "INSERT INTO a SELECT g, g FROM generate_series(1, 5) AS g",
        "INSERT INTO b SELECT g, g FROM generate_series(1, 5) AS g",
        f"ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b {wait}",
    )
    then = whole(db)
    source = backup(db, directory, "dump", "a", "b")
    make(db, "SET session_replication_role = replica", "DELETE FROM a WHERE id < 3", "DELETE FROM b WHERE id < 3")
    modules = ready(db)
    before = whole(db)
    if not deferrable:
        found = compare(modules, source, "a", "b")
        assert set(codes(found)) == {"circular"}
        given: dict[str, Any] = {"source": source, "tables": ["a", "b"], "plan_hash": found["plan_hash"]}
        modules.fails("circular", "pg_restore_tables", **given)
        return
    restore(modules, source, "a", "b")
    assert whole(db) == then
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


@pytest.fixture
def lanes(db: Database, directory: Path) -> dict[str, str]:
    """Ten cards in lane 1, backed up; then five moved to lane 2, by DELETE and INSERT, and two were lost."""
    make(
        db,
        "CREATE TABLE tags (id integer PRIMARY KEY)",
        "INSERT INTO tags VALUES (1), (2)",
        "CREATE TABLE links (ticket integer, tag integer REFERENCES tags)",
        "INSERT INTO links SELECT g, 1 FROM generate_series(1, 10) AS g",
    )
    source = backup(db, directory, "dump", "links")
    make(
        db,
        "DELETE FROM links WHERE ticket < 8",
        "INSERT INTO links SELECT g, 2 FROM generate_series(1, 5) AS g",
    )
    return source


def test_a_check_that_would_count_more_ends_it_all_and_names_the_rows(db: Database, lanes: dict[str, str]) -> None:
    modules = ready(db).having(checks=[TWICE, TWO_LANES], max_fraction=1.0)
    before = whole(db)
    found = compare(modules, lanes, "links")
    assert figures(found, "links") == {"missing": 7, "newer": 5}
    given: dict[str, Any] = {"source": lanes, "tables": ["links"], "plan_hash": found["plan_hash"]}
    told = modules.fails("post_condition", "pg_restore_tables", **given)
    assert "two_lanes counts 5 after 0" in told["error"]["what"]
    assert [(one["table"], one["rows"]) for one in told["in_conflict"]] == [("public.links", 5)]
    assert told["in_conflict"][0]["samples"][0] == {"key": {"ticket": "1", "tag": "1"}, "times": 1}
    assert {check["name"]: (check["count"], check["remaining"]) for check in told["plan"]["checks"]} == {
        "twice": (0, 0), "two_lanes": (0, 5)
    }  # fmt: skip
    assert whole(db) == before
    assert db.value("SELECT count(*) FROM kanban_rollback.repairs") == 0
    assert db.value("SELECT count(*) FROM kanban_rollback.events WHERE event = 'rolled back'") == 1


def test_rows_that_a_check_names_are_left_out_where_that_is_asked_for(db: Database, lanes: dict[str, str]) -> None:
    modules = ready(db).having(checks=[TWICE, TWO_LANES], max_fraction=1.0)
    before = whole(db)
    done = restore(modules, lanes, "links", skip_conflicts=True)
    assert (done["restored"], figures(done, "links")) == (2, {"missing": 2, "newer": 5, "superseded": 5})
    assert [(one["table"], one["rows"]) for one in done["superseded"]] == [("public.links", 5)]
    assert db.rows("SELECT ticket, tag FROM links WHERE ticket IN (6, 7) ORDER BY 1") == [(6, 1), (7, 1)]
    assert db.value("SELECT count(*) FROM links") == 10
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_of_duplicates_that_are_all_ours_one_may_stay(db: Database, directory: Path) -> None:
    make(
        db,
        "CREATE TABLE links (ticket integer, tag integer)",
        "INSERT INTO links VALUES (1, 1), (1, 1), (1, 1), (2, 1)",
    )
    source = backup(db, directory, "dump", "links")
    make(db, "DELETE FROM links WHERE ticket = 1")
    modules = ready(db).having(checks=[TWICE], max_fraction=1.0)
    done = restore(modules, source, "links", skip_conflicts=True)
    assert figures(done, "links") == {"missing": 1, "superseded": 2}
    assert db.rows("SELECT ticket, count(*) FROM links GROUP BY 1 ORDER BY 1") == [(1, 1), (2, 1)]


def test_what_belongs_to_a_row_that_is_left_out_is_left_out_as_well(db: Database, directory: Path) -> None:
    make(db, *TREE)
    source = backup(db, directory, "dump", "companies", "tickets", "links")
    make(db, "DELETE FROM tickets WHERE id > 10")
    check = {
        "name": "closed", "kind": "orphan", "table": "tickets", "column": "company",
        "references": {"table": "open", "column": "id"},
    }  # fmt: skip
    make(db, "CREATE TABLE open AS SELECT * FROM companies WHERE id <> 4")
    modules = ready(db).having(checks=[check], max_fraction=1.0)
    before = whole(db)
    # Company 4 has the tickets 13 and 18; 14 and all further ones hang on 13.
    done = restore(modules, source, "links", "tickets", skip_conflicts=True)
    assert figures(done, "tickets") == {"missing": 2, "superseded": 2, "without_parent": 6}
    assert figures(done, "links") == {"missing": 2, "without_parent": 8}
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_a_sequence_that_is_behind_is_set_upward_only(db: Database, directory: Path) -> None:
    make(
        db,
        "CREATE TABLE t (id serial PRIMARY KEY, far integer GENERATED ALWAYS AS IDENTITY, down integer)",
        "CREATE SEQUENCE downs INCREMENT -1 OWNED BY t.down",
        "ALTER TABLE t ALTER down SET DEFAULT nextval('downs')",
        "INSERT INTO t SELECT FROM generate_series(1, 5000)",
    )
    then = whole(db)
    source = backup(db, directory, "dump", "t")
    make(
        db,
        "DELETE FROM t WHERE id > 4000",
        "SELECT setval('t_id_seq', 4900), setval('t_far_seq', 10), setval('downs', -6000)",
    )
    modules = ready(db)
    done = restore(modules, source, "t")
    assert whole(db) == then
    assert {row["sequence"]: (row["before"], row["after"], row["set"]) for row in done["sequences"]} == {
        "public.t_id_seq": (4900, 5000, True), "public.t_far_seq": (10, 5000, True)
    }  # fmt: skip
    assert db.rows("INSERT INTO t DEFAULT VALUES RETURNING id, far, down") == [(5001, 5001, -6001)]


def test_a_role_with_no_more_rights_than_it_takes(db: Database, directory: Path) -> None:
    make(
        db, "CREATE TABLE t (id serial PRIMARY KEY, x text)", "INSERT INTO t (x) SELECT 'a' FROM generate_series(1, 9)"
    )
    then = whole(db)
    source = backup(db, directory, "custom", "t")
    make(db, "DELETE FROM t WHERE id > 7", "UPDATE t SET x = 'b' WHERE id = 1", "SELECT setval('t_id_seq', 3)")
    role = db.role("ops", "SELECT ON t")
    ready(db)
    db.modules().ok("ledger", grant_to=[role], repairs=[{"table": "t"}])
    modules = db.modules(role, incident_id="INC-1", allow_unfenced=True)
    found = compare(modules, source, "t", changed="restore")
    reasons = {reason["code"]: reason["what"] for reason in found["plan"]["refused"]}
    assert "GRANT INSERT ON public.t TO" in str(found["plan"]["refused"])
    assert "GRANT UPDATE (x) ON public.t TO" in str(found["plan"]["refused"]), reasons
    make(db, f"GRANT INSERT, UPDATE (x) ON t TO {role}")
    done = restore(modules, source, "t", changed="restore")
    assert whole(db) == then
    assert done["sequences"][0]["set"] is False
    assert [text for text in done["warnings"] if f"GRANT SELECT, UPDATE ON SEQUENCE public.t_id_seq TO {role}" in text]
    told = modules.fails("missing_privilege", "pg_restore_tables", state="undone")
    assert "DELETE" in told["error"]["what"]
    make(db, f"GRANT DELETE ON t TO {role}")
    modules.ok("pg_restore_tables", state="undone")
    assert db.value("SELECT count(*) FROM t") == 7
