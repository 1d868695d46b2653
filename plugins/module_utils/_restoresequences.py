# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences that are behind the restored rows: they are set, upward only, or named with what setting them takes."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import bringback as queries

# Up to this distance a sequence is advanced step by step.
_STEPS = 1000


def put_right(cursor: Cursor, tables: Sequence[Backed]) -> tuple[list[dict[str, Any]], list[str]]:
    """Set the sequences of tables that got rows; return what was done, and warnings about what could not be.

    Sequences are not transactional: if this transaction is rolled back after all, numbers are skipped, without harm.
    Raises ServerError.
    """
    found: list[dict[str, Any]] = []
    warnings: list[str] = []
    for table in tables:
        filled = [column.name for column in table.both]
        for row in cursor.rows(queries.SEQUENCES, {**table.values, "filled": filled}):
            told, warning = _one(cursor, table, row)
            found += [told] if told else []
            warnings += [warning] if warning else []
    return found, warnings


def _one(cursor: Cursor, table: Backed, row: Sequence[Any]) -> tuple[dict[str, Any] | None, str | None]:
    sequence, name, column, increment, before, may, least, most, grant = row
    statement = sql.SQL(queries.FARTHEST).format(column=identifier(column), table=table.name)
    top, bottom = cursor.row(statement, table.values)
    farthest = top if increment > 0 else bottom
    if farthest is None:
        return None, None
    to = int(min(max(farthest, least), most))
    told = {"sequence": name, "table": str(table), "column": column, "before": before, "after": before, "set": False}
    if before is None:
        return told, f"How far the sequence {name} is could not be read; rows of {table} have {to}: {grant}"
    gap = (to - before) * (1 if increment > 0 else -1)
    if gap <= 0:
        return None, None
    if not may:
        why = f"The sequence {name} is at {before}, and rows of {table} that came back have {to}: "
        return told, f"{why}the next row would fail. {grant} Then: SELECT setval('{name}', {to});"
    values = {"sequence": sequence, "to": to, "before": before, "increment": increment}
    if gap <= _STEPS:
        cursor.rows(queries.ADVANCE, {**values, "steps": -(-gap // abs(increment))})
    else:
        cursor.rows(queries.SET, values)
    return {**told, "after": to, "set": True}, None
