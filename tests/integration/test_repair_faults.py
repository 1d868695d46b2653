# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs that are cut off, and others at work beside them: all of it holds, or nothing, and the next run goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg2.extensions import connection

from tests.integration.integrity import load
from tests.integration.module import Modules, Running, failed
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, PLAN, counts, plan, ready, repair, undo, whole

DUPLICATES = PLAN[3]
LANES = PLAN[1]
# Slow enough to be caught in the middle: the row that goes to quarantine first waits for us.
_GATE = """CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN OLD; END'"""
_TRIGGER = """CREATE TRIGGER wait_here AFTER DELETE ON "TicketTags" FOR EACH STATEMENT EXECUTE FUNCTION wait_here()"""


_BEFORE = """CREATE TRIGGER wait_here BEFORE DELETE ON "Tags" FOR EACH STATEMENT EXECUTE FUNCTION wait_here()"""


@contextmanager
def in_the_middle(
    db: Database, modules: Modules, trigger: str = _TRIGGER, **options: Any
) -> Iterator[tuple[Running, int, connection]]:
    """Yield a repair that waits where the trigger is, with its backend's pid and what it waits for."""
    db.rows(_GATE)
    db.rows(trigger)
    with (
        db.transaction("SELECT pg_advisory_xact_lock(42)") as gate,
        modules.start("integrity_repair", **options) as running,
    ):
        waits = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
        until = time.monotonic() + 30
        while not (pids := db.rows(waits)):
            assert running.runs, running.result()
            assert time.monotonic() < until
            time.sleep(0.01)
        yield running, pids[0][0], gate


