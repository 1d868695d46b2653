# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions with which a role that owns nothing raises, tries and lowers a fence that an owner installed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import Helper, View, read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FencePlace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._handover import hand_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fenceddl as ddl
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledger import ROLE_EXISTS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._turns import take_turn

PUBLIC = "PUBLIC"


@dataclass(frozen=True)
class _Wanted:
    """One function that has to be there; ``owner``: whose it has to be, None for whoever installs it."""

    name: str
    body: str
    owner: str | None = None

    @property
    def fragments(self) -> dict[str, sql.Composable]:
        return {"function": identifier(self.name)}

    def is_met(self, there: Helper | None, grant_to: Sequence[str]) -> bool:
        if there is None or not there.callable or there.body != self.body or self.owner not in (None, there.owner):
            return False
        return sorted(there.grantees) == sorted(role for role in grant_to if role != there.owner)


def _wanted(view: View) -> list[_Wanted]:
    """Return the four functions, and one for each other owner of a table, in whose name canaries are sent there."""
    there = view.helpers.get(queries.TRY)
    tries = there.owner if there else view.role
    relations = [relation for found in view.found for relation in found.relations]
    owners = sorted({relation.owner for relation in relations if relation.lends} - {tries})
    return [
        *(_Wanted(name, body) for name, body in queries.FUNCTIONS.items()),
        *(_Wanted(_try_as(owner), queries.FUNCTIONS[queries.TRY], owner) for owner in owners),
    ]


def _try_as(owner: str) -> str:
    return queries.TRY_AS + hashlib.sha256(owner.encode()).hexdigest()[:12]


def stale_helpers(view: View, grant_to: Sequence[str]) -> list[_Wanted]:
    """Return the functions that are missing, of another version, or not granted to exactly these roles."""
    return [one for one in _wanted(view) if not one.is_met(view.helpers.get(one.name), grant_to)]


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
    view = replace(read_view(cursor, []), found=place.view.found)
    stale = stale_helpers(view, grant_to)
    for one in stale:
        there = view.helpers.get(one.name)
        if there is None or there.body != one.body or not there.callable:
            cursor.run(sql.SQL(ddl.CREATE_HELPER).format(**one.fragments), {"body": one.body})
        for role in [PUBLIC] if there is None else there.grantees:
            if role not in grant_to:
                who = sql.SQL(PUBLIC) if role == PUBLIC else identifier(role)
                cursor.run(sql.SQL(ddl.REVOKE_HELPER).format(**one.fragments, role=who), {})
        for role in grant_to:
            cursor.run(sql.SQL(ddl.GRANT_HELPER).format(**one.fragments, role=identifier(role)), {})
        if one.owner is not None:
            hand_over(cursor, sql.SQL("{function}(jsonb)").format(**one.fragments), one.owner)
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
        take_turn(cursor, queries.LOCK)
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
