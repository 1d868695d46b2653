# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that were writing when the fence was raised may go on: until they end it is draining, never proven."""

from __future__ import annotations

import time

import pytest

from tests.integration.crowd import wait_for
from tests.integration.fences import INBOUND, MOVES, board, refused, table
from tests.integration.module import Modules, Result
from tests.integration.place import Database

WRITE = """INSERT INTO "TicketTags" VALUES (1, 3)"""


def installed(db: Database) -> Modules:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    return fence


def pids(result: Result) -> list[int]:
    return [row["pid"] for row in result["draining"]]


def test_an_idle_writer_is_named_until_it_ends(db: Database) -> None:
    fence = installed(db)
    with db.transaction(WRITE, application_name="worker 7") as session:
        pid = session.info.backend_pid
        done = fence.ok("write_fence", incident_id="INC-1", drain=0.3)
        assert (done["status"], done["changed"], pids(done)) == ("draining", True, [pid])
        (row,) = done["draining"]
        assert (row["application_name"], row["user"], row["state"]) == ("worker 7", "postgres", "idle in transaction")
        assert row["tables"] == ["public.TicketTags"]
        assert row["transaction_age"] >= 0
        assert row["to_end_it"] == f"SELECT pg_terminate_backend({pid})"
        assert (table(done, "TicketTags")["status"], table(done, "Tags")["status"]) == ("draining", "proven")
        assert [done[name] for name in ("drained_at", "lsn", "counters")] == [None, None, {}]
        assert any(str(pid) in warning for warning in done["warnings"])
        # Everybody else is refused already.
        assert refused(db, (*MOVES[:3], *INBOUND)) == list(MOVES[:3])
        # Another run continues the same drain; so does one that only looks.
        again = fence.ok("write_fence", incident_id="INC-1", drain=0)
        assert (again["status"], again["changed"], pids(again)) == ("draining", False, [pid])
        told = fence.ok("write_fence_info", prove=True)
        assert (told["status"], pids(told)) == ("draining", [pid])
        session.rollback()
    done = fence.ok("write_fence", incident_id="INC-1", drain=5)
    assert (done["status"], done["draining"], done["changed"]) == ("proven", [], False)
    assert done["drained_at"] > done["raised_at"]


def test_why_a_writer_in_flight_matters(db: Database) -> None:
    """A prepared statement that holds the lock already never looks at the catalog again."""
    fence = installed(db)
    with db.transaction(f"PREPARE move AS {WRITE}", "EXECUTE move") as session:
        done = fence.ok("write_fence", incident_id="INC-1", drain=0)
        assert done["status"] == "draining"
        assert table(done, "TicketTags")["refused"] == ["INSERT", "UPDATE", "DELETE"], "a fresh canary is refused"
        session.cursor().execute("EXECUTE move")
        session.commit()
    count = 'SELECT count(*) FROM "TicketTags" WHERE "tagId" = 3'
    assert db.value(count) == 2, "the second one was written after the raise had been committed"
    assert fence.ok("write_fence", incident_id="INC-1")["counters"]["public.TicketTags"]["inserted"] == 22


def test_it_waits_as_long_as_there_is_time(db: Database) -> None:
    fence = installed(db)
    with db.transaction(WRITE) as session, fence.start("write_fence", incident_id="INC-1", deadline=15) as running:
        wait_for(lambda: bool(refused(db, [MOVES[4]])), "the raise")
        time.sleep(0.5)
        assert running.runs
        session.rollback()
        ended = time.monotonic()
        done = running.result()
    assert time.monotonic() - ended < 2
    assert (done["status"], done["draining"]) == ("proven", [])


def test_new_writers_do_not_keep_it_from_being_proven(db: Database) -> None:
    """A transaction that begins after the raise knows the fence, however long it stays open."""
    fence = installed(db)
    with db.transaction(WRITE) as old, fence.start("write_fence", incident_id="INC-1", deadline=15) as running:
        wait_for(lambda: bool(refused(db, [MOVES[4]])), "the raise")
        with db.transaction(INBOUND[0]):
            old.rollback()
            done = running.result()
    assert (done["status"], done["draining"]) == ("proven", [])


def test_a_later_run_counts_by_age(db: Database) -> None:
    """Too many rather than too few: a transaction begun shortly after the raise may have been early enough."""
    fence = installed(db)
    with db.transaction(WRITE) as old:
        fence.ok("write_fence", incident_id="INC-1", drain=0)
        with db.transaction(INBOUND[0]) as new:
            both = {old.info.backend_pid, new.info.backend_pid}
            assert set(pids(fence.ok("write_fence", incident_id="INC-1", drain=0))) == both
            # As if the raise had been longer ago.
            db.rows("""DO $$ DECLARE f record; BEGIN
              FOR f IN SELECT proname, obj_description(oid, 'pg_proc')::jsonb AS s FROM pg_proc WHERE prosrc ~ 'KB001'
                AND prorettype = 'trigger'::regtype LOOP
              EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', f.proname, f.s || jsonb_build_object(
                'raised_at', to_char(now() - interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
              EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql SET '
                'search_path = pg_catalog, pg_temp AS %L', f.proname, replace((SELECT prosrc FROM pg_proc AS p WHERE
                p.proname = f.proname), f.s ->> 'raised_at', to_char(now() - interval '1 minute',
                'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
              END LOOP; END $$""")
            assert fence.ok("write_fence", incident_id="INC-1", drain=0)["status"] == "proven"


