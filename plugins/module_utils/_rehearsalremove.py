# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing the rows that a rehearsal planted: only those, and nothing that refers to them."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsaldata import Planted
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repaircascade import read_foreign_keys
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import rehearsal as queries


def standing(cursor: Cursor, planted: Planted) -> int:
    """Return how many of the rows are there; the scenario's own repair may have taken some. Raises KanbanError."""
    text = queries.LEFT_BY_KEY if planted.key else queries.LEFT_BY_ROW
    statement, values, _table = _filled(cursor, planted, text)
    return int(cursor.row(statement, values)[0])


def remove(cursor: Cursor, planted: Planted, written: Written) -> int:
    """Take the rows away; return how many went. Those that other rows refer to stay. Raises KanbanError."""
    text = queries.REMOVE_BY_KEY if planted.key else queries.REMOVE_BY_ROW
    statement, values, table = _filled(cursor, planted, text)
    cursor.run(statement, values)
    removed = cursor.rowcount
    written.expect(table, deleted=removed)
    return removed


def _filled(cursor: Cursor, planted: Planted, text: str) -> tuple[sql.Composable, dict[str, Any], int]:
    table, columns = find_table(cursor, f"{planted.schema}.{planted.table}")
    types = {column.name: column.type_name for column in columns}
    names = [f"k{place}" for place, _part in enumerate(planted.key)]
    pairs = [
        sql.SQL("t.{} = k.{}::{}").format(identifier(part), sql.SQL(name), sql.SQL(types[part].replace("%", "%%")))
        for part, name in zip(planted.key, names)
    ]
    statement = sql.SQL(text).format(
        table=identifier(table.schema, table.name),
        arrays=sql.SQL(", ").join([sql.SQL(f"%({name})s::text[]") for name in names]),
        names=sql.SQL(", ").join([sql.SQL(name) for name in names]),
        same=sql.SQL(" AND ").join(pairs),
        free=_free(cursor, table.oid),
    )
    values: dict[str, Any] = {name: list(part) for name, part in zip(names, planted.keys)}
    values.update(texts=list(planted.texts), planted=list(planted.counts), before=list(planted.before))
    return statement, values, table.oid


def _free(cursor: Cursor, table: int) -> sql.Composable:
    """Return the condition that no row at all refers to the row ``t``."""
    found: list[sql.Composable] = [sql.SQL("true")]
    for key in read_foreign_keys(cursor, [table]):
        pairs = [
            sql.SQL("c.{} = t.{}").format(identifier(child), identifier(parent))
            for child, parent in zip(key.columns, key.parents)
        ]
        same = sql.SQL(" AND ").join(pairs)
        found.append(sql.SQL(queries.LEADS_TO_IT).format(child=key.relation, same=same))
    return sql.SQL(" AND ").join(found)
