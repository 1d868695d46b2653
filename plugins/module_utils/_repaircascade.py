# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows that go or change along with deleted rows, by the foreign keys in the catalog, followed to the end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._circles import in_circles
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import repair as queries

# pg_constraint.confdeltype and confupdtype. The first two forbid.
EFFECTS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
FORBIDS = ("NO ACTION", "RESTRICT")


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: ``columns`` of ``table`` refer to ``parents`` of the table ``parent`` (an oid).

    ``effect`` applies when a referenced row is deleted, ``on_update`` when its key changes.
    ``set_columns``: what SET NULL and SET DEFAULT set; ``not_null``: those of ``columns`` that cannot be NULL.
    ``waits``: it is DEFERRABLE.
    """

    oid: int
    name: str
    child: int
    schema: str
    table: str
    parent: int
    effect: str
    on_update: str
    columns: tuple[str, ...]
    parents: tuple[str, ...]
    set_columns: tuple[str, ...]
    not_null: tuple[str, ...]
    indexed: bool
    waits: bool

    @property
    def place(self) -> str:
        """Its table, for messages."""
        return f"{self.schema}.{self.table}"

    @property
    def impossible(self) -> list[str]:
        """Columns that it would set to NULL but that cannot be NULL."""
        return [name for name in self.set_columns if name in self.not_null] if self.effect == "SET NULL" else []

    @property
    def relation(self) -> sql.Composable:
        """Its table, as SQL."""
        return identifier(self.schema, self.table)

    def same(self) -> sql.Composable:
        """Return the condition that a row ``t`` of its table refers to the row ``p``."""
        pairs = [
            sql.SQL("t.{} = p.{}").format(identifier(child), identifier(parent))
            for child, parent in zip(self.columns, self.parents)
        ]
        return sql.SQL(" AND ").join(pairs)


def read_foreign_keys(cursor: Cursor, tables: Sequence[int]) -> list[ForeignKey]:
    """Return the foreign keys that refer to these tables; raises ServerError."""
    rows = cursor.rows(queries.FOREIGN_KEYS, {"tables": list(tables)})
    found = []
    for oid, name, child, schema, table, parent, gone, moved, *rest in rows:
        columns, parents, set_columns, not_null, indexed, waits = rest
        lists = (tuple(columns), tuple(parents), tuple(set_columns), tuple(not_null))
        effects = (EFFECTS[gone], EFFECTS[moved])
        found.append(ForeignKey(oid, name, child, schema, table, parent, *effects, *lists, indexed, waits))
    return found


def follow(cursor: Cursor, level: int, names: Mapping[int, sql.Composable], keys: dict[int, list[ForeignKey]]) -> bool:
    """Add to the plan the rows that go or change with those of one level; return whether there is a next level.

    :param names: the names of the tables with rows that are deleted at that level, by oid.
    :param keys: the foreign keys to each table, filled as tables come up.
    """
    unread = [table for table in names if table not in keys]
    if unread:
        keys.update({table: [] for table in unread})
        for key in read_foreign_keys(cursor, unread):
            keys[key.parent].append(key)
    goes_on = False
    for table, name in names.items():
        for key in keys[table]:
            if key.effect in FORBIDS or key.impossible:
                continue
            goes_on = _add(cursor, key, name, level) or goes_on
    return goes_on


def _add(cursor: Cursor, key: ForeignKey, parents: sql.Composable, level: int) -> bool:
    deletes = key.effect == "CASCADE"
    values: dict[str, Any] = {
        "relation": key.child,
        "parent": key.parent,
        "level": level,
        "via": key.name,
        "action": "delete" if deletes else "update",
        "changes": json.dumps(dict.fromkeys(key.set_columns) if key.effect == "SET NULL" else {}),
        "defaults": list(key.set_columns) if key.effect == "SET DEFAULT" else [],
    }
    cursor.run(sql.SQL(queries.CASCADE).format(parents=parents, table=key.relation, same=key.same()), values)
    added = cursor.rowcount > 0
    if added:
        cursor.run(queries.ANALYZE, {})
    return added and deletes


def forbidding(
    cursor: Cursor, names: Mapping[int, sql.Composable], keys: Mapping[int, Sequence[ForeignKey]]
) -> list[tuple[ForeignKey, int]]:
    """Return the foreign keys that forbid the plan, each with how many of its rows do; raises ServerError."""
    found = []
    for table, name in names.items():
        for key in keys.get(table, ()):
            if key.effect in FORBIDS or key.impossible:
                statement = sql.SQL(queries.RESTRICTED).format(parents=name, table=key.relation, same=key.same())
                rows = cursor.row(statement, {"parent": table, "columns": list(key.columns)})[0]
                if rows:
                    found.append((key, rows))
    return found


def following(cursor: Cursor, names: Mapping[int, sql.Composable]) -> list[tuple[ForeignKey, int]]:
    """Return the foreign keys that would change rows along with those that the plan changes, each with how many.

    :param names: the names of the tables with rows that change, by oid.
    """
    found = []
    for key in read_foreign_keys(cursor, list(names)) if names else []:
        if key.on_update not in FORBIDS:
            statement = sql.SQL(queries.FOLLOWING).format(
                parents=names[key.parent], table=key.relation, same=key.same()
            )
            rows = cursor.row(statement, {"parent": key.parent, "columns": list(key.parents)})[0]
            if rows:
                found.append((key, rows))
    return found


def circular(
    cursor: Cursor, names: Mapping[int, sql.Composable], keys: Mapping[int, Sequence[ForeignKey]]
) -> list[str]:
    """Return the foreign keys by which rows to be deleted refer to one another in a circle, none of which can wait.

    Such rows could go, but none of them could come back first.

    :param names: the names of the tables with rows that are deleted, by oid.
    """
    held = [key for table in names for key in keys.get(table, ()) if key.child in names and not key.waits]
    if in_circles({(key.child, key.parent) for key in held}):
        # Tables may form a circle that these rows do not.
        held = [key for key in held if _refer(cursor, key, names[key.parent])]
    found = in_circles({(key.child, key.parent) for key in held})
    return sorted(key.name for key in held if (key.child, key.parent) in found)


def _refer(cursor: Cursor, key: ForeignKey, parents: sql.Composable) -> bool:
    statement = sql.SQL(queries.REFER).format(parents=parents, table=key.relation, same=key.same())
    return bool(cursor.row(statement, {"parent": key.parent})[0])


def children_first(tables: Sequence[int], keys: Mapping[int, Sequence[ForeignKey]]) -> list[int]:
    """Return tables with those that refer before those they refer to; within a cycle, in the given order.

    In a cycle that ON DELETE CASCADE is a part of, it is what breaks it: rows that go by themselves need not go first.
    """
    left, ordered = list(tables), []
    while left:
        free = [table for table in left if not _waiting(table, left, keys)]
        broken = [table for table in left if not _waiting(table, left, keys, "CASCADE")]
        ordered += free or broken[:1] or left[:1]
        left = [table for table in left if table not in ordered]
    return ordered


def _waiting(table: int, left: Sequence[int], keys: Mapping[int, Sequence[ForeignKey]], without: str = "") -> bool:
    """Return whether one of those that are left has to come before a table; ``without``: an effect to ignore."""
    return any(key.child in left and key.child != table and key.effect != without for key in keys.get(table, ()))
