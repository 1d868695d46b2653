# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers with one ledger tell people once, and each has what people wrote on the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, population
from tests.integration.journals import Place
from tests.integration.module import Modules
from tests.integration.people import INCIDENT, People, outbox, people
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.support.processes import free_port

ROLLOUT = "#kanban-v2-rollout"
SECONDS = 600


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path) as running:
        yield running


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    population(db)
    return Place(db, directory)


def run(place: Place, where: str, name: str, everybody: People, *options: str, **more: Any) -> Run:
    """Run a playbook on a controller; ``where`` is the name of its directory of incidents."""
    given = {**everybody.services, "kanban_incidents_dir": str(place.directory / where), **more}
    # A busy machine reads the ledger all the same.
    patient = ("-e", "communicate_look_seconds=60", "-e", "communicate_keep_seconds=60")
    return place.start(name, *patient, *options, **given).wait(timeout=SECONDS)


def counts(everybody: People) -> dict[str, int]:
    return {who: len(texts) for who, texts in everybody.heard.items()}


@pytest.mark.drill
def test_a_job_on_another_controller_tells_what_is_missing_and_nothing_twice(place: Place, everybody: People) -> None:
    late = {"on": "chat.postMessage", "has": ROLLOUT, "status": 429, "headers": {"Retry-After": "60"}}
    everybody.told.order(late)
    first = run(place, "one", "scenario2", everybody, kanban_pause=True)
    assert (first.rc, "2 sent, 1 not" in first.text) == (0, True), first.output
    assert counts(everybody) == {INCIDENT: 1, "tech_leads": 1}
    (incident,) = (path.name for path in (place.directory / "one").iterdir())
    # Another machine: it has nothing of that.
    second = run(place, "two", "scenario2", everybody, kanban_pause=True)
    assert (second.rc, "Messages: 3 sent" in second.text) == (0, True), second.output
    once = {ROLLOUT: 1, INCIDENT: 1, "tech_leads": 1}
    assert counts(everybody) == once
    assert outbox(place.directory / "two", incident) == outbox_of(incident, everybody, "sent")
    # Its messages have figures of the first run, whose journal it has from the ledger.
    (journal,) = (place.directory / "one" / incident).glob("journal-*.jsonl")
    brought = place.directory / "two" / incident / journal.name
    assert journal.read_text().startswith(brought.read_text())


@pytest.mark.drill
def test_a_report_hears_what_was_told_elsewhere_and_brings_what_was_written_there(
    place: Place, everybody: People
) -> None:
    late = {"on": "chat.postMessage", "has": ROLLOUT, "status": 429, "headers": {"Retry-After": "60"}}
    everybody.told.order(late)
    assert run(place, "one", "scenario2", everybody, kanban_pause=True).rc == 0
    (incident,) = (path.name for path in (place.directory / "one").iterdir())
    # What was not sent is sent by the report of another controller, and the first learns of that from the ledger.
    sent = run(place, "two", "report", everybody)
    assert f"Messages of {incident}: 1 sent now" in sent.text, sent.output
    once = {ROLLOUT: 1, INCIDENT: 1, "tech_leads": 1}
    assert counts(everybody) == once
    words = place.directory / "one" / incident / "words.md"
    words.write_text("## Causa raiz\nFalta um índice {{ 7*7 }}.\n")
    report = run(place, "one", "report", everybody)
    assert (report.rc, counts(everybody)) == (0, once), report.output
    # A third has it once a report asks for it.
    plan = run(place, "three", "report", everybody, "--check")
    assert (plan.rc, (place.directory / "three").exists()) == (0, False), plan.output
    elsewhere = run(place, "three", "report", everybody)
    assert (elsewhere.rc, counts(everybody)) == (0, once), elsewhere.output
    assert (place.directory / "three" / incident / "words.md").read_text() == words.read_text()
    assert place.db.modules().ok("incident_info", incident_id=incident)["chain_broken_at"] == []


@pytest.mark.drill
def test_people_are_told_even_if_no_ledger_says_what_other_runs_did(place: Place, everybody: People) -> None:
    place.db.modules(**FLAG).ok("feature_flag", state="disabled", incident_id="INC-LOST", run_id="run-lost")
    given = {"kanban_watch_minutes": {"scenario1": 0}, "kanban_metrics": {}, "kanban_validate_seconds": 1}
    # Of all that the run does, only that question needs this table.
    with place.db.transaction("LOCK TABLE kanban_rollback.leases IN ACCESS EXCLUSIVE MODE"):
        again = run(place, "two", "scenario1", everybody, kanban_locale="en", **given)
    assert again.output.count("not every ledger says what other runs did") == 2, again.output
    begun, ended = everybody.heard["tech_leads"]
    assert "Kanban V2 switched off for everybody (0 companies)" in begun
    assert "switched off: 0; left on: 0" in ended


