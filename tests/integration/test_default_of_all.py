# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default of all tenants, a key/value row without a tenant: it decides for every tenant without a row."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.integration.test_latch_with_the_kill import AT_ONCE

COMPANIES, OWN = 50, 5
FLAG: dict[str, Any] = {
    "store": "key_value",
    "table": "settings",
    "tenant_column": "company",
    "key_column": "key",
    "key": "v2",
    "column": "value",
    "enabled_value": "enabled",
    "disabled_value": "disabled",
}
WITH_TABLE, WITHOUT_TABLE = {"tenants_table": "companies"}, dict[str, Any]()
EITHER = pytest.mark.parametrize("options", [WITH_TABLE, WITHOUT_TABLE], ids=["table of tenants", "no such table"])
HOLD_DEFAULT = "SELECT FROM settings WHERE company IS NULL FOR UPDATE"
HOLD_ONE = "SELECT FROM settings WHERE company = 1 FOR UPDATE"


def population(db: Database, *defaults: str, value_type: str = "text", **options: Any) -> Modules:
    """Make 50 companies, of which 5 have a row of their own, which is on; each default gets a row, too."""
    db.rows("CREATE TABLE companies (id integer PRIMARY KEY)")
    db.rows("INSERT INTO companies SELECT generate_series(1, %s)", (COMPANIES,))
    db.rows(
        f"CREATE TABLE settings (id serial PRIMARY KEY, key text NOT NULL, value {value_type}, company integer, "
        "saved timestamptz NOT NULL DEFAULT now(), UNIQUE (company, key))"
    )
    db.rows("INSERT INTO settings (key, value, company) SELECT 'v2', %s, generate_series(1, %s)", ("enabled", OWN))
    for value in defaults:
        db.rows("INSERT INTO settings (key, value) VALUES ('v2', %s)", (value,))
    return db.modules(**{**FLAG, **options})


def rows(db: Database) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.rows("SELECT id, key, value, company FROM settings ORDER BY id")]


def default(db: Database) -> str | None:
    found: str | None = db.value("SELECT value FROM settings WHERE company IS NULL")
    return found


def own(db: Database, tenant: int) -> list[str]:
    return [row[0] for row in db.rows("SELECT value FROM settings WHERE company = %s", (tenant,))]


def figures(result: Result) -> dict[str, Any]:
    names = ("total", "enabled_before", "enabled_after", "changed_count", "global_default", "without_row")
    return {name: result[name] for name in names}


