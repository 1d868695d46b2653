# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items that are in more than one lane at once, when lanes are tags."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relations,
    Rows,
    filled,
    key_of,
    listed,
    of_t,
    same,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def two_lanes(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows, lanes = relations.find(check.needed("table")), check.needed("lanes")
    columns = [rows.column(wanted).name for wanted in check.needed("columns")]
    column = rows.column(check.needed("column"))
    parents = relations.find(lanes.table)
    tenant: sql.Composable = sql.SQL("NULL::text")
    if lanes.tenant:
        whose = sql.SQL("p.{}::text").format(identifier(parents.column(lanes.tenant).name))
        tenant = sql.SQL(queries.CARRIED).format(tenant=whose)
    bad = sql.SQL(queries.TWO_LANES).format(
        key=key_of(columns, sql.SQL("t.kanban_lanes::text")),
        columns=listed(columns),
        carried=tenant,
        latest=relations.latest(rows, check),
        table=rows.name,
        lanes=parents.name,
        same=same(parents.column(lanes.column), column),
        marked=relations.marked(parents, lanes),
        filled=filled(columns),
        column=of_t(column.name),
    )
    affected = sql.SQL(queries.AFFECTED if lanes.tenant else queries.NOT_KNOWN)
    return Rows(bad, [*columns, "lanes"], affected, grouped=True)
