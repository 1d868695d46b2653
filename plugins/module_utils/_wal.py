# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server is in the write-ahead log, where it left an older primary's, and which standbys have got so far.

None of it is needed to switch anything, and a managed server may hide any of it: then it is null.
"""

from __future__ import annotations

import time
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failover import left_by_history
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import wal as queries

# How long standbys are given to write down what was committed, and how often they are checked.
CONFIRM_SECONDS, LOOK_EVERY_SECONDS = 2.0, 0.1
_LOOK_SECONDS = 5.0


def position_of(cursor: Cursor) -> dict[str, str | None]:
    """Return a primary's current ``timeline`` and ``lsn``, in the caller's transaction; raises LostConnection."""
    found = _told(cursor, queries.POSITION, {})
    return {"timeline": found[0], "lsn": found[1]} if found else {"timeline": None, "lsn": None}


def look_back(session: Session, timeline: str | None) -> tuple[dict[str, str], dict[str, Any]]:
    """Return where older timelines were left, as far as that may be read, and the ``lsn`` and ``at`` of a promotion.

    Raises ServerError if the server cannot be asked at all.
    """
    with session.transaction(_LOOK_SECONDS, mode="READ ONLY") as cursor:
        history = _told(cursor, queries.HISTORY, {"timeline": timeline}) if timeline else None
        promoted = _told(cursor, queries.PROMOTION, {}) or (None, None)
    return left_by_history(history[0] if history else ""), {"lsn": promoted[0], "at": promoted[1]}


def standbys_with(session: Session, lsn: str, seconds: float = CONFIRM_SECONDS) -> list[dict[str, Any]]:
    """Return standbys, each with whether it ``has`` what was written up to a position, and how far it is ``behind``.

    Waits up to ``seconds`` for those that do not have it; raises ServerError.
    """
    deadline = Deadline(seconds)
    while True:
        with session.transaction(_LOOK_SECONDS, mode="READ ONLY") as cursor:
            rows = cursor.rows(queries.STANDBYS, {"lsn": lsn})
        found = [dict(zip(("name", "sync", "has", "behind"), row)) for row in rows]
        if deadline.over or not any(row["has"] is False for row in found):
            return found
        time.sleep(min(LOOK_EVERY_SECONDS, max(deadline.left, 0.01)))


def _told(cursor: Cursor, statement: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    try:
        with cursor.savepoint():
            return cursor.row(statement, values)
    except ServerError:
        if cursor.is_lost:
            raise
        return None
