# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""feature_flag with ``spent``: who was switched off after an undo has the value again that it had, or it is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import population
from tests.integration.flags import KEY
from tests.integration.place import Database

AGAIN: dict[str, Any] = {"state": "restored", "incident_id": "INC-1", "tenants": ["7"], "spent": True}


def says(db: Database, text: str) -> None:
    db.rows("UPDATE companies SET settings = %s WHERE id = 7", (text,))


@pytest.mark.parametrize("kind", ["jsonb", "text"])
def test_who_was_switched_off_after_the_undo_has_the_value_again_that_it_had(db: Database, kind: str) -> None:
    modules = population(db, 9, kind=kind)
    says(db, f'{{"{KEY}": "trial", "timezone": "UTC"}}')
    before = db.snapshot("companies")
    modules.disable()
    modules.restore()
    assert not modules.ok("feature_flag", **AGAIN, check=True)["changed"], "who has it lacks nothing"

    says(db, f'{{"{KEY}": false, "timezone": "UTC"}}')
    assert modules.restore()["changed_count"] == 0, "an undo of all spends each value once"
    assert modules.ok("feature_flag", **AGAIN, check=True)["changed_count"] == 1
    told = modules.ok("feature_flag", **AGAIN)
    assert (told["changed_count"], told["other_values"]) == (1, [])
    assert db.snapshot("companies").texts == before.texts


def test_whose_flag_says_something_else_is_left_alone_and_the_value_that_it_had_is_named(db: Database) -> None:
    modules = population(db, 9)
    says(db, f'{{"{KEY}": "trial"}}')
    modules.disable()
    modules.restore()
    says(db, "{}")
    told = modules.ok("feature_flag", **AGAIN)
    assert (told["changed"], told["changed_since"]) == (False, ["7"])
    assert told["other_values"] == [{"tenant": "7", "value": '"trial"'}]
    # Nothing was overwritten that nobody has recorded.
    assert db.value("SELECT settings::text FROM companies WHERE id = 7") == "{}"
    # The value that switching on writes is the one that the others had.
    db.rows("UPDATE companies SET settings = '{}' WHERE id = 8")
    told = modules.ok("feature_flag", **{**AGAIN, "tenants": ["8"]})
    assert (told["changed_since"], told["other_values"]) == (["8"], [])


def test_the_value_is_the_one_before_the_last_stop_and_not_before_an_earlier_one(db: Database) -> None:
    modules = population(db, 9)
    modules.disable()
    modules.restore()
    says(db, f'{{"{KEY}": "trial"}}')
    before = db.snapshot("companies")
    modules.disable()
    modules.restore()
    modules.ok("feature_flag", **AGAIN)
    says(db, f'{{"{KEY}": false}}')
    assert modules.ok("feature_flag", **AGAIN)["changed_count"] == 1
    assert db.snapshot("companies").texts == before.texts


def test_who_was_first_switched_on_under_the_incident_had_no_value_to_give_back(db: Database) -> None:
    modules = population(db, 9)
    says(db, "{}")
    modules.disable()
    modules.ok("feature_flag", state="enabled", incident_id="INC-1", tenants=["7"])
    says(db, "{}")
    told = modules.ok("feature_flag", **AGAIN)
    assert (told["changed"], told["other_values"]) == (False, [])
