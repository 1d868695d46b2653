# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write blocks on real servers, set and read without any code of the collection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.module import Modules, Result
from tests.support.redis_server import Redis
from tests.support.servers import workspace

KEY = "kanban:emergency:write-block"
OWNER = "{kanban:emergency:write-block}:owner"
OURS, THEIRS = "INC-20261125-042", "INC-20261125-043"
# What the documentation says that the user needs.
NEEDED = ("+get", "+pttl", "+eval", "+set", "+del")
# What lies there while we hold it for good, as ``Place.there`` shows it.
HELD = {KEY: ("true", -1), OWNER: (OURS, -1)}


@dataclass
class Place:
    """One Redis, and what runs the modules on it."""

    server: Redis
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def modules(self) -> Modules:
        """What runs modules here, for our incident's block."""
        login = {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_password": self.server.password,
        }
        return Modules({**login, "key": KEY, "owner": OURS, **self.extra})

    def hold(self, check: bool = False, **options: Any) -> Result:
        """Hold the block; must succeed."""
        return self.modules.ok("write_block", check, **options)

    def release(self, check: bool = False, **options: Any) -> Result:
        """Release the block; must succeed."""
        return self.modules.ok("write_block", check, state="absent", **options)

    def refused(self, code: str, check: bool = False, **options: Any) -> Result:
        """Try something that must fail with this code."""
        return self.modules.fails(code, "write_block", check, **options)

    def info(self, **options: Any) -> Result:
        """Read the block; must succeed."""
        return self.modules.ok("write_block_info", **options)

    @contextlib.contextmanager
    def client(self, **changes: Any) -> Iterator[Any]:
        """Give a client as the default user."""
        with self.server.client(**changes) as client:
            yield client

    def run(self, *command: Any) -> Any:
        """Run one Redis command as the default user."""
        with self.client() as client:
            return client.execute_command(*command)

    def there(self) -> dict[str, tuple[str, int]]:
        """Return every key of the server with its value (its type where it is no text) and its PTTL."""
        with self.client() as client:
            found = {}
            for key in sorted(client.scan_iter()):
                kind = client.type(key)
                found[key] = (client.get(key) if kind == "string" else kind, client.pttl(key))
            return found

    def set_by_hand(self, value: str = "true", owner: str | None = None, seconds: int | None = None) -> None:
        """Set the block as a person would."""
        with self.client() as client:
            client.set(KEY, value, ex=seconds)
            if owner:
                client.set(OWNER, owner, ex=seconds)


def as_user(redis: Place, *rights: str, keys: tuple[str, ...] = (f"~{KEY}", f"~{OWNER}")) -> Place:
    """Return the same server for a user that has these rights and no others; ``keys`` as ACL SETUSER takes them."""
    redis.run("ACL", "SETUSER", "app", "reset", "on", ">app-password", *keys, *rights)
    return Place(redis.server, {"login_user": "app", "login_password": "app-password"})


@contextlib.contextmanager
def place(**config: Any) -> Iterator[Place]:
    """Start a Redis with directives of redis.conf, underscores for dashes."""
    settings = {name.replace("_", "-"): value for name, value in config.items()}
    with workspace() as directory, Redis(Path(directory) / "redis", settings) as server:
        yield Place(server)
