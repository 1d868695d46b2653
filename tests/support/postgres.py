# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An embedded PostgreSQL: primary, standby, crash and promotion, as an ordinary user or as root."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, make_dsn

from tools import costs

from . import accounts, binaries, processes
from .server import Server, ServerError

# The kernel's limit for a socket's path is 107 bytes, and PostgreSQL appends ``.s.PGSQL.65535``.
_LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.65535")
_UNIX_METHODS = ("scram-sha-256", "trust", "peer")

BASE_CONFIG: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_prepared_transactions": "10",
    "hot_standby": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # With ``posix`` a crashed server that never starts again leaves segments in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}


class Postgres(Server):
    """A cluster with the superuser ``postgres`` and a password made for it.

    ``config``: settings of postgresql.conf. ``unix_auth``: scram-sha-256, trust or peer, on the unix socket; TCP
    always asks for the password. ``fsync``: False trades the data's safety against a crash of the MACHINE for speed,
    and that of stored passwords, so measurements leave it on.
    """

    label = "PostgreSQL"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)
    program = "postgres"
    user = "postgres"

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        programs: Path | None = None,
        unix_auth: str = "scram-sha-256",
        fsync: bool = True,
        password: str | None = None,
    ) -> None:
        """Describe the cluster; ``start`` makes it. Raises ServerError without binaries, ValueError for bad options."""
        super().__init__(directory)
        if unix_auth not in _UNIX_METHODS:
            raise ValueError(f"unix_auth is {unix_auth!r}, not one of {', '.join(_UNIX_METHODS)}")
        self.config = dict(config or {})
        self.unix_auth = unix_auth
        self.fsync = fsync
        self.data = self.directory / "data"
        self.marker = self.data
        self.programs = Path(programs) if programs else binaries.postgres(version)
        self.password = password or secrets.token_urlsafe(24)
        self.primary: Postgres | None = None
        self.standby_name: str | None = None
        self._kept: dict[str, connection] = {}
        self._keeping = threading.Lock()

    # Connections

    @property
    def socket_directory(self) -> Path | None:
        """The directory of the unix socket; None if its path would be longer than the kernel allows."""
        directory = self.directory / "socket"
        return directory if len(str(directory).encode()) <= _LONGEST_SOCKET_DIRECTORY else None

    @property
    def dsn(self) -> str:
        """The connection string of the superuser over TCP, password included: never for a command line."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """Return the superuser's connection string for a database."""
        return str(make_dsn(**self.parameters(database)))

    def parameters(self, database: str = "postgres") -> dict[str, Any]:
        """Return libpq's connection parameters of the superuser over TCP."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": database,
            "connect_timeout": 5,
        }

    @contextlib.contextmanager
    def connect(self, database: str = "postgres", **changes: Any) -> Iterator[connection]:
        """Yield an autocommit connection and close it at the end; ``changes`` replace libpq's parameters."""
        session = psycopg2.connect(**{**self.parameters(database), **changes})
        try:
            session.autocommit = True
            yield session
        finally:
            session.close()

    def query(self, statement: str | sql.Composable, values: Any = None, database: str = "postgres") -> list[Any]:
        """Run one statement as the superuser and return its rows (none for a command).

        The connection is kept for the next statement, which finds nothing of this one's settings.
        """
        with costs.spent("sql"):
            if not self._keeping.acquire(blocking=False):
                # Another thread's statement may be waiting for this one.
                with self.connect(database) as session:
                    return _rows(session, statement, values)
            try:
                session = self._session(database)
                try:
                    return _rows(session, statement, values)
                finally:
                    if not session.closed:
                        _rows(session, "DISCARD ALL")
            finally:
                self._keeping.release()

    def _session(self, database: str) -> connection:
        """Return the connection that is kept for a database, a new one where the server has ended it."""
        session = self._kept.get(database)
        if session and not session.closed:
            try:
                _rows(session, "SELECT")
            except psycopg2.Error:
                session.close()
        if not session or session.closed:
            session = self._kept[database] = psycopg2.connect(**self.parameters(database))
            session.autocommit = True
        return session

    def disconnect(self) -> None:
        """End the connections that are kept: for a test that counts them, and for a copy of a database."""
        for database in list(self._kept):
            self._forget(database)

    def _forget(self, database: str) -> None:
        if session := self._kept.pop(database, None):
            session.close()

    def create_database(self, name: str, owner: str | None = None) -> None:
        """Create an empty database; any name will do, because it is quoted."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if owner:
            statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
        if not self.fsync and self.query("SHOW server_version_num")[0][0] >= "150000":
            # The default since 15, page by page through the WAL, takes twice as long when a checkpoint costs nothing.
            statement += sql.SQL(" STRATEGY file_copy")
        with costs.spent("database"):
            self.query(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database, even if sessions are connected to it; one that does not exist is fine."""
        self._forget(name)
        with costs.spent("database"):
            self.query(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def set_config(self, **settings: str) -> None:
        """Change settings that need no restart, on the running server."""
        for name, value in settings.items():
            self.query(sql.SQL("ALTER SYSTEM SET {} = %s").format(sql.Identifier(name)), (value,))
        self.query("SELECT pg_reload_conf()")

    # Replication

    def standby_of(self, primary: Postgres, name: str = "standby", *, synchronous: bool = False) -> None:
        """Make this the standby of a running primary (by pg_basebackup) and start it.

        ``synchronous``: the primary's COMMIT waits for this standby from then on.
        """
        self.primary, self.standby_name, self.password = primary, name, primary.password
        self.start()
        if synchronous:
            primary.set_config(synchronous_standby_names=f'"{name}"')

    def in_recovery(self) -> bool:
        """Return whether this is a standby at present."""
        return bool(self.query("SELECT pg_is_in_recovery()")[0][0])

    def promote(self, timeout: int = 30) -> None:
        """Make the standby a primary; raises ServerError if that takes longer than ``timeout`` seconds."""
        if not self.query("SELECT pg_promote(true, %s)", (timeout,))[0][0]:
            raise ServerError(f"the standby was not promoted within {timeout} s\n{processes.tail(self.log)}")
        self.primary = None

    def wait_for_replay(self, timeout: float = 30.0) -> None:
        """Wait until this standby shows all that its primary has written so far. Raises TimeoutError."""
        if self.primary is None:
            raise ValueError("wait_for_replay is asked of a standby")
        position = self.primary.query("SELECT pg_current_wal_lsn()")[0][0]

        def replayed() -> bool:
            return bool(self.query("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,))[0][0])

        if not processes.wait_until(replayed, timeout):
            raise TimeoutError(f"the standby did not reach {position} within {timeout} s")

    # Life

    def prepare(self) -> None:
        """Make the cluster's files, once; what a killed run left half made is made again."""
        tree = self.programs.parent
        self.programs = binaries.usable(self.programs / "postgres", tree, self.directory, self.account).parent
        if (self.data / "PG_VERSION").exists() and (self.directory / "made").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        if self.primary:
            self._clone(self.primary)
        else:
            self._initialise()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'embedded.conf'\n")
        (self.directory / "made").touch()

    def _initialise(self) -> None:
        secret = self.directory / "initial-password"
        accounts.write_private(secret, f"{self.password}\n", self.account)
        command = [
            str(self.programs / "initdb"),
            "-D",
            str(self.data),
            "-U",
            self.user,
            f"--pwfile={secret}",
            "--no-locale",
        ]
        command += ["--encoding=UTF8", "--auth=scram-sha-256", *([] if self.fsync else ["--no-sync"])]
        command += [word for name, value in self._quick().items() for word in ("-c", f"{name}={value}")]
        try:
            self._run(command)
        finally:
            secret.unlink()

    def _clone(self, primary: Postgres) -> None:
        target = primary.parameters()
        login = {"host": target["host"], "port": target["port"], "user": target["user"]}
        command = [str(self.programs / "pg_basebackup"), "-D", str(self.data), "-c", "fast", "-X", "stream"]
        command += [*([] if self.fsync else ["--no-sync"]), "-d", make_dsn(**login, application_name=self.standby_name)]
        self._run(command, {"PGPASSWORD": primary.password})
        # Not by -R: a newer pg_basebackup then writes options that an older server does not know.
        conninfo = make_dsn(**login, password=primary.password, application_name=self.standby_name)
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = {_quoted(conninfo)}\n")
        accounts.write_private(self.data / "standby.signal", "", self.account)

    def _run(self, command: list[str], extra: Mapping[str, str] | None = None) -> None:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=accounts.environment(extra),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **accounts.drop(self.account),
        )
        if done.returncode != 0:
            raise ServerError(f"{command[0]} failed ({done.returncode}):\n{done.stdout}{done.stderr}")

    def _quick(self) -> dict[str, str]:
        """Return the settings by which a login takes half the time: thousands of tests log in."""
        if self.fsync:
            return {}
        command = [str(self.programs / "postgres"), "--version"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        found = re.search(r"(\d+)", said)
        return {"scram_iterations": "1"} if found and int(found[1]) >= 16 else {}

    def configure(self) -> None:
        """Write the settings and who may connect how."""
        sockets = self.socket_directory
        if sockets:
            accounts.own_directory(sockets, self.account)
            # Other accounts can get as far as the authentication, so that they can try "peer".
            sockets.chmod(0o755)
        elif self.unix_auth != "scram-sha-256":
            raise ValueError(f"{self.directory} is too long for a unix socket, which unix_auth asks for")
        settings = {
            **BASE_CONFIG,
            "port": self.port,
            "unix_socket_directories": str(sockets or ""),
            **({} if self.fsync else {"fsync": "off"}),
            **self._quick(),
            **self.config,
        }
        lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        accounts.write_private(self.data / "embedded.conf", "\n".join(lines) + "\n", self.account)
        hba = [f"local all all {self.unix_auth}", f"local replication all {self.unix_auth}"]
        hba += ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
        accounts.write_private(self.data / "pg_hba.conf", "\n".join(hba) + "\n", self.account)

    def command(self) -> list[str]:
        """Return the command line of the postmaster."""
        return [str(self.programs / "postgres"), "-D", str(self.data)]

    def problem(self) -> str | None:
        """Return why a login fails, or None."""
        try:
            with self.connect(connect_timeout=2):
                return None
        except psycopg2.OperationalError as error:
            return str(error).strip()

    def stop(self, timeout: float = 30.0) -> None:
        """End the server, and remove what a crashed one left in shared memory."""
        self.disconnect()
        super().stop(timeout)
        processes.remove_shared_memory(self.data)


def _rows(session: connection, statement: str | sql.Composable, values: Any = None) -> list[Any]:
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _quoted(value: object) -> str:
    text = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
    return "'" + str(text).replace("\\", "\\\\").replace("'", "''") + "'"
