# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing tables with their rows in a backup: what is missing, changed or newer, and why some rows stay away."""

from __future__ import annotations

import json
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import KEY_LETTERS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, literal, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import TABLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import refusal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import KINDS, LOST
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed, now_of, unique_indexes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine, recoverypoint, undo
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

MOST_TENANTS = 100


def compare(
    planner: Planner, tables: Sequence[Backed], kinds: Sequence[str], taken_at: str | None
) -> list[dict[str, Any]]:
    """Compare tables, referenced ones first; return the reasons against bringing rows back.

    :param planner: its transaction has the backup's rows, and limits each statement to what is left of the deadline.
    :param kinds: the kinds of rows that are to come back: missing, deleted, changed.
    :param taken_at: the moment that the backup shows, with its zone; None if unknown.

    Raises KanbanError.
    """
    cursor, look, samples = planner.cursor, planner.in_time, planner.samples
    cursor.run(queries.CREATE_COMPARED, {})
    reasons: list[dict[str, Any]] = []
    has_quarantine = cursor.row(recoverypoint.HAS_QUARANTINE, {})[0]
    for table in planner.progress.each(tables, "compare", TABLE):
        look()
        _sides(cursor, table, samples)
        reasons += _twice(cursor, table)
        if has_quarantine:
            look()
            reasons += _deleted(cursor, table, kinds, taken_at)
    cursor.run(queries.ANALYZE_COMPARED, {})
    stays_away(cursor, tables, kinds, look)
    for table in tables:
        look()
        figures(cursor, table, samples)
        reasons += _mandatory(cursor, table, kinds)
    return reasons


def _sides(cursor: Cursor, table: Backed, samples: int) -> None:
    table.compared.rows_now = int(cursor.row(sql.SQL(recoverypoint.ROWS).format(table=table.name), {})[0])
    values = {**table.values, "samples": samples}
    parts = {"backup": table.backup, "table": table.name}
    if table.key:
        rest = [column for column in table.both if column.name not in table.key]
        differs = [table.differs(column) for column in rest]
        named = [
            sql.SQL(queries.NAMED).format(differs=one, column_text=literal(column.name))
            for one, column in zip(differs, rest)
        ]
        created = [one for one, column in zip(differs, rest) if column.name == table.created]
        statement = sql.SQL(queries.BY_KEY).format(
            reused=created[0] if created else sql.SQL("FALSE"),
            tenant=_tenant(table, queries.OF_EITHER),
            names=sql.SQL(", ").join(named),
            same=table.same_key(),
            differs=sql.SQL(" OR ").join(differs) if differs else sql.SQL("FALSE"),
            **parts,
        )
    else:
        names = [table.alias(column.name) for column in table.both]
        statement = sql.SQL(queries.BY_ROW).format(
            then=_aliased([table.then(column) for column in table.both], names),
            now=_aliased([now_of(column) for column in table.both], names),
            listed=sql.SQL(", ").join(names),
            tenant=_tenant(table, "{then}::text"),
            **parts,
        )
    cursor.run(statement, values)


