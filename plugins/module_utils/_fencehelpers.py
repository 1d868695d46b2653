# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions with which a role that owns nothing raises, tries and lowers a fence that an owner installed."""

from __future__ import annotations

import json
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import View, read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fenceddl as ddl
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledger import ROLE_EXISTS

PUBLIC = "PUBLIC"


def stale_helpers(view: View, grant_to: Sequence[str]) -> list[str]:
    """Return the functions that are missing, of another version, or not granted to exactly these roles."""
    stale = []
    for name, body in queries.FUNCTIONS.items():
        there = view.helpers.get(name)
        wanted = sorted(role for role in grant_to if role != view.role)
        if there is None or there.body != body or sorted(there.grantees) != wanted:
            stale.append(name)
    return stale


def check_roles(cursor: Cursor, grant_to: Sequence[str]) -> None:
    """Raise BadInput for a role that does not exist."""
    missing = [role for role in grant_to if not cursor.row(ROLE_EXISTS, {"role": role})[0]]
    if missing:
        raise BadInput(
            "missing_role",
            f"There is no role {', '.join(missing)} to grant the fence to.",
            "Nobody could raise the fence with it at the worst moment. Nothing was changed.",
            "Create the role first, or correct grant_to.",
        )


def put_helpers(cursor: Cursor, place: FencePlace) -> bool:
    """Make the functions and let only these roles call them, in the caller's transaction; tell if anything changed.

    Raises ServerError.
    """
    grant_to = place.request.grant_to
    view = read_view(cursor, [])
    stale = stale_helpers(view, grant_to)
    for name in stale:
        function, there = identifier(name), view.helpers.get(name)
        if there is None or there.body != queries.FUNCTIONS[name]:
            create = sql.SQL(ddl.CREATE_HELPER).format(function=function)
            cursor.run(create, {"body": queries.FUNCTIONS[name]})
        for role in [PUBLIC] if there is None else there.grantees:
            if role not in grant_to:
                who = sql.SQL(PUBLIC) if role == PUBLIC else identifier(role)
                cursor.run(sql.SQL(ddl.REVOKE_HELPER).format(function=function, role=who), {})
        for role in grant_to:
            cursor.run(sql.SQL(ddl.GRANT_HELPER).format(function=function, role=identifier(role)), {})
    let_in = []
    for role in grant_to:
        if not cursor.row(ddl.HAS_USAGE, {"role": role})[0]:
            cursor.run(sql.SQL(ddl.GRANT_USAGE).format(role=identifier(role)), {})
            let_in.append(role)
    if let_in:
        before = json.loads(cursor.row(ddl.LET_IN, {})[0])
        cursor.run(ddl.NOTE_LET_IN, {"note": json.dumps({"let_in": sorted({*before, *let_in})})})
    return bool(stale or let_in)


def drop_helpers(place: FencePlace) -> tuple[bool, str | None]:
    """Drop the functions and revoke what was granted for them; return whether that was done, and if not, why."""
    helpers = place.view.helpers
    if not helpers:
        return False, None

    def work(cursor: Cursor) -> None:
        cursor.row(queries.LOCK, {})
        let_in = json.loads(cursor.row(ddl.LET_IN, {})[0])
        for name in helpers:
            cursor.run(sql.SQL(ddl.DROP_HELPER).format(function=identifier(name)), {})
        for (role,) in cursor.rows(ddl.NEEDS_USAGE_NO_MORE, {"roles": let_in}):
            cursor.run(sql.SQL(ddl.REVOKE_USAGE).format(role=identifier(role)), {})

    try:
        place.insist("kanban_rollback", work)
    except ServerError as error:
        return False, f"functions of the schema kanban_rollback: {error.what}"
    return True, None
