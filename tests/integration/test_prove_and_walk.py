# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles prove and walk through Ansible: real processes, one that listens nowhere, one host that is unreachable."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.support.app_process import applications
from tests.support.pm2 import Daemon
from tests.support.processes import free_port

PASSWORD = "tr0ub4dor-and-3"
PLAY = """
- name: As containment leaves it
  hosts: db
  gather_facts: false
  tasks:
    - name: Note the kill
      ansible.builtin.set_fact:
        __contain_at: "{{ now(utc=true) | chatia.kanban_rollback.epoch - 2 }}"
        __contain_flag: {contained_ms: 100, elapsed_ms: 600, database: {writable: true}}
        __contain_fence: {elapsed_ms: 500}

- name: Ask the application
  hosts: app
  gather_facts: false
  ignore_unreachable: true
  strategy: free
  tasks:
    - name: Prove
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.prove
    - name: Ask for health
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.walk
        tasks_from: health.yml
    - name: Walk
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.walk
    - name: Tell what pm2 lists
      ansible.builtin.include_role:
        name: chatia.kanban_rollback.prove
        tasks_from: pm2.yml
      when: kanban_app_pm2_home is defined

- name: Judge
  hosts: localhost
  gather_facts: false
  vars:
    answers: "{{ groups['app'] | map('extract', hostvars) | list }}"
    since: "{{ answers | map(attribute='__prove_since_commit', default=0) | map('float') }}"
    proof: "{{ answers | map(attribute='__prove', default={}) }}"
    walk: "{{ answers | map(attribute='__walk', default={}) }}"
    health: "{{ answers | map(attribute='__walk_health', default={}) }}"
    listed: "{{ answers | map(attribute='__prove_pm2', default={}) }}"
    plan: "{{ ansible_check_mode }}"
  tasks:
    - name: Keep what it said
      ansible.builtin.copy:
        content: "{{ told | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
      check_mode: false
      vars:
        told:
          proof: "{{ groups['app'] | chatia.kanban_rollback.proof_part(proof, since, plan=plan, listed=listed) }}"
          walk: "{{ groups['app'] | chatia.kanban_rollback.walk_part(walk, plan=plan) }}"
          health: "{{ groups['app'] | chatia.kanban_rollback.health_part(health, plan=plan) }}"
"""
# One of several processes of a cluster, on a port of its own.
WORKER = """
require('http').createServer((_request, answer) => {
  answer.setHeader('Content-Type', 'application/json');
  answer.end(JSON.stringify({pid: process.pid, on: 0, v2: false}));
}).listen(Number(process.argv[2 + Number(process.env.NODE_APP_INSTANCE)]), '127.0.0.1');
"""
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
PROFILE: dict[str, Any] = {
    "kanban_app_process_urls": [],
    "kanban_app_processes": 0,
    "kanban_app_pm2": "/nonexistent/pm2",
    "kanban_app_pm2_names": [],
    "kanban_app_flag_path": "/flag",
    "kanban_app_flag_pid_path": "pid",
    "kanban_app_flag_on_path": "on",
    "kanban_app_flag_off_when": [0],
    "kanban_app_flag_tenant_path": "v2",
    "kanban_app_flag_tenant_off_when": [False],
    "kanban_app_flag_tenant_parameter": "tenant",
    "kanban_app_headers": {},
    "kanban_app_validate_certs": True,
    "kanban_app_prove_seconds": 2,
    "kanban_app_walk_seconds": 10,
    "kanban_app_health_path": "/flag",
    "kanban_app_user": "oncall@chatia.com",
    "kanban_app_password": PASSWORD,
    "kanban_app_variables": {"tenant": "7"},
    "kanban_app_v1_steps": [
        {"name": "ask for one", "path": "/flag", "query": {"tenant": "<tenant>"}, "save": {"seen": "on"}},
        {"name": "see V1", "path": "/flag", "headers": {"X-Who": "<user> <password>"},
         "expect": [{"path": "on", "equals": 0}, {"path": "on", "at_most": 0, "equals": "<seen>"}]},
    ],
}  # fmt: skip


def asked(directory: Path, hosts: dict[str, dict[str, Any]], *options: str) -> dict[str, Any]:
    """Run the roles on these hosts, and return the parts; the password must not be in the output."""
    profile = {**PROFILE, "result_file": str(directory / "result.json")}
    groups = {"ungrouped": {"localhost": LOCAL}, "db": {"db1": LOCAL}, "app": hosts}
    done = playbook.run(
        directory,
        playbook.written(directory, PLAY),
        *playbook.inventory(directory, profile, **groups),
        "-vvv",
        *options,
    )
    assert done.rc == 0, done.output
    assert PASSWORD not in done.output
    return playbook.kept(directory)


