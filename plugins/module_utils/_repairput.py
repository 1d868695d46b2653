# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing the rows that a restore inserted: exactly those, and only if nothing depends on them."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repaircascade import read_foreign_keys
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairkept import Kept, rows_of_kept
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import undo as queries

Conflict = Tuple[str, List[Tuple[Any, ...]]]


def note_put(cursor: Cursor, kept: Kept, repair: int) -> None:
    """Note where those rows of a table lie that are still unchanged; raises ServerError."""
    cursor.run(sql.SQL(queries.NOTE_PUT).format(put=_put(kept)), kept.values(repair))


def put_conflicts(cursor: Cursor, kept: Kept, repair: int) -> list[Conflict]:
    """Return what prevents taking the rows of a table away: why, and the rows as an undo notes them.

    ``note_put`` has to be called for all tables first. Raises ServerError.
    """
    if not kept.inserted:
        return []
    statement = sql.SQL(queries.PUT_CHANGED).format(shown=kept.shown, put=_put(kept))
    found: list[Conflict] = [
        ("it came back, and is gone or was changed since", cursor.rows(statement, kept.values(repair)))
    ]
    for key in read_foreign_keys(cursor, [kept.oid]):
        statement = sql.SQL(queries.REFERRING).format(
            shown=kept.shown,
            rows=rows_of_kept(queries.INSERTED_ROWS, kept),
            child=identifier(key.schema, key.table),
            same=same_of("t", key.columns, "r", key.parents),
        )
        rows = cursor.rows(statement, {**kept.values(repair), "columns": list(key.columns)})
        found.append((f"rows of {key.place} belong to it by now ({key.name})", rows))
    return found


def take_away(cursor: Cursor, kept: Kept, repair: int) -> bool:
    """Delete the rows of a table; return whether all of them could be deleted. Raises ServerError."""
    cursor.run(sql.SQL(queries.TAKE_AWAY).format(table=kept.name), kept.values(repair))
    return cursor.rowcount == kept.inserted


def _put(kept: Kept) -> sql.Composable:
    rows = rows_of_kept(queries.INSERTED_ROWS, kept)
    if not kept.key:
        return sql.SQL(queries.PUT_BY_TEXT).format(rows=rows, table=kept.name)
    same = same_of("t", kept.key, "r", kept.key)
    return sql.SQL(queries.PUT_BY_KEY).format(rows=rows, table=kept.name, same=same)


def same_of(alias: str, theirs: Sequence[str], record: str, ours: Sequence[str]) -> sql.Composable:
    """Return the condition that columns of a row of the table equal columns of a record of ``q``."""
    return same_columns(f"{alias}.{{}}", theirs, f"(q.{record}).{{}}", ours)


def same_columns(left: str, theirs: Sequence[str], right: str, ours: Sequence[str]) -> sql.Composable:
    """Return the condition that columns are equal, pair by pair; both sides are templates with a place for a name."""
    each = [
        sql.SQL(" = ").join([sql.SQL(left).format(identifier(one)), sql.SQL(right).format(identifier(other))])
        for one, other in zip(theirs, ours)
    ]
    return sql.SQL(" AND ").join(each)
