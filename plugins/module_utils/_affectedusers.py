# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many users belong to the tenants that an incident switched off, within a time limit; unknown is not 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import resolve_column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import given_query
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import affected as queries


@dataclass(frozen=True)
class UsersRequest:
    """Where the users are. ``query``: the profile's own count, with ``%(tenants)s``; ``seconds``: limits all of it."""

    table: str | None
    column: str
    query: str | None
    seconds: float


def count_users(session: Session, incident_id: str, request: UsersRequest) -> dict[str, Any]:
    """Return ``users_count``, null if it cannot be counted, and ``users_note``, the reason."""
    try:
        with session.transaction(request.seconds, mode="READ ONLY") as cursor:
            canonical = ledger.find_incident(cursor, incident_id)
            if canonical is None:
                return _unknown("The ledger does not know the incident.")
            tenants = [row[0] for row in cursor.rows(queries.SWITCHED_OFF, {"incident": canonical})]
            if request.query:
                rows = cursor.rows(given_query(request.query), {"tenants": tenants})
            else:
                table, columns = find_table(cursor, request.table or "")
                statement = sql.SQL(queries.USERS).format(
                    users=identifier(table.schema, table.name),
                    company=identifier(resolve_column(request.column, columns, str(table)).name),
                )
                rows = cursor.rows(statement, {"tenants": array_text(tenants)})
    except KanbanError as error:
        return _unknown(error.what)
    if len(rows) == 1 and len(rows[0]) == 1 and isinstance(rows[0][0], int):
        return {"users_count": rows[0][0], "users_note": ""}
    return _unknown("users_query has to return one row with one whole number.")


def _unknown(why: str) -> dict[str, Any]:
    return {"users_count": None, "users_note": why}