def test_every_host_is_judged_and_none_that_could_not_be_asked_is_passed_over(directory: Path) -> None:
    with applications() as apps:
        now = time.monotonic()
        slow, quick = apps.start([(0, "v2"), (now + 2, "v1")]), apps.start([(0, "v1")])
        port = free_port()
        shared = [apps.start([(0, "v1")], port, share=True) for _process in range(2)]
        hosts: dict[str, dict[str, Any]] = {
            "app1": {**LOCAL, "kanban_app_url": quick.url, "kanban_app_process_urls": [slow.url, quick.url],
                     "kanban_app_prove_seconds": 30},
            "app2": {**LOCAL, "kanban_app_url": shared[0].url, "prove_pids": [one.pid for one in shared]},
            "app3": {**LOCAL, "kanban_app_url": f"http://127.0.0.1:{free_port()}", "kanban_app_processes": 1},
            # How many share its port is not known, because there is no pm2.
            "app5": {**LOCAL, "kanban_app_url": shared[0].url},
            "app4": {"ansible_host": "127.0.0.1", "ansible_port": 1, "kanban_app_url": quick.url},
        }  # fmt: skip
        told = asked(directory, hosts)
        planned = asked(directory, {"app1": hosts["app1"]}, "--check")
    proof, walk, health = told["proof"], told["walk"], told["health"]
    assert proof["bad"] == [
        "V1 is not proven on app3",
        "V1 is not proven on app5",
        "app4 could not be asked which board it serves",
    ]
    lines = "\n".join(proof["lines"])
    assert "app1: 2 of 2 processes serve V1, at most " in lines
    assert "app2: 2 of 2 processes serve V1, at most " in lines
    assert "app3: a process at http://127.0.0.1:" in lines
    assert "connection refused" in lines
    assert "NOT PROVEN: 2 answered, and how many there are is not known" in lines
    assert "app4: proof of kill NOT ACCOUNTED FOR: could not be reached" in lines
    # The kill was two seconds, and one of our own work, before it was asked; the slowest took its time after that.
    (figures,) = [line for line in proof["lines"] if line.startswith("app2: 2 of 2")]
    assert 3.0 <= float(figures.split("at most ")[1].split(" s")[0]) < 30
    assert walk["bad"] == ["the V1 walk failed on app3", "the V1 walk on app4 could not be made"]
    assert "app2: the V1 walk FAILED" not in "\n".join(walk["lines"])
    assert health["bad"] == ["app3 is not healthy", "the health of app4 is not known"]
    assert "app1: healthy, 200 in" in "\n".join(health["lines"])
    # In check mode nothing is asked; the lines say what would be.
    assert "app1: would be walked: ask for one, see V1" in planned["walk"]["lines"]
    assert "app1: its application processes would be asked until each serves V1" in planned["proof"]["lines"]


@pytest.mark.drill
def test_processes_that_pm2_lists_and_nobody_asked_are_not_proven(pm2_daemon: Daemon, directory: Path) -> None:
    ports = [free_port() for _worker in range(4)]
    pm2_daemon.start(WORKER, "api", "-i", "4", "--", *map(str, ports))
    pm2_daemon.start("setInterval(() => {}, 1000);", "mailer")
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    pm2 = {"kanban_app_pm2": str(pm2_daemon.program), "kanban_app_pm2_home": str(pm2_daemon.home)}
    some = {**LOCAL, **pm2, "kanban_app_url": urls[0], "kanban_app_prove_seconds": 10}
    told = asked(
        directory,
        {
            "app1": {**some, "kanban_app_process_urls": urls[:2]},
            "app2": {**some, "kanban_app_process_urls": urls},
            "app3": {**some, "kanban_app_process_urls": urls, "kanban_app_pm2_home": str(directory / "none")},
        },
    )
    lines = "\n".join(told["proof"]["lines"])
    assert "app1: 2 of 2 processes serve V1" in lines
    assert "app2: 4 of 4 processes serve V1" in lines
    assert "app2: pm2 also lists mailer, not asked which board it serves" in lines
    assert "app3: whether these are all of its processes is not known: There is no directory" in lines
    (bad,) = told["proof"]["bad"]
    assert bad.startswith("V1 is not proven on app1: pm2 lists 4 living processes of api, 2 were asked")


@pytest.mark.drill
def test_steps_that_an_inventory_has_left_empty_are_none(directory: Path) -> None:
    with applications() as apps:
        url = apps.start([(0, "v1")]).url
        told = asked(directory, {"app1": {**LOCAL, "kanban_app_url": url, "kanban_app_v1_steps": None}})
    assert told["health"]["holds"], told
