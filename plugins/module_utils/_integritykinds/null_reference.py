# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows with a NULL reference where NULL is not allowed."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, Rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def null_reference(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows = relations.find(check.needed("table"))
    column = rows.column(check.needed("column"))
    told = relations.told(rows, check)
    return told.rows(queries.NULL_REFERENCE, table=rows.name, column=identifier(column.name))
