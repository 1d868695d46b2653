# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding what a ranking reads: tables, columns, rights, and the list that the incident has already frozen."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import (
    refuse_unreachable,
    refuse_unreadable,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import (
    BIG_BYTES,
    FROZEN,
    RankRequest,
    thaw,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import Logs, Owners
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankwords import size_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ranking as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import DATA_EXCEPTION

_TIMES = ("timestamptz", "timestamp")
_CONTEXTS = ("text", "varchar", "bpchar", "citext", "json", "jsonb")


_NOT_COUNTED = "It cannot count the tenants' errors. Nothing was changed."


class MissingErrors(BadInput):
    """There is no table of errors, or it lacks these columns."""


def find_logs(cursor: Cursor, request: RankRequest) -> Logs:
    """Return the table of errors; raises KanbanError if it, a column or the right to read it is missing."""
    if not request.error_logs:
        raise _of_errors(
            BadInput("missing_table", "The profile names no table of errors.", "", "Name it where there is one.")
        )
    names = [request.column("error_logs", logical) for logical in ("company", "created_at")]
    if request.contains:
        names.append(request.column("error_logs", "context"))
    try:
        table, columns = find_table(cursor, request.error_logs)
        found = [resolve_column(name, columns, str(table)) for name in names]
    except BadInput as error:
        if error.code == "missing_table":
            refuse_unreachable(cursor, request.error_logs, _NOT_COUNTED)
        raise _of_errors(error) from error
    logs = Logs(table, *found)
    _check_types(logs)
    refuse_unreadable(cursor, table, [column.name for column in found], _NOT_COUNTED)
    if logs.naive:
        _check_zone(cursor, request.naive_timezone)
    return logs


def _of_errors(error: BadInput) -> MissingErrors:
    """Say what a missing table or column of errors means, because the error itself speaks of the flag."""
    return MissingErrors(
        error.code,
        error.what,
        "Without it nobody can be ranked, and an empty list would read as 'nobody is affected'. Nothing was changed.",
        f"{error.todo} The table of errors is kanban_tables.error_logs, its columns kanban_columns.error_logs. Where "
        "the application keeps none, name the tenants yourself, or stop all of them (scenario 1).",
        **error.details,
    )


def _check_types(logs: Logs) -> None:
    for column, kinds, what in (
        (logs.at, _TIMES, "timestamp or timestamptz"),
        (logs.context, _CONTEXTS, "text, varchar, json or jsonb"),
    ):
        if column and column.kind not in kinds:
            raise BadInput(
                "wrong_column_type",
                f"Column {logs.table}.{column.name} is of type {column.type_name}, not {what}.",
                "The window, or the text in it, could not be found there. Nothing was changed.",
                "Name the right column in kanban_columns.error_logs.",
            )


def _check_zone(cursor: Cursor, zone: str) -> None:
    try:
        with cursor.savepoint():
            cursor.row(queries.ZONE, {"zone": zone})
    except ServerError as error:
        if not str(error.details.get("sqlstate")).startswith(DATA_EXCEPTION):
            raise
        raise BadInput(
            "unknown_timezone",
            f"naive_timezone: {error.what}",
            "The errors have times without a zone, so the window depends on it. Nothing was read.",
            "Give a name such as UTC (what most ORMs write) or America/Sao_Paulo.",
        ) from error


def find_owners(
    cursor: Cursor, wanted: str | None, request: RankRequest, key: str, warnings: list[str]
) -> Owners | None:
    """Return the table of companies or users; None, with a warning, if it cannot be read: the list does without."""
    if not wanted:
        return None
    logical = ("id", "name") if key == "companies" else ("company",)
    names = [request.column(key, name) for name in logical]
    try:
        table, columns = find_table(cursor, wanted)
        found = [resolve_column(name, columns, str(table)) for name in names]
        refuse_unreadable(cursor, table, [column.name for column in found], _NOT_COUNTED)
    except (BadInput, ServerError) as error:
        if cursor.is_lost:
            raise
        what = "names of tenants are not shown" if key == "companies" else "users are not counted"
        todo = f" {error.todo}" if error.code == "missing_privilege" else ""
        warnings.append(f"{what}: {error.what}{todo}")
        return None
    return Owners(table, found[0], found[1] if key == "companies" else None)


def look_for_index(cursor: Cursor, logs: Logs) -> dict[str, Any]:
    """Return whether a large table lacks an index that it needs, and the statement that makes one."""
    values = {
        "table": logs.table.oid,
        "partitioned": logs.table.partitioned,
        "at": logs.at.name,
        "company": logs.company.name,
        "schema": logs.table.schema,
        "name": logs.table.name,
    }
    there, size, statement = cursor.row(queries.INDEX, values)
    missing = not there and size > BIG_BYTES
    hint = f"{logs.table} has {size_of(size)} and no index on {logs.at.name}: all of it is read each time. {statement};"
    return {"index_missing": missing, "index_hint": hint if missing else None}


def find_frozen(cursor: Cursor, request: RankRequest, warnings: list[str]) -> tuple[LedgerState, dict[str, Any] | None]:
    """Return the ledger's state, and the list that the incident froze first; None if it has none.

    A ledger that cannot be read does not stop a ranking; one of another environment does. Raises BadInput for that.
    """
    try:
        with cursor.savepoint():
            state = ledger.ledger_state(cursor)
    except ServerError as error:
        if cursor.is_lost:
            raise
        state = LedgerState(True, False, False, reason=error.what)
    ledger.check_environment(state, request.environment)
    if not request.incident_id:
        return state, None
    try:
        ledger.check_version(state)
        if state.usable:
            with cursor.savepoint():
                return state, _first_frozen(cursor, request)
        why = state.reason or ("this role may not read it" if state.present else "there is none")
    except (BadInput, ServerError) as error:
        if cursor.is_lost:
            raise
        why = error.what
    warnings.append(f"The ledger could not be asked for a frozen list ({why}): this one was made now.")
    return state, None


def switched_ago(cursor: Cursor, target: Target, frozen: dict[str, Any]) -> float | None:
    """Return how many seconds ago a frozen list was switched off; None if the ledger does not have it."""
    listed = [tenant["tenant"] for tenant in frozen["tenants"]]
    try:
        with cursor.savepoint():
            return ledger.switched_ago(cursor, frozen["incident_id"], target.identity, listed)
    except ServerError:
        if cursor.is_lost:
            raise
        return None


def _first_frozen(cursor: Cursor, request: RankRequest) -> dict[str, Any] | None:
    incident = _meant(cursor, request)
    if incident is None:
        return None
    rows = cursor.rows(queries.FROZEN, {"incident": incident, "event": FROZEN, "age": request.frozen_age})
    return {**thaw(json.loads(rows[0][1]), rows[0][0]), "incident_id": incident} if rows else None


def _meant(cursor: Cursor, request: RankRequest) -> str | None:
    """Return the open incident that is meant; a closed one's list is history, and the next one starts afresh."""
    is_open = [row["incident_id"] for row in ledger.list_incidents(cursor, only_open=True)]
    found = ledger.find_incident(cursor, request.incident_id or "")
    if found in is_open:
        return found
    return is_open[0] if request.adopt and is_open else None
