# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drain: the fence does not hold until every transaction that may still use the old body has ended."""

from __future__ import annotations

import time
from typing import Any, Iterable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceledger import record
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace, call
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import (
    Fence,
    Found,
    Holder,
    may_still_write,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._holding import WAITS_FOR_STANDBY
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fencelook as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wal import position_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker

# More than the raising transaction may take from reading the clock to its commit.
RAISE_SECONDS = 10.0
LEAST_PAUSE, MOST_PAUSE = 0.05, 0.25
# Ordinary transactions end by themselves within this time; until then none is terminated, even if requested.
COURTESY_SECONDS = 0.5


def holders(cursor: Cursor, relations: Sequence[int]) -> list[Holder]:
    """Return all transactions of others that hold a write lock on one of these relations."""
    rows = cursor.rows(queries.HOLDERS, {"relations": list(relations), "waits_for_standby": WAITS_FOR_STANDBY})
    return [Holder(*row) for row in rows]


class Drain:
    """Waits for the transactions that were writing when the fence was raised.

    :param raised_now: names of the fences that this run raised.
    :param at_raise: transactions that held a write lock right after that.
    """

    def __init__(self, place: FencePlace, raised_now: set[str], at_raise: set[str]) -> None:
        self._place = place
        self._now = raised_now
        self._at_raise = at_raise
        self.left: list[Holder] = []
        self.terminated: list[Holder] = []

    def wait(self, seconds: float) -> None:
        """Look until nobody is left or the time is over, at least once; raises ServerError."""
        deadline, pause, started = Deadline(seconds), LEAST_PAUSE, time.monotonic()
        while True:
            self.left = self._look()
            if not self.left or deadline.over:
                return
            if self._place.request.on_blocked == "terminate" and time.monotonic() - started >= COURTESY_SECONDS:
                self._end()
            time.sleep(min(pause, max(deadline.left, 0.001)))
            pause = min(pause * 1.5, MOST_PAUSE)

    def of(self, found: Found) -> list[Holder]:
        """Return the transactions left that hold a table or something below it."""
        return [holder for holder in self.left if found.oids & set(holder.relations)]

    def _look(self) -> list[Holder]:
        now, before = self._undrained()
        relations = sorted(now | set(before))
        if not relations:
            return []
        try:
            found = self._place.patience.transact(lambda cursor: holders(cursor, relations), reading=True)
        except LostConnection:
            # Every session of that server may have ended with ours; look again to find out.
            self._place.patience.reconnect()
            found = self._place.patience.transact(lambda cursor: holders(cursor, relations), reading=True)
        return may_still_write(found, self._at_raise, now, before)

    def _undrained(self) -> tuple[set[int], dict[int, float]]:
        """Return the relations whose fence this run raised, and those of earlier runs with the moment of the raise."""
        now: set[int] = set()
        before: dict[int, float] = {}
        for found in self._place.view.found:
            for fence in found.raised:
                if fence.name in self._now:
                    now |= found.oids
                elif not fence.drained:
                    moment = (fence.raised_epoch or time.time()) + RAISE_SECONDS
                    before.update({oid: max(moment, before.get(oid, moment)) for oid in found.oids})
        return now, before

    def _end(self) -> None:
        ended = {holder.transaction for holder in self.terminated}
        for holder in self.left:
            blocker = Blocker(
                holder.pid, holder.application_name, holder.user, None, holder.state, holder.age, holder.gid
            )
            if holder.transaction not in ended and self._place.watcher.terminate(blocker):
                self.terminated.append(holder)


def note_end(place: FencePlace) -> dict[str, Any]:
    """Note and record where the recovery point counts from, once per raise, and return it; a failure only warns.

    ``drained_at``, ``lsn``, ``timeline``, ``xid``, ``stats_reset``, per fence ``parts`` (see ``parts_of``), and per
    table ``counters`` of its rows inserted, updated and deleted.
    """
    view = place.view
    fences = {fence.name: fence for found in view.found for fence in found.raised}
    noted = [fence.drained for fence in fences.values()]
    if fences and all(noted):
        return noted_end(fences.values())
    relations = sorted({oid for found in view.found for oid in found.oids})

    def work(cursor: Cursor) -> dict[str, Any]:
        at, lsn, reset, xid = cursor.row(queries.NOW, {})
        rows = {row[0]: row[1:] for row in cursor.rows(queries.COUNTERS, {"relations": relations})}
        counters = {str(found.table): sum_counters(found, rows) for found in view.found if found.raised}
        return {
            "drained_at": at,
            "lsn": lsn,
            "timeline": position_of(cursor)["timeline"],
            "xid": xid,
            "parts": parts_of(cursor, sorted(fences)),
            "stats_reset": reset,
            "counters": counters,
        }

    end: dict[str, Any] = place.patience.transact(work)
    drained = {
        fence.name: {
            **end,
            "counters": {str(found.table): end["counters"][str(found.table)]},
            "parts": {fence.name: end["parts"].get(fence.name)},
        }
        for found in view.found
        for fence in found.raised
    }
    try:
        open_fences: list[Fence] = [fence for fence in fences.values() if not fence.drained]
        _noted, problems = place.patience.transact(
            lambda cursor: call(cursor, view, "fence_note", open_fences, {"drained": drained})
        )
        place.warnings += [f"The end of the drain was not noted: {error.what}" for error in problems.values()]
    except KanbanError as error:
        place.warnings.append(f"The end of the drain was not noted: {error.what}")
    record(place, "fence_drained", end)
    return end


def noted_end(fences: Iterable[Fence]) -> dict[str, Any]:
    """Return what the fences noted: the latest moment, each table's own counters and each fence's own parts."""
    ends = sorted((dict(fence.drained or {}) for fence in fences), key=lambda end: str(end.get("drained_at")))
    own = {
        kind: {name: end[kind][name] for end in ends for name in end.get(kind) or {}} for kind in ("counters", "parts")
    }
    return {**ends[-1], **own}


def parts_of(cursor: Cursor, fences: Sequence[str]) -> dict[str, str]:
    """Return for each fence a digest of its function and triggers, which changes once anybody touches them."""
    return dict(cursor.rows(queries.PARTS, {"fences": list(fences)}))


def sum_counters(found: Found, rows: dict[int, Any]) -> dict[str, int]:
    """Return a table's counters; a partitioned table has them in its leaves."""
    there = [rows[oid] for oid in found.oids if oid in rows]
    names = ("inserted", "updated", "deleted")
    return {name: sum(row[place] for row in there) for place, name in enumerate(names)}
