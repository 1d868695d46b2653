# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook as a person would, bounded, and read what that person reads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.documents.started import note
from tests.hosts import files
from tools import costs

CHECKOUT = Path(__file__).resolve().parents[2]
ANSIBLE = CHECKOUT / ".cache" / "ansible"
# Three hours behind UTC, like the runbook's company: code that takes one for the other is noticed.
ZONE = "<-03>3"
# Only as a heading, which Ansible's own output has in brackets: a journal that -vv shows names the task, too.
_SCREEN = re.compile(r"^(?:TASK \[(?:[\w.]+ : )?Result\]|Result\r?$)", re.MULTILINE)
# In the environment of all that a run starts, so that what a killed one leaves can be recognized.
_MARK = "KANBAN_TEST_RUN"


def beside(program: str) -> str:
    """Return a program of the environment that these tests run in."""
    return str(Path(sys.executable).with_name(program))


def extra_options(given: Mapping[str, Any], secret: Path) -> list[str]:
    """Return the options of a command line for variables, as a person gives them: passwords by the file ``secret``."""
    hidden = {name: value for name, value in given.items() if name.endswith("_password")}
    if hidden:
        files.write(secret, json.dumps(hidden))
    typed = [json.dumps({name: value}) for name, value in given.items() if name not in hidden]
    return [word for value in [*([f"@{secret}"] if hidden else []), *typed] for word in ("-e", value)]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which the caller's own Ansible settings play no part."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "JOB_ID"))}
    # Most tests read what Ansible itself shows, even if the checkout's ansible.cfg has the live view.
    fixed = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "default", "LC_ALL": "C.UTF-8"}
    fixed["TZ"] = ZONE
    fixed["ANSIBLE_CALLBACKS_ENABLED"] = "archives"
    fixed["ANSIBLE_CALLBACK_PLUGINS"] = str(CHECKOUT / "tests" / "support" / "callbacks")
    return {**kept, "ANSIBLE_HOME": str(ANSIBLE), **fixed, **more}


def kept_in(directory: Path) -> dict[str, str]:
    """Return an environment in which what a run keeps on the controller, or leaves if killed, goes with a directory."""
    return {"HOME": str(directory), "TMPDIR": str(directory)}


def one_line(text: str) -> str:
    """Return text as it reads: not folded, a YAML string's doubled quotes undone, thousands not grouped."""
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", " ".join(text.split()).replace("''", "'"))


# What Ansible says when the kill on db1 has answered: no task before it changes anything, and several come after it.
SWITCHED_OFF = "changed: [db1]"


@dataclass(frozen=True)
class Run:
    """A playbook that has ended; ``seconds`` from Enter to the prompt."""

    rc: int
    output: str
    seconds: float

    @property
    def screen(self) -> str:
        """The last screen on one line; empty when there was none."""
        *_before, last = [0, *(found.end() for found in _SCREEN.finditer(self.output))]
        return one_line(self.output[last:]) if last else ""

    @property
    def text(self) -> str:
        """All of the output on one line."""
        return one_line(self.output)

    def recap(self, host: str) -> dict[str, int]:
        """Return the counts of the recap's line for a host (ok, changed, unreachable, failed …); empty without one."""
        found = re.search(rf"^{re.escape(host)}\s+: (.*)$", self.output, re.MULTILINE)
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", found[1])} if found else {}

    @property
    def incident(self) -> str:
        """The incident's id as the last screen gives it."""
        found = re.search(r"Incident (INC-[\w-]+)", self.screen)
        assert found, self.output
        return found[1]


@dataclass
class Running:
    """A running playbook: ``wait`` for it or ``kill`` it, then ``clear``."""

    argv: Sequence[str]
    log: Path
    cwd: Path = CHECKOUT
    variables: Mapping[str, str] = field(default_factory=dict)
    began: float = field(default=0.0, init=False)
    """Monotonic seconds at which it was started."""
    killed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Start it, in a session of its own."""
        note(self.argv, self.cwd)
        self._mark = uuid.uuid4().hex
        self.began = time.monotonic()
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            self._process = subprocess.Popen(
                self.argv,
                cwd=self.cwd,
                env=environment(**{_MARK: self._mark, **self.variables}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str, *, timeout: float = 90) -> float:
        """Wait for words in the output and return the seconds since the start; fails when it ends without them."""
        while text not in one_line(self.output):
            ended = self._process.poll() is not None
            assert text in one_line(self.output) or not ended, f"it never said {text!r}:\n{self.output}"
            assert self.seconds < timeout, f"not within {timeout:g} s: {text!r}\n{self.output}"
            time.sleep(0.02)
        return self.seconds

    @property
    def pid(self) -> int:
        """The pid of ansible-playbook itself."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is still on its way."""
        return self._process.poll() is None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def wait(self, *, timeout: float = 200) -> Run:
        """Wait until it has ended; one that does not is killed, and the test fails."""
        try:
            rc = self._process.wait(max(0.1, timeout - self.seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not done after {timeout:g} s:\n{self.output}") from None
        except BaseException:
            # A test that is interrupted, or too late itself, ends what it has started.
            self.clear()
            raise
        ended = Run(rc, self.output, self.seconds)
        costs.note_playbooks(ended.output, ended.seconds)
        return ended

    def kill(self) -> None:
        """Kill the controller's process group, as a lost machine does; modules on the hosts go on."""
        self.killed = True
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def clear(self) -> None:
        """End what a killed run left on this machine (Ansible's workers and ssh have sessions of their own)."""
        if self._process.poll() is None:
            self.kill()
        for pid, _command in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def processes(self) -> list[tuple[int, str]]:
        """Return what it has started on this machine that still runs: pids and commands."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self._mark}".encode() in (path / "environ").read_bytes():
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append((int(path.name), command.strip()))
            except OSError:
                continue
        return found
