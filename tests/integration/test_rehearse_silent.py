# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rehearse.yml does about what a killed rehearsal left, if a database is silent about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.integration.playbook import silent_where
from tests.integration.rehearsals import Staging


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on, and rows that are corrupt already."""
    return Staging.load(db, directory)


def killed_at_its_data(place: Staging) -> None:
    """Begin a rehearsal, and kill it when it plants its data."""
    running = place.begin()
    try:
        running.says("Plant test data")
        running.kill()
    finally:
        running.clear()


@pytest.mark.drill
def test_a_database_that_is_silent_is_neither_as_before_nor_without_a_rehearsal(place: Staging) -> None:
    before = place.rows()
    both = ("-i", "db2,", "-e", "kanban_db_hosts=db1:db2", "-e", "kanban_rehearse=put_back")
    nowhere = silent_where("inventory_hostname == 'db2'")
    killed_at_its_data(place)
    for said in ("PUT BACK IN PART: what the rehearsal ", "NOTHING PUT BACK: not every ledger has said"):
        run = place.rehearse(*both, **nowhere)
        assert (run.rc, said in run.screen) == (2, True), run.output
        assert "NOT KNOWN: db2: could not be reached" in run.screen
        assert (place.rows(), place.open()) == (before, [])


@pytest.mark.drill
def test_one_whose_last_sign_of_life_could_not_be_read_is_not_dead(place: Staging) -> None:
    before = place.rows()
    killed_at_its_data(place)
    left = (place.rows(), place.open())
    run = place.rehearse(**silent_where("__rehearse_info is defined and __rehearse_events is not defined"))
    assert (run.rc, place.rows(), place.open()) == (2, *left), run.output
    assert "REFUSED: nothing was changed." in run.screen
    assert "db1: a rehearsal is open, and whether it is at work still is NOT KNOWN: could not be reached" in run.screen
    back = place.rehearse("-e", "kanban_rehearse=put_back")
    assert (back.rc, place.rows(), place.open()) == (0, before, []), back.output
