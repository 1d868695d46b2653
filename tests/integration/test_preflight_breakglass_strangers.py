# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""break-glass.sql where somebody else has a table of the name that it keeps prior values under, or a ledger's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crowd import on, population
from tests.integration.place import Database
from tests.integration.preflights import checks
from tests.integration.test_foreign_ledger import TRAP, TRIGGER, is_superuser
from tests.integration.test_preflight_breakglass import psql, script_of

NAME = "public.kanban_rollback_break_glass"
# The script's own table, with what somebody added to it.
SHAPE = f"""
CREATE TABLE {NAME} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident_id text, flag text, action text, at timestamptz,
  run_id text, written text, full_depth int, tenants text[], priors text[], depths int[], marks text[]
);
GRANT ALL ON {NAME} TO PUBLIC;
"""
ON_IT = f"CREATE TRIGGER trap BEFORE INSERT ON {NAME} FOR EACH ROW EXECUTE FUNCTION public.trap_trigger()"
PLANTED = {
    "trigger": f"{SHAPE}; {ON_IT}",
    "default": f"{SHAPE}; ALTER TABLE {NAME} ALTER at SET DEFAULT clock_timestamp() + trap()::interval",
    "rule": f"{SHAPE}; CREATE RULE trap AS ON INSERT TO {NAME} DO ALSO SELECT trap()",
    "view": f"CREATE VIEW {NAME} AS SELECT trap() AS seq",
    "type": f"CREATE TYPE {NAME} AS ENUM ('on')",
    "plain": SHAPE,
}


def planter(db: Database, statements: str) -> str:
    """Run statements as the application's login, which may make what it likes beside the flag; return its name."""
    app = db.role("app", "CREATE ON SCHEMA public", f"CREATE ON DATABASE {db.name}")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute(TRAP.format(app=app))
        cursor.execute(statements)
    return app


def tables(db: Database, role: str) -> list[str]:
    """Return the script's tables that belong to a role."""
    return [
        name
        for (name,) in db.rows(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND starts_with(relname::text, %s)"
            " AND relowner = %s::regrole ORDER BY oid",
            (NAME.partition(".")[2], f'"{role}"'),
        )
    ]


@pytest.mark.parametrize("planted", PLANTED)
def test_it_keeps_prior_values_in_a_table_of_its_own(db: Database, directory: Path, planted: str) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    app = planter(db, PLANTED[planted])
    script = script_of(db, directory, **modules.options)
    tried = checks(modules.ok("preflight_info"))["break_glass"]
    done = psql(db, script)
    assert not is_superuser(db, app)
    assert (done.rc, on(db)) == (0, []), done.text
    assert "ERROR" not in done.text
    # A type has no owner's name to it here: it is only in the way.
    assert (f"kanban_rollback_break_glass of role {app}" in tried["what"]) is (planted != "type")
    (own,) = tables(db, db.server.user)
    assert f"Prior values are kept in public.{own}\n" in done.text
    assert (
        f"Left alone, because it or what is on it is another role's: kanban_rollback_break_glass of role {app}"
        in done.text
    ) is (planted != "type")
    # The second run goes on with it, and the undo finds it.
    assert psql(db, script).rc == 0
    assert tables(db, db.server.user) == [own]
    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 0, undone.text
    assert db.snapshot("companies").texts == before.texts
    assert not is_superuser(db, app)


def test_a_trigger_that_somebody_may_put_on_its_own_table_is_seen(db: Database, directory: Path) -> None:
    modules = population(db)
    app = planter(db, "SELECT 1")
    script = script_of(db, directory, **modules.options)
    assert psql(db, script).rc == 0
    assert psql(db, script, "-v", "undo=1").rc == 0
    db.rows(f"GRANT TRIGGER ON {NAME} TO {app}")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute(ON_IT)
    done = psql(db, script)
    assert not is_superuser(db, app)
    assert (done.rc, on(db)) == (0, []), done.text
    assert len(tables(db, db.server.user)) == 2


def test_a_name_that_is_taken_in_the_same_moment_stops_nothing(db: Database, directory: Path) -> None:
    modules = population(db)
    app = planter(db, "SELECT 1")
    script = script_of(db, directory, **modules.options)
    plain = script.read_text(encoding="utf-8")
    meanwhile = f'SET ROLE "{app}"; {PLANTED["trigger"]}; RESET ROLE;\nCREATE TABLE :keep ('
    script.write_text(plain.replace("CREATE TABLE :keep (", meanwhile, 1), encoding="utf-8")
    done = psql(db, script)
    assert (done.rc, on(db)) == (0, []), done.text
    assert not is_superuser(db, app)
    script.write_text(plain, encoding="utf-8")
    assert psql(db, script, "-v", "undo=1").rc == 0
    assert len(on(db)) == 50


def test_an_undo_says_whose_table_it_does_not_read(db: Database, directory: Path) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    ops = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "CREATE ON SCHEMA public")
    script = script_of(db, directory, **modules.options)
    nothing = psql(db, script, "-v", "undo=1")
    assert nothing.rc == 3
    assert "Nothing is kept for this flag" in nothing.text
    assert psql(db, script, role=ops).rc == 0
    undone = psql(db, script, "-v", "undo=1")
    assert (undone.rc, on(db)) == (3, [])
    assert (
        f"Left alone, because it or what is on it is another role's: kanban_rollback_break_glass of role {ops}"
        in undone.text
    )
    undone = psql(db, script, "-v", "undo=1", role=ops)
    assert undone.rc == 0, undone.text
    assert db.snapshot("companies").texts == before.texts


def test_whoever_may_use_a_superusers_table_goes_on_with_it(db: Database, directory: Path) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    ops = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "CREATE ON SCHEMA public")
    script = script_of(db, directory, **modules.options)
    assert psql(db, script).rc == 0
    db.rows(f"GRANT SELECT, INSERT ON {NAME} TO {ops}")
    undone = psql(db, script, "-v", "undo=1", role=ops)
    assert undone.rc == 0, undone.text
    assert db.snapshot("companies").texts == before.texts
    assert tables(db, ops) == []


def test_what_is_no_ledger_is_not_used(db: Database, directory: Path) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    app = db.role("app", "CREATE ON SCHEMA public", f"CREATE ON DATABASE {db.name}")
    db.modules(app).ok("ledger")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute(f"{TRAP.format(app=app)}; {TRIGGER}")
    script = script_of(db, directory, **modules.options)
    done = psql(db, script)
    assert not is_superuser(db, app)
    assert (done.rc, on(db)) == (0, []), done.text
    assert f"No ledger is used, because this is none: role {app} has put a trigger" in done.text
    assert f"Prior values are kept in {NAME}\n" in done.text
    undone = psql(db, script, "-v", "undo=1")
    assert undone.rc == 0, undone.text
    assert db.snapshot("companies").texts == before.texts


def test_a_fence_that_runs_with_the_callers_rights_is_not_raised(db: Database, directory: Path) -> None:
    modules = population(db)
    body = "'BEGIN PERFORM public.trap(); RETURN request; END'"
    app = planter(
        db,
        "CREATE SCHEMA kanban_rollback; GRANT USAGE ON SCHEMA kanban_rollback TO PUBLIC;"
        f"CREATE FUNCTION kanban_rollback.fence_raise(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS {body}",
    )
    script = script_of(db, directory, **modules.options)
    done = psql(db, script)
    assert not is_superuser(db, app)
    assert (done.rc, on(db)) == (0, []), done.text
    assert "No fence that this role may move is installed" in done.text
