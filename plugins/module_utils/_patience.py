# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that are tried again until a deadline, and the sessions that block them."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    CONNECT_SECONDS,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

VERIFY_SECONDS = 30.0  # The count that decides gets its own time: without it nobody knows what holds.
LOOK_AGAIN_SECONDS = 0.2
TURN_SECONDS = 0.25  # One wait for one lock, if time allows.
# A batch's rows fit in this memory.
BATCH_MEMORY = {"work_mem": "32MB"}


def open_session(login: Login, name: str, deadline: Deadline) -> Session:
    """Connect, retrying while the server has no room for one more or is starting; raises ServerError."""
    while True:
        try:
            return Session(login, name, deadline.slice(CONNECT_SECONDS, 1.0))
        except ServerError as error:
            if deadline.over or error.code not in ("too_many_connections", "starting_up"):
                raise
            time.sleep(LOOK_AGAIN_SECONDS)


class Patience:
    """Runs transactions on one database until a deadline.

    :param connect: opens a session; called again when one breaks, for instance in a failover.
    :param terminate: whether sessions that are in the way are ended.
    :param passage: settings by which the latch recognizes our own writes.
    :param meanwhile: what need not wait for the lock that could not be had; called between two tries, never raises.

    ``seen`` has who blocked the last transaction that timed out, ``table_blockers`` who blocked one that was reading,
    ``terminated`` whom we ended.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        watcher: Watcher,
        deadline: Deadline,
        terminate: bool,
        passage: Mapping[str, str] | None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._connect = connect
        self._session = connect()
        self._watcher = watcher
        self._deadline = deadline
        self._terminate = terminate
        self._settings = {**BATCH_MEMORY, **(passage or {})}
        self._meanwhile = meanwhile
        self.seen: list[Blocker] = []
        self.table_blockers: list[Blocker] = []
        self.terminated: list[Blocker] = []
        self.reconnects = 0

    def asking(self, ask: Callable[[Cursor], Any], again: bool = True) -> Any:
        """Read, retrying until the deadline if the connection breaks or, with ``again``, the table is locked."""
        watch = not again
        while True:
            try:
                return self.transact(ask, watch=watch, reading=True)
            except LostConnection:
                if self._deadline.over:
                    raise
                self.reconnect()
            except Timeout:
                self.table_blockers = self.seen or self.table_blockers
                if self._deadline.over or not again:
                    raise
                watch = True

    def transact(
        self, work: Callable[[Cursor], Any], *, turn: float = TURN_SECONDS, watch: bool = False, reading: bool = False
    ) -> Any:
        """Run one transaction; if it is watched and times out, ``seen`` has the blocking sessions."""
        seconds = VERIFY_SECONDS if reading else self._deadline.slice(10.0, 1.0)
        mode, settings = ("READ ONLY", None) if reading else ("READ WRITE", self._settings)
        seen: dict[int | str, Blocker] = {}
        try:
            with self._session.transaction(seconds, turn, mode, settings) as cursor:
                if not watch:
                    return work(cursor)
                pid = cursor.row("SELECT pg_backend_pid()", {})[0]
                with self._watcher.watching(pid) as seen:
                    return work(cursor)
        except Timeout:
            self.seen = list(seen.values())
            if self._terminate:
                self._end(self.seen)
            self._do_meanwhile()
            raise

    def _do_meanwhile(self) -> None:
        if self._meanwhile and not self._deadline.over:
            self._meanwhile()

    def _end(self, blockers: Iterable[Blocker]) -> None:
        ended = {blocker.pid for blocker in self.terminated}
        for blocker in blockers:
            if self._watcher.terminate(blocker) and blocker.pid not in ended:
                self.terminated.append(blocker)

    def reconnect(self) -> None:
        """Open a new session, trying until the deadline: a failover takes a few seconds."""
        self.reconnects += 1
        while True:
            try:
                self._session = self._connect()
                self._do_meanwhile()
                return
            except KanbanError as error:
                if self._deadline.over:
                    raise LostConnection(
                        "lost_connection",
                        f"The connection was lost, and until the deadline there was no other: {error.what}",
                        "What had been committed before holds, with its prior values kept.",
                        "Run the same command again when the server answers: it goes on where this one stopped.",
                    ) from error
                time.sleep(LOOK_AGAIN_SECONDS)
