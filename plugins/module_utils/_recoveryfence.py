# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fence says about writes: since when it is up, and what transactions and counters show of the time since."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import time_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencedrain import (
    noted_end,
    parts_of,
    sum_counters,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import replicated
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Fence, Found
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    READ_SECONDS,
    Cursor,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverypoint import Point, Since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fencelook
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wal import position_of

# Busy sessions report what they counted once a second.
SETTLE_SECONDS, MOST_SETTLE_SECONDS = 1.1, 5.0
_ROUND = 1 << 32  # Transaction ids, as rows have them, wrap around after this many.


@dataclass(frozen=True)
class Counters:
    """The counters of every relation fenced whole (by oid), and what shows whether they may be compared."""

    rows: Mapping[int, Any]
    reset: str | None
    timeline: str | None

    @property
    def compared(self) -> tuple[Any, ...]:
        """What is compared of them: deletions, because users add to the others all the time."""
        return self.reset, self.timeline, sorted((oid, deleted) for oid, (*_more, deleted) in self.rows.items())


def look_at(point: Point, found: Found, names: Sequence[str], taken: str) -> Mapping[str, Any] | None:
    """Return what was noted at the end of a table's drain, None if that shows nothing; ``point.lacking`` says why.

    :param names: every id of the incident.
    :param taken: when the dump's snapshot was.
    """
    ours = [fence for fence in found.raised if set(fence.holders) & set(names)]
    why = _in_the_way(found, ours, names, taken)
    if why:
        point.lacking.append(why)
        return None
    end = noted_end(ours)
    point.after_drain = str(end["drained_at"]) <= taken
    return end


def _in_the_way(found: Found, ours: Sequence[Fence], names: Sequence[str], taken: str) -> str | None:
    """Return why nothing can be said about a table; None if nothing prevents it."""
    end, passed = noted_end(ours) if ours else {}, replicated(found)
    holders = ", ".join(sorted({fence.holder or "" for fence in found.raised}))
    raised = max((fence.raised_epoch or 0 for fence in ours), default=0)
    # The first that holds counts; a later one says something only if no earlier one holds.
    reasons = (
        (found.problem, found.problem.what if found.problem else ""),
        (not found.raised, "The fence is not up, so anybody may have written."),
        (not ours, f"The fence is {holders}'s, not {names[0]}'s."),
        (found.gaps(ours), "The fence does not stand on all of it."),
        # Passed by a subscription that was enabled since; with it the drain would not have been noted.
        (passed, passed.reason if passed else ""),
        (
            not all(fence.drained for fence in ours),
            "The end of the drain was not noted: run write_fence again, then make another dump.",
        ),
        (
            raised > time_of(taken).timestamp(),
            "The fence was raised, perhaps anew, after the dump, so anybody may have written.",
        ),
        (
            not (end.get("xid") and end.get("timeline")),
            "An older version noted the end of the drain, or the server did not tell its timeline.",
        ),
    )
    return next((why for holds, why in reasons if holds), None)


def measure(
    cursor: Cursor, point: Point, found: Found, end: Mapping[str, Any], now_xid: str, values: Mapping[str, Any]
) -> None:
    """Fill in ``point.since`` except for the counters: the rows that a later transaction left; raises ServerError.

    :param values: ``schema``, ``name``, ``incident`` (None if there is no quarantine) and ``noted_as`` (None if there
        is no ledger).
    """
    since = {"low": int(end["xid"]) % _ROUND, "span": int(now_xid) - int(end["xid"])}
    known = values["incident"] is not None
    ours = [row[0] for row in cursor.rows(queries.OUR_TRANSACTIONS, values)] if known else []
    stamped = cursor.row(
        sql.SQL(queries.STAMPED).format(table=identifier(found.table.schema, found.table.name)),
        {**since, "ours": ours},
    )[0]
    deletions = {**values, "since": end["drained_at"]}
    deleted = cursor.row(queries.OUR_DELETIONS, deletions)[0] if known else 0
    noted = {**deletions, "incident": values["noted_as"]}
    rolled_back = cursor.row(queries.ROLLED_BACK, noted)[0] if values["noted_as"] else 0
    # A fence of which no parts were noted is not known to be untouched.
    untouched = parts_of(cursor, [fence.name for fence in found.raised]) == noted_end(found.raised)["parts"]
    point.since = Since(int(stamped), -int(deleted) - int(rolled_back), untouched)


# A table that is fenced whole, and what was noted at the end of its drain.
Told = Tuple[Point, Found, Mapping[str, Any]]


def ask_counters(session: Session, told: Sequence[Told], deadline: Deadline) -> None:
    """Add the counters' deletions to each ``point.since``, or say why they cannot be compared; raises ServerError.

    :param told: tables that are fenced whole, each with what was noted at the end of its drain.
    """
    if not told:
        return
    now = _read_counters(session, told, deadline)
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        for point, found, end in told:
            _compare_counters(cursor, point, found, end, now)


def _compare_counters(cursor: Cursor, point: Point, found: Found, end: Mapping[str, Any], now: Counters) -> None:
    then = (end.get("counters") or {}).get(str(found.table))
    counted = sum_counters(found, dict(now.rows))
    if end["timeline"] != now.timeline:
        point.lacking.append("A replica was promoted since the end of the drain, and it counts by itself.")
    elif (
        then is None
        or end.get("stats_reset") != now.reset
        or any(counted[name] < then[name] for name in counted)
        or not cursor.row(queries.COUNTING_SINCE, {"since": end["drained_at"]})[0]
    ):
        point.lacking.append("The server's counters were reset since the end of the drain, or lost in a crash.")
    elif point.since:
        more = counted["deleted"] - then["deleted"]
        point.since = replace(point.since, deleted=point.since.deleted + more)


def _read_counters(session: Session, told: Sequence[Told], deadline: Deadline) -> Counters:
    """Return the counters once they have settled, or after some seconds; raises ServerError."""
    relations = sorted({oid for _point, found, _end in told for oid in found.oids})
    until = Deadline(min(MOST_SETTLE_SECONDS, deadline.left))
    before: Counters | None = None
    while True:
        # A new transaction each time: within one, the server reports the same figures again.
        with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            _at, _lsn, reset, *_ids = cursor.row(fencelook.NOW, {"most": 0})
            timeline = position_of(cursor)["timeline"]
            rows = {row[0]: row[1:] for row in cursor.rows(fencelook.COUNTERS, {"relations": relations})}
        now = Counters(rows, reset, timeline)
        if until.over or (before and now.compared == before.compared):
            return now
        before = now
        time.sleep(min(SETTLE_SECONDS, max(until.left, 0.01)))
