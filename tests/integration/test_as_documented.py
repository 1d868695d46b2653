# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the documentation, typed exactly as written, that no test of their effect types."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import started
from tests.documents.commands import ROOT, commands_of
from tests.integration import playbook
from tests.integration.crowd import on, population
from tests.integration.journals import Place
from tests.integration.place import Database
from tests.playbooks.runner import Run, beside, environment

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3000)]
SECONDS = 600
# There is no application, and nothing is watched for long.
NO_METRICS = dict.fromkeys(("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory"))
SHORT: dict[str, Any] = {
    "kanban_triage_watch_seconds": 1,
    "kanban_metrics": NO_METRICS,
    "kanban_environment": "staging",
}


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Fifty companies that are on."""
    population(db)
    return Place(db, directory)


def documented(document: str, begins: str) -> str:
    """Return the one command of a document that begins with ``begins``."""
    (line,) = [line for line in commands_of((ROOT / document).read_text()) if line.startswith(begins)]
    return line


def typed(place: Place, name: str, *lines: str, **extra: Any) -> Run:
    """Type a playbook with -e for each of the lines, and wait for its end."""
    return place.start(name, *(word for line in lines for word in ("-e", line)), **extra).wait(timeout=SECONDS)


def test_what_a_person_knows_decides(place: Place) -> None:
    def triage(*lines: str) -> Run:
        return typed(place, "triage", *lines, **SHORT)

    for declared, scenario in (("corruption", "scenario3"), ("down", "scenario1"), ("security", "scenario1")):
        run = triage(f"kanban_declared={declared}")
        assert f"chatia.kanban_rollback.{scenario}" in run.screen, run.output
    reasoned = triage("kanban_declared=down", "{kanban_reason: tickets crash the app}")
    assert "down is declared: tickets crash the app" in reasoned.screen, reasoned.output
    minor = triage("kanban_declared=p2", "{kanban_reason: a typo in the board}")
    assert "P2, recorded; nothing is switched" in minor.screen, minor.output
    assert len(on(place.db)) == 50
    acted = triage("kanban_declared=security", "kanban_triage_act=true")
    assert on(place.db) == [], acted.output


def test_a_stop_as_it_is_typed(place: Place) -> None:
    stop = {**SHORT, "kanban_watch_minutes": {"scenario1": 0}, "kanban_deadline": 5}
    plain = typed(place, "scenario1", **stop)
    assert on(place.db) == [], plain.output
    # The host has the name that the line uses.
    jq = documented("docs/journal.md", "jq ")
    told = started.run_line(jq, place.incidents / plain.incident, env={"PATH": os.environ["PATH"]})
    assert "Switch the flag off" in told.stdout, told.stderr + plain.output

    for name, line in (
        ("scenario1", "kanban_on_blocked=terminate"),
        ("scenario1", "kanban_watch_detach=true"),
        ("scenario3", "kanban_on_blocked=terminate"),
    ):
        with place.db.connect() as session, session.cursor() as cursor:
            place.db.rows("""UPDATE companies SET settings = jsonb_set(settings, '{kanbanV2Enabled}', 'true')""")
            held = "terminate" in line
            if held:
                cursor.execute("BEGIN; SELECT 1 FROM companies WHERE id = 7 FOR UPDATE")
            run = typed(place, name, line, **stop)
            assert (on(place.db), held or session.closed == 0) == ([], True), run.output

    words = documented("docs/report.md", "ansible db ").split("-a ")
    production = place.directory / "inventories" / "production"
    production.mkdir(parents=True)
    given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    playbook.inventory(production, given, db={"db1": {}})
    login = place.db.server
    options = f"login_host={login.host} login_port={login.port} login_user={login.user} login_password={login.password}"
    asked = f"{options} login_db={place.db.name} incident_id={plain.incident}"
    argv = [beside("ansible"), *words[0].split()[1:], "-a", asked]
    around = environment(**playbook.alone(place.directory))
    read = started.run(argv, place.directory, env=around)
    assert read.returncode == 0, read.stdout + read.stderr
    assert '"documents"' in read.stdout
