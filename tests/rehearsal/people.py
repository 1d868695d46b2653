# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People at work on the application, in a process of their own, with an account of what was acknowledged to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psycopg2.extensions import connection

from tests.hosts.host import until
from tests.hosts.machine import HostsError
from tests.staging import account
from tests.staging.account import ACKNOWLEDGED, MESSAGE, REFUSED, UNKNOWN, Entry, Report

RATE = 6
# What they are told of again and again if nothing is refused.
WORK = ("attach", "move", MESSAGE)
# They go home by themselves, whatever happened to the rehearsal.
MOST_SECONDS = 1800
# Requests under way are waited for, and messages that nobody took are sent once more.
_HOME_SECONDS = 60
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Crowd:
    """The people of ``tenants``, with an account of this ``name``. Without ``urls`` they can only be sent home."""

    directory: Path
    name: str
    urls: Sequence[str] = ()
    tenants: range = range(0)
    password: str = field(default="", repr=False)

    @property
    def path(self) -> Path:
        """The account."""
        return self.directory / f"{self.name}.account"

    @property
    def _pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"

    def begin(self) -> None:
        """Let them begin; if there is an account, they continue it."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        urls = [word for url in self.urls for word in ("--url", url)]
        tenants = f"{self.tenants.start}-{self.tenants.stop - 1}"
        how = ["--account", str(self.path), "--tenants", tenants, "--rate", str(RATE), "--seconds", str(MOST_SECONDS)]
        with (self.directory / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.staging.load", *urls, *how],
                cwd=_ROOT,
                env=os.environ | {"STAGING_PASSWORD": self.password},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))

    @property
    def at_work(self) -> bool:
        """Whether they are at work: the process is theirs, and not another that got its number since."""
        try:
            command = Path("/proc", self._pid_file.read_text(), "cmdline").read_bytes()
        except OSError:
            return False
        # A process that has ended and was not reaped yet has an empty command line.
        return os.fsencode(self.path) in command

    def expect(self, *operations: str, timeout: float = 60) -> None:
        """Wait until one of each of these writes, sent from now on, is acknowledged. Raises HostsError if none is."""
        since = time.time()
        if not self.at_work:
            raise HostsError(f"nobody of {self.name} is at work: {self._last_words()}")

        def acknowledged() -> bool:
            return {entry.operation for entry in account.acknowledged(self.path, since=since)} >= set(operations)

        until(acknowledged, f"people of {self.name} to be told of: {', '.join(operations)}", timeout=timeout)

    def _last_words(self) -> str:
        log = self.directory / f"{self.name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return next(reversed(lines), f"they go home by themselves after {MOST_SECONDS} s, and said nothing")

    def end(self, *, check: bool = True) -> None:
        """Send them home; what they sent is still answered and noted. Without ``check`` they are killed in the end."""
        if self.at_work:
            pid = int(self._pid_file.read_text())
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + _HOME_SECONDS
            while self.at_work and (check or time.monotonic() < deadline):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the people of {self.name} have not gone home within {_HOME_SECONDS} s")
                time.sleep(0.05)
            if self.at_work:
                os.kill(pid, signal.SIGKILL)
                until(lambda: not self.at_work, "a killed process to be gone", timeout=10)
        self._pid_file.unlink(missing_ok=True)

    def answered(self, since: float) -> list[Entry]:
        """Return the writes whose fate became known since a Unix time."""
        return [entry for entry in account.read(self.path) if (entry.until or 0) >= since]

    def messages(self, outcome: str = ACKNOWLEDGED, *, since: float = 0) -> list[Entry]:
        """Return the inbound messages sent since a Unix time that had this outcome."""
        found = [entry for entry in account.read(self.path) if entry.operation == MESSAGE and entry.at >= since]
        return [entry for entry in found if entry.outcome == outcome]

    def refused_messages(self) -> list[Entry]:
        """Return the inbound messages that were refused: nothing may ever refuse one."""
        return self.messages(REFUSED)

    def unanswered_messages(self, *, since: float = 0) -> list[Entry]:
        """Return the attempts to deliver a message that nobody took, whatever the answer was, if there was one.

        There may be some only if the database or the application's hosts are down; what is still on its way is not one.
        """
        return [entry for entry in self.messages(UNKNOWN, since=since) if entry.until]

    def verify(self, session: connection, unheard: tuple[float, float] | None = None) -> Report:
        """Compare the account with the database, once they have gone home. ``unheard``: see ``account.doubted``."""
        return account.verify(self.path, session, unheard)
