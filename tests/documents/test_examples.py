# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible accepts each example of each module: options, values, and keywords of a task. Nothing is run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.playbook.task import Task

from tests.documents.examples import MODULES, PREFIX, complaints, module_of, names, taken, tasks_of

WORDS = {*Task.fattributes, "delegate_to", "loop", "register", "when", "until", "become", "failed_when"}


def problems(name: str, tasks: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with examples."""
    found = [] if any(module_of(task) == name for task in tasks) else [f"no example calls {name}"]
    registered = {task["register"] for task in tasks if "register" in task}
    for task in tasks:
        module = module_of(task)
        actions = [key for key in task if "." in key]
        found += [f"{task['name']}: {key} is no word of a task" for key in task if key not in (*WORDS, *actions)]
        if module is not None:
            found += [f"{task['name']}: {text}" for text in complaints(module, task[PREFIX + module])]
        if task.get("check_mode") and module and not taken(module).check_mode:
            found.append(f"{task['name']}: it has no check mode")
        # A task that another one reads from must register its result; secrets and a job's input come from elsewhere.
        read = set(re.findall(r"\{\{ (\w+)\.", str(task)))
        found += [
            f"{task['name']}: nobody registers {one}" for one in sorted(read - registered) if one not in ELSEWHERE
        ]
    return found


# The result of incident_files, in its own example.
ELSEWHERE = {"kept"}


@pytest.mark.parametrize("name", names())
def test_an_example_is_what_ansible_takes(name: str) -> None:
    assert not problems(name, tasks_of(name))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (
            {"chatia.kanban_rollback.feature_flag": {"incident_id": "I", "stat": "disabled"}},
            "Supported parameters",
        ),
        ({"chatia.kanban_rollback.feature_flag": {"incident_id": "I", "state": "off"}}, "must be one of"),
        ({"chatia.kanban_rollback.feature_flag": {"state": "disabled"}}, "missing required arguments"),
        (
            {"chatia.kanban_rollback.feature_flag": {"incident_id": "I", "tenants": [1], "share": 10}},
            "mutually exclusive",
        ),
        ({"chatia.kanban_rollback.integrity_info": {"checks": [{"name": "x", "kind": "y"}]}}, "must be one of"),
        ({"chatia.kanban_rollback.ledger": {"retention_days": "long"}}, "unable to convert"),
        ({"chatia.kanban_rollback.feature_flag_info": {}, "regster": "x"}, "regster is no word of a task"),
        ({"chatia.kanban_rollback.feature_flag_info": {"table": "{{ found.table }}"}}, "nobody registers found"),
        ({"ansible.builtin.debug": {"msg": "x"}}, "no example calls"),
    ],
)
def test_what_ansible_does_not_take_is_told(task: dict[str, Any], says: str) -> None:
    name = module_of(task) or "feature_flag"
    assert any(says in text for text in problems(name, [{"name": "A task", **task}]))


def test_every_module_is_looked_at() -> None:
    assert len(names()) == len(list(MODULES.glob("*.py"))) >= 40
