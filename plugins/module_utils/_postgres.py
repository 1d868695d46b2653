# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to PostgreSQL: a session in which nothing can wait for ever, and typed errors.

Settings are made with ``SET LOCAL`` in each transaction, never at connect: a pooler in transaction mode refuses
start-up options and would leak a plain ``SET`` to the next client.
"""

from __future__ import annotations

import select
import time
from contextlib import contextmanager
from typing import Any, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._login import Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import session as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import explain, explain_connect

try:
    import psycopg2
    from psycopg2 import extensions, sql

    IMPORT_ERROR: ImportError | None = None
except ImportError as error:  # The module tells the user what to install; nothing here can run without it.
    IMPORT_ERROR = error
    sql = None  # type: ignore[assignment]

__all__ = [
    "APPLICATION",
    "CONNECT_SECONDS",
    "GRACE_SECONDS",
    "IMPORT_ERROR",
    "PASSAGE",
    "READ_SECONDS",
    "Cursor",
    "Login",
    "Session",
    "identifier",
    "literal",
    "sql",
]

# A server that stops answering is given this long after a statement's own timeout should have ended it.
GRACE_SECONDS = 3.0
CONNECT_SECONDS = 5.0
# A look-up without a deadline of its own may take this long.
READ_SECONDS = 30.0
# The name of our sessions, and the setting with which they pass fence and latch. Not defined next to either: a module
# brings along, and reads, all that the files it imports contain, and the fence does not need the flag's.
APPLICATION = "chatia.kanban_rollback"
PASSAGE = "kanban_rollback.passage"


class _Frozen(Exception):
    """The server did not answer within the time its connection had."""


def _wait(connection: Any) -> None:
    """Wait for the socket, never past the connection's ``give_up_at``: a frozen server ends no statement by itself."""
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        left = min(connection.give_up_at, connection.not_after) - time.monotonic()
        if left <= 0:
            raise _Frozen
        reading = [connection.fileno()] if state == extensions.POLL_READ else []
        writing = [connection.fileno()] if state == extensions.POLL_WRITE else []
        select.select(reading, writing, [], left)


def identifier(*parts: str) -> sql.Identifier:
    """Return a quoted SQL name; ``%`` is doubled because the driver formats the whole statement."""
    return sql.Identifier(*[part.replace("%", "%%") for part in parts])


def literal(text: str) -> sql.Composable:
    """Return a text as an SQL literal, for instance a name's; ``%`` is doubled as in ``identifier``."""
    return sql.Literal(text.replace("%", "%%"))


