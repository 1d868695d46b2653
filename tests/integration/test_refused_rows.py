# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that the server refuses to write, and undos that would be turned back: reported, and nothing is used up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.integration.crowd import FLAG, population, wait_for, waiting_for_locks
from tests.integration.place import Database
from tests.integration.test_key_value import DOUBLED, make, values


def test_one_row_that_cannot_be_written_keeps_no_other_on(db: Database) -> None:
    modules = population(db, 2000)
    db.rows("ALTER TABLE companies ADD CONSTRAINT no_seven CHECK (id <> 7) NOT VALID")
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=10)
    assert (result["enabled_after"], result["changed_count"]) == (1, 1999)
    assert [(row["tenant"], "no_seven" in row["refused"]) for row in result["blocked"]] == [("7", True)]
    # Nothing to wait for: the deadline is not used up.
    assert result["contained_ms"] < 8000


@pytest.mark.parametrize("state", ["45000", "A0001", "38000", "54001"])
def test_one_row_that_a_trigger_refuses_with_its_own_code_keeps_no_other_on(db: Database, state: str) -> None:
    modules = population(db)
    db.rows(f"""CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE 'frozen' USING ERRCODE = '{state}'; END$$""")
    db.rows("CREATE TRIGGER no BEFORE UPDATE ON companies FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION no()")
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=10)
    assert (result["enabled_after"], result["changed_count"]) == (1, 49)
    assert [(row["tenant"], row["refused"]) for row in result["blocked"]] == [("7", "frozen.")]


def test_a_row_that_is_held_and_then_refused_is_named(db: Database) -> None:
    modules = population(db)
    db.rows("ALTER TABLE companies ADD CONSTRAINT no_seven CHECK (id <> 7) NOT VALID")
    with (
        db.transaction("SELECT * FROM companies WHERE id = 7 FOR UPDATE") as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=10) as running,
    ):
        # It gets the row while it waits in line for it.
        wait_for(lambda: waiting_for_locks(db) > 0, "the kill to wait in line")
        holder.commit()
        done = running.result()
    assert (done["error"]["code"], done["enabled_after"], done["changed_count"]) == ("still_on", 1, 49), done
    assert [(row["tenant"], "no_seven" in row["refused"]) for row in done["blocked"]] == [("7", True)]


def _refuse(db: Database, tenant: int) -> None:
    db.rows(f"""CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF NEW."companyId" = {tenant} THEN RAISE 'frozen'; END IF; RETURN NEW; END$$""")  # fmt: skip
    db.rows('CREATE TRIGGER no BEFORE INSERT OR UPDATE ON "Settings" FOR EACH ROW EXECUTE FUNCTION no()')


def _on(db: Database) -> list[int | None]:
    return [tenant for tenant, value in values(db) if value == "enabled" and tenant is not None]


def test_a_tenant_with_several_rows_that_cannot_be_written_keeps_no_other_on(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    before = values(db)
    assert len({tenant for tenant, _value in before}) > 2
    _refuse(db, 3)
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=10)
    assert set(_on(db)) == {3}
    assert [(row["tenant"], row["refused"]) for row in result["blocked"]] == [("3", "frozen.")]
    assert result["contained_ms"] < 8000
    modules.restore("INC-1")
    assert values(db) == before


def test_a_row_that_cannot_be_made_keeps_no_other_on(db: Database) -> None:
    modules = make(db, tenants_table="Companies", absent_means="on")
    db.rows('INSERT INTO "Companies" SELECT generate_series(10, 30)')
    _refuse(db, 20)
    result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=5)
    assert (result["enabled_after"], _on(db)) == (1, [])
    made = {tenant for tenant, _value in values(db) if tenant and tenant >= 10}
    assert made == {*range(10, 31)} - {20}


@pytest.mark.parametrize(("others", "tenant"), [(range(10, 31), 20), ((), 4)], ids=["of many", "the only one"])
def test_a_row_that_the_application_makes_meanwhile_keeps_nobody_on(
    db: Database, others: Sequence[int], tenant: int
) -> None:
    modules = make(db, tenants_table="Companies", absent_means="on")
    db.rows('CREATE UNIQUE INDEX ON "Settings" ("companyId", key)')
    for other in others:
        db.rows(f'INSERT INTO "Companies" VALUES ({other})')
    with (
        db.transaction(f"""INSERT INTO "Settings" VALUES ('kanbanV2', 'enabled', {tenant}, now(), now())""") as login,
        modules.start("feature_flag", incident_id="INC-1") as running,
    ):
        wait_for(lambda: waiting_for_locks(db) > 0, "the kill to wait for that row")
        # Not in its first turn, which is for all rows, but in one that is for this row alone.
        time.sleep(0.35)
        login.commit()
        done = running.result()
    assert not done.get("failed"), done
    assert (done["enabled_after"], _on(db)) == (0, [])
    assert len([one for one, _value in values(db) if one and one >= 10]) == len(others)


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