@pytest.mark.drill
def test_a_stop_whose_job_was_taken_away_counts_in_what_the_next_job_tells(place: Place, everybody: People) -> None:
    """Its journal went with its container; the next one finds everybody off."""
    lost = place.db.modules(**FLAG).ok("feature_flag", state="disabled", incident_id="INC-LOST", run_id="run-lost")
    assert lost["changed_count"] == 50
    given = {"kanban_watch_minutes": {"scenario1": 0}, "kanban_metrics": {}, "kanban_validate_seconds": 1}
    again = run(place, "two", "scenario1", everybody, kanban_locale="en", **given)
    assert "INC-LOST" in again.screen, again.output
    begun, ended = everybody.heard["tech_leads"]
    assert "Kanban V2 switched off for everybody (50 companies)" in begun
    assert "switched off: 50; left on: 0" in ended
    # The channel is named by the first that is known of it.
    (post,) = everybody.told.asked("conversations.create", "taken")
    first = place.db.value("SELECT min(at) FROM kanban_rollback.events")
    assert post["name"] == f"incident-{first[:10].replace('-', '')}-{first[11:16].replace(':', '')}"


def outbox_of(incident: str, everybody: People, status: str) -> dict[str, dict[str, str]]:
    """Return what the outbox says of the pause if everybody heard of it."""
    (post,) = everybody.told.asked("conversations.create", "taken")
    ways = [f"slack:{ROLLOUT}", f"slack:#{post['name']}", "mail:tech_leads"]
    return {"scenario2-update-paused": dict.fromkeys(ways, status)}


def test_while_the_ledger_is_silent_what_lies_here_counts(place: Place, everybody: People) -> None:
    everybody.told.order({"on": "chat.postMessage", "status": 429, "headers": {"Retry-After": "60"}})
    given: dict[str, Any] = {
        "incident_id": "INC-SILENT",
        "path": str(place.incidents),
        "slack": everybody.told.slack,
        "pagerduty": everybody.told.pager,
    }
    message = {
        "key": "scenario1-announce",
        "kind": "announce",
        "subject": "Off",
        "routes": ["slack:#incidents", "pagerduty"],
    }
    done = Modules({}).ok("notify", **given, messages=[message], deadline=5)
    assert [one["route"] for one in done["not_sent"]] == ["slack:#incidents"]
    report = place.run("report", **everybody.services, kanban_postgresql_port=free_port())
    # Nothing is purged while it is silent; people are told all the same, and once.
    assert report.rc != 0, report.output
    assert "Messages of INC-SILENT: 1 sent now" in report.text
    assert everybody.headlines == {"#incidents": ["Off"], "pagerduty": ["trigger Off"]}
    assert Modules({}).ok("notify", **given)["sent"] == []


@pytest.mark.drill
def test_a_stop_is_told_once_by_two_controllers_and_a_ledger_that_is_gone_fails_nothing(
    place: Place, everybody: People
) -> None:
    given = {"kanban_watch_minutes": {"scenario1": 0}, "kanban_metrics": {}, "kanban_validate_seconds": 1}
    first = run(place, "one", "scenario1", everybody, **given)
    assert "Messages: " in first.text, first.output
    told = everybody.heard
    assert {who for who, texts in told.items() if len(texts) > 2} == set()
    assert len(told["page"]) == 2
    again = run(place, "two", "scenario1", everybody, **given)
    assert again.rc == first.rc, again.output
    assert everybody.heard == told
    # A session that holds the table keeps no run from its end; the run says what it could not keep.
    words = place.directory / "two" / first.incident / "words.md"
    words.write_text("## Causa raiz\nFalta um índice.\n")
    with place.db.transaction("LOCK TABLE kanban_rollback.events IN ROW EXCLUSIVE MODE"):
        fine = run(place, "two", "report", everybody)
    assert fine.rc == 0, fine.output
    words.write_text("## Causa raiz\nFaltam dois.\n")
    place.db.rows(
        """CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"""
    )
    place.db.rows("""CREATE TRIGGER dawdle BEFORE INSERT ON kanban_rollback.events FOR EACH ROW
        WHEN (NEW.source = 'incident_documents') EXECUTE FUNCTION dawdle()""")  # fmt: skip
    late = run(place, "two", "scenario1", everybody, **given)
    assert late.rc == first.rc, late.output
    assert "Messages: only this controller knows what was told" in late.text
    assert everybody.heard == told
