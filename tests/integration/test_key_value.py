# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key/value store: a row per tenant and key, but no promise of one; tenants without a row; a global default."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Modules
from tests.integration.place import Database, Snapshot

# Tenants 1, 3 and 6 are on, 2 is off, 4 has no row, 5 has NULL; 6 exists in Settings alone.
ROWS = [
    ("kanbanV2", "enabled", 1),
    ("kanbanV2", "disabled", 2),
    ("kanbanV2", "sim", 3),
    ("kanbanV2", None, 5),
    ("kanbanV2", "", 6),
    ("kanbanV2", "enabled", None),
    ("timezone", "enabled", 4),
    ("timezone", "enabled", 1),
]
# Nothing in such a table forbids a second row, and nobody knows which one the application reads.
DOUBLED = [*ROWS, ("kanbanV2", "enabled", 3)]


def make(db: Database, value_type: str = "text", rows: Any = None, **options: Any) -> Modules:
    """Make the tables of such an application."""
    with db.connect() as session, session.cursor() as cursor:
        cursor.execute('CREATE TABLE "Companies" (id integer PRIMARY KEY)')
        cursor.execute('INSERT INTO "Companies" SELECT generate_series(1, 5)')
        cursor.execute(
            f'CREATE TABLE "Settings" (key text NOT NULL, value {value_type}, "companyId" integer, '
            '"createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL)'
        )
        statement = "INSERT INTO \"Settings\" VALUES (%s, %s, %s, '2024-01-01', '2024-01-01')"
        cursor.executemany(statement, ROWS if rows is None else rows)
    flag: dict[str, Any] = {
        "store": "key_value",
        "table": "Settings",
        "tenant_column": "companyId",
        "key_column": "key",
        "key": "kanbanV2",
        "column": "value",
        "enabled_value": "enabled",
        "disabled_value": "disabled",
    }
    return db.modules(**{**flag, **options})


def settings(db: Database) -> Snapshot:
    return db.snapshot('"Settings"', '"companyId"')


def values(db: Database) -> list[tuple[int | None, str | None]]:
    statement = """SELECT "companyId", value::text FROM "Settings" WHERE key = 'kanbanV2' ORDER BY 1 NULLS LAST, 2"""
    return [(row[0], row[1]) for row in db.rows(statement)]


def test_off_and_back(db: Database) -> None:
    modules = make(db)
    before = settings(db)
    plan = modules.disable(check=True)
    assert (plan["enabled_before"], plan["changed"], plan["global_default"]) == (3, True, "off")
    assert settings(db) == before
    done = modules.disable()
    assert (done["enabled_after"], done["global_default"]) == (0, "off")
    off = [(1, "disabled"), (2, "disabled"), (3, "disabled"), (5, None), (6, "disabled")]
    assert values(db) == [*off, (None, "disabled")]
    kept = [row for row in before.rows if "timezone" in row.text or row.tenant in ("2", "5")]
    assert [row for row in settings(db).rows if row in kept] == kept
    assert not modules.disable()["changed"]
    undone = modules.restore()
    assert (undone["changed"], undone["changed_since"]) == (True, [])
    assert settings(db).texts == before.texts
    assert not modules.restore()["changed"]


def test_info_tells_who_is_on(db: Database) -> None:
    result = make(db).ok("feature_flag_info")
    assert (result["total"], result["enabled"], result["tenants_on"]) == (5, 3, ["1", "3", "6"])


def test_two_rows_of_one_tenant_are_both_switched(db: Database) -> None:
    done = make(db, rows=DOUBLED).disable()
    assert done["enabled_after"] == 0
    assert [value for tenant, value in values(db) if tenant == 3] == ["disabled", "disabled"]


