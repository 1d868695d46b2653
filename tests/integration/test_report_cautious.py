# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.yml neither removes nor claims what it does not know for certain: a retention that is not a number, a host
that is silent for one task."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpmanifest as manifests
from tests.integration import playbook
from tests.integration.crowd import population
from tests.integration.journals import Place
from tests.integration.place import Database

INCIDENT = "INC-OPEN"
# Closes the incident that long ago.
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


def old_dump(place: Place, name: str, at: str) -> Path:
    """Make a dump that is whole, as old as its manifest says."""
    path = place.directory / "dumps" / name
    path.mkdir(parents=True)
    (path / "toc.dat").write_bytes(b"contents")
    told = {
        "version": manifests.VERSION,
        "incident_id": INCIDENT,
        "database": {"name": "crm", "cluster": "7001"},
        "tables": [],
        "files": manifests.file_entries(path, 1),
        "ended_at": at,
        "verified": "toc",
        "total_bytes": 8,
    }
    manifests.write_manifest(path, told)
    for one in (*path.iterdir(), path):
        os.utime(one, (0, 0))
    return path


@pytest.mark.drill
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("now", "words", "rows"),
    [
        ("__report_took is defined and __report_found is not defined", "db1: NOT LOOKED INTO: ", 1),
        ("__report_found is defined and __report_quarantine is not defined", "db1: NOT PURGED TO THE END: ", 1),
        ("__report_choice is defined and __report_removed is not defined", "db1: NOT REMOVED: ", 0),
    ],
)
def test_a_host_that_is_silent_for_one_task_is_no_host_with_nothing_to_purge(
    place: Place, now: str, words: str, rows: int
) -> None:
    old, _newer = (
        old_dump(place, "a", "2026-01-01T00:00:00.000000Z"),
        old_dump(place, "b", "2026-01-02T00:00:00.000000Z"),
    )
    modules = place.db.modules(incident_id=INCIDENT)
    modules.ok("incident_files", files=[{"name": "journal-a.jsonl", "text": "a\n"}])
    place.db.rows(OVER)
    report = place.run("report", **playbook.silent_where(now))
    assert report.rc != 0, report.output
    assert words in report.screen
    assert "Nothing that may go is older" not in report.screen
    assert place.db.value(KEPT) == rows
    whole = place.run("report")
    assert (whole.rc, old.exists(), place.db.value(KEPT)) == (0, False, 0), whole.output


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_report_is_not_written_from_less_where_a_ledger_is_lost_at_the_second_reading(place: Place) -> None:
    """The ledger said what is open, and then nothing."""
    assert place.run("scenario3").rc == 0
    assert place.run("report", kanban_close=True).rc == 0
    record = place.incidents / INCIDENT / "incident.md"
    before = record.read_bytes()
    assert "Encerrado" in before.decode()
    lost = playbook.silent_where("__report_info is defined and __report_ledger is not defined")
    report = place.run("report", **lost)
    assert record.read_bytes() == before, report.output
    assert report.rc != 0
    assert f"{INCIDENT}: A ledger was not read (db1: " in report.screen
    assert place.run("report").rc == 0
