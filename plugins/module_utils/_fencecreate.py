# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making what a fence lacks: functions in one transaction without table locks, then trigger by trigger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import read_fences
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import (
    FencePlace,
    FenceRequest,
    pass_ddl_guards,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (
    Scope,
    trigger_names,
    trigger_types,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import DORMANT, Fence, Found, Relation
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fenceddl as ddl
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledger import LOCK as LEDGER_LOCK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._turns import take_turn

# These types have no equality operator, so their text is compared.
_WITHOUT_EQUALITY = ("json", "xml", "point")
WHY = "Writes that are meant to be refused there go on."
TODO = (
    "Run bootstrap.yml ahead of time (write_fence with state dormant and grant_to), or act as the tables' owner or a "
    "superuser."
)


@dataclass(frozen=True)
class Missing:
    """A trigger (or two) that one relation lacks; ``wrong``: names of existing ones that no longer match the scope."""

    found: Found
    function: str
    relation: Relation
    wrong: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The relation, for messages."""
        return str(self.relation)


def missing_privilege(place: FencePlace, found: Found, gaps: Sequence[Relation]) -> KanbanError | None:
    """Return why this role cannot make what is missing on a table's relations, None if it can."""
    view = place.view
    strange = [relation for relation in gaps if not relation.mine]
    if strange:
        what = f"Role {view.role} does not own {strange[0]} (owner {strange[0].owner}), and no fence stands there"
        return ServerError("missing_privilege", f"{what}.", WHY, TODO)
    if gaps and not view.may_create:
        where = "in the schema kanban_rollback" if view.has_schema else "the schema kanban_rollback in this database"
        return ServerError("missing_privilege", f"Role {view.role} may not create {where}.", WHY, TODO)
    if gaps and found.exact and found.own_fence() is None:
        what = f"The fence of {found.table} is incomplete and belongs to {found.exact[0].owner}."
        return ServerError("missing_privilege", what, WHY, TODO)
    return None


def incomplete(place: FencePlace, exact: bool = False) -> list[Found]:
    """Return tables with something missing that this role can make; for the others the problem is noted.

    :param exact: do not accept a fence of another scope, even if it covers what is requested.
    """
    able = []
    for found in place.view.found:
        gaps = found.gaps(found.exact if exact else None)
        if found.problem is None and gaps:
            found.problem = missing_privilege(place, found, gaps)
            # A table whose leaves have several owners is fenced as far as possible.
            if place.view.may_create and any(relation.mine for relation in gaps):
                able.append(found)
    return able


def missing_triggers(place: FencePlace, exact: bool = False) -> list[Missing]:
    """Return the triggers that this role can make, tables in the requested order, parents first."""
    missing = []
    for found in place.view.found:
        fence = found.own_fence()
        if fence:
            gaps = found.gaps(found.exact if exact else None)
            for relation in [relation for relation in gaps if relation.mine]:
                there = [trigger for trigger in fence.triggers if trigger.relation == relation.oid]
                wrong = tuple(trigger.name for trigger in there if fence.is_wrong(trigger))
                missing.append(Missing(found, fence.name, relation, wrong))
    return missing


def make_functions(place: FencePlace, tables: list[Found], kind: str, then: Callable[[Cursor], Any]) -> Any:
    """Make the missing trigger functions, in one transaction with the work of ``then``; raises ServerError."""

    def work(cursor: Cursor) -> Any:
        take_turn(cursor, queries.LOCK)
        pass_ddl_guards(cursor, place.request)
        # Another operator may have made them while we waited.
        now = {fence.name: fence for fence in read_fences(cursor)}
        if not place.view.has_schema:
            take_turn(cursor, LEDGER_LOCK)
            cursor.run(ddl.CREATE_SCHEMA, {})
        for found in tables:
            fence = found.own_fence()
            name = fence.name if fence else found.own_function
            _make_function(cursor, place, found, name, now.get(name), kind)
        return then(cursor)

    return place.insist("kanban_rollback", work)


def _make_function(cursor: Cursor, place: FencePlace, found: Found, name: str, there: Fence | None, kind: str) -> None:
    function = identifier(name)
    passers = list(place.request.grant_to) or [place.view.role]
    state = {"kind": kind, "table": str(found.table), **found.scope.as_result(), "passers": passers}
    if there and there.raised:
        # Its body was made from this state, and is compared with it character by character.
        state = {**there.state, "kind": DORMANT if DORMANT in (kind, there.kind) else kind}
    elif there and there.kind == DORMANT and kind != DORMANT:
        state = dict(there.state)
    if there is None or (not there.raised and there.body != "dormant"):
        create = sql.SQL(ddl.CREATE_FUNCTION).format(function=function)
        cursor.run(create, {"body": queries.DORMANT_BODY})
        cursor.run(sql.SQL(ddl.REVOKE_FUNCTION).format(function=function), {})
    if there is None or there.shuts_out:
        for owner in sorted({relation.owner for relation in found.relations}):
            cursor.run(sql.SQL(ddl.LET_COPY).format(function=function, owner=identifier(owner)), {})
    if there is None or dict(there.state) != state:
        comment = sql.SQL(ddl.COMMENT_FUNCTION).format(function=function)
        cursor.run(comment, {"state": json.dumps(state)})


def make_triggers(place: FencePlace, missing: list[Missing]) -> tuple[int, dict[str, KanbanError]]:
    """Make triggers, each in its own transaction, until the deadline; return how many were made, and what failed."""
    put = partial(_put_trigger, request=place.request)
    return place.in_turns([(one.name, partial(put, missing=one)) for one in missing])


def _put_trigger(cursor: Cursor, request: FenceRequest, missing: Missing) -> None:
    scope, relation = missing.found.scope, missing.relation
    names = {
        "relation": identifier(relation.schema, relation.name),
        "function": identifier(missing.function),
        "events": _events(scope),
        "changed": _changed(scope, list(missing.found.columns)),
    }
    cursor.run(sql.SQL(ddl.LOCK_TABLE).format(**names), {})
    pass_ddl_guards(cursor, request)
    creates = (ddl.CREATE_STATEMENT_TRIGGER, ddl.CREATE_ROW_TRIGGER)
    for name, kind, create in zip(trigger_names(missing.function), trigger_types(scope), creates):
        if not kind:
            continue
        names["trigger"] = identifier(name)
        if name in missing.wrong:
            cursor.run(sql.SQL(ddl.DROP_TRIGGER).format(**names), {})
        if not cursor.row(ddl.TRIGGER_EXISTS, {"relation": relation.oid, "trigger": name})[0]:
            cursor.run(sql.SQL(create).format(**names), {})
        cursor.run(sql.SQL(ddl.ENABLE_ALWAYS).format(**names), {})


def _events(scope: Scope) -> sql.Composable:
    columns = sql.SQL(", ").join([identifier(name) for name in scope.columns])
    events = [
        sql.SQL("UPDATE OF ") + columns if name == "UPDATE" and scope.columns else sql.SQL(name)
        for name in scope.statement_operations
    ]
    return sql.SQL(" OR ").join(events)


def _changed(scope: Scope, columns: list[Column]) -> sql.Composable:
    kinds = {column.name: column.kind for column in columns}
    parts = []
    for name in scope.columns if scope.row_level else ():
        cast = sql.SQL("::text" if kinds.get(name) in _WITHOUT_EQUALITY else "")
        old, new = (sql.SQL(row) + identifier(name) + cast for row in ("OLD.", "NEW."))
        parts.append(old + sql.SQL(" IS DISTINCT FROM ") + new)
    return sql.SQL(" OR ").join(parts)
