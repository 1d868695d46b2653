# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows each check's repair touches: planned check by check, each on what the ones before leave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrity import refuse_other_schema, rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.ordering import INTEGERS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    PLACE,
    Relation,
    Relations,
    filled,
    listed,
    of_t,
    same,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import Repair
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import repair as queries


class InSchema:
    """Anything with a schema and a table name."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def name(self) -> sql.Composable:
        """Its name as SQL."""
        return identifier(self.schema, self.table)


@dataclass(frozen=True)
class LeftRelation(Relation):
    """A table as the plan leaves it; ``source`` replaces its name."""

    source: sql.Composable | None = None

    @property
    def name(self) -> sql.Composable:
        """What is read instead of the table."""
        return super().name if self.source is None else self.source

    @property
    def real_name(self) -> sql.Composable:
        """The table's own name."""
        return super().name

    @property
    def place(self) -> sql.Composable:
        """Where a row ``t`` lies, as a text array of leaf and ctid."""
        return sql.SQL(queries.BARE_PLACE if self.source is None else queries.SOURCE_PLACE)


class LeftRelations(Relations):
    """Finds tables as the plan leaves them, and names rows by where they lie."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__(cursor)
        self._sources: dict[int, sql.Composable] = {}

    def find(self, wanted: str) -> LeftRelation:
        """Return the table that is meant; raises as ``Relations.find`` does."""
        found = super().find(wanted)
        return LeftRelation(found.table, found.columns, found.read, self._sources.get(found.table.oid))

    def key(self, relation: Relation) -> tuple[sql.Composable, Sequence[str]]:
        """Return where a row ``t`` lies instead of its key."""
        relation.read.extend(PLACE)
        return self.find(str(relation.table)).place, PLACE

    def changed(self, touched: Sequence[int]) -> None:
        """Read the touched tables through the plan from now on."""
        for relation in self._found.values():
            if relation.table.oid in touched:
                self._sources[relation.table.oid] = self._source(relation)

    def _source(self, relation: Relation) -> sql.Composable:
        values = {"relation": relation.table.oid}
        changed = {row[0] for row in self._cursor.rows(queries.SET_COLUMNS, values)}
        columns = [
            sql.SQL(queries.CHANGED_COLUMN).format(
                column_text=literal(column.name),
                column=identifier(column.name),
                type=sql.SQL(column.type_name.replace("%", "%%")),
            )
            if column.name in changed
            else sql.SQL("k.{}").format(identifier(column.name))
            for column in relation.columns
        ]
        return sql.SQL(queries.SOURCE).format(
            columns=sql.SQL(", ").join(columns), table=identifier(relation.table.schema, relation.table.name)
        )


def count(cursor: Cursor, check: Check, relations: Relations) -> int:
    """Return what a check counts; raises KanbanError.

    A user's own query may call functions that write; in a transaction that writes, only a savepoint can be read-only.
    """
    cursor.run(queries.BEGIN_READING, {})
    try:
        rows = rows_of(check, relations)
        if rows.applies and rows.lacking and not cursor.row(rows.applies, relations.values)[0]:
            raise rows.lacking
        return int(cursor.row(sql.SQL(queries.COUNT).format(bad=rows.bad), relations.values)[0])
    finally:
        if not cursor.is_lost:
            cursor.run(queries.END_READING, {})


def plan_rows(cursor: Cursor, check: Check, repair: Repair, relations: LeftRelations) -> int:
    """Add a check's own rows to the plan; return how many. Raises KanbanError."""
    refuse_other_schema(check, relations)
    rows = relations.find(check.needed("table"))
    values: dict[str, Any] = {"relation": rows.table.oid, "check": check.name}
    if check.kind == "duplicate":
        statement = _duplicates(cursor, check, repair, rows)
    elif check.kind == "two_lanes":
        statement = _other_lanes(cursor, check, repair, rows, relations)
    elif check.kind == "ordering":
        statement, values["position"] = _renumbered(cursor, check, repair, rows)
    else:
        bad = rows_of(check, relations).bad
        statement = sql.SQL(queries.ROWWISE).format(bad=bad)
        values.update(_change(cursor, check, repair, rows))
    relations.refuse_unreadable()
    cursor.run(statement, {**relations.values, **values})
    added = cursor.rowcount
    if added:
        cursor.run(queries.ANALYZE, {})
    return added


