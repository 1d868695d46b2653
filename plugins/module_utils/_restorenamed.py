# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL for the restored rows that a check names: by where they lie, or as one of a group."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrity import rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import key_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import LeftRelations
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import bringback as queries

# Kinds whose rows are found one by one, by their key; in others, such as hours, no row is at fault.
_ONE_BY_ONE = ("cardless_ticket", "cross_tenant", "invalid_reference", "null_reference", "orphan")
_GROUPS = ("duplicate", "ordering", "two_lanes")


def named_by(
    cursor: Cursor, checks: Sequence[Check], tables: Sequence[Backed]
) -> tuple[list[sql.Composable], dict[str, Any]]:
    """Return statements for the restored rows that these checks name, with their parameters.

    Checks of other tables name none. Raises KanbanError.
    """
    by_oid = {table.oid: table for table in tables}
    relations = LeftRelations(cursor)
    statements: list[sql.Composable] = []
    values: dict[str, Any] = {}
    for number, check in enumerate(checks):
        if check.kind not in (*_ONE_BY_ONE, *_GROUPS):
            continue
        relations.begin()
        own = relations.find(check.needed("table"))
        if own.table.oid not in by_oid:
            continue
        rows = rows_of(check, relations)
        # Two checks may have parameters of the same name.
        names = {name: f"{name}_{number}" for name in relations.values}
        values.update({names[name]: value for name, value in relations.values.items()})
        bad = _renamed(cursor, rows.bad, names)
        if check.kind in _ONE_BY_ONE:
            statements.append(sql.SQL(queries.BY_PLACE).format(bad=bad))
            continue
        named = (
            [check.tenant, *check.lane] if check.kind == "ordering" and check.tenant else check.columns or check.lane
        )
        columns = list(dict.fromkeys(own.column(str(one)).name for one in named))
        statements.append(
            sql.SQL(queries.BY_GROUP).format(
                table=identifier(own.table.schema, own.table.name),
                bad=bad,
                parts=sql.Literal(len(columns)),
                key=key_of(columns),
                relation=sql.Literal(own.table.oid),
                one_may_stay=sql.Literal(check.kind == "duplicate"),
            )
        )
    return statements, values


def _renamed(cursor: Cursor, statement: sql.Composable, names: dict[str, str]) -> sql.Composable:
    text = statement.as_string(cursor.driver)
    for name, other in names.items():
        text = text.replace(f"%({name})s", f"%({other})s")
    return sql.SQL(text.replace("{", "{{").replace("}", "}}")).format()
