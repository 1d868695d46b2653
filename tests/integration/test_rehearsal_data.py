# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that are wrong on purpose: planted on record, and exactly those taken away again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.integrity import by_name, look
from tests.integration.least import GRANTED
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.support.dataset import DataSet

TABLES = ("Companies", "Tags", "Tickets", "TicketTags", "ErrorLogs")
DUPLICATES = {"kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"], "time": "createdAt"}
ORPHANS = {
    "kind": "orphan",
    "table": "Tags",
    "column": "companyId",
    "references": {"table": "Companies", "column": "id"},
    "time": "createdAt",
}


def errors(*tenants: int) -> dict[str, Any]:
    named = {"column": "companyId", "text_column": "context", "text": "kanban", "time": "createdAt"}
    return {"kind": "errors", "table": "ErrorLogs", **named, "tenants": [str(one) for one in tenants]}


def place(db: Database, incident: bool = True, **shape: Any) -> Modules:
    """Load a data set; return what runs modules on it in an incident of its own."""
    with db.connect() as session:
        DataSet(**{"tenants": 20, "tickets": 200, "corruption": True, **shape}).load(session)
    modules = db.modules(incident_id="INC-1", environment="staging")
    if incident:
        modules.ok("incident")
    return modules


def rows_of(db: Database) -> dict[str, list[str]]:
    return {name: whole(db, f'"{name}"')[f'"{name}"'] for name in TABLES}


def planted(result: dict[str, Any]) -> list[tuple[str, int]]:
    return [(row["table"], row["rows"]) for row in result["planted"]]


@pytest.mark.parametrize("shape", [{}, {"keyed": False}, {"ids": "uuid"}], ids=["keyed", "no key", "uuid"])
def test_what_is_planted_is_found_and_taken_away_to_the_letter(db: Database, shape: dict[str, Any]) -> None:
    modules = place(db, **shape)
    before, counted = rows_of(db), by_name(look(db.modules()))
    tenants = [row[0] for row in db.rows('SELECT id FROM "Companies" ORDER BY id LIMIT 2')]
    kinds = [DUPLICATES, ORPHANS, errors(*tenants)]
    wanted = [("public.TicketTags", 12), ("public.Tags", 12), ("public.ErrorLogs", 12)]
    plan = modules.ok("rehearsal_data", True, kinds=kinds, rows=12)
    assert (plan["changed"], planted(plan), rows_of(db)) == (True, wanted, before)
    done = modules.ok("rehearsal_data", kinds=kinds, rows=12)
    assert (done["changed"], planted(done), done["rows"]) == (True, wanted, 36)
    again = modules.ok("rehearsal_data", kinds=kinds, rows=12)
    assert (again["changed"], planted(again)) == (False, wanted)
    # What was there is still there, and what came is what the checks look for.
    now = rows_of(db)
    assert all(set(before[name]) <= set(now[name]) for name in TABLES)
    # Each has a time of its own, which distinguishes rows without a key.
    assert len(db.rows('SELECT DISTINCT "createdAt" FROM "TicketTags"')) == 1 + 12
    found = by_name(look(db.modules()))
    grown = {name: found[name]["count"] - counted[name]["count"] for name in counted}
    assert grown == {**dict.fromkeys(grown, 0), "orphan_tags": 12, "duplicate_ticket_tags": 12}
    assert [",kanban," in row for row in set(now["ErrorLogs"]) - set(before["ErrorLogs"])] == [True] * 12
    assert modules.ok("rehearsal_data", True, state="absent")["removed"] == 36
    back = modules.ok("rehearsal_data", state="absent")
    assert (back["changed"], back["removed"], back["gone"], back["left"]) == (True, 36, 0, 0)
    assert rows_of(db) == before
    assert not modules.ok("rehearsal_data", state="absent")["changed"]
    # It can be done again, and is distinguished from the first time.
    assert modules.ok("rehearsal_data", kinds=[DUPLICATES], rows=3)["rows"] == 3
    assert modules.ok("rehearsal_data", state="absent")["removed"] == 3
    assert rows_of(db) == before


def test_what_a_repair_took_is_not_looked_for_among_the_others(db: Database) -> None:
    modules = place(db, keyed=False, corruption=False)
    before = rows_of(db)
    # Without a time of its own a planted row is the same as the one that it copies.
    modules.ok("rehearsal_data", kinds=[{**DUPLICATES, "time": ""}], rows=9)
    twice = (
        'SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY "ticketId", "tagId") AS n FROM "TicketTags") x'
    )
    assert len(db.rows(f'DELETE FROM "TicketTags" WHERE ctid IN ({twice} WHERE n > 1 LIMIT 4) RETURNING 1')) == 4
    back = modules.ok("rehearsal_data", state="absent")
    assert (back["removed"], back["gone"], back["left"]) == (5, 4, 0)
    assert rows_of(db) == before


