# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells people, by all routes at once, one of which hangs; it does not wait for that one or fail by it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import on, population
from tests.integration.journals import Place
from tests.integration.people import SECRETS, People, outbox
from tests.integration.place import Database
from tests.support.mailserver import MailServer, mail_server
from tests.support.processes import free_port
from tests.support.statuspage import StatusPage, status_page
from tests.support.telling import Told, telling

OPEN = "INC-OPEN"
HOSTILE = "<script>{{ 7*7 }}</script> **@channel** <!here> 🙂 " + "x" * 10_000


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Fifty companies that are on, with ten users each, in an incident that is open already; and people's own words."""
    population(db)
    db.rows('CREATE TABLE users AS SELECT g AS id, g % 50 + 1 AS "companyId" FROM generate_series(1, 500) AS g')
    db.modules().ok("incident", incident_id=OPEN, run_id="before")
    words = directory / "incidents" / OPEN / "words.md"
    words.parent.mkdir(parents=True)
    words.write_text(f"## What happened\n{HOSTILE}\n## Previsão de resolução completa\n2 horas\n")
    return Place(db, directory)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as running:
        yield running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[StatusPage]:
    with status_page(tmp_path) as running:
        yield running


def services(told: Told, mail: MailServer, page: StatusPage) -> dict[str, Any]:
    return People(told, mail, page).services


def test_people_are_told_once_by_every_way_and_what_hangs_is_sent_again(
    place: Place, told: Told, mail: MailServer, page: StatusPage
) -> None:
    given = services(told, mail, page)
    team = place.directory / "team/pt_BR"
    team.mkdir(parents=True)
    (team / "initial_stakeholders.md.j2").write_text(
        "Nossa equipe: {{ facts.companies.switched_off }}\n{{ words.what_happened }}\n"
    )
    given["kanban_notify_templates"] = str(team.parent)
    # The pager hangs; one channel gets too many requests.
    too_many = {"on": "chat.postMessage", "has": "#incidents", "status": 429, "headers": {"Retry-After": "60"}}
    told.order({"on": "enqueue", "hang": 60, "times": 9}, {**too_many, "times": 9})
    # Enough for a busy machine to read the figures.
    typed = [
        *playbook.given(place.directory, {"kanban_reason": HOSTILE.partition(" 🙂")[0]}),
        *("-e", "communicate_look_seconds=60"),
    ]
    run = place.run("scenario3", *typed, **given)
    assert (run.rc, on(place.db)) == (0, []), run.output
    assert "Messages: " in run.screen, run.output
    assert not [secret for secret in SECRETS if secret in run.output]
    # The run ended well and reported what holds, and then whom it did not reach.
    found = outbox(place.incidents, OPEN)
    assert set(found) == {f"scenario3-{key}" for key in (
        "announce", "initial-oncall", "initial-stakeholders", "user-notice", "update-contained",
        "user-update-contained")}  # fmt: skip
    assert found["scenario3-announce"] == {"slack:#incidents": "failed"}
    assert "slack #incidents: 429, too many requests, it asks for 60 s" in run.screen
    assert found["scenario3-initial-oncall"]["pagerduty"] == "unknown"
    assert "pagerduty: no whole answer" in run.screen, run.screen
    (incident,) = page.incidents
    assert (page.status("cmpkanban"), incident["status"]) == ("under_maintenance", "investigating")
    channel = next(name for name in found["scenario3-initial-oncall"] if name.startswith("slack:#incident-"))
    assert found["scenario3-initial-oncall"][channel] == "sent"
    posts = told.posts()
    assert not [post for post in posts if "<!here>" in post["text"] or "@channel" in post["text"]]
    # The figures of this very run, and no 0 for a figure that was not measured.
    (oncall,) = [post["text"] for post in posts if post["channel"].startswith("C")][:1]
    assert "Companies com o V2 desligado: 50 de 50; com o V2 ainda ligado: 0" in oncall
    assert "Motivo: &lt;script&gt;{{ 7*7 }}&lt;/script&gt; **@\u2060channel** &lt;!here&gt;" in oncall
    letters = {to[0]: letter for to, letter in mail.mails if str(letter["Subject"]) == "Nossa equipe: 50"}
    assert set(letters) == {"lead@chatia.example", "ceo@chatia.example"}
    assert letters["lead@chatia.example"].get_content().startswith("<script>{{ 7*7 }}</script>")
    update = (place.incidents / OPEN / "messages/scenario3-update-contained.md").read_text()
    assert "**Usuários afetados:** 500" in update
    assert "**Previsão:** 2 horas" in update
    # What is missing is sent, and nothing else.
    count = (len(mail.mails), len(page.written))
    told.order()
    again = place.run("report", **given)
    assert f"Messages of {OPEN}: 3 sent now" in again.output, again.output
    assert not list(place.directory.glob(".ansible_async/*"))
    assert (len(mail.mails), len(page.written)) == count
    # What hung may have arrived after all; it is one alarm.
    assert {(body["event_action"], body["dedup_key"]) for body in told.asked("enqueue")} == {("trigger", OPEN)}
    assert [post["text"][:10] for post in told.posts("#incidents")] == ["<!channel>", "P0 critica"]


