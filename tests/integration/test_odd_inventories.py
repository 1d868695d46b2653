# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in an inventory or on the command line that nobody meant: no stop waits for them, or is reported as better."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import on, population
from tests.integration.journals import Place
from tests.integration.place import Database

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]


@pytest.mark.parametrize(
    ("objectives", "objective"), [({"scenario3": "90"}, 90), ({"scenario3": None}, 120), ({"scenario3": "soon"}, 120)]
)
def test_a_name_and_an_objective_that_are_misspelt(
    db: Database, directory: Any, objectives: dict[str, Any], objective: int
) -> None:
    population(db)
    place = Place(db, directory)
    run = place.start("scenario3", kanban_db_hosts="db1,dbb2", kanban_rto_seconds=objectives).wait(timeout=600)
    assert (run.rc != 0, on(db)) == (True, []), run.output
    assert "CONTAINED IN PART: Kanban V2 is off for all 50 tenants" in run.screen, run.screen
    assert "NOT WELL: dbb2 of kanban_db_hosts is no host, so nothing was done there" in run.screen
    assert f"the objective of {objective} s" in run.screen or f"the objective is {objective} s" in run.screen
