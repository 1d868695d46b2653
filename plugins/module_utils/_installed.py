# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was installed ahead of time is of this version."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import is_dormant
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchinstall import is_of_another_version
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchparts import names_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as bodies
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch


def older_parts(cursor: Cursor, target: Target | None) -> list[str]:
    """Return what is there of a dormant fence and of this flag's dormant latch that differs; raises ServerError."""
    older: list[str] = []
    view = read_view(cursor, [])
    # All of it is in the ledger's schema.
    if not view.has_schema:
        return older
    there = view.helpers
    if there and any(name not in there or there[name].body != body for name, body in bodies.FUNCTIONS.items()):
        older.append("the fence's functions")
    mine = names_of(target).function if target and is_dormant(cursor, names_of(target)) else ""
    if target and mine and is_of_another_version(cursor, target):
        older.append(f"the latch of {target.identity}")
    # One that lets everything pass runs nothing of anybody's.
    definers = cursor.rows(latch.DEFINERS, {})
    older += [f"kanban_rollback.{name}(), up for {holder}" for name, holder in definers if holder and name != mine]
    return older
