# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is corrupt in the demonstration's data and how many rows there are, counted without the collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

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
# No repair touches these: a person decides which company such a ticket belongs to.
NOTED = {"tickets without company": 'SELECT count(*) FROM "Tickets" WHERE "companyId" IS NULL'}
TABLES = ("Tags", "Tickets", "TicketTags")
KEPT = """SELECT count(*) FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
          WHERE q.after IS NULL AND r.undone_at IS NULL"""


@dataclass(frozen=True)
class Count:
    """Corrupt rows by kind, rows left to a person, all rows, and rows in quarantine."""

    damage: dict[str, int]
    noted: dict[str, int]
    rows: int
    kept: int

    @property
    def corrupt(self) -> int:
        """The number of corrupt rows."""
        return sum(self.damage.values())


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
            {what: value(query) for what, query in NOTED.items()},
            sum(value(f'SELECT count(*) FROM "{table}"') for table in TABLES),
            value(KEPT) if there else 0,
        )


def newest_plan(incidents: Path) -> str | None:
    """Return the hash of the plan that was kept last, as its approver reads it; None if there is none."""
    found = sorted(incidents.glob("*/plan-*.json"), key=lambda path: path.stat().st_mtime)
    return str(json.loads(found[-1].read_text())["plan_hash"]) if found else None


def summary(before: Count, after: Count, on: int, tenants: int) -> str:
    """Return the last line: found, repaired, remaining, lost, and how many have the feature again."""
    lost = before.rows - after.rows - after.kept
    return (
        f"found {before.corrupt:,} -> repaired {before.corrupt - after.corrupt:,} -> remaining {after.corrupt:,}; "
        f"rows lost {lost:,} ({after.kept:,} of {before.rows:,} are in quarantine); "
        f"{on:,} of {tenants:,} tenants are back on"
    )
