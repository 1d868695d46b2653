# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets in no lane, of a tenant whose tickets usually are in one: perhaps a move was interrupted."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import (
    Relation,
    Relations,
    Rows,
    of_t,
    same,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries


def cardless_ticket(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput if the schema lacks it."""
    rows = relations.find(check.needed("table"))
    if not 0 <= check.share <= 1:
        raise check.wrong("bad_check", f"has the share {check.share:g}, which is not between 0 and 1")
    relations.values["share"] = check.share
    owner = identifier(rows.column(check.needed("tenant")).name)
    if check.lanes:
        return _by_tag(check, rows, owner, relations)
    placed: sql.Composable = sql.SQL("TRUE")
    if check.position:
        placed = sql.SQL("{} IS NOT NULL").format(of_t(rows.column(check.position).name))
    lane = identifier(rows.column(check.needed("column")).name)
    told = relations.told(rows, check)
    return told.rows(queries.CARDLESS, table=rows.name, owner=owner, lane=lane, placed=placed)


def _by_tag(check: Check, rows: Relation, owner: sql.Composable, relations: Relations) -> Rows:
    """Return the same if rows of another table put a ticket in a lane."""
    lanes, wanted = check.needed("lanes"), check.needed("references")
    if not lanes.through:
        raise check.wrong("incomplete_check", "does not say by which column a card leads to its lane (lanes.through)")
    cards, parents = relations.find(wanted.table), relations.find(lanes.table)
    ticket, key = cards.column(wanted.column), rows.column(check.needed("column"))
    return relations.told(rows, check).rows(
        queries.CARDLESS_BY_TAG,
        table=rows.name,
        owner=owner,
        ticket=identifier(ticket.name),
        cards=cards.name,
        lanes=parents.name,
        same_lane=same(parents.column(lanes.column), cards.column(lanes.through), "p", "c"),
        marked=relations.marked(parents, lanes),
        same=same(replace(ticket, name="ticket"), key, "c"),
    )
