# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows on their way back from quarantine: exactly as they were, past what would change them.

A trigger that stamps a row ("updatedAt" := now()) stamps it again on the way back. So rows are compared with what is
kept, and if they differ they are written once more with triggers left aside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._circles import parents_first
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairkept import Kept, rows_of_kept
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairpark import park_paired
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairput import same_columns, take_away
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import bringback, quarantine
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import undo as queries

_GRANT = "Use a superuser, or GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and newer)."


@dataclass
class Back:
    """Brings the rows of one repair back in the caller's transaction.

    ``orphans``: how many of a table's deleted (or changed) rows referred to no row under a key that is NOT VALID.
    """

    cursor: Cursor
    repair: int
    in_time: Callable[[], None]
    orphans: dict[tuple[int, str], int]
    progress: Progress
    told: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)

    def all(self, kept_rows: list[Kept]) -> list[str]:
        """Bring everything back; return what to tell. Raises KanbanError: then all must be rolled back."""
        written = Written(self.cursor)
        self.progress.step("bring back", planned=sum(kept.deleted + kept.updated + kept.inserted for kept in kept_rows))
        if any(kept.inserted or kept.deleted for kept in kept_rows):
            # Tables may refer to one another in a circle if their keys can wait.
            self.cursor.run(bringback.DEFERRED, {})
        for kept in kept_rows:
            if kept.updated:
                self.in_time()
                parked = park_paired(self.cursor, kept.name, kept.written, kept.values(self.repair))
                written.expect(kept.oid, updated=parked)
        for kept in self._parents_first([kept for kept in kept_rows if kept.deleted]):
            self.progress.next(str(kept))
            self._write(kept, queries.DELETED_ROWS, self._insert, written)
            self.progress.rows(kept.deleted)
        for kept in kept_rows:
            # In the reverse order of a restore: tables that refer to others come first.
            self.progress.next(str(kept))
            steps = [self._take_away, self._change_back]
            for step in reversed(steps) if self._refers_to_itself(kept) else steps:
                step(kept, written)
            self.progress.rows(kept.updated + kept.inserted)
        self._check_now()
        return [*self.told, *written.judge()]

    def _parents_first(self, kept_rows: list[Kept]) -> list[Kept]:
        """Return tables in an order that satisfies keys that cannot wait, if these rows have one."""
        by_oid = {kept.oid: kept for kept in kept_rows}
        keys = [
            (by_oid[child], by_oid[parent], columns, parents)
            for child, parent, columns, parents in self.cursor.rows(queries.CANNOT_WAIT, {"tables": list(by_oid)})
        ]
        order, left = parents_first(list(by_oid), {(child.oid, parent.oid) for child, parent, *_columns in keys})
        if left:
            # Tables may form a circle that these rows do not.
            held = {(key[0].oid, key[1].oid) for key in keys if self._refer(*key)}
            order, left = parents_first(list(by_oid), held)
        return [by_oid[oid] for oid in order]

    def _refer(self, child: Kept, parent: Kept, columns: Sequence[str], parents: Sequence[str]) -> bool:
        self.in_time()
        coming = sql.SQL(queries.COMING).format(
            parents=parent.name,
            schema=literal(parent.schema),
            name=literal(parent.table),
            same=same_columns("(b.p).{}", parents, "(q.r).{}", columns),
        )
        statement = sql.SQL(queries.REFER).format(rows=rows_of_kept(queries.DELETED_ROWS, child), coming=coming)
        return bool(self.cursor.row(statement, child.values(self.repair))[0])

    def _check_now(self) -> None:
        """Check the keys that waited; raises ServerError."""
        try:
            self.cursor.run(quarantine.IMMEDIATE, {})
        except ServerError as error:
            if str(error.details.get("sqlstate")).startswith("23"):
                raise _in_the_way(None, error) from error
            raise

    def _refers_to_itself(self, kept: Kept) -> bool:
        values = {"table": kept.oid}
        return bool(kept.inserted and kept.updated and self.cursor.row(queries.REFERS_TO_ITSELF, values)[0])

    def _change_back(self, kept: Kept, written: Written) -> None:
        if kept.updated:
            self._write(kept, queries.CHANGED_ROWS, self._restore, written)

    def _take_away(self, kept: Kept, written: Written) -> None:
        if not kept.inserted:
            return
        self.in_time()
        written.expect(kept.oid, deleted=kept.inserted)
        if not _tried(kept, lambda table: take_away(self.cursor, table, self.repair)):
            raise _not_exact(kept, "A trigger of the application, or a policy, keeps some.")

    def _write(self, kept: Kept, shape: str, write: Callable[[Kept], bool], written: Written) -> None:
        """Write rows of one table; raises ServerError if they cannot come back as they were."""
        # What a rollback to a savepoint undoes counts as written too.
        rows = {"inserted": kept.deleted} if shape == queries.DELETED_ROWS else {"updated": kept.updated}
        self.in_time()
        if not self.orphans.get((kept.place, shape)):
            written.expect(kept.oid, **rows)
            if self._as_it_is(kept, write):
                return
        self._leave_aside(kept, self.orphans.get((kept.place, shape), 0))
        self.in_time()
        written.expect(kept.oid, **rows)
        if not _tried(kept, write):
            raise _not_exact(kept, "A trigger of the application that fires always, or a policy, does that.")
        self.cursor.row(queries.AS_ORIGIN, {})

    def _as_it_is(self, kept: Kept, write: Callable[[Kept], bool]) -> bool:
        try:
            with self.cursor.savepoint():
                if not _tried(kept, write):
                    raise _not_exact(kept, "")
                # Rows that are written here carry the savepoint's own transaction id.
                self.transactions.append(self.cursor.row(queries.OUR_TRANSACTION, {"repair": self.repair})[0])
        except ServerError as error:
            if error.code != "not_exact":
                raise
            return False
        return True

    def _leave_aside(self, kept: Kept, orphans: int) -> None:
        """Leave keys and triggers aside from here on; raises ServerError if this role may not."""
        try:
            self.cursor.row(queries.AS_REPLICA, {})
        except ServerError as error:
            if not orphans:
                why = "A trigger of the application does that, and this role may not leave triggers aside."
                raise _not_exact(kept, why, _GRANT) from error
            raise ServerError(
                "missing_privilege",
                f"{orphans} rows of {kept} led to no row under a foreign key that is NOT VALID; to bring them back "
                "the session has to leave foreign keys aside, which this role may not.",
                "Nothing was changed.",
                _GRANT,
            ) from error
        if not orphans:
            self.told.append(
                f"Triggers of {kept} were left aside while its rows came back: they made something else of them."
            )

    def _insert(self, kept: Kept) -> bool:
        names = [identifier(name) for name in kept.insertable]
        statement = sql.SQL(queries.INSERT).format(
            table=kept.name,
            columns=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join([sql.SQL("(q.r).{}").format(name) for name in names]),
            rows=rows_of_kept(queries.DELETED_ROWS, kept),
        )
        back = self.cursor.row(statement, kept.values(self.repair))
        return bool(back == self.cursor.row(queries.EXPECTED, kept.values(self.repair)))

    def _restore(self, kept: Kept) -> bool:
        def each(shape: str) -> list[sql.Composable]:
            return [sql.SQL(shape).format(column=identifier(name), column_text=literal(name)) for name in kept.written]

        statement = sql.SQL(queries.PUT_BACK).format(
            table=kept.name,
            sets=sql.SQL(", ").join(each(queries.SET_BACK)),
            exact=sql.SQL(" AND ").join(each(queries.EXACT)),
        )
        done: Any = self.cursor.row(statement, kept.values(self.repair))
        return list(done) == [kept.updated, kept.updated]


def _tried(kept: Kept, write: Callable[[Kept], bool]) -> bool:
    try:
        return write(kept)
    except ServerError as error:
        if str(error.details.get("sqlstate")).startswith("23"):
            raise _in_the_way(kept, error) from error
        raise


def _not_exact(kept: Kept, why: str, todo: str = "") -> ServerError:
    return ServerError(
        "not_exact",
        f"Rows of {kept} did not come back as they were. {why}".rstrip(),
        "An undo either brings everything back exactly, or nothing; everything was rolled back.",
        todo or "See which triggers the table has; bring such rows back by hand from kanban_rollback.quarantined.",
        table=str(kept),
    )


def _in_the_way(kept: Kept | None, error: ServerError) -> ServerError:
    return ServerError(
        "conflict",
        f"Rows{f' of {kept}' if kept else ''} cannot come back: {error.what}",
        "Bringing back some would mix what was with what is, so nothing was changed.",
        "Clear what is in the way, then run the same command again.",
        table=str(kept) if kept else None,
    )
