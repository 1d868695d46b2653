# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a closed incident, given again while the ledger takes nothing: whose are the prior values of its file?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.crowd import on, population
from tests.integration.ledgerless import files, without_ledger
from tests.integration.module import Modules
from tests.integration.place import Database

Refusal = Callable[[str], AbstractContextManager[Modules]]


@pytest.fixture
def refused(db: Database, directory: Path) -> Refusal:
    """A role with a ledger of which a table takes nothing for a while, as without a grant; 50 of 100 have the flag."""
    population(db)
    modules = without_ledger(db, directory)
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])

    @contextmanager
    def refusing(table: str) -> Iterator[Modules]:
        db.rows(f"REVOKE INSERT ON kanban_rollback.{table} FROM {modules.options['login_user']}")
        yield modules
        db.rows(f"GRANT INSERT ON kanban_rollback.{table} TO {modules.options['login_user']}")

    return refusing


def close(db: Database, incident: str) -> None:
    db.modules().ok("incident", incident_id=incident, state="closed")


def test_what_a_closed_incident_left_in_a_file_is_not_the_next_ones_of_its_id(
    db: Database, directory: Path, refused: Refusal
) -> None:
    """Its file was undone where it lies, and says so after what the next one kept."""
    before = db.snapshot("companies")
    with refused("flag_changes") as modules:
        modules.disable("INC-7")
        assert modules.restore("INC-7")["changed_count"] == 50
    assert len(files(directory)) == 1
    close(db, "INC-7")
    assert modules.disable("INC-7")["incident"]["incident_id"] == "INC-7-2"
    assert modules.restore("INC-7-2")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_who_was_left_off_by_a_closed_incident_stays_off(db: Database, refused: Refusal) -> None:
    with refused("flag_changes") as modules:
        modules.disable("INC-7")
    close(db, "INC-7")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
    assert modules.disable("INC-7")["changed_count"] == 1
    assert modules.restore("INC-7-2")["changed_count"] == 1
    assert on(db) == [3]


@pytest.mark.parametrize("again", [1, 2])
def test_a_stop_that_only_a_file_knows_of_goes_on_apart_from_the_closed_one(
    db: Database, directory: Path, refused: Refusal, again: int
) -> None:
    """Who was left off by the closed one stays off; the first prior counts, however often it is stopped again."""
    with refused("incidents") as modules:
        pass
    modules.disable("INC-20261127-007")
    close(db, "INC-20261127-007")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": "sim"}' WHERE id = 3""")
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    with refused("incidents"):
        assert modules.disable("INC-20261127-007")["priors"]["kept_in"] == "file"
    for number in range(again):
        db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
        told = modules.disable(f"INC-20261127-{10 + number:03}")
        assert (told["changed_count"], told["incident"]["incident_id"]) == (1, "INC-20261127-007-2")
    assert modules.restore("INC-20261127-007")["incident"]["incident_id"] == "INC-20261127-007-2"
    assert db.snapshot("companies").texts == before.texts


def test_priors_of_a_joined_incident_are_found_whatever_the_run_called_it(
    db: Database, directory: Path, refused: Refusal
) -> None:
    """The run's own id may be that of a closed incident, which is no name of the one that it joins."""
    before = db.snapshot("companies")
    with refused("incidents") as asked:
        modules = asked.having(incident_adopt=True)
    modules.disable("INC-20261127-007")
    modules.restore("INC-20261127-007")
    close(db, "INC-20261127-007")
    modules.disable("INC-20261127-008", tenants=[])
    with refused("flag_changes"):
        told = modules.disable("INC-20261127-007")
        assert (told["incident"]["incident_id"], told["priors"]["kept_in"]) == ("INC-20261127-008", "file")
    assert modules.restore("INC-20261127-008")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_a_closed_incidents_file_is_found_by_its_own_name_once_there_is_a_newer_one(
    db: Database, directory: Path, refused: Refusal
) -> None:
    before = db.snapshot("companies")
    with refused("incidents") as modules:
        pass
    modules.disable("INC-7")
    modules.restore("INC-7")
    close(db, "INC-7")
    with refused("flag_changes"):
        told = modules.disable("INC-7")
        assert (told["incident"]["incident_id"], told["priors"]["kept_in"]) == ("INC-7-2", "file")
    close(db, "INC-7-2")
    assert modules.disable("INC-7")["incident"]["incident_id"] == "INC-7-3"
    assert modules.restore("INC-7")["changed_count"] == 0
    assert modules.restore("INC-7-2")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_the_first_prior_wins_also_if_a_large_file_has_it_under_the_id_of_a_closed_one(
    db: Database, directory: Path, refused: Refusal
) -> None:
    with refused("incidents") as modules:
        pass
    modules.disable("INC-20261127-007")
    modules.restore("INC-20261127-007")
    close(db, "INC-20261127-007")
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": "sim"}' WHERE id = 3""")
    before = db.snapshot("companies")
    modules = modules.having(incident_adopt=True)
    with refused("incidents"):
        modules.disable("INC-20261127-007")
    (path,) = files(directory)
    with path.open("a") as file:
        file.write("x" * 5_000_000 + "\n")
    modules.disable("INC-20261127-008")
    for number in (8, 9):
        db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
        assert modules.disable(f"INC-20261127-{number:03}")["priors"]["kept_in"] == "file"
    modules.restore("INC-20261127-009")
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("named", ["INC-20261127-001", "INC-20261127-002"], ids=["same", "next"])
@pytest.mark.parametrize("large", [False, True])
def test_the_incident_of_the_file_may_have_the_id_of_a_closed_one(
    db: Database, directory: Path, named: str, large: bool
) -> None:
    """Ids of controllers come again within 86 seconds, aliases too: the ledger adds a number."""
    population(db)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory).having(incident_adopt=True)
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    modules.disable("INC-20261127-000")
    modules.disable("INC-20261127-001")
    modules.restore("INC-20261127-001")
    db.modules().ok("incident", incident_id="INC-20261127-001", state="closed")
    db.rows(f"REVOKE INSERT ON kanban_rollback.incidents FROM {modules.options['login_user']}")
    assert modules.disable("INC-20261127-001")["priors"]["kept_in"] == "file"
    (path,) = files(directory)
    if large:
        with path.open("a") as file:
            file.write("x" * 5_000_000 + "\n")
    db.rows(f"GRANT INSERT ON kanban_rollback.incidents TO {modules.options['login_user']}")
    for told in (modules.disable(named, check=True), modules.disable(named)):
        assert told["incident"]["incident_id"] == "INC-20261127-001-2"
        assert any("This goes on with it" in warning for warning in told["warnings"])
    assert path.exists() is large
    assert modules.restore(named)["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
    assert not path.exists()


def test_a_file_that_was_left_before_its_incident_was_closed_is_gone_on_with_by_nobody(
    db: Database, directory: Path
) -> None:
    population(db)
    modules = without_ledger(db, directory).having(incident_adopt=True)
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    db.rows(f"REVOKE INSERT ON kanban_rollback.flag_changes FROM {modules.options['login_user']}")
    assert modules.disable("INC-20261127-001")["priors"]["kept_in"] == "file"
    db.rows(f"GRANT INSERT ON kanban_rollback.flag_changes TO {modules.options['login_user']}")
    db.modules().ok("incident", incident_id="INC-20261127-001", state="closed")
    assert modules.disable("INC-20261127-002")["incident"]["incident_id"] == "INC-20261127-002"
