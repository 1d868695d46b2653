# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write blocks on real servers, set and read without any code of the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.integration.module import Modules, Result
from tests.integration.redisplace import RedisPlace

KEY = "kanban:emergency:write-block"
OWNER = "{kanban:emergency:write-block}:owner"
OURS, THEIRS = "INC-20261125-042", "INC-20261125-043"
# What the documentation says that the user needs.
NEEDED = ("+get", "+pttl", "+eval", "+set", "+del")
# What is there while we hold it without an expiry, as ``Place.there`` shows it.
HELD = {KEY: ("true", -1), OWNER: (OURS, -1)}


@dataclass
class Place(RedisPlace):
    """One Redis, and what runs the modules on it."""

    reached = (f"~{KEY}", f"~{OWNER}")

    @property
    def modules(self) -> Modules:
        """What runs modules here, for our incident's block."""
        return Modules({**self.login, "key": KEY, "owner": OURS, **self.extra})

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

    def there(self) -> dict[str, tuple[str, int]]:
        """Return every key of the server with its value (its type if it is not a string) and its PTTL."""
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