WRONG = """
- hosts: [localhost, db1]
  gather_facts: false
  vars: {kanban_notify_slack_token: "{{ vault_that_is_not_there }}",
         kanban_notify_dry_run: "{{ vault_that_is_not_there }}"}
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.communicate, tasks_from: begin.yml}
      vars: {communicate_stops: true}
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.communicate, tasks_from: count.yml}
    - &end
      ansible.builtin.include_role: {name: chatia.kanban_rollback.communicate, tasks_from: end.yml}
      vars: {communicate_stops: true, communicate_ending: update, communicate_verdict: degraded}
      when: inventory_hostname == 'localhost'
    - ansible.builtin.include_role: {name: chatia.kanban_rollback.communicate, tasks_from: deliver.yml}
      when: inventory_hostname == 'localhost'
    - ansible.builtin.debug: {msg: "{{ inventory_hostname }} went on"}
- hosts: localhost
  gather_facts: false
  vars: {kanban_notify_pagerduty_key: 123, kanban_notify_slack_token: null, kanban_notify_mail_host: null,
         kanban_notify_dry_run: true, ansible_become: true, ansible_become_method: no.such.method}
  tasks:
    - *end
# A database that answered, and cannot be reached by now.
- hosts: db2
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {__contain_flag: {database: {writable: true}}}
- hosts: localhost
  gather_facts: false
  vars: {kanban_notify_pagerduty_key: a key, kanban_notify_pagerduty_url: "http://127.0.0.1:1/",
         kanban_notify_dry_run: false, kanban_notify_slack_token: "", kanban_notify_seconds: 1}
  tasks:
    - *end
"""


# A disk, or a controller, that takes seconds for what should take none.
SLOW = """
import sys, time
sys.addaudithook(lambda event, told: event == "open" and str(told[0]).endswith("/words.md") and time.sleep(5))
"""


@pytest.mark.drill
def test_words_that_take_seconds_to_be_read_are_told_from_the_beginning(
    place: Place, told: Told, mail: MailServer, page: StatusPage
) -> None:
    (place.directory / "sitecustomize.py").write_text(SLOW)
    run = place.run("scenario3", prefix=("env", f"PYTHONPATH={place.directory}"), **services(told, mail, page))
    assert run.rc == 0, run.output
    kept = place.incidents / OPEN / "messages/scenario3-initial-oncall"
    assert json.loads(kept.with_suffix(".json").read_text())["without"] == []
    assert "O que aconteceu:** <script>{{ 7" in kept.with_suffix(".md").read_text()


@pytest.mark.drill
def test_words_that_could_not_be_read_are_said_to_be_left_out_and_told_by_the_report(
    place: Place, told: Told, mail: MailServer, page: StatusPage
) -> None:
    words = place.incidents / OPEN / "words.md"
    kept = words.rename(words.with_name("kept"))
    words.mkdir()
    run = place.run("scenario3", **services(told, mail, page))
    assert run.rc == 0, run.output
    assert "without what people may have written, which could not be read in time; report.yml tells it: " in run.screen
    record = json.loads((place.incidents / OPEN / "messages/scenario3-initial-oncall.json").read_text())
    assert record["without"] == ["words.what_happened"]
    words.rmdir()
    kept.rename(words)
    report = place.run("report", **services(told, mail, page))
    assert report.rc == 0, report.output
    lists = outbox(place.incidents, OPEN)["scenario3-initial-stakeholders.words"]
    assert lists == {"mail:tech_leads": "sent", "mail:executives": "sent"}
    letters = {to[0]: one.get_content() for to, one in mail.mails if "escreveram" in str(one["Subject"])}
    assert letters["lead@chatia.example"].startswith("O que aconteceu: <script>{{ 7*7 }}</script>")
    # The users get what their message asks for, and no more.
    assert letters["user@chatia.example"].strip() == "Previsão de resolução completa: 2 horas"
    once = len(mail.mails)
    assert place.run("report", **services(told, mail, page)).rc == 0
    assert len(mail.mails) == once


