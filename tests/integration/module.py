# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running modules from tests, as Ansible does: a process of its own, arguments in, one JSON result on stdout."""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.support import accounts
from tools import costs

ROOT = Path(__file__).resolve().parent.parent.parent
IMPORTED = os.pathsep.join((str(ROOT), str(ROOT / ".ansible/collections")))
# No module of these tests is given more than 30 s; one that outlives this hangs.
TIMEOUT_SECONDS = 60.0
# The Python of hosts: if it is not that of the tests, it has the drivers and the half of Ansible that modules need.
TARGET_PYTHON = os.environ.get("KANBAN_TEST_TARGET_PYTHON", sys.executable)

Result = dict[str, Any]


class Servant:
    """The small process that starts modules; it ends with this one."""

    def __init__(self) -> None:
        """Start it."""
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.integration.entry"]
            environment = {**os.environ, "PYTHONPATH": IMPORTED}
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs.fileno())

    def begin(self, name: str, files: Sequence[IO[bytes]], environment: Mapping[str, str]) -> tuple[int, int]:
        """Start a module on its three streams; return its id, and a descriptor that is readable when it has ended."""
        request = json.dumps([name, dict(environment)]).encode()
        socket.send_fds(self._channel, [request], [file.fileno() for file in files])
        said, (ended,), _flags, _address = socket.recv_fds(self._channel, 64, 1)
        return int(said), ended


@functools.cache
def servant() -> Servant:
    """Return the one of this process."""
    return Servant()


class Running:
    """A module that was started and not yet waited for; leaving the context kills it if it still runs.

    Under a ``prefix``, or with another Python, it is a new program.
    """

    def __init__(self, name: str, arguments: str, environment: Mapping[str, str], prefix: Sequence[str]) -> None:
        # Files, not pipes: nobody need read them while the module runs.
        self._files = [tempfile.TemporaryFile() for _stream in range(3)]  # noqa: SIM115 - closed in __exit__
        self._files[0].write(arguments.encode())
        self._files[0].seek(0)
        self._program: subprocess.Popen[bytes] | None = None
        self.started = time.monotonic()
        if prefix or sys.executable != TARGET_PYTHON:
            command = [*prefix, TARGET_PYTHON, "-m", "tests.integration.entry", name]
            given, result, errors = self._files
            self._program = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=given, stdout=result, stderr=errors
            )
            self.pid, self._end = self._program.pid, os.pidfd_open(self._program.pid)
        else:
            self.pid, self._end = servant().begin(name, self._files, environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        costs.note("module", self.seconds)
        os.close(self._end)
        for file in self._files:
            file.close()

    @property
    def runs(self) -> bool:
        """True until the module has ended."""
        return not self._ends(0)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started

    def _ends(self, seconds: float) -> bool:
        """Wait so long for its end, and return whether it came."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        ended = bool(poll.poll(max(0.0, seconds) * 1000))
        if ended and self._program:
            self._program.wait()
        return ended

    def kill(self) -> None:
        """Kill it as a power failure would: nothing gets a chance to clean up."""
        if self.runs:
            signal.pidfd_send_signal(self._end, signal.SIGKILL)
            assert self._ends(TIMEOUT_SECONDS), f"process {self.pid} does not end"

    def result(self, timeout: float = TIMEOUT_SECONDS) -> Result:
        """Wait for the module and return what it printed; anything but one JSON object fails the test."""
        assert self._ends(timeout), f"the module did not end within {timeout} s: {self._said()[1:]}"
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
            "PYTHONPATH": IMPORTED,
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
