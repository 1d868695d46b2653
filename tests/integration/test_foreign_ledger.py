# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else put in the ledger's place: it is not read, and the stop goes on without a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.place import Database
from tests.integration.preflights import checks

# It makes whoever planted it a superuser, if whoever runs it may do that.
TRAP = """
CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    EXECUTE 'ALTER ROLE "{app}" SUPERUSER';
  EXCEPTION WHEN insufficient_privilege OR read_only_sql_transaction THEN NULL;
  END;
  RETURN '1';
END $$;
CREATE FUNCTION public.trap_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.trap();
  RETURN NEW;
END $$;
"""
VIEW = "CREATE VIEW kanban_rollback.meta AS SELECT 'version'::text AS key, public.trap() AS value"
TRIGGER = """CREATE TRIGGER trap BEFORE INSERT ON kanban_rollback.incidents
FOR EACH ROW EXECUTE FUNCTION public.trap_trigger()"""
DEFAULT = "ALTER TABLE kanban_rollback.incidents ALTER closed_by SET DEFAULT public.trap()"
CHECK = "ALTER TABLE kanban_rollback.incidents ADD CHECK (public.trap() IS NOT NULL)"
INDEX = "CREATE INDEX ON kanban_rollback.incidents (public.trap_of(operator))"
RULE = "CREATE RULE trap AS ON INSERT TO kanban_rollback.incidents DO ALSO SELECT public.trap()"
POLICY = "ALTER TABLE kanban_rollback.incidents ENABLE ROW LEVEL SECURITY"
HEIR = "CREATE TABLE kanban_rollback.more () INHERITS (kanban_rollback.meta)"
TRAP_OF = "CREATE FUNCTION public.trap_of(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.trap()'"
ADDED = {
    "trigger": TRIGGER,
    "default": DEFAULT,
    "check": CHECK,
    "index": f"{TRAP_OF}; {INDEX}",
    "rule": RULE,
    "policy": POLICY,
    "heir": HEIR,
}


def planted(db: Database, statements: str, with_ledger: bool) -> str:
    """Make a schema of the ledger's name as a role that may create schemas, and what it plants; return the role."""
    app = db.role("app", f"CREATE ON DATABASE {db.name}", "CREATE ON SCHEMA public")
    if with_ledger:
        db.modules(app).ok("ledger")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute(TRAP.format(app=app))
        if not with_ledger:
            cursor.execute("CREATE SCHEMA kanban_rollback")
        cursor.execute(statements)
    return app


