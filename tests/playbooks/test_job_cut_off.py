# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job on a host whose network is away for a while: it goes on, and the run learns what became of it."""

import time
from pathlib import Path

import pytest

from tests.hosts.fleet import Fleet
from tests.playbooks.runner import Running, beside

PLAY = """
- hosts: app1
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: begin.yml}
    - ansible.builtin.command: sleep 55
      vars:
        ansible_system_tmpdirs: "{{ __job_tmpdirs }}"
        ansible_async_dir: "{{ __job_notes_dir }}"
      async: 120
      poll: 0
      register: begun
    - vars: {job_begun: "{{ begun }}", job_ends: it is done, job_seconds: 100}
      block:
        - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: follow.yml}
      always:
        - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: end.yml}
    - ansible.builtin.debug: {msg: "its command ended with {{ __job_answer.rc | default('nothing that is known') }}"}
"""
# SSH's keep-alive gives the connection up before that, and so does the connection timeout of a new one.
AWAY_SECONDS = 40


@pytest.mark.drill
def test_a_job_whose_host_is_cut_off_for_a_while_is_followed_to_its_end(estate: Fleet, tmp_path: Path) -> None:
    play, app1 = tmp_path / "play.yml", estate["app1"]
    play.write_text(PLAY)
    running = Running([beside("ansible-playbook"), "-i", str(estate.inventory), str(play)], tmp_path / "output")
    running.says("Wait until it is done")
    time.sleep(3)
    app1.cut()
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        app1.mend()
    run = running.wait(timeout=120)
    assert "UNREACHABLE" in run.output, "the network was not away long enough for this to show anything"
    assert "its command ended with 0" in run.text, run.output
    assert run.rc == 0, run.output
    assert "kanban_rollback." not in estate.ssh("app1", "ls /tmp /var/tmp").stdout
