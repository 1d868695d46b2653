# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latch that bootstrap.yml installs: raised by a role that owns nothing, and reported as up only if it is."""

from __future__ import annotations

import pytest

from tests.integration.crowd import on, population
from tests.integration.flags import KEY
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_stays_off import SAVE, STALE, app, latched, triggers


def dormant(db: Database) -> Modules:
    """Return modules of a role that owns nothing, with what bootstrap.yml gives it: ledger, flag, dormant latch."""
    role = db.role("ops", "pg_read_all_stats")
    flag = {"table": "companies", "column": "settings", "path": [KEY]}
    made = db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)
    assert made["changed"]
    assert not db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)["changed"]
    return db.modules(role, **flag)


@pytest.mark.parametrize("incident", ["INC-1", "it's \\ %s 'odd' {x}"])
def test_a_dormant_latch_is_raised_and_passed_by_a_role_that_owns_nothing(db: Database, incident: str) -> None:
    population(db)
    modules = dormant(db)
    db.rows(SAVE)
    assert 3 in on(db)
    # A writer that holds the table's lock does not keep a dormant latch waiting.
    with db.transaction("INSERT INTO companies VALUES (77, NULL)", application_name="import"):
        assert modules.disable(incident, latch=True)["latch"] == {"raised": True, "reason": None}
    with db.as_role(app(db)) as session, session.cursor() as cursor:
        cursor.execute("SELECT set_config('kanban_rollback.passage', %s, false)", (incident,))
        cursor.execute(SAVE)
    assert on(db) == []
    assert [(row[0], row[3]) for row in latched(db)] == [("3", incident)]
    undone = modules.restore(incident)
    assert (undone["latch_left"], undone["enabled_after"]) == ([], 50)
    # Dormant again, and still there.
    assert len(triggers(db)) == 2
    db.rows("UPDATE companies SET settings = %s WHERE id = 99", (STALE,))
    db.rows("INSERT INTO companies VALUES (99, %s)", (STALE,))
    assert 99 in on(db)


def test_a_dormant_latch_is_nobody_elses_to_raise(db: Database) -> None:
    population(db)
    dormant(db)
    function = db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'raise\\_latch%'")
    with db.as_role(app(db)) as session, session.cursor() as cursor, pytest.raises(Exception, match="permission"):
        cursor.execute(f"SELECT kanban_rollback.{function}('mine')")


# A type whose check is code of whoever made it, on a table of theirs.
TRAP = (
    """CREATE FUNCTION pg_temp.whose(jsonb) RETURNS boolean LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'runs as %%', current_user; END $$""",
    "CREATE DOMAIN pg_temp.watched AS jsonb CHECK (pg_temp.whose(VALUE))",
    "CREATE TEMP TABLE own (id integer, settings pg_temp.watched)",
    "CREATE TRIGGER theirs BEFORE UPDATE ON own FOR EACH ROW EXECUTE FUNCTION kanban_rollback.{function}()",
)


@pytest.mark.parametrize("raised", [False, True])
def test_nobody_runs_code_of_theirs_as_the_owner_of_a_latch(db: Database, raised: bool) -> None:
    population(db)
    modules = dormant(db)
    (role,) = db.roles
    db.rows(f"GRANT TEMPORARY ON DATABASE {db.name} TO {role}")
    if raised:
        assert modules.disable(latch=True)["latch"]["raised"]
    function = db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'latch\\_%'")
    with db.as_role(role) as session, session.cursor() as cursor:
        for statement in TRAP[:-1]:
            cursor.execute(statement.replace("%%", "%"))
        with pytest.raises(Exception, match="permission denied for function"):
            cursor.execute(TRAP[-1].format(function=function))


def test_a_latch_from_before_that_anybody_may_call_is_shut(db: Database) -> None:
    population(db)
    dormant(db)
    (role,) = db.roles
    function = db.value("SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE 'latch\\_%'")
    called = f"SELECT has_function_privilege('public', '{function}', 'EXECUTE')"
    db.rows(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
    assert db.value(called)
    flag = {"table": "companies", "column": "settings", "path": [KEY]}
    assert db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)["changed"]
    assert not db.value(called)
    assert not db.modules().ok("ledger", grant_to=[role], flag=flag, latch=True)["changed"]


def test_an_undo_says_which_right_on_the_latch_lacks(db: Database) -> None:
    population(db)
    modules = dormant(db)
    modules.disable(latch=True)
    ((raises, lowers),) = db.rows(
        "SELECT r.oid::regprocedure::text, l.oid::regprocedure::text FROM pg_proc AS r, pg_proc AS l"
        " WHERE r.proname LIKE 'raise\\_latch%%' AND l.proname LIKE 'lower\\_latch%%'"
    )
    (role,) = db.roles
    db.rows(f"REVOKE EXECUTE ON FUNCTION {raises} FROM {role}")
    lacks = modules.fails("missing_privilege", "feature_flag", state="restored", incident_id="INC-1")
    grant = f"GRANT EXECUTE ON FUNCTION {raises} TO {role};"
    assert grant in lacks["error"]["todo"]
    assert on(db) == []
    db.rows(grant)
    db.rows(f"REVOKE EXECUTE ON FUNCTION {lowers} FROM {role}")
    # Everybody is back by then; the error is about what is not as it was.
    lacks = modules.fails("missing_privilege", "feature_flag", state="restored", incident_id="INC-1")
    assert "the latch could not be lowered" in lacks["error"]["what"]
    assert (lacks["changed_count"], len(on(db))) == (50, 50)
    db.rows(f"GRANT EXECUTE ON FUNCTION {lowers} TO {role}")
    assert modules.restore()["latch_left"] == []


def test_the_ledger_goes_with_its_dormant_latch(db: Database) -> None:
    population(db)
    dormant(db)
    assert db.modules().ok("ledger", state="absent")["changed"]
    assert (triggers(db), db.has_ledger()) == ([], False)


@pytest.mark.parametrize(
    "fault",
    [
        "DROP TRIGGER {trigger} ON companies",
        "ALTER TABLE companies DISABLE TRIGGER {trigger}",
        "ALTER TABLE companies ENABLE TRIGGER {trigger}",
    ],
)
def test_a_dormant_latch_without_a_trigger_that_always_fires_is_not_up(db: Database, fault: str) -> None:
    population(db)
    modules = dormant(db)
    trigger, _records = triggers(db)
    db.rows(fault.format(trigger=trigger))
    done = modules.disable(latch=True)
    assert (done["latch"]["raised"], done["enabled_after"]) == (False, 0)
    assert "no trigger that fires" in done["latch"]["reason"]
    modules.restore()
    flag = {"table": "companies", "column": "settings", "path": [KEY]}
    assert db.modules().ok("ledger", flag=flag, latch=True)["changed"], "and it is put back"
    assert modules.disable("INC-2", latch=True)["latch"]["raised"]
    assert not db.modules().ok("ledger", flag=flag, latch=True)["changed"]
