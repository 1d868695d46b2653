# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A safety net for a repair and its undo: what the server says was written, compared with what was planned.

Triggers, rules and keys of the application write by themselves. What they change or delete elsewhere is not in
quarantine, so it must not be committed; what they insert (an audit, a queue) can stay there, and is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import written as queries

NOT_COUNTED = "track_counts is off, so it was not looked at whether triggers of the application changed rows elsewhere."


@dataclass
class Tally:
    """Row counts of one table; ``changed`` counts changed and deleted rows together.

    Together, because a row that moves to another partition counts as deleted in one and as inserted in the other.
    """

    name: str
    inserted: int = 0
    changed: int = 0
    deleted: int = 0


@dataclass
class Written:
    """Counts writes from its creation on; ``expected``: what we write ourselves, by table."""

    cursor: Cursor
    expected: dict[int, Tally] = field(default_factory=dict)
    before: dict[int, Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self._read()

    def expect(self, table: int, inserted: int = 0, updated: int = 0, deleted: int = 0) -> None:
        """Add what we write to a table."""
        tally = self.expected.setdefault(table, Tally(""))
        tally.inserted += inserted
        tally.changed += updated + deleted
        tally.deleted += deleted

    def deletions(self) -> dict[str, int]:
        """Return how many rows of each table were deleted since then, no matter by whom."""
        rows = {
            now.name: now.deleted - self.before.get(table, Tally("")).deleted for table, now in self._read().items()
        }
        return {name: deleted for name, deleted in rows.items() if deleted}

    def judge(self) -> list[str]:
        """Return warnings.

        Raises KanbanError if rows were changed or deleted that nobody planned, or fewer deleted than planned.
        """
        if not self.cursor.row(queries.COUNTS, {})[0]:
            return [NOT_COUNTED]
        ours, found = self._by_root(), self._read()
        for table, own in ours.items():
            gone = found.get(table, Tally("")).deleted - self.before.get(table, Tally("")).deleted
            # A trigger that changes a row instead leaves it under its key, where the copy could not come back.
            expect(own.name, own.deleted, min(own.deleted, gone), "were deleted")
        told = []
        for table, now in found.items():
            then, own = self.before.get(table, Tally("")), ours.get(table, Tally(""))
            changed = now.changed - then.changed - own.changed
            if changed > 0:
                raise _not_planned(now.name, changed)
            moved = max(0, now.deleted - then.deleted - own.deleted)
            inserted = now.inserted - then.inserted - own.inserted - moved
            if inserted > 0:
                told.append(f"Triggers of the application put {inserted} rows into {now.name}; they stay there.")
        return told

    def _read(self) -> dict[int, Tally]:
        return {row[0]: Tally(*row[1:]) for row in self.cursor.rows(queries.WRITTEN, {})}

    def _by_root(self) -> dict[int, Tally]:
        found: dict[int, Tally] = {}
        for table, root, name in self.cursor.rows(queries.ROOTS, {"tables": list(self.expected)}):
            own, tally = found.setdefault(root, Tally(name)), self.expected[table]
            own.inserted += tally.inserted
            own.changed += tally.changed
            own.deleted += tally.deleted
        return found


def expect(table: object, planned: int, done: int, what: str) -> None:
    """Refuse to go on if not all planned rows of a table were done; raises KanbanError."""
    if planned != done:
        raise KanbanError(
            "not_as_planned",
            f"Of {planned} rows of {table} only {done} {what}.",
            "A trigger of the application, or a policy, does something else with them; everything was rolled back.",
            "See the result's triggers; such rows have to be mended by hand.",
            table=str(table),
        )


def _not_planned(table: str, rows: int) -> KanbanError:
    return KanbanError(
        "not_planned",
        f"{rows} rows of {table} were changed or deleted besides those that were to be.",
        "A trigger or a rule of the application did that. No copy of such rows is kept, so they could not come back; "
        "everything was rolled back.",
        "See the triggers of the tables that are touched; mend such rows by hand, with the trigger disabled.",
        table=table,
        rows=rows,
    )
