# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Sentinel that watches an embedded Redis, and fails over within about a second."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import accounts
from .redis_server import Redis
from .server import Server


class Sentinel(Server):
    """A Sentinel, with a password of its own, for one master and its replicas; it alone decides (quorum 1)."""

    label = "Sentinel"

    def __init__(self, directory: Path, master: Redis, name: str = "mymaster", epoch: int = 0) -> None:
        """Describe the Sentinel; ``start`` makes it. ``epoch``: the higher it is, the newer its news of the master."""
        super().__init__(directory)
        self.master = master
        self.name = name
        self.epoch = epoch
        self.password = secrets.token_urlsafe(24)
        self.marker = self.directory / "sentinel.conf"
        self.program = master.program

    @property
    def address(self) -> str:
        """``host:port``, as modules take it."""
        return f"{self.host}:{self.port}"

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """Yield a client that returns text, and close it at the end."""
        client: Any = redis.Redis(
            host=self.host,
            port=self.port,
            password=self.password,
            socket_timeout=2,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield client
        finally:
            client.close()

    def current(self) -> int:
        """Return the port of the Redis that it takes for the master."""
        with self.client() as client:
            return int(client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", self.name)[1])

    def watch(self, master: Redis) -> None:
        """Take another Redis for the master from now on, as after a failover that it has only just heard of."""
        with self.client() as client:
            client.execute_command("SENTINEL REMOVE", self.name)
            client.execute_command("SENTINEL MONITOR", self.name, master.host, master.port, 9)

    def configure(self) -> None:
        """Write the configuration, which the Sentinel rewrites as it learns."""
        lines = [
            f"port {self.port}",
            f"bind {self.host}",
            f'dir "{self.directory}"',
            f'requirepass "{self.password}"',
            # The title would replace the command line, by which a later run recognizes the server.
            "set-proc-title no",
            f"sentinel monitor {self.name} {self.master.host} {self.master.port} 1",
            f'sentinel auth-pass {self.name} "{self.master.password}"',
            f"sentinel down-after-milliseconds {self.name} 400",
            f"sentinel failover-timeout {self.name} 3000",
            f"sentinel config-epoch {self.name} {self.epoch}",
        ]
        accounts.write_private(self.marker, "\n".join(lines) + "\n", self.account)

    def command(self) -> list[str]:
        """Return the command line of the Sentinel."""
        return [str(self.master.binary), str(self.marker), "--sentinel"]

    def problem(self) -> str | None:
        """Return why it does not name a master, or None."""
        try:
            self.current()
        except redis.RedisError as error:
            return str(error)
        return None
