# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair as planned, post-conditions, and back again: whole tables are compared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.integrity import load
from tests.integration.place import Database
from tests.integration.repairs import PLAN, counts, plan, ready, repair, undo, whole


@pytest.mark.parametrize(
    "shape",
    [{}, {"quoted": False, "on_delete": None}, {"ids": "uuid", "keyed": False}],
    ids=["camel case", "lower case, no foreign keys", "uuid, TicketTags without any key"],
)
def test_as_planned_and_back(db: Database, shape: dict[str, Any]) -> None:
    data = load(db, **shape)
    modules = ready(db)
    before = whole(db)
    expected = data.expected_corruption()
    planned = plan(modules)
    assert whole(db) == before
    assert planned["changed"]
    assert {check["name"]: check["count"] for check in planned["plan"]["checks"]} == expected
    done = repair(modules)
    assert done["changed"]
    assert counts(done) == {
        **dict.fromkeys(expected, 0),
        "tickets_without_company": expected["tickets_without_company"],
    }
    after = whole(db)
    gone = sum(len(before[table]) - len(after[table]) for table in before)
    assert gone == sum(part["rows"] for part in done["plan"]["parts"] if part["action"] == "delete")
    again = modules.ok("integrity_repair", checks=PLAN, plan_hash=planned["plan_hash"])
    assert not again["changed"]
    assert whole(db) == after
    assert undo(modules, check=True)["changed"]
    assert whole(db) == after
    assert undo(modules)["changed"]
    assert whole(db) == before
    assert not undo(modules)["changed"]
