# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of tables that refer to one another in a circle: they go and come back, or the plan says that they could not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import plan, ready, repair, undo, whole

ORPHANS: dict[str, Any] = {
    "name": "orphan_tickets",
    "kind": "orphan",
    "table": "tickets",
    "column": "company",
    "references": {"table": "companies", "column": "id"},
}


def circle(db: Database, *, cards_wait: str = "", tickets_wait: str = "") -> None:
    """Make tickets with three cards each, of which one is the ticket's last; 1 and 2 are of no company."""
    for statement in (
        "CREATE TABLE companies (id integer PRIMARY KEY)",
        "CREATE TABLE tickets (id integer PRIMARY KEY, company integer, last_card integer)",
        f"""CREATE TABLE cards (id integer PRIMARY KEY,
                                ticket integer NOT NULL REFERENCES tickets ON DELETE CASCADE {cards_wait})""",
        f"ALTER TABLE tickets ADD FOREIGN KEY (last_card) REFERENCES cards ON DELETE SET NULL {tickets_wait}",
        "INSERT INTO companies VALUES (1)",
        "INSERT INTO tickets SELECT g, CASE WHEN g > 2 THEN 1 ELSE 9 END FROM generate_series(1, 20) AS g",
        "INSERT INTO cards SELECT g, 1 + g % 20 FROM generate_series(1, 60) AS g",
        "UPDATE tickets AS t SET last_card = (SELECT max(id) FROM cards WHERE ticket = t.id)",
    ):
        db.rows(statement)


@pytest.mark.parametrize(("cards", "tickets"), [("DEFERRABLE", ""), ("", "DEFERRABLE"), ("DEFERRABLE", "DEFERRABLE")])
def test_where_a_key_can_wait_they_go_and_come_back(db: Database, cards: str, tickets: str) -> None:
    circle(db, cards_wait=cards, tickets_wait=tickets)
    modules = ready(db, ["tickets"])
    before = whole(db)
    repair(modules, [ORPHANS])
    assert db.rows("SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM cards)") == [(18, 54)]
    undo(modules)
    assert whole(db) == before


@pytest.mark.parametrize("name", ["a_card", "z_card"], ids=["cards first", "tickets first"])
def test_where_no_key_can_wait_the_plan_says_that_they_could_not_come_back(db: Database, name: str) -> None:
    circle(db)
    db.rows(f"ALTER TABLE cards RENAME TO {name}")
    modules = ready(db, ["tickets"])
    before = whole(db)
    planned = plan(modules, [ORPHANS])
    assert [(one["code"], one["via"]) for one in planned["plan"]["refused"]] == [
        ("circular", ["cards_ticket_fkey", "tickets_last_card_fkey"])
    ]
    modules.fails("circular", "integrity_repair", checks=[ORPHANS], plan_hash=planned["plan_hash"])
    assert whole(db) == before


@pytest.mark.parametrize("name", ["a_card", "z_card"], ids=["cards first", "tickets first"])
def test_rows_that_are_no_circle_themselves_go_and_come_back(db: Database, name: str) -> None:
    circle(db)
    db.rows(f"ALTER TABLE cards RENAME TO {name}")
    db.rows("UPDATE tickets SET last_card = NULL WHERE id < 3")
    # Another ticket's last card goes with ticket 1.
    db.rows(f"UPDATE tickets SET last_card = (SELECT max(id) FROM {name} WHERE ticket = 1) WHERE id = 20")
    modules = ready(db, ["tickets"])
    before = whole(db)
    repair(modules, [ORPHANS])
    assert db.value("SELECT last_card FROM tickets WHERE id = 20") is None
    undo(modules)
    assert whole(db) == before
