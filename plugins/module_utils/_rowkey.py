# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells the rows of a tenant apart, in SQL: they must be found in the same order at the undo.

A trigger or the application may touch a row in between, so times only decide between rows that are equal in all else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import catalog

TIMES = ("date", "timestamp", "timestamptz")
# All that should last: %(passing)s names the flag's column, those computed from others, and times.
_LASTING = "to_jsonb(t) - %(passing)s::text[]"


@dataclass(frozen=True)
class RowKey:
    """The primary key's columns, if there is one without the flag; columns with times, and those that are computed."""

    primary: tuple[Column, ...] = ()
    times: tuple[Column, ...] = ()
    computed: tuple[str, ...] = ()

    @property
    def passing(self) -> list[str]:
        """The columns other than the flag's that may change with any write."""
        return [*self.computed, *[column.name for column in self.times]]

    @property
    def key(self) -> sql.Composable:
        """What rows are ordered by first."""
        return _as_text([_zoneless(column) for column in self.primary] or [sql.SQL(_LASTING)])

    @property
    def rest(self) -> sql.Composable:
        """Everything but the flag: rows that are equal in this may change places."""
        return _as_text([sql.SQL(_LASTING), *[_zoneless(column) for column in self.times]])


def find_row_key(cursor: Cursor, table: Table, columns: Sequence[Column], flag_column: Column) -> RowKey:
    """Return what tells the rows of a table apart."""
    primary, computed = cursor.row(catalog.ROW_KEY, {"table": table.oid})
    usable = primary and flag_column.name not in primary
    return RowKey(
        primary=tuple(column for column in columns if usable and column.name in primary),
        times=tuple(column for column in columns if column.kind in TIMES and column != flag_column),
        computed=tuple(computed or ()),
    )


def _as_text(parts: Sequence[sql.Composable]) -> sql.Composable:
    # Sorted by bytes: a database's own order of letters may be another one after an upgrade of its libraries.
    return sql.SQL('(jsonb_build_array({})::text COLLATE "C")').format(sql.SQL(", ").join(parts))


def _zoneless(column: Column) -> sql.Composable:
    """Return a column that reads the same in every session, whatever its time zone."""
    name = sql.SQL("t.") + identifier(column.name)
    return sql.SQL("{} AT TIME ZONE 'UTC'").format(name) if column.kind == "timestamptz" else name