def is_superuser(db: Database, role: str) -> bool:
    return bool(db.value("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)))


@pytest.mark.parametrize("added", [None, *ADDED], ids=["a view in place of it", *ADDED])
def test_a_stop_does_without_it_and_nobody_gains_anything(db: Database, directory: Path, added: str | None) -> None:
    population(db)
    before = db.snapshot("companies")
    app = planted(db, ADDED[added] if added else VIEW, with_ledger=added is not None)
    modules = db.modules(**FLAG, state_dir=str(directory / "state"))
    db.modules(**FLAG).ok("feature_flag_info", environment="staging")
    stopped = modules.disable("INC-1", environment="staging")
    assert not is_superuser(db, app)
    assert (on(db), stopped["priors"]["kept_in"]) == ([], "file")
    (told,) = [text for text in stopped["warnings"] if "The ledger cannot be used (" in text]
    assert f"role {app}" in told
    modules.restore("INC-1")
    assert db.snapshot("companies").texts == before.texts
    told = db.modules().ok("incident_info", environment="staging")
    assert any("The ledger is not used: " in text for text in told["warnings"])
    db.modules(**FLAG).ok("preflight_info")
    assert not is_superuser(db, app)


@pytest.mark.parametrize("added", [None, *ADDED], ids=["a view in place of it", *ADDED])
def test_it_is_refused_where_a_ledger_is_to_be_made_or_removed(db: Database, added: str | None) -> None:
    population(db)
    app = planted(db, ADDED[added] if added else VIEW, with_ledger=added is not None)
    there = "SELECT oid, relname, relacl::text FROM pg_class WHERE relnamespace = 'kanban_rollback'::regnamespace"
    before = db.rows(there)
    for state in ("present", "absent"):
        error = db.modules().fails("foreign_ledger", "ledger", state=state, environment="staging")["error"]
        assert f"role {app}" in error["what"]
    db.modules().fails("foreign_ledger", "incident", incident_id="INC-1")
    seen = checks(db.modules(**FLAG).ok("preflight_info"))["ledger"]
    assert (seen["ok"], seen["severity"]) == (False, "must")
    assert f"role {app}" in seen["what"]
    assert db.rows(there) == before
    assert not is_superuser(db, app)
    # With a reason it is removed; nothing in it is read for that.
    db.modules().ok("ledger", state="absent", force=True)
    assert not db.has_ledger()
    assert not is_superuser(db, app)


def test_a_table_of_another_role_than_the_schemas_is_not_the_ledgers(db: Database, directory: Path) -> None:
    population(db)
    db.modules().ok("ledger")
    app = db.role("app", "CREATE ON SCHEMA public")
    db.rows(f"DROP TABLE kanban_rollback.files; GRANT USAGE, CREATE ON SCHEMA kanban_rollback TO {app}")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE kanban_rollback.files (incident_id text, name text, text text)")
    modules = db.modules(**FLAG, state_dir=str(directory / "state"))
    stopped = modules.disable("INC-1")
    assert (on(db), stopped["priors"]["kept_in"]) == ([], "file")
    assert any(f"kanban_rollback.files belongs to role {app}" in text for text in stopped["warnings"])
    # Once it belongs to whom the schema belongs to, the ledger is used again.
    db.rows("ALTER TABLE kanban_rollback.files OWNER TO CURRENT_USER")
    assert modules.ok("feature_flag", state="disabled", incident_id="INC-2")["incident"]["opened_now"]


def test_other_relations_in_a_schema_without_a_ledger_are_somebodys(db: Database, directory: Path) -> None:
    population(db)
    db.rows("CREATE SCHEMA kanban_rollback; CREATE TABLE kanban_rollback.boards (id int)")
    db.modules().fails("foreign_ledger", "ledger")
    modules = db.modules(**FLAG, state_dir=str(directory / "state"))
    assert modules.disable("INC-1")["priors"]["kept_in"] == "file"
    # Beside a ledger they are nobody's concern.
    db.rows("DROP TABLE kanban_rollback.boards")
    db.modules().ok("ledger")
    db.rows("CREATE VIEW kanban_rollback.board AS SELECT * FROM kanban_rollback.incidents")
    assert db.modules().ok("incident", incident_id="INC-2")["opened_now"]


def test_the_owner_of_a_ledger_is_named_if_whoever_acts_is_no_member_of_it(db: Database) -> None:
    population(db)
    app, rollback = db.role("app", f"CREATE ON DATABASE {db.name}"), db.role("rollback")

    def warned() -> list[str]:
        return [
            text for text in db.modules().ok("ledger", grant_to=[rollback])["warnings"] if "belongs to role" in text
        ]

    def looked(role: str | None) -> bool:
        return "ledger_owner" in checks(db.modules(role, **FLAG).ok("preflight_info"))

    db.rows(f"CREATE SCHEMA kanban_rollback AUTHORIZATION {app}")
    assert f"belongs to role {app}, which is no superuser" in warned()[0]
    assert looked(None)
    assert looked(rollback)
    assert not looked(app)
    db.rows(f"ALTER ROLE {app} NOLOGIN")
    assert not looked(None)
    assert warned()
    # A superuser counts as a member of every role; only a grant says that it was meant.
    db.rows(f"GRANT {app} TO CURRENT_USER")
    assert not warned()
    db.rows(f"REVOKE {app} FROM CURRENT_USER; ALTER ROLE {app} LOGIN; GRANT {app} TO {rollback}")
    assert not looked(rollback)
    db.rows("ALTER SCHEMA kanban_rollback OWNER TO CURRENT_USER")
    assert not warned()
