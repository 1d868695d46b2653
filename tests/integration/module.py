# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running modules from tests, as Ansible does: a process of its own, arguments in, one JSON result on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from tests.integration import entry
from tests.support import accounts
from tools import costs

ROOT = Path(__file__).resolve().parent.parent.parent
# No module of these tests is given more than 30 s; one that outlives this hangs.
TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.005
# The Python of hosts: if it is not that of the tests, it has the drivers and the half of Ansible that modules need.
TARGET_PYTHON = os.environ.get("KANBAN_TEST_TARGET_PYTHON", sys.executable)

Result = dict[str, Any]


class Running:
    """A module that was started and not yet waited for; leaving the context kills it if it still runs.

    The process is a fork of this one, which has Ansible and the module loaded already: this saves a third of a second
    in each of thousands of calls. Under a ``prefix``, or with another Python, it is a new program.
    """

    def __init__(self, name: str, arguments: str, environment: Mapping[str, str], prefix: Sequence[str]) -> None:
        # Files, not pipes: nobody need read them while the module runs.
        self._files = [tempfile.TemporaryFile() for _stream in range(3)]  # noqa: SIM115 - closed in __exit__
        self._files[0].write(arguments.encode())
        self._files[0].seek(0)
        self._ended = False
        if not prefix and sys.executable == TARGET_PYTHON:
            entry.load(name)
        self.started = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            _become(name, [file.fileno() for file in self._files], environment, prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        costs.note("module", self.seconds)
        for file in self._files:
            file.close()

    @property
    def runs(self) -> bool:
        """True until the module has ended."""
        if not self._ended:
            self._ended = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        return not self._ended

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started

    def kill(self) -> None:
        """Kill it as a power failure would: nothing gets a chance to clean up."""
        if self.runs:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._ended = True

    def result(self, timeout: float = TIMEOUT_SECONDS) -> Result:
        """Wait for the module and return what it printed; anything but one JSON object fails the test."""
        until = time.monotonic() + timeout
        while self.runs:
            assert time.monotonic() < until, f"the module did not end within {timeout} s: {self._said()[1:]}"
            time.sleep(_POLL_SECONDS)
        output = self._said()[1].strip()
        assert output.startswith("{"), f"no result but: {self._said()[1:]}"
        found: Result = json.loads(output)
        # From core 2.19 on a warning may be an object.
        given = found.get("warnings") or []
        found["warnings"] = [warning if isinstance(warning, str) else str(warning) for warning in given]
        return found

    def _said(self) -> list[str]:
        for file in self._files:
            file.seek(0)
        return [file.read().decode(errors="replace") for file in self._files]


def _become(name: str, files: Sequence[int], environment: Mapping[str, str], prefix: Sequence[str]) -> NoReturn:
    """Become the module, in the new process, and keep nothing of the test."""
    status = 1
    try:
        for descriptor, file in enumerate(files):
            os.dup2(file, descriptor)
        os.chdir(ROOT)
        if prefix or sys.executable != TARGET_PYTHON:
            command = [*prefix, TARGET_PYTHON, "-m", "tests.integration.entry", name]
            os.execve(command[0], command, {**environment})  # noqa: S606 - a command of the tests
        os.environ.clear()
        os.environ.update(environment)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - until the end
        status = entry.run(name)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


@dataclass(frozen=True)
class Modules:
    """Runs modules on one database as one role.

    ``options`` go to every call (login and the like); ``prefix`` is put before the command, for instance a namespace.
    """

    options: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()

    def having(self, **options: Any) -> Modules:
        """Return the same with further options for every call."""
        return Modules({**self.options, **options}, self.environment, self.prefix)

    def start(self, name: str, /, check: bool = False, **options: Any) -> Running:
        """Start a module and return at once."""
        internal = {
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            # The machine's log is not ours to fill.
            "_ansible_no_log": True,
        }
        given = {**self.options, **options, **internal}
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / ".ansible/collections"))),
            **accounts.byte_code(),
            **self.environment,
        }
        return Running(name, json.dumps({"ANSIBLE_MODULE_ARGS": given}), environment, self.prefix)

    def run(self, name: str, /, check: bool = False, **options: Any) -> Result:
        """Run a module and return its result, whatever it is."""
        with self.start(name, check, **options) as running:
            return running.result()

    def ok(self, name: str, /, check: bool = False, **options: Any) -> Result:
        """Run a module that must succeed."""
        result = self.run(name, check, **options)
        assert not result.get("failed"), result
        return result

    def fails(self, code: str, name: str, /, check: bool = False, **options: Any) -> Result:
        """Run a module that must fail with an error of this code, and say what is wrong, why it matters, what to do."""
        return failed(self.run(name, check, **options), code)

    # The flag, as most tests use it.

    def disable(self, incident: str = "INC-1", check: bool = False, **options: Any) -> Result:
        """Switch the flag off; must succeed."""
        return self.ok("feature_flag", check, state="disabled", incident_id=incident, **options)

    def enable(self, incident: str = "INC-1", check: bool = False, **options: Any) -> Result:
        """Switch the flag on; must succeed."""
        return self.ok("feature_flag", check, state="enabled", incident_id=incident, **options)

    def restore(self, incident: str = "INC-1", check: bool = False, **options: Any) -> Result:
        """Put the flag back; must succeed."""
        return self.ok("feature_flag", check, state="restored", incident_id=incident, **options)


def failed(result: Result, code: str) -> Result:
    """Check that a result is a failure of this code that a person can act on, and return it."""
    assert result.get("failed"), result
    assert result.get("error"), result
    assert result["error"]["code"] == code, result
    for part in ("what", "why", "todo"):
        assert len(result["error"][part]) > 10, result
    return result