def test_writers_are_ended_where_that_was_asked_for(db: Database) -> None:
    fence = installed(db)
    with db.transaction(WRITE, application_name="worker 7") as session:
        pid = session.info.backend_pid
        done = fence.ok("write_fence", incident_id="INC-1", deadline=10, on_blocked="terminate")
        assert (done["status"], done["draining"]) == ("proven", [])
        assert [(row["pid"], row["application_name"]) for row in done["terminated"]] == [(pid, "worker 7")]
        assert db.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)) == 0
    assert db.value('SELECT count(*) FROM "TicketTags" WHERE "tagId" = 3') == 0


@pytest.mark.parametrize("prepared", ["before", "during"])
def test_a_prepared_transaction_is_named_and_never_ended(db: Database, prepared: str) -> None:
    fence = installed(db)
    gid = f"{db.name}'s move"
    with db.connect() as session, session.cursor() as cursor:
        cursor.execute(f"BEGIN; {WRITE}")
        if prepared == "before":
            cursor.execute("PREPARE TRANSACTION %s", (gid,))
        with fence.start("write_fence", incident_id="INC-1", drain=2.5, on_blocked="report") as running:
            if prepared == "during":
                wait_for(lambda: bool(refused(db, [MOVES[4]])), "the raise")
                cursor.execute("PREPARE TRANSACTION %s", (gid,))
            done = running.result()
    assert done["status"] == "draining"
    (row,) = done["draining"]
    assert (row["pid"], row["gid"], row["state"], row["tables"]) == (0, gid, "prepared", ["public.TicketTags"])
    ended = fence.ok("write_fence", incident_id="INC-1", drain=1, on_blocked="terminate")
    assert (ended["status"], ended["terminated"]) == ("draining", [])
    # Either of the two statements ends it.
    db.rows(row["to_end_it"].partition(" or ")[2].partition(", as ")[0])
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"


def test_a_role_that_sees_little_waits_for_too_much(db: Database) -> None:
    """If the age of others' transactions is hidden, each of them counts."""
    fence = board(db)
    role = db.role("ops")
    fence.ok("write_fence", state="dormant", grant_to=[role])
    hers = fence.having(login_user=role, login_password=db.roles[role])
    with db.transaction(WRITE) as old:
        done = hers.ok("write_fence", incident_id="INC-1", drain=0)
        assert (done["status"], pids(done)) == ("draining", [old.info.backend_pid])
        assert (done["draining"][0]["transaction_age"], done["draining"][0]["application_name"]) == (
            None,
            "whaticket-api",
        )
        again = hers.ok("write_fence", incident_id="INC-1", drain=0)
        assert pids(again) == [old.info.backend_pid]
        old.rollback()
    assert hers.ok("write_fence", incident_id="INC-1", drain=2)["status"] == "proven"


@pytest.mark.parametrize("lock", ["SHARE UPDATE EXCLUSIVE", "ROW SHARE", "SHARE"])
def test_who_does_not_write_is_not_waited_for(db: Database, lock: str) -> None:
    fence = installed(db)
    with db.transaction(f'LOCK TABLE "Tags", "TicketTags", "Tickets" IN {lock} MODE'):
        done = fence.run("write_fence", incident_id="INC-1", drain=0, deadline=2)
        assert done["draining"] == []
        # An index build blocks the canary too, but not the raise.
        assert done["status"] == ("unproven" if lock == "SHARE" else "proven"), done
        assert done["raised_ms"] < 2000
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"


def test_a_migration_that_holds_everything_delays_no_raise(db: Database) -> None:
    fence = installed(db)
    with db.transaction('LOCK TABLE "Tags" IN ACCESS EXCLUSIVE MODE') as migration:
        done = fence.ok("write_fence", incident_id="INC-1", drain=0)
        assert (done["status"], pids(done)) == ("draining", [migration.info.backend_pid])
        assert done["raised_ms"] < 2000
        assert table(done, "Tickets")["status"] == "proven"
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["refused"]) == ("proven", ["INSERT", "UPDATE", "DELETE"])


def test_a_canary_that_had_to_wait_is_sent_again(db: Database) -> None:
    fence = installed(db)
    with (
        db.transaction('LOCK TABLE "Tags" IN ACCESS EXCLUSIVE MODE') as migration,
        fence.start("write_fence", incident_id="INC-1", deadline=15) as running,
    ):
        # A move that does not need the held table.
        wait_for(lambda: bool(refused(db, [MOVES[7]])), "the raise")
        time.sleep(1.5)
        migration.rollback()
        done = running.result()
    assert (done["status"], table(done, "Tags")["refused"]) == ("proven", ["INSERT", "UPDATE", "DELETE"])


def test_writers_on_a_leaf_and_on_the_parent(db: Database) -> None:
    more = (
        "CREATE TABLE moves (id integer) PARTITION BY LIST (id)",
        "CREATE TABLE moves_1 PARTITION OF moves FOR VALUES IN (1)",
    )
    fence = board(db, *more, tables=["moves"])
    fence.ok("write_fence", state="dormant")
    with (
        db.transaction("INSERT INTO moves_1 VALUES (1)") as leaf,
        db.transaction("UPDATE moves SET id = id WHERE false") as parent,
    ):
        done = fence.ok("write_fence", incident_id="INC-1", drain=0)
        assert set(pids(done)) == {leaf.info.backend_pid, parent.info.backend_pid}
        assert {tuple(row["tables"]) for row in done["draining"]} >= {("public.moves_1",)}
