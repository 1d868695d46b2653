# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that exist more than once."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relation,
    Relations,
    Rows,
    filled,
    key_of,
    listed,
    of_t,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def duplicate(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows = relations.find(check.needed("table"))
    columns = [rows.column(wanted).name for wanted in check.needed("columns")]
    leads, affected = _whose(check, rows, relations)
    tenant: sql.Composable = sql.SQL("NULL::text")
    carried: sql.Composable = tenant
    if leads:
        tenant = sql.SQL("{}::text").format(of_t(leads))
        if leads not in columns:
            carried = sql.SQL(queries.CARRIED).format(tenant=tenant)
            tenant = of_t("kanban_tenant")
    bad = sql.SQL(queries.DUPLICATE).format(
        tenant=tenant,
        key=key_of(columns, sql.SQL("t.kanban_rows::text")),
        columns=listed(columns),
        latest=relations.latest(rows, check),
        carried=carried,
        table=rows.name,
        filled=filled(columns),
    )
    return Rows(bad, [*columns, "rows"], affected, grouped=True)


def _whose(check: Check, rows: Relation, relations: Relations) -> tuple[str | None, sql.Composable]:
    """Return the column that gives a row's tenant, itself or through the row it points to; None without one."""
    if check.tenant:
        return rows.column(check.tenant).name, sql.SQL(queries.AFFECTED)
    if not (check.references and check.references.tenant and check.column):
        return None, sql.SQL(queries.NOT_KNOWN)
    owners = relations.find(check.references.table)
    affected = sql.SQL(queries.AFFECTED_THROUGH).format(
        tenant=identifier(owners.column(check.references.tenant).name),
        table=owners.name,
        column=identifier(owners.column(check.references.column).name),
    )
    return rows.column(check.column).name, affected
