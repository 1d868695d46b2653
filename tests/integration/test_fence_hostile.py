# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes under a fence, others who join it, triggers that come first: it is not reported to hold when it does not."""

from __future__ import annotations

import psycopg2
import pytest

from tests.integration.crowd import wait_for
from tests.integration.fences import MOVES, TABLES, board, ops, refused, table
from tests.integration.place import Database

LANE = MOVES[7]


@pytest.mark.parametrize("when_changed", [False, True], ids=["statement", "row"])
def test_a_column_that_was_swapped_is_seen_and_fenced_anew(db: Database, when_changed: bool) -> None:
    """A trigger follows the renamed column, not the name."""
    tables = [{"name": "Tickets", "operations": ["UPDATE"], "columns": ["kanbanLane"], "when_changed": when_changed}]
    fence = board(db, tables=tables)
    role, hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[role])
    db.rows('ALTER TABLE "Tickets" RENAME "kanbanLane" TO "oldLane"')
    db.rows('ALTER TABLE "Tickets" ADD "kanbanLane" integer')
    assert fence.ok("write_fence_info")["status"] == "not_fenced"
    hers.fails("missing_privilege", "write_fence", incident_id="INC-1", tables=tables)
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
    assert refused(db, [LANE]) == [LANE]
    assert refused(db, ['UPDATE "Tickets" SET "oldLane" = 2 WHERE id = 1']) == []


