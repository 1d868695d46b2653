# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swapping numbers under a unique index: first all are moved aside, then each to its own place.

PostgreSQL checks a unique index at each row, not at the end of the statement, so of two rows that swap places the
first finds the other still there. A deferrable one is checked at the end of a statement, but an undo takes several.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import park as queries


def park_planned(cursor: Cursor, table: sql.Composable, columns: Sequence[str], values: Mapping[str, Any]) -> int:
    """Move aside the rows of a plan that get another number or are deleted; return the number of row writes.

    They stay in the plan.
    """
    return _park(cursor, queries.PARK_PLANNED, table, columns, values)


def park_paired(cursor: Cursor, table: sql.Composable, columns: Sequence[str], values: Mapping[str, Any]) -> int:
    """Move aside the rows of an undo that get their number back; return the number of row writes. They stay paired."""
    return _park(cursor, queries.PARK_PAIRED, table, columns, values)


def _park(
    cursor: Cursor, statement: str, table: sql.Composable, columns: Sequence[str], values: Mapping[str, Any]
) -> int:
    asked, written = {**values, "columns": list(columns)}, 0
    for name, kind, nullable, most in cursor.rows(queries.PARKABLE, asked):
        named = {"column": identifier(name), "column_text": literal(name), "type": sql.SQL(kind)}
        aside = sql.SQL(queries.NOWHERE if nullable else queries.ASIDE).format(**named)
        cursor.run(sql.SQL(statement).format(table=table, aside=aside, **named), {**asked, "most": most})
        written += cursor.rowcount
    return written