def _aliased(values: Sequence[sql.Composable], names: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join([sql.SQL("{} AS {}").format(value, name) for value, name in zip(values, names)])


def _tenant(table: Backed, shape: str) -> sql.Composable:
    if not table.tenant or table.tenant in table.added:
        return sql.SQL(queries.NOBODY)
    return sql.SQL(shape).format(then=table.alias(table.tenant), now=identifier(table.tenant))


def _twice(cursor: Cursor, table: Backed) -> list[dict[str, Any]]:
    if not table.key:
        return []
    key = sql.SQL(", ").join([sql.SQL("b.{}").format(table.alias(name)) for name in table.key])
    rows = cursor.row(sql.SQL(queries.TWICE).format(backup=table.backup, key=key), table.values)[0]
    if not rows:
        return []
    what = f"{rows} keys of {table} are there more than once in the backup: {', '.join(table.key)} was no key then."
    return [refusal("not_unique", what, table=str(table), rows=rows)]


def _deleted(cursor: Cursor, table: Backed, kinds: Sequence[str], taken_at: str | None) -> list[dict[str, Any]]:
    """Separate rows that a repair deleted after the backup from other missing rows."""
    if "missing" not in dict(cursor.rows(queries.COUNTS, table.values)):
        return []
    values = {**table.values, "taken_at": taken_at}
    then = [list(row[0]) for row in cursor.rows(queries.DELETIONS, values)]
    if not then:
        return []
    if any(columns != list(cursor.row(quarantine.RELATION, table.values)[1]) for columns in then):
        if "deleted" in kinds:
            return []
        what = (
            f"Repairs deleted rows of {table} when it had other columns, so nobody can tell which of those that are "
            "missing are meant to be."
        )
        return [refusal("deletions_unknown", what, table=str(table))]
    parts = {"backup": table.backup, "table": table.name}
    if table.key:
        same = [table.same_key("(q.r).{}")]
        # With another ``created`` it is another row that had the key.
        same += [
            sql.SQL(queries.SAME).format(then=table.then(column), now=now_of(column, "(q.r).{}"))
            for column in table.both
            if column.name == table.created
        ]
        statement = sql.SQL(queries.DELETED_BY_KEY).format(same=sql.SQL(" AND ").join(same), **parts)
        cursor.run(statement, values)
    else:
        statement = sql.SQL(queries.DELETED_BY_ROW).format(
            gone=sql.SQL(", ").join([now_of(column, "(q.r).{}") for column in table.both]),
            then=table.all_then(),
            **parts,
        )
        cursor.run(statement, values)
        cursor.run(queries.FORGET_NONE, {})
    return []


def stays_away(cursor: Cursor, tables: Sequence[Backed], kinds: Sequence[str], look: Callable[[], None]) -> None:
    """Mark rows that cannot come back: their parent is gone, or another row now has a unique value of theirs.

    Referenced tables come first, so that rows that belong to such a row stay away as well.
    """
    for table in tables:
        for names in unique_indexes(cursor, table):
            look()
            statement = sql.SQL(queries.TAKEN).format(
                backup=table.backup, table=table.name, same=table.same(names, names, "t.{}")
            )
            cursor.run(statement, {**table.values, "kinds": list(kinds)})
    found = True
    while found:
        found = False
        for table in tables:
            look()
            found = _without_parent(cursor, table, tables, kinds) or found


def _without_parent(cursor: Cursor, table: Backed, tables: Sequence[Backed], kinds: Sequence[str]) -> bool:
    by_name = {(one.schema, one.table): one for one in tables}
    known = {column.name for column in table.both}
    found = False
    for _key, schema, name, _validated, columns, parents in cursor.rows(undo.PARENTS, table.values):
        if not set(columns) <= known:
            continue
        parent = by_name.get((schema, name))
        coming: sql.Composable = sql.SQL("FALSE")
        reused = coming
        if parent and set(parents) <= {column.name for column in parent.both}:
            # Both are our own aliases here.
            same = table.same(columns, [parent.alias_text(one) for one in parents], "p.{}")
            coming = sql.SQL(queries.COMING).format(backup=parent.backup, same=same)
            reused = sql.SQL(queries.REUSED).format(backup=parent.backup, same=same)
        filled = [sql.SQL("b.{} IS NOT NULL").format(table.alias(one)) for one in columns]
        statement = sql.SQL(queries.WITHOUT_PARENT).format(
            backup=table.backup,
            filled=sql.SQL(" AND ").join(filled),
            parents=identifier(schema, name),
            same=table.same(columns, parents, "p.{}"),
            coming=coming,
            reused=reused,
        )
        values = {**table.values, "kinds": list(kinds), "columns": list(columns)}
        inserted = [kind for kind in kinds if kind != "changed"]
        cursor.run(statement, {**values, "parent": parent.oid if parent else None, "coming": inserted})
        found = found or cursor.rowcount > 0
    return found


def figures(cursor: Cursor, table: Backed, samples: int) -> None:
    """Fill in what results show of a table; raises ServerError."""
    compared = table.compared
    compared.counts = {kind: int(rows) for kind, rows in cursor.rows(queries.COUNTS, table.values)}
    compared.columns = [
        {"column": name, "rows": rows} for name, rows in cursor.rows(queries.CHANGED_COLUMNS, table.values)
    ]
    if table.tenant and table.tenant not in table.added:
        rows = cursor.rows(queries.TENANTS, {**table.values, "most": MOST_TENANTS})
        compared.tenants = [{"tenant": tenant, **json.loads(counts)} for tenant, counts, _all in rows]
        compared.tenants_count = rows[0][2] if rows else 0
    compared.samples = {kind: [] for kind in KINDS if compared.counts.get(kind)}
    naming = table.naming
    ours = [_shown(sql.SQL("b.{}").format(table.alias(name))) for name in naming]
    theirs = [_shown(sql.SQL("t.{}").format(identifier(name))) for name in naming]
    parts = {"backup": table.backup, "table": table.name}
    values = {**table.values, "samples": samples}
    statement = sql.SQL(queries.SAMPLES).format(names=sql.SQL(", ").join(ours), **parts)
    found = cursor.rows(statement, values)
    if table.key:
        statement = sql.SQL(queries.NEWER_SAMPLES).format(names=sql.SQL(", ").join(theirs), **parts)
        found += cursor.rows(statement, values)
    for kind, names, columns, times in found:
        shown: dict[str, Any] = {"key": dict(zip(naming, names))}
        if columns:
            shown["columns"] = columns
        if not table.key:
            shown["times"] = times
        compared.samples[kind].append(shown)
    for kind in ("missing", "deleted", *LOST):
        if compared.counts.get(kind):
            statement = sql.SQL(queries.SUMS).format(then=table.all_then(), backup=table.backup)
            compared.sums[kind] = cursor.row(statement, {**table.values, "kind": kind})


def _shown(column: sql.Composable) -> sql.Composable:
    return sql.SQL(queries.SHOWN).format(column=column, letters=sql.Literal(KEY_LETTERS))


def _mandatory(cursor: Cursor, table: Backed, kinds: Sequence[str]) -> list[dict[str, Any]]:
    inserted = [kind for kind in kinds if kind != "changed"]
    if not table.added or not table.compared.count(*inserted):
        return []
    rows = cursor.rows(queries.MANDATORY, {**table.values, "columns": table.added})
    names = [row[0] for row in rows]
    if not names:
        return []
    what = (
        f"{table} got {', '.join(names)} since the backup, which may not be NULL and has no default, so rows that are "
        "missing have nothing for it."
    )
    return [refusal("no_default", what, table=str(table), columns=names)]


def plan_changed(cursor: Cursor, table: Backed) -> None:
    """Add the rows that get their old values back to the repair's plan; raises ServerError."""
    if not table.compared.count("changed"):
        return
    changes = [
        sql.SQL(queries.CHANGE).format(column_text=literal(column.name), then=table.alias(column.name))
        for column in table.both
        if column.name not in table.key
    ]
    statement = sql.SQL(queries.PLAN_CHANGED).format(backup=table.backup, changes=sql.SQL(" || ").join(changes))
    cursor.run(statement, table.values)
    if cursor.rowcount != table.compared.count("changed"):
        raise KanbanError(
            "not_as_planned",
            f"Of {table.compared.count('changed')} rows of {table} that changed, {cursor.rowcount} were found again.",
            "Nothing was changed.",
            "Run it again; if it repeats, report it with this output.",
        )