@pytest.mark.parametrize("how", ["backend", "module"])
def test_cut_off_in_the_middle(db: Database, how: str) -> None:
    load(db, on_delete=None)
    modules = ready(db)
    before = whole(db)
    approved = plan(modules)["plan_hash"]
    options: dict[str, Any] = {"checks": PLAN, "plan_hash": approved}
    with in_the_middle(db, modules, **options) as (running, pid, _gate):
        if how == "backend":
            db.rows("SELECT pg_terminate_backend(%s)", (pid,))
            failed(running.result(), "lost_connection")
        else:
            running.kill()
            # The server notices within a second that the client is gone.
            until = time.monotonic() + 10
            while db.rows("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)):
                assert time.monotonic() < until
                time.sleep(0.05)
        assert whole(db) == before
        assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0
    db.rows('DROP TRIGGER wait_here ON "TicketTags"')
    assert plan(modules)["plan_hash"] == approved
    # The lease of a killed run is still its own for a while.
    again = modules.run("integrity_repair", **options)
    assert again["changed"], again
    assert counts(again)["duplicate_ticket_tags"] == 0
    undo(modules)
    assert whole(db) == before


def test_two_at_once(db: Database) -> None:
    load(db, on_delete=None)
    modules = ready(db)
    options: dict[str, Any] = {"checks": PLAN, "plan_hash": plan(modules)["plan_hash"]}
    with in_the_middle(db, modules, **options) as (running, _pid, gate):
        other = modules.having(run_id="run-2", operator="bia")
        other.fails("lease_held", "integrity_repair", **options)
        other.fails("lease_held", "integrity_repair", state="undone")
        # A plan may be made meanwhile, and it is the same as before.
        assert plan(other)["plan_hash"] == options["plan_hash"]
        gate.commit()
        assert counts(running.result())["duplicate_ticket_tags"] == 0
    assert not other.ok("integrity_repair", **options)["changed"]
    assert db.value("SELECT count(*) FROM kanban_rollback.repairs") == 1


def test_a_row_that_changes_while_it_is_repaired_is_not_written_over(db: Database) -> None:
    load(db)
    # Customers go on writing: only the lane is fenced.
    modules = ready(db, [{"name": "Tickets", "operations": ["UPDATE"], "columns": ["kanbanLane"]}])
    options: dict[str, Any] = {"checks": [LANES], "plan_hash": plan(modules, [LANES])["plan_hash"]}
    row = """UPDATE "Tickets" SET "lastMessage" = 'late' WHERE id = 1"""
    with db.transaction(row) as customer, modules.start("integrity_repair", **options) as running:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        while not db.value(waits):
            assert running.runs, running.result()
            time.sleep(0.01)
        before = whole(db)
        customer.commit()
        failed(running.result(), "row_changed")
    after = whole(db)
    assert {table for table in after if after[table] != before[table]} == {'"Tickets"'}
    assert db.value('SELECT "lastMessage" FROM "Tickets" WHERE id = 1') == "late"
    done = modules.ok("integrity_repair", **options)
    assert done["changed"]
    assert db.value('SELECT "lastMessage" FROM "Tickets" WHERE id = 1') == "late"


def test_a_row_that_a_cascade_would_take_along_unseen(db: Database) -> None:
    load(db)
    modules = ready(db, ["Tags"])
    options: dict[str, Any] = {"checks": [PLAN[0]], "plan_hash": plan(modules, [PLAN[0]])["plan_hash"]}
    with in_the_middle(db, modules, _BEFORE, **options) as (running, _pid, gate):
        db.rows('INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (1, 400)')
        before = whole(db)
        gate.commit()
        failed(running.result(), "row_changed")
    assert whole(db) == before


def test_what_holds_the_table_ends_it_in_time(db: Database) -> None:
    load(db)
    modules = ready(db)
    options: dict[str, Any] = {"checks": [DUPLICATES], "plan_hash": plan(modules, [DUPLICATES])["plan_hash"]}
    before = whole(db)
    with db.transaction('SELECT FROM "TicketTags" FOR UPDATE'):
        started = time.monotonic()
        modules.fails("lock_timeout", "integrity_repair", **options)
        assert time.monotonic() - started < 12
        modules.fails("lock_timeout", "integrity_repair", deadline=30, **options)
    assert whole(db) == before
    assert db.rows("SELECT FROM kanban_rollback.leases") == []
    assert modules.ok("integrity_repair", **options)["changed"]


def test_a_group_of_a_hundred_thousand(db: Database) -> None:
    db.rows('CREATE TABLE links ("ticketId" integer, "tagId" integer, "createdAt" timestamptz, note text)')
    db.rows("""INSERT INTO links SELECT 1, 1, now() - g * interval '1 second', 'n' || g
               FROM generate_series(1, 100000) AS g""")
    db.rows("INSERT INTO links SELECT g, 2, now(), 'x' FROM generate_series(1, 100000) AS g")
    check = {**DUPLICATES, "name": "links", "table": "links", "repair": {"order_by": "createdAt"}}
    del check["references"], check["column"]
    modules = ready(db, ["links"])
    before = whole(db)
    done = repair(modules, [check])
    assert done["quarantined"] == 99_999
    assert len(done["plan"]["checks"][0]["samples"]) == 10
    assert db.rows('SELECT note FROM links WHERE "tagId" = 1') == [("n100000",)]
    undo(modules)
    assert whole(db) == before


def test_undo_refuses_what_is_there_by_now(db: Database) -> None:
    load(db)
    modules = ready(db)
    repair(modules)
    with db.transaction("SET LOCAL kanban_rollback.passage = 'INC-1'") as session, session.cursor() as cursor:
        cursor.execute("""INSERT INTO "Tags" (id, name) VALUES (400, 'new')""")
        cursor.execute('UPDATE "Tickets" SET "kanbanLane" = 5 WHERE id = 1')
        cursor.execute('DELETE FROM "Tickets" WHERE id = 501')
        session.commit()
    before = whole(db)
    looked = undo(modules, check=True)
    assert not looked["changed"]
    result = modules.fails("conflict", "integrity_repair", state="undone")
    assert result["conflicts_count"] == looked["conflicts_count"] == 3
    # It names the rows, and nothing of what they contain.
    assert {(row["table"], row["key"]["id"]) for row in result["conflicts"]} == {
        ("public.Tags", "400"),
        ("public.Tickets", "1"),
        ("public.Tickets", "501"),
    }
    assert {name for row in result["conflicts"] for name in row} == {"table", "why", "key"}
    assert whole(db) == before


def test_undo_of_a_table_that_has_another_shape(db: Database) -> None:
    load(db)
    modules = ready(db)
    repair(modules)
    db.rows('ALTER TABLE "Tags" ADD extra text')
    before = whole(db)
    modules.fails("schema_changed", "integrity_repair", state="undone")
    assert whole(db) == before


# A type whose check is code of whoever made it, on a table of a session's own.
TRAP = """
CREATE FUNCTION pg_temp.whose(text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$;
CREATE DOMAIN pg_temp.watched AS text CHECK (pg_temp.whose(VALUE));
CREATE TEMP TABLE own (id integer PRIMARY KEY, name pg_temp.watched);
"""
# Rows as the role that repairs may write them, about a table that it names.
FORGE = """
UPDATE kanban_rollback.quarantined AS q
SET schema_name = n.nspname, table_name = c.relname, before = '(1,x)', after = '(1,x)', changed = %s,
    columns = ARRAY(SELECT a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = %s
"""


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("table", "changed"), [("own", ["name"]), ("pg_authid", ["rolsuper"]), ("kanban_rollback.leases", ["holder"])]
)
def test_undo_of_a_table_that_no_repair_touches(db: Database, table: str, changed: list[str], check: bool) -> None:
    load(db)
    modules = ready(db)
    repair(modules)
    with db.transaction(TRAP) as session, session.cursor() as cursor:
        cursor.execute("SELECT %s::regclass::oid::bigint", (table,))
        (oid,) = cursor.fetchone() or (0,)
        session.commit()
        # As others see its types.
        db.rows(FORGE, (changed, oid))
        before = whole(db)
        modules.fails("schema_changed", "integrity_repair", check, state="undone")
        assert whole(db) == before


def test_what_else_changed_in_a_row_stays(db: Database) -> None:
    load(db)
    modules = ready(db)
    lane = db.value('SELECT "kanbanLane" FROM "Tickets" WHERE id = 1')
    repair(modules, [LANES])
    modules.ok("write_fence", state="absent")
    db.rows("""UPDATE "Tickets" SET "lastMessage" = 'later' WHERE id = 1""")
    undo(modules, allow_unfenced=True)
    assert db.rows('SELECT "kanbanLane", "lastMessage" FROM "Tickets" WHERE id = 1') == [(lane, "later")]


def test_the_ledger_has_it_all(db: Database) -> None:
    load(db)
    modules = ready(db)
    done = repair(modules, operator="ana")
    undo(modules)
    told = db.modules(incident_id=INCIDENT).ok("incident_info", events=100)
    events = told["events"]
    ours = [event for event in events if event["source"] == "integrity_repair"]
    assert [(event["phase"], event["event"]) for event in ours] == [
        ("recover", "planned"),
        ("recover", "repaired"),
        ("recover", "undone"),
    ]
    assert ours[1]["data"]["approved_by"] == "ana"
    assert ours[1]["data"]["counts"]["duplicate_ticket_tags"] == {"before": 10, "after": 0}
    assert ours[1]["data"]["plan_hash"] == done["plan_hash"]
    assert told["chain_broken_at"] == []
