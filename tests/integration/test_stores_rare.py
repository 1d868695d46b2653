# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores as few applications have them: NULL is a value of the flag."""

from __future__ import annotations

from typing import Any

from tests.integration.module import Modules
from tests.integration.place import Database

COLUMN: dict[str, Any] = {"store": "column", "table": "tenants", "column": "mode"}
COLUMN |= {"enabled_value": "on", "disabled_value": "off"}
DOCUMENT: dict[str, Any] = {"store": "jsonb", "table": "tenants", "column": "mode", "path": ["on"]}


def tenants(db: Database, id_type: str, rows: dict[str | None, Any], *, kind: str = "text") -> Modules:
    """Make a table with one row per tenant; return modules that run on it."""
    db.rows("CREATE EXTENSION IF NOT EXISTS citext")
    db.rows(f"CREATE TABLE tenants (id {id_type}, mode {kind})")
    for tenant, value in rows.items():
        db.rows("INSERT INTO tenants VALUES (%s, %s)", (tenant, value))
    return db.modules(**(COLUMN if kind == "text" else DOCUMENT))


def modes(db: Database) -> dict[str | None, str | None]:
    return {row[0]: row[1] for row in db.rows("SELECT id::text, mode::text FROM tenants")}


def test_where_off_is_null_the_latch_writes_it(db: Database) -> None:
    modules = tenants(db, "integer PRIMARY KEY", {"1": "on", "2": "null", "3": None}).having(disabled_value=None)
    done = modules.disable(latch=True)
    assert (done["latch"]["raised"], modes(db)) == (True, {"1": None, "2": None, "3": None})
    db.rows("UPDATE tenants SET mode = 'on'")
    assert modes(db) == {"1": None, "2": None, "3": None}
    modules.restore()
    assert modes(db) == {"1": "on", "2": "null", "3": None}
