# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ranking of one database, from the tables to the figures. Reads only."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, ContextManager, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _rankwords as words
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documentrows import DocumentRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import SHOWN, rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import (
    RankRequest,
    as_tenants,
    freeze,
    plan_note,
    share,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranklook import (
    find_logs,
    find_owners,
    look_for_index,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import (
    Logs,
    Owners,
    Ranking,
    given_query,
    users_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Count, Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ranking as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.session import SET_LOCAL
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import find_target, known_tenants

# The list and its figures come from one moment, however long the counting takes.
_ONE_MOMENT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
# How long to wait for a migration that holds a table.
_LOCK_SECONDS = 2.0
_LEAST_SECONDS = 0.2


@dataclass
class Look:
    """One look at one database; ``warnings`` is shared with the caller."""

    session: Session
    server: Server
    request: RankRequest
    deadline: Deadline
    warnings: list[str]
    times: dict[str, Any] = field(default_factory=dict)
    # Beside what is shown: errors of a frozen list, and errors with other texts if none with this one was found.
    errors_listed: dict[str, int] = field(default_factory=dict)
    errors_of_others: int = 0
    # Seconds by which the furthest error is dated after now.
    ahead: float = 0.0

    def reading(self, mode: str = "READ ONLY") -> ContextManager[Cursor]:
        """Return a transaction that has what is left of the deadline."""
        seconds = self.deadline.slice(self.request.deadline, _LEAST_SECONDS)
        # Compiling such a large statement takes longer than it saves.
        return self.session.transaction(seconds, _LOCK_SECONDS, mode, {"jit": "off"})

    def _since(self, cursor: Cursor, ranking: Ranking) -> dict[str, Any]:
        """Return where the window begins, by the server's clock, as the statements need it."""
        values = {"window": self.request.window, "zone": self.request.naive_timezone}
        now, since, shown = cursor.row(ranking.format(queries.SINCE), values)
        self.times = {"since": shown}
        return {**values, "now": now, "since": since, **ranking.params}

    def ranked(self, listed: Sequence[str] = ()) -> dict[str, Any]:
        """Rank; errors of the tenants ``listed`` are counted as well, whether these are on or not."""
        request = self.request
        with self.reading() as cursor:
            target = find_target(cursor, request.flag)
            logs = find_logs(cursor, request)
            companies = find_owners(cursor, request.companies, request, "companies", self.warnings)
            users = None if request.users_query else find_owners(cursor, request.users, request, "users", self.warnings)
            try:
                index = look_for_index(cursor, logs)
            except Timeout as error:
                raise words.too_slow(error, str(logs.table), request.deadline, None) from error
            known = None if request.tenants is None else known_tenants(cursor, target, request.tenants)
        if index["index_hint"]:
            self.warnings.append(index["index_hint"])
        tenants = None if known is None else sorted(set(known.values()))
        unknown = sorted(set(request.tenants or []) - set(known or []))
        ranking = Ranking(logs, request.match, target, companies)
        with self.reading(_ONE_MOMENT) as cursor:
            values = self._since(cursor, ranking)
            on: list[str] = []
            count = self._count(cursor, target, tenants, on)
            values.update(tenants=tenants, tenants_on=on, named=bool(users or request.users_query))
            values.update(listed=list(listed))
            found, affected = self._rank(cursor, ranking, logs, values, index)
            self._explain(cursor, ranking, values, found)
        result = {
            "measured": True,
            **found,
            **index,
            "on_count": count.on,
            "total": count.total,
            "share": share(found["affected_on_count"], count.on),
            "users_count": self._users(users, target, affected),
            "window": request.window,
            "more_than": request.more_than,
            "top": request.top,
            **self.times,
            "flag": target.identity,
            "unknown_tenants": unknown[:SHOWN],
            "unknown_tenants_count": len(unknown),
        }
        return {**result, "freeze": freeze(result)}

    def _count(self, cursor: Cursor, target: Target, tenants: list[str] | None, on: list[str]) -> Count:
        """Count who is on; for documents, which only we can read, name them too."""
        self.bound(cursor)
        scope = Scope() if tenants is None else Scope.tenants(tenants)
        rows = rows_of(target)
        count = rows.count(cursor, scope, on) if isinstance(rows, DocumentRows) else rows.count(cursor, scope)
        if count.unreadable:
            self.warnings.append(words.unreadable(count.unreadable, count.unreadable_sample))
        return count

    def _rank(
        self, cursor: Cursor, ranking: Ranking, logs: Logs, values: dict[str, Any], index: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        request = self.request
        values = {**values, "more_than": request.more_than, "top": request.limit}
        self.bound(cursor)
        started = time.monotonic()
        try:
            row = cursor.row(ranking.rank(request.tenants is not None), values)
        except Timeout as error:
            raise words.too_slow(error, str(logs.table), request.deadline, index["index_hint"]) from error
        errors, of_nobody, has_future, affected, affected_on, unknown, names, worst, errors_listed = row
        found = {
            "tenants": as_tenants(json.loads(worst or "[]")),
            "note": None,
            "affected_count": affected,
            "affected_on_count": affected_on,
            "unknown_count": unknown,
            "errors_total": errors,
            "errors_without_tenant": of_nobody,
            "ranking_ms": round((time.monotonic() - started) * 1000),
        }
        self.errors_listed = json.loads(errors_listed or "{}")
        if of_nobody or unknown:
            self.warnings.append(words.nobody(of_nobody, unknown, request.more_than))
        if has_future:
            self._beside(cursor, ranking.format(queries.FUTURE), values, self._tell_future)
        if not errors:
            self._beside(cursor, ranking.format(queries.NOTHING), values, partial(self._tell_nothing, found))
        return found, names or []

    def _explain(self, cursor: Cursor, ranking: Ranking, values: dict[str, Any], found: dict[str, Any]) -> None:
        """Add how the planner reads the errors; nothing is run. A ranking is valid without it."""
        statement = sql.SQL(queries.EXPLAIN) + ranking.rank(self.request.tenants is not None)
        values = {**values, "more_than": self.request.more_than, "top": self.request.limit}
        found["plan"] = None
        try:
            with cursor.savepoint():
                found["plan"] = plan_note(cursor.row(statement, values)[0])
        except ServerError:
            if cursor.is_lost:
                raise

    def _beside(
        self, cursor: Cursor, statement: sql.Composable, values: dict[str, Any], tell: Callable[..., str]
    ) -> None:
        """Ask what only explains a figure; without an answer the figure stands alone."""
        try:
            self.bound(cursor)
            with cursor.savepoint():
                self.warnings.append(tell(*cursor.row(statement, values)))
        except ServerError:
            if cursor.is_lost:
                raise

    def _tell_future(self, number: int, ahead: float | None) -> str:
        self.ahead = math.inf if ahead is None else ahead
        return words.future(number, ahead)

    def _tell_nothing(self, found: dict[str, Any], in_window: int, age: float | None) -> str:
        found["note"] = words.nothing(in_window, age, self.request.contains)
        self.errors_of_others = in_window
        return str(found["note"])

    def _users(self, users: Owners | None, target: Target, tenants: list[str]) -> int | None:
        """Count the users of the affected tenants that are on; None if nobody says how, or it cannot be done."""
        query = self.request.users_query
        if not users and not query:
            return None
        statement = given_query(query) if query else users_of(users, target) if users else sql.SQL("")
        try:
            with self.reading() as cursor:
                rows = cursor.rows(statement, {"tenants": tenants})
        except KanbanError as error:
            self.warnings.append(f"Users are not counted: {error.what}")
            return None
        if len(rows) == 1 and len(rows[0]) == 1 and isinstance(rows[0][0], int):
            return int(rows[0][0])
        self.warnings.append("Users are not counted: users_query has to return one row with one whole number.")
        return None

    def bound(self, cursor: Cursor) -> None:
        """Give the next statement what is left of the deadline, and no more."""
        left = f"{int(self.deadline.slice(self.request.deadline, _LEAST_SECONDS) * 1000)}ms"
        cursor.run(SET_LOCAL, {"names": ["statement_timeout"], "values": [left]})
