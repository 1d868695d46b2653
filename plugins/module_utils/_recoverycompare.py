# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table compared with a dump: what should be there, by the dump and our own repairs, against what is there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copytext import Column as Texts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import KEY_LETTERS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import refuse_unreadable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverypoint import COUNT, KEY, ROW, WHOLE, Point
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint as queries

# Compared as they are; all other types by their text, letter by letter: some have no equality, or an unusual one.
_AS_THEY_ARE = ("int2", "int4", "int8", "oid", "bool", "uuid", "date", "timestamp", "timestamptz")
_WHY = "Without reading it nobody can tell what became of its rows. Nothing was compared."


@dataclass
class Compared:
    """A table of the dump that exists. ``columns``: those that are compared, its key's first."""

    table: Table
    point: Point
    values: Mapping[str, Any]
    key: Sequence[Column] = ()
    columns: Sequence[Column] = ()
    names: Sequence[str] = field(default_factory=list)

    @property
    def relation(self) -> sql.Composable:
        """The table's name as SQL."""
        return identifier(self.table.schema, self.table.name)

    @property
    def streams(self) -> bool:
        """Whether rows of the dump are compared one by one."""
        return self.point.compared_by != COUNT


def find(cursor: Cursor, point: Point, schema: str, name: str, values: Mapping[str, Any]) -> Compared:
    """Return how a table of the dump is compared; raises BadInput if it is gone, ServerError if it may not be read.

    :param values: ``since``, when the dump's snapshot was, and ``incident``, None if the ledger knows of none.
    """
    table, columns = find_table(cursor, f"{schema}.{name}")
    found = Compared(table, point, {**values, "schema": schema, "name": name})
    stored = [row[0] for row in cursor.rows(queries.STORED, {"table": table.oid})]
    by_name = {column.name: column for column in columns if column.name in stored}
    keys = cursor.rows(queries.KEY, {"table": table.oid})
    key = [name for name in (keys[0][0] if keys else []) if name in by_name]
    scope = point.scope
    watched = list(scope.columns or by_name) if scope and "UPDATE" in scope.operations else []
    if key:
        point.compared_by, compared = KEY, [*key, *(name for name in watched if name not in key)]
    elif point.fenced == WHOLE and by_name:
        point.compared_by, compared = ROW, list(by_name)
        key = compared
    else:
        point.compared_by, compared = COUNT, []
    read = [*(compared or stored), *(["xmin"] if point.fenced == WHOLE else [])]
    refuse_unreadable(cursor, table, read, _WHY)
    found.key = [by_name[name] for name in key] if compared else []
    found.columns = [by_name[name] for name in compared]
    found.names = [f"c{number}" for number in range(len(compared))]
    return found


def make(cursor: Cursor, one: Compared) -> None:
    """Make the temporary table for what should be there; raises ServerError."""
    each = [sql.SQL("{} {}").format(identifier(name), _type(column)) for name, column in zip(one.names, one.columns)]
    cursor.run(sql.SQL(queries.MAKE).format(columns=sql.SQL(", ").join(each)), {})


def add(cursor: Cursor, one: Compared, columns: Sequence[Texts]) -> None:
    """Add rows of the dump; raises ServerError."""
    names = [identifier(name) for name in one.names]
    values = [sql.SQL("{}::{}").format(name, _type(column)) for name, column in zip(names, one.columns)]
    statement = sql.SQL(queries.ADD).format(
        values=sql.SQL(", ").join(values),
        arrays=sql.SQL(", ").join([sql.SQL(f"%({name})s::text[]") for name in one.names]),
        names=sql.SQL(", ").join(names),
    )
    cursor.run(statement, {name: array_text(texts) for name, texts in zip(one.names, columns)})


