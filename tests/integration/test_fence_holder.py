# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose fence it is: of another incident or an alias, raised by hand, by several at once, in another environment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from tests.integration.crowd import wait_for
from tests.integration.fences import MOVES, board, refused, table
from tests.integration.place import Database

HELPERS = ("fence_lower", "fence_note", "fence_raise", "fence_try")


def test_by_hand_another_incidents_fence_is_kept_too(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    with db.connect() as session, session.cursor() as cursor:
        for statement, holder in (
            ('fence_raise(\'{"incident": "INC-1"}\')', "INC-1"),
            ('fence_raise(\'{"incident": "INC-2"}\')', "INC-1"),
            ('fence_lower(\'{"incidents": ["INC-2"]}\')', "INC-1"),
            ("fence_lower('{}')", "INC-1"),
            ('fence_lower(\'{"incidents": ["INC-2", "INC-1"]}\')', None),
            ('fence_lower(\'{"incidents": ["INC-1"]}\')', None),
            ('fence_raise(\'{"incident": "INC-2"}\')', "INC-2"),
            ("fence_lower('{\"force\": true}')", None),
        ):
            cursor.execute(f"SELECT kanban_rollback.{statement}")
            assert fence.ok("write_fence_info", prove=True)["incident_id"] == holder, statement
            assert bool(refused(db, MOVES[:1])) is (holder is not None), statement


def test_who_meets_another_incidents_raise_joins_it(db: Database) -> None:
    """Its turn is not waited for without end, and its function cannot be replaced before it is committed."""
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    with (
        ThreadPoolExecutor(1) as pool,
        db.transaction('SELECT kanban_rollback.fence_raise(\'{"incident": "INC-1"}\')') as session,
    ):
        joins = pool.submit(fence.ok, "write_fence", incident_id="INC-2", deadline=20)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'"
        wait_for(lambda: db.value(waits) == 1, "it waits for the other's raise")
        session.commit()
        done = joins.result()
    assert done["status"] == "proven"
    fence.fails("other_incident", "write_fence", state="absent", incident_id="INC-1")
    assert refused(db, MOVES[:1]) == list(MOVES[:1]), "it stays up for the other one"
    assert fence.ok("write_fence", state="absent", incident_id="INC-2")["status"] == "lowered"


def test_many_at_once_take_turns(db: Database) -> None:
    """Otherwise the server says "tuple concurrently updated", and some raise is lost."""
    board(db).ok("write_fence", state="dormant")

    def work(number: int) -> str | None:
        with db.connect() as session, session.cursor() as cursor:
            for _turn in range(25):
                try:
                    cursor.execute("SELECT kanban_rollback.fence_raise(%s)", (json.dumps({"incident": str(number)}),))
                    cursor.execute("SELECT kanban_rollback.fence_lower('{\"force\": true}')")
                except psycopg2.Error as error:
                    return str(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [None] * 4


def test_another_incidents_fence_is_kept(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", incident_id="INC-1", tables=["Tags"])
    done = fence.ok("write_fence", incident_id="INC-2")
    assert (done["status"], table(done, "Tags")["incident_id"]) == ("proven", "INC-1")
    assert table(done, "Tickets")["incident_id"] == "INC-2"
    assert any("INC-1" in warning for warning in done["warnings"])
    result = fence.fails("other_incident", "write_fence", state="absent", incident_id="INC-2")
    assert "INC-1" in result["error"]["what"]
    assert refused(db, MOVES) == [move for move in MOVES if '"Tags"' in move]
    assert fence.ok("write_fence", state="absent", incident_id="INC-2", force=True)["status"] == "absent"
    assert refused(db, MOVES) == []


def test_an_alias_of_the_incident_lowers_it(db: Database) -> None:
    fence = board(db)
    alone = db.modules()
    alone.ok("incident", incident_id="INC-1", aliases=["INC-9"], state="open")
    fence.ok("write_fence", incident_id="INC-1")
    done = fence.ok("write_fence", incident_id="INC-9")
    assert (done["warnings"], done["changed"], done["incident_id"]) == ([], False, "INC-1")
    assert fence.ok("write_fence", state="absent", incident_id="INC-9")["changed"] is True
    events = alone.ok("incident_info", incident_id="INC-1")
    assert [row["event"] for row in events["events"]] == ["fence_raised", "fence_drained", "fence_lowered"]
    assert events["chain_broken_at"] == []


def test_bootstrap_during_an_incident_lowers_nothing(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", incident_id="INC-1")
    installed = fence.ok("write_fence", state="dormant")
    assert (installed["status"], installed["kind"]) == ("unproven", "dormant")
    assert any("INC-1" in warning for warning in installed["warnings"])
    assert refused(db, MOVES) == list(MOVES)
    assert fence.ok("write_fence", state="absent", incident_id="INC-1")["status"] == "lowered"


def test_another_environments_ledger_is_refused(db: Database) -> None:
    fence = board(db)
    db.modules().ok("ledger", environment="staging")
    fence.fails("other_environment", "write_fence", incident_id="INC-1", environment="production")
    assert refused(db, MOVES) == []
    with db.transaction("LOCK TABLE kanban_rollback.meta IN ACCESS EXCLUSIVE MODE"):
        done = fence.ok("write_fence", incident_id="INC-1", environment="staging")
        assert (done["status"], done["raised_ms"] < 3000) == ("proven", True)
