# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that the server refuses to write, and undos that would be turned back: reported, and nothing is used up."""

from __future__ import annotations

from typing import Any

from tests.integration.crowd import FLAG, population
from tests.integration.place import Database


def test_one_row_that_cannot_be_written_keeps_no_other_on(db: Database) -> None:
    modules = population(db, 2000)
    db.rows("ALTER TABLE companies ADD CONSTRAINT no_seven CHECK (id <> 7) NOT VALID")
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=10)
    assert (result["enabled_after"], result["changed_count"]) == (1, 1999)
    assert [(row["tenant"], "no_seven" in row["refused"]) for row in result["blocked"]] == [("7", True)]
    # Nothing to wait for: the deadline is not used up.
    assert result["contained_ms"] < 8000


def test_an_undo_under_the_latch_of_another_role_spends_nothing(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    assert modules.disable(latch=True)["latch"]["raised"] is True
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    db.modules().ok("ledger", grant_to=[role])
    other = db.modules(role, **FLAG)
    refused = other.fails("latch_of_another_role", "feature_flag", incident_id="INC-1", state="restored")
    assert "member" in refused["error"]["what"]
    assert modules.restore()["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_closing_an_old_incident_leaves_the_latch_of_the_new_one(db: Database) -> None:
    modules = population(db)
    db.modules().ok("incident", incident_id="INC-0")
    modules.disable(latch=True)
    db.modules().ok("incident", incident_id="INC-0", state="closed")
    db.rows("UPDATE companies SET settings = '{\"kanbanV2Enabled\": true}' WHERE id = 3")
    assert modules.ok("feature_flag_info")["enabled"] == 0


def test_a_lease_on_a_closed_incident_opens_no_other(db: Database) -> None:
    modules = population(db)
    modules.disable()
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    held = db.modules().ok("incident", incident_id="INC-1", lease="held", run_id="r1")
    assert (held["incident_id"], held["opened_now"]) == ("INC-1", False)
    assert modules.restore()["changed_count"] == 50


def test_a_document_that_would_grow_past_its_column_is_refused_and_not_cut(db: Database) -> None:
    document = '{"kanbanV2Enabled":true,"note":"as long as it may be"}'
    db.rows(f"CREATE TABLE companies (id serial PRIMARY KEY, settings varchar({len(document)}))")
    db.rows("INSERT INTO companies (settings) VALUES (%s), (%s)", (document, '{"kanbanV2Enabled":true}'))
    result = db.modules(**FLAG).fails("still_on", "feature_flag", incident_id="INC-1", deadline=5)
    assert db.value("SELECT settings FROM companies WHERE id = 1") == document
    assert [(row["tenant"], "too long" in row["refused"]) for row in result["blocked"]] == [("1", True)]
    assert result["enabled_after"] == 1


def test_a_value_too_long_for_its_column_is_refused_before_anything_is_written(db: Database) -> None:
    db.rows("CREATE TABLE companies (id serial PRIMARY KEY, kanban varchar(8))")
    db.rows("INSERT INTO companies (kanban) VALUES ('enabled')")
    modules = db.modules(table="companies", store="column", column="kanban", enabled_value="enabled")
    modules.fails("wrong_flag_value", "feature_flag", incident_id="INC-1", disabled_value="disabled-by-us")
    assert db.value("SELECT kanban FROM companies") == "enabled"
    assert modules.disable(disabled_value="disabled")["enabled_after"] == 0


def test_a_tenant_whose_id_is_too_long_names_no_other(db: Database) -> None:
    db.rows("CREATE TABLE companies (id varchar(4) PRIMARY KEY, settings jsonb)")
    db.rows("""INSERT INTO companies VALUES ('acme', '{"kanbanV2Enabled": true}')""")
    options: dict[str, Any] = {"incident_id": "INC-1", "tenants": ["acme-holding"]}
    assert db.modules(**FLAG).fails("unknown_tenants", "feature_flag", **options)["changed_count"] == 0
    assert db.value("SELECT settings->>'kanbanV2Enabled' FROM companies") == "true"
