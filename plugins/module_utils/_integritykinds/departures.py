# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours with more or fewer rows than usual: they show when it began."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, Rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries

# Two weekends: fewer days do not show what is usual.
LEAST_DAYS = 14
MOST_DAYS = 366
MOST_HOURS = 24 * 31


def timeline(check: Check, relations: Relations) -> Rows:
    """Return what to count: hours with too many or too few rows; raises BadInput if the schema lacks it."""
    return _departures(check, relations, check.departure or "either")


def mass_delete(check: Check, relations: Relations) -> Rows:
    """Return the same for hours with too few rows, because deleted rows leave no other trace."""
    return _departures(check, relations, check.departure or "fewer")


def _departures(check: Check, relations: Relations, which: str) -> Rows:
    rows = relations.find(check.needed("table"))
    column = rows.column(check.needed("time"))
    if column.kind not in ("timestamptz", "timestamp"):
        raise check.wrong("bad_time", f"has the time {column.name!r}, which is {column.type_name} and knows no hours")
    _refuse_odd(check)
    relations.values.update(
        time_zone=check.time_zone,
        window_hours=check.window_hours,
        baseline_days=check.baseline_days,
        least_days=LEAST_DAYS,
        threshold=check.threshold,
        more=which != "fewer",
        fewer=which != "more",
    )
    begins = sql.SQL(queries.BEGINS)
    moment = relations.moment(column, check)
    bad = sql.SQL(queries.HOURS).format(
        moment=moment,
        table=rows.name,
        column=identifier(column.name),
        begins=begins,
        since=_as(column, sql.SQL(queries.SINCE).format(begins=begins)),
        until=_as(column, sql.SQL(queries.UNTIL)),
    )
    history = sql.SQL(queries.HAS_HISTORY).format(
        table=rows.name,
        column=identifier(column.name),
        before=_as(column, sql.SQL(queries.LEAST_HISTORY).format(begins=begins)),
    )
    lacking = BadInput(
        "too_little_history",
        f"{rows.table} has no rows from {LEAST_DAYS} days before the hours to look at.",
        "Nobody can tell what is usual there. Nothing was counted.",
        "Wait until it has, or drop the check (kanban_integrity_checks).",
    )
    names = ["hour", "rows", "usual"]
    return Rows(bad, names, sql.SQL(queries.NOT_KNOWN), applies=history, lacking=lacking)


def _as(column: Column, moment: sql.Composable) -> sql.Composable:
    """Return a moment in the column's type, so that an index on the column can be used."""
    return moment if column.kind == "timestamptz" else sql.SQL(queries.IN_ZONE).format(time=moment)


def _refuse_odd(check: Check) -> None:
    for name, value, least, most in (
        ("window_hours", check.window_hours, 1, MOST_HOURS),
        ("baseline_days", check.baseline_days, LEAST_DAYS, MOST_DAYS),
        ("threshold", check.threshold, 1, 1000),
    ):
        if not least <= value <= most:
            raise check.wrong("bad_check", f"has {name} {value:g}, which is not from {least} to {most}")
