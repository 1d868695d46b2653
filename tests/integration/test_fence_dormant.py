# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence that is installed ahead of time: raised by a role that owns nothing, lowered, removed without a trace."""

from __future__ import annotations

import json

import psycopg2
import pytest

from tests.integration.fences import INBOUND, MOVES, TABLES, board, catalog, ops, refused, table
from tests.integration.place import Database

HELPERS = ("fence_lower", "fence_note", "fence_raise", "fence_try")


def test_a_role_that_owns_nothing_raises_and_lowers(db: Database) -> None:
    fence = board(db)
    role, hers = ops(db)
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"] is True
    before = catalog(db)
    with db.as_role(role) as session, session.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute('SELECT 1 FROM "Tags"')
    done = hers.ok("write_fence", incident_id="INC-1")
    assert (done["status"], done["kind"], done["changed"]) == ("proven", "dormant", True)
    assert table(done, "TicketTags")["refused"] == ["INSERT", "UPDATE", "DELETE"]
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    again = hers.ok("write_fence", incident_id="INC-1")
    assert (again["changed"], again["status"], again["drained_at"]) == (False, "proven", done["drained_at"])
    told = hers.ok("write_fence_info", prove=True)
    assert (told["status"], told["lsn"], told["changed"]) == ("proven", done["lsn"], False)
    assert hers.ok("write_fence_info")["status"] == "unproven"
    lowered = hers.ok("write_fence", state="absent", incident_id="INC-1")
    assert (lowered["status"], lowered["changed"]) == ("lowered", True)
    assert refused(db, (*MOVES, *INBOUND)) == []
    assert catalog(db) == before
    hers.fails("left_behind", "write_fence", state="absent", incident_id="INC-1", purge=True)


def test_a_role_without_usage_on_the_schema(db: Database) -> None:
    db.rows("CREATE SCHEMA app")
    fence = board(db, 'ALTER TABLE "TicketTags" SET SCHEMA app', tables=["app.TicketTags"])
    role, _hers = ops(db)
    db.rows("REVOKE ALL ON SCHEMA app FROM PUBLIC")
    fence.ok("write_fence", state="dormant", grant_to=[role])
    done = db.modules(role, tables=["app.TicketTags"]).ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven"


@pytest.mark.parametrize("ledger", [False, True], ids=["alone", "beside the ledger"])
def test_no_trace_is_left(db: Database, ledger: bool) -> None:
    fence = board(db)
    role, other = db.role("ops"), db.role("other")
    if ledger:
        db.modules().ok("ledger", grant_to=[other])
    before = catalog(db)
    fence.ok("write_fence", state="dormant", grant_to=[role, other])
    fence.ok("write_fence", incident_id="INC-1")
    installed = catalog(db)
    assert installed != before
    gone = fence.ok("write_fence", state="absent", incident_id="INC-1", purge=True)
    assert (gone["status"], gone["changed"], gone["left_behind"]) == ("absent", True, [])
    assert catalog(db) == before
    assert fence.ok("write_fence", state="absent", incident_id="INC-1", purge=True)["changed"] is False
    if ledger:
        assert db.value("SELECT has_schema_privilege(%s, 'kanban_rollback', 'USAGE')", (other,))
        assert not db.value("SELECT has_schema_privilege(%s, 'kanban_rollback', 'USAGE')", (role,))
    # If no table is named, everything is meant.
    fence.ok("write_fence", state="dormant")
    alone = db.modules()
    assert alone.ok("write_fence", state="absent", purge=True, force=True)["changed"] is True
    assert catalog(db) == before


def test_on_demand_leaves_no_trace_either(db: Database) -> None:
    fence = board(db)
    before = catalog(db)
    fence.ok("write_fence", incident_id="INC-1")
    assert fence.ok("write_fence", state="absent", incident_id="INC-1")["left_behind"] == []
    assert catalog(db) == before


