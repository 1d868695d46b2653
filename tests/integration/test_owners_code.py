# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fence and latch meet code of the tables' owner there: it runs as that owner, and not as whoever ran bootstrap.yml."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from tests.integration.fences import table
from tests.integration.module import Modules
from tests.integration.place import Database

FLAG = {"table": "companies", "column": "settings", "path": ["kanbanV2Enabled"]}
ON = '{"kanbanV2Enabled": true}'
# Sequences keep what they were told, even if the transaction is rolled back. "met" says that the code ran at all.
TOLD = """
CREATE SEQUENCE met; CREATE SEQUENCE met_as_superuser; GRANT UPDATE ON SEQUENCE met, met_as_superuser TO PUBLIC;
CREATE FUNCTION tell() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM setval('public.met', 7);
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    PERFORM setval('public.met_as_superuser', 7);
  END IF;
  RETURN true;
END $$;
"""
# The latch reads a flag from the document and writes it back, which checks the type of the column.
DOCUMENTS = """
CREATE DOMAIN document AS jsonb CHECK (tell());
CREATE TABLE companies (id int PRIMARY KEY, settings document);
INSERT INTO companies VALUES (1, '{"kanbanV2Enabled": true}'), (2, '{}');
"""
# PostgreSQL works out a default that never changes as it plans, also for no row.
DEFAULTS = """
CREATE TABLE "Tags" (id int DEFAULT tell()::int, name text);
"""


def owned(db: Database, *statements: str) -> str:
    app = db.role("app", "CREATE ON SCHEMA public")
    with db.as_role(app) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return app


def met(db: Database) -> tuple[bool, bool]:
    """Return whether the owner's code ran, and whether it did so as a superuser; forget both."""
    found = db.value("SELECT (SELECT is_called FROM met)"), db.value("SELECT (SELECT is_called FROM met_as_superuser)")
    db.rows("SELECT setval('met', 1, false), setval('met_as_superuser', 1, false)")
    return found


def latched(db: Database) -> tuple[str, Modules]:
    app = owned(db, TOLD, DOCUMENTS)
    role = db.role("ops", "pg_read_all_stats")
    made: dict[str, Any] = {"grant_to": [role], "flag": FLAG, "latch": True}
    assert db.modules().ok("ledger", **made)["changed"]
    assert not db.modules().ok("ledger", **made)["changed"]
    return app, db.modules(role, **FLAG)


def test_a_latch_runs_the_owners_code_as_the_owner(db: Database) -> None:
    app, modules = latched(db)
    assert modules.disable(latch=True)["latch"]["raised"]
    met(db)
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("UPDATE companies SET settings = %s", (ON,))
    assert met(db) == (True, False)
    assert db.rows("SELECT id FROM companies WHERE (settings ->> 'kanbanV2Enabled')::bool") == []
    assert db.rows("SELECT tenant, session_name FROM kanban_rollback.latched ORDER BY 1") == [("1", app), ("2", app)]
    undone = modules.restore()
    assert (undone["latch_left"], undone["enabled_after"]) == ([], 1)
    # Raised and lowered, it is still the owner's.
    assert db.value("SELECT proowner::regrole::text FROM pg_proc WHERE proname LIKE 'latch\\_%%'") == app
    # The owner got what that takes, and nothing else of the ledger.
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO kanban_rollback.latched (incident_id, flag) VALUES ('INC-1', 'mine')")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT FROM kanban_rollback.flag_changes")
    with db.as_role(app) as session, session.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("CREATE TABLE kanban_rollback.mine ()")


def test_a_latch_from_before_is_given_to_the_tables_owner(db: Database) -> None:
    app, _modules = latched(db)
    (role,) = set(db.roles) - {app}
    function = db.value("SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'latch\\_%%'")
    db.rows(f"ALTER FUNCTION {function} OWNER TO CURRENT_USER")
    made: dict[str, Any] = {"grant_to": [role], "flag": FLAG, "latch": True}
    assert db.modules().ok("ledger", **made)["changed"]
    assert db.value(f"SELECT proowner::regrole::text FROM pg_proc WHERE oid = '{function}'::regprocedure") == app
    assert not db.value(f"SELECT has_function_privilege('public', '{function}', 'EXECUTE')")
    assert not db.modules().ok("ledger", **made)["changed"]


def test_the_tables_owner_is_not_taken_for_who_may_use_the_ledger(db: Database) -> None:
    """It may enter the schema for the latch; its own stop keeps prior values in a file, as it did before."""
    app, _modules = latched(db)
    hers = db.modules(app, **FLAG)
    stopped = hers.disable("INC-2")
    assert (stopped["enabled_after"], stopped["priors"]["kept_in"]) == (0, "file")
    assert hers.restore("INC-2")["enabled_after"] == 1


