# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder of a run: what it writes and where, what report.yml makes of it, and that it never stands in the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.integration import journals
from tests.integration.crowd import on, population
from tests.integration.journals import Place, lines, tasks
from tests.integration.module import Modules
from tests.integration.place import Database

OPEN = "INC-OPEN"
HOSTILE = "<script>{{ 7*7 }}</script>"
DAY = 86400


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Fifty companies that are on, one of them with a secret, in an incident that is open already."""
    population(db)
    db.rows("UPDATE companies SET settings = settings || %s WHERE id = 1", (json.dumps({"token": HOSTILE}),))
    db.modules().ok("incident", incident_id=OPEN, run_id="before")
    return Place(db, directory)


def closed(place: Place) -> None:
    """Let the incident be over."""
    place.db.modules().ok("incident", incident_id=OPEN, run_id="after", state="closed")


def test_a_run_is_recorded_in_the_incident_that_it_joins(place: Place) -> None:
    plan = place.run("scenario3", "--check")
    assert plan.rc == 0, plan.output
    assert not place.incidents.exists()
    run = place.run("scenario3")
    assert (run.rc, on(place.db)) == (0, []), run.output
    assert "WARNING" not in run.output
    # In the incident that was joined, not under the name that the controller gave, and once.
    assert [path.name for path in place.incidents.iterdir()] == [OPEN]
    (file,) = place.journals(OPEN)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.stat().st_mode & 0o777 for path in (place.incidents, file.parent)] == [0o700, 0o700]
    found = lines(file)
    first, last = found[0], found[-1]
    assert {line["incident_id"] for line in found} == {OPEN}
    assert [line["seq"] for line in found] == list(range(1, len(found) + 1))
    assert (first["event"], first["data"]["operator"], first["data"]["playbook"]) == ("run began", "rui", "scenario3")
    assert first["data"]["requested"] != OPEN
    assert first["data"]["version"] == "0.1.0"
    assert (last["event"], last["data"]["exit"]["kanban_verdict"]) == ("run ended", "contained")
    assert last["data"]["recap"]["failed"] == 0
    kill = tasks(found, "feature_flag")[0]
    assert kill["figures"]["changed_count"] == 50
    assert (kill["host"], kill["ledger_incident"], kill["role"]) == ("db1", OPEN, "contain")
    assert kill["started"] < kill["ended"]
    # The ledger's events of the same run are found by what a line says.
    runs = place.db.rows("SELECT DISTINCT run_id FROM kanban_rollback.events WHERE incident_id = %s", (OPEN,))
    assert (first["run_id"],) in runs
    text = file.read_text(encoding="ascii")
    assert not [secret for secret in (place.db.server.password, "script", "7*7") if secret in text]


def test_the_report_verifies_and_purges_journals(place: Place) -> None:
    for _number in range(2):
        run = place.run("scenario3")
        assert run.rc == 0, run.output
    one, two = place.journals(OPEN)
    assert [tasks(lines(path), "feature_flag")[0]["figures"]["changed_count"] for path in (one, two)] == [50, 0]
    report = place.run("report")
    assert report.rc == 0, report.output
    assert f"journals of {OPEN} (open): 2 of 2 hold" in report.screen

    # A number is changed in one, and the other is cut.
    whole = one.read_bytes()
    one.write_bytes(whole.replace(b'"changed_count":50', b'"changed_count":49'))
    os.truncate(two, two.stat().st_size - 7)
    report = place.run("report")
    assert report.rc != 0
    assert f"JOURNAL NOT WHOLE: {one}: its chain of hashes breaks at" in report.screen
    assert "1 of 2 holds; 1 cut in the last line, nothing before it was changed" in report.screen

    # What is old stays while the incident is open, and goes when it is closed.
    old = time.time() - 100 * DAY
    for path in (one, two):
        os.utime(path, (old, old))
    assert place.run("report").rc != 0
    assert len(place.journals(OPEN)) == 2
    closed(place)
    assert "would remove journals of closed incidents: 2" in place.run("report", "--check").screen
    assert len(place.journals(OPEN)) == 2
    assert "removed journals of closed incidents: 2" in place.run("report").screen
    assert place.journals(OPEN) == []
    assert place.run("report").rc == 0


def test_a_disk_that_is_full_or_read_only_fails_nothing(place: Place) -> None:
    if os.geteuid():
        pytest.skip("only root mounts a disk")
    place.incidents.mkdir()
    for options, incident in (("size=24k", "INC-FULL"), ("size=1m,ro", "INC-READ-ONLY")):
        # Seen by this run alone; what is on it is kept beside.
        mount = 'mount -t tmpfs -o "$1" none "$2"; shift 2; "$@"; rc=$?; cp -a "$OLDPWD/incidents" "$0" || :; exit $rc'
        kept = place.directory / incident
        script = f'cd "{place.directory}"; cd .; {mount}'
        prefix = ("unshare", "-m", "sh", "-c", script, str(kept), options, str(place.incidents))
        run = place.run("scenario3", prefix=prefix, kanban_incident_id=incident, kanban_evidence_seconds=0)
        assert run.rc in (0, 2), run.output
        assert "CONTAINED" in run.screen, run.output
        assert run.output.count("The run's journal is not whole") == 1, run.output
        assert on(place.db) == []
        found = list(kept.glob("*/journal-*"))
        assert [line["seq"] for path in found for line in lines(path)] == list(
            range(1, sum(len(lines(path)) for path in found) + 1)
        )
        assert bool(found) == (incident == "INC-FULL")


def test_a_controller_that_is_killed_leaves_whole_lines(place: Place) -> None:
    running = place.start("scenario3")
    try:
        running.says("Stopped: what holds now")
        running.kill()
    finally:
        running.clear()
    (file,) = place.journals(OPEN)
    (told,) = Modules({}).ok("journal_info", path=str(place.incidents))["journals"]
    assert (told["holds"], told["ended"], told["cut"]) == (True, False, False)
    assert told["lines"] == len(lines(file))
    # Without any ledger and without a home of its own the stop is recorded all the same, or not at all.
    run = place.run("scenario3", kanban_incidents_dir="/proc/none", kanban_incident_id="INC-2")
    assert run.output.count("The run's journal is not whole") == 1, run.output
    assert "/proc/none" in run.output


def test_a_look_that_has_no_incident_leaves_nothing(db: Database, directory: Path) -> None:
    population(db)
    place = Place(db, directory)
    place.run("triage", kanban_triage_seconds=5, kanban_triage_watch_seconds=1)
    place.run("report")
    assert not place.incidents.exists()
    assert journals.SCHEMA["title"]
