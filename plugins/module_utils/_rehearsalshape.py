# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rows are planted in a given table: which columns are copied, which are made, and what forbids it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table, resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import (
    ERRORS,
    ORPHAN,
    Planting,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity, undo
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import rehearsal as queries

_INTEGERS = ("int2", "int4", "int8", "numeric")
_IDS = ("uuid", "text", "varchar", "bpchar")
_TIMES = {"timestamptz": queries.AT_WITH_ZONE, "timestamp": queries.AT_WITHOUT_ZONE}
# What a column that must not be empty gets if there is no row to take it from, by the category of its type.
_BY_CATEGORY = {"S": "'rehearsal'", "N": "0", "B": "false", "D": "now()"}
_BY_KIND = {"json": "'[]'", "jsonb": "'[]'", "uuid": "md5(random()::text)"}


@dataclass(frozen=True)
class Filled:
    """How a column is filled: ``needed`` if it must not be empty, ``itself`` by the table, ``made`` if generated."""

    needed: bool
    itself: bool
    made: bool
    category: str


class Shape:
    """One table as it is, and how what is asked for gets into it; ``why_not`` says what forbids it."""

    def __init__(self, cursor: Cursor, planting: Planting, zone: str) -> None:
        """Look at the table; raises BadInput if it, or a column, is not there."""
        self.planting, self.zone = planting, zone
        self.table, columns = find_table(cursor, planting.table)
        self.columns = {column.name: column for column in columns}
        rows = cursor.rows(queries.COLUMNS, {"table": self.table.oid})
        self.filled = {row[0]: Filled(*row[1:]) for row in rows}
        self.key = tuple(row[0] for row in cursor.rows(integrity.PRIMARY_KEY, {"table": self.table.oid}))
        self.twice = [self._named(wanted) for wanted in planting.columns]
        self.whose = self._named(planting.column) if planting.column else ""
        self.time = self._found(planting.time)
        self.said = self._found(planting.text_column)
        self.nobody = self._nobody(cursor) if planting.kind == ORPHAN else sql.SQL("NULL")
        self.values = self._values()
        self.why_not = self._why_not(cursor)

    @property
    def name(self) -> sql.Composable:
        """The table's name as SQL."""
        return identifier(self.table.schema, self.table.name)

    @property
    def named(self) -> sql.Composable:
        """What identifies a planted row: its key, each part as text, or its whole content."""
        if not self.key:
            return sql.SQL("t::text")
        return sql.SQL(", ").join([sql.SQL("t.{}::text").format(identifier(part)) for part in self.key])

    @property
    def usable(self) -> sql.Composable:
        """Which rows are copied: those with a value in each column that is to be duplicated."""
        there = [sql.SQL("t.{} IS NOT NULL").format(identifier(name)) for name in self.twice]
        return sql.SQL(" AND ").join(there) if there else sql.SQL("true")

    def available(self, cursor: Cursor) -> int:
        """Return how many rows would be planted; raises ServerError."""
        if self.planting.kind == ERRORS:
            return self.planting.each * len(self.planting.tenants)
        statement = sql.SQL(queries.AVAILABLE).format(table=self.name, usable=self.usable)
        return int(cursor.row(statement, {"rows": self.planting.rows})[0])

    def plant(self, cursor: Cursor) -> list[tuple[Any, ...]]:
        """Plant the rows; return what identifies each. Raises ServerError."""
        text = queries.ERRORS if self.planting.kind == ERRORS else queries.COPIES
        statement = sql.SQL(text).format(
            table=self.name,
            columns=sql.SQL(", ").join([identifier(name) for name in self.values]),
            values=sql.SQL(", ").join(list(self.values.values())),
            usable=self.usable,
            named=self.named,
        )
        planting = self.planting
        values: Mapping[str, Any] = {
            "rows": planting.rows,
            "tenants": list(planting.tenants),
            "each": planting.each,
            "text": planting.text,
            "zone": self.zone,
        }
        return cursor.rows(statement, values)

    def _named(self, wanted: str) -> str:
        return resolve_column(wanted, list(self.columns.values()), str(self.table)).name

    def _found(self, wanted: str) -> str:
        """Return the name of an optional column, empty if it is not there."""
        for name in (wanted, wanted.lower()):
            if name in self.columns:
                return name
        return ""

    def _nobody(self, cursor: Cursor) -> sql.Composable:
        """Return an owner that does not exist: NULL if the column may be, else an id that nobody has."""
        if not self.filled[self.whose].needed:
            return sql.SQL("NULL")
        references = self.planting.references or {}
        parents, columns = find_table(cursor, references["table"])
        column, own = resolve_column(references["column"], columns, str(parents)), self.columns[self.whose]
        if own.kind in _INTEGERS:
            return self._fragment(queries.NOBODY_NUMBER, column, own, parents)
        return self._fragment(queries.ANY_ID, own, own)

    def _values(self) -> dict[str, sql.Composable]:
        """Return the value of each column; those that the table fills itself are left out."""
        found = {}
        for name, column in self.columns.items():
            value = self._value(name, column)
            if value is not None:
                found[name] = value
        return found

    def _value(self, name: str, column: Column) -> sql.Composable | None:
        """Return what a column gets; None if the table fills it, or nothing has to."""
        filled = self.filled[name]
        about = None if filled.made else self._about(name, column)
        if about is not None or filled.made:
            return about
        if name in self.key:
            return None if filled.itself else self._own_key(column)
        if name == self.time and column.kind in _TIMES:
            return sql.SQL(_TIMES[column.kind])
        if self.planting.kind != ERRORS:
            return sql.SQL("t.{}").format(identifier(name))
        return None if filled.itself or not filled.needed else self._needed(column, filled)

    def _about(self, name: str, column: Column) -> sql.Composable | None:
        """Return what a column gets if this kind is about it, else None."""
        if name in self.twice:
            return sql.SQL("t.{}").format(identifier(name))
        if name == self.whose:
            errors = self.planting.kind == ERRORS
            return self._fragment("who.tenant::{type}", column, column) if errors else self.nobody
        return sql.SQL("%(text)s") if name == self.said else None

    def _own_key(self, column: Column) -> sql.Composable:
        if column.kind in _INTEGERS:
            return self._fragment(queries.NEXT_NUMBER, column, column)
        if column.kind in _IDS:
            return self._fragment(queries.ANY_ID, column, column)
        return sql.SQL("t.{}").format(identifier(column.name))

    def _needed(self, column: Column, filled: Filled) -> sql.Composable:
        otherwise = _BY_KIND.get(column.kind) or _BY_CATEGORY.get(filled.category) or "NULL"
        return self._fragment("COALESCE(t.{column}, " + otherwise + "::{type})", column, column)

    def _fragment(self, text: str, column: Column, typed: Column, table: Table | None = None) -> sql.Composable:
        """Return a fragment of SQL with a column, a type and a table put in."""
        of = table or self.table
        names = {"column": identifier(column.name), "type": sql.SQL(typed.type_name.replace("%", "%%"))}
        return sql.SQL(text).format(table=identifier(of.schema, of.name), **names)

    def _why_not(self, cursor: Cursor) -> str:
        """Return what in the schema forbids it, as far as the catalog says so; empty if nothing does."""
        kind, table = self.planting.kind, str(self.table)
        copied = {name for name in self.values if kind != ERRORS and self._is_copied(name)}
        for index, columns in cursor.rows(undo.UNIQUE, {"table": self.table.oid}):
            if columns and set(columns) <= copied:
                return f"{table} takes no copy of a row: {index} is unique on {', '.join(columns)}."
        if kind == ORPHAN and self.filled[self.whose].needed and self._is_kept(cursor):
            return f"{table} takes no orphan: {self.whose} must not be empty, and a foreign key keeps it."
        if not self.available(cursor):
            return f"{table} has no row that could be copied."
        return ""

    def _is_kept(self, cursor: Cursor) -> bool:
        return bool(cursor.row(queries.IS_KEPT, {"table": self.table.oid, "column": self.whose})[0])

    def _is_copied(self, name: str) -> bool:
        """Tell whether a column gets what the copied row has."""
        made = name in self.key and name not in self.twice and self.columns[name].kind in (*_INTEGERS, *_IDS)
        return not made and name != self.time and not (self.planting.kind == ORPHAN and name == self.whose)