def test_canaries_run_the_owners_code_as_the_owner(db: Database) -> None:
    app = owned(db, TOLD, DEFAULTS)
    db.rows('CREATE TABLE "Tickets" (id int)')
    role = db.role("ops")
    fence = db.modules(tables=["Tags", "Tickets"])
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"]
    assert not fence.ok("write_fence", state="dormant", grant_to=[role])["changed"]
    met(db)
    hers = db.modules(role, tables=["Tags", "Tickets"])
    done = hers.ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven"
    for name in ("Tags", "Tickets"):
        assert table(done, name)["proof"]["UPDATE"] == "canary", done
    assert met(db) == (True, False)
    told = hers.ok("write_fence_info", prove=True)
    assert (told["status"], met(db)) == ("proven", (True, False))
    hers.ok("write_fence", state="absent", incident_id="INC-1")
    # If nobody may try it as its owner, the catalog has to do.
    (function,) = db.value("SELECT array_agg(oid::regprocedure::text) FROM pg_proc WHERE proname ~ '^fence_try_as_'")
    db.rows(f"DROP FUNCTION {function}")
    done = hers.ok("write_fence", incident_id="INC-1")
    assert (done["status"], table(done, "Tags")["proof"]["UPDATE"]) == ("proven", "catalog")
    assert table(done, "Tickets")["proof"]["UPDATE"] == "canary"
    assert met(db) == (False, False)
    hers.ok("write_fence", state="absent", incident_id="INC-1")
    assert fence.ok("write_fence", state="dormant", grant_to=[role])["changed"], "and it is made again"
    assert db.value(f"SELECT proowner::regrole::text FROM pg_proc WHERE oid = '{function}'::regprocedure") == app
    gone = fence.ok("write_fence", state="absent", incident_id="INC-1", purge=True)
    assert (gone["status"], gone["left_behind"]) == ("absent", [])
    assert not db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'kanban_rollback'")


def test_a_member_of_the_owner_gives_it_what_is_its_own(db: Database) -> None:
    """It is no superuser, so the owner needs a right for the moment in which it becomes the owner."""
    app = owned(db, TOLD, DOCUMENTS, DEFAULTS)
    keeper, role = db.role("keeper", f"CREATE ON DATABASE {db.name}", app), db.role("ops", "pg_read_all_stats")
    db.rows(f"GRANT pg_read_all_stats TO {keeper} WITH ADMIN OPTION")
    db.modules(keeper).ok("ledger", grant_to=[role], flag=FLAG, latch=True)
    db.modules(keeper, tables=["Tags"]).ok("write_fence", state="dormant", grant_to=[role])
    owners = "SELECT proowner::regrole::text FROM pg_proc WHERE proname ~ '^(latch_|fence_try_as_)' ORDER BY 1"
    assert db.rows(owners) == [(app,), (app,)]
    assert not db.value("SELECT has_schema_privilege(%s, 'kanban_rollback', 'CREATE')", (app,))
    assert db.modules(role, **FLAG).disable(latch=True)["latch"]["raised"]
    assert db.modules(role, tables=["Tags"]).ok("write_fence", incident_id="INC-1")["status"] == "proven"
    again = db.modules(keeper, tables=["Tags"]).ok("write_fence", state="dormant", grant_to=[role])
    assert not again["changed"]
    assert not db.modules(keeper).ok("ledger", grant_to=[role], flag=FLAG, latch=True)["changed"]
    assert db.modules(role, **FLAG).restore()["latch_left"] == []


@pytest.mark.parametrize("lock", [118075163402606, 118075163402607])
def test_a_lock_that_anybody_holds_keeps_neither_down(db: Database, lock: int) -> None:
    app, modules = latched(db)
    db.rows('CREATE TABLE "Tags" (id int)')
    (role,) = set(db.roles) - {app}
    fence = db.modules(tables=["Tags"])
    fence.ok("write_fence", state="dormant", grant_to=[role])
    hers = db.modules(role, tables=["Tags"])
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (lock,))
        stopped = modules.disable(latch=True)
        assert (stopped["enabled_after"], stopped["latch"]["raised"]) == (0, True), stopped["warnings"]
        assert hers.ok("write_fence", incident_id="INC-1", deadline=20)["status"] == "proven"
        assert hers.ok("write_fence", state="absent", incident_id="INC-1", deadline=20)["status"] == "lowered"
        assert modules.restore()["latch_left"] == []
