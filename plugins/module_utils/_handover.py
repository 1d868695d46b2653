# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a function of ours to the owner of the table which it works on."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import handover as queries


def hand_over(cursor: Cursor, function: sql.Composable, owner: str) -> None:
    """Make a role the owner of a function of the ledger's schema, given with its arguments' types; raises ServerError.

    The role must be one that ours can become. Who may call the function stays as it is.
    """
    names = {"function": function, "owner": identifier(owner)}
    lacks = not cursor.row(queries.MAY_CREATE, {"owner": owner})[0]
    if lacks:
        cursor.run(sql.SQL(queries.LET_CREATE).format(**names), {})
    cursor.run(sql.SQL(queries.GIVE).format(**names), {})
    if lacks:
        cursor.run(sql.SQL(queries.KEEP_FROM_CREATING).format(**names), {})
