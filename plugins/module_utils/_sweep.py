# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The later sweep: until every transaction that was open at the kill has ended, what they write is switched again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import session as queries

LOOK_EVERY_SECONDS = 0.2
LOOK_SECONDS = 5.0
SHOWN = 20


@dataclass
class Settled:
    """``settled`` is False while a transaction from before is still open; ``waiting_for`` names it."""

    settled: bool = True
    swept: int = 0
    waiting_for: list[dict[str, Any]] = field(default_factory=list)

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``sweep`` result."""
        return {"settled": self.settled, "switched_again": self.swept, "waiting_for": self.waiting_for[:SHOWN]}


def open_transactions(session: Session) -> dict[str, dict[str, Any]]:
    """Return the transactions of others that are open now, by a key that is unique to each."""
    with session.transaction(LOOK_SECONDS, mode="READ ONLY") as cursor:
        rows = cursor.rows(queries.OPEN_TRANSACTIONS, {})
    return {
        key: {"pid": pid, "application_name": name, "user": user, "age": None if age is None else round(age, 1)}
        for pid, name, user, age, key in rows
    }


def settle(session: Session, sweep: Callable[[], int], deadline: Deadline) -> Settled:
    """Sweep at once, and whenever one of the open transactions has ended, the last one included.

    :param sweep: switches off what is on again; returns how many tenants that were.
    """
    outcome = Settled()
    before = open_transactions(session)
    # Some may have ended between the kill's last count and our first look.
    outcome.swept += sweep()
    waiting = set(before)
    while waiting and not deadline.over:
        time.sleep(min(LOOK_EVERY_SECONDS, deadline.left))
        still = waiting & set(open_transactions(session))
        if still != waiting:
            outcome.swept += sweep()
        waiting = still
    outcome.settled = not waiting
    outcome.waiting_for = [before[key] for key in sorted(waiting)]
    return outcome