def test_installing_twice_and_for_others(db: Database) -> None:
    fence = board(db)
    one, two = db.role("one"), db.role("two")
    assert fence.ok("write_fence", state="dormant", grant_to=[one])["changed"] is True
    before = catalog(db)
    assert fence.ok("write_fence", state="dormant", grant_to=[one])["changed"] is False
    assert catalog(db) == before
    assert fence.ok("write_fence", state="dormant", grant_to=[two])["changed"] is True
    may = (
        "SELECT has_function_privilege(%s, 'kanban_rollback.' || name || '(jsonb)', 'EXECUTE') FROM unnest(%s) AS name"
    )
    assert {row[0] for row in db.rows(may, (one, list(HELPERS)))} == {False}
    assert {row[0] for row in db.rows(may, (two, list(HELPERS)))} == {True}
    passers = db.rows(
        "SELECT DISTINCT obj_description(oid)::jsonb ->> 'passers' FROM pg_proc WHERE proname ~ '^fence_.{12}$'"
    )
    assert [json.loads(row[0]) for row in passers] == [[two]]
    fence.fails("missing_role", "write_fence", state="dormant", grant_to=["nobody at all"])


def test_another_scope_replaces_the_dormant_fence(db: Database) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    narrow = fence.having(tables=[{"name": "Tags", "operations": ["DELETE"]}])
    done = narrow.ok("write_fence", state="dormant")
    assert (done["changed"], done["status"]) == (True, "dormant")
    narrow.ok("write_fence", incident_id="INC-1")
    statements = ['DELETE FROM "Tags"', "UPDATE \"Tags\" SET name = ''", 'TRUNCATE "TicketTags"']
    assert refused(db, statements) == statements[:1]


def test_a_wider_fence_is_raised_and_said_to_be_wider(db: Database) -> None:
    fence = board(db)
    role, _hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[role], tables=["Tickets", "Tags"])
    narrow = db.modules(role, tables=[{"name": "Tickets", "operations": ["UPDATE"], "columns": ["kanbanLane"]}, "Tags"])
    done = narrow.ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven"
    assert any("INSERT" in warning and "public.Tickets" in warning for warning in done["warnings"])
    assert "INSERT" in table(done, "Tickets")["refuses_more"]
    assert table(done, "Tags")["refuses_more"] == []


def test_an_inventory_that_was_relaxed_since_bootstrap_is_told_before_a_stop(db: Database) -> None:
    strict = {"name": "Tickets", "operations": ["UPDATE"], "columns": ["kanbanLane"]}
    relaxed = {**strict, "when_changed": True}
    fence = board(db, tables=[strict])
    fence.ok("write_fence", state="dormant")
    now = fence.having(tables=[relaxed])
    more = ["UPDATE that names a column and leaves it as it was"]
    looked = now.ok("write_fence_info")
    assert (looked["status"], table(looked, "Tickets")["refuses_more"]) == ("dormant", more)
    now.ok("write_fence", state="dormant")
    assert table(now.ok("write_fence_info"), "Tickets")["refuses_more"] == []
    now.ok("write_fence", incident_id="INC-1")
    saves = ['UPDATE "Tickets" SET "kanbanLane" = "kanbanLane" WHERE id = 1', MOVES[7]]
    assert refused(db, saves) == saves[1:]


def test_what_is_not_installed_is_made_where_the_role_may(db: Database) -> None:
    fence = board(db)
    role, hers = ops(db)
    fence.ok("write_fence", state="dormant", tables=["TicketTags", {"name": "Tickets", "operations": ["DELETE"]}],
             grant_to=[role])  # fmt: skip
    result = hers.fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert (result["status"], result["changed"]) == ("not_fenced", True)
    assert table(result, "TicketTags")["status"] == "proven"
    assert table(result, "Tags")["status"] == table(result, "Tickets")["status"] == "not_fenced"
    assert f"Role {role} does not own public.Tags (owner postgres)" in table(result, "Tags")["reason"]
    # The fence that a table has is raised, though it is not all that was asked for.
    statements = ['DELETE FROM "TicketTags"', 'DELETE FROM "Tickets"', 'UPDATE "Tickets" SET "kanbanLane" = 1']
    assert refused(db, statements) == statements[:2]
    # The owner completes it, on demand.
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], done["kind"]) == ("proven", "mixed")
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert refused(db, MOVES) == []
    assert fence.ok("write_fence_info", tables=None)["kind"] == "dormant"


