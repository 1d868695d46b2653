# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch works with, the rows of a store, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Count, Scope, together
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import SeveralRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker


class Rows(Protocol):
    """How a store counts and switches: ServerRows or DocumentRows."""

    several: SeveralRows

    def count(self, cursor: Cursor, scope: Scope) -> Count:
        """Count tenants and those that are on, without a lock."""

    def to_switch(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]:
        """Return the first of the tenants that are not yet as wanted."""

    def switch(self, cursor: Cursor, scope: Scope, enabled: bool, wait: bool) -> tuple[int, Change | None]:
        """Switch one batch; return how many tenants, and what to keep of them."""

    def switch_missing(self, cursor: Cursor, enabled: bool, tenants: Sequence[str] | None) -> tuple[int, Change | None]:
        """Switch tenants that have no row of their own."""

    def missing(self, cursor: Cursor, tenants: Sequence[str] | None, enabled: bool, limit: int) -> list[str]:
        """Return the first of the tenants that have no row of their own and should have one."""


@dataclass
class Outcome:
    """The result of a switch.

    ``blocked`` maps a tenant that could not be switched to who holds it, ``refused`` to why the server would not write
    it; ``counted`` is False if the table was held, so that nobody knows how many are on. ``kept``: nobody was on at
    the last count whose prior value is not kept, but for those that the server refuses. ``late``: tenants that were
    switched, and that an earlier switch had to leave.
    """

    switched: int = 0
    after: Count = field(default_factory=lambda: Count(0, 0))
    blocked: dict[str, list[Blocker]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    table_blockers: list[Blocker] = field(default_factory=list)
    terminated: list[Blocker] = field(default_factory=list)
    reconnects: int = 0
    counted: bool = True
    kept: bool = False
    late: set[str] = field(default_factory=set)


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several tables as one; it is counted, and kept, if each of them is."""
    whole = Outcome(
        switched=sum(one.switched for one in outcomes),
        after=together([one.after for one in outcomes]),
        counted=all(one.counted for one in outcomes),
        kept=all(one.kept for one in outcomes),
    )
    for one in outcomes:
        for tenant, blockers in one.blocked.items():
            whole.blocked.setdefault(tenant, []).extend(blockers)
        whole.refused.update(one.refused)
        whole.table_blockers += one.table_blockers
        # Told by the patience that all of them share.
        whole.terminated, whole.reconnects = one.terminated, one.reconnects
    return whole


def blocked_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row per tenant that could not be switched, and per session that blocks it."""
    rows: list[dict[str, Any]] = [
        {"tenant": tenant, "pid": None, "refused": why} for tenant, why in outcome.refused.items()
    ]
    for tenant, blockers in outcome.blocked.items():
        rows += [{"tenant": tenant, **blocker.as_result()} for blocker in blockers] or [{"tenant": tenant, "pid": None}]
    return rows
