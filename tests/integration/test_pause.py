# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A paused roll-out: tenants that are on stay on, nobody else gets it, and only the incident itself ends that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import KEY, at
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_stays_off import app, latched, triggers

OFF = json.dumps({KEY: False, "timezone": "UTC"})
ON = json.dumps({KEY: True, "timezone": "UTC"})
ROLLED_OUT = list(range(1, 6))
NOT_YET = range(6, 11)


def half_way(db: Database) -> Modules:
    """Give it to tenants 1 to 5, and not yet to 6 to 10."""
    modules = population(db, tenants=10)
    db.rows("UPDATE companies SET settings = %s WHERE id > 5", (OFF,))
    return modules


def save(db: Database, role: str, tenant: int, settings: str) -> None:
    """Save a tenant's settings as the application does, which knows nothing of a latch."""
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("UPDATE companies SET settings = %s WHERE id = %s", (settings, tenant))
        assert cursor.rowcount == 1


def roll_out(db: Database, role: str) -> None:
    """Try to give it to each tenant that does not have it, and to a new one."""
    for tenant in NOT_YET:
        save(db, role, tenant, ON)
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO companies VALUES (11, %s)", (ON,))


def pause(modules: Modules, incident: str = "INC-1", check: bool = False, **options: Any) -> dict[str, Any]:
    return modules.ok("feature_flag", check, state="paused", incident_id=incident, **options)


@pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
def test_a_pause_switches_nobody_and_lets_nobody_new_in(db: Database, dormant: bool) -> None:
    modules = half_way(db)
    role = app(db)
    if dormant:
        ops = db.role("ops", "SELECT ON companies", "pg_read_all_stats")
        db.modules().ok("ledger", grant_to=[ops], flag=FLAG, latch=True)
        modules = db.modules(ops, **FLAG)
    before = db.snapshot("companies")

    plan = pause(modules, check=True)
    assert (plan["changed"], plan["enabled_after"]) == (True, 5)
    assert plan["diff"] == {"before": {"latch_of": None}, "after": {"latch_of": "INC-1"}}
    assert (db.has_ledger(), len(triggers(db))) == (dormant, 2 * dormant)

    done = pause(modules)
    assert (done["changed"], done["latch"], done["changed_count"]) == (True, {"raised": True, "reason": None}, 0)
    assert (done["total"], done["enabled_before"], done["enabled_after"]) == (10, 5, 5)
    assert db.snapshot("companies") == before, "a row was written"
    assert (pause(modules)["changed"], pause(modules, check=True)["changed"]) == (False, False)

    roll_out(db, role)
    assert on(db) == ROLLED_OUT
    assert [row[0] for row in latched(db)] == [*map(str, NOT_YET), "11"]
    # A tenant that has it keeps it while other settings are saved; one that gives it up does not get it back by itself.
    save(db, role, 3, ON.replace("UTC", "Asia/Tokyo"))
    assert at("timezone")(db.value("SELECT settings::text FROM companies WHERE id = 3")) == "Asia/Tokyo"
    assert on(db) == ROLLED_OUT
    save(db, role, 4, OFF)
    save(db, role, 4, ON)
    assert on(db) == [1, 2, 3, 5]
    # Under the pause's own incident it can be given to a tenant.
    assert modules.enable(tenants=["4"])["changed_count"] == 1
    assert on(db) == ROLLED_OUT


def test_a_pause_is_an_event_and_no_kill(db: Database) -> None:
    modules = half_way(db)
    pause(modules, reason="p95 goes up and down", operator="ana")
    pause(modules)
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert [(event["event"], event["phase"]) for event in told["events"]] == [("paused", "contain")]
    assert told["events"][0]["data"] == {
        "flag": f"public.companies.settings -> {KEY}",
        "total": 10,
        "enabled_after": 5,
        "operator": "ana",
        "reason": "p95 goes up and down",
    }
    assert told["kills"] == 0


