# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latch: raised with the kill, lowered in an instant, dropped when the table is free."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchparts import (
    Names,
    create_triggers,
    dormant_names,
    guarded,
    names_of,
    note_trigger_of,
    notes_of,
    put_no_op,
    replace_body,
    stands,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    Cursor,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.guards import PASS_HERE

# Longer than deadlock_timeout (1 s): a shorter wait never makes autovacuum give way.
LOCK_SECONDS = 2.0


@dataclass(frozen=True)
class Latch:
    """The outcome of raising: ``raised``, whether stale writes are turned back from now on, and ``reason``, why not."""

    raised: bool
    reason: str | None = None

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``latch`` result."""
        return {"raised": self.raised, "reason": self.reason}


def raise_latch(session: Session, target: Target, incident_id: str, lock_seconds: float = LOCK_SECONDS) -> Latch:
    """Put the latch in place. Never raises: without a latch there is still the sweep, and the result says so.

    :param lock_seconds: how long to wait for the table, which one that is made on demand has to lock.
    """
    names = names_of(target)
    try:
        with session.transaction(lock_seconds * 3, lock_seconds) as cursor:
            if is_dormant(cursor, names):
                if not stands(cursor, target, names):
                    return Latch(False, "The dormant latch has no trigger that fires on the table; run bootstrap.yml.")
                cursor.run(sql.SQL(queries.RAISE).format(**names.dormant), {"incident": incident_id})
            else:
                cursor.run(PASS_HERE, {})
                replace_body(cursor, names.function, refusing(cursor, target, incident_id, names), incident_id)
                create_triggers(cursor, target, names)
    except ServerError as error:
        return Latch(False, error.what)
    return Latch(True)


def standing_latch(session: Session, target: Target) -> Latch:
    """Return the latch that an earlier run has left up, for whoever cannot raise one: that takes the ledger."""
    try:
        with session.transaction(LOCK_SECONDS, mode="READ ONLY") as cursor:
            if latch_holder(cursor, target)[0] is not None and stands(cursor, target, names_of(target)):
                return Latch(True)
    except ServerError:
        pass  # There is no schema in which it could be.
    return Latch(False, "it needs the ledger, which could not be used")


def refusing(cursor: Cursor, target: Target, incident_id: str, names: Names, raises: str | None = None) -> str:
    """Return the body of a latch that is up; ``raises``: the name of the function that raises a dormant one."""
    statements = Statements(target, as_json=target.is_document, bare=True)
    switch_off = statements.format(
        queries.SWITCH_OFF_DOCUMENT if target.is_document else queries.SWITCH_OFF,
        steps=sql.Literal(len(target.flag.path)),
        value=sql.SQL("%(written)s::text"),
        written=Statements(target, as_jsonb=target.is_document, bare=True).fragments["written"],
    )
    passes = sql.SQL(queries.RAISER_PASSES if raises else queries.OWNER_PASSES).format(
        function=sql.SQL("%(function)s"), raises=sql.SQL("%(raises)s")
    )
    body = statements.format(
        queries.FUNCTION_BODY,
        incident=sql.SQL("%(incident)s::text"),
        passes=passes,
        # Also the row without a tenant: its value holds for every tenant that has no row.
        rows=statements.fragments["key_matches"],
        flag=sql.SQL("%(flag)s::text"),
        # A tenant's own row is missing there, not a key in it.
        has_default=sql.SQL("TRUE" if target.key else "FALSE"),
        absent_is_on=sql.SQL("TRUE" if target.owners and target.flag.absent_is_on else "FALSE"),
        oid=sql.Literal(target.table.oid),
        switch_off=switch_off,
        as_stored=sql.SQL("t.{}::text").format(identifier(target.column.name)),
    )
    values = {
        **statements.params,
        "members": [json.dumps(name) for name in target.flag.path],
        "incident": incident_id,
        "function": names.function,
        "raises": raises,
        "flag": target.identity,
        "written": target.written(False),
    }
    return cursor.filled(body, values)


def is_dormant(cursor: Cursor, names: Names) -> bool:
    """Return whether a dormant latch is installed, with the functions that raise and lower it."""
    return bool(cursor.rows(queries.SOURCES, {"functions": [f"raise_{names.function}"]}))


def latch_problem(cursor: Cursor, target: Target) -> str | None:
    """Return why this role could not raise a flag's latch in an incident, None if it could, '' without a ledger."""
    names = names_of(target)
    values = {"table": target.table.oid, "columns": [column.name for column in guarded(target)]}
    found = cursor.rows(queries.AHEAD, {**values, "trigger": names.trigger, "function": names.function})
    if not found:
        return ""
    dormant, callable_, stands, could_make = found[0]
    where = f"{target.table} ({', '.join(column.name for column in guarded(target))})"
    if dormant and not callable_:
        return f"The latch of {target.identity} is installed, but this role may not raise it."
    if dormant and not stands:
        return f"The latch of {target.identity} is installed, but no trigger of it fires on {where}."
    if not dormant and not could_make:
        return f"No latch of {target.identity} is installed; this role cannot make it: it does not own {target.table}."
    return None


