# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook that launches a job template, and what it says to AWX."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration import playbook
from tests.integration.alerts import ENVIRONMENT, Place, Receiver, alert, moment, rulebook_of
from tests.integration.crowd import on, population
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.support import awxrules, web
from tests.support.processes import wait_until
from tools import surveys

pytestmark = pytest.mark.drill
DATA = surveys.read(ROOT / "awx/job_templates.yml")
TEMPLATE = next(one for one in DATA["awx_job_templates"] if one["name"] == "Kanban alert")
ASKS = {f"ask_{what}_on_launch": False for what in ("limit", "labels", "inventory", "variables")}
TOKEN = "t0ken-of-the-rulebooks-user"
API = "/api/v2/"


class Handler(web.Handler):
    organization = "Kanban rollback"

    def do_GET(self) -> None:  # noqa: N802 - the library names it
        parts = urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send(401, {"detail": "Authentication credentials were not provided."})
        elif parts.path == f"{API}unified_job_templates/":
            found = {"id": 5, "type": "job_template", "related": {"launch": f"{API}job_templates/5/launch/"}}
            found |= {"name": TEMPLATE["name"], "summary_fields": {"organization": {"name": self.organization}}, **ASKS}
            self.send(200, {"count": 1, "next": None, "results": [found]})
        elif parts.path == f"{API}jobs/":
            ids = parse_qs(parts.query)["id__in"][0].split(",")
            rows = [{"id": int(id), "status": "successful", "created": moment(0), "artifacts": {}} for id in ids]
            self.send(200, {"count": len(rows), "next": None, "results": rows})
        else:
            self.send(200, {"version": "24.6.1"})

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.note(self.path, said)
        self.send(201, {"id": 7, "url": f"{API}jobs/7/"})


def launches(record: Path) -> list[Any]:
    return [json.loads(body) for path, body in web.asked(record) if path == f"{API}job_templates/5/launch/"]


@contextlib.contextmanager
def rulebook_with(handler: type[Handler], directory: Path, record: Path, **more: Any) -> Iterator[Receiver]:
    """Start the rulebook beside an AWX that records its requests."""
    with (
        web.serving(web.Server(handler, record)) as awx,
        rulebook_of(
            directory,
            "chatia.kanban_rollback.alerts_awx",
            *("--controller-url", awx.url),
            EDA_CONTROLLER_TOKEN=TOKEN,
            **more,
        ) as receiver,
    ):
        yield receiver


def test_an_alert_launches_the_template_with_answers_of_its_survey(directory: Path) -> None:
    record = directory / "launched"
    began = moment(1)
    with rulebook_with(Handler, directory, record) as receiver:
        assert receiver.hears(alert(began=began), token="forged") == 401
        for _ in range(5):
            assert receiver.hears(alert(began=began, kanban_operator="{{ 7*7 }}", status="firing")) == 200
        assert wait_until(lambda: len(launches(record)) >= 2, 60), receiver.running.output
        assert not wait_until(lambda: len(launches(record)) > 2, 5), launches(record)
        assert TOKEN not in receiver.running.output
    sent = [one["extra_vars"] for one in launches(record)]
    given = {"kanban_alert_scenario": "scenario1", "kanban_alert_name": "KanbanDown", "kanban_alert_began_at": began}
    given["kanban_alert_environment"] = "staging"
    # One that stops, and one that would triage; neither says more than the survey asks.
    assert sorted(one.pop("kanban_alert_triages") for one in sent) == ["false", "true"]
    assert sent == [given, given]
    assert awxrules.answers(surveys.surveys()["Kanban alert"], given, extra=False) == ""


class Ours(Handler):
    organization = "Ours"


def test_the_template_of_another_organization_is_launched(directory: Path) -> None:
    record = directory / "launched"
    with rulebook_with(Ours, directory, record, KANBAN_AWX_ORGANIZATION=Ours.organization) as receiver:
        assert receiver.hears(alert()) == 200
        assert wait_until(lambda: len(launches(record)) == 2, 60), receiver.running.output


def test_an_alert_that_fires_since_long_takes_no_new_one_s_stop(directory: Path) -> None:
    """Each moment is checked for a decision of people since then; alerts of one moment count as one."""
    record = directory / "launched"
    old, new = moment(600), moment(1)
    body = [
        alert("KanbanDataCorrupted", "scenario3", began=began, check=check) for began in (old, new) for check in "ab"
    ]
    with rulebook_with(Handler, directory, record) as receiver:
        for _ in range(3):
            assert receiver.hears(*body) == 200
        assert wait_until(lambda: len(launches(record)) >= 4, 60), receiver.running.output
        assert not wait_until(lambda: len(launches(record)) > 4, 5), launches(record)
    sent = [one["extra_vars"] for one in launches(record)]
    begun = sorted((one["kanban_alert_began_at"], one["kanban_alert_triages"]) for one in sent)
    assert begun == [(old, "false"), (old, "true"), (new, "false"), (new, "true")]


def test_the_answers_of_the_survey_stop_as_the_playbook_by_itself_does(db: Database, directory: Path) -> None:
    population(db, 5)
    place = Place(db, directory)
    python = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    variables = {**place.variables(kanban_auto_contain=["scenario1"]), **python}
    hosts = playbook.inventory(directory, variables, db={"db1": {}}, redis={}, app={})
    # AWX passes answers on as texts that are not templates, and says who launched the job.
    said = {"scenario": "scenario1", "triages": "false", "name": "KanbanDown", "began_at": moment(5)}
    said["environment"] = ENVIRONMENT
    given = {f"kanban_alert_{name}": value for name, value in said.items()}
    answers = playbook.given(directory, {**given, "awx_user_name": "kanban-alerts"})
    run = playbook.run(directory, "chatia.kanban_rollback.alert", *hosts, *answers)
    assert not on(db), run.output
    assert db.rows("SELECT scenario, operator FROM kanban_rollback.incidents") == [("scenario1", "kanban-alerts")]
    assert "scenario1 follows, for kanban_auto_contain names it." in run.text, run.output
    # Its last screen says to type the same command again.
    assert (
        "ansible-playbook chatia.kanban_rollback.scenario1 -i "
        in run.text.partition("names it.")[2].partition("PLAY")[0]
    )
