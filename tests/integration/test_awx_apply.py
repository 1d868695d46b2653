# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx.yml with the real modules of awx.awx against a server with AWX's API: objects made, found again, removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration import awxplace, playbook
from tests.playbooks.runner import CHECKOUT
from tests.support.awxapi import Awx, awx

SECRET = "s3cret-of-the-database"
SMALL = {
    "organization": "awx_organization: {name: Ours, description: For tests}",
    "execution_environments": "awx_execution_environments: [{name: Image, description: x, image: x:1, pull: missing}]",
    "projects": """
awx_projects:
  - name: Code
    description: x
    scm_type: git
    scm_url: https://example.com/x
    scm_branch: main
    scm_update_on_launch: false
    timeout: 90
""",
    "inventories": """
awx_inventories:
  - name: Hosts
    description: x
    sources:
      - name: Hosts
        source: scm
        source_project: Code
        source_path: hosts.yml
        overwrite: true
        overwrite_vars: true
        update_on_launch: false
        timeout: 60
""",
    "credential_types": """
awx_credential_types:
  - name: Database
    description: x
    kind: cloud
    inputs: {fields: [{id: password, label: Password, type: string, secret: true}]}
    injectors: {env: {KANBAN_POSTGRESQL_PASSWORD: !unsafe "{{ password }}"}}
""",
    "credentials": "awx_credentials: [{name: Database, description: x, credential_type: Database}]",
    "notification_templates": """
awx_notification_templates:
  - name: Tell
    description: x
    notification_type: slack
    notification_configuration: {channels: ["#x"], token: ""}
    messages: {error: {message: !unsafe "{{ job.name }}"}}
""",
    "job_templates": """
awx_job_template_defaults: {ask_job_type_on_launch: true, ask_diff_mode_on_launch: true, allow_simultaneous: true}
awx_job_templates:
  - name: Stop
    description: x
    project: Code
    playbook: playbooks/scenario3.yml
    inventory: Hosts
    execution_environment: Image
    credentials: [Database]
    forks: 50
    notification_templates_error: [Tell]
    survey: [kanban_recovery]
""",
    "surveys": """
awx_surveys:
  Stop:
    name: x
    description: x
    spec:
      - {question_name: x, required: false, type: multiplechoice, variable: kanban_recovery, choices: [none, surgical]}
""",
    "workflows": """
awx_workflow_defaults: {allow_simultaneous: true, notification_templates_error: [Tell]}
awx_workflows:
  - name: Way
    description: x
    notification_templates_approvals: [Tell]
    nodes:
      - {identifier: stop, job_template: Stop, success: [approve], failure: [tell]}
      - {identifier: approve, approval: {name: Approve, description: y, timeout: 60}, success: [recover]}
      - {identifier: recover, job_template: Stop, extra_data: {kanban_recovery: surgical}}
      - {identifier: tell, job_template: Stop}
""",
    "schedules": """
awx_schedules:
  - name: Nightly
    description: x
    unified_job_template: Way
    rrule: "DTSTART;TZID=Europe/Lisbon:20260105T033000 RRULE:FREQ=DAILY;INTERVAL=1"
""",
    "teams": "awx_teams: [{name: DBAs, description: x, grants: [{role: approval, workflows: [Way]}]}]",
}


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Awx]:
    with awx(tmp_path) as running:
        yield running


def names(controller: Awx, kind: str) -> list[str]:
    return sorted(str(row["name"]) for row in controller.state["rows"][kind].values())


def small(directory: Path) -> str:
    data = directory / "awx"
    data.mkdir()
    for name, text in SMALL.items():
        (data / f"{name}.yml").write_text(text)
    return str(data)


