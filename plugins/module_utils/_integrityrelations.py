# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and columns that checks name, as the catalog has them, and the SQL fragments that refer to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table, has_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._identity import same as same_id
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, Lanes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table, resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import (
    refuse_unreachable,
    refuse_unreadable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries

# Where a row is stored, which identifies it in a table without a primary key.
PLACE = ("tableoid", "ctid")
_NOT_COUNTED = "Nothing was counted."
KEY_LETTERS = 100  # Of a key in a sample: uuids have 36, and a text that is a key is short.


@dataclass(frozen=True)
class Rows:
    """What a kind of check counts: the statement for the bad rows, and the names of the parts of their keys.

    ``affected`` counts tenants among them. ``grouped``: each row stands for a group of ``weight`` bad ones. ``exact``:
    whether the count is exact, and not only a lower bound. ``applies`` is a query for one boolean that runs first: if
    it is false, the check does not apply, and ``lacking`` says why.
    """

    bad: sql.Composable
    key_names: Sequence[str]
    affected: sql.Composable
    grouped: bool = False
    exact: bool = True
    applies: sql.Composable | None = None
    lacking: BadInput | None = None

    @property
    def statement(self) -> sql.Composable:
        """The statement that counts them, with the values ``most`` and ``samples``."""
        return sql.SQL(queries.COUNT).format(bad=self.bad, affected=self.affected)


@dataclass(frozen=True)
class Relation:
    """A table of the catalog with its columns; ``read`` are the names of those that the check in progress reads."""

    table: Table
    columns: Sequence[Column]
    read: list[str] = field(default_factory=list)

    @property
    def name(self) -> sql.Composable:
        """The table's name as SQL."""
        return identifier(self.table.schema, self.table.name)

    def column(self, wanted: str) -> Column:
        """Return the column that is meant, and remember that it is read; raises BadInput."""
        found = resolve_column(wanted, self.columns, str(self.table))
        self.read.append(found.name)
        return found


@dataclass(frozen=True)
class Told:
    """What is reported of a bad row: its SQL fragments, the names of its key's parts, and what counts tenants."""

    fragments: Mapping[str, sql.Composable]
    names: Sequence[str]
    affected: sql.Composable

    def rows(self, statement: str, **fragments: sql.Composable) -> Rows:
        """Return what a statement counts, with the row's fragments and the given ones filled in."""
        return Rows(sql.SQL(statement).format(**self.fragments, **fragments), self.names, self.affected)


class Relations:
    """Finds relations in one session, each only once.

    For the check in progress, it remembers which were found, and in ``values`` the parameters of its SQL fragments.
    ``untold`` has what any check leaves out because it lacks a privilege.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._found: dict[str, Relation] = {}
        self.used: list[int] = []
        self.values: dict[str, Any] = {}
        self.untold: list[str] = []

    def find(self, wanted: str) -> Relation:
        """Return the table that is meant; raises BadInput if there is none, ServerError if it is out of reach."""
        if wanted not in self._found:
            try:
                self._found[wanted] = Relation(*find_table(self._cursor, wanted))
            except BadInput as error:
                if error.code == "missing_table":
                    refuse_unreachable(self._cursor, wanted, _NOT_COUNTED)
                raise
        self.used.append(self._found[wanted].table.oid)
        return self._found[wanted]

    def begin(self) -> None:
        """Begin another check."""
        self.used, self.values = [], {}
        for relation in self._found.values():
            relation.read.clear()

    def refuse_unreadable(self) -> None:
        """Raise ServerError, with the grant, if the check reads what this role may not."""
        for relation in self._found.values():
            if relation.table.oid in self.used:
                # A row security policy makes the statement itself fail, and its error names the table.
                refuse_unreadable(self._cursor, relation.table, relation.read, _NOT_COUNTED, rows=False)

    def has(self, wanted: str) -> bool:
        """Return whether there is such a table; raises ServerError if it is out of reach."""
        there = has_table(self._cursor, wanted)
        if not there:
            refuse_unreachable(self._cursor, wanted, _NOT_COUNTED)
        return there

    def columns_of(self, query: sql.Composable) -> Sequence[str]:
        """Return the names of a query's columns; raises ServerError if the server refuses it."""
        self._cursor.run(sql.SQL(queries.NO_ROWS).format(query=query), {})
        return self._cursor.column_names()

    def marked(self, parents: Relation, lanes: Lanes) -> sql.Composable:
        """Return the condition that a row of ``p`` is a lane."""
        if not lanes.mark:
            return sql.SQL("TRUE")
        self.values["mark_value"] = lanes.mark_value
        return sql.SQL(queries.MARKED).format(mark=identifier(parents.column(lanes.mark).name))

    def told(self, rows: Relation, check: Check) -> Told:
        """Return what is reported of a row of ``t``: its key, its tenant, and its time."""
        key, names = self.key(rows)
        tenant, affected = tenant_of(rows, check.tenant)
        return Told({"key": key, "tenant": tenant, "moment": self.moment_of(rows, check)}, names, affected)

    def moment_of(self, rows: Relation, check: Check) -> sql.Composable:
        """Return the time of a row of ``t``, NULL if it is not known: a count is worth more than its time."""
        try:
            column = resolve_column(check.time or "", rows.columns, str(rows.table))
        except BadInput:
            return sql.SQL(queries.NO_MOMENT)
        try:
            refuse_unreadable(self._cursor, rows.table, [column.name], _NOT_COUNTED, rows=False)
        except ServerError as error:
            text = f"{check.name}: since when it is so is not known. {error.what} {error.todo}"
            self.untold += [] if text in self.untold else [text]
            return sql.SQL(queries.NO_MOMENT)
        try:
            return self.moment(column, check)
        except BadInput:
            return sql.SQL(queries.NO_MOMENT)

    def latest(self, rows: Relation, check: Check) -> sql.Composable:
        """Return the same for the newest row of a group of ``t``."""
        when = self.moment_of(rows, check)
        nobody_knows = isinstance(when, sql.SQL) and when.string == queries.NO_MOMENT
        return when if nobody_knows else sql.SQL(queries.LATEST).format(moment=when)

    def moment(self, column: Column, check: Check) -> sql.Composable:
        """Return a time of ``t`` with its zone; raises BadInput for a column without times."""
        if column.kind == "timestamptz":
            return of_t(column.name)
        if column.kind not in ("timestamp", "date"):
            raise check.wrong("bad_time", f"has the time {column.name!r}, which is {column.type_name} and no time")
        self.values["time_zone"] = check.time_zone
        return sql.SQL(queries.IN_ZONE).format(time=sql.SQL("{}::timestamp").format(of_t(column.name)))

    def key(self, relation: Relation) -> tuple[sql.Composable, Sequence[str]]:
        """Return a row's key as a text array, and the names of its parts; without a primary key, where it is stored."""
        names = [row[0] for row in self._cursor.rows(queries.PRIMARY_KEY, {"table": relation.table.oid})]
        if not names:
            relation.read.extend(PLACE)
            return sql.SQL("ARRAY[t.tableoid::regclass::text, t.ctid::text]"), ("table", "ctid")
        relation.read.extend(names)
        return key_of(names), names


def key_of(names: Sequence[str], *more: sql.Composable) -> sql.Composable:
    """Return columns of ``t`` as a text array."""
    each = [sql.SQL("left({}::text, {})").format(of_t(name), sql.Literal(KEY_LETTERS)) for name in names]
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join([*each, *more]))


