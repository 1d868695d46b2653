# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fence that is made in the middle of an incident: others hold the tables, the module dies, two operators at once."""

from __future__ import annotations

import time

import pytest

from tests.integration.crowd import wait_for, waiting_for_locks
from tests.integration.fences import INBOUND, MOVES, TABLES, board, catalog, refused, table
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace

HOLD = """UPDATE "Tags" SET name = 'held' WHERE id = 5"""


def test_a_held_table_keeps_no_other_one_waiting_and_its_holder_is_named(db: Database) -> None:
    fence = board(db)
    with db.transaction(HOLD, application_name="worker 7") as session:
        pid = session.info.backend_pid
        with fence.start("write_fence", incident_id="INC-1", deadline=10) as running:
            wait_for(lambda: refused(db, [MOVES[7]]) == [MOVES[7]], "the last of the free tables")
            assert running.seconds < 8
            result = running.result()
            assert running.seconds < 10 + 5
        assert (result["error"]["code"], result["status"], result["changed"]) == ("lock_timeout", "not_fenced", True)
        assert table(result, "Tickets")["status"] == table(result, "TicketTags")["status"] == "proven"
        assert table(result, "Tags")["status"] == "not_fenced"
        (blocker,) = result["blocked"]
        assert (blocker["table"], blocker["pid"], blocker["application_name"]) == ("public.Tags", pid, "worker 7")
        assert blocker["to_end_it"] == f"SELECT pg_terminate_backend({pid})"
        # Later looks say so, too.
        looked = fence.ok("write_fence_info", prove=True)
        assert (looked["status"], table(looked, "Tickets")["status"]) == ("not_fenced", "proven")
        assert "Nothing of what was asked is refused" in table(looked, "Tags")["reason"]
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], done["blocked"]) == ("proven", [])
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)


def test_a_table_that_nobody_got_to_is_a_gap_where_others_are_fenced(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", incident_id="INC-1", tables=["TicketTags"])
    looked = fence.ok("write_fence_info", prove=True)
    assert (looked["status"], table(looked, "TicketTags")["status"]) == ("not_fenced", "proven")
    assert table(looked, "Tags")["reason"] == "Writes pass here, while other tables refuse them."
    # Without names it is about the fences that there are.
    assert fence.ok("write_fence_info", prove=True, tables=None)["status"] == "proven"


def test_a_table_that_is_free_in_time_is_had(db: Database) -> None:
    fence = board(db)
    with db.transaction(HOLD) as session, fence.start("write_fence", incident_id="INC-1", deadline=15) as running:
        wait_for(lambda: waiting_for_locks(db) > 0, "the wait for the table")
        time.sleep(1)
        session.rollback()
        done = running.result()
    assert (done["status"], done["blocked"]) == ("proven", [])


def test_whoever_holds_a_table_is_ended_where_that_was_asked_for(db: Database) -> None:
    fence = board(db)
    with db.transaction(HOLD, application_name="worker 7") as session:
        pid = session.info.backend_pid
        done = fence.ok("write_fence", incident_id="INC-1", on_blocked="terminate")
    assert done["status"] == "proven"
    assert [(row["pid"], row["application_name"]) for row in done["terminated"]] == [(pid, "worker 7")]


def test_writers_behind_our_wait_get_through(db: Database) -> None:
    fence = board(db)
    slowest = 0.0
    with (
        db.transaction(HOLD),
        fence.start("write_fence", incident_id="INC-1", deadline=7) as running,
        db.connect() as app,
    ):
        while running.runs:
            started = time.monotonic()
            app.cursor().execute("""UPDATE "Tags" SET name = 'x' WHERE id = 1""")
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.01)
    assert 0.1 < slowest < 1, "one turn of 250 ms"


def test_autovacuum_gives_way() -> None:
    settings = {
        "autovacuum": True,
        "autovacuum_naptime": "1s",
        "autovacuum_vacuum_cost_delay": "100ms",
        "autovacuum_vacuum_cost_limit": 1,
        "log_min_messages": "fatal",
    }
    with workspace() as directory, Postgres(directory / "vacuum", settings, fsync=False) as server:
        server.create_database("kanban")
        busy = Database(server, "kanban")
        fence = board(busy, """INSERT INTO "Tags" (name) SELECT 'x' FROM generate_series(1, 50000)""")
        busy.rows("""DELETE FROM "Tags" WHERE id > 10""")
        holds = """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = '"Tags"'::regclass
                   AND backend_type = 'autovacuum worker' AND mode = 'ShareUpdateExclusiveLock' AND granted"""
        wait_for(lambda: bool(busy.value(holds)), "autovacuum on the table", 30)
        done = fence.ok("write_fence", incident_id="INC-1", deadline=15)
        assert done["status"] == "proven"
        assert 900 < done["raised_ms"] < 8000, "it had to wait for autovacuum, above deadlock_timeout"


@pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
@pytest.mark.parametrize("incidents", [("INC-1", "INC-1"), ("INC-1", "INC-2")], ids=["one incident", "two incidents"])
def test_two_operators_at_once(db: Database, incidents: tuple[str, str], dormant: bool) -> None:
    fence = board(db)
    before = catalog(db)
    if dormant:
        fence.ok("write_fence", state="dormant")
    for _turn in range(3):
        with (
            fence.start("write_fence", incident_id=incidents[0]) as one,
            fence.start("write_fence", incident_id=incidents[1]) as two,
        ):
            results = [one.result(), two.result()]
        assert [result["status"] for result in results] == ["proven", "proven"], results
        assert any(result["changed"] for result in results)
        assert refused(db, MOVES) == list(MOVES)
        lower = fence.having(state="absent", force=True)
        with (
            lower.start("write_fence", incident_id=incidents[0]) as one,
            lower.start("write_fence", incident_id=incidents[1]) as two,
        ):
            results = [one.result(), two.result()]
        assert not any(result.get("failed") for result in results), results
        assert refused(db, MOVES) == []
    if not dormant:
        assert catalog(db) == before


