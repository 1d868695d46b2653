# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contents of awx/ agree with the profile, with awx.awx's own argument specs, and with the rule above all rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._awx import workflow_nodes
from tests.integration.awxplace import argument_specs
from tests.integration.module import ROOT
from tests.support import awxrules
from tools import surveys

DATA = {path.stem: surveys.read(path) for path in sorted((ROOT / "awx").glob("*.yml"))}
SPECS = surveys.options()
TEMPLATES = {
    one["name"]: {**DATA["job_templates"]["awx_job_template_defaults"], **one}
    for one in DATA["job_templates"]["awx_job_templates"]
}
WORKFLOWS = {
    one["name"]: {**DATA["workflows"]["awx_workflow_defaults"], **one} for one in DATA["workflows"]["awx_workflows"]
}
SURVEYS: Mapping[str, Any] = DATA["surveys"]["awx_surveys"]
# A stop is known by its playbook; the recovery is scenario3.yml too, and comes after one.
STOPS = {"playbooks/triage.yml", "playbooks/scenario1.yml", "playbooks/scenario2.yml", "playbooks/scenario3.yml"}
# The module for each file, and the fields of an entry that are ours alone.
MODULES = {
    "execution_environments": "execution_environment", "projects": "project", "inventories": "inventory",
    "credential_types": "credential_type", "credentials": "credential", "schedules": "schedule", "teams": "team",
    "notification_templates": "notification_template",
}  # fmt: skip
OURS = {"sources", "grants", "survey", "nodes"}
TASKS = {state: surveys.read(ROOT / f"roles/awx/tasks/{state}.yml") for state in ("present", "absent")}
USED = sorted({name[8:] for tasks in TASKS.values() for task in tasks for name in task if name.startswith("awx.awx.")})


def follows(workflow: Mapping[str, Any], *edges: str) -> dict[str, set[str]]:
    """Return which nodes follow each node of a workflow by these edges."""
    return {node["identifier"]: {name for edge in edges for name in node.get(edge, [])} for node in workflow["nodes"]}


def before(workflow: Mapping[str, Any], name: str) -> set[str]:
    """Return all nodes that a node waits for."""
    after = follows(workflow, "success", "failure", "always")
    found: set[str] = set()
    left = [name]
    while left:
        new = {one for one, next_ones in after.items() if left[-1] in next_ones} - found
        left.pop()
        found |= new
        left += new
    return found


def is_stop(node: Mapping[str, Any]) -> bool:
    template = TEMPLATES.get(node.get("job_template", ""), {})
    return template.get("playbook") in STOPS and template["name"] != "Kanban recover"


def stats() -> Iterator[tuple[str, str]]:
    """Yield each task that hands something on to later jobs, with its file."""
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        for part in path.read_text().split("ansible.builtin.set_stats:")[1:]:
            yield path.as_posix(), part.split("\n- name:")[0]


def handed_on() -> set[str]:
    """Return what the roles hand on."""
    return {name for _path, task in stats() for name in re.findall(r"\b(kanban_\w+)'?: ", task)}


def test_what_a_run_hands_on_last_counts() -> None:
    # By default Ansible joins the texts of a run, which would make an incident id that does not exist.
    assert [path for path, task in stats() if "aggregate: false" not in task] == []


def test_surveys_are_what_the_argument_specs_say() -> None:
    assert surveys.TARGET.read_text() == surveys.text(), "make awx writes it anew"


def test_a_change_of_the_specs_changes_the_survey() -> None:
    asked = surveys.question("kanban_on_blocked", SPECS["kanban_on_blocked"])
    assert (asked["type"], asked["choices"], "default" in asked) == ("multiplechoice", ["report", "terminate"], False)
    other = surveys.question("kanban_on_blocked", {**SPECS["kanban_on_blocked"], "choices": ["report"]})
    assert other != asked
    assert surveys.question("x", {"type": "bool", "description": "Whether."})["choices"] == ["true", "false"]


@pytest.mark.parametrize(
    "name", ["kanban_postgresql_password", "kanban_notify_slack_webhooks", "kanban_flag", "kanban_contacts"]
)
def test_no_secret_and_nothing_that_has_no_question_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        surveys.question(name, SPECS[name])


@pytest.mark.parametrize("name", sorted(SURVEYS))
def test_awx_takes_each_survey(name: str) -> None:
    assert awxrules.survey(SURVEYS[name]) == ""
    # A default would be passed on as an answer, and override the inventory.
    assert [one for one in SURVEYS[name]["spec"] if "default" in one or one["required"]] == []


