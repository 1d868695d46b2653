# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledged writes that the broken application itself spoilt: as the dump has them, and as the repair kept them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg2.extensions import connection

from tests.playbooks.place import Site
from tests.staging.account import Report

_IS_THERE = "SELECT to_regclass('kanban_rollback.quarantined') IS NOT NULL"
_CARDS = """
SELECT was.id, was."kanbanOrder", became."kanbanLane", became."kanbanOrder"
FROM kanban_rollback.quarantined AS q
JOIN kanban_rollback.repairs AS r USING (repair_id)
CROSS JOIN LATERAL (SELECT (q.before::public."Tickets").*) AS was
CROSS JOIN LATERAL (SELECT (q.after::public."Tickets").*) AS became
JOIN "Lanes" AS lane ON lane.id = was."kanbanLane"
WHERE q.schema_name = 'public' AND q.table_name = 'Tickets' AND q.check_name = 'invalid_lanes'
  AND r.undone_at IS NULL AND lane."companyId" <> was."companyId"
"""


@dataclass(frozen=True)
class Kept:
    """A card that was in another company's lane, with the order of the move that brought it there.

    ``left``: lane and order that the repair gave it.
    """

    ticket: int
    order: int | None
    left: tuple[int | None, int | None]


def kept(session: connection) -> list[Kept]:
    """Return the cards in the quarantine; none if there was no repair."""
    with session, session.cursor() as cursor:
        cursor.execute(_IS_THERE)
        [(is_there,)] = cursor.fetchall()
        if not is_there:
            return []
        cursor.execute(_CARDS)
        return [Kept(ticket, order, (lane, now)) for ticket, order, lane, now in cursor.fetchall()]


def spoilt(report: Report, cards: Collection[Kept]) -> list[str]:
    """Return the missing writes that the application spoilt while doing them, and that the quarantine has.

    In the transaction of a move that it acknowledged, it moved the card on to another company's lane, and left the
    order of that move, which identifies it. The card must now be as the repair left it: a later move that is missing is
    lost, and so is a card that is gone.
    """
    return [
        line
        for thing, (allowed, found, line) in report.lanes.items()
        if any(
            thing == f"lane:{card.ticket}"
            and card.order in [order for _lane, order in allowed]
            and found == list(card.left)
            for card in cards
        )
    ]


def lanes_beside(site: Site, tenants: Collection[int]) -> set[int]:
    """Return the lanes of all other companies."""
    lanes = [line.split("|") for line in site.psql("db1", 'SELECT id, "companyId" FROM "Lanes"').splitlines()]
    return {int(lane) for lane, tenant in lanes if int(tenant) not in tenants}


def carried_off(report: Report, beside: Collection[int]) -> list[str]:
    """Return the missing writes whose card is in one of the lanes ``beside``, with the order of the write itself."""
    return [
        line
        for allowed, (lane, order), line in report.lanes.values()
        if lane in beside and order in [acknowledged for _lane, acknowledged in allowed]
    ]
