# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of light hosts (see `lights.py`), its inventory, and playbooks that run from within its network."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.drills.lights import PLACE
from tests.hosts import image
from tests.hosts.engine import engine
from tests.hosts.files import ssh_args
from tests.hosts.host import until
from tests.hosts.machine import HostsError, call
from tests.playbooks.place import IS_ON, SCHEMA
from tests.playbooks.runner import CHECKOUT, Running, beside
from tests.rehearsal.timings import parsed

DATABASE, _FILLED = "chatia_db", "chatia_filled"
_SECONDS = 180.0


def _image() -> str:
    """Return the root directory of the hosts' image, which has one layer."""
    tag, _built = image.ensure()
    return image.directory(tag, engine("image", "inspect", "--format", "{{json .GraphDriver}}", tag).stdout)


@dataclass(frozen=True)
class Fleet:
    """Light hosts that are up; ``hosts`` are their first processes as the tree of ``pid`` sees them."""

    pid: int
    hosts: Mapping[str, int]
    primaries: Sequence[str]
    directory: Path
    runs: list[Running] = field(default_factory=list)

    @property
    def _within(self) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--pid", "--mount"]

    def on(self, host: str, *argv: str, stdin: str | None = None) -> str:
        """Run a program on a host, bypassing its network. Raises HostsError if it fails."""
        entered = ["nsenter", "--target", str(self.hosts[host]), "--all", "--root", "--wd=/"]
        return call([*self._within, *entered, *argv], stdin=stdin, timeout=60).stdout.strip()

    def psql(self, host: str, sql: str, database: str = DATABASE) -> str:
        """Run SQL as the superuser on a primary."""
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        return self.on(host, "runuser", "-u", "postgres", "--", *argv, stdin=sql)

    def switched_on(self, host: str) -> int:
        """Count the tenants that are on, at a primary."""
        return int(self.psql(host, f'SELECT count(*) FROM "Companies" WHERE {IS_ON}'))

    def fresh(self) -> None:
        """Give each primary a database as it was before any incident."""
        for name in self.primaries:
            self.psql(name, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", "postgres")
            self.psql(name, f"CREATE DATABASE {DATABASE} TEMPLATE {_FILLED}", "postgres")

    def freeze(self, host: str) -> None:
        """Stop a host's sshd: the kernel still accepts connections, but nobody ever answers."""
        self._signal(host, "STOP")

    def thaw(self, host: str) -> None:
        """Let a host's sshd go on."""
        self._signal(host, "CONT")

    def _signal(self, host: str, name: str) -> None:
        # It is the first process of the host's tree, which only a process outside the tree can stop.
        call([*self._within, "kill", f"-{name}", str(self.hosts[host])])

    def start(self, playbook: Path, incident: str, extra: Mapping[str, Any] | None = None) -> Running:
        """Start a playbook's command on the controller of these hosts, with no connection open."""
        within = [*self._within, f"--wdns={CHECKOUT}"]
        argv = [beside("ansible-playbook"), "-i", str(PLACE / "inventory.json"), str(playbook)]
        argv += ["-e", json.dumps({"kanban_incident_id": incident, **(extra or {})})]
        around = {
            "HOME": str(PLACE / "home"),
            "ANSIBLE_HOME": str(PLACE / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(PLACE / "tmp"),
        }
        run = Running([*within, *argv], self.directory / f"{playbook.stem}-{incident}.log", variables=around)
        self.runs.append(run)
        return run

    def disconnect(self) -> None:
        """End the SSH connections that Ansible keeps open: in an incident the first command finds none."""
        end = f"for s in {PLACE}/ssh/*; do test ! -S $s || ssh -o ControlPath=$s -O exit nobody; done"
        call([*self._within, "sh", "-c", end], check=False)

    def lines(self, incident: str) -> list[dict[str, Any]]:
        """Return the lines of an incident's journal."""
        # Only these processes see the file, so the path leads through one of them.
        kept = Path(f"/proc/{self.pid}/root{PLACE}/incidents/{incident}")
        [path] = kept.glob("journal-*.jsonl")
        return parsed(path.read_text(encoding="ascii"))


def _inventory(primaries: Sequence[str], apps: Sequence[str], addresses: Mapping[str, str]) -> dict[str, Any]:
    options = f"-o UserKnownHostsFile={PLACE}/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    shared = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": f"{PLACE}/keys/controller",
        "ansible_ssh_common_args": options,
        "ansible_ssh_args": ssh_args(),
        "ansible_control_path_dir": f"{PLACE}/ssh",
        "ansible_python_interpreter": "/usr/bin/python3",
        "kanban_postgresql_db": DATABASE,
        "kanban_environment": "staging",
        "kanban_incidents_dir": f"{PLACE}/incidents",
        "kanban_notify": False,
        # There is no application: one file stands for its logs.
        "kanban_app_log_files": ["/etc/os-release"],
    }
    become = {"ansible_become": True, "ansible_become_user": "postgres"}
    children = {
        "db": {"hosts": {name: {"ansible_host": addresses[name]} for name in primaries}, "vars": become},
        "redis": {"hosts": {}},
        "app": {"hosts": {name: {"ansible_host": addresses[name]} for name in apps}},
    }
    # The controller's own file system has nothing of these hosts.
    local = {"kanban_incidents_dir": f"{PLACE}/incidents", "ansible_connection": "local"}
    local["ansible_python_interpreter"] = sys.executable
    return {"all": {"vars": shared, "hosts": {"localhost": local}, "children": children}}


def _lay_down(pid: int, inventory: Mapping[str, Any], addresses: Sequence[str]) -> None:
    place = Path(f"/proc/{pid}/root{PLACE}")
    for name in ("home", "ssh", "tmp"):
        (place / name).mkdir(mode=0o700)
    (place / "inventory.json").write_text(json.dumps(inventory))
    kind, key, *_comment = (place / "keys" / "host.pub").read_text().split()
    (place / "known_hosts").write_text("".join(f"{address} {kind} {key}\n" for address in addresses))


@contextlib.contextmanager
def fleet(directory: Path, primaries: int, apps: int) -> Iterator[Fleet]:
    """Yield a fleet of filled primaries and application hosts. Raises HostsError if they do not come up.

    ``directory``: for logs. Whatever happens to this process, nothing of the hosts is left.
    """
    addresses = {f"db{number}": f"10.214.1.{number}" for number in range(1, primaries + 1)}
    addresses |= {f"app{number}": f"10.214.2.{number}" for number in range(1, apps + 1)}
    hosts = [{"name": name, "address": at, "primary": name.startswith("db")} for name, at in addresses.items()]
    spec = json.dumps({"image": _image(), "parent": os.getpid(), "hosts": hosts})
    argv = [sys.executable, "-m", "tests.drills.lights", spec]
    with (directory / "lights.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    told: dict[str, Any] = {}
    try:
        assert process.stdout is not None
        up = select.select([process.stdout], [], [], _SECONDS)[0] and process.stdout.readline()
        if not up:
            raise HostsError(f"the light hosts did not come up:\n{(directory / 'lights.log').read_text()}")
        told = json.loads(up)
        databases = [name for name in addresses if name.startswith("db")]
        made = Fleet(told["pid"], told["hosts"], databases, directory)
        inventory = _inventory(databases, [name for name in addresses if name.startswith("app")], addresses)
        _lay_down(made.pid, inventory, list(addresses.values()))
        for name in databases:
            made.psql(name, f"CREATE DATABASE {_FILLED}", "postgres")
            made.psql(name, SCHEMA, _FILLED)
        made.fresh()
        yield made
        for run in made.runs:
            run.clear()
    finally:
        # The kernel ends everything with it, which takes a moment.
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        if told:
            until(lambda: not Path(f"/proc/{told['pid']}").exists(), "the light hosts to be gone", timeout=60)