def test_tenants_without_a_row_count_by_the_default(db: Database) -> None:
    modules = population(db, "enabled", **WITH_TABLE)
    told = modules.ok("feature_flag_info", names=COMPANIES + 1)
    assert (told["total"], told["enabled"], told["without_row"]) == (COMPANIES, COMPANIES, COMPANIES - OWN)
    assert len(told["tenants_on"]) == COMPANIES
    plan = modules.disable(check=True)
    assert default(db) == "enabled"
    done = modules.disable()
    assert figures(done) == figures(plan)
    assert figures(done) == {
        "total": COMPANIES,
        "enabled_before": COMPANIES,
        "enabled_after": 0,
        "changed_count": OWN + 1,
        "global_default": "off",
        "without_row": COMPANIES - OWN,
    }
    told = modules.ok("feature_flag_info", share=0.5)
    assert (told["enabled"], len(told["tenants_lacking"])) == (0, COMPANIES // 2)
    db.rows("UPDATE settings SET value = 'enabled' WHERE company IS NULL")
    told = modules.ok("feature_flag_info", share=0.5)
    assert (told["enabled"], told["tenants_lacking"]) == (COMPANIES - OWN, [])
    assert modules.ok("status_info")["features"][0]["enabled"] == COMPANIES - OWN


@EITHER
def test_a_default_that_is_off_makes_nobody_on(db: Database, options: Any) -> None:
    modules = population(db, "disabled", **options)
    assert modules.ok("feature_flag_info")["enabled"] == OWN
    done = modules.disable()
    assert (done["enabled_before"], done["enabled_after"], done["changed_count"]) == (OWN, 0, OWN)


@pytest.mark.parametrize(
    ("options", "code", "left"),
    [(WITH_TABLE, "default_left_on", COMPANIES - OWN), (WITHOUT_TABLE, "default_left_on", 0)],
)
def test_a_stop_that_leaves_the_default_on_is_not_contained(db: Database, options: Any, code: str, left: int) -> None:
    modules = population(db, "enabled", **options)
    failure = modules.fails(code, "feature_flag", incident_id="INC-1", state="disabled", global_default=False)
    assert (failure["enabled_after"], failure["changed_count"], default(db)) == (left, OWN, "enabled")
    # Nothing is waited for that this run is not to switch.
    assert failure["elapsed_ms"] < 5000
    plan = modules.disable(check=True, global_default=False)
    assert (plan["enabled_after"], plan["global_default"], plan["changed"]) == (left, "on", False)


@EITHER
def test_the_default_is_off_at_once_while_a_tenant_is_held(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    with (
        db.transaction(HOLD_ONE) as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=20) as running,
    ):
        wait_for(lambda: default(db) == "disabled", "the default", 4)
        assert running.runs, "it did not wait for the tenant that is held"
        holder.rollback()
        done = running.result()
    assert (done.get("failed", False), done["enabled_after"]) == (False, 0)


def test_the_default_is_the_first_that_is_switched(db: Database) -> None:
    population(db, "enabled").disable()
    flags = [row[0] for row in db.rows("SELECT flag FROM kanban_rollback.flag_changes ORDER BY seq")]
    assert ["default of all" in flag for flag in flags] == [True, False]


@EITHER
def test_a_default_that_is_held_delays_no_free_tenant_and_is_named(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    with db.transaction(HOLD_DEFAULT, application_name="holder"):
        failure = modules.fails("default_not_switched", "feature_flag", incident_id="INC-1", deadline=3)
    assert own(db, 1) == ["disabled"]
    left = COMPANIES - OWN if options else 0
    assert (failure["enabled_after"], failure["changed_count"], failure["blocked_count"]) == (left, OWN, 1)
    assert (failure["blocked"][0]["default_of_all"], failure["blocked"][0]["application_name"]) == (True, "holder")
    assert str(COMPANIES - OWN) in failure["error"]["what"] or not options


@EITHER
def test_a_default_that_comes_free_is_switched_before_a_tenant_that_is_still_held(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    with (
        db.transaction(HOLD_ONE) as tenant,
        db.transaction(HOLD_DEFAULT) as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=20) as running,
    ):
        wait_for(lambda: own(db, 2) == ["disabled"], "the free tenants", 4)
        assert default(db) == "enabled"
        holder.rollback()
        wait_for(lambda: default(db) == "disabled", "the default", 2)
        assert running.runs
        tenant.rollback()
        done = running.result()
    assert (done.get("failed", False), done["enabled_after"], done["global_default"]) == (False, 0, "off")


def test_several_defaults_each_get_their_own_value_back(db: Database) -> None:
    """A unique index does not forbid them: to it NULLs are different."""
    modules = population(db, "sim", "disabled", "enabled", **WITH_TABLE)
    before = rows(db)
    for _time in range(2):
        done = modules.disable()
        assert (done["global_default"], done["enabled_after"]) == ("off", 0)
        assert {value for _id, _key, value, company in rows(db) if company is None} == {"disabled"}
        # They are moved about, as the application's saves do.
        db.rows("UPDATE settings SET saved = now() WHERE company IS NULL AND value = 'disabled' AND id % 2 = 1")
        undone = modules.restore()
        assert (undone["changed_since"], rows(db)) == ([], before)


def test_of_several_defaults_one_that_is_held_is_waited_for(db: Database) -> None:
    modules = population(db, "sim", "enabled", **WITH_TABLE)
    before = rows(db)
    with (
        db.transaction("SELECT FROM settings WHERE value = 'sim' FOR UPDATE") as holder,
        modules.start("feature_flag", incident_id="INC-1", deadline=20) as running,
    ):
        wait_for(lambda: ("disabled",) in [tuple(row) for row in db.rows(VALUES)], "the free one", 4)
        holder.rollback()
        done = running.result()
    assert (done.get("failed", False), done["enabled_after"]) == (False, 0)
    modules.restore()
    assert rows(db) == before


VALUES = "SELECT value FROM settings WHERE company IS NULL"


@EITHER
def test_a_list_never_touches_the_default_and_makes_rows_that_its_undo_deletes(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    before = rows(db)
    listed = ["1", "30", "31"]
    plan = modules.disable(tenants=listed, check=True, global_default=True)
    assert rows(db) == before
    done = modules.disable(tenants=listed, global_default=True)
    names = ("total", "enabled_before", "enabled_after", "changed_count", "global_default", "unknown_tenants")
    assert [done[name] for name in names] == [plan[name] for name in names] == [3, 3, 0, 3, "on", []]
    assert (default(db), own(db, 1), own(db, 30), own(db, 32)) == ("enabled", ["disabled"], ["disabled"], [])
    assert not modules.disable(tenants=listed)["changed"]
    assert modules.ok("feature_flag_info", tenants=listed)["enabled"] == 0
    assert bool([text for text in done["warnings"] if "30" in text and "table of tenants" in text]) is not bool(options)
    undone = modules.restore()
    assert (undone["changed_count"], rows(db)) == (3, before)


@EITHER
def test_a_list_that_grows_to_all_comes_back_exactly(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    before = rows(db)
    modules.disable(tenants=["1", "30"])
    done = modules.disable()
    assert (done["enabled_after"], default(db)) == (0, "disabled")
    modules.restore()
    assert rows(db) == before


@EITHER
def test_neither_a_test_tenant_nor_an_earlier_stage_brings_the_default_back(db: Database, options: Any) -> None:
    modules = population(db, "enabled", **options)
    before = rows(db)
    modules.disable()
    modules.restore(tenants=["1"])
    assert (own(db, 1), default(db)) == (["enabled"], "disabled")
    modules.restore(share=50)
    assert default(db) == "disabled"
    # A stage that did not pass takes its own tenants, and leaves the default.
    modules.disable(share=50, withdrawn=True)
    modules.restore(share=50)
    with db.transaction("SELECT FROM settings WHERE company = 5 FOR UPDATE"):
        modules.fails("still_off", "feature_flag", incident_id="INC-1", state="restored", share=100, deadline=2)
    undone = modules.restore(share=100)
    assert rows(db) == before
    # The figures are the stage's; whoever has no row came back as well.
    assert (undone["enabled_after"], undone["global_default"]) == (OWN, "on")
    assert undone["without_row"] == (COMPANIES - OWN if options else None)


def test_tenants_made_meanwhile_are_off_and_come_on_with_the_default(db: Database) -> None:
    modules = population(db, "enabled", **WITH_TABLE)
    modules.disable()
    db.rows("INSERT INTO companies SELECT generate_series(101, 103)")
    told = modules.ok("feature_flag_info")
    assert (told["total"], told["enabled"]) == (COMPANIES + 3, 0)
    undone = modules.restore()
    assert (undone["total"], undone["enabled_after"], undone["without_row"]) == (
        COMPANIES + 3,
        COMPANIES + 3,
        COMPANIES + 3 - OWN,
    )


@EITHER
@pytest.mark.parametrize("companies", ["companies", None])
@pytest.mark.parametrize(("value", "worst"), [("enabled", ["30", "1"]), ("disabled", ["1"])])
def test_a_ranking_lists_who_suffers_by_the_default(
    db: Database, options: Any, companies: str | None, value: str, worst: list[str]
) -> None:
    modules = population(db, value, **options)
    db.rows("CREATE TABLE errors (company integer, at timestamptz)")
    db.rows("INSERT INTO errors SELECT 30, now() - interval '60 s' FROM generate_series(1, 30)")
    db.rows("INSERT INTO errors SELECT 1, now() - interval '60 s' FROM generate_series(1, 20)")
    columns = {"error_logs": {"company": "company", "created_at": "at"}, "companies": {"id": "id", "name": "id"}}
    wanted: dict[str, Any] = {"error_logs": "errors", "companies": companies, "columns": columns, "contains": ""}
    told = modules.ok("affected_tenants_info", **wanted)
    assert [tenant["tenant"] for tenant in told["tenants"]] == worst
    done = modules.disable(tenants=worst)
    assert (done["enabled_after"], done["changed_count"], default(db)) == (0, len(worst), value)


UPSERT = """INSERT INTO settings (key, value, company) VALUES ('v2', 'enabled', {})
ON CONFLICT (company, key) DO UPDATE SET value = EXCLUDED.value"""


def test_the_guard_keeps_the_default_off(db: Database) -> None:
    modules = population(db, "enabled", **WITH_TABLE)
    done = modules.disable(**AT_ONCE)
    assert done["latch"]["raised"], done
    db.rows("UPDATE settings SET value = 'enabled' WHERE company IS NULL")
    db.rows(UPSERT.format("NULL"))
    db.rows(UPSERT.format("30"))
    assert {row[2] for row in rows(db)} == {"disabled"}


def test_the_guard_of_a_list_leaves_on_who_is_on_by_default(db: Database) -> None:
    modules = population(db, "enabled", **WITH_TABLE)
    assert modules.disable(tenants=["30"], **AT_ONCE)["latch"]["raised"]
    for tenant in ("30", "31", "NULL"):
        db.rows(UPSERT.format(tenant))
    assert (own(db, 30), own(db, 31), set(db.rows(VALUES))) == (["disabled"], ["enabled"], {("enabled",)})


def test_the_guard_lets_no_default_come_where_no_row_means_on(db: Database) -> None:
    modules = population(db, absent_means="on", **WITH_TABLE)
    assert modules.disable(**AT_ONCE)["latch"]["raised"]
    db.rows(UPSERT.format("NULL"))
    assert default(db) == "disabled"


def test_the_sweep_switches_a_default_that_was_written_back_before_anybody_else(db: Database) -> None:
    modules = population(db, "enabled", **WITH_TABLE)
    with (
        db.transaction("SELECT FROM companies") as stale,
        modules.start("feature_flag", incident_id="INC-1", settle=20) as running,
    ):
        wait_for(lambda: default(db) == "disabled", "the kill")
        time.sleep(0.5)
        with stale.cursor() as cursor:
            cursor.execute("UPDATE settings SET value = 'enabled' WHERE company IS NULL")
        stale.commit()
        done = running.result()
    assert (done["enabled_after"], done["global_default"], done["sweep"]["switched_again"]) == (0, "off", 1)
