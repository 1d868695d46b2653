# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing rows back: referenced ones first, with a copy in quarantine, and then the checks count again.

If a check counts more than before, the rows of ours that it names are left out and it is tried again, if that was
requested; otherwise all is rolled back, and the rows are named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import CHECK, TABLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairapply import change_rows, values_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairpark import park_planned
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import worse
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner, Touched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import count
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written, expect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorecompare import figures, stays_away
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorenamed import named_by
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed, now_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import bringback as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine, undo
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as comparing

ROUNDS = 3


@dataclass
class BringBack:
    """One apply in the caller's transaction. ``kinds``: those of the rows that are inserted; ``told``: warnings."""

    planner: Planner
    tables: Sequence[Backed]
    checks: Sequence[Check]
    kinds: Sequence[str]
    all_kinds: Sequence[str]
    samples: int
    told: list[str] = field(default_factory=list)

    @property
    def cursor(self) -> Cursor:
        """The cursor of the caller's transaction."""
        return self.planner.cursor

    def run(self, repair: int, written: Written, skip: bool) -> None:
        """Bring the rows back in as many rounds as needed; raises KanbanError, after which all must be rolled back."""
        self.cursor.run(queries.CREATE_INSERTED, {})
        for turn in range(ROUNDS + 1):
            self.cursor.run(queries.BEGIN_ROUND, {})
            try:
                told = self._write(repair, written)
            except ServerError:
                raise
            except KanbanError:
                # The server answers no query before this rollback, and the deletions have yet to be read.
                self.cursor.run(queries.FORGET_ROUND, {})
                raise
            found = self._look_again()
            if not found:
                self.cursor.run(queries.END_ROUND, {})
                self.told += told
                return
            named = self._named()
            self.cursor.run(queries.FORGET_ROUND, {})
            changed = [table.compared.count("changed") for table in self.tables]
            self._supersede(named)
            # The rows that get old values back are already planned, and must not become fewer by themselves.
            less = changed != [table.compared.count("changed") for table in self.tables]
            if not skip or turn == ROUNDS or not named or less:
                raise self._worse(found)

    def inserted(self, table: Backed) -> int:
        """Return how many rows of a table come back."""
        return table.compared.count(*self.kinds)

    def in_conflict(self) -> list[dict[str, Any]]:
        """Return rows that a check named, by table."""
        return [
            {
                "table": str(table),
                "rows": table.compared.count("superseded"),
                "samples": table.compared.samples.get("superseded", []),
            }
            for table in self.tables
            if table.compared.count("superseded")
        ]

    def _write(self, repair: int, written: Written) -> list[str]:
        self.cursor.run(queries.DEFERRED, {})
        touched = {table.oid: table for table in self.planner.touched}
        told: list[str] = []
        rows = sum(self.inserted(table) for table in self.tables) + sum(table.updated for table in touched.values())
        for place, table in enumerate(self.planner.progress.each(self.tables, "bring back", TABLE, rows)):
            planned = touched.get(table.oid)
            steps = [lambda p=place, t=table: self._insert(t, p, repair, written)]
            if planned and planned.updated:
                first = not self.cursor.row(undo.REFERS_TO_ITSELF, table.values)[0]
                steps.insert(0 if first else 1, lambda p=place, t=planned: self._change(t, p, repair, written))
            for step in steps:
                self.planner.in_time()
                told += _tried(table, step)
            self.planner.progress.rows(self.inserted(table) + (planned.updated if planned else 0))
        self.planner.in_time()
        _tried(None, self._settled)
        return told + written.judge()

    def _settled(self) -> list[str]:
        self.cursor.run(quarantine.IMMEDIATE, {})
        return []

    def _change(self, table: Touched, place: int, repair: int, written: Written) -> list[str]:
        values = values_of(self.cursor, table, place, repair)
        parked = park_planned(self.cursor, table.name, table.columns, values)
        written.expect(table.oid, updated=parked + table.updated)
        expect(table, table.updated, change_rows(self.cursor, table, values), "could be changed")
        return []

    def _insert(self, table: Backed, place: int, repair: int, written: Written) -> list[str]:
        rows = self.inserted(table)
        if not rows:
            return []
        columns = self.cursor.row(quarantine.RELATION, table.values)[1]
        values = {**table.values, "kinds": list(self.kinds), "repair": repair, "place": place, "columns": columns}
        statement = sql.SQL(queries.INSERT).format(
            table=table.name,
            columns=sql.SQL(", ").join([identifier(column.name) for column in table.both]),
            values=sql.SQL(", ").join([sql.SQL("b.{}").format(table.alias(column.name)) for column in table.both]),
            backup=table.backup,
            now=hash_of([now_of(column) for column in table.both]),
        )
        self.cursor.run(statement, values)
        written.expect(table.oid, inserted=self.cursor.rowcount)
        expect(table, rows, self.cursor.rowcount, "came back")
        then = hash_of([table.then(column) for column in table.both])
        statement = sql.SQL(queries.NOT_EXACT).format(then=then, backup=table.backup)
        differing = self.cursor.row(statement, values)[0]
        if not differing:
            return []
        return [f"Triggers of the application made something else of {differing} rows of {table} that came back."]

    def _look_again(self) -> list[str]:
        relations = Relations(self.cursor)
        touched = {table.oid for table in self.tables if self.inserted(table)}
        touched |= {table.oid for table in self.planner.touched}
        checks = self.planner.progress.each(self.checks, "count again", CHECK)
        for check, planned in zip(checks, self.planner.plan.checks):
            planned.remaining = planned.count
            if planned.count is not None and touched & self.planner.used[check.name]:
                self.planner.in_time()
                relations.begin()
                planned.remaining = count(self.cursor, check, relations)
        return worse(self.planner.plan.checks, True, {})

    def _named(self) -> dict[int, list[tuple[str, int]]]:
        """Return, by table, the rows of the backup that are named by checks that now count more, and how often."""
        self.cursor.run(queries.ANALYZE_INSERTED, {})
        grown = [
            check
            for check, planned in zip(self.checks, self.planner.plan.checks)
            if planned.count is not None and (planned.remaining or 0) > planned.count
        ]
        statements, values = named_by(self.cursor, grown, self.tables)
        found: dict[int, list[tuple[str, int]]] = {}
        for table in self.tables if statements else ():
            self.planner.in_time()
            statement = sql.SQL(queries.NAMED).format(
                named=sql.SQL(" UNION ALL ").join(statements),
                backup=table.backup,
                then=hash_of([table.then(column) for column in table.both]),
            )
            rows = self.cursor.rows(statement, {**values, **table.values, "kinds": list(self.kinds)})
            if rows:
                found[table.number] = [(back, int(times)) for back, times in rows]
        return found

    def _supersede(self, named: dict[int, list[tuple[str, int]]]) -> None:
        for table in self.tables:
            rows = named.get(table.number, [])
            if rows:
                lists = {"backs": [back for back, _times in rows], "times": [times for _back, times in rows]}
                self.cursor.run(queries.SUPERSEDE, {**table.values, **lists, "kinds": list(self.kinds)})
                self.cursor.run(comparing.FORGET_NONE, {})
        # Rows that belong to a row that is left out are left out as well.
        stays_away(self.cursor, self.tables, self.all_kinds, self.planner.in_time)
        for table in self.tables:
            figures(self.cursor, table, self.samples)

    def _worse(self, found: Sequence[str]) -> KanbanError:
        rows = self.in_conflict()
        total = sum(one["rows"] for one in rows)
        named = f" {total} rows that came back are among what they name." if rows else ""
        return KanbanError(
            "post_condition",
            f"After the restore {'; '.join(found)}.{named}",
            "It would have made the data worse, so all of it was rolled back: the data is as it was.",
            "Look at in_conflict in the result: leave those rows out (skip_conflicts), or mend what is in their way.",
            in_conflict=rows,
        )


def hash_of(columns: Sequence[sql.Composable]) -> sql.Composable:
    """Return what identifies a row by all of these columns."""
    row = sql.SQL("ROW({})").format(sql.SQL(", ").join(columns))
    return sql.SQL(queries.HASH).format(row=row)


def _tried(table: Backed | None, step: Any) -> list[str]:
    try:
        done: list[str] = step()
    except ServerError as error:
        if not str(error.details.get("sqlstate")).startswith("23"):
            raise
        raise KanbanError(
            "conflict",
            f"Rows{f' of {table}' if table else ''} cannot come back: {error.what}",
            "Bringing back some would mix what was with what is, so all of it was rolled back: the data is as it was.",
            "Clear what is in the way, or leave the table out, then run it again.",
        ) from error
    return done
