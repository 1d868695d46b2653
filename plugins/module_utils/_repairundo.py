# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing back exactly what a repair deleted and changed, or nothing of it if something else is in its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import TABLE, Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairback import Back
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairkept import SHOWN, Kept, rows_of_kept
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairput import (
    note_put,
    put_conflicts,
    same_columns,
    same_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import may_bring_back
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity, quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import undo as queries


@dataclass
class Undo:
    """Undoes one repair in the caller's transaction. ``conflicts``: rows that prevent it; ``in_the_way``: how many."""

    cursor: Cursor
    repair: int
    in_time: Callable[[], None]
    progress: Progress
    kept: list[Kept] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    in_the_way: int = 0
    without_parent: dict[tuple[int, str], int] = field(default_factory=dict)
    transactions: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Read what is in quarantine, and find what prevents bringing it back; raises KanbanError."""
        for row in self.cursor.rows(queries.TABLES, {"repair": self.repair}):
            schema, table, columns = row[1:4]
            found = self.cursor.rows(quarantine.RELATION, {"schema": schema, "name": table})
            if not found or list(found[0][1]) != list(columns):
                raise _other_schema(f"{schema}.{table}", columns, found[0][1] if found else None)
            self.kept.append(self._kept(row, found[0]))
        self.cursor.run(queries.CREATE_BACK, {})
        self.cursor.run(queries.CREATE_PUT, {})
        for kept in self.kept:
            if kept.updated:
                self.in_time()
                paired, _differs, along = self._paired(kept)
                statement = sql.SQL(queries.PAIR).format(paired=paired, along=along)
                self.cursor.run(statement, kept.values(self.repair))
            if kept.inserted:
                self.in_time()
                note_put(self.cursor, kept, self.repair)
        for kept in self.progress.each(self.kept, "look", TABLE):
            self.in_time()
            may_bring_back(self.cursor, kept.oid, str(kept), kept.words, kept.written)
            for why, rows in put_conflicts(self.cursor, kept, self.repair):
                self._note(kept, why, rows)
            if kept.deleted:
                self._reused(kept)
                self._parents(kept, queries.DELETED_ROWS, kept.insertable)
            if kept.updated:
                self._changed(kept)
                self._reused_by_changed(kept)
                self._parents(kept, queries.CHANGED_ROWS, kept.written)

    def put_back(self) -> list[str]:
        """Bring everything back; return warnings. Raises KanbanError, after which everything has to be rolled back."""
        back = Back(self.cursor, self.repair, self.in_time, self.without_parent, self.progress)
        told = back.all(self.kept)
        self.transactions = back.transactions
        return told

    def _kept(self, row: Sequence[Any], found: Sequence[Any]) -> Kept:
        place, schema, table, columns, deleted, updated, inserted, direct, changed = row
        oid, _columns, insertable = found
        key = tuple(row[0] for row in self.cursor.rows(integrity.PRIMARY_KEY, {"table": oid}))
        lists = (oid, tuple(insertable), key)
        kept = Kept(place, schema, table, tuple(columns), deleted, updated, inserted, direct, tuple(changed), *lists)
        others = [name for name in insertable if name not in changed]
        if not updated or not others:
            return kept
        each = [sql.SQL("bool_or({})").format(_moved(name)) for name in others]
        rows = rows_of_kept(queries.CHANGED_ROWS, kept)
        statement = sql.SQL(queries.MOVED).format(each=sql.SQL(", ").join(each), rows=rows)
        moved = self.cursor.row(statement, kept.values(self.repair))
        return replace(kept, along=tuple(name for name, differs in zip(others, moved) if differs))

    def counts(self) -> list[dict[str, Any]]:
        """Return how many rows of each table were deleted, changed and inserted."""
        return [
            {"table": str(kept), "deleted": kept.deleted, "changed": kept.updated, "inserted": kept.inserted}
            for kept in self.kept
        ]

    def _note(self, kept: Kept, why: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self.in_the_way += rows[0][1]
            shown = [kept.conflict(why, row[0]) for row in rows]
            self.conflicts += shown[: max(0, SHOWN - len(self.conflicts))]

    def _reused(self, kept: Kept) -> None:
        for index, columns in self.cursor.rows(queries.UNIQUE, kept.values(self.repair)):
            statement = sql.SQL(queries.REUSED).format(
                shown=kept.shown,
                rows=rows_of_kept(queries.DELETED_ROWS, kept),
                table=kept.name,
                same=same_of("t", columns, "r", columns),
            )
            found = self.cursor.rows(statement, {**kept.values(self.repair), "columns": columns})
            self._note(kept, f"another row has its {', '.join(columns)} by now ({index})", found)

    def _reused_by_changed(self, kept: Kept) -> None:
        for index, columns in self.cursor.rows(queries.UNIQUE, kept.values(self.repair)):
            if not set(columns) & set(kept.written):
                continue
            same = [
                sql.SQL(queries.GIVEN_BACK).format(column=identifier(name), column_text=literal(name))
                for name in columns
            ]
            statement = sql.SQL(queries.REUSED_BY_CHANGED).format(
                shown=kept.shown, table=kept.name, same=sql.SQL(" AND ").join(same)
            )
            found = self.cursor.rows(statement, {**kept.values(self.repair), "columns": columns})
            self._note(kept, f"another row has its old {', '.join(columns)} by now ({index})", found)

    def _parents(self, kept: Kept, shape: str, written: Sequence[str]) -> None:
        """Find rows whose parent is gone, for each foreign key that is checked when these columns are written."""
        keys = self.cursor.rows(queries.PARENTS, kept.values(self.repair))
        for name, schema, table, validated, columns, parents in keys:
            if not set(columns) & set(written):
                continue
            coming = sql.SQL(queries.COMING).format(
                parents=identifier(schema, table),
                schema=literal(schema),
                name=literal(table),
                same=same_columns("(b.p).{}", parents, "(q.r).{}", columns),
            )
            filled = [sql.SQL("(q.r).{} IS NOT NULL").format(identifier(column)) for column in columns]
            statement = sql.SQL(queries.WITHOUT_PARENT).format(
                shown=kept.shown,
                rows=rows_of_kept(shape, kept),
                filled=sql.SQL(" AND ").join(filled),
                parents=identifier(schema, table),
                same=same_of("p", parents, "r", columns),
                coming=coming,
            )
            found = self.cursor.rows(statement, kept.values(self.repair))
            if validated:
                self._note(kept, f"the row of {schema}.{table} that it belongs to is gone ({name})", found)
            elif found:
                # A key that was never validated promises nothing; the deleted rows may have been orphans.
                self.without_parent[kept.place, shape] = self.without_parent.get((kept.place, shape), 0) + found[0][1]

    def _changed(self, kept: Kept) -> None:
        paired, differs, _along = self._paired(kept)
        statement = sql.SQL(queries.CHANGED_SINCE).format(shown=kept.shown, paired=paired, differs=differs)
        rows = self.cursor.rows(statement, kept.values(self.repair))
        if rows:
            gone = sum(1 for row in rows if row[2])
            self._note(kept, "it is gone" if gone == len(rows) else "it is gone, or was changed since", rows)

    def _paired(self, kept: Kept) -> tuple[sql.Composable, sql.Composable, sql.Composable]:
        """Return changed rows with where they lie now, the condition that one was changed again, and what went along.

        What a trigger changed along with a row goes back too, unless somebody has written it again; that stays.
        """
        rows = rows_of_kept(queries.CHANGED_ROWS, kept)
        if not kept.key or set(kept.key) & set(kept.written):
            paired = sql.SQL(queries.PAIRED_BY_TEXT).format(rows=rows, table=kept.name)
            return paired, sql.SQL("FALSE"), _listed([_along(name, sql.SQL("TRUE")) for name in kept.along])
        now = {name: identifier(f"kanban_now_{number}") for number, name in enumerate(kept.written)}
        current = [sql.SQL(", t.{}::text AS {}").format(identifier(name), alias) for name, alias in now.items()]
        differs = [
            sql.SQL(queries.DIFFERS).format(column_text=literal(name), column=identifier(name), now=now[name])
            for name in kept.changed
        ]
        along = [
            _along(name, sql.SQL(queries.STILL).format(column=identifier(name), now=now[name])) for name in kept.along
        ]
        paired = sql.SQL(queries.PAIRED_BY_KEY).format(
            current=sql.SQL("").join(current), rows=rows, table=kept.name, same=same_of("t", kept.key, "n", kept.key)
        )
        return paired, sql.SQL("({})").format(sql.SQL(" OR ").join(differs)), _listed(along)


def _moved(name: str) -> sql.Composable:
    return sql.SQL(queries.MOVED_ALONG).format(column_text=literal(name), column=identifier(name))


def _along(name: str, still: sql.Composable) -> sql.Composable:
    return sql.SQL(queries.ALONG).format(moved=_moved(name), still=still, column_text=literal(name))


def _listed(each: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(each))


def _other_schema(table: str, columns: Sequence[str], now: Sequence[str] | None) -> KanbanError:
    return KanbanError(
        "schema_changed",
        f"The table {table} is not what it was: " + ("it is gone." if now is None else "its columns are others."),
        "A row in quarantine has the columns of then; nothing was changed.",
        "Bring such rows back by hand from kanban_rollback.quarantined.",
        columns_then=list(columns),
        columns_now=list(now or []),
    )


def conflict_error(conflicts: Sequence[dict[str, Any]], in_the_way: int) -> KanbanError:
    """Return the error of rows that cannot come back as they were."""
    first = conflicts[0]
    return KanbanError(
        "conflict",
        f"{in_the_way} rows cannot come back; the first, of {first['table']}: {first['why']}.",
        "Bringing back some would mix what was with what is, so nothing was changed.",
        "Look at each of the conflicts in the result; clear them, then run the same command again.",
    )
