# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that point to a row that is not their tenant's."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, Rows, same
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def invalid_reference(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it, or the check names no tenant column."""
    rows, wanted = relations.find(check.needed("table")), check.needed("references")
    column, owner = rows.column(check.needed("column")), rows.column(check.needed("tenant"))
    parents = relations.find(wanted.table)
    return relations.told(rows, check).rows(
        queries.INVALID_REFERENCE,
        table=rows.name,
        column=identifier(column.name),
        owner=identifier(owner.name),
        parents=parents.name,
        same=same(parents.column(wanted.column), column),
        # Unless it is named, the parents' tenant column has the same name as the rows'.
        same_owner=same(parents.column(wanted.tenant or check.needed("tenant")), owner),
    )
