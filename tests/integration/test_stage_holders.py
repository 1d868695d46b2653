# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a stage lacks the feature is read without a change, and told apart by reason, as the undo would tell it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import on, population
from tests.integration.flags import KEY
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_key_value import make, values


def lacks(modules: Modules, **share: Any) -> tuple[list[str], int, list[str], list[str]]:
    told = modules.restore(**{"share": 100, **share}, check=True)
    assert told["lacking_count"] == len(told["lacking"])
    return told["lacking"], told["unreturned_count"], told["changed_since"], told["missing"]


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_each_that_is_off_is_told_with_its_reason(db: Database, kind: str) -> None:
    modules = population(db, 10, kind=kind)
    modules.disable(latch=True)
    assert lacks(modules) == (["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], 10, [], [])
    db.modules().ok("incident", incident_id="INC-1", latch="lowered")
    db.rows(f"UPDATE companies SET settings = '{{\"{KEY}\": 7}}' WHERE id = 3")
    db.rows("UPDATE companies SET settings = '{}' WHERE id = 4")
    db.rows('DELETE FROM tickets WHERE "companyId" = 5')
    db.rows("DELETE FROM companies WHERE id = 5")
    modules.restore(share=100)
    # What is no boolean counts as on.
    assert lacks(modules) == ([], 0, ["4"], ["5"])
    modules.disable(tenants=["7"], withdrawn=True)
    db.rows(f"UPDATE companies SET settings = '{{\"{KEY}\": false}}' WHERE id = 9")
    assert lacks(modules) == (["7", "9"], 1, ["4"], ["5"])
    assert lacks(modules, share=60) == ([], 0, ["4"], ["5"])
    before = db.snapshot("companies").texts
    assert lacks(modules, share_above=60) == (["7", "9"], 1, [], [])
    assert db.snapshot("companies").texts == before
    modules.restore(share=100)
    assert lacks(modules)[:2] == (["9"], 0)
    assert 7 in on(db)


def test_of_several_rows_one_that_is_on_is_enough(db: Database) -> None:
    rows = [("kanbanV2", word, tenant) for tenant in (1, 2) for word in ("enabled", "disabled")]
    modules = make(db, rows=rows)
    modules.disable()
    assert lacks(modules)[:2] == (["1", "2"], 2)
    db.rows("""UPDATE "Settings" SET value = NULL WHERE "companyId" = 2""")
    modules.restore(share=100)
    assert values(db)[:2] == [(1, "disabled"), (1, "enabled")]
    assert lacks(modules) == ([], 0, ["2"], [])


def test_where_absent_is_on_nobody_lacks_a_row(db: Database) -> None:
    modules = make(db, rows=[("kanbanV2", "disabled", 1)], tenants_table="Companies", absent_means="on")
    modules.disable()
    db.rows("""UPDATE "Settings" SET value = 'x' WHERE "companyId" = 2""")
    assert lacks(modules) == (["3", "4", "5"], 3, [], [])
    modules.restore(share=100)
    assert lacks(modules) == ([], 0, [], [])


@pytest.mark.timeout(120)
def test_of_a_stage_that_is_still_to_come_nobody_looks_for_reasons(db: Database) -> None:
    modules = population(db, 20_100)
    modules.disable()
    told = modules.restore(share=100, check=True)
    assert (told["lacking_count"], told["unreturned_count"], len(told["lacking"])) == (20_100, 20_100, 100)
    assert "missing_count" not in told
