# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the data under locks, deadlines and faults: nothing holds anybody up, and all see one moment."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.integrity import CHECKS, by_name, load, look, statuses
from tests.integration.place import Database
from tests.support.servers import Postgres


def test_a_locked_table_is_named_with_who_holds_it_and_the_others_are_counted(db: Database) -> None:
    data = load(db)
    with db.transaction('LOCK TABLE "Lanes" IN ACCESS EXCLUSIVE MODE', application_name="migration") as holder:
        started = time.monotonic()
        result = look(db.modules())
        assert time.monotonic() - started < 8
        found = by_name(result)["invalid_lanes"]
        assert found["status"] == "timeout"
        assert f"pid {holder.info.backend_pid} (migration" in found["why"]
    expected = data.expected_corruption()
    del expected["invalid_lanes"]
    assert result["counts"] == expected
    assert (result["status"], result["complete"], result["not_known"]) == ("corrupt", False, ["invalid_lanes"])


def test_a_check_that_takes_too_long_leaves_the_others_their_time(db: Database) -> None:
    data = load(db)
    heavy(db)
    slow = {"name": "slow", "kind": "duplicate", "table": "heavy", "columns": ["a"]}
    result = look(db.modules(), checks=[slow, *CHECKS], check_seconds=1)
    found = by_name(result)["slow"]
    assert found["status"] == "timeout"
    assert 900 < found["elapsed_ms"] < 4000
    assert "1 s at most" in found["why"]
    assert result["counts"] == data.expected_corruption()
    assert result["complete"] is False


def test_the_deadline_ends_all_and_names_whose_turn_never_came(db: Database) -> None:
    load(db)
    heavy(db)
    slow = [{"name": f"slow{i}", "kind": "duplicate", "table": "heavy", "columns": ["a"]} for i in range(2)]
    result = look(db.modules(), checks=[*slow, *CHECKS], deadline=2.4, check_seconds=2)
    # The second one gets only what is left of the deadline.
    assert by_name(result)["slow1"]["elapsed_ms"] < 1000
    assert result["elapsed_ms"] < 3500
    assert set(statuses(result).values()) == {"timeout"}
    assert (result["status"], result["corrupt"], result["counts"]) == ("unknown", False, {})
    assert "before its turn" in by_name(result)["duplicate_ticket_tags"]["why"]


def heavy(db: Database) -> None:
    """Make a table whose column takes very long to compare: each comparison sleeps."""
    db.rows("CREATE TYPE slow AS (a integer)")
    db.rows("""CREATE FUNCTION slow_compare(slow, slow) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
               'BEGIN PERFORM pg_sleep(0.05); RETURN ($1).a - ($2).a; END'""")
    for name, sign in (("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")):
        db.rows(f"""CREATE FUNCTION slow_{name}(slow, slow) RETURNS boolean LANGUAGE sql IMMUTABLE AS
                    'SELECT slow_compare($1, $2) {sign} 0'""")  # fmt: skip
        db.rows(f"CREATE OPERATOR {sign} (FUNCTION = slow_{name}, LEFTARG = slow, RIGHTARG = slow)")
    db.rows("""CREATE OPERATOR CLASS slow_ops DEFAULT FOR TYPE slow USING btree AS OPERATOR 1 <, OPERATOR 2 <=,
               OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 slow_compare(slow, slow)""")
    db.rows("CREATE TABLE heavy (a slow)")
    db.rows("INSERT INTO heavy SELECT ROW(g)::slow FROM generate_series(1, 200) AS g")


def test_it_gives_its_locks_back_after_each_check(db: Database) -> None:
    load(db)
    heavy(db)
    slow = {"name": "slow", "kind": "duplicate", "table": "heavy", "columns": ["a"]}
    with db.modules().start("integrity_info", checks=[*CHECKS, slow], check_seconds=4) as running:
        held = """SELECT count(*) FROM pg_locks WHERE relation = 'heavy'::regclass"""
        while running.runs and not db.value(held):
            time.sleep(0.01)
        assert running.runs
        # A migration that comes now need not wait for it.
        db.rows("SET lock_timeout = '300ms'; ALTER TABLE \"Tags\" ADD x integer")


def test_a_connection_that_breaks_leaves_what_was_counted(db: Database) -> None:
    data = load(db)
    heavy(db)
    slow = {"name": "slow", "kind": "duplicate", "table": "heavy", "columns": ["a"]}
    with db.modules().start("integrity_info", checks=[CHECKS[0], slow, CHECKS[3]]) as running:
        held = "SELECT pid FROM pg_locks WHERE relation = 'heavy'::regclass"
        while running.runs and not (pids := db.rows(held)):
            time.sleep(0.01)
        db.rows("SELECT pg_terminate_backend(%s)", (pids[0][0],))
        result = running.result()
    assert not result.get("failed"), result
    assert statuses(result) == {"orphan_tags": "corrupt", "slow": "failed", "duplicate_ticket_tags": "failed"}
    assert result["counts"] == {"orphan_tags": data.expected_corruption()["orphan_tags"]}
    assert result["complete"] is False


def test_all_checks_see_one_moment(db: Database) -> None:
    load(db)
    heavy(db)
    slow = {"name": "slow", "kind": "duplicate", "table": "heavy", "columns": ["a"]}
    late = {**CHECKS[0], "name": "late"}
    with db.modules().start("integrity_info", checks=[CHECKS[0], slow, late], check_seconds=1.5) as running:
        held = "SELECT pid FROM pg_locks WHERE relation = 'heavy'::regclass"
        while running.runs and not db.rows(held):
            time.sleep(0.01)
        db.rows('DELETE FROM "Tags" WHERE "companyId" IS NULL')
        result = running.result()
    assert result["counts"]["late"] == result["counts"]["orphan_tags"]


def test_on_a_replica_it_says_how_old_the_data_is(server: Postgres, db: Database, directory: Path) -> None:
    data = load(db)
    standby = Postgres(directory / "standby", fsync=False)
    try:
        standby.standby_of(server)
        # What existed before it began is not replayed.
        db.rows("CREATE TABLE later ()")
        standby.wait_for_replay()
        result = look(Database(standby, db.name).modules())
    finally:
        standby.stop()
    assert result["counts"] == data.expected_corruption()
    assert result["snapshot"]["replica"] is True
    assert result["snapshot"]["replayed_seconds_ago"] >= 0
    assert result["snapshot"]["lsn"]
