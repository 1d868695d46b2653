# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a job is removed when it has ended, and so are those that killed runs have left, but nobody else's."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.support import accounts

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
        write(place, note)
    return place


def noted(place: Path) -> Path:
    """Return the note of the job that has this place."""
    return place.with_name(f"{place.name}.notes.x") / "j140737488355327.4194304"


def write(place: Path, note: dict[str, object]) -> None:
    noted(place).parent.mkdir(mode=0o700, exist_ok=True)
    noted(place).write_text(json.dumps(note))


def of_another_controller(directory: Path) -> tuple[Path, Path]:
    """Make the places of a controller that has not begun its job yet, and of one that has not read its result."""
    begins, reads = lay(directory, "kanban_rollback.begins"), lay(directory, "kanban_rollback.reads", BEGUN)
    return begins, reads


def goes_on(begins: Path, reads: Path) -> None:
    """Begin the one job and end the other, as their controllers do while somebody else's job ends."""
    write(begins, BEGUN)
    write(reads, {**BEGUN, "finished": True, "rows": "9" * 150})


def test_what_killed_runs_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kanban_rollback.empty").mkdir()
    lay(tmp_path, "kanban_rollback.unknown")
    lay(
        tmp_path,
        "kanban_rollback.ended",
        {**BEGUN, "finished": True, "dest": "/var/lib/postgresql/dumps", "rows": "9" * 99},
    )
    lost = noted(lay(tmp_path, "kanban_rollback.lost", BEGUN))
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
        # What somebody else notes of a place counts for nothing.
        forged = lay(tmp_path, "kanban_rollback.unknown.notes.y")
        (forged / "j140737488355327.4194304").write_text(json.dumps(BEGUN))
        os.chown(forged, 65534, 65534)
        stay.update((other, forged))
    options = ("-e", f"ansible_python_interpreter={sys.executable}")
    running = playbook.start(tmp_path, playbook.written(tmp_path, PLAY), *options, TMPDIR=str(tmp_path))
    running.says("TASK [chatia.kanban_rollback.job : Open the directories for other runs]")
    goes_on(*others)
    run = running.wait()
    assert run.rc == 0, run.output
    assert playbook.kept(tmp_path)["finished"]
    in_use = {noted(place).parent for place in stay if noted(place).exists()}
    assert len(in_use) == 3
    assert set(tmp_path.glob("kanban_*")) == stay | in_use
    assert all((place / "ansible-tmp-1" / "AnsiballZ_pg_dump.py").exists() for place in stay)


# Runs under an account of no privileges, and makes "notes" in each place as soon as it is there.
INTRUDER = """
import os, sys, time
directory, target = sys.argv[1:]
while True:
    for name in os.listdir(directory):
        notes = os.path.join(directory, name, "notes")
        try:
            os.symlink(target, notes) if target else os.mkdir(notes)
        except OSError:
            pass
    time.sleep(0.002)
"""


@pytest.mark.parametrize("links", [False, True], ids=["directory", "link"])
def test_nobody_else_gets_into_what_is_noted_of_a_job(tmp_path: Path, links: bool) -> None:
    """Not by being there first, and not by leading the job's user to a directory of its own."""
    other = accounts.unprivileged()
    if other is None:
        pytest.skip("only root has an account that is not its own")
    text = PLAY.replace("[ls, ", "[stat, -c, '%u %a %n', ").replace("{{ __job_place.path }}", "{{ __job_notes_dir }}")
    with accounts.workspace() as directory:
        target, places = directory / "target", directory / "tmp"
        target.mkdir(mode=0o755)
        places.mkdir()
        places.chmod(0o1777)
        argv = [sys.executable, "-c", INTRUDER, str(places), str(target) if links else ""]
        intruder = subprocess.Popen(argv, cwd="/", env=accounts.environment(), **accounts.drop(other))
        try:
            options = ("-e", f"ansible_python_interpreter={sys.executable}")
            run = playbook.run(tmp_path, playbook.written(tmp_path, text), *options, TMPDIR=str(places))
        finally:
            intruder.kill()
            intruder.wait()
        assert run.rc == 0, run.output
        uid, mode, path = playbook.kept(tmp_path)["stdout"].split()
        assert (uid, mode) == ("0", "700"), path
        assert stat.S_IMODE(target.stat().st_mode) == 0o755
        assert not list(target.iterdir())
        assert not list(places.iterdir())
