# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder of a run: what it writes and where, what report.yml makes of it, and that it never gets in the way."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalrun import Named, Recorder
from tests.integration import playbook
from tests.integration.crowd import on, population
from tests.integration.journals import Place, lines, tasks
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.playbooks.runner import CHECKOUT

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


def test_a_run_is_recorded_in_the_incident_that_it_joins(place: Place) -> None:
    run = place.run("scenario3")
    assert (run.rc, on(place.db)) == (0, []), run.output
    assert "journal is not whole" not in run.output
    # In the incident that was joined, not under the name that the controller gave, and once.
    (file,) = place.incidents.rglob("journal-*")
    assert file.parent.name == OPEN
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
    # The ledger's events of the same run are found by the run id of a line.
    runs = place.db.rows("SELECT DISTINCT run_id FROM kanban_rollback.events WHERE incident_id = %s", (OPEN,))
    assert (first["run_id"],) in runs
    text = file.read_text(encoding="ascii")
    assert not [secret for secret in (place.db.server.password, "script", "7*7") if secret in text]
    # The report: the journal, one in which a number is changed, one that is cut, and one that is old.
    whole = file.read_bytes()
    changed, cut, old = (file.with_name(f"journal-{name}.jsonl") for name in ("changed", "cut", "old"))
    changed.write_bytes(whole.replace(b'"changed_count":50', b'"changed_count":49'))
    cut.write_bytes(whole[:-7])
    old.write_bytes(whole)
    os.utime(old, (time.time() - 100 * DAY,) * 2)
    report = place.run("report")
    assert report.rc != 0
    assert f"JOURNAL NOT WHOLE: {changed}: its chain of hashes breaks at {first['run_id']}/" in report.screen
    assert f"journals of {OPEN} (open): 3 of 4 hold; 1 cut in the last line, nothing before it" in report.screen
    # An old journal stays while the incident is open.
    assert old.exists()
    # The reports are written, and do not believe what was changed.
    folder = file.parent
    made = ("incident.md", "postmortem.md", "checklists.md", "timings.json", "report.html", "words.md")
    assert [(folder / name).stat().st_mode & 0o777 for name in made] == [0o600] * len(made)
    assert f"{OPEN} (contained): written: words.md, incident.md" in report.screen
    told = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
    assert (told["scenario"], told["environment"], told["companies"], told["rehearsal"]) == ("scenario3", "", 50, False)
    assert told["objective"]["met"] is True
    record = (folder / "incident.md").read_text(encoding="utf-8")
    assert "50 de 50 que tinham, 50 no total" in record
    assert "`rui`" in record
    index = json.loads((place.incidents / "index.json").read_text(encoding="utf-8"))
    assert [row["incident_id"] for row in index["incidents"]] == [OPEN]
    assert "index of 1 incidents and rehearsals" in report.screen


@pytest.mark.drill
def test_journals_of_a_closed_incident_go_with_its_records(place: Place) -> None:
    runs = [place.run("scenario3") for _number in range(2)]
    assert [run.rc for run in runs] == [0, 0]
    one, two = place.journals(OPEN)
    assert [tasks(lines(path), "feature_flag")[0]["figures"]["changed_count"] for path in (one, two)] == [50, 0]
    plan = place.run("report", "--check", kanban_close=True)
    assert f"{OPEN} would be closed" in plan.screen
    assert place.db.modules().ok("incident_info")["open"]
    assert not (place.incidents / OPEN / "incident.md").exists()
    closed = place.run("report", kanban_close=True)
    assert closed.rc == 0, closed.output
    assert f"{OPEN} is closed" in closed.screen
    assert place.db.modules().ok("incident_info")["open"] == []
    assert "Encerrado" in (place.incidents / OPEN / "incident.md").read_text(encoding="utf-8")
    # A second close is one too many: none is open.
    again = place.run("report", kanban_close=True)
    assert again.rc != 0
    assert "NOTHING WAS CLOSED: none is open" in again.screen
    # An old journal stays: it goes with the others, and with what names people, after the end of the incident.
    os.utime(one, (time.time() - 100 * DAY,) * 2)
    ended = """UPDATE kanban_rollback.incidents
        SET opened_at = now() - interval '200 days', closed_at = now() - %s::interval RETURNING 1"""
    place.db.rows(ended, ("84 days",))
    soon = place.run("report")
    assert f"journals of {OPEN} (closed): 2 of 2 hold" in soon.screen
    assert f"{OPEN}: its records and journals go in 6 days" in soon.screen
    assert place.journals(OPEN) == [one, two]
    # Timings stay.
    place.db.rows(ended, ("91 days",))
    plan = place.run("report", "--check")
    there = len(list((place.incidents / OPEN).iterdir())) - len(["timings.json"])
    assert f"would remove journals and records of closed incidents: {there}" in plan.screen, plan.output
    # There is no report of an unknown incident; what has expired goes all the same.
    last = place.run("report", kanban_incident_id="INC-NONE")
    assert last.rc == 2, last.output
    assert "INC-NONE: neither a journal of it nor what a ledger tells of it is here" in last.screen
    assert sorted(path.name for path in (place.incidents / OPEN).iterdir()) == ["timings.json"]
    assert OPEN in (place.incidents / "index.md").read_text(encoding="utf-8")


