# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that collects evidence beside the kill: on its own, and in nobody's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration import playbook
from tests.integration.crowd import population, slow
from tests.integration.module import ROOT, Modules
from tests.integration.place import Database
from tests.integration.test_evidence_beside import gone
from tests.support import accounts, processes


@pytest.fixture
def evidence(directory: Path) -> Path:
    return directory / "evidence"


# Every place that could be used, on file systems of 64 KiB, in the module's own mount namespace.
NO_SPACE = """for place in /var/lib /var/tmp /dev/shm; do
  mount -t tmpfs -o size=64k,mode=0700 tmpfs $place || exit 99
done
mkdir /dev/shm/home; HOME=/dev/shm/home exec "$@"
"""
WITHOUT_SPACE = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", NO_SPACE, "sh"]


@pytest.fixture
def without_space(db: Database) -> Modules:
    """Modules that run where no place takes a file."""
    tried = subprocess.run([*WITHOUT_SPACE, "/bin/true"], check=False, capture_output=True, timeout=20)
    if tried.returncode:
        pytest.skip("no mount namespace can be made here")
    modules = population(db)
    return Modules(modules.options, modules.environment, WITHOUT_SPACE)


def test_no_place_at_all_is_a_warning_beside_the_kill(db: Database, evidence: Path, without_space: Modules) -> None:
    # Some seconds of work: by its end the evidence's process has said that it has no place, also on a busy machine.
    slow(db, every=1, seconds=0.1)
    done = without_space.disable(evidence_dir=str(evidence))
    assert (done["enabled_after"], done["evidence"]["started"]) == (0, False)
    assert "too little space" in done["evidence"]["reason"]
    assert any("No evidence is being collected" in warning for warning in done["warnings"])
    gone(done["evidence"]["pid"])


def test_no_place_at_all_is_a_failure_of_the_module_itself(evidence: Path, without_space: Modules) -> None:
    login = {name: value for name, value in without_space.options.items() if name.startswith("login_")}
    modules = Modules(login, without_space.environment, without_space.prefix)
    result = modules.fails("no_place", "evidence", dest=str(evidence), incident_id="INC-1")
    for place in (evidence, "/var/lib/kanban_rollback", "/dev/shm/kanban_rollback"):  # noqa: S108
        assert str(place) in result["error"]["what"]


def test_the_kill_goes_on_when_no_process_can_be_started(db: Database, evidence: Path) -> None:
    modules = population(db)
    if not os.access("/usr/bin/prlimit", os.X_OK) or os.geteuid() != 0:
        pytest.skip("needs root and prlimit")
    # The limit of processes does not hold for root, so another account runs it.
    account = accounts.unprivileged()
    assert account
    prefix = ["/usr/bin/setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    evidence.mkdir(mode=0o700)
    os.chown(evidence, account.uid, account.gid)
    limited = Modules(modules.options, modules.environment, [*prefix, "/usr/bin/prlimit", "--nproc=1"])
    done = limited.disable(evidence_dir=str(evidence))
    assert (done["enabled_after"], done["evidence"]["started"]) == (0, False)
    assert any("No evidence" in warning for warning in done["warnings"])
    assert not list(evidence.iterdir())


PLAY = """
- name: Contain, then preserve
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Switch off
      chatia.kanban_rollback.feature_flag: "{{ login | combine(flag) }}"
      register: kill
      timeout: 30
    - name: Return the evidence
      chatia.kanban_rollback.evidence: "{{ login | combine(evidence) }}"
      register: evidence_found
      timeout: 30
    - name: Keep what was said
      ansible.builtin.copy:
        content: "{{ {'kill': kill, 'evidence': evidence_found} | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
"""


@pytest.mark.parametrize("pipelining", [True, pytest.param(False, marks=pytest.mark.drill)])
def test_through_ansible_the_process_outlives_the_task(
    db: Database, directory: Path, evidence: Path, pipelining: bool
) -> None:
    """Ansible removes the module's code from the host when the task ends; the process needs none of it by then."""
    modules = population(db)
    flag = {name: value for name, value in modules.options.items() if not name.startswith("login_")}
    given = {
        "login": {name: value for name, value in modules.options.items() if name.startswith("login_")},
        "flag": {**flag, "incident_id": "INC-1", "evidence_dir": str(evidence)},
        "evidence": {"incident_id": "INC-1", "dest": str(evidence), "wait": 10},
        "result_file": str(directory / "result.json"),
        "ansible_pipelining": pipelining,
    }
    play, variables = playbook.written(directory, PLAY), playbook.given(directory, given)
    # The statements have to wait for a lock, so that the process is at work when the task has ended.
    with db.transaction("LOCK TABLE pg_catalog.pg_extension"):
        done = playbook.run(directory, play, "-i", "localhost,", *variables)
    assert done.rc == 0, done.output
    told = playbook.kept(directory)
    assert told["kill"]["evidence"]["started"] is True
    assert told["kill"]["enabled_after"] == 0
    found = told["evidence"]
    # What was locked is tried once more, beside it.
    assert (found["changed"], found["taken"], found["complete"]) == (True, "later", False)
    (beside,) = found["unfinished"]
    index = Path(beside) / "index.json"
    first = json.loads(index.read_text())
    assert first["taken"] == "beside_containment"
    assert {one["part"]: "lock timeout" in one["reason"] for one in first["missing"]} == {"statements": True}
    began = datetime.fromisoformat(told["kill"]["database"]["now"]).timestamp()
    ended = began + told["kill"]["elapsed_ms"] / 1000
    # It waits a second for the lock; the module's code was gone for most of that.
    assert index.stat().st_mtime > ended + 0.3, "it had ended with the task: nothing was shown"
    # On a busy machine it may not have reported its pid by the end of the task.
    if told["kill"]["evidence"]["pid"] is not None:
        gone(told["kill"]["evidence"]["pid"])


def test_nothing_of_the_module_is_held_open(db: Database, evidence: Path) -> None:
    """A reader of the module's output sees its end at once, and it leaves no zombie."""
    modules = population(db)
    path = os.pathsep.join((str(ROOT), str(ROOT / ".ansible/collections")))

    def kill(incident: str, extra: int) -> int | None:
        asked = {**modules.options, "state": "disabled", "incident_id": incident, "evidence_dir": str(evidence)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.entry", "feature_flag"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": asked}), cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True, timeout=60, check=True, pass_fds=[extra],
        )  # fmt: skip
        pid: int | None = json.loads(done.stdout)["evidence"]["pid"]
        return pid

    with db.transaction("LOCK TABLE pg_catalog.pg_extension"):
        # Pipes, which stay open for as long as any process holds them; and one more descriptor, as sshd might leave.
        extra = os.open(evidence.parent, os.O_RDONLY)
        # On a busy machine a kill has often ended before this has said who it is.
        pid = next(pid for number in range(20) if (pid := kill(f"INC-{number}", extra)))
        os.close(extra)
        assert processes.alive(pid)
        held = sorted(os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())
        assert held.count("/dev/null") == 3, held
        assert not [name for name in held if name.startswith("pipe:")], held
        assert str(evidence.parent) not in held
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert stat[3] != str(os.getsid(0)), "it is of the caller's session"
        assert stat[16] == "10", f"nice is {stat[16]}"
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    gone(pid)