def _change(cursor: Cursor, check: Check, repair: Repair, rows: LeftRelation) -> dict[str, Any]:
    if repair.action == "delete":
        return {"action": "delete", "changes": "{}"}
    column = rows.column(check.needed("column"))
    if repair.value is not None:
        refuse_value(cursor, check, column, repair.value)
    return {"action": "update", "changes": json.dumps({column.name: repair.value})}


def refuse_value(cursor: Cursor, check: Check, column: Column, value: str) -> None:
    """Refuse a value that is not of the column's type; raises ServerError."""
    kind = sql.SQL(column.type_name.replace("%", "%%"))
    try:
        with cursor.savepoint():
            cursor.row(sql.SQL(queries.CAST).format(type=kind), {"value": value})
    except ServerError as error:
        if not str(error.details.get("sqlstate")).startswith("22"):
            raise
        raise ServerError(
            "bad_value",
            f"The repair of {check.name!r} would set {column.name} to {value!r}: {error.what}",
            "The column could not hold it. Nothing was changed.",
            f"Give repair.value as {column.type_name}.",
        ) from error


def _order(cursor: Cursor, check: Check, repair: Repair, rows: LeftRelation, newest: bool) -> sql.Composable:
    """Return the order by age: by a column that is named, a number that counts up, a time, and then the key.

    A key that is not an integer says nothing about age, so a time goes before it; the key still separates equal times.
    """
    keys = [row[0] for row in cursor.rows(integrity.PRIMARY_KEY, {"table": rows.table.oid})]
    kinds = {column.name: column.kind for column in rows.columns}
    named = [rows.column(repair.order_by).name] if repair.order_by else []
    counts_up = keys if len(keys) == 1 and kinds.get(keys[0]) in INTEGERS else []
    timed = [name for name in (check.time, (check.time or "").lower()) if name in kinds][:1]
    each = list(dict.fromkeys([*named, *counts_up, *timed, *keys]))
    direction = sql.SQL(" DESC NULLS LAST" if newest else "")
    if not each:
        return sql.SQL("1")
    return sql.SQL(", ").join([sql.SQL("{}{}").format(of_t(name), direction) for name in each])


def _duplicates(cursor: Cursor, check: Check, repair: Repair, rows: LeftRelation) -> sql.Composable:
    columns = [rows.column(wanted).name for wanted in check.needed("columns")]
    return sql.SQL(queries.DUPLICATES).format(
        table=rows.name,
        place=rows.place,
        columns=listed(columns),
        bare_columns=sql.SQL(", ").join([sql.SQL("g.{}").format(identifier(name)) for name in columns]),
        filled=sql.SQL(" AND ").join([sql.SQL("g.{} IS NOT NULL").format(identifier(name)) for name in columns]),
        order=_order(cursor, check, repair, rows, newest=False),
    )


def _other_lanes(
    cursor: Cursor, check: Check, repair: Repair, rows: LeftRelation, relations: LeftRelations
) -> sql.Composable:
    columns = [rows.column(wanted).name for wanted in check.needed("columns")]
    lane, wanted = rows.column(check.needed("column")), check.needed("lanes")
    lanes = relations.find(wanted.table)
    return sql.SQL(queries.OTHER_LANES).format(
        table=rows.name,
        place=rows.place,
        lane=identifier(lane.name),
        lanes=lanes.name,
        columns=listed(columns),
        filled=filled(columns),
        marked=relations.marked(lanes, wanted),
        same=same(lanes.column(wanted.column), lane),
        order=_order(cursor, check, repair, rows, newest=True),
    )


def _renumbered(cursor: Cursor, check: Check, repair: Repair, rows: LeftRelation) -> tuple[sql.Composable, str]:
    position = rows.column(check.needed("position"))
    named = [check.tenant, *check.needed("lane")] if check.tenant else list(check.needed("lane"))
    lane = list(dict.fromkeys(rows.column(wanted).name for wanted in named))
    whole = check.gaps == "corrupt" and position.kind in INTEGERS
    statement = sql.SQL(queries.RENUMBERED if whole else queries.RENUMBERED_TWICE).format(
        table=rows.name,
        place=rows.place,
        position=identifier(position.name),
        lane=listed(lane),
        filled=filled(lane),
        order=_order(cursor, check, repair, rows, newest=False),
    )
    return statement, position.name