@pytest.mark.drill
def test_what_is_over_goes_however_many_incidents_there_were_since(place: Place) -> None:
    """Each rehearsal is an incident of its own."""
    closed = """INSERT INTO kanban_rollback.incidents (incident_id, opened_at, closed_at)
        SELECT name, closed, closed FROM (
          SELECT 'INC-OLD' AS name, now() - interval '100 days' AS closed
          UNION ALL SELECT 'INC-R' || i, now() - interval '80 days' FROM generate_series(1, 101) AS i
        ) AS made RETURNING 1"""
    place.db.rows(closed)
    info = place.db.modules().ok
    newest, whole = info("incident_info"), info("incident_info", incidents=103)
    assert (len(newest["incidents"]), newest["more_incidents"]) == (100, True)
    assert (len(whole["incidents"]), whole["more_incidents"]) == (103, False)
    recorder = Recorder(time.time() - 100 * DAY, "scenario3", {"check_mode": False})
    recorder.about(str(place.incidents), {})
    recorder.name(Named("run-old", "INC-OLD", given=True))
    recorder.end(time.time() - 100 * DAY, {"exit": {}, "hosts": 0, "recap": {}, "troubled": []})
    evidence = place.incidents / "INC-OLD/evidence"
    evidence.mkdir()
    (evidence.parent / "plan-1.json").write_text("{}", encoding="utf-8")
    for path in (evidence, *place.journals("INC-OLD")):
        os.utime(path, (time.time() - 100 * DAY,) * 2)
    report = place.run("report")
    assert report.rc == 0, report.output
    assert "journals of INC-OLD (closed): 1 of 1 holds" in report.screen
    assert list((place.incidents / "INC-OLD").iterdir()) == []


@pytest.mark.drill
def test_events_that_were_changed_in_the_ledger_fail_the_report(place: Place) -> None:
    for event in ("looked", "decided"):
        place.db.modules().ok("incident", incident_id=OPEN, run_id="before", event={"phase": "assess", "event": event})
    whole = place.run("report")
    assert (whole.rc, "EVENTS CHANGED" in whole.screen) == (0, False), whole.output
    place.db.rows("UPDATE kanban_rollback.events SET event = 'seen' WHERE event = 'looked' RETURNING 1")
    report = place.run("report")
    assert report.rc != 0, report.output
    told = f"LEDGER'S EVENTS CHANGED: {OPEN} on db1: the chain of hashes breaks at before/1: changed"
    assert told in report.screen, report.output


