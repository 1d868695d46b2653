# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a closed incident, given again while the ledger takes nothing: whose are the prior values of its file?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.crowd import on, population
from tests.integration.ledgerless import files, without_ledger
from tests.integration.module import Modules
from tests.integration.place import Database


@pytest.fixture
def modules(db: Database, directory: Path) -> Modules:
    """Modules as a role that a ledger is there for; 50 of 100 tenants have the flag."""
    population(db)
    found = without_ledger(db, directory)
    db.modules().ok("ledger", grant_to=[found.options["login_user"]])
    return found


@contextmanager
def refused(db: Database, modules: Modules, table: str) -> Iterator[None]:
    """Let a table of the ledger take nothing for a while, as without a grant."""
    role = modules.options["login_user"]
    db.rows(f"REVOKE INSERT ON kanban_rollback.{table} FROM {role}")
    yield
    db.rows(f"GRANT INSERT ON kanban_rollback.{table} TO {role}")


def close(db: Database, incident: str) -> None:
    db.modules().ok("incident", incident_id=incident, state="closed")


def begin_and_end(db: Database, modules: Modules, incident: str) -> None:
    """Have an incident that is undone and closed."""
    modules.disable(incident)
    modules.restore(incident)
    close(db, incident)


def make_large(path: Path) -> None:
    """Make a prior file too large to be taken over by a kill. What is no line of it is left out."""
    with path.open("a") as file:
        file.write("x" * 5_000_000 + "\n")


def test_what_a_closed_incident_left_in_a_file_is_not_the_next_ones_of_its_id(
    db: Database, directory: Path, modules: Modules
) -> None:
    """Its file was undone where it lies, and says so after what the next one kept."""
    before = db.snapshot("companies")
    with refused(db, modules, "flag_changes"):
        modules.disable("INC-7")
        assert modules.restore("INC-7")["changed_count"] == 50
    assert len(files(directory)) == 1
    close(db, "INC-7")
    assert modules.disable("INC-7")["incident"]["incident_id"] == "INC-7-2"
    assert modules.restore("INC-7-2")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_who_was_left_off_by_a_closed_incident_stays_off(db: Database, modules: Modules) -> None:
    with refused(db, modules, "flag_changes"):
        modules.disable("INC-7")
    close(db, "INC-7")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
    assert modules.disable("INC-7")["changed_count"] == 1
    assert modules.restore("INC-7-2")["changed_count"] == 1
    assert on(db) == [3]


@pytest.mark.parametrize("again", [1, 2])
def test_a_stop_that_only_a_file_knows_of_goes_on_apart_from_the_closed_one(
    db: Database, directory: Path, modules: Modules, again: int
) -> None:
    """Who was left off by the closed one stays off; the first prior counts, however often it is stopped again."""
    modules.disable("INC-20261127-007")
    close(db, "INC-20261127-007")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": "sim"}' WHERE id = 3""")
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    with refused(db, modules, "incidents"):
        assert modules.disable("INC-20261127-007")["priors"]["kept_in"] == "file"
    for number in range(again):
        db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
        told = modules.disable(f"INC-20261127-{10 + number:03}")
        assert (told["changed_count"], told["incident"]["incident_id"]) == (1, "INC-20261127-007-2")
    assert modules.restore("INC-20261127-007")["incident"]["incident_id"] == "INC-20261127-007-2"
    assert db.snapshot("companies").texts == before.texts


def test_priors_of_a_joined_incident_are_found_whatever_the_run_called_it(
    db: Database, directory: Path, modules: Modules
) -> None:
    """The run's own id may be that of a closed incident, which is no name of the one that it joins."""
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    begin_and_end(db, modules, "INC-20261127-007")
    modules.disable("INC-20261127-008", tenants=[])
    with refused(db, modules, "flag_changes"):
        told = modules.disable("INC-20261127-007")
        assert (told["incident"]["incident_id"], told["priors"]["kept_in"]) == ("INC-20261127-008", "file")
    assert modules.restore("INC-20261127-008")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_a_closed_incidents_file_is_found_by_its_own_name_once_there_is_a_newer_one(
    db: Database, directory: Path, modules: Modules
) -> None:
    before = db.snapshot("companies")
    begin_and_end(db, modules, "INC-7")
    with refused(db, modules, "flag_changes"):
        told = modules.disable("INC-7")
        assert (told["incident"]["incident_id"], told["priors"]["kept_in"]) == ("INC-7-2", "file")
    close(db, "INC-7-2")
    assert modules.disable("INC-7")["incident"]["incident_id"] == "INC-7-3"
    assert modules.restore("INC-7")["changed_count"] == 0
    assert modules.restore("INC-7-2")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_the_first_prior_wins_also_if_a_large_file_has_it_under_the_id_of_a_closed_one(
    db: Database, directory: Path, modules: Modules
) -> None:
    begin_and_end(db, modules, "INC-20261127-007")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": "sim"}' WHERE id = 3""")
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    with refused(db, modules, "incidents"):
        modules.disable("INC-20261127-007")
    (path,) = files(directory)
    make_large(path)
    modules.disable("INC-20261127-008")
    for number in (8, 9):
        db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
        assert modules.disable(f"INC-20261127-{number:03}")["priors"]["kept_in"] == "file"
    modules.restore("INC-20261127-009")
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("named", ["INC-20261127-001", "INC-20261127-002"], ids=["same", "next"])
@pytest.mark.parametrize("large", [False, True])
def test_the_incident_of_the_file_may_have_the_id_of_a_closed_one(
    db: Database, directory: Path, modules: Modules, named: str, large: bool
) -> None:
    """Ids of controllers come again within 86 seconds, aliases too: the ledger adds a number."""
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    modules.disable("INC-20261127-000")
    begin_and_end(db, modules, "INC-20261127-001")
    with refused(db, modules, "incidents"):
        assert modules.disable("INC-20261127-001")["priors"]["kept_in"] == "file"
    (path,) = files(directory)
    if large:
        make_large(path)
    for told in (modules.disable(named, check=True), modules.disable(named)):
        assert told["incident"]["incident_id"] == "INC-20261127-001-2"
        assert any("This goes on with it" in warning for warning in told["warnings"])
    assert path.exists() is large
    assert modules.restore(named)["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
    assert not path.exists()


def test_a_file_that_was_left_before_its_incident_was_closed_is_gone_on_with_by_nobody(
    db: Database, modules: Modules
) -> None:
    modules = modules.having(incident_adopt=True)
    with refused(db, modules, "flag_changes"):
        assert modules.disable("INC-20261127-001")["priors"]["kept_in"] == "file"
    close(db, "INC-20261127-001")
    assert modules.disable("INC-20261127-002")["incident"]["incident_id"] == "INC-20261127-002"
