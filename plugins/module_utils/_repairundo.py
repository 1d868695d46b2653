# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing back what a repair deleted and changed, exactly, or nothing of it where something else is there by now."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairpark import park_paired
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import may_bring_back
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import InSchema
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity, quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import undo as queries

SHOWN = 100  # Conflicts that a result lists.


@dataclass(frozen=True)
class Kept(InSchema):
    """Rows of one table in quarantine: how many were deleted and changed, and which columns were."""

    place: int
    schema: str
    table: str
    columns: tuple[str, ...]
    deleted: int
    updated: int
    changed: tuple[str, ...]
    oid: int = 0
    insertable: tuple[str, ...] = ()


@dataclass
class Undo:
    """Undoes one repair in the caller's transaction. ``conflicts`` are what is in the way, ``in_the_way`` how many."""

    cursor: Cursor
    repair: int
    in_time: Callable[[], None]
    kept: list[Kept] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    in_the_way: int = 0
    without_parent: dict[tuple[int, str], int] = field(default_factory=dict)

    def look(self) -> None:
        """Read what is kept, and find what is in the way of it; raises KanbanError."""
        for row in self.cursor.rows(queries.TABLES, {"repair": self.repair}):
            place, schema, table, columns, deleted, updated, changed = row
            found = self.cursor.rows(quarantine.RELATION, {"schema": schema, "name": table})
            if not found or list(found[0][1]) != list(columns):
                raise _other_schema(f"{schema}.{table}", columns, found[0][1] if found else None)
            oid, _now, insertable = found[0]
            self.kept.append(
                Kept(place, schema, table, tuple(columns), deleted, updated, tuple(changed), oid, tuple(insertable))
            )
        self.cursor.run(queries.CREATE_BACK, {})
        for kept in self.kept:
            if kept.updated:
                self.in_time()
                paired, _differs = self._paired(kept)
                self.cursor.run(sql.SQL(queries.PAIR).format(paired=paired), self._values(kept))
        for kept in self.kept:
            self.in_time()
            may_bring_back(self.cursor, kept.oid, str(kept), kept.deleted, kept.changed)
            if kept.deleted:
                self._reused(kept)
                self._parents(kept, queries.DELETED_ROWS, kept.insertable)
            if kept.updated:
                self._changed(kept)
                self._parents(kept, queries.CHANGED_ROWS, kept.changed)

    def put_back(self) -> list[str]:
        """Bring everything back; return what to tell.

        Raises KanbanError, after which the transaction is to be rolled back.
        """
        written = Written(self.cursor)
        for kept in self.kept:
            if kept.updated:
                self.in_time()
                parked = park_paired(self.cursor, kept.name, kept.changed, self._values(kept))
                written.expect(kept.oid, updated=parked)
        for kept in self.kept:
            if kept.deleted:
                self.in_time()
                written.expect(kept.oid, inserted=kept.deleted)
                self._insert(kept)
        for kept in self.kept:
            if kept.updated:
                self.in_time()
                written.expect(kept.oid, updated=kept.updated)
                self._restore(kept)
        self.cursor.run(quarantine.IMMEDIATE, {})
        return written.judge()

    def counts(self) -> list[dict[str, Any]]:
        """Return how many rows of which table come back."""
        return [{"table": str(kept), "deleted": kept.deleted, "changed": kept.updated} for kept in self.kept]

    def _values(self, kept: Kept) -> dict[str, Any]:
        return {"repair": self.repair, "place": kept.place, "most": SHOWN, "table": kept.oid, "relation": kept.oid}

    def _note(self, kept: Kept, why: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self.in_the_way += rows[0][1]
            shown = [{"table": str(kept), "why": why, "row": row[0]} for row in rows]
            self.conflicts += shown[: max(0, SHOWN - len(self.conflicts))]

    def _reused(self, kept: Kept) -> None:
        for index, columns in self.cursor.rows(queries.UNIQUE, self._values(kept)):
            statement = sql.SQL(queries.REUSED).format(
                rows=_rows(queries.DELETED_ROWS, kept), table=kept.name, same=_same("t", columns, "r", columns)
            )
            found = self.cursor.rows(statement, {**self._values(kept), "columns": columns})
            self._note(kept, f"another row has its {', '.join(columns)} by now ({index})", found)

    def _parents(self, kept: Kept, shape: str, written: Sequence[str]) -> None:
        """Find rows whose parent is gone, by each foreign key that writing these columns asks."""
        for name, schema, table, validated, columns, parents in self.cursor.rows(queries.PARENTS, self._values(kept)):
            if not set(columns) & set(written):
                continue
            coming = sql.SQL(queries.COMING).format(
                parents=identifier(schema, table),
                schema=sql.Literal(schema),
                name=sql.Literal(table),
                same=_pairs("(b.p).{}", parents, "(q.r).{}", columns),
            )
            filled = [sql.SQL("(q.r).{} IS NOT NULL").format(identifier(column)) for column in columns]
            statement = sql.SQL(queries.WITHOUT_PARENT).format(
                rows=_rows(shape, kept),
                filled=sql.SQL(" AND ").join(filled),
                parents=identifier(schema, table),
                same=_same("p", parents, "r", columns),
                coming=coming,
            )
            found = self.cursor.rows(statement, self._values(kept))
            if validated:
                self._note(kept, f"the row of {schema}.{table} that it belongs to is gone ({name})", found)
            elif found:
                # A key that was never checked promises nothing; orphans may be what was deleted.
                self.without_parent[kept.place, shape] = self.without_parent.get((kept.place, shape), 0) + found[0][1]

    def _changed(self, kept: Kept) -> None:
        paired, differs = self._paired(kept)
        statement = sql.SQL(queries.CHANGED_SINCE).format(paired=paired, differs=differs)
        rows = self.cursor.rows(statement, self._values(kept))
        if rows:
            gone = sum(1 for row in rows if row[2])
            self._note(kept, "it is gone" if gone == len(rows) else "it is gone, or was changed since", rows)

    def _paired(self, kept: Kept) -> tuple[sql.Composable, sql.Composable]:
        """Return changed rows with where they lie now, and what tells that one was changed again."""
        key = [row[0] for row in self.cursor.rows(integrity.PRIMARY_KEY, {"table": kept.oid})]
        rows = _rows(queries.CHANGED_ROWS, kept)
        if not key or set(key) & set(kept.changed):
            return sql.SQL(queries.PAIRED_BY_TEXT).format(rows=rows, table=kept.name), sql.SQL("FALSE")
        now = [(name, f"kanban_now_{number}") for number, name in enumerate(kept.changed)]
        current = [sql.SQL(", t.{}::text AS {}").format(identifier(name), identifier(alias)) for name, alias in now]
        differs = [
            sql.SQL(queries.DIFFERS).format(
                column_text=sql.Literal(name), column=identifier(name), now=identifier(alias)
            )
            for name, alias in now
        ]
        paired = sql.SQL(queries.PAIRED_BY_KEY).format(
            current=sql.SQL("").join(current), rows=rows, table=kept.name, same=_same("t", key, "n", key)
        )
        return paired, sql.SQL("({})").format(sql.SQL(" OR ").join(differs))

    def _insert(self, kept: Kept) -> None:
        names = [identifier(name) for name in kept.insertable]
        statement = sql.SQL(queries.INSERT).format(
            table=kept.name,
            columns=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join([sql.SQL("(q.r).{}").format(name) for name in names]),
            rows=_rows(queries.DELETED_ROWS, kept),
        )
        with self._past_keys(kept, queries.DELETED_ROWS):
            back = self.cursor.row(statement, self._values(kept))
        if back != self.cursor.row(queries.EXPECTED, self._values(kept)):
            raise _not_exact(kept)

    @contextmanager
    def _past_keys(self, kept: Kept, shape: str) -> Iterator[None]:
        """Leave foreign keys aside where rows of a table come back that led to nothing before; raises ServerError."""
        orphans = self.without_parent.get((kept.place, shape))
        if orphans:
            try:
                self.cursor.row(queries.AS_REPLICA, {})
            except ServerError as error:
                raise ServerError(
                    "missing_privilege",
                    f"{orphans} rows of {kept} led to no row under a foreign key that is NOT VALID; to bring them back "
                    "the session has to leave foreign keys aside, which this role may not.",
                    "Nothing was changed.",
                    "Use a superuser, or GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and newer).",
                ) from error
        yield
        if orphans:
            self.cursor.row(queries.AS_ORIGIN, {})

    def _restore(self, kept: Kept) -> None:
        sets = [
            sql.SQL(queries.SET_BACK).format(column=identifier(name), column_text=sql.Literal(name))
            for name in kept.changed
        ]
        statement = sql.SQL(queries.PUT_BACK).format(table=kept.name, sets=sql.SQL(", ").join(sets))
        with self._past_keys(kept, queries.CHANGED_ROWS):
            self.cursor.run(statement, self._values(kept))
            done = self.cursor.rowcount
        if done != kept.updated:
            raise _not_exact(kept)


def _rows(shape: str, kept: Kept) -> sql.Composable:
    return sql.SQL(shape).format(table=kept.name)


def _same(alias: str, theirs: Sequence[str], record: str, ours: Sequence[str]) -> sql.Composable:
    return _pairs(f"{alias}.{{}}", theirs, f"(q.{record}).{{}}", ours)


def _pairs(left: str, theirs: Sequence[str], right: str, ours: Sequence[str]) -> sql.Composable:
    each = [
        sql.SQL(" = ").join([sql.SQL(left).format(identifier(one)), sql.SQL(right).format(identifier(other))])
        for one, other in zip(theirs, ours)
    ]
    return sql.SQL(" AND ").join(each)


def _other_schema(table: str, columns: Sequence[str], now: Sequence[str] | None) -> KanbanError:
    return KanbanError(
        "schema_changed",
        f"The table {table} is not what it was: " + ("it is gone." if now is None else "its columns are others."),
        "A row in quarantine has the columns of then; nothing was changed.",
        "Bring such rows back by hand from kanban_rollback.quarantined.",
        columns_then=list(columns),
        columns_now=list(now or []),
    )


def _not_exact(kept: Kept) -> KanbanError:
    return KanbanError(
        "not_exact",
        f"Rows of {kept} did not come back as they were.",
        "A trigger of the application, or a default, made something else of them; everything was rolled back.",
        "See which triggers the table has; bring such rows back by hand from kanban_rollback.quarantined.",
        table=str(kept),
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
