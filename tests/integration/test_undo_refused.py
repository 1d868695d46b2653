# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An undo of which the server refuses one row, or which ends in its middle: the others are back, and it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import on, population
from tests.integration.flags import KEY
from tests.integration.ledgerless import without_ledger
from tests.integration.place import Database
from tests.integration.test_key_value import DOUBLED, make, values
from tests.integration.test_stays_off import triggers

RESTORED: dict[str, Any] = {"state": "restored", "incident_id": "INC-1"}


def refuse(db: Database, tenant: int, state: str = "P0001") -> None:
    """Since the kill, this tenant may not have the feature."""
    db.rows(f"""CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF NEW.settings::jsonb -> '{KEY}' = 'true' THEN RAISE 'not in plan' USING ERRCODE = '{state}'; END IF;
        RETURN NEW; END$$""")  # fmt: skip
    db.rows(f"""CREATE TRIGGER no BEFORE UPDATE ON companies FOR EACH ROW WHEN (NEW.id = {tenant})
        EXECUTE FUNCTION no()""")  # fmt: skip


def recorded(db: Database) -> list[dict[str, Any]]:
    """Return what the events of undos say."""
    return [row[0] for row in db.rows("SELECT data FROM kanban_rollback.events WHERE event = 'restored' ORDER BY at")]


@pytest.mark.parametrize("kind", ["jsonb", "text"])
def test_one_row_that_is_refused_keeps_no_other_off(db: Database, kind: str) -> None:
    modules = population(db, 20, kind=kind)
    before = db.snapshot("companies")
    modules.disable(latch=True)
    refuse(db, 7)
    for back, already in ((19, 0), (0, 0)):
        told = modules.fails("still_off", "feature_flag", **RESTORED, deadline=10)
        assert (told["changed"], told["changed_count"], told["already_count"]) == (back > 0, back, already)
        assert (told["enabled_after"], told["blocked_count"]) == (19, 1)
        assert told["blocked"] == [{"tenant": "7", "pid": None, "refused": "not in plan."}]
        assert "(7: not in plan)" in told["error"]["what"]
        # Nothing to wait for: the deadline is not used up.
        assert told["elapsed_ms"] < 5000
        assert on(db) == [tenant for tenant in range(1, 21) if tenant != 7]
        assert triggers(db), "the latch goes on for whoever is off"
    assert [event["changed_count"] for event in recorded(db)] == [19]
    db.rows("DROP TRIGGER no ON companies")
    done = modules.restore()
    assert (done["changed_count"], done["latch_left"], triggers(db)) == (1, [], [])
    assert db.snapshot("companies").texts == before.texts


def test_a_row_that_is_refused_beside_one_that_is_held(db: Database) -> None:
    modules = population(db, 20)
    modules.disable()
    db.rows(f"ALTER TABLE companies ADD CHECK (id <> 9 OR settings ->> '{KEY}' <> 'true') NOT VALID")
    with db.transaction("UPDATE companies SET settings = settings WHERE id = 3"):
        told = modules.fails("still_off", "feature_flag", **RESTORED, deadline=1)
    assert [(row["tenant"], "refused" in row) for row in told["blocked"]] == [("9", True), ("3", False)]
    assert told["changed_count"] == 18
    assert "the server refuses it (9: new row" in told["error"]["what"]
    assert "within 1 s: ['3']" in told["error"]["what"]


def test_a_tenant_with_several_rows_that_are_refused_keeps_no_other_off(db: Database) -> None:
    modules = make(db, rows=DOUBLED)
    before = values(db)
    modules.disable()
    db.rows("""ALTER TABLE "Settings" ADD CHECK ("companyId" <> 3 OR value <> 'enabled') NOT VALID""")
    told = modules.fails("still_off", "feature_flag", **RESTORED, deadline=5)
    assert [row["tenant"] for row in told["blocked"]] == ["3"]
    assert [row for row in values(db) if row[0] != 3] == [row for row in before if row[0] != 3]
    db.rows("""ALTER TABLE "Settings" DROP CONSTRAINT "Settings_check" """)
    modules.restore()
    assert values(db) == before


def test_a_file_keeps_the_prior_of_a_row_that_is_refused(db: Database, directory: Path) -> None:
    population(db, 20)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory)
    modules.disable()
    refuse(db, 7)
    told = modules.fails("still_off", "feature_flag", **RESTORED, deadline=5)
    assert (told["changed_count"], [row["tenant"] for row in told["blocked"]]) == (19, ["7"])
    db.rows("DROP TRIGGER no ON companies")
    assert modules.restore()["changed_count"] == 1
    assert db.snapshot("companies").texts == before.texts


def test_an_undo_that_ends_in_its_middle_says_what_is_back(db: Database) -> None:
    modules = population(db, 6000)
    before = db.snapshot("companies")
    modules.disable()
    # Not the row's fault, so nobody is isolated: the disk is full at the second batch.
    refuse(db, 9, state="53100")
    told = modules.fails("disk_full", "feature_flag", **RESTORED)
    assert (told["changed"], told["changed_count"], told["enabled_after"], len(on(db))) == (True, 5000, 5000, 5000)
    assert [event["changed_count"] for event in recorded(db)] == [5000]
    db.rows("DROP TRIGGER no ON companies")
    assert modules.restore()["changed_count"] == 1000
    assert db.snapshot("companies").texts == before.texts


def test_an_undo_that_is_refused_at_once_has_changed_nothing(db: Database) -> None:
    modules = population(db, 20)
    modules.disable()
    refuse(db, 9, state="53100")
    told = modules.fails("disk_full", "feature_flag", **RESTORED)
    assert (told.get("changed", False), on(db), recorded(db)) == (False, [], [])
