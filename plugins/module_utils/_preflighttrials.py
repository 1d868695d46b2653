# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying statements without running them: the server plans each, in a transaction that may only read.

EXPLAIN resolves names and types and checks every privilege as the statement itself would. It runs nothing, so no
trigger of the application fires. A statement trigger would fire even if no row matches, and no rollback undoes what it
does (a sequence, a message, a call elsewhere).
"""

from __future__ import annotations

from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglass as script_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import preflight as queries

# Planning takes milliseconds; a table that is held for longer is not waited for.
LOCK_SECONDS = 0.2
TRY_SECONDS = 5.0
# The script sets this first, and the planner looks at it.
SETTINGS = {script_queries.INCIDENT_SETTING: "preflight"}


def planned(session: Session, statements: Sequence[str]) -> KanbanError | None:
    """Have the server plan statements; return why it refused one, None if it did not."""
    try:
        with session.transaction(TRY_SECONDS, LOCK_SECONDS, mode="READ ONLY", settings=SETTINGS) as cursor:
            for statement in statements:
                # Values are literals already, so whatever looks like a placeholder is not one.
                cursor.run(queries.EXPLAIN + statement.replace("%", "%%"), {})
    except ServerError as error:
        return error
    return None