def add_ours(cursor: Cursor, one: Compared) -> None:
    """Add what repairs of the incident changed; raises KanbanError if the table is not what it was then."""
    now = list(cursor.row(quarantine.RELATION, one.values)[1])
    then = [list(row[0]) for row in cursor.rows(queries.OUR_COLUMNS, one.values)]
    if any(columns != now for columns in then):
        raise KanbanError(
            "schema_changed",
            f"The columns of {one.table} are others than when it was repaired.",
            "A row in quarantine has the columns of then, so it cannot be compared.",
            "Compare by hand with kanban_rollback.quarantined.",
        )
    if then and one.streams:
        fields = [sql.SQL("(q.r).{}").format(identifier(column.name)) for column in one.columns]
        statement = sql.SQL(queries.ADD_OURS).format(fields=sql.SQL(", ").join(fields), table=one.relation)
        cursor.run(statement, one.values)
    point = one.point
    point.quarantined, point.restored, point.back = cursor.row(queries.OUR_ROWS, one.values)


def compare(cursor: Cursor, one: Compared, samples: int) -> None:
    """Fill in what became of the rows; raises ServerError."""
    point = one.point
    point.rows_now = int(cursor.row(sql.SQL(queries.ROWS).format(table=one.relation), {})[0])
    if not one.streams:
        expected = (point.rows_then or 0) - point.quarantined + point.back
        point.new, point.gone = max(0, point.rows_now - expected), max(0, expected - point.rows_now)
        return
    cursor.run(queries.ANALYZE, {})
    key, rest = one.names[: len(one.key)], one.names[len(one.key) :]
    sides = [
        sql.SQL(queries.SIDES).format(
            name=identifier(name), then=identifier(f"then_{name}"), now=identifier(f"now_{name}")
        )
        for name in rest
    ]
    statement = sql.SQL(queries.COMPARE).format(
        names=_listed(one.names),
        then=_joined(_compared(one, one.names)),
        now=_joined(_compared(one, [column.name for column in one.columns])),
        table=one.relation,
        key=_listed(key),
        sides=sql.SQL("").join(sides),
        key_texts=_texts(key),
        then_texts=_texts([f"then_{name}" for name in rest]),
        now_texts=_texts([f"now_{name}" for name in rest]),
    )
    inserts = bool(point.scope and "INSERT" in point.scope.operations)
    found = cursor.row(statement, {"samples": samples, "inserts": inserts})
    point.changed, point.gone, point.new = found[:3]
    point.samples = [_sample(one, *sample) for sample in json.loads(found[3])]
    cursor.run(queries.DONE, {})


def _sample(
    one: Compared, missing: float, key: Iterable[str], then: Iterable[str], now: Iterable[str]
) -> dict[str, Any]:
    rest = [column.name for column in one.columns[len(one.key) :]]
    what = "gone" if missing > 0 else "new" if missing < 0 else "changed"
    pairs = [(name, before, after) for name, before, after in zip(rest, then, now) if before != after]
    sides = {"then": {name: before for name, before, _after in pairs}, "now": {name: now for name, _then, now in pairs}}
    return {"what": what, "key": dict(zip([column.name for column in one.key], key)), **(sides if pairs else {})}


def _compared(one: Compared, names: Sequence[str]) -> list[sql.Composable]:
    found: list[sql.Composable] = []
    for number, (name, column) in enumerate(zip(names, one.columns)):
        shape = "t.{} AS {}" if column.kind in _AS_THEY_ARE else 't.{}::text COLLATE "C" AS {}'
        found.append(sql.SQL(shape).format(identifier(name), identifier(one.names[number])))
    return found


def _type(column: Column) -> sql.Composable:
    return sql.SQL(column.type_name.replace("%", "%%"))


def _joined(parts: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _listed(names: Sequence[str]) -> sql.Composable:
    return _joined([identifier(name) for name in names])


def _texts(names: Sequence[str]) -> sql.Composable:
    return _joined(
        [sql.SQL("left(s.{}::text, {})").format(identifier(name), sql.Literal(KEY_LETTERS)) for name in names]
    )
