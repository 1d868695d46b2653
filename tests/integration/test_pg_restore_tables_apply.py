# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows come back exactly as approved, once; an undo removes exactly those again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import (
    backup,
    codes,
    compare,
    figures,
    make,
    ready,
    restore,
    table,
)
from tests.integration.test_pg_restore_tables import LOST, TICKETS

TICKET_3 = """SELECT t::text FROM "Tickets" AS t WHERE id = 3"""


def undo(modules: Modules, check: bool = False, **options: Any) -> Result:
    return modules.ok("pg_restore_tables", check, state="undone", **options)


@pytest.mark.parametrize("kind", ["dump", "plain"])
def test_missing_rows_come_back_and_go_again(db: Database, directory: Path, kind: str) -> None:
    make(db, *TICKETS)
    then = whole(db)['"Tickets"']
    source = backup(db, directory, kind, "Tickets")
    make(db, *LOST)
    modules = ready(db)
    before = whole(db)
    done = restore(modules, source, "Tickets")
    assert (done["changed"], done["restored"], done["quarantined"]) == (True, 3, 3)
    now = whole(db)['"Tickets"']
    # What was changed and what is newer stays.
    assert sorted(set(now) - set(before['"Tickets"'])) == sorted(
        row for row in then if row.startswith(("(3,", "(6,", "(10,"))
    )
    assert len(now) == len(before['"Tickets"']) + 3
    # A second run has nothing to do, whatever the hash.
    again = modules.ok("pg_restore_tables", source=source, tables=["Tickets"], plan_hash=done["plan_hash"])
    assert (again["changed"], again["restored"], again["repair_id"]) == (False, 0, None)
    looked = undo(modules, check=True)
    assert (looked["undone"], looked["tables"][0]["inserted"]) == ([done["repair_id"]], 3)
    assert whole(db)['"Tickets"'] == now
    gone = undo(modules)
    assert gone["undone"] == [done["repair_id"]]
    assert whole(db) == before
    assert not undo(modules)["changed"]


