# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misfire is undone only if it is clear which stop it was; otherwise the screen says so, and where to read on."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import page_of
from tests.integration import playbook
from tests.integration.place import Database
from tests.playbooks.runner import Run


def _all_back(db: Database, directory: Path, *more: str) -> Run:
    variables = {
        **db.variables,
        "kanban_environment": "staging",
        "kanban_incidents_dir": str(directory / "incidents"),
    }
    hosts = playbook.inventory(directory, variables, db={"db1": {}})
    # A play's hosts are determined before any inventory is read.
    named = ("-e", "kanban_redis_hosts=none", "-e", "kanban_app_hosts=none", "-e", "kanban_reenable=all")
    return playbook.run(directory, "chatia.kanban_rollback.reenable", *hosts, *named, *more)


def test_no_incident_is_a_refusal_with_its_page(db: Database, directory: Path) -> None:
    run = _all_back(db, directory)
    assert run.rc == 2, run.output
    assert "No incident is open in any ledger that answered. Name the incident: -e kanban_incident_id=..." in run.screen
    assert page_of("incident_not_named") in run.screen
    assert not db.has_ledger()


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
