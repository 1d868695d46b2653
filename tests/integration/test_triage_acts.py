# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Triage that goes on with what it decided: how it came to that is on record however the scenario ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import on, population
from tests.integration.journals import Place
from tests.integration.place import Database
from tests.integration.playbook import silent_where
from tests.playbooks.runner import Run
from tests.support import web
from tests.support.processes import free_port

OTHERS = ("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")
SHORT: dict[str, Any] = {
    "kanban_deadline": 3,
    "kanban_environment": "staging",
    "kanban_evidence_seconds": 1,
    "kanban_investigate_seconds": 1,
    "kanban_metrics": dict.fromkeys(OTHERS),
    "kanban_sweep_seconds": 1,
    "kanban_thresholds": dict.fromkeys(OTHERS),
    "kanban_triage_seconds": 10,
    "kanban_validate_seconds": 1,
    "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0},
}
HELD = "UPDATE companies SET settings = settings WHERE id = 7"
RECORDED = """SELECT incident_id, data ->> 'scenario', data -> 'path' -> -1 ->> 'because'
              FROM kanban_rollback.events WHERE event = 'triage'"""  # fmt: skip


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Fifty companies that are on."""
    population(db)
    return Place(db, directory)


class ByTurns(web.Handler):
    """Says 0 and 1 in turn."""

    def do_GET(self) -> None:  # noqa: N802 - the library names it
        self.note(self.path)
        assert self.server.record
        self.send(200, {"figure": len(web.asked(self.server.record)) % 2})


@pytest.fixture
def by_turns(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A metric that is good and bad in turn, as variables."""
    with web.serving(web.Server(ByTurns, tmp_path / "asked")) as running:
        pulse = {"where": "controller", "url": f"{running.url}/metrics", "path": "figure"}
        yield {
            "kanban_metrics": {**dict.fromkeys(OTHERS), "pulse": pulse},
            "kanban_thresholds": {**dict.fromkeys(OTHERS), "pulse": {"max": 0.5, "consecutive": 3}},
        }


def act(place: Place, **more: Any) -> Run:
    return place.run("triage", "-e", "kanban_triage_act=true", **{**SHORT, **more})


def ended(run: Run) -> str:
    """Return what the run failed with: the last word before the recap."""
    *_before, last = re.split(r"^fatal: ", run.output.partition("PLAY RECAP")[0], flags=re.MULTILINE)
    return last


@pytest.mark.parametrize(
    ("declared", "scenario"),
    [("down", "scenario1"), pytest.param("corruption", "scenario3", marks=pytest.mark.drill)],
)
def test_a_stop_in_part_has_its_decision_on_record_and_ends_as_it_would(
    place: Place, declared: str, scenario: str
) -> None:
    with place.db.transaction(HELD):
        run = act(place, kanban_declared=declared, kanban_reason="nobody can work")
        alone = place.run(scenario, **SHORT)
    assert on(place.db) == [7], run.output
    assert place.db.rows(RECORDED) == [(run.incident, scenario, f"{declared} is declared: nobody can work")], run.output
    # It ends as the scenario itself does, and nothing comes between the last screen and that end.
    assert (run.rc, run.recap("localhost")["failed"]) == (alone.rc, 1) == (2, 1)
    assert "NOT CONTAINED" in ended(alone), alone.output
    assert "NOT CONTAINED" in ended(run), run.output
    assert "NOT CONTAINED" in run.screen
    assert f"Recorded on db1 in incident {run.incident}" in run.screen
    assert run.text.index("Switch the flag off") < run.text.index("Record the decision in it")


def test_a_pause_that_was_decided_on_is_made_said_and_recorded(place: Place, by_turns: dict[str, Any]) -> None:
    run = act(place, **by_turns)
    assert run.rc == 0, run.output
    assert "PAUSE, P1: good and bad in turn, so nobody new gets it" in run.text
    assert len(on(place.db)) == 50
    assert "db1: the roll-out is paused: 50 of 50 tenants have it and keep it, nobody else gets it" in run.screen
    ((incident, scenario, because),) = place.db.rows(RECORDED)
    assert (incident, scenario) == (run.incident, "pause")
    assert "pulse" in because
    assert f"Recorded on db1 in incident {incident}" in run.screen
    place.db.rows("INSERT INTO companies VALUES (51, '{\"kanbanV2Enabled\": true}')")
    assert len(on(place.db)) == 50, "somebody new got it"


@pytest.mark.drill
def test_a_pause_that_is_none_has_its_decision_on_record_and_fails(place: Place, by_turns: dict[str, Any]) -> None:
    place.db.modules().ok("incident", incident_id="INC-OPEN", environment="staging")
    with place.db.transaction("INSERT INTO companies VALUES (77, NULL)"):
        run = act(place, **by_turns)
    assert [row[:2] for row in place.db.rows(RECORDED)] == [("INC-OPEN", "pause")], run.output
    assert (run.rc, run.recap("localhost")["failed"]) == (2, 1), run.output
    assert "the roll-out on db1 is not paused" in ended(run), run.output
    assert "db1: pause NOT ACCOUNTED FOR" in run.screen
    assert "Recorded on db1 in incident INC-OPEN" in run.screen


@pytest.mark.drill
def test_a_database_that_is_heard_again_for_the_stop_has_the_decision_on_record(place: Place) -> None:
    down: dict[str, Any] = {
        "kanban_app_hosts": "localhost",
        "kanban_app_prove_seconds": 2,
        "kanban_app_url": f"http://127.0.0.1:{free_port()}",
        # Nobody waits so long; a busy machine takes seconds for each try.
        "kanban_triage_seconds": 90,
    }
    run = act(place, **down, **silent_where("inventory_hostname == 'db1' and __triage_integrity is not defined"))
    assert "2. Is data corrupt? not known: db1: " in run.text, run.output
    assert on(place.db) == [], run.output
    assert [row[:2] for row in place.db.rows(RECORDED)] == [(run.incident, "scenario1")], run.output
    assert f"Recorded on db1 in incident {run.incident}" in run.screen


def test_what_an_inventory_leaves_empty_is_not_set(place: Place) -> None:
    empty = dict.fromkeys(("kanban_alert_name", "kanban_app_public_url", "kanban_backup_sources"))
    run = place.run("triage", **{**SHORT, **empty})
    assert "NOT CLEAR: no scenario applies, and not all is known and good" in run.screen, run.output
    assert "NOT CLEAR" in ended(run), run.output
    assert run.recap("db1")["failed"] == 0
