# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kill would come to, and what the application sends that a fence would refuse. Reads only, takes no locks."""

from __future__ import annotations

import time
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Asked, asked_tables
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import SHOWN, global_default, rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    READ_SECONDS,
    Cursor,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightorm import (
    cut,
    read_updates,
    saves_whole_row,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import preflight as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.session import OPEN_TRANSACTIONS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import known_tenants

# Tenants that one session switches per second, keeping their priors: measured on two slow cores, rounded down. With
# fast disks it is several times as many; documents of type json and text are edited outside the server.
PER_SECOND, DOCUMENTS_PER_SECOND = 100_000, 50_000


def flag_statements(cursor: Cursor, target: Target) -> list[str]:
    """Return the statements with which the kill writes, with a scope that contains no row."""
    statements = Statements(target)
    values = {**statements.params, "written": target.written(False)}
    if not target.is_document:
        return [cursor.filled(statements.switch("false", False, wait=False), values)]
    locking = statements.format(flag_queries.LOCK_DOCUMENTS, "false", waiting=sql.SQL("SKIP LOCKED"))
    writing = statements.format(flag_queries.WRITE_DOCUMENTS)
    nothing: dict[str, list[str]] = {"leaves": [], "places": [], "contents": []}
    return [cursor.filled(locking, values), cursor.filled(writing, {**values, **nothing})]


def foretell(cursor: Cursor, target: Target, tenants: Sequence[str] | None) -> dict[str, Any]:
    """Return how many tenants there are, how many are on, how long a kill would take, and what blocks it now."""
    scope = Scope()
    if tenants is not None:
        scope = Scope.tenants(sorted(set(known_tenants(cursor, target, tenants).values())))
    rows, statements = rows_of(target), Statements(target)
    began = time.monotonic()
    count = rows.count(cursor, scope)
    took = time.monotonic() - began
    meant = sql.SQL("TRUE") if target.is_document else statements.fragments["is_on"]
    locked = statements.format(queries.LOCKED_NOW, scope.condition, meant=meant)
    locked_now = cursor.row(locked, {**statements.params, **scope.params})[0]
    ages = [row[3] for row in cursor.rows(OPEN_TRANSACTIONS, {})]
    known = [age for age in ages if age is not None]
    rate = DOCUMENTS_PER_SECOND if target.is_document else PER_SECOND
    return {
        "tenants": count.total,
        "on": count.on,
        "unreadable": count.unreadable_sample,
        "unreadable_count": count.unreadable,
        "global_default": global_default(cursor, target),
        "without_row": count.without_row,
        "flag_values": rows.values(cursor, scope),
        # The table is read twice: for the pass, and for the count that proves it. To follow the default costs nothing.
        "seconds": round(2 * took + (count.on - count.by_default) / rate, 2),
        "count_seconds": round(took, 3),
        "locked_now": locked_now,
        "open_transactions": {"count": len(ages), "oldest_seconds": round(max(known), 1) if known else None},
    }


def orm_saves(session: Session, fence_tables: Sequence[Any]) -> dict[str, Any]:
    """Return the application's saves of whole rows of fenced tables, most frequent first, or why they are not seen."""
    try:
        fences = [asked for asked in asked_tables(fence_tables) if asked.scope.columns]
        if not fences:
            return {"available": True, "reason": "", "statements": [], "hidden": 0}
        with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            schema = cursor.rows(queries.STATEMENTS_SCHEMA, {})
            if not schema:
                return _unseen("the extension pg_stat_statements is not installed.")
            where = identifier(schema[0][0])
            hidden = cursor.row(sql.SQL(queries.STATEMENTS_HIDDEN).format(schema=where), {})[0]
            found = [row for asked in fences for row in _saves(cursor, asked, where)]
    except KanbanError as error:
        return _unseen(error.what)
    found.sort(key=lambda row: -row["calls"])
    return {"available": True, "reason": "", "statements": found[:SHOWN], "hidden": hidden}


def _unseen(reason: str) -> dict[str, Any]:
    return {"available": False, "reason": reason, "statements": [], "hidden": 0}


def _saves(cursor: Cursor, asked: Asked, schema: sql.Identifier) -> list[dict[str, Any]]:
    table, columns = find_table(cursor, asked.name)
    # A row's fence checks whether a value changes, so it lets a whole row be saved.
    if asked.scope.when_changed:
        return []
    fenced = [resolve_column(name, columns, str(table)).name for name in asked.scope.columns]
    found = []
    for query, calls in cursor.rows(sql.SQL(queries.UPDATES).format(schema=schema), {"table": table.name}):
        if any(saves_whole_row(update, table.schema, table.name, fenced) for update in read_updates(query)):
            found.append({"table": str(table), "calls": calls, "query": cut(query)})
    return found