def test_every_playbook_that_people_type_has_a_template() -> None:
    # The halves of triage.yml, and what makes the templates. What a rulebook launches has a template, too.
    others = {"triage_act.yml", "triage_decide.yml", "awx.yml"}
    there = {path.name for path in ROOT.glob("playbooks/*.yml")} - others
    assert {one["playbook"].removeprefix("playbooks/") for one in TEMPLATES.values()} == there


def entries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield module, name and parameters of everything in awx/, as the role hands them over."""
    place = {"organization": "Ours"}
    for kind, module in MODULES.items():
        for one in DATA[kind][f"awx_{kind}"]:
            known = {} if module == "credential_type" else place
            yield module, one["name"], {**one, **known}
    for inventory in DATA["inventories"]["awx_inventories"]:
        for source in inventory["sources"]:
            yield "inventory_source", source["name"], {**source, "inventory": inventory["name"], **place}
    for name, one in TEMPLATES.items():
        yield "job_template", name, {**one, "survey_spec": SURVEYS.get(name, {}), **place}
    for name, one in WORKFLOWS.items():
        nodes = workflow_nodes(one["nodes"], "Ours")
        yield (
            "workflow_job_template",
            name,
            {**one, "survey_spec": SURVEYS.get(name, {}), "workflow_nodes": nodes, **place},
        )
    for team in DATA["teams"]["awx_teams"]:
        for grant in team["grants"]:
            yield "role", team["name"], {"teams": [team["name"]], **grant}


def test_each_entry_is_what_the_modules_of_awx_awx_take() -> None:
    specs = argument_specs(*USED)
    count = 0
    for module, name, entry in entries():
        given = {key: value for key, value in entry.items() if key not in OURS}
        said = ArgumentSpecValidator(specs[module]).validate(given)
        assert not said.error_messages, (module, name, said.error_messages)
        assert not said.unsupported_parameters, (module, name)
        count += 1
    assert count > 50


def test_the_roles_tasks_hand_over_each_field_and_no_other() -> None:
    specs = argument_specs(*USED)
    handed: dict[str, set[str]] = {}
    for state, tasks in TASKS.items():
        for task in tasks:
            for module in (name[8:] for name in task if name.startswith("awx.awx.")):
                fields = set(task[f"awx.awx.{module}"])
                assert fields <= set(specs[module]), task["name"]
                handed.setdefault(module, set()).update(fields if state == "present" else ())
    for module, name, entry in entries():
        # A field that is in the data and in no task would have no effect.
        assert set(entry) - OURS <= handed[module], (module, name)


def test_names_lead_to_what_is_there() -> None:
    names = {kind: {one["name"] for one in DATA[kind][f"awx_{kind}"]} for kind in MODULES}
    sources = {one["name"] for inventory in DATA["inventories"]["awx_inventories"] for one in inventory["sources"]}
    for one in TEMPLATES.values():
        assert one["project"] in names["projects"]
        assert one["inventory"] in names["inventories"]
        assert one["execution_environment"] in names["execution_environments"]
        assert set(one["credentials"]) <= names["credentials"]
        assert set(one["notification_templates_error"]) <= names["notification_templates"]
        types = [
            kind["credential_type"]
            for kind in DATA["credentials"]["awx_credentials"]
            if kind["name"] in one["credentials"]
        ]
        assert len(set(types)) == len(types), f"{one['name']}: AWX takes one credential of a type"
    for workflow in WORKFLOWS.values():
        ids = {node["identifier"] for node in workflow["nodes"]}
        assert len(ids) == len(workflow["nodes"])
        assert set().union(*follows(workflow, "success", "failure", "always").values()) <= ids
        for node in workflow["nodes"]:
            assert node.get("job_template", "Kanban tell") in TEMPLATES
            assert node.get("project", "Kanban rollback") in names["projects"]
            assert node.get("inventory_source", "Kanban production") in sources
            spec = SURVEYS.get(node.get("job_template", ""))
            assert awxrules.answers(spec, node.get("extra_data", {}), extra=False) == "", node["identifier"]
    for schedule in DATA["schedules"]["awx_schedules"]:
        assert schedule["unified_job_template"] in {**TEMPLATES, **WORKFLOWS}
        assert awxrules.rule(schedule["rrule"]) == ""
    for team in DATA["teams"]["awx_teams"]:
        for grant in team["grants"]:
            assert set(grant.get("job_templates", [])) <= set(TEMPLATES)
            assert set(grant.get("workflows", [])) <= set(WORKFLOWS)


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_no_stop_waits_for_an_approval_or_for_another_run(name: str) -> None:
    workflow = WORKFLOWS[name]
    nodes = {node["identifier"]: node for node in workflow["nodes"]}
    for node in filter(is_stop, workflow["nodes"]):
        assert [one for one in before(workflow, node["identifier"]) if "approval" in nodes[one]] == []
        # A run that waits for its approval would keep the next one from starting, and a job the next one of its kind.
        assert workflow["allow_simultaneous"] is True
        assert TEMPLATES[node["job_template"]]["allow_simultaneous"] is True


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_each_failure_ends_in_a_message(name: str) -> None:
    workflow = WORKFLOWS[name]
    nodes = {node["identifier"]: node for node in workflow["nodes"]}
    for node in workflow["nodes"]:
        if node.get("job_template") == "Kanban tell":
            assert not (set(node) & {"success", "failure", "always"})
            assert node["extra_data"]["kanban_workflow_step"] in SPECS["kanban_workflow_step"]["choices"]
            continue
        assert node.get("failure"), node["identifier"]
        assert all(nodes[one].get("job_template") == "Kanban tell" for one in node["failure"]), node["identifier"]


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_what_jobs_hand_on_is_asked_for_by_no_workflow(name: str) -> None:
    # AWX lets a workflow's own answer win over what its jobs hand on.
    assert {"kanban_incident_id", "kanban_verdict", "kanban_plan_hash"} <= handed_on()
    asked = set(WORKFLOWS[name].get("survey", []))
    assert not asked & (handed_on() | {"kanban_approved_by", "kanban_operator"})
    assert not set(TEMPLATES["Kanban recover"]["survey"]) & {"kanban_approved_by", "kanban_operator"}


@pytest.mark.parametrize("name", ["Kanban V2 scenario 3", "Kanban V2 scenario 3 with restore"])
def test_recovery_and_return_follow_their_approvals(name: str) -> None:
    after = follows(WORKFLOWS[name], "success")
    way: list[str] = []
    node = {"contain"}
    while node and len(way) < 20:
        (one,) = node
        way.append(one)
        node = after[one]
    assert way == ["contain", "approve_plan", "recover", "release", "approve_reenable", "reenable"]
    # The job that needs to know who approved can ask AWX.
    assert "Kanban AWX reader" in TEMPLATES["Kanban recover"]["credentials"]


def test_secrets_come_in_by_the_environment_and_never_as_extra_variables() -> None:
    secret = {name for name, spec in SPECS.items() if spec.get("no_log") and not name.startswith("kanban_awx_")}
    injected: set[str] = set()
    for kind in DATA["credential_types"]["awx_credential_types"]:
        assert set(kind["injectors"]) == {"env"}, kind["name"]
        assert awxrules.credential_type(kind) == ""
        injected |= set(kind["injectors"]["env"])
        secrets = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        for name, text in kind["injectors"]["env"].items():
            is_secret = any(re.search(rf"\b{one}\b", text) for one in secrets)
            assert is_secret is (name.lower() in secret), name
    assert {name.upper() for name in secret} <= injected
    # The profile reads each from there.
    defaults = (ROOT / "roles/kanban/defaults/main.yml").read_text()
    for name in injected:
        assert re.search(rf"^{name.lower()}: [^\n]*(\n  [^\n]*)?'{name}'", defaults, re.MULTILINE), name


def test_versions_belong_together() -> None:
    version = re.search(r"^version: (\S+)", (ROOT / "galaxy.yml").read_text(), re.MULTILINE)
    assert version
    image = DATA["execution_environments"]["awx_execution_environments"][0]
    assert image["image"].rpartition(":")[2] == version[1]
    assert version[1] in image["description"]
    # Nothing is fetched on launch: a stop waits neither for git nor for a registry.
    assert image["pull"] == "missing"
    assert all(one["scm_update_on_launch"] is False for one in DATA["projects"]["awx_projects"])
    sources = [one for inventory in DATA["inventories"]["awx_inventories"] for one in inventory["sources"]]
    assert all(one["update_on_launch"] is False for one in sources)
    # A job waits for an update that is under way, so the update has a time limit, because git has none.
    assert {one["timeout"] for one in [*DATA["projects"]["awx_projects"], *sources]} == {120}
