# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An embedded PgBouncer in front of a PostgreSQL."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection, make_dsn, parse_dsn

from . import accounts, binaries
from .server import Server, ServerError


class PgBouncer(Server):
    """A pooler for every database of the server that ``dsn`` (of :class:`Postgres`) names.

    Logins are those of the dsn and of ``users`` (name: password).
    """

    label = "PgBouncer"
    program = "pgbouncer"
    stop_signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(
        self, directory: Path, dsn: str, pool_mode: str = "transaction", *, users: Mapping[str, str] | None = None
    ) -> None:
        """Describe the pooler. Raises ServerError if pgbouncer is not installed: ask ``missing`` first."""
        super().__init__(directory)
        reason = self.missing()
        if reason:
            raise ServerError(reason)
        self.target = parse_dsn(dsn)
        self.pool_mode = pool_mode
        self.users = {self.target["user"]: self.target["password"], **(users or {})}
        self.marker = self.directory / "pgbouncer.ini"

    @staticmethod
    def missing() -> str | None:
        """Return why there can be no pooler here (the reason for a skip), or None."""
        return None if binaries.pgbouncer() else "pgbouncer is not installed (apt-get install pgbouncer)"

    def parameters(self, database: str | None = None) -> dict[str, Any]:
        """Return libpq's connection parameters through the pooler."""
        login = {name: self.target[name] for name in ("user", "password")}
        return {
            **login,
            "host": self.host,
            "port": self.port,
            "dbname": database or self.target["dbname"],
            "connect_timeout": 5,
        }

    @property
    def dsn(self) -> str:
        """The connection string through the pooler, password included: never for a command line."""
        return str(make_dsn(**self.parameters()))

    @contextlib.contextmanager
    def connect(self, database: str | None = None, **changes: Any) -> Iterator[connection]:
        """Yield an autocommit connection through the pooler and close it at the end."""
        session = psycopg2.connect(**{**self.parameters(database), **changes})
        try:
            session.autocommit = True
            yield session
        finally:
            session.close()

    def configure(self) -> None:
        """Write the configuration and the list of users, in clear text because SCRAM on both sides needs it."""
        userlist = self.directory / "users.txt"
        lines = [f"{_quoted(name)} {_quoted(password)}" for name, password in self.users.items()]
        accounts.write_private(userlist, "\n".join(lines) + "\n", self.account)
        text = [
            "[databases]",
            f"* = host={self.target['host']} port={self.target['port']}",
            "[pgbouncer]",
            f"listen_addr = {self.host}",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = scram-sha-256",
            f"auth_file = {userlist}",
            f"pool_mode = {self.pool_mode}",
            "ignore_startup_parameters = extra_float_digits,options",
        ]
        accounts.write_private(self.marker, "\n".join(text) + "\n", self.account)

    def command(self) -> list[str]:
        """Return the command line of the pooler."""
        return [str(binaries.pgbouncer()), str(self.marker)]

    def problem(self) -> str | None:
        """Return why a login through the pooler fails, or None."""
        try:
            with self.connect() as session, session.cursor() as cursor:
                cursor.execute("SELECT 1")
                return None
        except psycopg2.OperationalError as error:
            return str(error).strip()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
