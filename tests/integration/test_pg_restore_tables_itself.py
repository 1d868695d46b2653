# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table that refers to itself: rows come back and others return to them, in one restore."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup, figures, make, ready, restore
from tests.integration.test_pg_restore_tables_belong import TREE


@pytest.mark.parametrize("keyed", ["tickets", "nodes"])
def test_a_parent_that_comes_back_and_a_child_that_returns_to_it(db: Database, directory: Path, keyed: str) -> None:
    make(
        db,
        *TREE,
        "CREATE TABLE nodes (id integer PRIMARY KEY, parent integer REFERENCES nodes ON DELETE SET NULL)",
        "INSERT INTO nodes SELECT g, NULLIF(g - 1, 0) FROM generate_series(1, 20) AS g",
    )
    then = whole(db)
    source = backup(db, directory, "dump", "tickets", "nodes", "links")
    make(
        db,
        f"UPDATE {keyed} SET parent = 4 WHERE id = 6",
        # Two generations are lost, and their child hangs on a row that was not there.
        f"INSERT INTO {keyed} (id) VALUES (40)",
        f"UPDATE {keyed} SET parent = 40 WHERE id = 13",
        f"DELETE FROM {keyed} WHERE id IN (5, 11, 12)",
    )
    modules = ready(db)
    before = whole(db)
    tables = ("tickets", "links") if keyed == "tickets" else ("nodes",)
    done = restore(modules, source, *tables, changed="restore")
    assert figures(done, keyed) == {"missing": 3, "changed": 2, "newer": 1}
    now = whole(db)
    assert [row for row in now[keyed] if not row.startswith("(40,")] == then[keyed]
    assert now["links"] == then["links"]
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before
