# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lowering an incident's latches in the transaction that closes it: both happen, or neither does."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import let_through
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import latch as queries


def let_pass(cursor: Cursor, incident_id: str) -> None:
    """Make each latch of an incident let everything pass; raises ServerError, which says what this role lacks."""
    up = {(row[0], row[5]) for row in cursor.rows(queries.LATCHES, {}) if row[4] == incident_id}
    for function, dormant in sorted(up):
        try:
            with cursor.savepoint():
                let_through(cursor, function, dormant)
        except ServerError as error:
            if error.code != "missing_privilege":
                raise
            raise _may_not(cursor, incident_id, function, error) from error


def _may_not(cursor: Cursor, incident_id: str, function: str, error: ServerError) -> ServerError:
    owner, grant = cursor.row(queries.LOWERED_BY, {"function": function})
    return ServerError(
        "missing_privilege",
        f"The latch of incident {incident_id} is role {owner}'s, and this role may not lower it: {error.what}",
        "It would go on turning back whoever is switched on, under a closed incident. Nothing was changed.",
        f"Grant it: {grant} (bootstrap.yml does), or use another role."
        if grant
        else f"Run it as {owner}, or as a member of that role.",
    )