def test_figures_count_tenants_not_rows(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    assert modules.ok("feature_flag_info")["enabled"] == 3
    done = modules.disable()
    # The default of all is one more that was switched, and no tenant.
    assert (done["total"], done["enabled_before"], done["changed_count"]) == (5, 3, 4)


def test_two_rows_of_one_tenant_go_back_exactly(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    before = settings(db)
    modules.disable()
    modules.restore()
    assert settings(db).texts == before.texts


def test_a_default_that_is_written_back_after_the_kill_is_swept(db: Database) -> None:
    modules = make(db)
    before = settings(db)
    with (
        db.transaction('SELECT * FROM "Companies"') as stale,
        modules.start("feature_flag", incident_id="INC-1", settle=20, global_default=True) as running,
    ):
        wait_for(lambda: values(db)[-1] == (None, "disabled"), "the kill")
        time.sleep(0.5)
        assert running.runs, "it did not wait for a transaction that was open before"
        with stale.cursor() as cursor:
            cursor.execute("""UPDATE "Settings" SET value = 'enabled' WHERE "companyId" IS NULL""")
        stale.commit()
        done = running.result()
    assert not done.get("failed"), done
    assert (done["global_default"], done["sweep"]["switched_again"]) == ("off", 1)
    assert values(db)[-1] == (None, "disabled")
    assert done["priors_of_default"]["kept_in"] == "ledger"
    modules.restore()
    assert settings(db).texts == before.texts


def test_the_default_of_all_is_switched_as_planned(db: Database) -> None:
    modules = make(db)
    before = settings(db)
    plan = modules.disable(check=True, global_default=True)
    assert settings(db) == before
    assert plan["diff"]["after"]["tenants_changed"][-1] == "the default of all"
    done = modules.disable(global_default=True)
    for figure in ("changed", "changed_count", "enabled_after", "global_default"):
        assert plan[figure] == done[figure]
    assert (done["global_default"], done["changed_count"]) == ("off", 4)
    assert not modules.disable(check=True, global_default=True)["changed"]
    assert values(db)[-1] == (None, "disabled")
    modules.restore()
    assert settings(db).texts == before.texts


@pytest.mark.parametrize(("rows", "word"), [(ROWS[:2], "absent"), ([("kanbanV2", "disabled", None)], "off")])
def test_the_default_of_all_is_told(db: Database, rows: Any, word: str) -> None:
    modules = make(db, rows=rows)
    assert modules.ok("feature_flag_info")["global_default"] == word
    assert modules.disable()["global_default"] == word


def test_a_default_that_a_stop_would_leave_on_is_told_ahead_of_the_day(db: Database) -> None:
    modules = make(db)
    for switched, ok in ((False, False), (True, True)):
        told = modules.ok("preflight_info", global_default=switched)
        assert told["forecast"]["global_default"] == "on"
        assert [check["ok"] for check in told["checks"] if check["name"] == "flag_default"] == [ok]


def test_where_absent_is_on_rows_are_made_and_go_again(db: Database) -> None:
    """Tenant 4 has no row and is on: only a row of its own can switch it off."""
    rows = [row for row in ROWS if row[1] != "sim"]
    modules = make(db, rows=rows, tenants_table="Companies", absent_means="on")
    before = settings(db)
    plan = modules.disable(check=True)
    assert plan["changed"]
    assert settings(db) == before
    done = modules.disable()
    assert done["enabled_after"] == 0
    assert (4, "disabled") in values(db)
    assert db.value("""SELECT "createdAt" > now() - interval '1 minute' FROM "Settings"
                       WHERE key = 'kanbanV2' AND "companyId" = 4""")  # fmt: skip
    assert not modules.disable()["changed"]
    modules.restore()
    assert settings(db).texts == before.texts
    assert not modules.restore()["changed"]


def test_a_made_row_that_somebody_changed_since_stays(db: Database) -> None:
    modules = make(db, rows=[], tenants_table="Companies", absent_means="on")
    modules.disable()
    db.rows("""UPDATE "Settings" SET value = 'beta' WHERE "companyId" = 2""")
    undone = modules.restore()
    assert undone["changed_since"] == ["2"]
    assert values(db) == [(2, "beta")]


def test_on_for_tenants_without_a_row(db: Database) -> None:
    modules = make(db, rows=ROWS[:2], tenants_table="Companies")
    before = settings(db)
    done = modules.enable(tenants=[2, 4])
    assert (done["changed_count"], done["enabled_after"], done["total"]) == (2, 2, 2)
    assert values(db) == [(1, "enabled"), (2, "enabled"), (4, "enabled")]
    modules.restore()
    assert settings(db).texts == before.texts


@pytest.mark.parametrize("value_type", ["jsonb", "json"])
def test_values_as_json(db: Database, value_type: str) -> None:
    rows = [("kanbanV2", "true", 1), ("kanbanV2", "false", 2), ("kanbanV2", '"x"', 3), ("kanbanV2", "null", 4)]
    modules = make(db, value_type, [*rows, ("kanbanV2", None, 5)], enabled_value=True, disabled_value=False)
    before = settings(db)
    done = modules.disable()
    assert (done["changed_count"], done["enabled_after"]) == (2, 0)
    assert values(db) == [(1, "false"), (2, "false"), (3, "false"), (4, "null"), (5, None)]
    modules.restore()
    assert settings(db).texts == before.texts
