# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Redis and how to log in to it: as the default user by hand, and as any user for the modules."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from tests.support.redis_server import Certificates, Redis
from tests.support.servers import ServerError, workspace


@contextlib.contextmanager
def over_tls(directory: Path, certificates: Certificates, **config: str) -> Iterator[Redis]:
    """Start a Redis that speaks only TLS in ``directory/redis``; skip the test if it was built without TLS."""
    server = Redis(directory / "redis", config, certificates=certificates)
    try:
        server.start()
    except ServerError as error:
        # The first is the message from Redis 7 on, the second the one before.
        if "Failed finding TLS support" not in str(error) and ">>> 'tls-port" not in str(error):
            raise
        pytest.skip("this Redis was built without TLS")
    try:
        yield server
    finally:
        server.stop()


@dataclass
class RedisPlace:
    """One Redis; ``extra`` are options for every module on it, which win over the usual ones."""

    # The keys that a user made by ``as_user`` reaches by default.
    reached: ClassVar[tuple[str, ...]] = ("~*",)

    server: Redis
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def started(cls, **config: Any) -> Iterator[Self]:
        """Start a Redis with directives of redis.conf, underscores for dashes."""
        settings = {name.replace("_", "-"): value for name, value in config.items()}
        with workspace() as directory, Redis(directory / "redis", settings) as server:
            yield cls(server)

    @property
    def login(self) -> dict[str, Any]:
        """What a module needs to log in as the default user."""
        return {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_password": self.server.password,
        }

    @contextlib.contextmanager
    def client(self, **changes: Any) -> Iterator[Any]:
        """Give a client as the default user."""
        with self.server.client(**changes) as client:
            yield client

    def run(self, *command: Any) -> Any:
        """Run one Redis command as the default user."""
        with self.client() as client:
            return client.execute_command(*command)

    def as_user(self, *rights: str, keys: Iterable[str] | None = None) -> Self:
        """Return the same server for a user that has these rights and no others; ``keys`` as ACL SETUSER takes them."""
        reached = self.reached if keys is None else keys
        self.run("ACL", "SETUSER", "app", "reset", "on", ">app-password", *reached, *rights)
        return type(self)(self.server, {"login_user": "app", "login_password": "app-password"})
