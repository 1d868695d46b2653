# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook as a person would, and write the one that it is compared with: the same plays, of pings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .entry import CHECKOUT, RESULTS, CannotMeasure
from .four_hosts import FourHosts

SCENARIO = CHECKOUT / "playbooks" / "scenario3.yml"
_HEADING = re.compile(r"^(PLAY|TASK) \[(.*)\] \*+$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A playbook that has ended. ``started``: of ``time.monotonic``."""

    output: str
    started: float
    seconds: float


def run_playbook(hosts: FourHosts, playbook: Path, *, incident: str, timeout: float = 120) -> Run:
    """Run a playbook on the four hosts, from SSH connections that are yet to be made.

    Raises CannotMeasure with the end of its output when it fails or takes too long.
    """
    hosts.disconnect()
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    for inventory in hosts.inventories:
        command += ["-i", str(inventory)]
    command += ["-e", f"kanban_incident_id={incident}", str(playbook)]
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(RESULTS / "ansible"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
    }
    environment.update(ANSIBLE_NOCOLOR="1", ANSIBLE_FORCE_COLOR="0")
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _errors = process.communicate(timeout=timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        if isinstance(error, subprocess.TimeoutExpired):
            raise CannotMeasure(f"{playbook.name} was not done after {timeout:g} s") from error
        raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise CannotMeasure(f"{playbook.name} ended with {process.returncode}:\n{output[-2000:]}")
    return Run(output, started, seconds)


def tasks_of(output: str) -> dict[str, list[str]]:
    """Return the tasks that a run has shown, by play; under ``free`` each host shows its own, so every name once."""
    plays: dict[str, list[str]] = {}
    tasks: list[str] = []
    for kind, name in _HEADING.findall(output):
        if kind == "PLAY":
            tasks = plays.setdefault(name, [])
        elif name not in tasks:
            tasks.append(name)
    return plays


def write_pings(path: Path, plays: dict[str, list[str]], *, keep: Sequence[str] = ()) -> None:
    """Write the scenario with as many pings in place of its tasks: the same plays, hosts, strategy and pipelining.

    ``plays``: from ``tasks_of``. ``keep``: hosts patterns whose tasks run no module (they set a fact, as the scenario's
    own do on the controller), so that the comparison is no easier than the scenario.
    """
    written = []
    for play in yaml.safe_load(SCENARIO.read_text(encoding="utf-8")):
        if "hosts" not in play:
            raise CannotMeasure(f"{SCENARIO.name} holds something other than plays: {sorted(play)}")
        head = {key: value for key, value in play.items() if key not in {"tasks", "roles", "pre_tasks", "post_tasks"}}
        task: dict[str, Any] = {"ansible.builtin.ping": {}}
        if play["hosts"] in keep:
            task = {"ansible.builtin.set_fact": {"pinged": True}}
        number = len(plays.get(play["name"], []))
        if not number:
            raise CannotMeasure(f"the play {play['name']!r} was not seen to run any task")
        written.append({**head, "tasks": [{"name": f"Ping {i + 1}", **task} for i in range(number)]})
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
