# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job is followed to its end, even if a look at it hangs on the way."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.integration import playbook

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: follow.yml}
      vars:
        job_begun: {ansible_job_id: j1.1, results_file: "{{ playbook_dir }}/j1.1"}
        job_ends: it is done
        job_seconds: 20
    - ansible.builtin.copy:
        content: "{{ [[__job_followed], [__job_again]] | chatia.kanban_rollback.latest | first | to_json }}"
        dest: "{{ playbook_dir }}/result.json"
        mode: "0600"
"""


@pytest.mark.drill
def test_a_look_that_hangs_does_not_end_the_following(tmp_path: Path) -> None:
    job, result = tmp_path / "j1.1", '{"changed": true, "verified": "toc"}'
    # Nobody writes to it: a reader waits, as when the network is gone.
    os.mkfifo(job)
    options = ("-e", f"ansible_python_interpreter={sys.executable}")
    # A module that is ended half-way leaves what it had unpacked.
    running = playbook.start(tmp_path, playbook.written(tmp_path, PLAY), *options, TMPDIR=str(tmp_path))
    time.sleep(15)
    hangs = job.rename(tmp_path / "hangs")
    job.write_text(result)
    try:
        run = running.wait(timeout=playbook.TIMEOUT_SECONDS)
    finally:
        # Release the reader that hangs there.
        os.close(os.open(hangs, os.O_RDWR))
    assert run.rc == 0, run.output
    assert playbook.kept(tmp_path)["verified"] == "toc"


# A job as Ansible begins it, whose processes are then killed as by a restart.
LOST = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: begin.yml}
    - ansible.builtin.command: sleep 600
      vars:
        ansible_system_tmpdirs: "{{ __job_tmpdirs }}"
        ansible_async_dir: "{{ __job_notes_dir }}"
      async: 600
      poll: 0
      register: begun
    - ansible.builtin.command: "{{ ansible_python_interpreter }} {{ playbook_dir }}/end.py {{ begun.ansible_job_id }}"
    - vars: {job_begun: "{{ begun }}", job_ends: it is done, job_seconds: 600}
      block:
        - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: follow.yml}
      always:
        - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: end.yml}
"""
END = """
import os, pathlib, signal, sys
token = sys.argv[1].partition(".")[0].encode()
for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    pid = int(each.parent.name)
    try:
        if token in each.read_bytes().split(bytes(1)):
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    except OSError:
        pass
"""


def test_a_job_that_was_ended_from_outside_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "end.py").write_text(END)
    begun = time.monotonic()
    options = ("-e", f"ansible_python_interpreter={sys.executable}")
    run = playbook.run(tmp_path, playbook.written(tmp_path, LOST), *options, TMPDIR=str(tmp_path))
    assert run.rc == 2, run.output
    assert "none of its processes is there, and it has left no result" in run.output
    assert time.monotonic() - begun < 60
    # And nothing of it is left where its options were.
    assert not list(tmp_path.glob("kanban_rollback.*"))