@pytest.mark.drill
def test_what_is_wrong_with_messages_is_nothing_to_the_run(directory: Path) -> None:
    team = directory / "team/pt_BR"
    team.mkdir(parents=True)
    (team / "update.md.j2").write_text("{{ nothing.like.that }}")
    (team / "announce.md.j2").write_text("Nossa equipe\n")
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    variables = {
        "kanban_notify": True,
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_incident_id": OPEN,
        "kanban_notify_templates": str(team.parent),
        # From a kill that no database of this test has had.
        "__communicate_joined": OPEN,
    }
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    hosts = playbook.inventory(directory, variables, db={"db1": here, "db2": gone})
    run = playbook.run(directory, playbook.written(directory, WRONG), *hosts)
    assert run.rc == 0, run.output
    assert [run.output.count(f"{host} went on") for host in ("localhost", "db1")] == [1, 1], run.output
    assert re.search(r"Messages: nobody was told: .*vault_that_is_not_there", run.output), run.output
    assert re.search(r"Messages: only this controller knows what was told.*: no ledger answered", run.output), (
        run.output
    )
    # A fault in one text affects that text alone; the beginning, which nobody was told, is sent with the end.
    assert "Messages: update in our words, for the team's template cannot be filled." in run.output
    written = {path.name: path.read_text() for path in (directory / "incidents" / OPEN / "messages").glob("*.md")}
    assert written["scenario3-announce.md"].strip() == "Nossa equipe"
    assert written["scenario3-update-degraded.md"].startswith("P0 critical ATUALIZAÇÃO")


@pytest.mark.drill
def test_containment_is_as_fast_where_slack_hangs_and_a_plan_tells_nobody(
    place: Place, told: Told, mail: MailServer, page: StatusPage
) -> None:
    given = {**services(told, mail, page), "kanban_locale": "es"}
    told.order({"on": "/api/", "hang": 60, "times": 99}, {"on": "enqueue", "hang": 60, "times": 99})
    plan = place.run("scenario3", "--check", **given)
    assert "Messages: would send " in plan.output, plan.output
    assert (told.asked(), mail.mails, page.written) == ([], [], [])
    assert not (place.incidents / OPEN / "messages").exists()
    run = place.run("scenario3", **given)
    assert run.rc == 0, run.output
    assert "in English, for there is no text of the language es" in run.output
    # What holds was reported before anybody was notified, and what follows did not wait for that.
    lines = [json.loads(line) for path in place.journals(OPEN) for line in path.read_text().splitlines()]
    plays = {line["data"]["number"]: line["data"]["seconds"] for line in lines if line["event"] == "play ended"}
    assert plays[4] < 15, plays
    begins = [line["seq"] for line in lines if line["event"] == "play began" and line["data"]["number"] == 4]
    asked = [line for line in lines if line["data"].get("role") == "communicate" and line["seq"] < begins[-1]]
    assert asked == []
    # Nobody is notified if there is no route, and a broken template keeps no run from its end.
    alone = place.run("scenario3", kanban_notify=True, kanban_environment="production")
    assert "Messages: nobody was told: no route is configured" in alone.output
    team = place.directory / "team/pt_BR"
    team.mkdir(parents=True)
    (team / "update.md.j2").write_text("{{ nothing.like.that }}")
    dry = place.run("scenario3", kanban_notify=True, kanban_notify_templates=str(team.parent))
    assert (dry.rc, "Messages: update in our words" in dry.output) == (0, True), dry.output
    # Nor does a directory that cannot be written.
    no_place = place.run("scenario3", kanban_notify=True, kanban_incidents_dir="/proc/none")
    assert no_place.rc == 0, no_place.output
    assert "Messages: nobody was told" in no_place.output
