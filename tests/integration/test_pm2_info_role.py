# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role processes through Ansible: a host whose pm2 does not answer is counted, and stops nobody."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import wait_for
from tests.support.pm2 import SECRET, Daemon

PLAY = """
- name: Look
  hosts: app
  gather_facts: false
  tasks:
    - name: Look at the processes
      ansible.builtin.include_role:
        name: chatia.kanban_rollback.processes
    - name: Log errors meanwhile
      ansible.builtin.shell: "{{ meanwhile }}"
      when: meanwhile is defined
    - name: Look again
      ansible.builtin.include_role:
        name: chatia.kanban_rollback.processes
        tasks_from: again.yml
      when: meanwhile is defined
- name: Judge
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Keep what was said
      ansible.builtin.copy:
        content: >-
          {{ {'part': names | chatia.kanban_rollback.processes_part(answers, {'error_lines_recent': 5}),
              'answers': answers, 'first': first} | to_json }}
        dest: "{{ result_file }}"
        mode: "0600"
      check_mode: false
      vars:
        names: "{{ groups['app'] | sort }}"
        first: "{{ names | map('extract', hostvars) | map(attribute='__processes', default={}) | list }}"
        again: "{{ names | map('extract', hostvars) | map(attribute='__processes_again', default={}) | list }}"
        answers: "{{ [first, again] | chatia.kanban_rollback.latest }}"
"""


def play(directory: Path, daemon: Daemon, **hosts: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Run the role on hosts, each with variables of its own; return what was kept, and the whole output."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "kanban_app_pm2": str(daemon.program),
        "kanban_app_pm2_home": str(daemon.home),
        "kanban_app_pm2_names": [],
        "kanban_app_error_pattern": "error",
        "processes_trend_seconds": 0,
        "processes_samples": 1,
        "result_file": str(directory / "result.json"),
    }
    there = playbook.inventory(directory, variables, app=hosts)
    done = playbook.run(directory, playbook.written(directory, PLAY), *there, "-vvv")
    assert done.rc == 0, done.output
    return playbook.kept(directory), done.output


def test_every_host_is_counted(pm2_daemon: Daemon, directory: Path) -> None:
    script = (
        f"console.error('Error: {SECRET}'); console.error('Error: {{{{ 7 * 7 }}}}'); setInterval(() => {{}}, 1000);"
    )
    pm2_daemon.start(script, "api", "--", f"--token={SECRET}")
    log = pm2_daemon.log("api-error")
    wait_for(lambda: log.exists() and "7 * 7" in log.read_text(), "the log")
    wait_for(lambda: _age(pm2_daemon) > 5, "five seconds of it")
    other, without = {"kanban_app_pm2_home": str(directory / "none")}, {"kanban_app_pm2": ""}
    kept, output = play(directory, pm2_daemon, app1={}, app2=other, app3=without)
    part = kept["part"]
    assert (part["kind"], part["holds"], part["bad"]) == ("validate", False, ["the processes on app2 are not known"])
    said = "\n".join(part["lines"])
    assert "app1: 1 of 1 processes run, 0 restarts" in said
    assert "error lines: 2 in the last lines, 2 of them new" in said
    assert "app2: processes NOT ACCOUNTED FOR: There is no directory" in said
    assert "app3: runs without pm2" in said
    assert "{{ <n> * <n> }}" in said, "text from a log is no template"
    assert SECRET not in json.dumps(kept)
    assert SECRET not in output
    assert not kept["answers"][0]["changed"]


@pytest.mark.drill
def test_what_is_logged_after_the_first_look_counts_too(pm2_daemon: Daemon, directory: Path) -> None:
    """These lines have no dates: the first look shows which of them were there before the moment, and so are old."""
    pm2_daemon.start("console.error('Error: old\\n'.repeat(9)); setInterval(() => {}, 1000);", "api")
    log = pm2_daemon.log("api-error")
    wait_for(lambda: log.exists() and log.read_text().count("old") == 9, "the log")
    wait_for(lambda: _age(pm2_daemon) > 5, "five seconds of it")
    since = f"{{{{ now(utc=true) | chatia.kanban_rollback.epoch - {time.time()} }}}}"
    noisy = {"processes_since": since, "meanwhile": f"for n in 1 2 3 4 5; do echo 'Error: new' >> {log}; done"}
    # This host's pm2 is gone after the first look: it was well, and is no longer known to be.
    link = directory / "link"
    link.symlink_to(pm2_daemon.home)
    gone = {"kanban_app_pm2_home": str(link), "meanwhile": f"rm {link}"}
    kept, output = play(directory, pm2_daemon, app1=noisy, app2=gone)
    assert kept["first"][0]["error_lines_recent"] == 0
    assert kept["first"][1]["ok"] is True, output
    bad, unknown = kept["part"]["bad"]
    assert bad.startswith("up to 5 error lines since "), output
    assert re.search(r"error lines: 14 in the last lines, 5 of them new in \d+ s", "\n".join(kept["part"]["lines"]))
    assert unknown == "the processes on app2 are not known"


def _age(daemon: Daemon) -> float:
    pid = int((daemon.home / "pids/api-0.pid").read_text())
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / 100
