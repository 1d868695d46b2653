# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What quarantine has of one table, and how its rows are named in SQL and in results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrows import InSchema

SHOWN = 100  # The most conflicts that a result lists.
_LIES = ("table", "ctid")  # What identifies a row without a key: where its copy lies.


@dataclass(frozen=True)
class Kept(InSchema):
    """The rows of one table in quarantine: how many were deleted, changed and inserted, and which columns changed.

    ``along``: columns that a trigger changed with them, unplanned; ``direct``: rows of a check itself are among them;
    ``key``: the table's primary key.
    """

    place: int
    schema: str
    table: str
    columns: tuple[str, ...]
    deleted: int
    updated: int
    inserted: int
    direct: bool
    changed: tuple[str, ...]
    oid: int = 0
    insertable: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    along: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """Columns that the undo writes."""
        return (*self.changed, *self.along)

    @property
    def words(self) -> tuple[str, ...]:
        """Privileges on the whole table that the undo needs."""
        return ("SELECT", *(["INSERT"] if self.deleted else []), *(["DELETE"] if self.inserted else []))

    @property
    def scope(self) -> Scope:
        """What the fence must keep others from doing during the undo: the same as during the repair."""
        operations = (["UPDATE"] if self.updated else []) + (["DELETE"] if self.deleted or self.inserted else [])
        return Scope(tuple(operations), self.changed)

    @property
    def shown(self) -> sql.Composable:
        """What identifies a row ``q`` in results, as a text array: its other values are the customers' own."""
        if self.key:
            each = [sql.SQL("(q.r).{}::text").format(identifier(name)) for name in self.key]
            return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(each))
        return sql.SQL("ARRAY['kanban_rollback.quarantined', q.kept::text]")

    def values(self, repair: int) -> dict[str, Any]:
        """Return the parameters of statements on its rows."""
        return {"repair": repair, "place": self.place, "most": SHOWN, "table": self.oid, "relation": self.oid}

    def conflict(self, why: str, names: Sequence[str]) -> dict[str, Any]:
        """Return a conflicting row, as results show it; ``names`` are the values that ``shown`` gave."""
        return {"table": str(self), "why": why, "key": dict(zip(self.key or _LIES, names))}


def rows_of_kept(shape: str, kept: Kept) -> sql.Composable:
    """Return the deleted, the changed, or the inserted rows as SQL."""
    return sql.SQL(shape).format(table=kept.name)
