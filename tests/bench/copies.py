# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with one database that is never written to, and fresh page-for-page copies of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from psycopg2.extensions import connection

from tests.support.postgres import Postgres
from tests.support.servers import workspace

ORIGINAL = "original"
COPY = "chatia_db"
# fsync stays on. A checkpoint or a vacuum in the middle would hit one arm and spare the other.
CONFIG = {"autovacuum": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "shared_buffers": "512MB"}


class Copies:
    """Makes the copy ``chatia_db`` again as often as asked."""

    def __init__(self, server: Postgres) -> None:
        """Copy within a running server that has a database ``original``."""
        self.server = server

    def fresh(self) -> None:
        """Replace the copy, with fresh statistics and nothing left to write to disk."""
        self.server.drop_database(COPY)
        self.server.disconnect()
        self.server.query(f"CREATE DATABASE {COPY} TEMPLATE {ORIGINAL} STRATEGY file_copy")
        self.server.query("VACUUM ANALYZE", database=COPY)
        self.server.query("CHECKPOINT")

    def connect(self, **changes: object) -> AbstractContextManager[connection]:
        """Give an autocommit connection to the copy."""
        return self.server.connect(COPY, **changes)

    def login(self) -> dict[str, object]:
        """Return the module's connection options for the copy."""
        server = self.server
        return {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": server.user,
            "login_password": server.password,
            "login_db": COPY,
        }


@contextmanager
def copies(fill: Callable[[connection], None]) -> Iterator[Copies]:
    """Start a server, fill its original and yield copies of that; remove the server and its files at the end."""
    with workspace("kanban-bench-") as directory, Postgres(directory / "postgres", CONFIG) as server:
        server.create_database(ORIGINAL)
        with server.connect(ORIGINAL) as session:
            fill(session)
        server.query("VACUUM ANALYZE", database=ORIGINAL)
        yield Copies(server)
