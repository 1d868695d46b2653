# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration, as a user runs it, in a copy of the checkout whose path has spaces."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from tests.demo import place
from tests.demo.up import shape
from tests.support import accounts, processes
from tests.support.servers import workspace

TENANTS, TICKETS = 400, 3_000
PARTS = ("ansible.cfg", "galaxy.yml", "meta", "plugins", "roles", "playbooks", "inventories", "tools")
PARTS_OF_TESTS = ("__init__.py", "support", "demo")
ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="needs root to become another user")
PYTHON = sys.executable


@dataclass
class Checkout:
    """A copy of the checkout, and how its user runs things there."""

    path: Path
    popen: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> dict[str, Any]:
        # Files beside the sources would be taken for leftovers of the demonstration.
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {**accounts.byte_code(), **self.environment}
        return {"args": [PYTHON, *arguments], "cwd": self.path, "env": env, **self.popen}

    def run(self, *arguments: str, **popen: Any) -> subprocess.CompletedProcess[str]:
        how = {**self.command(*arguments), **popen}
        return subprocess.run(**how, timeout=300, capture_output=True, text=True, check=False, errors="replace")

    def paste(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a printed line, in the same environment and in another directory."""
        return self.run(args=["sh", "-c", line], cwd="/")

    def demo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "tests.demo", *arguments)

    def up(self, *arguments: str) -> str:
        done = self.demo("up", "--tenants", str(TENANTS), "--tickets", str(TICKETS), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def connection(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / ".cache/demo/connection.json").read_text())
        return found

    def flags(self) -> dict[str, int]:
        """Return the number of tenants by value of the flag, read without the collection or the demonstration."""
        login = {name: value for name, value in self.connection["postgresql"].items() if name != "bin"}
        session = psycopg2.connect(dbname=login.pop("db"), connect_timeout=5, **login)
        try:
            with session.cursor() as cursor:
                cursor.execute(
                    """SELECT coalesce((settings #> '{kanbanV2Enabled}')::text, 'none'), count(*)
                       FROM "Companies" GROUP BY 1"""
                )
                return dict(cursor.fetchall())
        finally:
            session.close()

    def processes(self) -> list[int]:
        """Return every process whose command line names a path of this checkout or the place outside it."""
        marks = (str(self.path), "kanban-rollback-demo-")
        return processes.matching(lambda arguments: any(mark in text for text in arguments for mark in marks))

    def is_left_by_all(self) -> bool:
        """Tell whether no process is left, now or soon: a separate process gathers evidence for 10 s."""
        return processes.wait_until(lambda: not self.processes(), 40)

    def files(self) -> set[Path]:
        return set(self.path.rglob("*")) | set(self.path.parent.glob("kanban-rollback-demo-*"))


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    with workspace("kanban check out ") as directory:
        for part in PARTS:
            copy(place.CHECKOUT / part, directory / part)
        for part in PARTS_OF_TESTS:
            copy(place.CHECKOUT / "tests" / part, directory / "tests" / part)
        link = directory / ".ansible/collections/ansible_collections/chatia/kanban_rollback"
        link.parent.mkdir(parents=True)
        link.symlink_to("../../../..")
        made = Checkout(directory, environment={"HOME": str(directory / "no home")})
        try:
            yield made
        finally:
            made.demo("down")
            assert made.is_left_by_all()


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)


def on(flags: dict[str, int]) -> int:
    return sum(count for value, count in flags.items() if value not in ("none", "null", "false"))


def assert_up_and_down(checkout: Checkout, again: bool) -> None:
    """Run up, undo, up ``again``, down and down again; read each effect from the database and the machine."""
    before_files = checkout.files()
    expected = shape(TENANTS, TICKETS).expected_on()
    output = checkout.up()
    assert f"{expected} of {TENANTS} tenants are on" in output.split("AFTER")[0]
    assert f"0 of {TENANTS} tenants are on" in output.split("AFTER")[1]
    # The live view shows the run, as in any checkout.
    assert f"Switch the flag off [demo-db]: {TENANTS} of {TENANTS} tenants off" in output
    off = checkout.flags()
    assert on(off) == 0
    assert sum(off.values()) == TENANTS
    assert stat.S_IMODE((checkout.path / ".cache/demo/connection.json").stat().st_mode) == 0o600
    with redis.Redis(decode_responses=True, **checkout.connection["redis"]) as client:
        assert client.ping()
    report, end = output.split("\nReport: ")[1].split("\n", 1)
    assert Path(report).read_text().startswith("<!doctype html>")

    stopped, triage, undo = [line.strip() for line in end.splitlines() if "playbooks/" in line]
    done = checkout.paste(stopped)
    assert (done.returncode, "STOPPED: incident INC-" in done.stdout) == (3, True), done.stdout + done.stderr
    done = checkout.paste(triage)
    assert (done.returncode, "SCENARIO 3" in done.stdout) == (2, True), done.stdout + done.stderr
    done = checkout.paste(undo)
    assert done.returncode == 0, done.stdout + done.stderr
    done = checkout.paste(stopped)
    assert (done.returncode, "NOTHING IS STOPPED." in done.stdout) == (0, True), done.stdout + done.stderr
    undone = checkout.flags()
    assert on(undone) == expected
    assert {'"sim"', '"true"', '""', "1"} <= set(undone)

    if again:
        checkout.up()
        assert on(checkout.flags()) == 0
    for answer in ("The demonstration is down.", "There was no demonstration."):
        done = checkout.demo("down")
        assert (done.returncode, done.stdout.strip()) == (0, answer), done.stderr
        assert checkout.is_left_by_all()
        assert checkout.files() == before_files


@pytest.mark.parametrize("again", [False, pytest.param(True, marks=pytest.mark.drill)])
def test_up_undo_down(checkout: Checkout, again: bool) -> None:
    assert_up_and_down(checkout, again)


@pytest.mark.drill
@as_root
def test_an_ordinary_user_does_the_same(checkout: Checkout) -> None:
    nobody = accounts.unprivileged()
    assert nobody
    if not accounts.reaches(nobody, Path(PYTHON).resolve()):
        pytest.skip(f"{nobody.name} does not reach {PYTHON}")
    for path in (checkout.path, *checkout.path.rglob("*")):
        os.chown(path, nobody.uid, nobody.gid, follow_symlinks=False)
    checkout.popen = nobody.popen
    assert_up_and_down(checkout, again=True)


@pytest.mark.drill
@as_root
def test_a_checkout_that_the_servers_account_cannot_reach(checkout: Checkout) -> None:
    checkout.path.chmod(0o700)
    before = checkout.files()
    assert "their files are in /var/tmp/kanban-rollback-demo-0-" in checkout.up()
    assert on(checkout.flags()) == 0
    assert checkout.demo("down").returncode == 0
    assert checkout.files() == before


@pytest.mark.drill
@pytest.mark.parametrize(
    "moment", ["servers/postgresql/initial-password", "servers/redis/redis.conf", "connection.json"]
)
def test_a_killed_up_leaves_nothing_that_down_does_not_find(checkout: Checkout, moment: str) -> None:
    before = checkout.files()
    # Killed in initdb, between the two servers, and with all of them running: each step begins by writing its file.
    victim = subprocess.Popen(**checkout.command("-m", "tests.demo", "up"), stdout=subprocess.DEVNULL)
    assert processes.wait_until((checkout.path / ".cache/demo" / moment).exists, 60)
    victim.kill()
    victim.wait(10)
    assert checkout.demo("down").returncode == 0
    assert not checkout.processes()
    assert checkout.files() == before


@contextmanager
def up_in_its_playbook(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """Yield an ``up`` whose playbook has reached a long task."""
    (checkout.path / "playbooks/scenario3.yml").write_text(
        "- hosts: db\n  gather_facts: false\n  tasks: [{ansible.builtin.command: sleep 50}]\n"
    )
    # Ansible's own output says when a task begins.
    checkout.environment["ANSIBLE_STDOUT_CALLBACK"] = "default"
    command = checkout.command("-m", "tests.demo", "up", "--tenants", "10", "--tickets", "10")
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        for line in running.stdout:
            if line.startswith("TASK"):
                break
        yield running


def plays(checkout: Checkout) -> list[int]:
    return [pid for pid in checkout.processes() if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_an_interrupted_up_says_so_and_leaves_no_playbook_running(checkout: Checkout) -> None:
    with up_in_its_playbook(checkout) as victim:
        assert plays(checkout)
        victim.terminate()
        _out, said = victim.communicate(timeout=30)
    assert victim.returncode == 130
    assert "make demo-down" in said
    assert not plays(checkout)


@pytest.mark.drill
def test_the_playbook_of_a_killed_up_goes_with_the_servers(checkout: Checkout) -> None:
    with up_in_its_playbook(checkout) as victim:
        victim.kill()
        # The playbook holds the pipes open until it is gone.
        assert checkout.demo("down").returncode == 0
        victim.communicate(timeout=10)
    assert not checkout.processes()


@pytest.mark.drill
def test_corruption_is_repaired_and_the_repair_undone(checkout: Checkout) -> None:
    damage = shape(TENANTS, TICKETS).expected_corruption()
    found = sum(damage.values()) - damage["tickets_without_company"]
    output = checkout.up("corruption")
    assert f"found {found} -> repaired {found} -> repair undone, corrupt again {found}; rows lost 0" in output
    rows = {" ".join(line.split()[:-3]): line.split()[-3:] for line in output.split("Rows, counted")[1].splitlines()}
    for kind in ("orphan tags", "invalid lanes"):
        planted = str(damage[kind.replace(" ", "_")])
        assert rows[kind] == [planted, "0", planted]
    before, repaired, undone = (int(number.replace(",", "")) for number in rows["all rows"])
    assert before == undone == repaired + int(rows["in quarantine"][1])
    assert on(checkout.flags()) == shape(TENANTS, TICKETS).expected_on()


def test_a_failing_playbook_is_not_hidden(checkout: Checkout) -> None:
    (checkout.path / "playbooks/scenario3.yml").write_text(
        "- hosts: db\n  gather_facts: false\n  tasks: [{ansible.builtin.fail: }]\n"
    )
    done = checkout.demo("up", "--tenants", "10", "--tickets", "10")
    assert done.returncode == 2
    assert "3 of 10 tenants are on" in done.stdout.split("AFTER")[1]


def test_down_needs_no_virtual_environment(checkout: Checkout) -> None:
    # The tests above show what the run does; this one is about the servers it leaves.
    for name in ("scenario3.yml", "report.yml"):
        (checkout.path / "playbooks" / name).write_text("- hosts: db\n  gather_facts: false\n")
    checkout.up()
    assert checkout.processes()
    done = checkout.run("-S", "-m", "tests.demo", "down")
    assert done.returncode == 0, done.stderr
    assert not checkout.processes()
