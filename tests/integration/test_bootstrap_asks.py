# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml counts: an incident that no ledger knows needs what is to be removed, and a host of two tiers is
set up only when both are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import FLAG, population
from tests.integration.journals import Place
from tests.integration.place import Database


@pytest.mark.drill
def test_prior_values_in_files_are_an_incident_that_needs_what_is_to_be_removed(db: Database, directory: Path) -> None:
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    db.modules(role, **FLAG, state_dir=str(directory / "state")).disable("INC-1")
    (file,) = (directory / "state").glob("*.priors.jsonl")
    db.modules().ok("ledger")
    state = {"kanban_state_dir": str(directory / "state")}
    run = Place(db, directory).run("bootstrap", "--check", kanban_state="absent", **state)
    assert run.rc != 0
    assert "NOTHING WAS REMOVED, on any host" in run.screen, run.output
    assert f"db1: Prior values that no ledger has taken over lie in files here: {file}" in run.screen
    assert db.modules().ok("incident_info")["ledger"]["present"]


@pytest.mark.drill
def test_a_host_that_failed_in_its_second_tier_is_not_set_up(db: Database, directory: Path) -> None:
    population(db)
    place = Place(db, directory)
    # Another host goes on: a run without any host left has no last screen.
    more: dict[str, Any] = {"all": {"children": {"app": {"hosts": {"app1": {}}}}}}
    (directory / "more.json").write_text(json.dumps(more), encoding="utf-8")
    # It is lost once its database is done.
    lost = playbook.silent_where("__bootstrap_left is defined")
    run = place.run("bootstrap", "--check", "-i", "more.json", "-e", "kanban_app_hosts=db1,app1", **lost)
    assert run.rc != 0, run.output
    assert "1 of 2 hosts would be set up." in run.screen, run.output
    assert "db1: NOT DONE, see above." in run.screen
