# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that tells who has changed a flag since we wrote it. As in ``flag``, ``t`` is the flag's table. Only reads."""

from __future__ import annotations

# The same comparison as the undo's, without its locks: an undo leaves these alone.
CHANGED = """
SELECT DISTINCT w.tenant
FROM unnest(%(tenants)s::text[], %(writtens)s::text[]) AS w(tenant, written)
JOIN {table} AS t ON {scope} AND {rows}
WHERE {leaf} IS DISTINCT FROM w.written::{written_type}::text
"""
