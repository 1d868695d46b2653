# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the dormant latch ahead of time: it lets everything pass, and is raised without any table lock."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import refusing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchparts import (
    Names,
    covers,
    create_triggers,
    is_noted,
    names_of,
    note_body,
    put_no_op,
    put_note,
    stands,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries


def install_latch(cursor: Cursor, target: Target, roles: Sequence[str]) -> bool:
    """Put a dormant latch in place, for these roles to raise and to pass; return whether that changed anything.

    Raises ServerError, for instance if this role does not own the table.
    """
    names = names_of(target)
    if not lacks_latch(cursor, target, roles):
        return False
    older = dict(cursor.rows(queries.DEFINERS, {}))
    holder = older.get(names.function)
    if not cursor.rows(queries.SOURCES, {"functions": [names.function]}) or (names.function in older and not holder):
        put_no_op(cursor, names.function)
    put_note(cursor, names)
    if not covers(cursor, target, names):
        notes = identifier(names.note_trigger)
        dropped = Statements(target).format(queries.DROP_TRIGGER, trigger=identifier(names.trigger), note_trigger=notes)
        cursor.run(dropped, {})
    create_triggers(cursor, target, names)
    bodies = _dormant_bodies(cursor, target, names)
    for statement, function in ((queries.CREATE_RAISE, "raises"), (queries.CREATE_LOWER, "lowers")):
        made = sql.SQL(statement).format(**names.dormant, body=sql.SQL("%(body)s"))
        cursor.run(made, {"body": bodies[function]})
    cursor.run(sql.SQL(queries.CLOSE).format(**names.dormant), {})
    for role in roles:
        cursor.run(sql.SQL(queries.GRANT).format(**names.dormant, role=identifier(role)), {})
    if holder:
        # It is up, as an older version raised it.
        cursor.run(sql.SQL(queries.RAISE).format(**names.dormant), {"incident": holder})
    return True


def lacks_latch(cursor: Cursor, target: Target, roles: Sequence[str]) -> bool:
    """Return whether the dormant latch is not as this version installs it, for these roles; raises ServerError."""
    names = names_of(target)
    granted = {"functions": [f"raise_{names.function}", f"lower_{names.function}"], "roles": list(roles)}
    called = {"functions": [names.function, names.notes], "table": target.table.oid}
    return (
        is_of_another_version(cursor, target)
        or not cursor.row(queries.GRANTED, granted)[0]
        or {row[1:] for row in cursor.rows(queries.CALLERS, called)} != {(True, True)}
        or not stands(cursor, target, names)
        or not is_noted(cursor, target, names)
        or not covers(cursor, target, names)
    )


def is_of_another_version(cursor: Cursor, target: Target) -> bool:
    """Return whether any function of the dormant latch is missing, or is not exactly what is installed now."""
    names = names_of(target)
    bodies = _dormant_bodies(cursor, target, names)
    wanted = {
        f"raise_{names.function}": bodies["raises"],
        f"lower_{names.function}": bodies["lowers"],
        names.notes: note_body(cursor, names),
    }
    return dict(cursor.rows(queries.SOURCES, {"functions": list(wanted)})) != wanted or names.function in dict(
        cursor.rows(queries.DEFINERS, {})
    )


def _dormant_bodies(cursor: Cursor, target: Target, names: Names) -> dict[str, str]:
    """Return the bodies of the functions with which a role that owns nothing ``raises`` and ``lowers``."""
    function = identifier(names.function)
    create = sql.SQL(queries.CREATE_FUNCTION).format(function=function, body=sql.SQL("%%L"))
    comment = sql.SQL(queries.NAME_HOLDER).format(function=function, incident=sql.SQL("%%L"))
    marker = "kanban_rollback incident"
    values = {
        "lock": queries.LOCK,
        "create": cursor.filled(create, {}),
        "comment": cursor.filled(comment, {}),
        "refusing": refusing(cursor, target, marker, names, f"raise_{names.function}"),
        "marker": f"'{marker}'",
        "no_op": cursor.filled(sql.SQL(queries.CREATE_NO_OP).format(function=function), {}),
    }
    placed = {name: sql.SQL(f"%({name})s") for name in values}
    texts = {"raises": queries.RAISE_BODY, "lowers": queries.LOWER_BODY}
    return {name: cursor.filled(sql.SQL(text).format(**placed), values) for name, text in texts.items()}
