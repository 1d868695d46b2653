# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the dormant latch ahead of time: it lets everything pass, and is raised without any table lock."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._handover import hand_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import (
    Names,
    create_trigger,
    names_of,
    refusing,
    replace_body,
    shut,
    stands,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries


def install_latch(cursor: Cursor, target: Target, roles: Sequence[str]) -> bool:
    """Put a dormant latch in place, for these roles to raise and to pass; return whether that changed anything.

    It is the table owner's if this role may give it away. Raises ServerError, for instance if the table is another
    role's.
    """
    names = names_of(target)
    functions = [f"raise_{names.function}", f"lower_{names.function}"]
    bodies = dict(zip(functions, _dormant_bodies(cursor, target, names)))
    sources = dict(cursor.rows(queries.SOURCES, {"functions": functions}))
    granted = cursor.row(queries.GRANTED, {"functions": functions, "roles": list(roles)})[0]
    is_shut = cursor.rows(queries.IS_SHUT, {"function": names.function})
    there = {"table": target.table.oid, "function": names.function}
    owner, handed, becomes, records = cursor.row(queries.OWNER, there)
    complete = sources == bodies and granted and is_shut == [(True,)] and stands(cursor, target, names)
    if complete and (not becomes or (handed and records)):
        return False
    if is_shut:
        shut(cursor, names.function)
    else:
        replace_body(cursor, names.function, queries.NO_OP_BODY)
    create_trigger(cursor, target, names)
    for statement, name in ((queries.CREATE_RAISE, functions[0]), (queries.CREATE_LOWER, functions[1])):
        made = sql.SQL(statement).format(**names.dormant, body=sql.SQL("%(body)s"))
        cursor.run(made, {"body": bodies[name]})
    cursor.run(sql.SQL(queries.CLOSE).format(**names.dormant), {})
    for role in roles:
        cursor.run(sql.SQL(queries.GRANT).format(**names.dormant, role=identifier(role)), {})
    if becomes and not records:
        cursor.run(sql.SQL(queries.LET_RECORD).format(owner=identifier(owner)), {})
    if becomes and not handed:
        hand_over(cursor, sql.SQL("{}()").format(identifier(names.function)), owner)
    return True


def _dormant_bodies(cursor: Cursor, target: Target, names: Names) -> tuple[str, str]:
    """Return the bodies of the owner's functions that raise and lower."""
    function = identifier(names.function)
    create = sql.SQL(queries.CREATE_FUNCTION).format(function=function, body=sql.SQL("%%L"))
    comment = sql.SQL(queries.NAME_HOLDER).format(function=function, incident=sql.SQL("%%L"))
    marker = "kanban_rollback incident"
    values = {
        "lock": queries.LOCK,
        "create": cursor.filled(create, {}),
        "comment": cursor.filled(comment, {}),
        "refusing": refusing(cursor, target, marker, names.dormant["raises"]),
        "marker": f"'{marker}'",
        "no_op": queries.NO_OP_BODY,
    }
    placed = {name: sql.SQL(f"%({name})s") for name in values}
    raising = cursor.filled(sql.SQL(queries.RAISE_BODY).format(**placed), values)
    return raising, cursor.filled(sql.SQL(queries.LOWER_BODY).format(**placed), values)
