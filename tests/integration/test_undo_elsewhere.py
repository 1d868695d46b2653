# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An undo that does not have all of the prior values: it says so, and what was kept is not spent before it is back."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import directories
from tests.integration.crowd import on, population
from tests.integration.flags import KEY
from tests.integration.ledgerless import files, without_ledger
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_stays_off import triggers

RESTORED: dict[str, Any] = {"state": "restored", "incident_id": "INC-1"}


def refuse_at_commit(db: Database, tenant: int) -> None:
    """The application checks this tenant when the transaction commits, and does not let it have the feature."""
    db.rows(f"""CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF NEW.settings::jsonb -> '{KEY}' = 'true' THEN RAISE 'not in plan'; END IF;
        RETURN NULL; END$$""")  # fmt: skip
    db.rows(f"""CREATE CONSTRAINT TRIGGER no AFTER UPDATE ON companies DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.id = {tenant}) EXECUTE FUNCTION no()""")  # fmt: skip


@pytest.mark.parametrize("ledger", [True, False])
def test_what_is_refused_at_the_commit_is_not_spent(db: Database, directory: Path, ledger: bool) -> None:
    population(db, 20)
    before = db.snapshot("companies")
    modules = population_modules(db, directory, ledger)
    modules.disable()
    refuse_at_commit(db, 7)
    told = modules.fails("still_off", "feature_flag", **RESTORED, deadline=5)
    assert (told["changed_count"], [row["tenant"] for row in told["blocked"]]) == (19, ["7"])
    db.rows("DROP TRIGGER no ON companies")
    assert modules.restore()["changed_count"] == 1
    assert db.snapshot("companies").texts == before.texts


def population_modules(db: Database, directory: Path, ledger: bool) -> Modules:
    if not ledger:
        return without_ledger(db, directory)
    return db.modules(table="companies", column="settings", path=[KEY])


def refused_records(db: Database) -> None:
    """The ledger knows the incident and its events, but takes no prior value."""
    db.rows("""CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE 'no room' USING ERRCODE = '53100'; END$$""")
    db.rows("""CREATE TRIGGER full_up BEFORE INSERT ON kanban_rollback.flag_changes FOR EACH ROW
        EXECUTE FUNCTION full_up()""")


def test_prior_values_on_another_host_are_missed_and_named(db: Database, directory: Path) -> None:
    modules = population(db, 20).having(state_dir=str(directory / "state"))
    before = db.snapshot("companies")
    db.modules().ok("ledger")
    refused_records(db)
    killed = modules.disable(latch=True)
    assert killed["priors"]["kept_in"] == "file"
    db.rows("DROP TRIGGER full_up ON kanban_rollback.flag_changes")
    (path,) = files(directory)
    elsewhere = path.rename(directory / path.name)
    told = modules.fails("priors_elsewhere", "feature_flag", **RESTORED)
    assert (told["changed_count"], told["enabled_after"], on(db)) == (0, 0, [])
    assert (
        f"Of 20 tenants that this incident switched off the prior values are not here but in {path}"
        in (told["error"]["what"])
    )
    assert triggers(db), "the latch was lowered, although nobody is back"
    elsewhere.rename(path)
    undone = modules.restore()
    assert (undone["changed_count"], triggers(db)) == (20, [])
    assert db.snapshot("companies").texts == before.texts
    assert not modules.restore()["changed"]


def test_stages_that_were_switched_off_again_do_not_hide_what_lies_elsewhere(db: Database, directory: Path) -> None:
    """Their entries are in the ledger beside those of the kill, and are no prior values of the kill's."""
    modules = population(db, 20).having(state_dir=str(directory / "state"))
    modules.disable(tenants=list(range(1, 11)))
    refused_records(db)
    assert modules.disable()["priors"]["kept_in"] == "file"
    db.rows("DROP TRIGGER full_up ON kanban_rollback.flag_changes")
    (path,) = files(directory)
    path.rename(directory / path.name)
    for _time in range(2):
        modules.run("feature_flag", **RESTORED, share=100)
        assert len(on(db)) == 10
        modules.disable(share=100, withdrawn=True)
    told = modules.fails("priors_elsewhere", "feature_flag", **RESTORED)
    assert "Of 10 tenants that this incident switched off" in told["error"]["what"]


def test_an_undo_of_another_flag_is_refused(db: Database) -> None:
    modules = population(db, 5)
    modules.disable()
    told = modules.fails("other_flag", "feature_flag", **RESTORED, path=["kanbanV3Enabled"])
    assert "settings -> kanbanV2Enabled" in told["error"]["what"]
    # A kill that found nobody was about that flag all the same.
    modules.disable(path=["kanbanV3Enabled"])
    assert not modules.ok("feature_flag", **RESTORED, path=["kanbanV3Enabled"])["changed"]
    assert modules.restore()["changed_count"] == 5


def test_a_file_that_another_run_has_is_not_taken_over(db: Database, directory: Path) -> None:
    population(db, 5)
    before = db.snapshot("companies")
    without_ledger(db, directory).disable()
    (path,) = files(directory)
    modules = db.modules(table="companies", column="settings", path=[KEY], state_dir=str(directory / "state"))
    db.modules().ok("ledger")
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        undone = modules.restore()
    finally:
        os.close(handle)
        # Noted in the next place instead, which is the machine's own.
        for place in directories():
            (place / path.name).unlink(missing_ok=True)
    assert any(f"{path} stays a source of priors" in warning for warning in undone["warnings"])
    assert db.snapshot("companies").texts == before.texts
