# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database from an event loop: a few threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor
from psycopg2.extras import RealDictCursor

Row = dict[str, Any]
Work = Callable[[cursor], Any]


class Database:
    """Runs work in transactions. ``observe`` is called with the seconds that each took."""

    def __init__(
        self, parameters: dict[str, Any], name: str, *, threads: int, observe: Callable[[float], None]
    ) -> None:
        self._parameters = {**parameters, "application_name": name, "connect_timeout": 3, "tcp_user_timeout": 5000}
        # A backend must not outlive its request for long: nobody waits for what it does later.
        self._parameters["options"] = "-c statement_timeout=15s -c idle_in_transaction_session_timeout=20s"
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._own = threading.local()
        self._observe = observe

    async def run[T](self, work: Callable[[cursor], T]) -> T:
        """Run work on a cursor (rows are maps) in one transaction and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._transaction, work)

    async def rows(self, statement: str, values: Any = None) -> list[Row]:
        """Run one statement and return its rows."""

        def work(rows: cursor) -> list[Row]:
            rows.execute(statement, values)
            return list(rows.fetchall()) if rows.description else []  # type: ignore[arg-type]

        return await self.run(work)

    async def row(self, statement: str, values: Any = None) -> Row | None:
        """Run one statement and return its first row, or None."""
        found = await self.rows(statement, values)
        return found[0] if found else None

    def close(self) -> None:
        """Let running work end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _connection(self) -> connection:
        session: connection | None = getattr(self._own, "session", None)
        if session is None or session.closed:
            session = psycopg2.connect(**self._parameters, cursor_factory=RealDictCursor)
            self._own.session = session
        return session

    def _transaction[T](self, work: Callable[[cursor], T]) -> T:
        began = time.monotonic()
        try:
            session = self._connection()
            try:
                with session, session.cursor() as rows:
                    return work(rows)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                # The next request connects again. Nothing is retried here, because a COMMIT may have arrived.
                session.close()
                raise
        finally:
            self._observe(time.monotonic() - began)
