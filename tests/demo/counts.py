# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is corrupt in the demonstration's data and how many rows there are, counted without the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extensions import connection

# What the plan counts, except tickets without a company, which it counts as tickets in a wrong lane.
DAMAGE = {
    "orphan tags": """SELECT count(*) FROM "Tags" AS t
        WHERE NOT EXISTS (SELECT FROM "Companies" AS c WHERE c.id = t."companyId")""",
    "invalid lanes": """SELECT count(*) FROM "Tickets" AS t
        WHERE t."kanbanLane" IS NOT NULL AND t."companyId" IS NOT NULL AND NOT EXISTS
        (SELECT FROM "Lanes" AS l WHERE l.id = t."kanbanLane" AND l."companyId" = t."companyId")""",
    "duplicate ticket tags": """SELECT coalesce(sum(n - 1), 0)::bigint FROM
        (SELECT count(*) AS n FROM "TicketTags" GROUP BY "ticketId", "tagId" HAVING count(*) > 1) AS d""",
}
TABLES = ("Tags", "Tickets", "TicketTags")
KEPT = """SELECT count(*) FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
          WHERE q.after IS NULL AND r.undone_at IS NULL"""


@dataclass(frozen=True)
class Count:
    """Corrupt rows by kind, all rows, and deleted rows that are in quarantine."""

    damage: dict[str, int]
    rows: int
    kept: int

    @property
    def corrupt(self) -> int:
        """The number of corrupt rows."""
        return sum(self.damage.values())

    @property
    def lines(self) -> dict[str, int]:
        """Each figure by its name."""
        return {**self.damage, "all rows": self.rows, "in quarantine": self.kept}


def count(session: connection) -> Count:
    """Count all of these."""
    with session.cursor() as cursor:

        def value(query: str) -> int:
            cursor.execute(query)
            row = cursor.fetchone()
            return int(row[0]) if row else 0

        there = value("SELECT (to_regclass('kanban_rollback.quarantined') IS NOT NULL)::int")
        return Count(
            {what: value(query) for what, query in DAMAGE.items()},
            sum(value(f'SELECT count(*) FROM "{table}"') for table in TABLES),
            value(KEPT) if there else 0,
        )


def table(counts: Mapping[str, Count]) -> list[str]:
    """Return the lines of a table with a column for each moment, by its name, and a row for each figure."""
    head = f"  {'':22}" + "".join(f"{moment:>12}" for moment in counts)
    names = list(next(iter(counts.values())).lines)
    return [head, *(f"  {name:22}" + "".join(f"{one.lines[name]:>12,}" for one in counts.values()) for name in names)]


def summary(before: Count, repaired: Count, undone: Count) -> str:
    """Return the last line: found, repaired, corrupt again after the undo, and rows that are nowhere."""
    lost = max(before.rows - one.rows - one.kept for one in (repaired, undone))
    return (
        f"found {before.corrupt:,} -> repaired {before.corrupt - repaired.corrupt:,} -> "
        f"repair undone, corrupt again {undone.corrupt:,}; rows lost {lost:,}"
    )
