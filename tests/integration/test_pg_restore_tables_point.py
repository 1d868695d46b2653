# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery point after a restore: rows that it put back do not count as writes, and none is unaccounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.fences import TABLES, board
from tests.integration.place import Database
from tests.integration.points import MORE, dump, look, past, table, writes
from tests.integration.repairs import INCIDENT, ready
from tests.integration.restores import backup, restore


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_rows_that_came_back_are_accounted_for(db: Database, directory: Path, keyed: bool) -> None:
    board(db, *MORE, *([] if keyed else ['ALTER TABLE "Tags" DROP CONSTRAINT "Tags_pkey" CASCADE']))
    source = backup(db, directory, "custom", "Tags", "TicketTags", "Tickets")
    for name, condition in (("TicketTags", '"ticketId" < 4'), ("Tags", "id = 3"), ("Tickets", "id > 18")):
        db.rows(f'DELETE FROM "{name}" WHERE {condition}')
    db.rows("""UPDATE "Tags" SET name = 'x' WHERE id = 1""")
    modules = ready(db, TABLES)
    measuring = dump(db, directory / "dump").having(tables=TABLES)
    assert writes(look(measuring)) == 0
    done = restore(
        modules, source, "Tags", "TicketTags", "Tickets", changed="restore" if keyed else "report", max_fraction=1.0
    )
    found = look(measuring)
    assert (writes(found), found["accounted"]) == (0, True)
    figures = {one["name"]: (one["restored"], one["new"], one["gone"]) for one in found["tables"]}
    inserted = {part["table"]: part["rows"] for part in done["plan"]["parts"] if part["action"] == "insert"}
    assert figures == {name: (inserted.get(name, 0), 0, 0) for name in figures}
    # Somebody else's change is still reported.
    past(db, 'DELETE FROM "Tags" WHERE id = 2')
    assert table(look(measuring), "Tags")["gone"] == 1
    past(db, """INSERT INTO "Tags" (id, name, "companyId") VALUES (2, 'Novo', 1)""")
    modules.ok("pg_restore_tables", state="undone")
    after = look(measuring)
    assert after["accounted"]
    assert {one["name"]: (one["new"], one["gone"]) for one in after["tables"]} == dict.fromkeys(figures, (0, 0))


def test_an_undo_leaves_a_recovery_point_as_it_was(db: Database, directory: Path) -> None:
    board(db, *MORE)
    source = backup(db, directory, "custom", "Tags", "TicketTags", "Tickets")
    db.rows('DELETE FROM "TicketTags" WHERE "ticketId" < 4')
    modules = ready(db, TABLES)
    modules.ok("incident", event={"phase": "validate", "event": "data validated", "data": {"writes": 0}})
    assert db.modules().ok("incident_info", incident_id=INCIDENT)["validation"]["passed"]
    restore(modules, source, "TicketTags", max_fraction=1.0)
    # What was validated is not what is there now.
    assert db.modules().ok("incident_info", incident_id=INCIDENT)["validation"] is None
    # The dump has the rows that came back, and then they go again.
    measuring = dump(db, directory / "dump").having(tables=TABLES)
    modules.ok("pg_restore_tables", state="undone")
    found = look(measuring)
    assert (writes(found), found["accounted"]) == (0, True)
    assert table(found, "TicketTags")["quarantined"] > 0
