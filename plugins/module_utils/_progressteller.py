# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the ledger how far the work is, beside the work, which neither waits for that nor fails because of it.

The work is one transaction, of which nobody sees anything before its end. So a separate process writes, on a session of
its own. It reads a pipe that never makes the work wait, and it ends with the work, however that ends. Work
that is done at once opens no such session.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, NoReturn

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._forked import let_go
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import Progress, Told, nobody
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import progress as queries

APPLICATION = "chatia.kanban_rollback progress"
# When to write first, how often after that, and how often if nothing has changed, as a sign of life.
FIRST_SECONDS, EACH_SECONDS, SIGN_SECONDS = 0.5, 1.0, 5.0
CONNECT_SECONDS, WRITE_SECONDS, LOCK_SECONDS = 3.0, 0.5, 0.2
# After this many in a row, stop trying.
MOST_FAILURES = 3
# How long the end of the work waits for the process to end; then the process is killed.
END_SECONDS = 0.3
_PIECE_BYTES = 65536


@dataclass(frozen=True)
class Turn:
    """Whose progress it is: the lease ``work`` under ``turn``, and the lease of the ``run`` beside it."""

    work: str
    turn: str
    lease: str
    run: str


@contextmanager
def telling(login: Login, turn: Turn) -> Iterator[Progress]:
    """Pass on what the block tells of its progress; never raise, and wait no longer than ``END_SECONDS``."""
    teller = None
    try:
        teller = Teller(login, turn)
    except OSError:
        pass  # No process could be started, and the work is what matters.
    try:
        yield Progress(teller.tell if teller else nobody)
    finally:
        if teller:
            teller.close()


class Teller:
    """The process that writes, seen from the work's side."""

    def __init__(self, login: Login, turn: Turn) -> None:
        """Start the process; raises OSError."""
        heard, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._pid = os.fork()
        except OSError:
            os.close(heard)
            os.close(self._pipe)
            raise
        if self._pid == 0:
            _be_alone(login, turn, heard)
        os.close(heard)

    def tell(self, told: Told) -> None:
        """Tell the process; what it is too slow for is dropped."""
        try:
            os.write(self._pipe, json.dumps(told).encode() + b"\n")
        except OSError:
            pass  # It has given up, or is behind.

    def close(self) -> None:
        """End the process."""
        os.close(self._pipe)
        until = time.monotonic() + END_SECONDS
        try:
            while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > until:
                    os.kill(self._pid, signal.SIGKILL)
                    os.waitpid(self._pid, 0)
                    return
                time.sleep(0.005)
        except OSError:
            pass  # If SIGCHLD is ignored, which is inherited, there is no child left to wait for.


def _be_alone(login: Login, turn: Turn, heard: int) -> NoReturn:
    try:
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        let_go(heard)
        _write_what_is_heard(login, turn, heard)
    finally:
        os._exit(0)


def _write_what_is_heard(login: Login, turn: Turn, heard: int) -> None:
    """Write the newest line heard, now and then, until the work has ended or writing has failed too often."""
    text, newest, written = b"", b"", b""
    due, sign, failures = time.monotonic() + FIRST_SECONDS, float("inf"), 0
    session: Session | None = None
    while failures < MOST_FAILURES:
        until = sign if newest == written else due
        seconds = None if until == float("inf") else max(0.0, until - time.monotonic())
        if select.select([heard], [], [], seconds)[0]:
            piece = os.read(heard, _PIECE_BYTES)
            if not piece:
                return
            *lines, text = (text + piece).split(b"\n")
            newest = lines[-1] if lines else newest
        if time.monotonic() < (sign if newest == written else due):
            continue
        try:
            session = session if session and session.is_open else Session(login, APPLICATION, CONNECT_SECONDS)
            if not _write(session, turn, newest):
                return
            written, failures = newest, 0
        except KanbanError:
            failures += 1
        due, sign = time.monotonic() + EACH_SECONDS, time.monotonic() + SIGN_SECONDS


def _write(session: Session, turn: Turn, newest: bytes) -> bool:
    """Write one line; tell whether the lease is still there. Raises KanbanError."""
    progress = json.dumps({**json.loads(newest), "turn": turn.turn})
    with session.transaction(WRITE_SECONDS, LOCK_SECONDS) as cursor:
        cursor.run(queries.WRITE, {**vars(turn), "progress": progress})
        return cursor.rowcount > 0
