# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of a fence that the kill raised: reported if it holds, continued if it does not, never reported later."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import on, population
from tests.integration.fences import MOVES, TABLES, board, refused
from tests.integration.onscreen import seen
from tests.integration.place import Database
from tests.support.processes import free_port

PLAY = """
- name: Tell, or raise
  hosts: db
  gather_facts: false
  ignore_unreachable: true
  module_defaults:
    group/chatia.kanban_rollback.postgresql: "{{ login | default({}) }}"
  tasks:
    - name: Raise the fence
      chatia.kanban_rollback.write_fence:
        state: "{{ wanted }}"
        tables: [Tags]
        incident_id: INC-1
        answer: "{{ answer | default(omit, true) }}"
      check_mode: "{{ checked | default(false) }}"
      async: "{{ job | default(0) }}"
      register: done

- name: Keep what came of it
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Write it
      ansible.builtin.copy:
        content: "{{ hostvars['db1'].done }}"
        dest: result.json
        mode: "0600"
"""
ANSWER = {
    "holds": True,
    "status": "proven",
    "changed": True,
    "raised_ms": 20,
    "tables": [{"name": "{{ 7 * 6 }}"}],
    "terminated": [{"pid": 7}],
    "warnings": ["A wider fence."],
}
BEGUN = {**ANSWER, "holds": False, "status": "not_fenced"}


@pytest.mark.parametrize(
    ("answer", "more", "asked"),
    [
        (ANSWER, {}, False),
        (None, {}, True),
        ({}, {}, True),
        (BEGUN, {}, True),
        (ANSWER, {"wanted": "absent"}, True),
        (ANSWER, {"checked": True}, True),
        (ANSWER, {"job": 30}, True),
    ],
    ids=["told", "none", "empty", "does not hold", "another state", "check mode", "a job"],
)
def test_the_task_goes_to_the_host_unless_the_answer_holds(
    tmp_path: Path, answer: dict[str, Any] | None, more: dict[str, Any], asked: bool
) -> None:
    # Nobody listens there: if the host is unreachable, it was asked.
    host = {"ansible_host": "127.0.0.1", "ansible_port": free_port(), "ansible_python_interpreter": sys.executable}
    options = playbook.inventory(tmp_path, {"wanted": "present", **more}, db={"db1": host})
    options += playbook.given(tmp_path, {"answer": answer})
    run = playbook.run(tmp_path, playbook.written(tmp_path, PLAY), *options)
    done = playbook.kept(tmp_path)
    assert done.get("unreachable", False) is asked, run.output
    if not asked:
        told = ("status", "changed", "tables", "raised_ms", "terminated")
        assert {name: done[name] for name in told} == {name: ANSWER[name] for name in told}
        assert "holds" not in done
        assert "A wider fence." in run.output


def test_the_task_goes_on_with_what_the_kill_has_begun(db: Database, tmp_path: Path) -> None:
    board(db)
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    options = playbook.inventory(tmp_path, {"wanted": "present", "login": db.modules().options}, db={"db1": here})
    options += playbook.given(tmp_path, {"answer": BEGUN})
    name = playbook.written(tmp_path, PLAY)
    run, done = playbook.run(tmp_path, name, *options), playbook.kept(tmp_path)
    assert (run.rc, done["status"], done["changed"], done["terminated"]) == (0, "proven", True, [{"pid": 7}]), (
        run.output
    )
    assert done["raised_ms"] is not None
    # Now the kill has raised all of it, but has not seen that it holds.
    run, done = playbook.run(tmp_path, name, *options), playbook.kept(tmp_path)
    assert (run.rc, done["status"], done["changed"], done["raised_ms"]) == (0, "proven", True, 20), run.output


ALONE = """
- name: Refuse writes, and leave the flag as it is
  hosts: db
  gather_facts: false
  tasks:
    - name: Name it
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.run
    - name: Remember an earlier kill
      ansible.builtin.set_fact:
        __contain_flag: {fence: {holds: true, status: proven, changed: true}, database: {writable: true}}
    - name: Raise the fence alone
      ansible.builtin.include_role:
        name: chatia.kanban_rollback.contain
        tasks_from: fence.yml
"""


def test_a_fence_that_is_raised_later_is_raised_whatever_an_earlier_kill_said(db: Database, tmp_path: Path) -> None:
    board(db)
    options = playbook.inventory(tmp_path, {**db.variables, "kanban_fence_tables": TABLES}, db={"db1": {}})
    run = playbook.run(tmp_path, playbook.written(tmp_path, ALONE), *options)
    assert run.rc == 0, run.output
    assert refused(db, MOVES) == list(MOVES)


# As the profile has it: templates within a list, which Ansible evaluates late.
BY_PROFILE = [
    "{{ __kanban_tables.tags }}",
    {
        "name": "{{ __kanban_tables.tickets }}",
        "operations": ["UPDATE"],
        "columns": ["{{ __kanban_columns.tickets.lane }}"],
    },
]
WRONG: dict[str, dict[str, Any]] = {
    "undefined": {"kanban_fence_tables": "{{ nobody_knows + ['x'] }}"},
    "undefined within": {"kanban_columns": {"tickets": None}, "kanban_dump_tables": []},
    "an error": {"kanban_fence_tables": ["{{ 1 // 0 }}"]},
    "a map": {"kanban_fence_tables": {"tickets": {}}},
}


# One whole playbook each: one for each commit, and all with the drills.
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(wrong, id=name, marks=() if name == "undefined" else pytest.mark.drill)
        for name, wrong in WRONG.items()
    ],
)
def test_the_flag_is_off_whatever_is_wrong_with_the_tables(
    db: Database, directory: Path, wrong: dict[str, Any]
) -> None:
    population(db)
    run = seen(db, directory, "scenario3", **{"kanban_fence_tables": BY_PROFILE, **wrong})
    assert (run.rc, on(db)) == (2, []), run.sent
    assert re.search(r"Switch the flag off \[db1\]: 50 of 50 tenants off", " ".join(run.lines)), run.sent
    assert re.search(r"Raise the fence \[db1\]: FAILED, the run goes on", " ".join(run.lines)), run.sent
