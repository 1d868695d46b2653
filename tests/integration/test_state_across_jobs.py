# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs whose controllers are gone when they end: the ledger has what the next one needs, and losses are reported."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalrun import Named, Recorder
from tests.integration.crowd import population
from tests.integration.integrity import load
from tests.integration.journals import Place, lines
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.test_recovery import Place as Scene
from tests.integration.test_recovery import hash_of
from tests.playbooks.runner import Run
from tests.support.postgres import Postgres


@dataclass
class Jobs:
    """Jobs of one database; each has a home, a directory to work in and a directory of incidents that nobody used."""

    db: Database
    directory: Path
    variables: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    def next(self) -> Place:
        """Return where the next job runs."""
        self.number += 1
        where = self.directory / f"job{self.number}"
        where.mkdir()
        return Place(self.db, where)

    def run(self, name: str, *options: str, **extra: Any) -> tuple[Run, Path]:
        """Run a playbook as a job; return it with its directory of incidents, the only one of all that is left."""
        place = self.next()
        # What is on the database's host is there for every job.
        given = {"kanban_dump_dir": str(self.directory / "dumps"), **self.variables, **extra}
        run = place.start(name, *options, **given).wait(timeout=300)
        return run, place.incidents

    def ended(self) -> None:
        """Take away all that the jobs so far have left on their controllers."""
        for number in range(1, self.number + 1):
            shutil.rmtree(self.directory / f"job{number}", ignore_errors=True)


@pytest.fixture
def jobs(db: Database, directory: Path) -> Jobs:
    population(db)
    return Jobs(db, directory)


def record_of(incidents: Path, incident: str) -> str:
    return (incidents / incident / "incident.md").read_text(encoding="utf-8")


@pytest.mark.drill
def test_a_report_on_an_empty_disk_is_made_of_what_the_ledger_keeps(jobs: Jobs) -> None:
    given = {"kanban_watch_minutes": {"scenario1": 0}, "kanban_metrics": {}, "kanban_validate_seconds": 1}
    stopped, its = jobs.run("scenario1", **given)
    incident = stopped.incident
    (journal,) = (its / incident).glob("journal-*.jsonl")
    whole = journal.read_text()
    kept = jobs.db.value("SELECT text FROM kanban_rollback.files")
    assert whole.startswith(kept)
    # Its end comes after the last task.
    assert [line["data"].get("details", {}).get("exit", {}).get("kanban_verdict") for line in lines(journal)].count(
        json.loads(whole.splitlines()[-1])["data"]["exit"]["kanban_verdict"]
    )
    jobs.ended()

    report, there = jobs.run("report")
    assert (report.rc, report.recap("localhost")["rescued"]) == (0, 0), report.output
    assert f"journals of {incident} (open): 1 of 1 holds; 1 without its run's end" in report.screen
    (brought,) = (there / incident).glob("journal-*.jsonl")
    assert (brought.name, brought.read_text(), brought.stat().st_mode & 0o777) == (journal.name, kept, 0o600)
    told = record_of(there, incident)
    assert f"`{journal.name}` termina na última tela da execução: vem do ledger" in told
    assert "50 de 50" in told or "50" in told
    times = json.loads((there / incident / "timings.json").read_text())
    assert (times["scenario"], times["runs"]) == ("scenario1", 1)
    assert times["seconds"]["disable"] is not None
    jobs.ended()

    # A journal that no ledger took, as after a killed run: only the ledger's own events, and what is missing is named.
    jobs.db.rows("DELETE FROM kanban_rollback.files")
    lost, there = jobs.run("report")
    assert lost.rc == 0, lost.output
    told = record_of(there, incident)
    assert "foi lido, aqui ou do ledger: só se contam os eventos do ledger" in told
    assert "nenhum, só os eventos do ledger" in told
    assert "Feature flag desligada" in told
    times = json.loads((there / incident / "timings.json").read_text())
    assert (times["runs"], times["began"], times["objective"]["met"]) == (0, None, None)
    # The better one that an earlier report has put there stays.
    there_still = jobs.db.modules().ok("incident_timings_info")["timings"]
    assert [one["runs"] for one in there_still] == [1]