def test_two_operators_who_wait_for_the_same_table(db: Database) -> None:
    fence = board(db, tables=["Tags"])
    with (
        db.transaction(HOLD) as session,
        fence.start("write_fence", incident_id="INC-1") as one,
        fence.start("write_fence", incident_id="INC-1") as two,
    ):
        wait_for(lambda: waiting_for_locks(db) == 2, "both in line")
        session.rollback()
        results = [one.result(), two.result()]
    assert [result.get("status") for result in results] == ["proven", "proven"], results


def test_a_module_that_is_killed_in_mid_raise(db: Database) -> None:
    fence = board(db)
    before = catalog(db)
    with db.transaction(HOLD), fence.start("write_fence", incident_id="INC-1", deadline=20) as running:
        wait_for(lambda: refused(db, [MOVES[7]]) == [MOVES[7]], "the last of the free tables")
        wait_for(lambda: waiting_for_locks(db) > 0, "the wait for the held one")
        running.kill()
        # A relation has its trigger, armed and for every role, or it has none.
        half = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A'"
        assert db.value(half) == 0
        assert refused(db, [MOVES[0], MOVES[7]]) == [MOVES[0], MOVES[7]]
    told = fence.ok("write_fence_info", tables=None)
    assert told["incident_id"] == "INC-1"
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], done["changed"]) == ("proven", True)
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    # What a killed module left is found even if no table is named.
    assert db.modules().ok("write_fence", state="absent", incident_id="INC-1")["left_behind"] == []
    assert catalog(db) == before


def test_lowering_is_instant_though_readers_hold_the_table(db: Database) -> None:
    fence = board(db)
    before = catalog(db)
    fence.ok("write_fence", incident_id="INC-1")
    with db.transaction('SELECT * FROM "Tags"', application_name="report") as reader:
        with fence.start("write_fence", state="absent", incident_id="INC-1", deadline=6) as running:
            wait_for(lambda: refused(db, [MOVES[0], MOVES[7]]) == [], "writes that pass")
            # It still waits for the reader.
            assert running.runs
            done = running.result()
        assert not done.get("failed"), done
        assert (done["status"], done["changed"]) == ("lowered", True)
        assert len(done["left_behind"]) == 1
        assert "public.Tags" in done["left_behind"][0]
        assert [row["pid"] for row in done["blocked"]] == [reader.info.backend_pid]
    assert refused(db, MOVES) == []
    done = fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert (done["status"], done["changed"], done["left_behind"]) == ("absent", True, [])
    assert catalog(db) == before


def test_a_partly_owned_table_is_fenced_as_far_as_it_goes(db: Database) -> None:
    more = (
        "CREATE TABLE moves (id integer) PARTITION BY LIST (id)",
        "CREATE TABLE moves_1 PARTITION OF moves FOR VALUES IN (1)",
        "CREATE TABLE moves_2 PARTITION OF moves FOR VALUES IN (2)",
    )
    board(db, *more)
    owner = db.role("owner", f"CREATE ON DATABASE {db.name}")
    db.rows(f"ALTER TABLE moves OWNER TO {owner}; ALTER TABLE moves_1 OWNER TO {owner}")
    result = db.modules(owner, tables=["moves"]).fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert "moves_2 (owner postgres)" in result["tables"][0]["reason"]
    statements = ["INSERT INTO moves VALUES (2)", "INSERT INTO moves_1 VALUES (1)", "INSERT INTO moves_2 VALUES (2)"]
    assert refused(db, statements) == statements[:2]
    db.rows(f"REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}")


def test_a_server_that_crashes_and_comes_back() -> None:
    with workspace() as directory, Postgres(directory / "frail", fsync=False) as server:
        server.create_database("kanban")
        there = Database(server, "kanban")
        fence = board(there)
        with there.transaction(HOLD), fence.start("write_fence", incident_id="INC-1", deadline=25) as running:
            wait_for(lambda: waiting_for_locks(there) > 0, "the wait for the held table")
            server.crash()
            server.start()
            done = running.result()
        assert (done.get("status"), done["changed"]) == ("proven", True), done
        assert refused(there, (*MOVES, *INBOUND)) == list(MOVES)


def test_a_dead_synchronous_standby_and_a_replica() -> None:
    with workspace() as directory, Postgres(directory / "one", fsync=False) as one:
        one.create_database("kanban")
        there = Database(one, "kanban")
        fence = board(there)
        two = Postgres(directory / "two", fsync=False)
        try:
            two.standby_of(one, "two")
            assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
            two.wait_for_replay()
            replica = Database(two, "kanban").modules(tables=TABLES)
            replica.fails("read_only_server", "write_fence", incident_id="INC-1")
            seen = replica.ok("write_fence", incident_id="INC-1", on_replica="skip")
            assert (seen["skipped"], seen["changed"], seen["incident_id"]) == (True, False, "INC-1")
            assert replica.ok("write_fence_info", prove=True)["status"] == "unproven"
            one.set_config(synchronous_standby_names="nobody_alive")
            lowered = fence.ok("write_fence", state="absent", incident_id="INC-1", deadline=10)
            assert (lowered["status"], lowered["elapsed_ms"] < 5000) == ("absent", True)
            assert fence.ok("write_fence", incident_id="INC-2", deadline=10)["elapsed_ms"] < 5000
        finally:
            two.stop()
