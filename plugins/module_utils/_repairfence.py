# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the fence stands on the tables of a repair, and under which id the repair passes it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencedrain import RAISE_SECONDS, holders
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Asked, Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Fence, Found, may_still_write
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import refusal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import repair as queries


@dataclass
class Passage:
    """The fence as a repair finds it. ``reasons``: why the repair may not go on; ``fenced``: whether there are none."""

    incident: str
    reasons: list[dict[str, Any]] = field(default_factory=list)

    @property
    def fenced(self) -> bool:
        """Whether nobody else can write in the meantime."""
        return not self.reasons

    def open(self, cursor: Cursor) -> None:
        """Let this transaction's writes pass the fence; raises ServerError."""
        cursor.row(queries.PASSAGE, {"incident": self.incident})


def look_at_fence(cursor: Cursor, work: Mapping[str, Scope], names: Sequence[str]) -> Passage:
    """Return how the fence stands on these tables; raises ServerError.

    :param work: what the repair does to each table (schema and name).
    :param names: all ids of the incident, the ledger's first.
    """
    view = read_view(cursor, [Asked(table, scope) for table, scope in work.items()])
    passage = Passage(names[0])
    for found in view.found:
        ours = [fence for fence in found.raised if set(fence.holders) & set(names)]
        if ours:
            passage.incident = ours[0].holder or passage.incident
        passage.reasons += _reasons(cursor, found, ours, names)
    return passage


def _reasons(cursor: Cursor, found: Found, ours: Sequence[Fence], names: Sequence[str]) -> list[dict[str, Any]]:
    table = str(found.table)
    others = sorted({fence.holder or "" for fence in found.raised if fence not in ours})
    if others:
        what = f"The fence on {table} is {', '.join(others)}'s, not {names[0]}'s."
        return [refusal("other_incident", what, table=table)]
    if found.gaps(ours):
        return [refusal("not_fenced", f"The fence does not stand on {table}, so others may write there.", table=table)]
    passers = sorted({name for fence in ours for name in fence.state.get("passers", [])})
    if not cursor.row(queries.IS_PASSER, {"passers": passers})[0]:
        what = f"The fence on {table} lets only {', '.join(passers)} pass, and this session's role is none of them."
        return [refusal("no_passage", what, table=table)]
    return _draining(cursor, found, ours)


def _draining(cursor: Cursor, found: Found, ours: Sequence[Fence]) -> list[dict[str, Any]]:
    open_ended = [fence for fence in ours if not fence.drained]
    if not open_ended:
        return []
    moment = max((fence.raised_epoch or time.time()) for fence in open_ended) + RAISE_SECONDS
    waiting = may_still_write(holders(cursor, sorted(found.oids)), set(), set(), dict.fromkeys(found.oids, moment))
    if not waiting:
        return []
    pids = ", ".join(str(holder.pid) for holder in waiting[:10])
    what = f"Transactions from before the fence may still write to {found.table}: pid {pids}."
    return [refusal("fence_draining", what, table=str(found.table), pids=[holder.pid for holder in waiting[:100]])]
