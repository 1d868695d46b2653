# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows whose reference leads to nothing."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relations,
    Rows,
    of_t,
    same,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def orphan(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows, wanted = relations.find(check.needed("table")), check.needed("references")
    column = rows.column(check.needed("column"))
    parents = relations.find(wanted.table)
    null_counts: sql.Composable = sql.SQL("TRUE")
    if check.null_is == "ignored":
        null_counts = sql.SQL("{} IS NOT NULL").format(of_t(column.name))
    return relations.told(rows, check).rows(
        queries.ORPHAN,
        table=rows.name,
        null_counts=null_counts,
        parents=parents.name,
        same=same(parents.column(wanted.column), column),
    )
