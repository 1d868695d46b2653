# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A latch meets code of the table's owner: it runs as whoever writes, and never as whoever ran bootstrap.yml."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from tests.integration.module import Modules
from tests.integration.place import Database

FLAG: dict[str, Any] = {"table": "companies", "column": "settings", "path": ["kanbanV2Enabled"]}
ON = '{"kanbanV2Enabled": true}'
_TELLS = """BEGIN
  PERFORM setval('public.met', 7);
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    PERFORM setval('public.met_as_superuser', 7);
  END IF;
  RETURN true;
END"""
# Sequences keep what they were told, even if the transaction is rolled back. "met" says that the code ran at all.
# Neither function calls the other: PostgreSQL would keep the answer of the one that never changes.
TOLD = f"""
CREATE SEQUENCE met; CREATE SEQUENCE met_as_superuser; GRANT UPDATE ON SEQUENCE met, met_as_superuser TO PUBLIC;
CREATE FUNCTION tell() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
{_TELLS} $$;
CREATE FUNCTION tell(what jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
{_TELLS} $$;
"""
# The latch reads a flag from the document and writes it back, which checks the type of the column.
DOCUMENTS = """
CREATE DOMAIN document AS jsonb CHECK (tell(VALUE));
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


def as_role(db: Database, role: str, *statements: str) -> None:
    with db.as_role(role) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def on(db: Database) -> list[Any]:
    return [row[0] for row in db.rows("SELECT id FROM companies WHERE (settings ->> 'kanbanV2Enabled')::bool")]


@pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
def test_a_latch_runs_the_owners_code_as_whoever_writes(db: Database, dormant: bool) -> None:
    app, modules = latched(db) if dormant else (owned(db, TOLD, DOCUMENTS), db.modules(None, **FLAG))
    assert modules.disable(latch=True)["latch"]["raised"]
    met(db)
    as_role(db, app, f"UPDATE companies SET settings = '{ON}'")
    assert met(db) == (True, False)
    assert on(db) == []
    seen = "SELECT incident_id, tenant, refused, session_name FROM kanban_rollback.latched ORDER BY 2"
    assert db.rows(seen) == [("INC-1", str(tenant), "true", app) for tenant in (1, 2)]
    undone = modules.restore()
    assert (undone["latch_left"], undone["enabled_after"]) == ([], 1)
    # Neither is the ledger open to it, nor is what would be on it.
    for statement in ("SELECT FROM kanban_rollback.latched", "CREATE TABLE kanban_rollback.mine ()"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            as_role(db, app, statement)


# What becomes of a table after bootstrap.yml must not make a latch that says that it is up one that is not.
LATER = {
    "another owner": ("ALTER TABLE companies OWNER TO {other}", "{other}"),
    "a writer who may not read": (
        "REVOKE SELECT ON companies FROM {other}; GRANT INSERT ON companies TO {other}",
        "{other}",
    ),
    "an owner who may not read": ("REVOKE SELECT ON companies FROM {app}", "{app}"),
    "rows that are hidden": (
        "ALTER TABLE companies ENABLE ROW LEVEL SECURITY; GRANT INSERT, SELECT ON companies TO {other};"
        "ALTER ROLE {role} BYPASSRLS; CREATE POLICY theirs ON companies TO {other} USING (id > 99) WITH CHECK (true)",
        "{other}",
    ),
    "a policy that fails": (
        "ALTER TABLE companies ENABLE ROW LEVEL SECURITY; GRANT INSERT, SELECT ON companies TO {other};"
        "ALTER ROLE {role} BYPASSRLS; CREATE POLICY theirs ON companies TO {other}"
        " USING (id = current_setting('app.tenant')::int) WITH CHECK (true)",
        "{other}",
    ),
    "another schema": (
        "CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO {other}, {role}; ALTER TABLE companies SET SCHEMA s;"
        "GRANT INSERT, SELECT ON s.companies TO {other}",
        "{other}",
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_a_latch_turns_back_whoever_writes_whatever_became_of_the_table(db: Database, what: str) -> None:
    app, modules = latched(db)
    (role,) = set(db.roles) - {app}
    names = {"app": app, "role": role, "other": db.role("other")}
    later, writer = (text.format(**names) for text in LATER[what])
    db.rows(later)
    db.rows(f"ALTER ROLE {writer} SET search_path = public, s")
    db.rows(f"ALTER ROLE {role} SET search_path = public, s")
    stopped = modules.disable(latch=True)
    table = db.value("SELECT oid::regclass::text FROM pg_class WHERE relname = 'companies'")
    if stopped["latch"]["raised"]:
        as_role(db, writer.format(**names), f"INSERT INTO {table} VALUES (10, '{ON}')")
        assert db.value(f"SELECT settings ->> 'kanbanV2Enabled' FROM {table} WHERE id = 10") == "false"
        assert db.rows("SELECT tenant FROM kanban_rollback.latched") == [("10",)]
    else:
        assert what == "another schema", stopped["latch"]


@pytest.mark.parametrize(
    ("kind", "off", "value"),
    [("document", "{}", ON), ("answer", "off", "on"), ("boolean", "false", "true"), ("varchar(3)", "off", "on")],
)
def test_a_writer_who_may_not_name_the_columns_type(db: Database, kind: str, off: str, value: str) -> None:
    """The application writes through views, and has no right on the schema in which table and type are."""
    db.rows("CREATE SCHEMA deep; CREATE SCHEMA api; CREATE TYPE deep.answer AS ENUM ('on', 'off')")
    db.rows("CREATE DOMAIN deep.document AS jsonb CHECK (jsonb_typeof(VALUE) = 'object')")
    column = f"deep.{kind}" if kind in ("document", "answer") else kind
    db.rows(f"CREATE TABLE deep.companies (id int PRIMARY KEY, v2 {column})")
    db.rows(f"INSERT INTO deep.companies VALUES (1, '{value}'), (2, '{off}')")
    db.rows("CREATE VIEW api.companies AS SELECT * FROM deep.companies")
    viewer = db.role("viewer", "USAGE ON SCHEMA api", "SELECT, INSERT, UPDATE ON api.companies")
    plain = {"store": "column", "enabled_value": value, "disabled_value": off}
    flag: dict[str, Any] = {"path": ["kanbanV2Enabled"]} if kind == "document" else plain
    modules = db.modules(None, table="deep.companies", column="v2", **flag)
    assert modules.disable(latch=True)["latch"]["raised"]
    changes = f"UPDATE api.companies SET v2 = '{value}' WHERE id = 2"
    as_role(db, viewer, changes, f"INSERT INTO api.companies VALUES (3, '{value}')")
    assert modules.ok("feature_flag", True, state="disabled", incident_id="INC-1")["enabled_before"] == 0
    assert db.rows("SELECT tenant FROM kanban_rollback.latched ORDER BY 1") == [("2",), ("3",)]


def test_a_line_is_added_to_no_incident_whose_latch_is_not_up(db: Database) -> None:
    app, modules = latched(db)
    forged = 'SET kanban_rollback.turned_back = \'{"incident": "INC-9", "flag": "f"}\''
    as_role(db, app, forged, "UPDATE companies SET settings = settings")
    modules.disable(latch=True)
    as_role(db, app, forged, "UPDATE companies SET settings = settings")
    assert db.rows("SELECT incident_id FROM kanban_rollback.latched") == []


def test_who_was_given_back_stays_on_when_the_application_saves(db: Database) -> None:
    app, modules = latched(db)
    modules.disable(latch=True)
    as_role(db, app, "SET kanban_rollback.passage = 'INC-1'", f"UPDATE companies SET settings = '{ON}' WHERE id = 1")
    assert on(db) == [], "the passage takes a role that may raise it"
    db.rows("SELECT set_config('kanban_rollback.passage', 'INC-1', true);UPDATE companies SET settings = %s", (ON,))
    assert sorted(on(db)) == [1, 2]
    save = "ON CONFLICT (id) DO UPDATE SET settings = excluded.settings"
    as_role(
        db, app, f"INSERT INTO companies VALUES (1, '{ON}') {save}", f"INSERT INTO companies VALUES (3, '{ON}') {save}"
    )
    assert sorted(on(db)) == [1, 2]


@pytest.mark.parametrize("up", [False, True], ids=["dormant", "up"])
def test_a_latch_from_before_is_mended_by_the_next_bootstrap(db: Database, up: bool) -> None:
    app, modules = latched(db)
    (role,) = set(db.roles) - {app}
    latch = db.value("SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'latch\\_%%'")
    raises = latch.replace("latch_", "raise_latch_").replace("()", "(text)")
    # As an older version left it: one trigger, whose function runs as its owner.
    db.rows(f"DROP FUNCTION {latch.replace('latch_', 'note_latch_')} CASCADE; ALTER FUNCTION {latch} SECURITY DEFINER")
    source = db.value("SELECT prosrc FROM pg_proc WHERE oid = %s::regprocedure", (raises,))
    older = source.replace("LANGUAGE plpgsql SET", "LANGUAGE plpgsql SECURITY DEFINER SET")
    assert older != source
    db.rows(
        f"CREATE OR REPLACE FUNCTION {raises[:-6]}(incident text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp AS %s",
        (older,),
    )
    if up:
        assert modules.disable(latch=True)["latch"]["raised"]
        assert db.value("SELECT prosecdef FROM pg_proc WHERE oid = %s::regprocedure", (latch,))
    made: dict[str, Any] = {"grant_to": [role], "flag": FLAG, "latch": True}
    assert db.modules().ok("ledger", **made)["changed"]
    assert not db.modules().ok("ledger", **made)["changed"]
    if not up:
        assert modules.disable(latch=True)["latch"]["raised"]
    assert not db.value("SELECT prosecdef FROM pg_proc WHERE oid = %s::regprocedure", (latch,))
    met(db)
    as_role(db, app, f"UPDATE companies SET settings = '{ON}'")
    assert (met(db), on(db), db.value("SELECT count(*) FROM kanban_rollback.latched")) == ((True, False), [], 2)


def test_a_latch_from_before_that_stands_needs_no_table(db: Database) -> None:
    """Made on demand, it turns back whatever becomes of the trigger that records."""
    app = owned(db, TOLD, DOCUMENTS)
    modules = db.modules(None, **FLAG)
    assert modules.disable(latch=True)["latch"]["raised"]
    latch = db.value("SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'latch\\_%%'")
    db.rows(f"DROP FUNCTION {latch.replace('latch_', 'note_latch_')} CASCADE; ALTER FUNCTION {latch} SECURITY DEFINER")
    with db.transaction("INSERT INTO companies VALUES (9, '{}')"):
        assert modules.disable(latch=True)["latch"] == {"raised": True, "reason": None}
        met(db)
        as_role(db, app, f"UPDATE companies SET settings = '{ON}' WHERE id = 2")
        assert (met(db), on(db)) == ((True, False), [])
    assert modules.disable(latch=True)["latch"]["raised"]
    as_role(db, app, f"UPDATE companies SET settings = '{ON}' WHERE id = 2")
    assert db.rows("SELECT tenant FROM kanban_rollback.latched") == [("2",)]
