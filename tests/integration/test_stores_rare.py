# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores as few applications have them: NULL is a value of the flag, and an id is spelled in more than one way."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize("kind", ["text NOT NULL", "never_null"])
def test_where_off_is_null_a_column_that_may_not_be_null_is_refused(db: Database, kind: str) -> None:
    db.rows("CREATE DOMAIN never_null AS text NOT NULL")
    db.rows(f"CREATE TABLE tenants (id integer PRIMARY KEY, mode {kind})")
    db.rows("INSERT INTO tenants VALUES (1, 'on')")
    modules = db.modules(**COLUMN, incident_id="INC-1").having(disabled_value=None)
    error = modules.fails("wrong_flag_value", "feature_flag")["error"]
    assert "may not be NULL" in error["what"]


SPELLED: dict[str | None, Any] = {"Acme": "on", "beta": "sim", "gama": "off"}


@pytest.mark.parametrize("asked", [["ACME", "BETA"], ["acme", "ACME", "Beta"]])
def test_a_tenant_that_is_asked_for_in_other_letters_comes_back(db: Database, asked: list[str]) -> None:
    modules = tenants(db, "citext PRIMARY KEY", SPELLED)
    done = modules.disable(tenants=asked)
    assert (done["total"], done["changed_count"], done["unknown_tenants"]) == (2, 2, [])
    assert modes(db) == {"Acme": "off", "beta": "off", "gama": "off"}
    assert modules.restore(tenants=asked, check=True)["changed_count"] == 2
    undone = modules.restore(tenants=asked)
    assert (undone["changed_count"], undone["enabled_after"], modes(db)) == (2, 2, SPELLED)


def test_a_tenant_that_two_tables_spell_differently_comes_back(db: Database) -> None:
    db.rows("CREATE EXTENSION citext")
    db.rows("CREATE TABLE companies (id citext PRIMARY KEY)")
    db.rows("CREATE TABLE settings (company citext REFERENCES companies, key text, value text, UNIQUE (company, key))")
    db.rows("INSERT INTO companies VALUES ('Acme'), ('Beta')")
    db.rows("INSERT INTO settings VALUES ('aCME', 'v2', 'on')")
    options = {"table": "settings", "tenant_column": "company", "column": "value", "key_column": "key", "key": "v2"}
    options |= {"tenants_table": "companies", "absent_means": "on"}
    modules = db.modules(**{**COLUMN, **options, "store": "key_value"})
    done = modules.disable(tenants=["ACME", "BETA"])
    assert (done["total"], done["changed_count"], done["enabled_after"]) == (2, 2, 0)
    undone = modules.restore(tenants=["ACME", "BETA"])
    assert (undone["total"], undone["changed_count"], undone["enabled_after"]) == (2, 2, 2)
    assert db.rows("SELECT company::text, value FROM settings") == [("aCME", "on")]


@pytest.mark.parametrize("kind", ["text", "jsonb", "json"])
def test_stages_and_a_test_tenant_take_an_id_in_any_letters(db: Database, kind: str) -> None:
    value = "on" if kind == "text" else '{"on": true}'
    rows: dict[str | None, Any] = {}
    rows |= dict.fromkeys(("Acme", "beta", "Gama", "delta"), value)
    modules = tenants(db, "citext PRIMARY KEY", rows, kind=kind)
    modules.disable(tenants=["ACME", "BETA", "GAMA"])
    stage: dict[str, Any] = {"share": 30, "share_first": "BETA"}
    told = modules.restore(check=True, **stage)
    assert (told["lacking"], told["unreturned_count"]) == (["beta"], 1)
    assert modules.restore(**stage)["enabled_after"] == 1
    assert modules.restore(check=True, **stage)["lacking"] == []
    assert modules.disable(withdrawn=True, **stage)["changed_count"] == 1
    modules.restore(share=100)
    assert modes(db) == rows


def test_a_number_is_the_same_tenant_with_and_without_its_zeros(db: Database) -> None:
    modules = tenants(db, "numeric PRIMARY KEY", {"1.0": "on", "2.50": "on"})
    modules.disable(tenants=["1", "2.5"])
    modules.restore(tenants=["1", "2.5"])
    assert modes(db) == {"1.0": "on", "2.50": "on"}
