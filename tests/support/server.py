# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all embedded servers have in common: start with a deadline, stop with a deadline, and nothing left over."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tools import costs

from . import accounts, processes

_TRIES = 6
_BIND_ERRORS = ("address already in use", "could not bind")


class ServerError(RuntimeError):
    """A server that does not start, answer or end; the text holds the end of its log."""


class Server:
    """A real server on a loopback port with all its files in one directory. Use it as a context manager.

    ``start`` first ends what a killed run left in the directory. ``stop`` leaves the files, so that ``start`` continues
    with the same data; the directory belongs to the caller.
    """

    label = "server"
    # The name of its binary in the list of processes, and the argument that belongs to this server and to no other.
    program: str
    marker: Path
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM,)

    def __init__(self, directory: Path) -> None:
        """Keep the server's files in ``directory``, which is made if it does not exist; nothing is started yet."""
        self.directory = Path(directory).resolve()
        self.account = accounts.unprivileged()
        self.host = "127.0.0.1"
        self.port = 0
        self.log = self.directory / "server.log"

    # What each kind of server defines.

    def prepare(self) -> None:
        """Make the files that a first start needs; called before each start."""

    def configure(self) -> None:
        """Write the configuration for the present port."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command line; the server stays in the foreground."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Ask the server over its own protocol; return why it is not ready, or None if it is."""
        raise NotImplementedError

    # What they share.

    def pids(self) -> list[int]:
        """Return the ids of this server's main process, whoever started it: none if it is down."""
        return processes.running(self.program, self.marker)

    def start(self, timeout: float = 60.0) -> Self:
        """Start the server and return once it answers; ``timeout`` in seconds, for all tries together.

        Raises ServerError with the end of the log.
        """
        with costs.spent("server"):
            return self._start(time.monotonic() + timeout)

    def _start(self, deadline: float) -> Self:
        """Start it, on another port where the one that was free is not any more."""
        self.stop()
        accounts.own_directory(self.directory, self.account)
        self.prepare()
        first = self.port == 0
        for _attempt in range(_TRIES):
            if first:
                self.port = processes.free_port()
            self.configure()
            start_of_log = self.log.stat().st_size if self.log.exists() else 0
            reason = self._launch(deadline)
            if reason is None:
                return self
            # Between the probe and the bind another program can take the port. A restart keeps its port, because
            # clients know it: whatever holds it for a moment (an outgoing connection) releases it again.
            said = self.log.read_bytes()[start_of_log:].decode(errors="replace").lower()
            if not any(error in said for error in _BIND_ERRORS) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        raise ServerError(
            f"{self.label} in {self.directory} did not start: {reason}\n"
            f"command: {self.command()}\nend of {self.log}:\n{processes.tail(self.log)}"
        )

    def _launch(self, deadline: float) -> str | None:
        pid = processes.spawn(
            self.command(),
            log=self.log,
            cwd=self.directory,
            env=accounts.environment(),
            account=accounts.drop(self.account),
        )
        reason: str | None = "it was not asked yet"
        while reason is not None:
            if time.monotonic() > deadline:
                self.stop()
                return f"no answer within the time given: {reason}"
            # Ask only after a moment: a server that cannot bind is gone by then, and the port's holder may not answer.
            time.sleep(0.05)
            if not processes.alive(pid):
                return "the process ended"
            reason = self.problem()
        # Another server on the same port would have answered as well: ours must still be there.
        return None if processes.alive(pid) else "the process ended, another one answered on its port"

    def stop(self, timeout: float = 30.0) -> None:
        """End the server within ``timeout`` seconds; a server that is down is fine.

        Raises TimeoutError if not even SIGKILL ends it.
        """
        processes.end(self.pids(), self.stop_signals, timeout)

    def crash(self, timeout: float = 10.0) -> None:
        """End the server and its children by SIGKILL, as the kernel does when memory runs out."""
        processes.end(self.pids(), (), timeout)

    def restart(self, timeout: float = 60.0) -> None:
        """Stop and start again on the same port."""
        self.start(timeout)

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()
