# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that save by INSERT ... ON CONFLICT, or by deleting and inserting a row: no prior value is lost."""

from __future__ import annotations

import time

import pytest

from tests.integration.crowd import ON, on, population
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_dormant_latch import dormant
from tests.integration.test_key_value import make, values
from tests.integration.test_latch_with_the_kill import AT_ONCE

UPSERT = f"INSERT INTO companies VALUES (3, '{ON}') ON CONFLICT (id) DO UPDATE SET settings = EXCLUDED.settings"
ROW = "('kanbanV2', 'enabled', 1, now(), now())"
KEY_VALUE = {
    "upsert": f"""INSERT INTO "Settings" VALUES {ROW}
        ON CONFLICT ("companyId", key) DO UPDATE SET value = EXCLUDED.value""",
    "delete and insert": f"""DELETE FROM "Settings" WHERE "companyId" = 1; INSERT INTO "Settings" VALUES {ROW}""",
}


def _killed_under(db: Database, modules: Modules, held: str, save: str) -> None:
    """Kill while somebody holds a row, saves it a moment later and commits; then undo."""
    with (
        db.transaction(held) as holder,
        modules.start("feature_flag", incident_id="INC-1", **AT_ONCE) as running,
    ):
        time.sleep(1.5)
        with holder.cursor() as cursor:
            cursor.execute(save)
        holder.commit()
        done = running.result()
    assert (done["enabled_after"], done["latch"]["raised"]) == (0, True), done
    modules.restore("INC-1")


@pytest.mark.parametrize("installed", [False, True], ids=["on demand", "dormant"])
def test_a_row_that_is_held_and_saved_by_upsert_keeps_its_prior(db: Database, installed: bool) -> None:
    modules = population(db)
    modules = dormant(db) if installed else modules
    _killed_under(db, modules, "SELECT * FROM companies WHERE id = 3 FOR UPDATE", UPSERT)
    assert on(db) == list(range(1, 51))


@pytest.mark.parametrize("save", KEY_VALUE.values(), ids=KEY_VALUE.keys())
def test_a_key_value_row_that_is_held_and_saved_keeps_its_prior(db: Database, save: str) -> None:
    modules = make(db)
    db.rows('CREATE UNIQUE INDEX ON "Settings" ("companyId", key)')
    before = values(db)
    _killed_under(db, modules, 'SELECT * FROM "Settings" WHERE "companyId" = 1 FOR UPDATE', save)
    assert values(db) == before


def test_the_others_of_a_selective_kill_stay_on(db: Database) -> None:
    modules = population(db)
    modules.disable(tenants=["1"], **AT_ONCE)
    db.rows(UPSERT)
    assert on(db) == list(range(2, 51))
    # Who was switched off stays off, however it is saved.
    db.rows(UPSERT.replace("(3,", "(1,"))
    assert on(db) == list(range(2, 51))


def test_a_tenant_that_has_it_back_stays_on(db: Database) -> None:
    modules = population(db)
    modules.disable(latch=True)
    modules.ok("feature_flag", incident_id="INC-1", state="restored", tenants=["3"])
    db.rows(UPSERT)
    db.rows(UPSERT.replace("(3,", "(4,"))
    assert on(db) == [3]


def test_a_pause_leaves_on_who_is_on(db: Database) -> None:
    modules = population(db)
    modules.ok("feature_flag", incident_id="INC-1", state="paused")
    db.rows(UPSERT)
    db.rows(UPSERT.replace("(3,", "(99,"))
    assert on(db) == list(range(1, 51))


def test_the_row_of_all_tenants_is_judged_by_itself(db: Database) -> None:
    modules = make(db)
    modules.disable("INC-1", global_default=True, latch=True)
    db.rows(f"""INSERT INTO "Settings" VALUES {ROW.replace("1,", "NULL,", 1)}""")
    assert "enabled" not in [value for _tenant, value in values(db)]
