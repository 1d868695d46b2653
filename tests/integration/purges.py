# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Caches on real servers, filled and read without any code of the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.integration.blocks import KEY, OWNER
from tests.integration.module import Modules, Result, Running
from tests.integration.redisplace import RedisPlace

# Keys that an application of this family has besides the cache, and that exist nowhere else.
QUEUES = {"bull:inbound:id": "7", "bull:inbound:1": "job", "bull:inbound:repeat:x": "9"}
SESSIONS = {"sessions:1:creds": "secret", "sessions:2:creds": "secret"}
BLOCK = {KEY: "true", OWNER: "INC-1"}
KEPT = {**QUEUES, **SESSIONS, **BLOCK}
CACHE = {f"cache:board:{number}": "x" for number in range(300)} | {
    f"contacts:{number}:unreads": "3" for number in range(50)
}
PROTECTED = ["bull:*", "sessions:*"]
PATTERNS = ["cache:*", "contacts:*:unreads"]


@dataclass
class Cache(RedisPlace):
    """One Redis with a cache, and the module that runs on it."""

    @property
    def modules(self) -> Modules:
        """Modules that run here, with the usual patterns."""
        usual = {"patterns": PATTERNS, "protected": PROTECTED, "write_block_key": KEY}
        return Modules({**self.login, **usual, **self.extra})

    def purge(self, check: bool = False, **options: Any) -> Result:
        """Purge; must succeed."""
        return self.modules.ok("cache_purge", check, **options)

    def refused(self, code: str, check: bool = False, **options: Any) -> Result:
        """Try a purge that must fail with this code."""
        return self.modules.fails(code, "cache_purge", check, **options)

    def start(self, **options: Any) -> Running:
        """Start a purge and return at once."""
        return self.modules.start("cache_purge", **options)

    def put(self, *several: dict[str, str], db: int = 0) -> None:
        """Set keys that hold text."""
        with self.client(db=db) as client:
            for keys in several:
                client.mset(keys)

    def fill(self, count: int, beginning: str = "cache:", size: int = 1) -> None:
        """Set ``count`` keys, fast."""
        script = "for i = 1, ARGV[1] do redis.call('SET', ARGV[2] .. i, string.rep('x', ARGV[3])) end"
        with self.client(socket_timeout=60) as client:
            client.execute_command("EVAL", script, 0, count, beginning, size)

    def there(self, db: int = 0) -> set[str]:
        """Return all keys."""
        with self.client(db=db, socket_timeout=60) as client:
            return set(client.scan_iter(count=10_000))
