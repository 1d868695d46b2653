# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See from a second session who keeps the first one waiting, and end them if the user asked for that."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._holding import WAITS_FOR_STANDBY, way_to_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import session as queries

LOOK_EVERY_SECONDS = 0.04
WATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Blocker:
    """A session or prepared transaction that blocks us; ``pid`` 0 and a ``gid`` for a prepared one."""

    pid: int
    application_name: str | None
    user: str | None
    client: str | None
    state: str | None
    transaction_age: float | None
    gid: str | None

    @property
    def is_of_server(self) -> bool:
        """Whether it is a process of the server's own, such as an autovacuum worker, which gives way by itself."""
        return bool(self.pid) and self.user is None

    def as_result(self) -> dict[str, Any]:
        """Return the blocker as results show it, with the line that ends it."""
        age = None if self.transaction_age is None else round(self.transaction_age, 1)
        return {**vars(self), "transaction_age": age, "to_end_it": way_to_end(self.pid, self.gid, self.state)}


class Watcher:
    """A second session, opened only when it is needed, because most kills meet nobody."""

    def __init__(self, login: Login, application_name: str) -> None:
        self._login = login
        self._name = application_name
        self._session: Session | None = None
        self.warnings: list[str] = []

    def close(self) -> None:
        """Close the second session if there is one."""
        if self._session:
            self._session.close()

    @contextmanager
    def watching(self, pid: int) -> Iterator[dict[int | str, Blocker]]:
        """Collect who blocks backend ``pid`` while the block runs; a watcher that fails only warns."""
        seen: dict[int | str, Blocker] = {}
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(pid, seen, done), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            done.set()
            thread.join(WATCH_SECONDS + 1)

    def _watch(self, pid: int, seen: dict[int | str, Blocker], done: threading.Event) -> None:
        try:
            while not done.wait(LOOK_EVERY_SECONDS):
                with self._open().transaction(WATCH_SECONDS, mode="READ ONLY") as cursor:
                    now = [
                        Blocker(*row)
                        for row in cursor.rows(queries.BLOCKERS, {"pid": pid, "waits_for_standby": WAITS_FOR_STANDBY})
                    ]
                if now:  # Only those seen last: a session that has let go must not be ended.
                    seen.clear()
                    seen.update({blocker.pid or blocker.gid or "": blocker for blocker in now})
        except KanbanError as error:
            self._warn(f"Who blocks could not be seen: {error.what}")

    def terminate(self, blocker: Blocker) -> bool:
        """End a blocking session; return whether the server took the order. A prepared transaction is never ended."""
        if not blocker.pid:
            return False
        try:
            with self._open().transaction(WATCH_SECONDS) as cursor:
                return bool(cursor.row(queries.TERMINATE, {"pid": blocker.pid})[0])
        except KanbanError as error:
            grant = f' GRANT pg_signal_backend TO "{self._login.user}"; lets it end all but superusers.'
            todo = grant if error.code == "missing_privilege" else ""
            self._warn(f"Session {blocker.pid} could not be ended: {error.what}{todo}")
            return False

    def _open(self) -> Session:
        if self._session is None:
            self._session = Session(self._login, f"{self._name} watcher")
        return self._session

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
