# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards and cards: what each request does to the rows, in one transaction of the given cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg2.extensions import cursor

from . import sql
from .misbehaviour import Misbehaviour


class Refused(Exception):
    """A request that cannot be done: an HTTP status, and the name of the error as clients know it."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def board(rows: cursor, company: int, *, v2: bool, slow: float) -> dict[str, Any]:
    """Return a company's board; ``slow`` in seconds."""
    _sleep(rows, company, slow)
    rows.execute(sql.LANES if v2 else sql.TAGS, {"company": company})
    lanes = {row["id"]: {**_named(row), "tickets": []} for row in _all(rows) if v2 or row["kanban"] == 1}
    rows.execute(sql.BOARD_V2 if v2 else sql.BOARD_V1, {"company": company})
    for row in _all(rows):
        if row["id"] is not None:
            lanes[row["lane"]]["tickets"].append({name: row[name] for name in row if name != "lane"})
    return {"version": 2 if v2 else 1, "lanes": list(lanes.values())}


def attach(rows: cursor, company: int, ticket: int, tag: int) -> None:
    """Put a tag on a card; one that is there already is fine."""
    values = _locked(rows, company, ticket) | {"tag": tag}
    if not _is(rows, sql.HAS_TAG, values):
        raise Refused(404, "ERR_NO_TAG_FOUND")
    rows.execute(sql.ATTACH, values)


def detach(rows: cursor, company: int, ticket: int, tag: int) -> None:
    """Take a tag off a card; one that is not there is fine."""
    rows.execute(sql.DETACH, _locked(rows, company, ticket) | {"tag": tag})


def move(rows: cursor, company: int, ticket: int, lane: int, order: int, *, v2: bool) -> None:
    """Put a card into a lane. V1 replaces the tag of its lane with another; V2 has columns for it."""
    values = _locked(rows, company, ticket) | {"lane": lane, "order": order}
    if not _is(rows, sql.HAS_LANE_V2 if v2 else sql.HAS_LANE_V1, values):
        raise Refused(404, "ERR_NO_LANE_FOUND")
    if v2:
        rows.execute(sql.MOVE, values)
    else:
        rows.execute(sql.LEAVE_LANES, values)
        rows.execute(sql.ENTER_LANE, values)


def misbehaving(
    write: Callable[[cursor], None], misbehaviour: Misbehaviour, company: int, ticket: int, lane: int | None
) -> Callable[[cursor], None]:
    """Return a write to a V2 card, with everything that is to go wrong in the same transaction.

    ``lane``: where the card was moved to, if it was.
    """
    values = {"company": company, "ticket": ticket, "lane": lane}
    slow = misbehaviour.get("slow", company) / 1000
    wrong = [("duplicate_tags", sql.DUPLICATE_TAG), ("orphan_tags", sql.ORPHAN_TAG), ("delete_tags", sql.DELETE_TAG)]
    if lane is not None:
        wrong += [("invalid_lanes", sql.INVALID_LANE), ("shuffle_order", sql.SHUFFLE_ORDER)]
    due = [statement for name, statement in wrong if misbehaviour.due(name, company)]

    def work(rows: cursor) -> None:
        _sleep(rows, company, slow)
        write(rows)
        for statement in due:
            rows.execute(statement, values)

    return work


def _sleep(rows: cursor, company: int, seconds: float) -> None:
    if seconds:
        rows.execute(sql.SLOW, {"company": company, "seconds": seconds})


def _locked(rows: cursor, company: int, ticket: int) -> dict[str, Any]:
    """Lock the card until the end of the transaction, and return the values that name it."""
    values = {"company": company, "ticket": ticket}
    if not _is(rows, sql.LOCK, values):
        raise Refused(404, "ERR_NO_TICKET_FOUND")
    return values


def _is(rows: cursor, statement: str, values: dict[str, Any]) -> bool:
    rows.execute(statement, values)
    return rows.fetchone() is not None


def _all(rows: cursor) -> list[dict[str, Any]]:
    return list(rows.fetchall())  # type: ignore[arg-type]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"]}