def test_changed_rows_get_their_old_values_back_where_that_is_asked_for(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    then = whole(db)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    before = whole(db)
    done = restore(modules, source, "Tickets", changed="restore")
    assert (done["restored"], done["plan"]["total_rows"]) == (6, 6)
    assert [(part["action"], part["rows"]) for part in done["plan"]["parts"]] == [("update", 3), ("insert", 3)]
    make(db, 'DELETE FROM "Tickets" WHERE id > 30')
    assert whole(db) == then
    # Two of them are newer; that they were deleted since does not get in the way.
    undo(modules)
    assert whole(db)['"Tickets"'] == [row for row in before['"Tickets"'] if not row.startswith(("(31,", "(32,"))]


def test_only_what_was_approved_and_only_once(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source, other = backup(db, directory, "dump", "Tickets"), backup(db, directory, "custom", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"]}
    before = whole(db)
    approved = compare(modules, source, "Tickets")["plan_hash"]
    modules.fails("plan_hash_missing", "pg_restore_tables", **given)
    modules.fails("plan_changed", "pg_restore_tables", plan_hash="0" * 64, **given)
    modules.fails("plan_changed", "pg_restore_tables", plan_hash=approved, changed="restore", **given)
    # The approval is for what comes back, not for the file that it comes from.
    assert compare(modules, other, "Tickets")["plan_hash"] == approved
    later = backup(db, directory, "custom", "Tickets")
    assert compare(modules, later, "Tickets")["plan_hash"] != approved
    assert whole(db) == before
    # One more is missing now.
    make(db, 'DELETE FROM "Tickets" WHERE id = 12')
    told = modules.fails("plan_changed", "pg_restore_tables", plan_hash=approved, **given)
    assert figures(told, "Tickets")["missing"] == 4
    done = restore(modules, source, "Tickets")
    undo(modules)
    modules.fails("plan_changed", "pg_restore_tables", plan_hash=done["plan_hash"], **given)
    assert compare(modules, source, "Tickets")["plan_hash"] != done["plan_hash"]


def test_check_mode_writes_nothing_and_locks_no_row(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    with db.transaction('SELECT FROM "Tickets" FOR UPDATE'):
        found = compare(modules, source, "Tickets", changed="restore")
    assert found["plan"]["total_rows"] == 6
    assert db.value("SELECT count(*) FROM kanban_rollback.repairs") == 0
    assert db.value("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0
    assert found["diff"]["before"].startswith("public.Tickets: missing 3, changed 3")
    assert found["diff"]["after"].startswith("public.Tickets: missing 0, changed 0")


def test_bounds_and_an_incident_that_is_not_open(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, 'DELETE FROM "Tickets" WHERE id > 10')
    modules = ready(db)
    assert codes(compare(modules, source, "Tickets")) == ["too_large_fraction"]
    assert codes(compare(modules, source, "Tickets", max_rows=19, max_fraction=1.0)) == ["too_many_rows"]
    found = compare(modules, source, "Tickets")
    before = whole(db)
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": found["plan_hash"]}
    modules.fails("too_large_fraction", "pg_restore_tables", **given)
    modules.fails("no_open_incident", "pg_restore_tables", **{**given, "incident_id": "INC-9"})
    assert codes(modules.ok("pg_restore_tables", True, **{**given, "incident_id": "INC-9"})) == [
        "too_large_fraction",
        "no_open_incident",
    ]
    assert whole(db) == before
    assert restore(modules, source, "Tickets", max_fraction=1.0)["restored"] == 20


def test_without_a_key_rows_are_there_as_often_as_they_were(db: Database, directory: Path) -> None:
    links = """INSERT INTO links VALUES (1, 1, 'a'), (1, 1, 'a'), (1, 1, 'a'), (2, 1, NULL), (2, 1, NULL),
               (NULL, 3, ''), (4, 4, 'd'), (5, 5, 'e')"""
    make(db, "CREATE TABLE links (ticket integer, tag integer, note text)", links)
    source = backup(db, directory, "dump", "links")
    make(
        db,
        "DELETE FROM links WHERE ctid IN (SELECT ctid FROM links WHERE ticket = 1 LIMIT 2)",
        "DELETE FROM links WHERE ctid IN (SELECT ctid FROM links WHERE ticket = 2 LIMIT 1)",
        "DELETE FROM links WHERE ticket IS NULL",
        "INSERT INTO links VALUES (4, 4, 'd'), (9, 9, 'new')",
    )
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, "links", max_fraction=1.0)
    one = table(found, "links")
    assert (one["by"], figures(found, "links")) == ("row", {"missing": 4, "newer": 2})
    assert {(sample["key"]["ticket"], sample["times"]) for sample in one["samples"]["missing"]} == {
        ("1", 2), ("2", 1), (None, 1)
    }  # fmt: skip
    done = restore(modules, source, "links", max_fraction=1.0)
    assert done["restored"] == 4
    assert db.rows("SELECT ticket, count(*) FROM links GROUP BY 1 ORDER BY 1") == [
        (1, 3), (2, 2), (4, 2), (5, 1), (9, 1), (None, 1)
    ]  # fmt: skip
    undo(modules)
    assert whole(db) == before


def test_an_undo_of_what_was_changed_or_is_referred_to_since_is_refused(db: Database, directory: Path) -> None:
    make(db, *TICKETS, 'CREATE TABLE notes (ticket integer REFERENCES "Tickets" ON DELETE CASCADE)')
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    before = whole(db)
    restore(modules, source, "Tickets")
    make(db, """UPDATE "Tickets" SET lane = 9 WHERE id = 3""", "INSERT INTO notes VALUES (6), (6)")
    now = whole(db)
    told = modules.fails("conflict", "pg_restore_tables", state="undone")
    assert told["conflicts_count"] == 3
    assert [(row["key"]["id"], "gone or was changed" in row["why"]) for row in told["conflicts"]] == [
        ("3", True), ("6", False), ("6", False)
    ]  # fmt: skip
    assert whole(db) == now
    make(db, """UPDATE "Tickets" SET lane = 1 WHERE id = 3""", "DELETE FROM notes")
    undo(modules)
    assert whole(db) == before


def test_a_repair_and_a_restore_of_one_incident_are_undone_newest_first(db: Database, directory: Path) -> None:
    make(db, *TICKETS, """INSERT INTO "Tickets" ("companyId") VALUES (99)""", "CREATE TABLE companies (id integer)")
    make(db, "INSERT INTO companies VALUES (1), (2), (3)")
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    check = {
        "name": "orphans", "kind": "orphan", "table": "Tickets", "column": "companyId",
        "references": {"table": "companies", "column": "id"},
    }  # fmt: skip
    before = whole(db)
    planned = modules.ok("integrity_repair", True, checks=[check])
    repaired = modules.ok("integrity_repair", checks=[check], plan_hash=planned["plan_hash"])
    # What was deleted on purpose is reported, and comes back only on request.
    found = compare(modules, source, "Tickets")
    assert figures(found, "Tickets") == {"missing": 3, "deleted": 1, "changed": 3, "newer": 2}
    done = restore(modules, source, "Tickets")
    assert db.value('SELECT count(*) FROM "Tickets" WHERE "companyId" = 99') == 0
    again = restore(modules, source, "Tickets", deleted="restore")
    assert (again["restored"], db.value('SELECT count(*) FROM "Tickets" WHERE "companyId" = 99')) == (1, 1)
    back = modules.ok("integrity_repair", state="undone")
    assert back["undone"] == [again["repair_id"], done["repair_id"], repaired["repair_id"]]
    assert whole(db) == before
