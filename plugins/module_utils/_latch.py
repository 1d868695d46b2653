# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latch: raised after the kill, lowered in an instant, dropped when the table is free."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    Cursor,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries

# Above deadlock_timeout (1 s): a shorter wait never makes autovacuum give way.
LOCK_SECONDS = 2.0
PASSAGE = "kanban_rollback.passage"


@dataclass(frozen=True)
class Latch:
    """``raised`` tells whether stale writes are turned back from now on; ``reason`` says why not."""

    raised: bool
    reason: str | None = None

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``latch`` result."""
        return {"raised": self.raised, "reason": self.reason}


def _names(target: Target) -> tuple[str, str]:
    """Trigger and function; ``zz_`` gives the latch the last word, for triggers fire in the order of their names."""
    short = hashlib.sha256(target.identity.encode()).hexdigest()[:12]
    return f"zz_kanban_rollback_latch_{short}", f"latch_{short}"


def raise_latch(session: Session, target: Target, incident_id: str) -> Latch:
    """Put the latch in place. Never raises: without it the sweep still stands, and the result says so."""
    trigger, function = _names(target)
    as_jsonb = target.is_document
    statements = Statements(target, as_jsonb=as_jsonb)
    try:
        with session.transaction(LOCK_SECONDS * 3, LOCK_SECONDS) as cursor:
            owner = cursor.row("SELECT current_user::text", {})[0]
            body = statements.format(
                queries.FUNCTION_BODY,
                incident=sql.SQL("%(incident)s::text"),
                owner=sql.SQL("%(owner)s::name"),
                flag=sql.SQL("%(flag)s::text"),
            )
            values = {
                **statements.params,
                "incident": incident_id,
                "owner": owner,
                "flag": target.identity,
                "written": target.written(False),
            }
            _replace_body(cursor, function, cursor.filled(body, values), incident_id)
            if (function, trigger) not in {(row[0], row[1]) for row in cursor.rows(queries.LATCHES, {})}:
                cursor.run(
                    statements.format(
                        queries.CREATE_TRIGGER, trigger=identifier(trigger), function=identifier(function)
                    ),
                    {},
                )
    except ServerError as error:
        return Latch(False, error.what)
    return Latch(True)


def _replace_body(cursor: Cursor, function: str, body: str, incident_id: str | None = None) -> None:
    statement = sql.SQL(queries.CREATE_FUNCTION).format(function=identifier(function), body=sql.SQL("%(body)s"))
    cursor.run(statement, {"body": body})
    cursor.run(sql.SQL(queries.NAME_HOLDER).format(function=identifier(function)), {"incident": incident_id})


def latch_holder(cursor: Cursor, target: Target) -> tuple[str | None, bool, str]:
    """Return the incident whose latch is up on a flag (None: there is none), whether we may pass it, and its owner."""
    found = cursor.rows(queries.HOLDER, {"function": _names(target)[1]})
    return (found[0][0], found[0][1], found[0][2]) if found else (None, True, "")


def lower_latches(session: Session, target: Target | None = None, incident_id: str | None = None) -> list[str]:
    """Let everything pass at once, then drop what can be dropped; return what stayed behind as a pass-through.

    :param target: only this flag's latch; None means all of this ledger.
    :param incident_id: only latches of this incident: closing an old one must not unlatch the one in progress.

    Raises ServerError when even the function cannot be replaced (it belongs to another role).
    """
    with session.transaction(5.0) as cursor:
        found = cursor.rows(queries.LATCHES, {})
        found = [row for row in found if target is None or row[0] == _names(target)[1]]
        found = [row for row in found if incident_id is None or row[4] in (None, incident_id)]
        for function in sorted({row[0] for row in found}):
            _replace_body(cursor, function, queries.NO_OP_BODY)
    left = []
    for function, trigger, schema, table, _incident in found:
        try:
            with session.transaction(LOCK_SECONDS * 2, LOCK_SECONDS) as cursor:
                if trigger:
                    names = {"trigger": identifier(trigger), "table": identifier(schema, table)}
                    cursor.run(sql.SQL(queries.DROP_TRIGGER).format(**names), {})
                cursor.run(sql.SQL(queries.DROP_FUNCTION).format(function=identifier(function)), {})
        except ServerError as error:
            left.append(f"{trigger} on {schema}.{table}: {error.what}")
    return left


def count_latched(cursor: Cursor, incident_id: str) -> tuple[int, int]:
    """Return how many writes the latch turned back under an incident, and of how many tenants."""
    writes, tenants = cursor.row(queries.LATCHED, {"incident": incident_id})
    return writes, tenants
