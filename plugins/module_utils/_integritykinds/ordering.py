# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions that occur twice in a lane, or are missing from it."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relations,
    Rows,
    filled,
    key_of,
    listed,
    of_t,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries

INTEGERS = ("int2", "int4", "int8")
_COUNTED = ("rows", "twice", "unplaced", "left_out")


def ordering(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows = relations.find(check.needed("table"))
    position = rows.column(check.needed("position"))
    named = [check.tenant, *check.needed("lane")] if check.tenant else list(check.needed("lane"))
    lane = list(dict.fromkeys(rows.column(wanted).name for wanted in named))
    left_out: sql.Composable = sql.SQL(queries.NONE_LEFT_OUT)
    # Between two fractional numbers, or two texts, there is always room for a third.
    if check.gaps == "corrupt" and position.kind in INTEGERS:
        left_out = sql.SQL(queries.LEFT_OUT).format(position=of_t(position.name))
    # The first column is the lane's tenant, if that is known.
    tenant = sql.SQL("{}::text").format(of_t(lane[0])) if check.tenant else sql.SQL("NULL::text")
    bad = sql.SQL(queries.ORDERING).format(
        tenant=tenant,
        key=key_of(lane, *(sql.SQL(f"t.kanban_{name}::text") for name in _COUNTED)),
        lane=listed(lane),
        position=of_t(position.name),
        left_out=left_out,
        latest=relations.latest(rows, check),
        table=rows.name,
        filled=filled(lane),
    )
    affected = sql.SQL(queries.AFFECTED if check.tenant else queries.NOT_KNOWN)
    return Rows(bad, [*lane, *_COUNTED], affected, grouped=True)
