# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis fails over in the middle of a run, and the replica that takes over does not have the write block."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.blocks import KEY, OURS, OWNER
from tests.integration.module import ROOT
from tests.integration.pairs import Pair, pair
from tests.support import processes

PLAY = """
- name: Contain
  hosts: redis
  gather_facts: false
  tasks:
    - name: Hold the write block
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.contain
        tasks_from: redis.yml
    - name: Let it fail over
      ansible.builtin.wait_for:
        path: "{{ go }}"
        timeout: 60
      changed_when: false
    - name: Keep it
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.contain
        tasks_from: renew.yml
- name: Say what came of it
  hosts: localhost
  connection: local
  gather_facts: false
  roles: [chatia.kanban_rollback.kanban]
  tasks:
    - name: Judge it
      ansible.builtin.include_vars: "{{ verdict_vars }}"
    - name: Write it
      ansible.builtin.copy:
        content: "{{ __verdict_part.block | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
"""


@pytest.mark.parametrize(
    "released", [pytest.param(False, id="lost"), pytest.param(True, id="released", marks=pytest.mark.drill)]
)
def test_a_block_that_is_lost_is_held_again_and_one_that_was_released_is_not(directory: Path, released: bool) -> None:
    with ExitStack() as stack:
        two: Pair = pair(stack, directory)
        go = directory / "go"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_incident_id": OURS,
            "kanban_redis_password": two.master.password,
            # No database is involved.
            "kanban_db_hosts": "none",
            "verdict_hosts": "none",
            "verdict_result": "__contain_flag",
            "go": str(go),
            "verdict_vars": str(ROOT / "roles/verdict/vars/main.yml"),
            "result_file": str(directory / "result.json"),
        }
        hosts = {
            name: {"kanban_redis_host": server.host, "kanban_redis_port": server.port}
            for name, server in (("redis1", two.master), ("redis2", two.replica))
        }
        there = playbook.inventory(directory, variables, redis=hosts)
        running = playbook.start(directory, playbook.written(directory, PLAY), *there)

        def held() -> bool:
            with two.replica.client() as client:
                return client.get(KEY) == "true"

        assert processes.wait_until(held, 60), running.output
        running.says("Let it fail over")
        with two.master.client() as old, two.replica.client() as new:
            if released:
                old.delete(KEY, OWNER)
            else:
                new.replicaof("NO", "ONE")
                new.delete(KEY, OWNER)
        if not released:
            two.master.crash()
        go.touch()
        done = running.wait(timeout=120)
        assert done.rc == 0, done.output
        part = playbook.kept(directory)
        assert part["holds"] is not released, part
        with two.replica.client() as client:
            assert client.mget(KEY, OWNER) == ([None, None] if released else ["true", OURS])
        if not released:
            assert (
                "redis1: no answer, and none is expected: redis2 has taken over with the write block" in part["lines"]
            )
