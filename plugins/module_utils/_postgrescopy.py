# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COPY into a table from bytes that come piece by piece: memory and waiting are bounded, as everywhere.

The driver cannot COPY while it calls back for each wait, so for that long it waits by itself. A timer that closes the
socket then ends a wait on a frozen server.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    GRACE_SECONDS,
    Cursor,
    sql,
    waiting_by_itself,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import explain

try:
    import psycopg2
except ImportError:  # As in _postgres: the module reports it.
    pass

_LOOK_EVERY_SECONDS = 0.5


class _Pieces:
    """Bytes as a readable file; each read waits until the server has taken what was sent before.

    Otherwise a connection that never blocks keeps in memory whatever the server is too slow for.
    """

    def __init__(self, pieces: Iterator[bytes], handle: int, look: Callable[[], None]) -> None:
        self._pieces = pieces
        self._handle = handle
        self._look = look
        self._piece = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        while not self._piece:
            self._look()
            try:
                self._piece = memoryview(next(self._pieces))
            except StopIteration:
                return b""
        while not select.select([], [self._handle], [], _LOOK_EVERY_SECONDS)[1]:
            self._look()
        taken, self._piece = self._piece[:size], self._piece[size:]
        return bytes(taken)


def copy_in(
    cursor: Cursor, statement: sql.Composable, pieces: Iterator[bytes], seconds: float, look: Callable[[], None]
) -> int:
    """Run ``COPY ... FROM STDIN`` with these bytes; return the number of rows.

    :param seconds: after this time, and a little more, the connection is given up.
    :param look: called for each piece; what it raises ends the COPY, and so does what ``pieces`` raises.

    Raises ServerError; its details have ``line`` if the server named one.
    """
    driver = cursor.driver
    handle = driver.connection.fileno()
    failures: list[BaseException] = []

    def watched() -> Iterator[bytes]:
        try:
            yield from pieces
        except BaseException as error:
            failures.append(error)
            raise

    def watched_look() -> None:
        try:
            look()
        except BaseException as error:
            failures.append(error)
            raise

    with waiting_by_itself(), _given_up_after(handle, seconds + GRACE_SECONDS):
        try:
            driver.copy_expert(statement, _Pieces(watched(), handle, watched_look))
        except psycopg2.Error as error:
            if failures:  # The server was only told that it failed.
                raise failures[0] from error
            raise _explained(error) from error
    return int(driver.rowcount)


def _explained(error: Any) -> ServerError:
    found = explain(error.pgcode, error.diag.message_primary or str(error), error.diag.message_hint)
    # Nothing else of the context: it quotes the row.
    words = (error.diag.context or "").partition(", line ")[2].partition(",")[0].split(":")[0]
    found.details["line"] = int(words) if words.isdigit() else None
    return found


@contextmanager
def _given_up_after(handle: int, seconds: float) -> Iterator[None]:
    def give_up() -> None:
        with socket.socket(fileno=os.dup(handle)) as same:
            try:
                same.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # The next program is started by a fork, and no thread may be left then.