def test_a_role_that_may_nothing_is_told_so(db: Database) -> None:
    board(db)
    role, hers = ops(db)
    result = hers.fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert (result["changed"], result["status"]) == (False, "not_fenced")
    assert "bootstrap.yml" in result["error"]["todo"]
    assert hers.fails("missing_privilege", "write_fence", state="dormant")["changed"] is False
    assert hers.fails("missing_privilege", "write_fence", check=True, incident_id="INC-1")["changed"] is False
    # An installed fence whose functions were not granted.
    db.modules(tables=TABLES).ok("write_fence", state="dormant")
    db.rows(f"GRANT USAGE ON SCHEMA kanban_rollback TO {role}")
    result = hers.fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert "fence_raise(), which bootstrap.yml grants" in table(result, "Tags")["reason"]
    assert result["changed"] is False
    assert hers.fails("missing_privilege", "write_fence", check=True, incident_id="INC-1")["changed"] is False


def test_an_owner_who_is_no_superuser(db: Database) -> None:
    board(db)
    owner = db.role("owner")
    role, hers = ops(db)
    for name in ("Tags", "TicketTags", "Tickets"):
        db.rows(f'ALTER TABLE "{name}" OWNER TO {owner}')
    theirs = db.modules(owner, tables=TABLES)
    assert "the schema kanban_rollback" in theirs.fails("missing_privilege", "write_fence", incident_id="INC-1")["msg"]
    db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {owner}")
    before = catalog(db)
    theirs.ok("write_fence", state="dormant", grant_to=[role])
    assert hers.ok("write_fence", incident_id="INC-1")["status"] == "proven"
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    hers.ok("write_fence", state="absent", incident_id="INC-1")
    theirs.ok("write_fence", state="absent", incident_id="INC-1", purge=True)
    assert catalog(db) == before
    assert theirs.ok("write_fence", incident_id="INC-1")["kind"] == "on_demand"
    theirs.ok("write_fence", state="absent", incident_id="INC-1")
    assert catalog(db) == before
    db.rows(f"REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}")


