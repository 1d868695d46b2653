# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a job is removed when it has ended, and so are those that killed runs have left, but nobody else's."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tests.integration import playbook

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: begin.yml}
    - ansible.builtin.command: {argv: [ls, "{{ __job_place.path }}"]}
      vars:
        ansible_system_tmpdirs: "{{ __job_tmpdirs }}"
        ansible_async_dir: "{{ __job_notes_dir }}"
      register: begun
      async: 60
      poll: 0
      changed_when: false
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: follow.yml}
      vars: &job {job_begun: "{{ begun }}", job_ends: it is done, job_seconds: 20}
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.job, tasks_from: end.yml}
      vars: {<<: *job, __job_others_seconds: 2}
    - ansible.builtin.copy:
        content: "{{ __job_answer | to_json }}"
        dest: "{{ playbook_dir }}/result.json"
        mode: "0600"
"""
BEGUN = {"started": True, "finished": False, "ansible_job_id": "j140737488355327.4194304"}


def lay(directory: Path, name: str, note: dict[str, object] | None = None) -> Path:
    """Make what a run leaves."""
    place = directory / name
    (place / "ansible-tmp-1").mkdir(parents=True)
    (place / "ansible-tmp-1" / "AnsiballZ_pg_dump.py").write_text("a password")
    if note:
        (place / "notes").mkdir(mode=0o700)
        (place / "notes" / "j140737488355327.4194304").write_text(json.dumps(note))
    return place


def of_another_controller(directory: Path) -> tuple[Path, Path]:
    """Make the places of a controller that has not begun its job yet, and of one that has not read its result."""
    begins, reads = lay(directory, "kanban_rollback.begins"), lay(directory, "kanban_rollback.reads", BEGUN)
    return begins, reads


def goes_on(begins: Path, reads: Path) -> None:
    """Begin the one job and end the other, as their controllers do while somebody else's job ends."""
    (begins / "notes").mkdir(mode=0o700)
    (begins / "notes" / "j140737488355327.4194304").write_text(json.dumps(BEGUN))
    (reads / "notes" / "j140737488355327.4194304").write_text(
        json.dumps({**BEGUN, "finished": True, "rows": "9" * 150})
    )


def test_what_killed_runs_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kanban_rollback.empty").mkdir()
    lay(tmp_path, "kanban_rollback.unknown")
    lay(
        tmp_path,
        "kanban_rollback.ended",
        {**BEGUN, "finished": True, "dest": "/var/lib/postgresql/dumps", "rows": "9" * 99},
    )
    lost = lay(tmp_path, "kanban_rollback.lost", BEGUN) / "notes" / "j140737488355327.4194304"
    os.utime(lost, (time.time() - 8 * 86400,) * 2)
    stay = {
        lay(tmp_path, "kanban_rollback.works", BEGUN),
        lay(tmp_path, "kanban_v2"),
        lay(tmp_path, "kanban_rollback_of"),
    }
    others = of_another_controller(tmp_path)
    stay.update(others)
    if os.geteuid() == 0:
        other = lay(tmp_path, "kanban_rollback.others")
        os.chown(other, 65534, 65534)
        stay.add(other)
    options = ("-e", f"ansible_python_interpreter={sys.executable}")
    running = playbook.start(tmp_path, playbook.written(tmp_path, PLAY), *options, TMPDIR=str(tmp_path))
    running.says("TASK [chatia.kanban_rollback.job : Let others begin, and read what became of theirs]")
    goes_on(*others)
    run = running.wait()
    assert run.rc == 0, run.output
    assert playbook.kept(tmp_path)["finished"]
    assert set(tmp_path.glob("kanban_*")) == stay
    assert all((place / "ansible-tmp-1" / "AnsiballZ_pg_dump.py").exists() for place in stay)