def test_it_is_made_once_and_found_again(controller: Awx, directory: Path) -> None:
    given: dict[str, Any] = {
        # As a person types it, relative to the current directory.
        "kanban_awx_dir": Path(small(directory)).name,
        "kanban_awx_credentials": {"Database": {"password": SECRET}},
        "kanban_awx_notifications": {"Tell": {"token": "xoxb-t0ken"}},
    }
    first = awxplace.run(directory, controller, **given)
    assert first.rc == 0, first.output
    assert "13 of 13 made or changed." in first.screen
    assert SECRET not in first.output
    assert "xoxb-t0ken" not in first.output
    rows = controller.state["rows"]
    (credential,) = rows["credentials"].values()
    assert credential["inputs"] == {"password": SECRET}
    # An update that a job waits for has a time limit.
    assert [one["timeout"] for kind in ("projects", "inventory_sources") for one in rows[kind].values()] == [90, 60]
    (kind,) = [one for one in rows["credential_types"].values() if one["name"] == "Database"]
    # AWX's own template came through Ansible unchanged.
    assert kind["injectors"] == {"env": {"KANBAN_POSTGRESQL_PASSWORD": "{{ password }}"}}
    nodes = {one["identifier"]: one for one in rows["workflow_job_template_nodes"].values()}
    assert nodes["stop"]["success_nodes"] == [nodes["approve"]["id"]]
    assert nodes["approve"]["success_nodes"] == [nodes["recover"]["id"]]
    assert nodes["recover"]["extra_data"] == {"kanban_recovery": "surgical"}
    (approval,) = rows["workflow_approval_templates"].values()
    assert (approval["name"], approval["timeout"]) == ("Approve", 60)
    (job_template,) = rows["job_templates"].values()
    assert controller.state["surveys"][str(job_template["id"])]["spec"][0]["choices"] == ["none", "surgical"]
    assert len(controller.state["links"][f"job_templates/{job_template['id']}/credentials"]) == 1

    before = controller.written
    again = awxplace.run(directory, controller, **given)
    assert (again.rc, again.recap("localhost")["changed"]) == (0, 0), again.output
    assert controller.written == before


def test_without_awx_awx_it_says_what_to_install(directory: Path) -> None:
    run = playbook.run(directory, "chatia.kanban_rollback.awx", "-i", "localhost,")
    assert run.rc == 2, run.output
    assert "ansible-galaxy collection install awx.awx:==24.6.1" in run.text
    assert "CONTROLLER_HOST" not in run.text


@pytest.mark.drill
@pytest.mark.timeout(3000)
def test_all_of_awx_is_made_found_again_put_right_and_taken_away(controller: Awx, directory: Path) -> None:
    first = awxplace.run(directory, controller)
    assert first.rc == 0, first.output
    assert "To be filled in" in first.screen
    # Anything that the API refuses would have failed; what exists is what the files say.
    found = controller.state["rows"]
    assert "Kanban V2 scenario 3" in names(controller, "workflow_job_templates")
    written = yaml.safe_load((CHECKOUT / "roles/awx/files/job_templates.yml").read_text())["awx_job_templates"]
    assert names(controller, "job_templates") == sorted(one["name"] for one in written)

    # All are made the first time.
    (total,) = re.findall(r"\b(\d+) of \1 made or changed", first.screen)
    before = controller.written
    again = awxplace.run(directory, controller)
    assert (again.rc, again.recap("localhost")["changed"]) == (0, 0), again.output
    assert f"0 of {total} made or changed" in again.screen
    assert controller.written == before

    # A person filled in a secret, and added a link that bypasses the approval.
    nodes = {
        (one["workflow_job_template"], one["identifier"]): one for one in found["workflow_job_template_nodes"].values()
    }
    (workflow,) = [id for id, name in nodes if name == "reenable" and nodes[(id, "contain")]["extra_data"] == {}][:1]
    contain, recover = nodes[(workflow, "contain")]["id"], nodes[(workflow, "recover")]["id"]
    (slack,) = [one for one in found["notification_templates"].values() if one["name"] == "Kanban DBAs"]
    filled_in = {"notification_configuration": {**slack["notification_configuration"], "token": "t"}}
    controller.send(f"/notification_templates/{slack['id']}/", filled_in)
    controller.send(f"/workflow_job_template_nodes/{contain}/always_nodes/", {"id": recover}, "POST")
    mended = awxplace.run(directory, controller)
    assert mended.rc == 0, mended.output
    assert f"1 of {total} made or changed" in mended.screen
    after = controller.state["rows"]
    assert [one for one in after["workflow_job_template_nodes"].values() if one["always_nodes"]] == []
    assert after["notification_templates"][str(slack["id"])]["notification_configuration"]["token"] == "t"

    ours = next(iter(found["projects"].values()))["organization"]
    controller.seed(("projects", {"name": "Theirs", "organization": ours}))
    for changes in (True, False):
        gone = awxplace.run(directory, controller, kanban_state="absent")
        assert gone.rc == 0, gone.output
        assert (gone.recap("localhost")["changed"] > 0) is changes
        assert "others have something in it: projects: Theirs" in gone.screen
    assert names(controller, "organizations") == ["Default", "Kanban rollback"]
    assert names(controller, "projects") == ["Theirs"]
    assert names(controller, "credential_types") == ["Machine", "Red Hat Ansible Automation Platform"]
    left = {kind for kind, rows in controller.state["rows"].items() if rows}
    assert left == {"credential_types", "organizations", "projects"}
