# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misfire is undone only if it is clear which stop it was; otherwise the screen says so, and where to read on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import page_of
from tests.integration import playbook
from tests.integration.crowd import FLAG, population
from tests.integration.ledgerless import without_ledger
from tests.integration.place import Database
from tests.playbooks.runner import Run


def _all_back(db: Database, directory: Path, *more: str) -> Run:
    variables = {
        **db.variables,
        "kanban_flag": FLAG,
        "kanban_state_dir": str(directory / "state"),
        "kanban_environment": "staging",
        "kanban_incidents_dir": str(directory / "incidents"),
    }
    hosts = playbook.inventory(directory, variables, db={"db1": {}})
    # A play's hosts are determined before any inventory is read.
    named = ("-e", "kanban_redis_hosts=none", "-e", "kanban_app_hosts=none", "-e", "kanban_reenable=all")
    return playbook.run(directory, "chatia.kanban_rollback.reenable", *hosts, *named, *more)


@pytest.mark.parametrize("how", ["all", "staged"])
def test_after_a_stop_that_never_began_there_is_nothing_to_put_back(db: Database, directory: Path, how: str) -> None:
    population(db)
    run = _all_back(db, directory, "-e", f"kanban_reenable={how}")
    assert run.rc == 0, run.output
    assert "NOTHING TO PUT BACK, nobody was switched on" in run.screen
    assert "NOTHING IS STOPPED." in run.screen
    assert not db.has_ledger()


def test_what_is_stopped_without_an_incident_is_a_refusal_with_its_page(db: Database, directory: Path) -> None:
    population(db)
    without_ledger(db, directory).disable("INC-20200101-001")
    run = _all_back(db, directory)
    assert run.rc == 2, run.output
    assert "No incident is open in any ledger that answered. Name the incident: -e kanban_incident_id=..." in run.screen
    assert page_of("incident_not_named") in run.screen


def test_an_incident_that_was_closed_with_tenants_off_is_named(db: Database, directory: Path) -> None:
    population(db)
    modules = db.modules(**FLAG, environment="staging")
    modules.disable("INC-20200101-001")
    modules.restore("INC-20200101-001", tenants=["1", "2"])
    db.modules().ok("incident", incident_id="INC-20200101-001", state="closed")
    run = _all_back(db, directory)
    assert run.rc == 2, run.output
    assert "INC-20200101-001 was closed with 48 tenants off." in run.screen


def test_nothing_is_returned_under_a_variable_that_nothing_reads(db: Database, directory: Path) -> None:
    run = _all_back(db, directory, "-e", "kanban_incidnt_id=INC-20200101-001")
    assert run.rc == 2, run.output
    assert "Nothing was switched on. kanban_incidnt_id is no variable" in run.text
    assert "is kanban_incident_id meant?" in run.text
    assert page_of("misspelt_variable") in run.text
    assert "PLAY [1. " not in run.output


def test_of_an_incident_that_no_database_knows_nobody_is_told_and_nothing_is_claimed(
    db: Database, directory: Path
) -> None:
    run = _all_back(db, directory, "-e", "kanban_incident_id=INC-20200101-001", "-e", "kanban_notify=true")
    assert run.rc == 2, run.output
    assert "nothing is recorded here under this incident" in run.screen
    assert page_of("unknown_incident") in run.screen
    assert "the fence is lowered" not in run.screen
    assert not list((directory / "incidents").glob("*/messages/*"))