BIG = """INSERT INTO kanban_rollback.files (incident_id, name, at, run_id, text)
    SELECT 'INC-BIG', 'investigation-' || n || '.md', now() + n * interval '1 second', 'r', repeat('x', 4194304)
    FROM generate_series(1, 5) AS n RETURNING 1"""


@pytest.mark.drill
def test_what_one_answer_cannot_take_comes_with_the_next_and_the_stop_is_the_oldest(jobs: Jobs) -> None:
    jobs.db.modules().ok("incident", incident_id="INC-BIG")
    recorder = Recorder(time.time(), "scenario3", {"check_mode": False})
    recorder.about(str(jobs.directory / "gone"), {})
    recorder.name(Named("run-1", "INC-BIG", given=True))
    recorder.end(time.time(), {"exit": {"kanban_verdict": "contained"}, "hosts": 0, "recap": {}, "troubled": []})
    (journal,) = (jobs.directory / "gone/INC-BIG").iterdir()
    file = {"name": journal.name, "text": journal.read_text()}
    jobs.db.modules().ok("incident_files", incident_id="INC-BIG", files=[file])
    jobs.db.rows(BIG)
    # Asked once, the newest four fill the answer.
    asked = jobs.db.modules().ok("incident_files", incident_id="INC-BIG", texts=True)
    assert sorted(asked["left_out"]) == ["investigation-1.md", journal.name]
    report, there = jobs.run("report")
    assert (report.rc, report.recap("localhost")["rescued"]) == (0, 0), report.output
    assert "journals of INC-BIG (open): 1 of 1 holds" in report.screen
    assert (there / "INC-BIG" / journal.name).read_text() == journal.read_text()
    assert [path.stat().st_size for path in (there / "INC-BIG").glob("investigation-*")] == [4194304] * 5
    # What still does not come is named, and the rest is here.
    jobs.ended()
    less, there = jobs.run("report", "-e", "__communicate_most_answers=1")
    assert f"could be brought here: there is more than 1 answers take: investigation-1.md, {journal.name}" in less.text
    assert len(list((there / "INC-BIG").glob("investigation-*"))) == 4


TABLES = ('"Tags"', '"Tickets"', '"TicketTags"')
MOMENT = re.compile(r'"[-0-9]{10} [0-9:.]+\+00"')
STORY = ["scenario3", "recover", "release", "reenable", "report"]


def played(db: Database, directory: Path, apart: bool) -> dict[str, Any]:
    """Play scenario 3 from the stop to the report; return what is left of it, without what differs each time.

    :param apart: whether each job has a home and directories of its own, to work in, for incidents and, as with a
        managed database, for dumps, which are gone when it ends; otherwise all of them share the same.
    """
    data = load(db)
    where = directory / "one"
    incident, plan = "", ""
    for number, name in enumerate(STORY):
        if apart:
            shutil.rmtree(where, ignore_errors=True)
            where = directory / f"job{number}"
        where.mkdir(exist_ok=True)
        place = Scene(db, data, where, {"kanban_sweep_seconds": 1})
        if name == "scenario3":
            run = place.run()
            incident, plan = run.incident, hash_of(run)
        elif name == "recover":
            run = place.run(kanban_recovery="surgical", kanban_plan_hash=plan, kanban_approved_by="ana")
            assert "the data is validated" in run.screen, run.output
        else:
            run = place.play(name, **({"kanban_reenable": "all"} if name == "reenable" else {}))
        # Without an application nobody sees that it works, and the release says so by its exit status.
        assert run.rc == 0 or "RELEASED, NOT TESTED" in run.screen, f"{name}: {run.output}"
    folder = where / "incidents" / incident
    times = json.loads((folder / "timings.json").read_text())
    events = db.rows("""SELECT phase, source, event FROM kanban_rollback.events
                        WHERE source <> 'incident_documents' ORDER BY at, seq""")
    record = (folder / "incident.md").read_text().replace(incident, "INC")
    assert "aprovado por ana, executado por rui" in record
    return {
        # Except for the moment at which they were loaded.
        "tables": {name: [MOMENT.sub("", row) for row in rows] for name, rows in whole(db, *TABLES).items()},
        "flags": db.rows('SELECT id, settings::text FROM "Companies" ORDER BY id'),
        "events": events,
        "repairs": db.rows("SELECT plan_hash <> '', approved_by, operator FROM kanban_rollback.repairs"),
        "timings": {name: times[name] for name in ("scenario", "state", "runs", "companies", "hosts", "green")},
        "steps": sorted(times["steps"]),
        "plans": len(list(folder.glob("plan-*.json"))),
        "journals": sorted(path.read_text().count('"run began"') for path in folder.glob("journal-*.jsonl")),
        "integrity": record.partition("## Integridade")[2].partition("## ")[0],
    }


