# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tell.yml, the end of a workflow's failure branch; and secrets from the environment, where AWX puts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.module import ROOT
from tests.support.telling import ROUTING_KEY, TOKEN, Told, telling
from tools import surveys

HANDED_ON = {
    "awx_workflow_job_id": 42,
    "awx_workflow_job_name": "Kanban V2 <!here> {{ 7*7 }}",
    "kanban_incident_id": "INC-20261125-042",
    "kanban_verdict": "degraded",
    "kanban_workflow_step": "contain",
}
PLAY = """
- name: Show the profile
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Take it
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.profile
    - name: Keep it
      ansible.builtin.copy:
        content: "{{ names | zip(names | map('extract', vars)) | items2dict(key_name=0, value_name=1) | to_json }}"
        dest: result.json
        mode: "0600"
"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


def test_people_are_told_which_step_failed_and_what_holds(told: Told, directory: Path) -> None:
    ways = {
        "kanban_notify_dry_run": False,
        "kanban_locale": "en",
        "kanban_notify_slack_api_url": told.slack["api_url"],
        "kanban_notify_pagerduty_url": told.pager["url"],
        "kanban_notify_routes": {"workflow": {"stop_failed": ["slack:#incidents", "pagerduty"]}},
        "kanban_incidents_dir": str(directory / "incidents"),
    }
    secrets = {"KANBAN_NOTIFY_SLACK_TOKEN": TOKEN, "KANBAN_NOTIFY_PAGERDUTY_KEY": ROUTING_KEY}
    given = playbook.given(directory, {**ways, **HANDED_ON})
    run = playbook.run(directory, "chatia.kanban_rollback.tell", "-i", "localhost,", *given, **secrets)
    assert run.rc == 0, run.output
    assert "P0 Kanban V2: the stop did not end well, incident INC-20261125-042" in run.text
    (post,) = told.posts("#incidents")
    words = json.dumps(post)
    assert "contained in part" in words
    assert "run 42" in words
    # Names that others chose are taken literally.
    assert "{{ 7*7 }}" in words
    assert "<!here>" not in post["text"]
    assert told.events() == ["trigger"]
    assert TOKEN not in run.output

    # A message that did not arrive is a failure here, because messages were all there was to do.
    told.order({"on": "enqueue", "status": 400, "times": 9})
    other = playbook.given(directory, {**ways, **HANDED_ON, "awx_workflow_job_id": 43})
    lost = playbook.run(directory, "chatia.kanban_rollback.tell", "-i", "localhost,", *other, **secrets)
    assert lost.rc == 2, lost.output
    assert "not told by pagerduty" in lost.text


def test_a_triage_that_switches_nothing_rings_nobody(told: Told, directory: Path) -> None:
    ways = {
        "kanban_notify_dry_run": False,
        "kanban_notify_slack_api_url": told.slack["api_url"],
        "kanban_notify_pagerduty_url": told.pager["url"],
        "kanban_notify_routes": {"workflow": {"stop_failed": ["pagerduty"], "step_failed": ["slack:#incidents"]}},
        "kanban_incidents_dir": str(directory / "incidents"),
    }
    secrets = {"KANBAN_NOTIFY_SLACK_TOKEN": TOKEN, "KANBAN_NOTIFY_PAGERDUTY_KEY": ROUTING_KEY}
    step = {"awx_workflow_job_name": "Kanban V2 triage", "kanban_workflow_step": "triage"}
    for run_id, locale, found, said in (
        (
            1,
            "en",
            {"kanban_scenario": "p2", "kanban_incident_id": "INC-20261125-042"},
            "says P2, so it switched nothing",
        ),
        (2, "pt_BR", {"kanban_scenario": "unknown"}, "a triagem NÃO É CLARA"),
        # It did not come to a decision, so nobody knows what it has switched.
        (3, "en", {}, "P0 Kanban V2: the triage, or the scenario that it decided on, did not end well"),
    ):
        facts = {"awx_workflow_job_id": run_id, "kanban_locale": locale, **step, **found}
        given = playbook.given(directory, {**ways, **facts})
        run = playbook.run(directory, "chatia.kanban_rollback.tell", "-i", "localhost,", *given, **secrets)
        assert run.rc == 0, run.output
        assert said in run.text
        assert ("P0" in run.text, told.events()) == ((True, ["trigger"]) if run_id == 3 else (False, []))
    first, second = map(json.dumps, told.posts("#incidents"))
    assert "Switched by this triage:" in first
    assert "Desligado por esta triagem:" in second
    # No job was to say what holds.
    assert "not known" not in first


@pytest.mark.drill
def test_a_stale_rehearsal_is_told_and_a_young_one_is_not(told: Told, directory: Path) -> None:
    ways = {
        "kanban_notify_dry_run": False,
        "kanban_locale": "en",
        "kanban_notify_slack_api_url": told.slack["api_url"],
        "kanban_notify_routes": {"workflow": {"step_failed": ["slack:#incidents"]}},
        "kanban_incidents_dir": str(directory / "incidents"),
    }
    for run_id, lately, count in (
        (1, {"kanban_rehearsed_lately": "yes"}, 0),
        (2, {"kanban_rehearsed_lately": "no"}, 1),
        (3, {}, 2),
    ):
        facts = {"awx_workflow_job_id": run_id, "awx_workflow_job_name": "Kanban nightly", **lately}
        given = playbook.given(directory, {**ways, **facts, "kanban_workflow_step": "rehearsed"})
        secrets = {"KANBAN_NOTIFY_SLACK_TOKEN": TOKEN}
        run = playbook.run(directory, "chatia.kanban_rollback.tell", "-i", "localhost,", *given, **secrets)
        assert run.rc == 0, run.output
        assert len(told.posts("#incidents")) == count
    assert "no rehearsal of this version was green lately" in json.dumps(told.posts("#incidents")[0])


def test_a_secret_comes_from_the_environment_and_an_inventory_wins(directory: Path) -> None:
    types = surveys.read(ROOT / "awx/credential_types.yml")["awx_credential_types"]
    names = sorted(name.lower() for kind in types for name in kind["injectors"]["env"])
    inside = {name.upper(): f"{name}-of-the-environment" for name in names}
    inside["KANBAN_NOTIFY_SLACK_WEBHOOKS"] = '{"#incidents": "https://hooks.example/x"}'
    kept = {"kanban_redis_password": "of the inventory", "kanban_break_glass_what": ["approval"],
            "kanban_break_glass_reason": "nobody else is awake"}  # fmt: skip
    hosts = playbook.inventory(directory, {**kept, "names": [*names, "kanban_break_glass"]})
    run = playbook.run(directory, playbook.written(directory, PLAY), *hosts, **inside)
    assert run.rc == 0, run.output
    found = playbook.kept(directory)
    assert found.pop("kanban_break_glass") == {"what": ["approval"], "reason": "nobody else is awake"}
    wanted = {name: inside[name.upper()] for name in names}
    wanted["kanban_redis_password"] = "of the inventory"
    assert found == {**wanted, "kanban_notify_slack_webhooks": {"#incidents": "https://hooks.example/x"}}
    assert len(found) == 15
