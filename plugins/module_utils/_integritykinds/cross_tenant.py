# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that connect a row of one tenant to a row of another."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, Reference
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relations,
    Rows,
    differ,
    same,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def cross_tenant(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it, or nothing names the tenant of an end."""
    rows = relations.find(check.needed("table"))
    one, other = check.needed("references"), check.needed("other_references")
    parents, others = relations.find(one.table), relations.find(other.table)
    owner, other_owner = parents.column(_tenant(check, one)), others.column(_tenant(check, other))
    key, names = relations.key(rows)
    bad = sql.SQL(queries.CROSS_TENANT).format(
        key=key,
        moment=relations.moment_of(rows, check),
        owner=identifier(owner.name),
        table=rows.name,
        parents=parents.name,
        same=same(parents.column(one.column), rows.column(check.needed("column"))),
        others=others.name,
        same_other=same(others.column(other.column), rows.column(check.needed("other_column")), "o"),
        differ=differ(owner, other_owner, "p", "o"),
    )
    return Rows(bad, names, sql.SQL(queries.AFFECTED))


def _tenant(check: Check, reference: Reference) -> str:
    if not reference.tenant:
        raise check.wrong("incomplete_check", f"does not say whose rows of {reference.table} are (option tenant there)")
    return reference.tenant