def listed(names: Sequence[str]) -> sql.Composable:
    """Return columns of ``t`` with commas between them."""
    return sql.SQL(", ").join([of_t(name) for name in names])


def filled(names: Sequence[str]) -> sql.Composable:
    """Return the condition that none of these columns of ``t`` is NULL."""
    return sql.SQL(" AND ").join([sql.SQL("{} IS NOT NULL").format(of_t(name)) for name in names])


def of_t(name: str) -> sql.Composable:
    """Return a column of ``t``, the row being checked."""
    return sql.SQL("t.") + identifier(name)


def same(left: Column, right: Column, left_alias: str = "p", right_alias: str = "t") -> sql.Composable:
    """Return the condition that ``p.left`` and ``t.right`` are equal."""
    one, other = identifier(left_alias, left.name), identifier(right_alias, right.name)
    return same_id(one, left.kind, other, right.kind)


def differ(left: Column, right: Column, left_alias: str, right_alias: str) -> sql.Composable:
    """Return the condition that they differ, and neither is NULL."""
    return sql.SQL("NOT ({})").format(same(left, right, left_alias, right_alias))


def tenant_of(relation: Relation, wanted: str | None) -> tuple[sql.Composable, sql.Composable]:
    """Return the tenant of a row of ``t`` as text, and what counts tenants; both are NULL without a column."""
    if not wanted:
        return sql.SQL("NULL::text"), sql.SQL(queries.NOT_KNOWN)
    return sql.SQL("{}::text").format(of_t(relation.column(wanted).name)), sql.SQL(queries.AFFECTED)
