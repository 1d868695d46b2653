# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default of all tenants comes back with the last stage, and goes with it if that stage does not pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration import returns
from tests.integration.metrics import application
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.returns import Return
from tests.integration.test_key_value import make, values
from tests.integration.test_return_in_stages import screen

pytestmark = pytest.mark.timeout(600)


def default(db: Database) -> str | None:
    """Return the value of the row without a tenant."""
    tenant, value = values(db)[-1]
    assert tenant is None
    return value


def test_the_last_stage_takes_the_default_back_that_it_had_given(db: Database) -> None:
    modules = make(db)
    modules.disable(global_default=True)
    modules.restore(share=50)
    taken = modules.disable(share=50, withdrawn=True)
    assert (taken["stage"].get("default"), taken["global_default"]) == (None, "off")
    modules.restore(share=50)
    modules.restore(share=100, share_above=50)
    assert default(db) == "enabled"
    plan = modules.disable(share=100, share_above=50, withdrawn=True, check=True)
    assert (plan["stage"]["default"], plan["global_default"], default(db)) == (True, "off", "enabled")
    taken = modules.disable(share=100, share_above=50, withdrawn=True, settle=1)
    assert (taken["stage"]["default"], taken["global_default"], default(db)) == (True, "off", "disabled")
    # Its prior value was kept again, so it comes back with the stage.
    modules.restore(share=100, share_above=50)
    assert default(db) == "enabled"


def test_a_default_that_the_incident_did_not_switch_stays_as_it_is(db: Database) -> None:
    modules = make(db)
    modules.fails("default_left_on", "feature_flag", state="disabled", incident_id="INC-1", global_default=False)
    modules.restore(share=100)
    taken = modules.disable(share=100, withdrawn=True)
    assert (taken["stage"]["default"], taken["global_default"], default(db)) == (False, "on", "enabled")


def test_a_default_that_somebody_holds_is_not_said_to_be_off(db: Database) -> None:
    modules = make(db)
    modules.disable(global_default=True)
    modules.restore(share=100)
    with db.transaction('SELECT FROM "Settings" WHERE "companyId" IS NULL FOR UPDATE'):
        modules.fails(
            "default_not_switched",
            "feature_flag",
            state="disabled",
            incident_id="INC-1",
            share=100,
            withdrawn=True,
            deadline=2,
        )
    assert default(db) == "enabled"


def test_a_last_stage_that_does_not_pass_leaves_no_default_on(
    db: Database, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def population(db: Database, _number: int) -> Modules:
        db.rows('CREATE TABLE tickets (id serial, "companyId" integer)')
        db.rows("CREATE TABLE companies (id integer)")
        modules = make(db)
        modules.disable(global_default=True)
        return modules

    monkeypatch.setattr(returns, "population", population)
    with application(directory / "answers") as app:
        back = Return(db, app, directory)
        flag: dict[str, Any] = {"table": "Settings", "tenant_column": "companyId", "key_column": "key", "path": None}
        words = {"key": "kanbanV2", "column": "value", "enabled_value": "enabled", "disabled_value": "disabled"}
        back.variables.update(kanban_flag={"store": "key_value", **flag, **words}, kanban_global_default=True)
        app.says("metrics", {"errorRate": 7})
        run = back.run(kanban_stages=[100])
    assert run.rc != 0, run.output
    assert "stage 100 %: its tenants are off again (4 were switched off)" in screen(run)
    assert "db1: the default of all tenants is off again, too" in screen(run)
    assert [value for _tenant, value in values(db) if value == "enabled"] == []
