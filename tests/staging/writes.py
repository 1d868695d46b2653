# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write, as requests, with what must be in the database once the write is acknowledged."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.staging.account import MESSAGE


@dataclass(frozen=True)
class Write:
    """A request, and what it ``sets`` as in ``account.Entry``."""

    operation: str
    ticket: int
    sets: Mapping[str, Any]
    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass
class Tenant:
    """A company, as its people know it. ``owed``: its messages that nobody has taken yet, oldest first."""

    number: int
    token: str = ""
    tickets: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    lane_tags: list[int] = field(default_factory=list)
    version: int = 0
    lanes: list[int] = field(default_factory=list)
    owed: list[Write] = field(default_factory=list)


def write_of(operation: str, tenant: Tenant, ticket: int, chance: random.Random) -> Write:
    """Return a write of this kind to a card; a message, if there is nothing for the board to do."""
    if operation == "move" and tenant.lanes:
        return _move(tenant, ticket, chance)
    # All tags, and with them the lanes of V1, may be gone if the application deletes them.
    if operation in ("attach", "detach") and tenant.tags:
        tag, path = chance.choice(tenant.tags), f"/tickets/{ticket}/tags"
        sets = {f"tag:{ticket}:{tag}": operation == "attach"}
        if operation == "attach":
            return Write(operation, ticket, sets, "POST", path, {"tagId": tag})
        return Write(operation, ticket, sets, "DELETE", f"{path}/{tag}")
    # Unique, so that it can be found by itself.
    text = f"mensagem {time.time_ns()}"
    sent = {"ticketId": ticket, "body": text}
    return Write(MESSAGE, ticket, {f"message:{ticket}": text}, "POST", "/messages", sent)


def _move(tenant: Tenant, ticket: int, chance: random.Random) -> Write:
    # A board hands out free places: two cards in one place would be damage that nobody has done.
    lane, order = chance.choice(tenant.lanes), ticket * 1000 + chance.randrange(1000)
    sets: dict[str, Any] = {f"lane:{ticket}": [lane, order]}
    if tenant.version != 2:
        sets = {f"tag:{ticket}:{tag}": tag == lane for tag in tenant.lane_tags}
    body = {"board": tenant.version, "lane": lane, "order": order}
    return Write("move", ticket, sets, "POST", f"/tickets/{ticket}/move", body)
