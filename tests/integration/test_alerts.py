# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an alert to the flag that is off, by the real ansible-rulebook and a real PostgreSQL."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.alerts import ENVIRONMENT, Alert, Place, alert, moment
from tests.integration.crowd import on, population
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.support.processes import wait_until

# Four times the objective: everything else in a build runs alongside (docs/alerts.md has what was measured).
BUSY_SECONDS = 60


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    population(db, 5)
    return Place(db, directory)


def hostile(trace: Path, began: str) -> Alert:
    """Return an alert to act on, whose other texts leave a trace if they are run as a template or a command."""
    word = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}$(touch {trace}); touch {trace}"
    sent = alert(began=began, instance=word, kanban_operator=word, **{word: word})
    sent["annotations"] = {"summary": word, word: word}
    # Only the rulebook says where a playbook runs.
    sent |= {"generatorURL": word, "meta": {"hosts": "nobody", "limit": "nobody"}, "hosts": "nobody", word: word}
    return sent


def test_an_alert_switches_off_once_and_what_it_says_is_never_code(place: Place) -> None:
    trace = place.directory / "trace"
    code = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}"
    with place.receiver(kanban_auto_contain=["scenario1"]) as receiver:
        assert (receiver.hears(alert(), token="forged"), receiver.hears(alert(), token=None)) == (401, 401)
        idle = (
            alert(status="resolved"),
            alert(of="production"),
            alert(service="other"),
            alert(name=code),
            alert(name="Kanban\n"),
            alert(began=code),
            alert(of=code),
        )
        assert [receiver.hears(sent) for sent in idle] == [200] * len(idle)
        began, firing = time.monotonic(), moment(0)
        assert receiver.hears(hostile(trace, firing)) == 200
        for _ in range(33):
            others = [alert(name, began=firing) for name in ("KanbanDown", "KanbanDown", "KanbanTicketsCrash")]
            assert receiver.hears(*others) == 200
        assert wait_until(lambda: not on(place.db), 2 * BUSY_SECONDS), receiver.running.output
        took = time.monotonic() - began
        print(f"from the alert to the flag that is off: {took:.1f} s")
        assert took < BUSY_SECONDS
        # One that stops, and one that would have triaged.
        assert wait_until(lambda: receiver.runs == 2, BUSY_SECONDS), receiver.running.output
        # The kill says what it did when it has done it.
        assert wait_until(lambda: place.stops > 0, BUSY_SECONDS), receiver.running.output
        assert "That is for another run of this playbook." in receiver.running.output
        assert receiver.running.output.count('"POST /alerts HTTP/1.1" 401') == 2
    assert place.stops == 1
    assert not trace.exists()
    ((scenario, operator, reason),) = place.db.rows(
        "SELECT scenario, operator, reason FROM kanban_rollback.incidents WHERE environment = 'staging'"
    )
    assert (scenario, operator) == ("scenario1", "alertmanager")
    assert reason.startswith("Alert KanbanDown, firing since 20"), reason


def typed(place: Place, inventory: dict[str, Any], given: dict[str, Any]) -> Run:
    """Run alert.yml as a person types it, with some of its variables in the inventory."""
    variables = {
        "kanban_auto_contain": ["scenario1"],
        "kanban_alert_name": "KanbanDown",
        "kanban_alert_began_at": moment(0),
        "kanban_alert_environment": ENVIRONMENT,
        "ansible_python_interpreter": sys.executable,
        **inventory,
    }
    hosts = playbook.inventory(place.directory, {**place.variables(), **variables}, db={"db1": {}}, redis={}, app={})
    extra = playbook.given(place.directory, given)
    return playbook.run(place.directory, "chatia.kanban_rollback.alert", *hosts, *extra)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("inventory", "given", "decided", "read"),
    [
        # The command line chooses which playbook is read, before any inventory is read.
        ({"kanban_alert_scenario": "scenario1"}, {}, "scenario1", "triage"),
        (
            {"kanban_alert_triages": True, "kanban_auto_contain": []},
            {"kanban_alert_scenario": "scenario1"},
            "triage",
            "scenario1",
        ),
    ],
)
def test_nothing_else_is_run_than_what_was_decided_on(
    place: Place, inventory: dict[str, Any], given: dict[str, Any], decided: str, read: str
) -> None:
    run = typed(place, inventory, given)
    assert (run.rc, len(on(place.db)), place.stops) == (2, 5, 0), run.output
    assert f"NOT RUN: {decided} was decided on, and the command line leads to {read}" in run.output, run.output
    assert "Decided " not in run.output


@pytest.mark.drill
def test_what_the_command_line_says_is_run(place: Place) -> None:
    """What else the inventory says is ignored; it is no error if the same value is there."""
    triage = typed(place, {"kanban_alert_scenario": "triage"}, {})
    assert ("NOT RUN" in triage.output, "Decided " in triage.output, place.stops) == (False, True, 0), triage.output
    stop = typed(
        place, {"kanban_alert_triages": True}, {"kanban_alert_scenario": "scenario1", "kanban_alert_triages": False}
    )
    assert ("NOT RUN" in stop.output, on(place.db), place.stops) == (False, [], 1), stop.output
