# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many companies have V2, asked of the primary from outside every tenth of a second, whatever else runs."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psycopg2
from psycopg2.extensions import connection

from tests.playbooks.place import IS_ON

EVERY_SECONDS = 0.1
_SQL = f'SELECT count(*) FROM "Companies" WHERE {IS_ON}'
_RETRY_SECONDS = 0.3


@dataclass(frozen=True)
class Look:
    """``at``: monotonic seconds; ``on``: companies that had V2 then."""

    at: float
    on: int


@dataclass(frozen=True)
class Off:
    """``after``: seconds until at most as many as expected were on (None: never); ``back``: until more were on again.

    ``looks``: how many looks there were. ``lasted``: seconds from ``back`` to the last look at which more were on.
    """

    after: float | None
    back: float | None
    looks: int
    lasted: float = 0.0


def off(looks: Sequence[Look], since: float, until: float, most: int = 0) -> Off:
    """Return when it was off between two moments, and whether it stayed off."""
    within = [look for look in looks if since <= look.at <= until]
    first = next((look.at for look in within if look.on <= most), None)
    again = [look.at for look in within if first is not None and look.at > first and look.on > most]
    return Off(
        None if first is None else first - since,
        again[0] - since if again else None,
        len(within),
        again[-1] - again[0] if again else 0.0,
    )


def most_on(looks: Sequence[Look], since: float, until: float) -> int:
    """Return how many were on at most between two moments; 0 if nobody could look."""
    return max((look.on for look in looks if since <= look.at <= until), default=0)


class Watch:
    """Looks in its own thread, on its own session: ``with Watch(...) as watch``."""

    def __init__(self, addresses: Sequence[str], database: str, password: str) -> None:
        self.looks: list[Look] = []
        self._where: dict[str, Any] = {"host": ",".join(addresses), "dbname": database, "password": password}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._session: connection | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, even if a frozen server still owes an answer."""
        self._ends.set()
        self._thread.join(1)
        if self._thread.is_alive() and self._session is not None:
            # psycopg2 waits for an answer for as long as the connection exists.
            with contextlib.suppress(OSError, psycopg2.Error), _socket_of(self._session) as its_own:
                its_own.shutdown(socket.SHUT_RDWR)
            self._thread.join(5)

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                self._look_on(self._connect())
            except psycopg2.Error:
                # Cut off, restarting, or a replica by now: another try finds the server that takes writes.
                self._ends.wait(_RETRY_SECONDS)

    def _connect(self) -> connection:
        session: connection = psycopg2.connect(
            **self._where,
            user="postgres",
            application_name="drill",
            connect_timeout=2,
            target_session_attrs="read-write",
            tcp_user_timeout=1500,
            options="-c statement_timeout=1500",
        )
        session.autocommit = True
        self._session = session
        return session

    def _look_on(self, session: connection) -> None:
        with contextlib.closing(session), session.cursor() as cursor:
            while not self._ends.wait(EVERY_SECONDS):
                cursor.execute(_SQL)
                [(on,)] = cursor.fetchall()
                self.looks.append(Look(time.monotonic(), on))


def _socket_of(session: connection) -> socket.socket:
    return socket.socket(fileno=os.dup(session.fileno()))
