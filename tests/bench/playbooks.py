# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook as a person would, and write the one it is compared with: the same plays, made of pings."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .entry import CHECKOUT, RESULTS, CannotMeasure
from .four_hosts import FourHosts

SCENARIO = CHECKOUT / "playbooks" / "scenario3.yml"
_HEADING = re.compile(r"^(PLAY|TASK) \[(.*)\] \*+$", re.MULTILINE)
_DONE = re.compile(r"^(ok|changed|fatal|included)\b", re.MULTILINE)

# The kill and nothing else: no Redis, no fence, no evidence of other tiers, no dump.
FLAG_ALONE: Mapping[str, object] = {
    "kanban_redis_hosts": "none",
    "kanban_app_hosts": "none",
    "kanban_fence": False,
    "kanban_dump_tables": [],
}


@dataclass(frozen=True)
class Run:
    """A playbook that has ended. ``started``: of ``time.monotonic``; ``at``: seconds after it, of each line."""

    output: str
    started: float
    seconds: float
    at: Sequence[tuple[float, str]]

    def said(self, words: str) -> float:
        """Return the seconds until a line with these words. Raises CannotMeasure if there was none."""
        for seconds, line in self.at:
            if words in line:
                return seconds
        raise CannotMeasure(f"it never said {words!r}:\n{self.output[-2000:]}")


def run_playbook(
    hosts: FourHosts,
    playbook: Path,
    *,
    incident: str,
    extra: Mapping[str, object] | None = None,
    timeout: float = 120,
) -> Run:
    """Run a playbook on the four hosts, with all SSH connections still to be made.

    ``extra``: variables for the command line; without any, the run is about the flag alone.

    Raises CannotMeasure with the end of its output when it fails or takes too long.
    """
    hosts.disconnect()
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    for inventory in hosts.inventories:
        command += ["-i", str(inventory)]
    command += [
        "-e",
        json.dumps({"kanban_incident_id": incident, **(FLAG_ALONE if extra is None else extra)}),
        str(playbook),
    ]
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(RESULTS / "ansible"),
        # What runs keep on the controller.
        "HOME": str(RESULTS / "home"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
    }
    environment.update(ANSIBLE_NOCOLOR="1", ANSIBLE_FORCE_COLOR="0", ANSIBLE_STDOUT_CALLBACK="default")
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
    late = threading.Timer(timeout, lambda: os.killpg(process.pid, signal.SIGKILL))
    late.start()
    lines: list[tuple[float, str]] = []
    try:
        assert process.stdout is not None
        lines += [(time.monotonic() - started, line) for line in process.stdout]
        process.wait(10)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        raise
    finally:
        in_time = late.is_alive()
        late.cancel()
    output = "".join(line for _at, line in lines)
    if not in_time:
        raise CannotMeasure(f"{playbook.name} was not done after {timeout:g} s")
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise CannotMeasure(f"{playbook.name} ended with {process.returncode}:\n{output[-2000:]}")
    return Run(output, started, seconds, lines)


def tasks_of(output: str) -> dict[str, list[str]]:
    """Return the tasks that some host has done, by play; names once, because under ``free`` each host shows its own."""
    plays: dict[str, list[str]] = {}
    tasks: list[str] = []
    _before, *parts = _HEADING.split(output)
    for kind, name, rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if kind == "PLAY":
            tasks = plays.setdefault(name, [])
        elif name not in tasks and _DONE.search(rest):
            tasks.append(name)
    return plays


def write_pings(path: Path, plays: dict[str, list[str]], *, keep: Sequence[str] = (), until: int | None = None) -> None:
    """Write the scenario with as many pings in place of its tasks: the same plays, hosts, strategy and pipelining.

    ``plays``: from ``tasks_of``. ``keep``: hosts patterns whose tasks run no module (they set a fact, as the scenario's
    own do on the controller), so that the comparison is no easier than the scenario. ``until``: how many plays.
    """
    written = []
    for play in yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))[:until]:
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
