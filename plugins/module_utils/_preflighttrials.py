# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying statements without doing anything: no row is met, no lock is waited for, everything is rolled back."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session

# A statement that meets no row takes milliseconds; a table that is held for longer is not waited for.
LOCK_SECONDS = 0.2
TRY_SECONDS = 5.0


class _Enough(Exception):
    """Everything was accepted: now back."""


def tried(session: Session, statements: Sequence[str], mode: str = "READ WRITE") -> KanbanError | None:
    """Run statements in a transaction that is rolled back; return why the server refused one, None if it did not."""
    try:
        with session.transaction(TRY_SECONDS, LOCK_SECONDS, mode=mode) as cursor:
            for statement in statements:
                # Values are literals already, so what looks like a placeholder is none.
                cursor.run(statement.replace("%", "%%"), {})
            raise _Enough
    except _Enough:
        return None
    except ServerError as error:
        return error
