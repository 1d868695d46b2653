# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning a repair: which rows, what goes along, and what forbids it. Only a temporary table is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._circles import no_order
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, Finding
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, key_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import CHECK, TABLE, Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repaircascade import (
    ForeignKey,
    children_first,
    circular,
    follow,
    following,
    forbidding,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import (
    Part,
    Plan,
    Planned,
    Repair,
    refusal,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import (
    CHANGES,
    DELETES,
    may_make_plans,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import (
    InSchema,
    LeftRelations,
    count,
    plan_rows,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import repair as queries


@dataclass(frozen=True)
class Touched(InSchema):
    """A table of the plan; ``direct``: it has rows of a check itself."""

    oid: int
    schema: str
    table: str
    direct: bool
    deleted: int
    updated: int
    columns: tuple[str, ...]


@dataclass
class Planner:
    """Makes a plan in the caller's transaction; ``touched``: its tables, referring ones before those they refer to."""

    cursor: Cursor
    deadline: Deadline
    samples: int
    progress: Progress = field(default_factory=Progress)
    plan: Plan = field(default_factory=lambda: Plan([]))
    touched: list[Touched] = field(default_factory=list)
    keys: dict[int, list[ForeignKey]] = field(default_factory=dict)
    used: dict[str, set[int]] = field(default_factory=dict)

    def make(self, checks: Sequence[Check], repairs: Mapping[str, Repair]) -> Plan:
        """Return the plan; raises ServerError if the database could not be queried."""
        may_make_plans(self.cursor)
        self.cursor.run(queries.CREATE_PLAN, {})
        left, now = LeftRelations(self.cursor), Relations(self.cursor)
        for check in self.progress.each(checks, "count", CHECK):
            planned = Planned(check.name, check.kind, repairs[check.name], check.tolerate)
            self.plan.checks.append(planned)
            self._one(check, planned, left, now)
        self.look()
        self.plan.seconds = self.deadline.elapsed_ms / 1000
        return self.plan

    def in_time(self) -> None:
        """Limit the next statement to what is left of the deadline; raises Timeout if nothing is."""
        self.not_over()
        self.cursor.row(integrity.TIMEOUT, {"timeout": f"{max(1, int(self.deadline.left * 1000))}ms"})

    def not_over(self) -> None:
        """Raise Timeout when the deadline is over."""
        if self.deadline.over:
            raise Timeout(
                "deadline",
                "The deadline was over before the repair was done.",
                "Everything was rolled back: the data is as it was.",
                "Give it more time (option deadline), and look at the plan's estimate.",
            )

    def _one(self, check: Check, planned: Planned, left: LeftRelations, now: Relations) -> None:
        self.in_time()
        try:
            with self.cursor.savepoint():
                self._count(check, planned, left, now)
        except KanbanError as error:
            if self.cursor.is_lost:
                raise
            finding = Finding(check)
            finding.fail(error)
            planned.status, planned.why, planned.code = finding.status, finding.why, finding.code
            planned.count = None

    def _count(self, check: Check, planned: Planned, left: LeftRelations, now: Relations) -> None:
        left.begin()
        now.begin()
        if planned.repair.action == "none":
            planned.count = count(self.cursor, check, now)
        else:
            self.cursor.run(queries.BEGIN_CHECK, {})
            rows = plan_rows(self.cursor, check, planned.repair, left)
            # A lane is renumbered as a whole, so more rows may move than are wrong.
            planned.count = rows if check.kind != "ordering" else count(self.cursor, check, left)
            if rows and planned.count <= check.tolerate:
                self.cursor.run(queries.FORGET_CHECK, {})
            elif rows:
                self._follow()
                left.changed([table.oid for table in self.tables()])
        self.used[check.name] = {*left.used, *now.used}
        planned.status = "corrupt" if planned.count > check.tolerate else "ok"
        if planned.count and planned.status == "ok":
            planned.why = f"{planned.count} found, and up to {check.tolerate} are tolerated"

    def _follow(self) -> None:
        level, goes_on = 0, True
        while goes_on:
            self.in_time()
            names = {table.oid: table.name for table in self.tables() if table.deleted}
            goes_on = follow(self.cursor, level, names, self.keys)
            level += 1

    def tables(self) -> list[Touched]:
        found = []
        for oid, schema, name, _partitioned, inherited, direct, deleted, updated in self.cursor.rows(
            queries.TOUCHED, {}
        ):
            if inherited:
                raise BadInput(
                    "inherited",
                    f"Tables inherit from {schema}.{name}.",
                    "Their rows have columns that a row read through it does not show, so they could not come back.",
                    "Mend each of those tables by a check of its own.",
                )
            columns = self.cursor.rows(queries.SET_COLUMNS, {"relation": oid}) if updated else []
            found.append(Touched(oid, schema, name, direct, deleted, updated, tuple(row[0] for row in columns)))
        return found

    def look(self) -> None:
        """Fill in figures, samples and the reasons against the plan."""
        tables = {table.oid: table for table in self.tables()}
        names = {oid: table.name for oid, table in tables.items() if table.deleted}
        self.touched = [tables[oid] for oid in children_first(list(tables), self.keys)]
        for table in self.progress.each(self.touched, "plan", TABLE):
            self.in_time()
            self.plan.rows_of[str(table)] = self.cursor.row(sql.SQL(queries.ROWS).format(table=table.name), {})[0]
            self._figures(table)
            self._rights(table)
            self._comes_back(table)
        for key, rows in forbidding(self.cursor, names, self.keys):
            self.plan.refused.append(_forbidden(key, rows))
        circle = circular(self.cursor, names, self.keys)
        self.plan.refused += [no_order(circle)] if circle else []
        for key, rows in following(self.cursor, {oid: table.name for oid, table in tables.items() if table.updated}):
            self.plan.refused.append(_follows(key, rows))
        self.plan.unindexed = [
            {"table": key.place, "via": key.name, "parents": tables[parent].deleted, "rows": self._rows(key)}
            for parent in names
            for key in self.keys.get(parent, ())
            if not key.indexed
        ]
        if tables:
            self.plan.triggers = [row[0] for row in self.cursor.rows(queries.TRIGGERS, {"tables": list(tables)})]

    def _rows(self, key: ForeignKey) -> int:
        return self.plan.rows_of.get(key.place) or int(
            self.cursor.row(sql.SQL(queries.ROWS).format(table=key.relation), {})[0]
        )

    def _figures(self, table: Touched) -> None:
        own = [row[0] for row in self.cursor.rows(integrity.PRIMARY_KEY, {"table": table.oid})]
        changing: sql.Composable = sql.SQL("(t.*)::text")
        if own:
            each = [sql.SQL("t.{}").format(identifier(name)) for name in dict.fromkeys([*own, *table.columns])]
            changing = sql.SQL("ROW({})").format(sql.SQL(", ").join(each))
        holds = sql.SQL(queries.HOLDS).format(changing=changing)
        effects = {key.name: key.effect for keys in self.keys.values() for key in keys if key.child == table.oid}
        statement = sql.SQL(queries.FIGURES).format(holds=holds, table=table.name)
        for name, via, action, rows, *sums in self.cursor.rows(statement, {"relation": table.oid}):
            first, second = sums
            self.plan.parts.append(
                Part(name, str(table), action, rows, via, effects.get(via), (str(first), str(second)))
            )
        for planned in self.plan.checks:
            if any(
                part.check == planned.name and part.table == str(table) and not part.via for part in self.plan.parts
            ):
                planned.samples = self._samples(table, planned, own)

    def _samples(self, table: Touched, planned: Planned, own: Sequence[str]) -> list[dict[str, str]]:
        names = list(own) or ["table", "ctid"]
        key = key_of(own) if own else sql.SQL("ARRAY[t.tableoid::regclass::text, t.ctid::text]")
        statement = sql.SQL(queries.SAMPLES).format(key=key, table=table.name)
        values = {"relation": table.oid, "check": planned.name, "most": self.samples}
        return [dict(zip(names, row[0])) for row in self.cursor.rows(statement, values)]

    def _comes_back(self, table: Touched) -> None:
        """Refuse rows that the undo could not write: a CHECK constraint is enforced for every role."""
        values = {"relation": table.oid}
        for name, condition in self.cursor.rows(queries.NOT_VALID, values):
            statement = sql.SQL(queries.VIOLATING).format(
                table=table.name, condition=sql.SQL(condition.replace("%", "%%"))
            )
            rows = self.cursor.row(statement, values)[0]
            if rows:
                what = f"{rows} rows of {table} are not as its check {name} (NOT VALID) wants, so none could come back."
                self.plan.refused.append(refusal("check_not_valid", what, table=str(table), check=name, rows=rows))

    def _rights(self, table: Touched) -> None:
        missing, grant = lacking(self.cursor, table.oid, DELETES if table.deleted else CHANGES, table.columns)
        if missing:
            what = f"This role lacks {' and '.join(missing)} on {table}: {grant}"
            self.plan.refused.append(refusal("missing_privilege", what, table=str(table), missing=missing))
        for planned in self.plan.checks:
            if planned.repair.action == "set_null" and table.direct and planned.mends:
                self._nullable(table, planned)

    def _nullable(self, table: Touched, planned: Planned) -> None:
        for column in table.columns:
            nullable = self.cursor.row(queries.NULLABLE, {"table": table.oid, "column": column})[0]
            known = any(reason["code"] == "not_nullable" for reason in self.plan.refused)
            if not nullable and not known:
                what = f"{table}.{column} may not be NULL, and the check {planned.name} would set it to that."
                self.plan.refused.append(refusal("not_nullable", what, table=str(table), column=column))


def _forbidden(key: ForeignKey, rows: int) -> dict[str, Any]:
    if key.impossible:
        what = f"{rows} rows of {key.place} would get NULL by {key.name}, and {', '.join(key.impossible)} may not be."
    else:
        what = f"{rows} rows of {key.place} refer to rows that would go, and {key.name} ({key.effect}) forbids that."
    return refusal("restricted", what, table=key.place, via=key.name, effect=key.effect, rows=rows)


def _follows(key: ForeignKey, rows: int) -> dict[str, Any]:
    what = (
        f"{rows} rows of {key.place} refer to what the plan changes, and {key.name} (ON UPDATE {key.on_update}) would "
        "change them as well, without a copy in quarantine."
    )
    return refusal("follows_update", what, table=key.place, via=key.name, effect=key.on_update, rows=rows)
