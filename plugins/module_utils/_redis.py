# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to Redis: a session in which nothing can wait forever, and typed errors.

The driver's own retries are off and its timeouts bound single reads only, so every exchange also has a moment at which
we stop waiting: a silent name server, or a peer that sends a byte a second, delays nobody.
"""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterator, Sequence, TypeVar

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import (
    explain,
    not_redis,
    tls_failed,
    unreachable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Address

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    IMPORT_ERROR: ImportError | None = None
except ImportError as error:  # The module tells the user what to install; nothing here can run without it.
    IMPORT_ERROR = error

__all__ = ["IMPORT_ERROR", "Login", "Session"]

# One exchange may take this long; then another connection, perhaps to another master, is the better bet.
STEP_SECONDS = 2.5

_Answer = TypeVar("_Answer")


class _Frozen(Exception):
    """No answer came within the time that there was."""


def _within(seconds: float, work: Callable[[], _Answer]) -> _Answer:
    """Return what ``work`` returns, or raise _Frozen: then its thread is left to itself, and ends with the process."""
    answers: list[_Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise _Frozen
    return answers[0]


@dataclass(frozen=True)
class Login:
    """Where and as whom to connect; the fields are the modules' options."""

    host: str = "localhost"
    port: int = 6379
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    unix_socket: str | None = None
    tls: bool = False
    validate_certs: bool = True
    ca_certs: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    sentinels: Sequence[Address] = ()
    sentinel_name: str = "mymaster"
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """Address (or socket) for messages and results."""
        return self.unix_socket or str(Address(self.host, self.port))

    def at(self, address: Address) -> Login:
        """Return the same login at another address."""
        return replace(self, host=address.host, port=address.port, unix_socket=None, sentinels=())

    def at_sentinel(self, address: Address) -> Login:
        """Return the login to a Sentinel, which has its own users, and no databases."""
        return replace(self.at(address), user=self.sentinel_user, password=self.sentinel_password, database=0)

    def connection(self, seconds: float) -> Any:
        """Return the driver's connection, not yet connected."""
        options: dict[str, Any] = {
            "db": self.database,
            "username": self.user or None,
            "password": self.password or None,
            "socket_timeout": seconds,
            "encoding_errors": "backslashreplace",
            "retry": Retry(NoBackoff(), 0),
        }
        if int(redis.__version__.split(".")[0]) >= 5:
            # The newest drivers would send HELLO 3, which a user with few privileges may not.
            options["protocol"] = 2
        driver: Any = redis
        if self.unix_socket:
            return driver.UnixDomainSocketConnection(path=self.unix_socket, **options)
        options.update(host=self.host, port=self.port, socket_connect_timeout=seconds, socket_keepalive=True)
        if not self.tls:
            return driver.Connection(**options)
        return driver.SSLConnection(
            ssl_cert_reqs="required" if self.validate_certs else "none",
            ssl_check_hostname=self.validate_certs,
            ssl_ca_certs=self.ca_certs,
            ssl_certfile=self.client_cert_file,
            ssl_keyfile=self.client_key_file,
            **options,
        )


class Session:
    """One connection to one server. Every exchange ends within STEP_SECONDS and by the deadline."""

    def __init__(self, login: Login, deadline: Deadline, sentinel: str | None = None) -> None:
        """Connect and log in; raises ServerError (NotNow if another try may succeed).

        :param sentinel: the Sentinel that named this server, for results.
        """
        self.where = login.where
        self.sentinel = sentinel
        self._tls = login.tls
        self._deadline = deadline
        seconds = deadline.slice(STEP_SECONDS)
        self._connection = login.connection(seconds)
        # Newer drivers introduce themselves first: two round trips, denied to a user with few privileges, and a server
        # in protected mode would spend its only answer on them.
        self._connection.driver_info = self._connection.lib_name = self._connection.lib_version = None
        self._bounded(self._connection.connect)

    def close(self) -> None:
        """Close without waiting for anything."""
        self._connection.disconnect()

    def ask(self, *commands: Sequence[Any]) -> list[Any]:
        """Send commands in one go and return their replies in order; an error reply is a ServerError in its place.

        Raises ServerError when the connection or the login is the problem.
        """
        return self._bounded(lambda: self._exchange(commands))

    def one(self, *command: Any) -> Any:
        """Send one command and return its reply; raises ServerError."""
        (reply,) = self.ask(command)
        return checked(reply)

    def _exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        replies: list[Any] = []
        for _command in commands:
            try:
                replies.append(self._connection.read_response())
            except redis.exceptions.ResponseError as error:
                reply = explain(type(error).__name__, str(error), self.where)
                if reply.code == "login_refused":
                    raise reply from error  # The server's last word: it closes the connection.
                replies.append(reply)
        return replies

    def _bounded(self, work: Callable[[], _Answer]) -> _Answer:
        seconds = self._deadline.slice(STEP_SECONDS)
        try:
            return _within(seconds, work)
        except _Frozen:
            self.close()
            raise unreachable(f"no answer within {seconds:.1f} s", self.where) from None
        except redis.exceptions.InvalidResponse as error:
            raise not_redis(str(error), self.where) from error
        except (redis.exceptions.RedisError, OSError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> ServerError:
        causes = list(_chain(error))
        text = str(error)
        kind = type(error).__name__
        # Over TCP only a certificate's file can be missing, or unreadable.
        for cause in causes:
            missing = self._tls and isinstance(cause, (FileNotFoundError, PermissionError))
            if missing or isinstance(cause, ssl.SSLError):
                return tls_failed(str(cause), self.where)
        # What the server says has its own class of error, except for this one sentence.
        plain = kind in ("ConnectionError", "TimeoutError") and "max number of clients" not in text
        if plain or isinstance(error, OSError):
            return unreachable(text, self.where, any(_is_final(cause) for cause in causes))
        return explain(kind, text, self.where)


def checked(reply: Any) -> Any:
    """Return a reply, or raise it if it is an error."""
    if isinstance(reply, ServerError):
        raise reply
    return reply


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, of which the driver keeps only the text."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _is_final(cause: BaseException) -> bool:
    """Tell whether another try cannot help: a name that does not exist, or a socket that may not be opened."""
    if isinstance(cause, socket.gaierror):
        return cause.errno != socket.EAI_AGAIN
    return isinstance(cause, PermissionError)