def latch_is_up(cursor: Cursor, target: Target, incident_id: str) -> bool:
    """Return whether this incident's latch keeps a flag off already: its function refuses, and its trigger fires."""
    return latch_holder(cursor, target)[0] == incident_id and stands(cursor, target, names_of(target))


def latch_holder(cursor: Cursor, target: Target) -> tuple[str | None, bool, str, str | None]:
    """Return the incident whose latch is up on a flag (None: there is none), whether we may pass it, and its owner.

    And, for a dormant one that its owner does not let us raise, the statement that would.
    """
    found = cursor.rows(queries.HOLDER, {"function": names_of(target).function})
    holder, may_pass, owner, grant = found[0] if found else (None, True, "", None)
    return holder, may_pass, owner, grant


def let_through(cursor: Cursor, function: str, dormant: bool) -> None:
    """Make one latch let everything pass; raises ServerError, for instance if its function belongs to another role."""
    if dormant:
        cursor.run(sql.SQL(queries.LOWER).format(**dormant_names(function)), {})
    else:
        put_no_op(cursor, function)


def latch_holders(cursor: Cursor) -> list[str]:
    """Return the incidents whose latches are up."""
    return sorted({row[4] for row in cursor.rows(queries.LATCHES, {}) if row[4]})


def lower_latches(
    session: Session,
    target: Target | None = None,
    incident_id: str | None = None,
    purge: bool = False,
    check: Callable[[Cursor], None] | None = None,
) -> list[str]:
    """Let everything pass at once, then drop what was made on demand; return what stayed behind as a pass-through.

    :param target: only this flag's latch; None means all latches of this ledger.
    :param incident_id: only latches of this incident: closing an old one must not unlatch the one in progress.
    :param purge: drop dormant ones, too.
    :param check: asked before anything is lowered, and again before that, and each removal, is committed: a stop that
        began in between could not raise its latch then. What it raises keeps them as they are.

    Raises ServerError if even the function cannot be replaced (it belongs to another role).
    """
    with session.transaction(5.0) as cursor:
        found = cursor.rows(queries.LATCHES, {})
        found = [row for row in found if target is None or row[0] == names_of(target).function]
        found = [row for row in found if incident_id is None or row[4] in (None, incident_id)]
        if check:
            check(cursor)
        cursor.run(PASS_HERE, {})
        for function, dormant in sorted({(row[0], row[5]) for row in found}):
            let_through(cursor, function, dormant)
        if check:
            check(cursor)
    left = []
    for function, trigger, schema, table, _incident, dormant in found:
        if dormant and not purge:
            continue
        try:
            with session.transaction(LOCK_SECONDS * 2, LOCK_SECONDS) as cursor:
                cursor.run(PASS_HERE, {})
                if trigger:
                    triggers = {"trigger": identifier(trigger), "note_trigger": identifier(note_trigger_of(trigger))}
                    place = {"table": identifier(schema, table)}
                    cursor.run(sql.SQL(queries.DROP_TRIGGER).format(**triggers, **place), {})
                functions = {"function": identifier(function), "notes": identifier(notes_of(function))}
                cursor.run(sql.SQL(queries.DROP_FUNCTION).format(**functions), {})
                if dormant:
                    cursor.run(sql.SQL(queries.DROP_DORMANT).format(**dormant_names(function)), {})
                if check:
                    check(cursor)
        except ServerError as error:
            left.append(f"{trigger} on {schema}.{table}: {error.what}")
    return left


def count_latched(cursor: Cursor, incident_id: str) -> tuple[int, int, int]:
    """Return how many writes the latch turned back under an incident, of how many tenants, and how many passed it."""
    writes, tenants, passed = cursor.row(queries.LATCHED, {"incident": incident_id})
    return writes, tenants, passed
