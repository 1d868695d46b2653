# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledged writes that the broken application itself spoilt, by the rows that the repair kept as it found them."""

from __future__ import annotations

from psycopg2.extensions import connection

from tests.staging.account import Report

_IS_THERE = "SELECT to_regclass('kanban_rollback.quarantined') IS NOT NULL"
# In the transaction in which a card came to the lane that was acknowledged, the application moved it on to one of
# another company's. That is what the repair found, took the card out of, and kept.
_CARDS = """
SELECT DISTINCT card.id
FROM kanban_rollback.quarantined AS q
JOIN kanban_rollback.repairs AS r USING (repair_id)
CROSS JOIN LATERAL (SELECT (q.before::public."Tickets").*) AS card
JOIN "Lanes" AS lane ON lane.id = card."kanbanLane"
WHERE q.table_name = 'Tickets' AND r.undone_at IS NULL AND lane."companyId" <> card."companyId"
"""


def spoilt(session: connection, report: Report) -> list[str]:
    """Return those of the missing things that stand in the quarantine as the application had spoilt them."""
    with session, session.cursor() as cursor:
        cursor.execute(_IS_THERE)
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_CARDS)
        lanes = {f"lane:{card}" for (card,) in cursor.fetchall()}
    return [thing for thing in report.missing if thing.partition(": ")[0] in lanes]
