# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An embedded Redis (or Valkey, which speaks the same protocol)."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import accounts, binaries
from .server import Server

# Directives that Redis 7 introduced and an older one refuses; what they allow was always allowed before.
_SINCE_REDIS_7 = ("enable-protected-configs", "enable-debug-command")


@dataclass(frozen=True)
class Certificates:
    """An authority, and a certificate for ``localhost`` and 127.0.0.1 that it signed; made by ``openssl``."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Make them in a new directory that the servers' account can read."""
        account = accounts.unprivileged()
        accounts.own_directory(directory, account)
        made = cls(directory / "ca.crt", directory / "server.crt", directory / "server.key")
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        new += ["-days", "2"]
        ca_key = directory / "ca.key"
        subject = ["-subj", "/CN=kanban test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _run([*new, "-keyout", str(ca_key), "-out", str(made.ca), *subject])
        signed = ["-CA", str(made.ca), "-CAkey", str(ca_key), "-addext", "basicConstraints=critical,CA:FALSE"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        _run([*new, "-keyout", str(made.key), "-out", str(made.certificate), *signed, *names])
        for path in directory.iterdir():
            path.chmod(0o600)
            if account:
                os.chown(path, account.uid, account.gid)
        return made


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def major(binary: Path) -> int:
    """Return the major version that a program reports; a Valkey's is above every number that it is compared with."""
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"\bv=(\d+)", said)
    if not found:
        raise ValueError(f"{binary} says no version: {said}")
    return int(found[1])


class Redis(Server):
    """A Redis with a password made for it; without persistence unless ``config`` says otherwise.

    ``config``: directives of redis.conf (``appendonly``, ``maxmemory-policy``, ``replicaof`` ...).
    ``certificates``: speak TLS, and only that.
    """

    label = "Redis"
    stop_signals = (signal.SIGTERM,)

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any] | None = None,
        *,
        binary: Path | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """Describe the server; ``start`` makes it. Raises ServerError if no binary is found."""
        super().__init__(directory)
        self.certificates = certificates
        self.config = dict(config or {})
        self.password = password or secrets.token_urlsafe(24)
        self.marker = self.directory / "redis.conf"
        self.binary = Path(binary) if binary else binaries.redis()
        self.program = self.binary.name

    @contextlib.contextmanager
    def client(self, **changes: Any) -> Iterator[redis.Redis]:
        """Yield a client that returns text, and close it at the end; ``changes`` replace redis-py's arguments."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "password": self.password,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "decode_responses": True,
            # A server that is down must be noticed at once, not after ten tries.
            "retry": Retry(NoBackoff(), 0),
        }
        if self.certificates:
            arguments.update(ssl=True, ssl_ca_certs=str(self.certificates.ca))
        client = redis.Redis(**{**arguments, **changes})
        try:
            yield client
        finally:
            client.close()

    def prepare(self) -> None:
        """Make sure that the account can reach the binary."""
        self.binary = binaries.usable(self.binary, self.binary.parent, self.directory, self.account)

    def configure(self) -> None:
        """Write the configuration; the password is in it, and never on a command line."""
        settings = {
            "bind": self.host,
            "port": self.port,
            "dir": self.directory,
            "requirepass": self.password,
            "masterauth": self.password,
            "save": "",
            # The default only since Redis 7: a sync by way of the disk would restart the server's count of changes.
            "repl-diskless-sync": "yes",
            "repl-diskless-sync-delay": 0,
            # The title would replace the command line, by which a later run recognizes the server.
            "set-proc-title": "no",
            **self._tls(),
            **self.config,
        }
        if any(name in settings for name in _SINCE_REDIS_7) and major(self.binary) < 7:
            settings = {name: value for name, value in settings.items() if name not in _SINCE_REDIS_7}
        # Values of several words: before Redis 7, "60 1" in quotes is accepted, but saves nothing.
        several = ("bind", "replicaof", "save")
        lines = [
            f"{name} {value}" if name in several and value else f'{name} "{value}"' for name, value in settings.items()
        ]
        accounts.write_private(self.marker, "\n".join(lines) + "\n", self.account)

    def _tls(self) -> dict[str, Any]:
        if not self.certificates:
            return {}
        return {
            "port": 0,
            "tls-port": self.port,
            "tls-replication": "yes",
            "tls-auth-clients": "no",
            "tls-ca-cert-file": self.certificates.ca,
            "tls-cert-file": self.certificates.certificate,
            "tls-key-file": self.certificates.key,
        }

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [str(self.binary), str(self.marker)]

    def problem(self) -> str | None:
        """Return why a PING is not answered, or None."""
        try:
            with self.client(socket_timeout=2) as client:
                client.ping()
                return None
        except redis.RedisError as error:
            return str(error)
