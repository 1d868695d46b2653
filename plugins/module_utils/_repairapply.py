# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying a plan: quarantine, change, count again; the caller's transaction ends with all of it or none."""

from __future__ import annotations

import json
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import DECIDES, Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import refuse_lacking_in_ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import CHECK, TABLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairpark import park_planned
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import grown, worse
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner, Touched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import count
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written, expect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine as queries

# Kinds that find rows because there is nothing in their column.
_LOOK_FOR_NOTHING = ("cardless_ticket", "null_reference")


def ensure_quarantine(cursor: Cursor) -> None:
    """Make the quarantine if there is none yet; raises ServerError if this role may not make it or write to it."""
    present, creatable = cursor.row(queries.STATE, {})
    if not present and creatable:
        cursor.run(queries.CREATE, {})
    elif not present:
        raise ServerError(
            "no_quarantine",
            "The ledger has no quarantine yet, and this role may not make it.",
            "Without it a repair could not be undone. Nothing was changed.",
            "Run bootstrap.yml again, which makes it and grants it, or use the ledger's owner.",
        )
    for name, words in queries.WRITES.items():
        refuse_lacking_in_ledger(cursor, name, words, "Without it a repair could not be undone. Nothing was changed.")


def ensure_nothing_before(cursor: Cursor) -> None:
    """Let the quarantine take rows that were not there before; raises ServerError if this role may not."""
    if not cursor.row(queries.REFUSES_NOTHING_BEFORE, {})[0]:
        return
    try:
        with cursor.savepoint():
            cursor.run(queries.TAKE_NOTHING_BEFORE, {})
    except ServerError as error:
        if cursor.is_lost:
            raise
        raise ServerError(
            "no_quarantine",
            "The ledger's quarantine is of before there were restores, and takes no row that was not there before.",
            "Without it a restore could not be undone. Nothing was changed.",
            "Run bootstrap.yml again, which mends it, or use the ledger's owner.",
        ) from error


def apply(planner: Planner, repair: int, checks: Sequence[Check], written: Written) -> list[str]:
    """Do what is planned and count again; return what to tell.

    :param written: counts what is written from here on.

    Raises KanbanError, after which the transaction must be rolled back.
    """
    cursor, progress = planner.cursor, planner.progress
    keep = {table.oid: values_of(cursor, table, place, repair) for place, table in enumerate(planner.touched)}
    gone = [table for table in planner.touched if table.deleted]
    changed = [table for table in planner.touched if table.updated]
    going = sum(table.deleted for table in gone)
    for table in progress.each(gone, "keep in quarantine", TABLE, going):
        planner.in_time()
        cursor.run(sql.SQL(queries.KEEP_DELETED).format(table=table.name), keep[table.oid])
        expect(table, table.deleted, cursor.rowcount, "were found again")
        progress.rows(table.deleted)
    for table in progress.each(changed, "change", TABLE, sum(table.updated for table in changed)):
        planner.in_time()
        parked = park_planned(cursor, table.name, table.columns, keep[table.oid])
        written.expect(table.oid, updated=parked + table.updated)
        expect(table, table.updated, change_rows(cursor, table, keep[table.oid]), "could be changed")
        progress.rows(table.updated)
    for table in progress.each(gone, "delete", TABLE, going):
        planner.in_time()
        cursor.run(sql.SQL(queries.DELETE).format(table=table.name), keep[table.oid])
        written.expect(table.oid, deleted=table.deleted)
        left = cursor.row(sql.SQL(queries.NOT_DELETED).format(table=table.name), keep[table.oid])[0]
        expect(table, table.deleted, table.deleted - left, "could be deleted")
        progress.rows(table.deleted)
    planner.in_time()
    cursor.run(queries.IMMEDIATE, {})
    return [*written.judge(), *_look_again(planner, checks)]


def values_of(cursor: Cursor, table: Touched, place: int, repair: int) -> dict[str, Any]:
    """Return the values for statements on a table of the plan; raises ServerError."""
    columns = cursor.row(queries.RELATION, {"schema": table.schema, "name": table.table})[1]
    named = {"schema": table.schema, "name": table.table, "columns": columns}
    return {**named, "relation": table.oid, "repair": repair, "place": place}


def change_rows(cursor: Cursor, table: Touched, values: dict[str, Any]) -> int:
    """Change rows, one statement for each set of columns that take their default: in SQL a default is not a value."""
    types = {row[0]: row[1] for row in cursor.rows(queries.TYPES, values)}
    done = 0
    for (defaults,) in cursor.rows(queries.DEFAULTS, values):
        sets = [
            sql.SQL(queries.SET_DEFAULT if name in defaults else queries.SET_CHANGED).format(
                column=identifier(name),
                column_text=literal(name),
                type=sql.SQL(types[name].replace("%", "%%")),
            )
            for name in table.columns
        ]
        statement = sql.SQL(queries.KEEP_CHANGED).format(
            table=table.name, which=sql.SQL(queries.BY_DEFAULTS), sets=sql.SQL(", ").join(sets)
        )
        cursor.run(statement, {**values, "defaults": defaults})
        done += cursor.rowcount
    return done


def _look_again(planner: Planner, checks: Sequence[Check]) -> list[str]:
    """Count the checks again; return which of those that only inform count more. Raises KanbanError."""
    cursor, relations = planner.cursor, Relations(planner.cursor)
    touched = {table.oid for table in planner.touched}
    for check, planned in zip(planner.progress.each(checks, "count again", CHECK), planner.plan.checks):
        if planned.count is None:
            continue
        planned.remaining = planned.count
        if touched & planner.used[check.name]:
            planner.in_time()
            relations.begin()
            planned.remaining = count(cursor, check, relations)
    emptied, informs = _emptied(planner, checks), {check.name for check in checks if check.severity != DECIDES}
    found = worse(planner.plan.checks, bool(touched), emptied, informs)
    if found:
        raise KanbanError(
            "post_condition",
            f"After the repair {'; '.join(found)}.",
            "It did not do what it was to do, so all of it was rolled back: the data is as it was.",
            "Read the figures before and after in the result; mend what is left over by a check of its own. A check "
            f"that may count more gets a severity below {DECIDES}: then that is only told.",
        )
    return [
        f"After the repair {text}: it only informs ({check.severity}), so the repair stands. Look at those rows."
        for name, text in grown(planner.plan.checks, emptied)
        for check in checks
        if check.name == name
    ]


def _emptied(planner: Planner, checks: Sequence[Check]) -> dict[str, int]:
    """Return how many more rows a check may find with nothing in a column, because that is how others are repaired.

    A ticket whose lane is another company's has none afterwards, and another check looks for tickets without a lane.
    If that check decides, its count still may not grow.
    """
    made: dict[tuple[str | None, str | None], int] = {}
    for check, planned in zip(checks, planner.plan.checks):
        if planned.mends and planned.repair.action == "set_null":
            made[check.table, check.column] = made.get((check.table, check.column), 0) + int(planned.count or 0)
    return {
        check.name: made.get((check.table, check.column), 0)
        for check in checks
        if check.kind in _LOOK_FOR_NOTHING and check.column and check.severity != DECIDES
    }


def add_repair(cursor: Cursor, values: dict[str, Any], plan: dict[str, Any]) -> int:
    """Record a repair; return its number. Raises ServerError."""
    return int(cursor.row(queries.ADD_REPAIR, {**values, "plan": json.dumps(plan)})[0])
