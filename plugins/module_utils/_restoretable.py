# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table and its rows in a backup: which columns both have, and how they are named and compared in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._circles import no_order, parents_first
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import refuse_unreadable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import InSchema
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import Asked, Compared
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import Name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorewords import HasCompared
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import dump, undo
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint as points
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

# Compared as they are; all other types by their text, letter by letter, as some have no equality, or a special one.
_AS_THEY_ARE = ("int2", "int4", "int8", "oid", "bool", "uuid", "date", "timestamp", "timestamptz")
# What names a row that has no key: numbers, because its other values are the customers' own.
_NAMING = ("int2", "int4", "int8", "uuid")
_WHY = "Without reading it nobody can tell what is missing. Nothing was changed."
_MOST_NAMING = 4


@dataclass
class Backed(InSchema, HasCompared):
    """A table that is compared. ``leaves``: where its rows lie, the table itself unless it is partitioned.

    ``bytes``: its size now, with TOAST. ``columns``: those that an INSERT may fill, with their alias in the backup's
    temporary table; ``given``: the names that all pieces of the backup have; ``dropped``: names in the backup that the
    table no longer has.
    """

    number: int
    asked: Asked
    oid: int
    schema: str
    table: str
    columns: Sequence[Column]
    key: Sequence[str]
    leaves: Sequence[Name] = ()
    bytes: int = 0
    tenant: str | None = None
    created: str | None = None
    given: set[str] | None = None
    dropped: dict[str, str] = field(default_factory=dict)
    compared: Compared = field(default_factory=lambda: Compared(""))

    @property
    def backup(self) -> sql.Composable:
        """The temporary table of its rows in the backup, as SQL."""
        return identifier("pg_temp", f"kanban_backup_{self.number}")

    @property
    def both(self) -> list[Column]:
        """Columns that both the backup and the table have."""
        return [column for column in self.columns if self.given is None or column.name in self.given]

    @property
    def added(self) -> list[str]:
        """Columns that the backup does not have yet."""
        return [column.name for column in self.columns if column not in self.both]

    @property
    def values(self) -> dict[str, Any]:
        """Parameters of statements on it."""
        return {"relation": self.oid, "table": self.oid, "schema": self.schema, "name": self.table}

    def alias(self, name: str) -> sql.Composable:
        """Return a column's name in the temporary table, as its real one may be that of a system column."""
        return identifier(self.alias_text(name))

    def alias_text(self, name: str) -> str:
        """Return the same as text."""
        if name in self.dropped:
            return self.dropped[name]
        return f"c{[column.name for column in self.columns].index(name)}"

    def then(self, column: Column, alias: str = "b") -> sql.Composable:
        """Return a column of the backup's row as it is compared."""
        return _as_compared(column, sql.SQL(f"{alias}.{{}}").format(self.alias(column.name)))

    def all_then(self) -> sql.Composable:
        """Return all columns that both have, of a row of the backup."""
        return sql.SQL(", ").join([self.then(column) for column in self.both])

    def differs(self, column: Column) -> sql.Composable:
        """Return the condition that a column differs now."""
        return sql.SQL(queries.DIFFERS).format(then=self.then(column), now=now_of(column))

    def same_key(self, theirs: str = "t.{}") -> sql.Composable:
        """Return the condition that a row of the backup has the key of a row of the table."""
        return self.same(self.key, self.key, theirs)

    def same(self, ours: Sequence[str], names: Sequence[str], theirs: str) -> sql.Composable:
        """Return the condition that columns of the backup's row equal those of another row.

        :param theirs: how a column of the other row is named, for instance ``t.{}``.
        """
        each = [
            sql.SQL(" = ").join([sql.SQL("b.{}").format(self.alias(one)), sql.SQL(theirs).format(identifier(other))])
            for one, other in zip(ours, names)
        ]
        return sql.SQL(" AND ").join(each)

    @property
    def naming(self) -> list[str]:
        """Columns that identify a row in results."""
        known = [column.name for column in self.both]
        if self.key:
            return list(self.key)
        return [column.name for column in self.both if column.kind in _NAMING and column.name in known][:_MOST_NAMING]


def now_of(column: Column, row: str = "t.{}") -> sql.Composable:
    """Return a column of the table's row as it is compared."""
    return _as_compared(column, sql.SQL(row).format(identifier(column.name)))


def _as_compared(column: Column, value: sql.Composable) -> sql.Composable:
    return value if column.kind in _AS_THEY_ARE else sql.SQL('{}::text COLLATE "C"').format(value)


def find_backed(cursor: Cursor, number: int, asked: Asked) -> Backed:
    """Return a table that is to be compared; raises BadInput if it is unsuitable, ServerError if it is closed."""
    table, columns = find_table(cursor, asked.name)
    refuse_unreadable(cursor, table, [column.name for column in columns], _WHY)
    stored = [row[0] for row in cursor.rows(points.STORED, {"table": table.oid})]
    keys = cursor.rows(points.KEY, {"table": table.oid})
    key = [name for name in (keys[0][0] if keys else []) if name in stored]
    leaves = cursor.rows(dump.LEAVES, {"tables": [table.oid]})
    if any(row[1] == table.oid for row in leaves) and len(leaves) > 1:
        raise BadInput(
            "inherited",
            f"Tables inherit from {table}.",
            "Their rows have columns that a row read through it does not show, so they could not come back.",
            "Name each of those tables by itself.",
        )
    if any(row[4] != "r" for row in leaves):
        raise BadInput(
            "foreign_table",
            f"Rows of {table} lie on another server.",
            "What is written there is not undone with this transaction. Nothing was changed.",
            "Restore them where they lie.",
        )
    found = Backed(
        number,
        asked,
        table.oid,
        table.schema,
        table.name,
        [column for column in columns if column.name in stored],
        key if keys and len(key) == len(keys[0][0]) else [],
        [(row[2], row[3]) for row in leaves],
        # Of a partition that was dropped since, there is none.
        sum(row[5] or 0 for row in leaves),
    )
    for option in ("tenant", "created"):
        wanted = getattr(asked, option)
        if wanted:
            setattr(found, option, resolve_column(wanted, found.columns, str(table)).name)
    found.compared = Compared(str(table), by="key" if found.key else "row")
    return found


def unique_indexes(cursor: Cursor, table: Backed) -> list[Sequence[str]]:
    """Return the columns of unique indexes beside the key, if the backup has them; raises ServerError."""
    known = {column.name for column in table.both}
    rows = cursor.rows(undo.UNIQUE, table.values)
    return [names for _index, names in rows if set(names) <= known and list(names) != list(table.key)]


def no_space(what: str) -> ServerError:
    """Return the error of a disk without room for the backup's rows."""
    return ServerError(
        "no_space",
        what,
        "The backup's rows are compared in temporary tables. Nothing was changed, and nothing is left of them.",
        "Free space there, or set temp_tablespaces of this role to another disk, then run the same command again.",
    )


def in_order(cursor: Cursor, tables: Sequence[Backed]) -> tuple[list[Backed], list[dict[str, Any]]]:
    """Return tables, referenced ones first, and refusals for circles that cannot wait for the transaction's end."""
    by_oid = {table.oid: table for table in tables}
    keys = cursor.rows(queries.AMONG, {"tables": list(by_oid)})
    order, left = parents_first(list(by_oid), {(child, parent) for _name, child, parent, _waits in keys})
    reasons = []
    for name, child, parent, waits in keys:
        if (child, parent) in left and not waits:
            reasons.append({**no_order([name]), "child": str(by_oid[child]), "parent": str(by_oid[parent])})
    return [by_oid[oid] for oid in order], reasons