@pytest.mark.drill
def test_nothing_of_an_incident_goes_while_a_database_of_the_group_is_not_asked(place: Place) -> None:
    """The incident may be open in its ledger."""
    assert place.run("scenario3").rc == 0
    (file,) = place.journals(OPEN)
    place.db.rows("""UPDATE kanban_rollback.incidents
        SET opened_at = now() - interval '200 days', closed_at = now() - interval '91 days' RETURNING 1""")
    other: dict[str, Any] = {"all": {"children": {"db": {"hosts": {"db2": {}}}}}}
    (place.directory / "more.json").write_text(json.dumps(other), encoding="utf-8")
    more = ("-i", "more.json")
    for named in ("db1", "db1,dbb2"):
        narrow = place.run("report", *more, "-e", f"kanban_db_hosts={named}", "-e", "kanban_close=true")
        assert file.exists(), narrow.output
        assert narrow.rc != 0
        assert "NOTHING WAS PURGED, on any host" in narrow.screen
        assert "db2: NOT ASKED: the inventory's group db has it." in narrow.screen
        assert ("dbb2: NOT ASKED: no host" in narrow.screen) == ("dbb2" in named)
        assert "NOTHING WAS CLOSED: not every ledger answered" in narrow.screen
    # Here the other one is a second way to the same database.
    whole = place.run("report", *more, "-e", "kanban_db_hosts=db1,db2")
    assert whole.rc == 0, whole.output
    assert not file.exists()


@pytest.mark.drill
def test_while_the_ledger_is_silent_the_reports_come_from_the_journals(place: Place) -> None:
    assert place.run("scenario3").rc == 0
    report = place.run("report", kanban_postgresql_password="wrong", kanban_postgresql_port=1)
    assert report.rc != 0
    assert "NOTHING WAS PURGED, on any host" in report.screen
    assert "These reports come from the journals alone" in report.screen
    assert "apenas dos diários" in (place.incidents / OPEN / "incident.md").read_text(encoding="utf-8")


@pytest.mark.drill
def test_a_disk_that_is_full_or_read_only_fails_nothing(place: Place) -> None:
    if os.geteuid():
        pytest.skip("only root mounts a disk")
    place.incidents.mkdir()
    for options, incident in (("size=12k", "INC-FULL"), ("size=1m,ro", "INC-READ-ONLY")):
        # Only this run sees it; its content is copied to a place beside it.
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


@pytest.mark.drill
def test_a_controller_that_is_killed_leaves_whole_lines(place: Place) -> None:
    running = place.start("scenario3")
    try:
        running.says("Stopped: result so far")
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


ONE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.run}
    - ansible.builtin.set_stats: {data: {kanban_verdict: contained}, aggregate: false}
    - name: Switch it off
      chatia.kanban_rollback.feature_flag:
        {login_unix_socket: /nonexistent, state: disabled, incident_id: INC-1, table: x}
      ignore_errors: true
"""
OTHER = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.run}
    - ansible.builtin.fail: {msg: before it hands anything on}
"""


def test_a_second_playbook_of_a_command_is_a_run_of_its_own(directory: Path) -> None:
    (directory / "callback_plugins").mkdir()
    recorder = "callback_plugins/kanban_recorder.py"
    (directory / recorder).symlink_to(CHECKOUT / "playbooks" / recorder)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_incident_id": "INC-1",
    }
    for name, text in (("one.yml", ONE), ("other.yml", OTHER)):
        (directory / name).write_text(text, encoding="utf-8")
    run = playbook.run(directory, "other.yml", *playbook.inventory(directory, variables), "one.yml", "one.yml")
    assert run.rc == 2, run.output
    assert "journal is not whole" not in run.output
    found = sorted((lines(file) for file in (directory / "incidents/INC-1").iterdir()), key=lambda each: each[0]["at"])
    assert [each[0]["data"]["playbook"] for each in found] == ["one", "one", "other"]
    # Ansible counts on, and keeps what was handed on; each begins after the end of the one before.
    assert found[0][-1]["at"] < found[1][0]["at"] < found[1][-1]["at"] < found[2][0]["at"]
    ends = [each[-1]["data"] for each in found]
    assert [end["exit"] for end in ends] == [{"kanban_verdict": "contained"}, {"kanban_verdict": "contained"}, {}]
    assert [(end["recap"]["ok"], end["recap"]["ignored"], end["recap"]["failed"]) for end in ends] == [
        (3, 1, 0),
        (3, 1, 0),
        (1, 0, 1),
    ]
    assert [(end["hosts"], end["troubled"]) for end in ends] == [(1, []), (1, []), (1, ["localhost"])]