class Session:
    """One connection. Every statement has a lock and a statement timeout, and a moment when we stop waiting."""

    def __init__(self, login: Login, application_name: str, seconds: float = CONNECT_SECONDS) -> None:
        """Connect within ``seconds``; raises ServerError (``unreachable``, ``wrong_password``, ...)."""
        self.login = login
        self.name = application_name
        self._connection = _connect(login, application_name, seconds)
        # Cancel-safe on servers that have it: when a client is gone, its statement ends within a second.
        self._has_client_check = self._connection.server_version >= 140000
        self._has_whole_timeout = self._connection.server_version >= 170000

    @property
    def server_version(self) -> int:
        """For instance 170012."""
        return int(self._connection.server_version)

    @property
    def wire_pid(self) -> int:
        """The backend's pid as the start-up handshake gave it; behind a pooler it is not the backend's."""
        return int(self._connection.info.backend_pid)

    @property
    def is_open(self) -> bool:
        """False once the connection was closed or broke."""
        return not self._connection.closed

    def close(self) -> None:
        """Close without waiting for anything."""
        self._connection.close()

    @contextmanager
    def transaction(
        self,
        seconds: float,
        lock_seconds: float = 1.0,
        mode: str = "READ WRITE",
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[Cursor]:
        """Open a transaction, commit it at the end, roll it back on any error; raises ServerError.

        :param seconds: how long each statement may take; PostgreSQL ends it, and we stop waiting a little later.
        :param lock_seconds: how long each wait for a lock may take.
        :param mode: words for BEGIN, for instance ``ISOLATION LEVEL REPEATABLE READ READ ONLY``. READ WRITE is explicit
            because ``default_transaction_read_only`` is a seat belt that must not stop the kill.
        :param settings: more settings, local to this transaction.
        """
        local = {
            "lock_timeout": f"{max(1, int(lock_seconds * 1000))}ms",
            "statement_timeout": f"{max(1, int(seconds * 1000))}ms",
            "idle_in_transaction_session_timeout": f"{int((seconds + GRACE_SECONDS) * 1000)}ms",
            # With a dead synchronous standby COMMIT would hang past every timeout.
            "synchronous_commit": "local",
            # An error beats "0 tenants" read through a policy.
            "row_security": "off",
            **({"client_connection_check_interval": "1s"} if self._has_client_check else {}),
            # The role's or database's limit for a whole transaction would end the session; the deadlines are ours.
            **({"transaction_timeout": "0"} if self._has_whole_timeout else {}),
            **(settings or {}),
        }
        try:
            cursor = Cursor(self._connection, seconds)
            cursor.run(queries.BEGIN.format(mode=mode), {"names": list(local), "values": list(local.values())})
            yield cursor
            cursor.run("COMMIT", {})
            if cursor.status != "COMMIT":
                raise ServerError(
                    "rolled_back",
                    "PostgreSQL answered COMMIT with ROLLBACK.",
                    "An earlier statement had failed, so nothing of the transaction holds.",
                    "Run the same command again; if it repeats, report it with this output.",
                )
        except psycopg2.InterfaceError as error:
            raise explain(None, str(error)) from error  # It broke since its last use.
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            if not self._connection.closed:
                Cursor(self._connection, GRACE_SECONDS).run("ROLLBACK", {})
        except KanbanError:
            # A connection that cannot even roll back is of no use; the server rolls back when it is gone.
            self._connection.close()


class Cursor:
    """Runs statements on a session; rows come back as tuples."""

    def __init__(self, connection: Any, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._cursor = connection.cursor()

    @property
    def status(self) -> str:
        """The command tag of the last statement, for instance ``UPDATE 3``."""
        return str(self._cursor.statusmessage)

    @property
    def is_lost(self) -> bool:
        """True when the connection broke: nothing more can be asked on it."""
        return bool(self._connection.closed)

    @property
    def rowcount(self) -> int:
        """Rows that the last statement touched."""
        return int(self._cursor.rowcount)

    @property
    def driver(self) -> Any:
        """The driver's own cursor, for what no statement does: COPY."""
        return self._cursor

    def column_names(self) -> list[str]:  # Of the last result.
        return [column.name for column in self._cursor.description or ()]

    def run(self, statement: str | sql.Composable, values: Mapping[str, Any]) -> None:
        """Run one statement with named values; raises ServerError, Timeout or LostConnection."""
        self._connection.give_up_at = time.monotonic() + self._seconds + GRACE_SECONDS
        try:
            self._cursor.execute(statement, dict(values))
        except psycopg2.Error as error:
            message = error.diag.message_primary or str(error)
            state = error.pgcode
            if state is None and not isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
                raise  # The driver refuses the statement itself: that is our bug, so show the traceback.
            raise explain(state, message, error.diag.message_hint) from error
        except ValueError as error:
            # The driver refuses a string with a NUL character before anything is sent.
            raise BadInput(
                "nul_character",
                f"A value cannot be sent to PostgreSQL: {error}",
                "No text there holds that character, so the value can name nothing. Nothing was changed by it.",
                "Look at the tenants, names and ids that were given.",
            ) from error
        except _Frozen:
            self._connection.close()
            raise explain(None, f"no answer within {self._seconds + GRACE_SECONDS:.0f} s") from None

    def filled(self, statement: str | sql.Composable, values: Mapping[str, Any]) -> str:
        """Return a statement with its values put in as literals, for a function's body, which takes no parameters."""
        text: bytes = self._cursor.mogrify(statement, dict(values))
        return text.decode()

    def rows(self, statement: str | sql.Composable, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, all of them: the statement bounds them."""
        self.run(statement, values)
        return list(self._cursor.fetchall())

    def row(self, statement: str | sql.Composable, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Run a statement that returns exactly one row."""
        self.run(statement, values)
        found: tuple[Any, ...] = self._cursor.fetchone()
        return found

    def stream(
        self, statement: str | sql.Composable, values: Mapping[str, Any], size: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in lists of ``size`` through a server-side cursor, so that memory stays bounded."""
        query = sql.SQL(statement) if isinstance(statement, str) else statement
        self.run(sql.SQL("DECLARE kanban_rows NO SCROLL CURSOR FOR ") + query, values)
        fetch = f"FETCH FORWARD {int(size)} FROM kanban_rows"
        try:
            rows = self.rows(fetch, {})
            while rows:
                yield rows
                rows = self.rows(fetch, {})
        except GeneratorExit:  # The reader has seen enough; the name must be free for the next one.
            self.run("CLOSE kanban_rows", {})
            raise
        self.run("CLOSE kanban_rows", {})

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run the block so that its failure leaves the rest of the transaction intact; the error is raised again."""
        self.run("SAVEPOINT kanban_step", {})
        try:
            yield
        except ServerError:
            self.run("ROLLBACK TO SAVEPOINT kanban_step", {})
            raise
        self.run("RELEASE SAVEPOINT kanban_step", {})


@contextmanager
def waiting_by_itself() -> Iterator[None]:
    """Let the driver wait without us for as long as the block takes: the caller bounds it in another way."""
    extensions.set_wait_callback(None)
    try:
        yield
    finally:
        extensions.set_wait_callback(_wait)


def _connect(login: Login, application_name: str, seconds: float) -> Any:
    give_up_at = time.monotonic() + seconds

    class Bounded(extensions.connection):  # type: ignore[misc, unused-ignore]
        """Knows until when a wait on it may last, from the first packet on."""

        give_up_at: float
        not_after = login.not_after

    Bounded.give_up_at = give_up_at
    # The driver has one wait function for the whole process; this process runs one module.
    extensions.set_wait_callback(_wait)
    try:
        connection = psycopg2.connect(
            connection_factory=Bounded, **login.as_params(application_name, extensions.libpq_version())
        )
    except psycopg2.Error as error:
        raise explain_connect(str(error), login.where) from error
    except _Frozen:
        raise explain_connect(f"no answer within {seconds:.0f} s", login.where) from None
    connection.autocommit = True  # BEGIN and COMMIT are ours: one round trip, and their answers are checked.
    return connection