def test_what_is_being_removed_stays_where_another_incident_raised_it_again(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", incident_id="INC-A")
    with (
        db.transaction('SELECT count(*) FROM "Tags", "TicketTags", "Tickets"') as reader,
        fence.start("write_fence", state="absent", incident_id="INC-A", deadline=15) as lowering,
    ):
        wait_for(lambda: refused(db, [LANE]) == [], "the fence to be lowered")
        assert fence.ok("write_fence", incident_id="INC-B")["status"] == "proven"
        reader.rollback()
        done = lowering.result()
    assert done["error"]["code"] == "other_incident"
    assert refused(db, MOVES) == list(MOVES)
    assert fence.ok("write_fence_info", prove=True)["status"] == "proven"
    assert fence.ok("write_fence", state="absent", incident_id="INC-B")["status"] == "absent"
    assert refused(db, MOVES) == []


@pytest.mark.parametrize("dormant", [True, False])
def test_it_is_lowered_with_the_last_of_its_incidents(db: Database, dormant: bool) -> None:
    fence = board(db)
    if dormant:
        fence.ok("write_fence", state="dormant")
    fence.ok("write_fence", incident_id="INC-A")
    joined = fence.ok("write_fence", incident_id="INC-B")
    assert (joined["status"], joined["changed"], joined["raised_ms"]) == ("proven", True, None)
    assert any("when both have lowered it" in text for text in joined["warnings"])
    assert fence.ok("write_fence", incident_id="INC-B")["changed"] is False
    plan = fence.fails("other_incident", "write_fence", check=True, state="absent", incident_id="INC-A")
    assert plan["diff"]["after"]["fence"]["Tags"] == "handed on"
    fence.fails("other_incident", "write_fence", state="absent", incident_id="INC-A")
    assert refused(db, MOVES) == list(MOVES)
    told = fence.ok("write_fence_info", prove=True)
    assert (told["status"], told["incident_id"]) == ("proven", "INC-B")
    last = fence.ok("write_fence", state="absent", incident_id="INC-B")
    assert last["status"] == ("lowered" if dormant else "absent")
    assert refused(db, MOVES) == []


def test_whoever_calls_itself_like_us_is_drained_too(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    with db.transaction(MOVES[0], application_name="chatia.kanban_rollback break-glass") as session:
        done = fence.ok("write_fence", incident_id="INC-1", drain=0)
        assert [row["pid"] for row in done["draining"]] == [session.info.backend_pid]
        assert done["drained_at"] is None


def test_another_versions_fence_is_nobodys_to_open(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    fence.ok("write_fence", incident_id="INC-1")
    db.rows("""DO $$ DECLARE f record; BEGIN
      FOR f IN SELECT proname, prosrc FROM pg_proc WHERE prosrc ~ 'KB001' AND prorettype = 'trigger'::regtype LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql AS %L',
                       f.proname, replace(f.prosrc, 'Do not retry', 'Please do not retry'));
      END LOOP; END $$""")
    told = fence.ok("write_fence_info")
    assert (told["status"], told["incident_id"]) == ("unproven", "INC-1")
    fence.run("write_fence", state="dormant")
    assert refused(db, MOVES) == list(MOVES)
    again = fence.ok("write_fence", incident_id="INC-2")
    assert (again["status"], again["incident_id"]) == ("proven", "INC-1")


def test_a_fence_of_another_owner_keeps_no_other_one_down(db: Database) -> None:
    fence = board(db)
    role, hers = ops(db)
    alice, bob = db.role("alice"), db.role("bob")
    for owner, name in ((alice, "Tags"), (alice, "TicketTags"), (bob, "Tickets")):
        db.rows(f'ALTER TABLE "{name}" OWNER TO {owner}; GRANT ALL ON SCHEMA public TO {owner}')
        db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {owner}")
    as_alice = fence.having(login_user=alice, login_password=db.roles[alice])
    as_alice.ok("write_fence", state="dormant", grant_to=[role, bob], tables=["Tags", "TicketTags"])
    db.rows(f"GRANT ALL ON SCHEMA kanban_rollback TO {bob}")
    as_bob = fence.having(login_user=bob, login_password=db.roles[bob])
    as_bob.run("write_fence", state="dormant", grant_to=[role], tables=TABLES[2:])
    done = hers.fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert table(done, "Tags")["status"] == "proven"
    assert table(done, "Tickets")["status"] == "not_fenced"
    assert refused(db, MOVES[4:6]) == list(MOVES[4:6])


def test_a_trigger_before_ours_is_not_set_off_by_a_canary(db: Database) -> None:
    """It belongs to the table's owner, and would run with the rights of the fence's owner."""
    fence = board(
        db,
        "CREATE SEQUENCE ran",
        """CREATE FUNCTION early() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM nextval(''ran''); RETURN NULL; END'""",
        'CREATE TRIGGER "AA" BEFORE INSERT OR UPDATE OR DELETE ON "Tags" EXECUTE FUNCTION early()',
    )
    role, hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[role])
    done = hers.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["INSERT"]) == ("proven", "catalog")
    assert table(done, "TicketTags")["proof"]["INSERT"] == "canary"
    hers.ok("write_fence_info", prove=True)
    assert db.value("SELECT is_called FROM ran") is False
    assert refused(db, MOVES) == list(MOVES)
    with db.as_role(role) as session, session.cursor() as cursor:
        fence.ok("write_fence", state="absent", incident_id="INC-1")
        cursor.execute("SELECT kanban_rollback.fence_try('{}')")
        ((answer,),) = cursor.fetchall()
        assert {said for _oid, _operation, said in answer["tried"]} == {"passed"}
    assert db.value("SELECT last_value FROM ran") == 3, "only the writes that were refused on purpose set it off"


def test_a_row_trigger_that_could_move_cards_is_told(db: Database) -> None:
    fence = board(
        db,
        "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        'CREATE TRIGGER "zzz" BEFORE UPDATE ON "Tickets" FOR EACH ROW EXECUTE FUNCTION own()',
    )
    done = fence.ok("write_fence", incident_id="INC-1")
    assert any("public.Tickets has triggers of its own (zzz)" in text for text in done["warnings"])


def test_by_hand_an_incident_is_needed(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        db.rows("SELECT kanban_rollback.fence_raise('{}')")
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"


def test_a_dormant_fence_that_this_role_may_not_raise_is_not_armed(db: Database) -> None:
    fence = board(db)
    _role, hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[db.role("somebody")])
    assert hers.ok("write_fence_info", tables=TABLES)["status"] == "not_fenced"
    assert fence.ok("write_fence_info", tables=TABLES)["status"] == "dormant"


def test_no_room_for_a_connection_is_waited_for(db: Database) -> None:
    fence = board(db)
    role = db.role("crowded")
    db.rows(f"ALTER ROLE {role} CONNECTION LIMIT 1")
    hers = fence.having(login_user=role, login_password=db.roles[role])
    with db.as_role(role) as session, hers.start("write_fence_info", tables=TABLES) as looking:
        wait_for(lambda: looking.runs, "the module to run")
        session.close()
        assert looking.result()["status"] == "absent"
