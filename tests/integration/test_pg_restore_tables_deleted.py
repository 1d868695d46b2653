# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that a repair deleted after the backup are missing on purpose; those that it deleted before it are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import repair, whole
from tests.integration.restores import backup, codes, compare, figures, make, ready, restore

TWICE: dict[str, Any] = {"name": "twice", "kind": "duplicate", "table": "links", "columns": ["ticket", "tag"]}


@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_what_a_repair_deleted_is_told_from_what_is_lost(db: Database, directory: Path, key: bool) -> None:
    make(db, f"CREATE TABLE links ({'id serial PRIMARY KEY, ' if key else ''}ticket integer, tag integer)")
    make(db, "INSERT INTO links (ticket, tag) VALUES (1, 1), (1, 1), (1, 1), (2, 1), (2, 1), (3, 1)")
    then = whole(db)
    source = backup(db, directory, "dump", "links")
    modules = ready(db)
    repair(modules, [TWICE])
    make(db, "DELETE FROM links WHERE ticket = 2")
    found = compare(modules, source, "links", max_fraction=1.0)
    assert figures(found, "links") == {"missing": 1, "deleted": 3}
    restore(modules, source, "links", deleted="restore", max_fraction=1.0)
    assert whole(db) == then
    modules.ok("pg_restore_tables", state="undone")
    # Both are undone: what the repair took away is back, and what was lost before is not.
    expected = list(then["links"])
    expected.remove("(4,2,1)" if key else "(2,1)")
    assert whole(db)["links"] == expected


def test_deletions_that_nobody_can_tell_any_more_are_refused(db: Database, directory: Path) -> None:
    make(db, "CREATE TABLE links (id serial PRIMARY KEY, ticket integer, tag integer)")
    make(db, "INSERT INTO links (ticket, tag) VALUES (1, 1), (1, 1), (2, 1)")
    source = backup(db, directory, "dump", "links")
    modules = ready(db)
    repair(modules, [TWICE])
    make(db, "ALTER TABLE links ADD more integer")
    assert codes(compare(modules, source, "links")) == ["deletions_unknown"]
    assert codes(compare(modules, source, "links", deleted="restore")) == []


@pytest.mark.parametrize("kind", ["dump", "custom", "plain"])
@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_what_was_made_again_after_a_repair_is_lost_and_not_deleted_on_purpose(
    db: Database, directory: Path, key: bool, kind: str
) -> None:
    make(db, f"CREATE TABLE links ({'id serial PRIMARY KEY, ' if key else ''}ticket integer, tag integer)")
    make(db, "INSERT INTO links (ticket, tag) VALUES (1, 1), (1, 1), (2, 1)")
    modules = ready(db)
    repair(modules, [TWICE])
    gone = "id = 2" if key else "ctid = (SELECT max(ctid) FROM links WHERE ticket = 1)"
    make(db, f"INSERT INTO links ({'id, ' if key else ''}ticket, tag) VALUES ({'2, ' if key else ''}1, 1)")
    # Times in the head of a file are whole seconds.
    make(db, "SELECT pg_sleep(1)")
    source = backup(db, directory, kind, "links")
    make(db, f"DELETE FROM links WHERE {gone}")
    expected = {"deleted": 1} if kind == "plain" else {"missing": 1}
    assert figures(compare(modules, source, "links", max_fraction=1.0), "links") == expected


def test_a_repair_that_was_under_way_when_the_backup_was_made_still_counts(db: Database, directory: Path) -> None:
    make(db, "CREATE TABLE links (id serial PRIMARY KEY, ticket integer, tag integer)")
    make(db, "INSERT INTO links (ticket, tag) VALUES (1, 1), (1, 1), (2, 1)")
    source = backup(db, directory, "dump", "links")
    modules = ready(db)
    repair(modules, [TWICE])
    make(db, "UPDATE kanban_rollback.repairs SET at = at - interval '1 hour'")
    assert figures(compare(modules, source, "links", max_fraction=1.0), "links") == {"deleted": 1}


def test_a_repair_that_deleted_another_row_of_that_key_says_nothing_of_this_one(db: Database, directory: Path) -> None:
    make(db, "CREATE TABLE links (id serial PRIMARY KEY, ticket integer, tag integer, made date DEFAULT '2026-01-01')")
    make(db, "INSERT INTO links (ticket, tag) VALUES (1, 1), (1, 2)")
    source = backup(db, directory, "dump", "links")
    make(db, "DELETE FROM links WHERE id = 2", "INSERT INTO links VALUES (2, 1, 1, '2026-02-02')")
    modules = ready(db)
    repair(modules, [TWICE])
    found = compare(modules, source, {"name": "links", "created": "made"}, max_fraction=1.0)
    assert figures(found, "links") == {"missing": 1}
    assert figures(compare(modules, source, "links", max_fraction=1.0), "links") == {"deleted": 1}
