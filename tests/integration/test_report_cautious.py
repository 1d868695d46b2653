# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What report.yml does not know for certain it neither removes nor says: a retention that is no number, a host that is
silent for one task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crowd import population
from tests.integration.journals import Place
from tests.integration.place import Database

INCIDENT = "INC-OPEN"
# What was closed so long ago.
OVER = """UPDATE kanban_rollback.incidents
    SET opened_at = now() - interval '200 days', closed_at = now() - interval '150 days' RETURNING 1"""
# Journals in the ledger.
KEPT = "SELECT count(*) FROM kanban_rollback.files"


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Fifty companies that are on, in an incident that is open already."""
    population(db)
    db.modules().ok("incident", incident_id=INCIDENT, run_id="before")
    return Place(db, directory)


@pytest.mark.drill
def test_a_retention_that_is_no_number_removes_nothing_and_the_reports_are_written(place: Place) -> None:
    assert place.run("scenario3").rc == 0
    place.db.rows(OVER)
    before = (place.db.value(KEPT), place.journals(INCIDENT))
    assert all(before)
    for days in ("90 days", -1):
        report = place.run("report", kanban_retention_days=days, kanban_incident_id=INCIDENT)
        assert (place.db.value(KEPT), place.journals(INCIDENT)) == before, report.output
        assert report.rc != 0
        assert "NOTHING WAS PURGED, on any host: kanban_retention_days is no whole number of days" in report.screen
        assert f"{INCIDENT} (contained, closed): " in report.screen
    last = place.run("report", kanban_retention_days="90")
    assert last.rc == 0, last.output
    assert (place.db.value(KEPT), place.journals(INCIDENT)) == (0, [])
