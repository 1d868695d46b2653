# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes along with rows that are deleted: foreign keys as the catalog has them, followed to their end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import repair as queries

# pg_constraint.confdeltype and confupdtype. The first two forbid.
EFFECTS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
FORBIDS = ("NO ACTION", "RESTRICT")


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: ``columns`` of ``table`` lead to ``parents`` of the table ``parent`` (an oid).

    ``effect`` is of a row that goes, ``on_update`` of one whose key changes.
    ``set_columns``: what SET NULL and SET DEFAULT set; ``not_null``: those of ``columns`` that cannot be NULL.
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

    @property
    def place(self) -> str:
        """Its table, for people."""
        return f"{self.schema}.{self.table}"

    @property
    def impossible(self) -> list[str]:
        """Columns that it would set to NULL and that cannot be."""
        return [name for name in self.set_columns if name in self.not_null] if self.effect == "SET NULL" else []

    @property
    def relation(self) -> sql.Composable:
        """Its table, as SQL."""
        return identifier(self.schema, self.table)

    def same(self) -> sql.Composable:
        """Return that a row ``t`` of its table leads to the row ``p``."""
        pairs = [
            sql.SQL("t.{} = p.{}").format(identifier(child), identifier(parent))
            for child, parent in zip(self.columns, self.parents)
        ]
        return sql.SQL(" AND ").join(pairs)


def read_foreign_keys(cursor: Cursor, tables: Sequence[int]) -> list[ForeignKey]:
    """Return the foreign keys that lead to these tables; raises ServerError."""
    rows = cursor.rows(queries.FOREIGN_KEYS, {"tables": list(tables)})
    found = []
    for oid, name, child, schema, table, parent, gone, moved, columns, parents, set_columns, not_null, indexed in rows:
        lists = (tuple(columns), tuple(parents), tuple(set_columns), tuple(not_null))
        found.append(
            ForeignKey(oid, name, child, schema, table, parent, EFFECTS[gone], EFFECTS[moved], *lists, indexed)
        )
    return found


def follow(cursor: Cursor, level: int, names: Mapping[int, sql.Composable], keys: dict[int, list[ForeignKey]]) -> bool:
    """Add to the plan what goes, or changes, with the rows of one level; tell whether there is a next one.

    :param names: of the tables with rows that go at that level.
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
    """Return foreign keys that forbid what is planned, with how many rows of theirs do; raises ServerError."""
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
    """Return foreign keys that would change rows along with those that the plan changes, with how many.

    :param names: of the tables with rows that change.
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


def children_first(tables: Sequence[int], keys: Mapping[int, Sequence[ForeignKey]]) -> list[int]:
    """Return tables so that those that refer come before those that are referred to; in a circle, as they come."""
    left, ordered = list(tables), []
    while left:
        free = [
            table for table in left if not any(key.child in left and key.child != table for key in keys.get(table, ()))
        ]
        ordered += free or left[:1]
        left = [table for table in left if table not in ordered]
    return ordered