def test_what_others_lead_to_stays_and_goes_later(db: Database) -> None:
    modules = place(db)
    before = rows_of(db)
    modules.ok("rehearsal_data", kinds=[ORPHANS], rows=2)
    ((tag,),) = db.rows('SELECT max(id) FROM "Tags"')
    db.rows('INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (1, %s)', (tag,))
    back = modules.ok("rehearsal_data", state="absent")
    assert (back["removed"], back["left"]) == (1, 1)
    assert db.value('SELECT count(*) FROM "TicketTags" WHERE "tagId" = %s', (tag,)) == 1
    db.rows('DELETE FROM "TicketTags" WHERE "tagId" = %s', (tag,))
    assert modules.ok("rehearsal_data", state="absent")["left"] == 0
    assert rows_of(db) == before


def test_what_the_schema_does_not_take_is_said_and_the_rest_is_planted(db: Database) -> None:
    modules = place(db, corruption=False)
    db.rows('ALTER TABLE "Tags" ALTER "companyId" SET NOT NULL')
    db.rows("ALTER TABLE \"ErrorLogs\" ADD CHECK (context <> 'kanban') NOT VALID")
    before = rows_of(db)
    kinds = [DUPLICATES, ORPHANS, errors(1), {**ORPHANS, "table": "Nothing"}]
    plan = modules.ok("rehearsal_data", True, kinds=kinds)
    whys = [row["why"] for row in plan["planted"]]
    assert "unique on ticketId, tagId" in whys[0]
    assert "a foreign key keeps it" in whys[1]
    assert "no table 'Nothing'" in whys[3]
    done = modules.ok("rehearsal_data", kinds=kinds)
    assert (done["changed"], done["rows"], rows_of(db)) == (False, 0, before)
    assert "violates check constraint" in done["planted"][2]["why"]
    # A trigger that writes elsewhere would change somebody's row: it is rolled back.
    db.rows('ALTER TABLE "ErrorLogs" DROP CONSTRAINT "ErrorLogs_context_check"')
    db.rows("""CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN UPDATE "Companies" SET status = false WHERE id = 3; RETURN NEW; END'""")
    db.rows('CREATE TRIGGER counts AFTER INSERT ON "ErrorLogs" FOR EACH ROW EXECUTE FUNCTION counts()')
    stopped = modules.ok("rehearsal_data", kinds=[errors(1)])
    assert "rows of public.Companies were changed" in stopped["planted"][0]["why"]
    assert rows_of(db) == before


def test_nothing_is_planted_in_production_or_where_nobody_can_find_it_again(db: Database) -> None:
    modules = place(db, incident=False)
    before = rows_of(db)
    for environment in ("production", " PROD ", "Produção"):
        modules.fails("production", "rehearsal_data", environment=environment, kinds=[ORPHANS])
        modules.fails("production", "rehearsal_data", True, environment=environment, kinds=[ORPHANS])
    modules.fails("no_environment", "rehearsal_data", environment="", kinds=[ORPHANS])
    modules.fails("unknown_incident", "rehearsal_data", kinds=[ORPHANS])
    modules.fails("bad_kinds", "rehearsal_data", kinds=[{"kind": "errors", "table": "ErrorLogs"}])
    modules.fails("bad_kinds", "rehearsal_data", kinds=[ORPHANS], rows=10_001)
    db.modules().ok("ledger", environment="Production")
    db.modules().fails("production", "rehearsal_data", incident_id="INC-1", kinds=[ORPHANS])
    assert rows_of(db) == before


def test_a_role_lacks_what_it_is_told_and_has_no_more_than_it_was_granted(db: Database) -> None:
    place(db)
    role = db.role("rehearses")
    rehearses = [{"table": name, "rehearse": True} for name in ("Tags", "TicketTags", "ErrorLogs")]
    db.modules().ok("ledger", grant_to=[role], environment="staging")
    as_role = db.modules(role, incident_id="INC-1", environment="staging")
    tenants = [row[0] for row in db.rows('SELECT id FROM "Companies" ORDER BY id LIMIT 1')]
    kinds, before = [DUPLICATES, ORPHANS, errors(*tenants)], rows_of(db)
    lacks = as_role.fails("missing_privilege", "rehearsal_data", True, kinds=kinds)
    for word in ('SELECT, INSERT, DELETE ON public."TicketTags"', 'USAGE ON SEQUENCE public."TicketTags_id_seq"'):
        assert f"GRANT {word} TO {role};" in lacks["error"]["todo"]
    # As bootstrap.yml grants it, with kanban_role_rehearses.
    companies = [{"table": "Companies", "columns": ["id"]}]
    granted = db.modules().ok("ledger", grant_to=[role], environment="staging", reads=companies, repairs=rehearses)
    assert (granted["changed"], granted["left_out"]) == (True, [])
    assert as_role.ok("rehearsal_data", kinds=kinds, rows=5)["rows"] == 15
    assert as_role.ok("rehearsal_data", state="absent")["removed"] == 15
    assert rows_of(db) == before
    words = set(db.rows(GRANTED, (role,)))
    named = {(name, word) for name in ("Tags", "TicketTags", "ErrorLogs") for word in ("SELECT", "INSERT", "DELETE")}
    sequences = {(f"{name}_id_seq", "USAGE") for name in ("Tags", "TicketTags", "ErrorLogs")}
    assert words == named | sequences
    db.rows("UPDATE kanban_rollback.incidents SET closed_at = now()")
    db.modules().ok(
        "ledger", state="absent", grant_to=[role], environment="staging", reads=companies, repairs=rehearses
    )
    assert db.rows(GRANTED, (role,)) == []