@pytest.mark.drill
@pytest.mark.timeout(1500)
def test_scenario3_in_jobs_on_empty_disks_ends_as_on_one_disk(server: Postgres, directory: Path) -> None:
    found = []
    for apart in (True, False):
        db = Database(server, f"kanban_jobs_{apart}".lower())
        server.create_database(db.name)
        try:
            place = directory / str(apart)
            place.mkdir()
            found.append(played(db, place, apart))
        finally:
            db.drop()
    jobs, one = found
    for name, there in one.items():
        assert jobs[name] == there, name


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_preflight_on_an_empty_disk_knows_of_a_rehearsal_in_another_databases_ledger(
    db: Database, server: Postgres, directory: Path
) -> None:
    def job(name: str, number: int, **extra: Any) -> Run:
        where = directory / f"job{number}"
        where.mkdir()
        given = {"kanban_dump_tables": [], "kanban_sweep_seconds": 1, "kanban_rehearsal": True}
        run = Scene(db, data, where, given).play(name, **extra)
        shutil.rmtree(where)
        return run

    data = load(db)
    unrehearsed = "No green rehearsal of version"
    assert unrehearsed in job("preflight", 1).screen
    stopped = job("scenario3", 2)
    assert stopped.rc == 0, stopped.output
    assert unrehearsed in job("preflight", 3).screen
    report = job("report", 4)
    assert report.rc == 0, report.output
    known = job("preflight", 5)
    assert unrehearsed not in known.screen
    assert "The last green rehearsal" not in known.screen
    # Production has a ledger of its own; the rehearsal is staging's, which the inventory names.
    production = Database(server, "kanban_production")
    server.create_database(production.name)
    try:
        load(production)
        asked = {"kanban_rehearsal_hosts": "staging1", "kanban_environment": "production"}
        found = []
        for number, there in enumerate((db, production), start=6):
            where = directory / f"job{number}"
            where.mkdir()
            hosts = {"db1": {}, "staging1": {"kanban_postgresql_db": there.name}}
            scene = Scene(production, data, where, {"kanban_dump_tables": [], "kanban_db_hosts": "db1"})
            found.append(scene.play("preflight", **asked, kanban_db_hosts="db1", hosts=hosts).screen)
        assert [unrehearsed in screen for screen in found] == [False, True], found
    finally:
        production.drop()


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_ledger_that_takes_no_journal_fails_nothing_and_that_is_said(jobs: Jobs) -> None:
    given = {"kanban_watch_minutes": {"scenario1": 0}, "kanban_metrics": {}, "kanban_validate_seconds": 1}
    free, _its = jobs.run("scenario1", **given)
    alone = "What this run leaves lies on this controller alone"
    assert alone not in free.text
    with jobs.db.transaction("LOCK TABLE kanban_rollback.files IN ACCESS EXCLUSIVE MODE"):
        held, its = jobs.run("scenario1", "-e", "communicate_keep_seconds=8", **given)
    assert held.rc == free.rc, held.output
    assert alone in held.text
    (journal,) = (its / held.incident).glob("journal-*.jsonl")
    # A report on that disk puts it into the ledger, and the first run's comes from there.
    shutil.rmtree(jobs.directory / "job1")
    place = jobs.next()
    shutil.copytree(its, place.incidents)
    report = place.start("report").wait(timeout=300)
    assert f"journals of {held.incident} (open): 2 of 2 hold" in report.screen, report.output
    kept = jobs.db.rows("SELECT name FROM kanban_rollback.files WHERE name LIKE 'journal-%'")
    assert (len(kept), (journal.name,) in kept) == (2, True)
    # A plan brings nothing to an empty disk, and looks for nothing there.
    plan, nothing = jobs.run("report", "--check")
    assert (plan.rc, plan.recap("localhost")["rescued"], nothing.exists()) == (0, 0, False), plan.output
