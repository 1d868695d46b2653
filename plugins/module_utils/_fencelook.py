# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading which tables are meant, what is below them, and which fences there are. Takes no table lock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Namesakes, namesakes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Asked, Scope, merged
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import (
    Fence,
    Found,
    Relation,
    Trigger,
    belongs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import (
    Column,
    Table,
    resolve_column,
    resolve_table,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import refuse_unreachable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import catalog
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as bodies
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fencelook as queries


@dataclass
class Helper:
    """A function with which a role without ownership raises, lowers or tries a fence; ``grantees``: who may call it."""

    body: str
    owner: str
    callable: bool
    grantees: list[str]


@dataclass
class View:
    """The catalog at one moment. ``unresolved``: requested tables that could not be resolved, with the error."""

    role: str
    may_create: bool
    has_schema: bool
    fences: list[Fence]
    helpers: dict[str, Helper]
    found: list[Found] = field(default_factory=list)
    unresolved: list[tuple[Asked, KanbanError]] = field(default_factory=list)

    def may_run(self, block: str, fence: Fence) -> bool:
        """Tell whether this role may run a block on a fence, as its owner or because an owner granted it."""
        helper = self.helpers.get(block)
        return (fence.mine and self.may_create) or bool(helper and helper.callable)

    def names(self) -> dict[int, str]:
        """Return the relations' names by oid."""
        return {relation.oid: str(relation) for found in self.found for relation in found.relations}


def read_view(cursor: Cursor, asked: Sequence[Asked] | None) -> View:
    """Return what there is for the requested tables, or for all that carry a fence if None; raises ServerError."""
    role, may_create, has_schema = cursor.row(queries.RIGHTS, {})
    view = View(role, may_create, has_schema, read_fences(cursor), _helpers(cursor))
    if asked is None:
        view.found = _fenced(cursor, view.fences)
    else:
        _resolve(cursor, view, asked)
    _complete(cursor, view)
    return view


def read_fences(cursor: Cursor) -> list[Fence]:
    """Return all fences that there are; raises ServerError."""
    values = {"dormant": bodies.DORMANT_BODY, "refusal": bodies.REFUSING_BODY}
    return [
        Fence(
            name=name,
            mine=mine,
            owner=owner,
            body=body,
            state=json.loads(state),
            raised_epoch=epoch,
            triggers=tuple(Trigger(*trigger) for trigger in json.loads(triggers)),
            roots=tuple(roots),
            shuts_out=shuts_out,
        )
        for name, mine, owner, body, state, epoch, triggers, roots, shuts_out in cursor.rows(queries.FENCES, values)
    ]


def _helpers(cursor: Cursor) -> dict[str, Helper]:
    rows = cursor.rows(queries.HELPERS, {"names": list(bodies.FUNCTIONS), "tries": bodies.TRY_AS})
    return {row[0]: Helper(*row[1:]) for row in rows}


def _tables(cursor: Cursor, fences: Sequence[Fence]) -> list[Table]:
    seen = [Table(*row) for row in cursor.rows(catalog.TABLES, {})]
    hidden = sorted({root for fence in fences for root in fence.roots} - {table.oid for table in seen})
    if hidden:
        seen += [Table(*row) for row in cursor.rows(queries.FENCED_TABLES, {"tables": hidden})]
    return seen


def _fenced(cursor: Cursor, fences: Sequence[Fence]) -> list[Found]:
    roots = sorted({root for fence in fences for root in fence.roots})
    tables = [Table(*row) for row in cursor.rows(queries.FENCED_TABLES, {"tables": roots})] if roots else []
    found = []
    for table in tables:
        scopes = [fence.scope for fence in fences if table.oid in fence.roots]
        scope = scopes[0]
        for other in scopes[1:]:
            # What is there is reported, whether or not a person could have requested it that way.
            scope = merged(replace(scope, when_changed=False), replace(other, when_changed=False))
        found.append(Found(str(table), table, scope))
    return found


def _resolve(cursor: Cursor, view: View, asked: Sequence[Asked]) -> None:
    by_oid: dict[int, Found] = {}
    for entry, table in _meant(cursor, view, asked):
        columns = [Column(*row) for row in cursor.rows(catalog.COLUMNS, {"table": table.oid})]
        found = Found(entry.name, table, Scope((), ()), columns)
        try:
            names = tuple(resolve_column(name, columns, str(table)).name for name in entry.scope.columns)
            found.scope = replace(entry.scope, columns=tuple(dict.fromkeys(names)))
        except BadInput as error:
            # What is installed on the table can still be raised.
            found.scope, found.problem = entry.scope, error
        if table.oid in by_oid:
            there = by_oid[table.oid]
            there.scope = merged(there.scope, found.scope)
            there.problem = there.problem or found.problem
        else:
            by_oid[table.oid] = found
    view.found = list(by_oid.values())


def _meant(cursor: Cursor, view: View, asked: Sequence[Asked]) -> Iterator[tuple[Asked, Table]]:
    """Yield each table that is meant. A name without a schema means every table of that name with those columns."""
    tables = _tables(cursor, view.fences)
    for entry in asked:
        named, others = None, Namesakes([], 0)
        try:
            named = resolve_table(entry.name, tables)
        except BadInput as error:
            if error.code == "ambiguous_table":
                others = namesakes(cursor, entry.name, entry.scope.columns, near=error.details["near"])
            if others.total < 2:
                view.unresolved.append((entry, error))
                continue
        if named:
            yield entry, named
            if entry.name.lower() == named.name.lower():
                others = namesakes(cursor, entry.name, entry.scope.columns, named)
        for table, usable in others.tables:
            of_table = replace(entry, name=str(table))
            if not usable:
                view.unresolved.append((of_table, _not_usable(cursor, table)))
            elif named is None or table.oid != named.oid:
                yield of_table, table
        if others.total > len(others.tables):
            view.unresolved.append((entry, _too_many(entry, others)))


def _not_usable(cursor: Cursor, table: Table) -> KanbanError:
    try:
        refuse_unreachable(cursor, str(table), "If the application uses it, writes to it are not refused.")
    except KanbanError as error:
        return error
    return BadInput("missing_table", f"{table} is gone.", "", "")


def _too_many(entry: Asked, others: Namesakes) -> BadInput:
    return BadInput(
        "ambiguous_table",
        f"{others.total - len(others.tables)} further tables are named {entry.name}.",
        "No more than this are fenced at once.",
        "Name the table that is meant with its schema (kanban_tables).",
    )


def _complete(cursor: Cursor, view: View) -> None:
    """Add to each table what is below it, its fences, and the subscriptions that write into it."""
    oids = [found.table.oid for found in view.found]
    if not oids:
        return
    by_root: dict[int, list[Relation]] = {oid: [] for oid in oids}
    for root, *relation in cursor.rows(queries.RELATIONS, {"tables": oids}):
        by_root[root].append(Relation(*relation))
    writing: dict[int, list[str]] = {}
    readable = cursor.row(queries.MAY_READ_SUBSCRIPTIONS, {})[0]
    subscriptions = queries.SUBSCRIPTIONS if readable else queries.SUBSCRIPTIONS_UNNAMED
    relations = [relation.oid for below in by_root.values() for relation in below]
    for oid, name in cursor.rows(subscriptions, {"relations": relations}):
        writing.setdefault(oid, []).append(name)
    for found in view.found:
        found.relations = by_root[found.table.oid]
        found.fences = [fence for fence in view.fences if belongs(fence, found)]
        found.subscriptions = sorted({name for oid in found.oids for name in writing.get(oid, [])})