def test_undoing_or_closing_the_incident_ends_the_pause(db: Database) -> None:
    modules = half_way(db)
    role = app(db)
    pause(modules)
    undone = modules.restore()
    assert (undone["changed_count"], undone["latch_left"], triggers(db)) == (0, [], [])
    save(db, role, 6, ON)
    assert on(db) == [*ROLLED_OUT, 6]
    assert pause(modules)["changed"], "and it can be paused again"
    assert db.modules().ok("incident", incident_id="INC-1", state="closed")["latch_left"] == []
    save(db, role, 7, ON)
    assert on(db) == [*ROLLED_OUT, 6, 7]


def test_the_undo_of_some_tenants_leaves_the_pause(db: Database) -> None:
    modules = half_way(db)
    role = app(db)
    modules.disable(tenants=["1", "2"])
    pause(modules)
    assert modules.restore(tenants=["1"])["changed_count"] == 1
    roll_out(db, role)
    assert on(db) == [1, 3, 4, 5]
    assert modules.restore()["changed_count"] == 1
    assert on(db) == ROLLED_OUT


def test_the_latch_of_a_selective_kill_holds_for_all_tenants(db: Database) -> None:
    modules = half_way(db)
    role = app(db)
    done = modules.disable(tenants=["1", "2"], latch=True)
    assert (done["enabled_after"], done["latch"]["raised"]) == (0, True)
    roll_out(db, role)
    save(db, role, 1, ON)
    save(db, role, 5, ON.replace("UTC", "Asia/Tokyo"))
    assert on(db) == [3, 4, 5]
    assert not pause(modules)["changed"], "it is paused already"


def test_a_pause_takes_over_the_latch_and_says_so(db: Database) -> None:
    modules = half_way(db)
    modules.disable("INC-1", tenants=["1"], latch=True)
    done = pause(modules, "INC-2")
    assert done["changed"]
    assert any("INC-1" in warning and "INC-2" in warning for warning in done["warnings"])
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    roll_out(db, app(db))
    assert on(db) == [2, 3, 4, 5]


def test_an_incident_that_is_open_is_adopted(db: Database) -> None:
    modules = half_way(db)
    modules.disable("INC-1", tenants=["1"])
    assert pause(modules, "INC-2", check=True, incident_adopt=True)["incident"]["incident_id"] == "INC-1"
    assert pause(modules, "INC-2", incident_adopt=True)["incident"]["incident_id"] == "INC-1"


def test_a_pause_that_is_none_fails(db: Database) -> None:
    half_way(db)
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    modules = db.modules(role, **FLAG)
    failure = modules.fails("not_paused", "feature_flag", state="paused", incident_id="INC-1")
    assert "ledger" in failure["error"]["what"]
    db.modules().ok("ledger", grant_to=[role])
    failure = modules.fails("not_paused", "feature_flag", state="paused", incident_id="INC-1")
    assert "permission denied" in failure["error"]["what"]
    assert failure["changed"] is False
    db.modules(**FLAG).fails("pause_of_some", "feature_flag", state="paused", incident_id="INC-1", tenants=["1"])
    assert triggers(db) == []


def test_a_table_that_somebody_writes_is_not_paused_on_demand(db: Database) -> None:
    modules = half_way(db)
    with db.transaction("INSERT INTO companies VALUES (77, NULL)", application_name="import"):
        modules.fails("not_paused", "feature_flag", state="paused", incident_id="INC-1")
    assert pause(modules)["changed"]


def test_the_default_of_all_tenants_cannot_be_switched_on(db: Database) -> None:
    db.rows("CREATE TABLE settings (key text, value text, company integer)")
    db.rows("INSERT INTO settings VALUES ('kanban', 'enabled', 1), ('kanban', 'disabled', NULL)")
    modules = db.modules(
        store="key_value", table="settings", tenant_column="company", key_column="key", key="kanban", column="value",
        enabled_value="enabled", disabled_value="disabled",
    )  # fmt: skip
    assert pause(modules)["global_default"] == "off"
    with db.as_role(db.role("app", "SELECT, UPDATE ON settings")) as session, session.cursor() as cursor:
        cursor.execute("UPDATE settings SET value = 'enabled'")
    assert db.rows("SELECT value, company FROM settings ORDER BY 2") == [("enabled", 1), ("disabled", None)]
    modules.enable(global_default=True)
    assert db.rows("SELECT DISTINCT value FROM settings") == [("enabled",)]
