# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a latch consists of: its two triggers and their functions, by name, and making them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries


@dataclass(frozen=True)
class Names:
    """Trigger and functions of one flag's latch; ``zz_`` makes it fire last, because triggers fire in name order."""

    short: str

    @property
    def trigger(self) -> str:
        return f"zz_kanban_rollback_{self.function}"

    @property
    def function(self) -> str:
        return f"latch_{self.short}"

    @property
    def notes(self) -> str:
        """The function of the second trigger, which records what the first has turned back."""
        return notes_of(self.function)

    @property
    def note_trigger(self) -> str:
        return note_trigger_of(self.trigger)

    @property
    def dormant(self) -> dict[str, sql.Composable]:
        """The owner's functions that raise and lower a dormant latch, as fragments."""
        return dormant_names(self.function)


def names_of(target: Target) -> Names:
    return Names(hashlib.sha256(target.identity.encode()).hexdigest()[:12])


def note_trigger_of(trigger: str) -> str:
    return f"{trigger}_noted"


def notes_of(function: str) -> str:
    return f"note_{function}"


def dormant_names(function: str) -> dict[str, sql.Composable]:
    return {"raises": identifier(f"raise_{function}"), "lowers": identifier(f"lower_{function}")}


def stands(cursor: Cursor, target: Target, names: Names) -> bool:
    """Return whether the trigger is on this table and fires in every replication role."""
    return _fires(cursor, target, names.trigger, names.function)


def guarded(target: Target) -> list[Column]:
    """Return the columns by which an update can switch a tenant on: the flag's, and whose and which flag it is."""
    return list(dict.fromkeys(column for column in (target.column, target.tenant, target.key) if column))


def covers(cursor: Cursor, target: Target, names: Names) -> bool:
    """Return whether both triggers fire for all of these columns; an older version named only the flag's."""
    columns = [column.name for column in guarded(target)]
    return all(_covers(cursor, target, trigger, columns) for trigger in (names.trigger, names.note_trigger))


def _covers(cursor: Cursor, target: Target, trigger: str, columns: list[str]) -> bool:
    values = {"table": target.table.oid, "trigger": trigger, "columns": columns}
    return bool(cursor.row(queries.COVERS, values)[0])


def is_noted(cursor: Cursor, target: Target, names: Names) -> bool:
    """Return whether the trigger that records what is turned back fires as well."""
    return _fires(cursor, target, names.note_trigger, names.notes)


def _fires(cursor: Cursor, target: Target, trigger: str, function: str) -> bool:
    values = {"table": target.table.oid, "trigger": trigger, "function": function}
    return bool(cursor.row(queries.STANDS, values)[0])


def create_triggers(cursor: Cursor, target: Target, names: Names) -> None:
    """Make the latch's trigger and the one that records, as far as they are lacking; raises ServerError.

    A latch that stands is none the worse for a table that is not to be had: it turns back, and records nothing yet.
    """
    stood = stands(cursor, target, names)
    if not stood:
        _create_trigger(cursor, target, names.trigger, names.function, queries.CREATE_TRIGGER)
    if not is_noted(cursor, target, names):
        try:
            with cursor.savepoint():
                put_note(cursor, names)
                _create_trigger(cursor, target, names.note_trigger, names.notes, queries.CREATE_NOTE_TRIGGER)
        except ServerError:
            if not stood:
                raise
    for function, _source in cursor.rows(queries.SOURCES, {"functions": [names.function, names.notes]}):
        _let_owners_copy(cursor, target, function)


def _let_owners_copy(cursor: Cursor, target: Target, function: str) -> None:
    """Shut a function to everybody but the owners of the table's parts, unless it is so already."""
    for owner, is_shut, may_copy in cursor.rows(queries.CALLERS, {"table": target.table.oid, "functions": [function]}):
        if not is_shut:
            shut(cursor, function)
        if not (is_shut and may_copy):
            let_copy = sql.SQL(queries.LET_COPY).format(function=identifier(function), owner=identifier(owner))
            cursor.run(let_copy, {})


def put_note(cursor: Cursor, names: Names) -> None:
    """Make or replace the function that records; raises ServerError."""
    made = sql.SQL(queries.CREATE_NOTE).format(notes=identifier(names.notes), body=sql.SQL("%(body)s"))
    cursor.run(made, {"body": note_body(cursor, names)})


def note_body(cursor: Cursor, names: Names) -> str:
    """Return the body of the function that records, which does so for its own latch's incident alone."""
    return cursor.filled(sql.SQL(queries.NOTE_BODY), {"function": f"kanban_rollback.{names.function}()"})


def _create_trigger(cursor: Cursor, target: Target, trigger: str, function: str, create: str) -> None:
    named = identifier(trigger)
    there = {"table": target.table.oid, "trigger": trigger}
    if not cursor.row(queries.TRIGGER_EXISTS, there)[0]:
        columns = sql.SQL(", ").join(identifier(column.name) for column in guarded(target))
        made = Statements(target).format(create, trigger=named, function=identifier(function), guarded=columns)
        cursor.run(made, {})
    cursor.run(Statements(target).format(queries.ENABLE_ALWAYS, trigger=named), {})


def replace_body(cursor: Cursor, function: str, body: str, incident_id: str) -> None:
    """Make or replace the latch's function, and name its incident; raises ServerError."""
    statement = sql.SQL(queries.CREATE_FUNCTION).format(function=identifier(function), body=sql.SQL("%(body)s"))
    cursor.run(statement, {"body": body})
    _name_holder(cursor, function, incident_id)


def put_no_op(cursor: Cursor, function: str) -> None:
    """Make or replace the latch's function by one that lets everything pass; raises ServerError."""
    cursor.run(sql.SQL(queries.CREATE_NO_OP).format(function=identifier(function)), {})
    _name_holder(cursor, function, None)


def _name_holder(cursor: Cursor, function: str, incident_id: str | None) -> None:
    named = sql.SQL(queries.NAME_HOLDER).format(function=identifier(function), incident=sql.SQL("%(incident)s"))
    cursor.run(named, {"incident": incident_id})


def shut(cursor: Cursor, function: str) -> None:
    """Let nobody make a trigger of a function; raises ServerError."""
    cursor.run(sql.SQL(queries.SHUT).format(function=identifier(function)), {})
