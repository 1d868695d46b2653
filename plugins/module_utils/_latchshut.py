# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latches whose functions everybody may call: an older version left them so, and PostgreSQL does by default."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries


def shut_latches(cursor: Cursor) -> bool:
    """Shut the latches of all flags that are ours to change; return whether one was open. Raises ServerError.

    A stop that raises such a latch waits until this transaction ends, so this belongs at its end.
    """
    found = [name for name, _owner, _line, ours in cursor.rows(queries.NOT_SHUT, {}) if ours]
    for name in found:
        cursor.run(sql.SQL(queries.SHUT).format(function=identifier(name)), {})
    return bool(found)


def open_latches(cursor: Cursor) -> list[tuple[str, str, str]]:
    """Return the latches that are not shut: the function's name, its owner, and the line that shuts it."""
    return [(name, owner, line) for name, owner, line, _ours in cursor.rows(queries.NOT_SHUT, {})]
