# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs for long, who waits for a lock, and for whom: from pg_stat_activity and pg_locks."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._slowsource import plain
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import slow as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqltext import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker

MOST = 50
# Asking who blocks stops the lock manager for a moment, once per waiter.
WAITERS = 100
BYTES = 8192
LOCK_SECONDS = 1.0
_RUNNING = (
    "pid",
    "kind",
    "database",
    "user",
    "application_name",
    "client",
    "state",
    "wait_event_type",
    "wait_event",
    "seconds",
    "transaction_seconds",
    "queryid",
)
_WAITING = ("pid", "user", "application_name", "lock", "mode", "relation", "seconds")


class Sessions:
    """Reads sessions of this database, or of all; their texts without literals unless ``texts``."""

    def __init__(self, session: Session, everywhere: bool, texts: bool) -> None:
        self._session = session
        self._everywhere = everywhere
        self._texts = texts

    def running(self, least_ms: float, seconds: float) -> dict[str, Any]:
        """Return ``running``, the longest first, its count and ``sessions_hidden_count``; raises ServerError."""
        values = {"everywhere": self._everywhere, "seconds": least_ms / 1000, "most": MOST, "bytes": BYTES}
        with self._session.transaction(seconds, LOCK_SECONDS, "READ ONLY") as cursor:
            rows = cursor.rows(queries.RUNNING, values)
            hidden = cursor.row(queries.HIDDEN_SESSIONS, values)[0]
        running = [self._with_text(_RUNNING, row) for row in rows]
        return {
            "running": running,
            "running_count": rows[0][-1] if rows else 0,
            "sessions_hidden_count": hidden,
        }

    def waiting(self, seconds: float) -> dict[str, Any]:
        """Return ``waiting``, the longest first, each with whom it waits for; raises ServerError."""
        values = {"everywhere": self._everywhere, "most": WAITERS, "bytes": BYTES}
        with self._session.transaction(seconds, LOCK_SECONDS, "READ ONLY") as cursor:
            rows = cursor.rows(queries.WAITING, values)
            blockers = self._blockers(cursor, [pid for row in rows for pid in row[8]])
        waiters = {row[0] for row in rows}
        waiting = []
        for row in rows:
            blocked_by = [
                {**blockers.get(pid, _gone(pid)), "waits_itself": pid in waiters}
                for pid in dict.fromkeys(row[8])
                if pid
            ]
            for gid in row[9] or ():
                prepared = Blocker(0, "prepared transaction", None, None, "prepared", None, gid).as_result()
                blocked_by.append({**prepared, "query": None, "waits_itself": False})
            waiting.append({**self._with_text(_WAITING, row), "blocked_by": blocked_by})
        return {"waiting": waiting}

    def _blockers(self, cursor: Cursor, pids: Sequence[int]) -> dict[int, dict[str, Any]]:
        found = {}
        rows = cursor.rows(queries.BLOCKING, {"pids": sorted(set(pids)), "bytes": BYTES}) if pids else []
        for pid, name, user, client, state, age, text in rows:
            blocker = Blocker(pid, name, user, client, state, age, None)
            found[pid] = {**blocker.as_result(), "query": self._text(text)}
        return found

    def _with_text(self, names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
        shown = dict(zip(names, row))
        for name in ("seconds", "transaction_seconds"):
            if shown.get(name) is not None:
                shown[name] = round(shown[name], 2)
        return {**shown, "query": self._text(row[len(names)])}

    def _text(self, text: Any) -> str | None:
        found = plain(text, whole=self._texts)
        return one_line(found) if found and self._texts else found


def _gone(pid: int) -> dict[str, Any]:
    """Return a blocker that ended between the two looks, without a line to end it: its pid may now be another's."""
    return {**Blocker(pid, None, None, None, None, None, None).as_result(), "to_end_it": None, "query": None}
