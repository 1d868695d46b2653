# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking turns by an advisory lock, for those who cannot wait for it without end."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor


def take_turn(cursor: Cursor, lock: str) -> None:
    """Wait for a lock as long as the transaction waits for any, and go on without it then.

    Any login can hold an advisory lock for as long as it likes. Not a ``DO``, which takes USAGE on the language.
    """
    try:
        with cursor.savepoint():
            cursor.run(lock, {})
    except Timeout:
        pass
