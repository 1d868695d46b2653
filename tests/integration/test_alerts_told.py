# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a triage by an alert finds is reported once, to the incident's channel too: nobody has seen its screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.alerts import ENVIRONMENT, Place, moment
from tests.integration.crowd import on, population
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.support.telling import Told, telling

OWN = "#incident-20261127-0310"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    population(db, 5)
    return Place(db, directory)


def triage(place: Place, told: Told, began: str, *options: str, **more: Any) -> Run:
    """Run alert.yml as the rulebook does for an alert that may stop nothing."""
    variables = {
        **place.variables(),
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "kanban_notify": True,
        "kanban_notify_dry_run": False,
        "kanban_notify_slack_token": told.slack["token"],
        "kanban_notify_slack_api_url": told.slack["api_url"],
        "kanban_locale": "en",
        **more,
    }
    hosts = playbook.inventory(place.directory, variables, db={"db1": {}}, redis={}, app={})
    alert = {"scenario": "scenario1", "triages": True, "name": "Kanban_announce", "began_at": began}
    given = {f"kanban_alert_{name}": value for name, value in {**alert, "environment": ENVIRONMENT}.items()}
    asked = playbook.given(place.directory, {**given, "kanban_operator": "alertmanager"})
    return playbook.run(place.directory, "chatia.kanban_rollback.alert", *hosts, *asked, *options)


def test_a_triage_by_an_alert_is_told_and_stops_nothing(place: Place, told: Told) -> None:
    began = moment(60)
    # In the default language; the drills use the other one.
    run = triage(place, told, began, kanban_locale="pt_BR")
    (post,) = told.posts("#incidents")
    words = json.dumps(post, ensure_ascii=False)
    assert "Kanban V2: não está claro, pelo alerta Kanban_announce" in words
    assert "NOT CLEAR" in words
    assert "Disparado desde" in words
    assert f"{began[:19]}Z" in words
    assert "Messages: 1 sent" in run.text
    # It ends as it would without a message.
    assert (run.rc, "NOT CLEAR" in run.text) == (2, True), run.output
    assert len(on(place.db)) == 5


@pytest.mark.drill
def test_it_is_told_once_for_each_finding_by_whatever_controller(place: Place, told: Told) -> None:
    began = moment(300)
    for number in (1, 1):
        triage(place, told, began)
        assert len(told.posts()) == number
    checked = triage(place, told, moment(1), "--check")
    assert "Messages: would send 1: alert-" in checked.text, checked.text
    quiet = triage(place, told, moment(2), kanban_notify_dry_run=True)
    assert "1 written and none sent (dry run)" in quiet.text, quiet.text
    assert len(told.posts()) == 1

    # An incident that is open, with a channel of its own, in which a P2 was declared.
    modules = place.db.modules(incident_id="INC-20261127-042")
    modules.ok("incident", state="open", environment=ENVIRONMENT, scenario="p2")
    known: dict[str, Any] = {"key": "scenario2-announce", "kind": "announce", "text": "It began.", "locale": "en"}
    known |= {"severity": "P1", "routes": [f"slack:{OWN}"]}
    outbox: dict[str, Any] = {"incident_id": "INC-20261127-042", "path": str(place.directory / "incidents")}
    slack = {**told.slack, "create": ["#incident-*"]}
    assert Modules({}).ok("notify", **outbox, messages=[known], slack=slack)["sent"]
    # By its own clock the alert began after the triage, so it is triaged again.
    later = moment(-600)
    before = len(told.posts())
    first = triage(place, told, later)
    assert len(told.posts()) == before + 2, first.output
    assert "incident INC-20261127-042" in json.dumps(told.posts("#incidents")[-1])
    assert "by the alert" in json.dumps(told.posts()[-1]) + json.dumps(told.posts()[-2])
    # Another controller, whose disk is empty: the ledger knows.
    again = triage(place, told, later, kanban_incidents_dir=str(place.directory / "elsewhere"))
    assert len(told.posts()) == before + 2, again.output
    # These two, and the message that the incident began.
    assert "Messages: 3 sent" in again.text, again.output


@pytest.mark.drill
def test_a_way_that_hangs_or_refuses_ends_in_time_and_changes_nothing(place: Place, told: Told) -> None:
    told.order({"on": "chat.postMessage", "hang": 30}, {"on": "chat.postMessage", "hang": 30})
    run = triage(place, told, moment(60), kanban_notify_seconds=3)
    assert (run.rc, "NOT CLEAR" in run.text) == (2, True), run.output
    assert "not known whether they arrived" in run.text, run.output
    nobody = triage(place, told, moment(5), kanban_notify_slack_token="")
    assert "Messages: nobody was told: no route is configured" in nobody.text, nobody.output