def test_the_functions_take_no_code_and_serve_by_hand(db: Database) -> None:
    fence = board(db)
    role, _hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[role])
    with db.as_role(role) as session, session.cursor() as cursor:
        for evil in ('\'; DROP TABLE "Tags"; --', "$refusal$ || $$", "%1$L", "\\'"):
            request = {"incident": evil, "by": evil, "fences": None, "force": True, "incidents": [evil]}
            request.pop("fences")
            cursor.execute("SELECT kanban_rollback.fence_raise(%s)", (json.dumps(request),))
            with db.connect() as app, app.cursor() as write, pytest.raises(psycopg2.Error) as caught:
                write.execute('DELETE FROM "Tags"')
            assert caught.value.pgcode == "KB001"
            assert f"incident {evil} (" in (caught.value.diag.message_primary or "")
            cursor.execute("SELECT kanban_rollback.fence_lower(%s)", (json.dumps(request),))
        assert refused(db, MOVES) == []
        cursor.execute('SELECT kanban_rollback.fence_raise(\'{"incident": "x", "fences": ["fence_raise", "nope"]}\')')
        assert refused(db, MOVES) == []
    secure = "SELECT count(*) FROM pg_proc WHERE proname = ANY (%s) AND prosecdef AND proconfig = %s"
    assert db.value(secure, (list(HELPERS), ["search_path=pg_catalog, pg_temp"])) == len(HELPERS)
    public = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'kanban_rollback'::regnamespace AND (proacl IS NULL"
    assert db.value(public + " OR EXISTS (SELECT FROM aclexplode(proacl) AS a WHERE a.grantee = 0))") == 0


def test_a_search_path_of_the_callers_does_not_fool_it(db: Database) -> None:
    fence = board(db)
    role = db.role("ops", 'ALL ON "Tags"', f"CREATE ON DATABASE {db.name}")
    fence.ok("write_fence", state="dormant", grant_to=[db.role("mender")])
    fence.ok("write_fence", incident_id="INC-1")
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("""CREATE SCHEMA evil; SET kanban_rollback.passage = 'x';
            CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
            CREATE FUNCTION evil.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
            CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.yes);
            SET search_path = evil, public, pg_catalog""")
        with pytest.raises(psycopg2.Error) as caught:
            cursor.execute('DELETE FROM "Tags"')
    assert caught.value.pgcode == "KB001"
    db.rows(f"DROP OWNED BY {role}")


def test_a_trigger_that_was_switched_off_is_no_fence(db: Database) -> None:
    fence = board(db)
    role, hers = ops(db)
    fence.ok("write_fence", state="dormant", grant_to=[role])
    (trigger,) = [
        row[0]
        for row in db.rows("SELECT tgname FROM pg_trigger WHERE tgrelid = '\"Tags\"'::regclass AND tgname ~ '^aa_'")
    ]
    db.rows(f'ALTER TABLE "Tags" DISABLE TRIGGER {trigger}')
    result = hers.fails("missing_privilege", "write_fence", incident_id="INC-1")
    assert table(result, "Tags")["status"] == "not_fenced"
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
    assert refused(db, MOVES) == list(MOVES)
    # A function body that somebody rewrote is not taken for ours, and is repaired.
    name = trigger[len("aa_kanban_rollback_") :]
    made = f"FUNCTION kanban_rollback.{name}() RETURNS trigger LANGUAGE plpgsql"
    db.rows(f"CREATE OR REPLACE {made} AS 'BEGIN RETURN NEW; END;'")
    assert fence.ok("write_fence_info", prove=True, tables=["Tags"])["status"] != "proven"
    assert fence.ok("write_fence", incident_id="INC-1")["status"] == "proven"
    assert refused(db, MOVES) == list(MOVES)


def test_check_mode_changes_nothing_and_tells_the_truth(db: Database) -> None:
    fence = board(db)
    before = catalog(db)
    with db.transaction('LOCK TABLE "Tags" IN ACCESS EXCLUSIVE MODE'):
        for options in ({"state": "dormant"}, {"incident_id": "INC-1"}):
            told = fence.ok("write_fence", check=True, **options)
            assert (told["changed"], told["status"]) == (True, "absent")
            assert set(told["diff"]["after"]["fence"]) == {"TicketTags", "Tags", "Tickets"}
            assert told["elapsed_ms"] < 2000
    assert catalog(db) == before
    fence.ok("write_fence", state="dormant")
    assert fence.ok("write_fence", check=True, state="dormant")["changed"] is False
    told = fence.ok("write_fence", check=True, incident_id="INC-1")
    assert told["diff"]["after"]["fence"]["Tags"] == "raised from the dormant fence"
    assert refused(db, MOVES) == []
    fence.ok("write_fence", incident_id="INC-1")
    assert fence.ok("write_fence", check=True, incident_id="INC-1")["changed"] is False
    told = fence.ok("write_fence", check=True, state="absent", incident_id="INC-1")
    assert (told["changed"], told["diff"]["after"]["fence"]["Tags"]) == (True, "lowered")
    fence.fails("other_incident", "write_fence", check=True, state="absent", incident_id="INC-2")
    told = fence.ok("write_fence", check=True, state="absent", incident_id="INC-1", purge=True)
    assert (told["changed"], told["diff"]["after"]["fence"]["Tags"]) == (True, "absent")
    assert refused(db, MOVES) == list(MOVES)
    fence.fails("no_incident", "write_fence", incident_id=" ")
