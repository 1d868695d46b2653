# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look ahead runs nothing, so no trigger fires; it looks at this flag's latch and at what gets around the fence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.crowd import FLAG
from tests.integration.place import Database
from tests.integration.preflights import checks, healthy, missing

# These databases have no pg_stat_statements.
UNSEEN = {"orm_saves": "unknown"}
# The advisory lock with which the fence's functions take turns.
LOCK = 118075163402607
FIRED = "SELECT last_value, is_called FROM fired"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "ALTER TABLE companies DISABLE TRIGGER {trigger}",
            "no trigger of it fires on public.companies (settings, id)",
        ),
        ("ALTER TABLE companies ENABLE REPLICA TRIGGER {trigger}", "no trigger of it fires"),
        ("DROP TRIGGER {trigger} ON companies", "no trigger of it fires"),
        # The trigger follows the column that it was made for.
        ("ALTER TABLE companies RENAME settings TO old; ALTER TABLE companies ADD settings jsonb", "no trigger of it"),
        ("REVOKE EXECUTE ON FUNCTION kanban_rollback.raise_{function}(text) FROM {role}", "may not raise it"),
        (
            "DROP FUNCTION kanban_rollback.raise_{function}(text); DROP FUNCTION kanban_rollback.{function}() CASCADE",
            "it does not own public.companies",
        ),
    ],
)
def test_the_latch_of_this_flag_must_stand_and_be_ours_to_raise(
    db: Database, directory: Path, statement: str, words: str
) -> None:
    modules, options = healthy(db, directory)
    role = modules.options["login_user"]
    # These grants are not enough for a latch: only the table's owner can make it fire in every role.
    db.rows(f"GRANT TRIGGER ON companies TO {role}")
    db.rows(f"GRANT CREATE ON SCHEMA kanban_rollback TO {role}")
    trigger = db.value("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'zz_kanban%latch%'")
    function = trigger.removeprefix("zz_kanban_rollback_")
    # The latch of another flag says nothing about this one.
    db.rows("CREATE FUNCTION kanban_rollback.raise_latch_other(text) RETURNS void LANGUAGE sql AS ''")
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN
    db.rows(statement.format(trigger=trigger, function=function, role=role))
    db.rows(f"GRANT SELECT, UPDATE (settings) ON companies TO {role}")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"latch": "should", **UNSEEN}
    assert words in checks(result)["latch"]["what"]
    if "RENAME" not in statement:
        assert modules.ok("feature_flag", state="disabled", incident_id="INC-1", latch=True)["latch"]["raised"] is False


def test_no_trigger_of_the_application_fires(db: Database, directory: Path) -> None:
    """A statement's trigger fires even if no row matches, and a sequence is not rolled back."""
    modules, options = healthy(db, directory)
    role = modules.options["login_user"]
    db.modules().ok("write_fence", state="dormant", tables=options["fence_tables"], grant_to=[role])
    db.rows("CREATE SEQUENCE fired")
    db.rows("""CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM nextval(''public.fired''); RETURN NULL; END'""")  # fmt: skip
    ledger = db.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'kanban_rollback'")
    tables = ["companies", "tickets", *[f"kanban_rollback.{name}" for (name,) in ledger]]
    assert len(tables) > 6
    for table in tables:
        for moment in ("BEFORE", "AFTER"):
            db.rows(f"""CREATE TRIGGER fire_{moment} {moment} INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION fire()""")  # fmt: skip
    db.rows("""CREATE FUNCTION fire_event() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM nextval(''public.fired''); END'""")  # fmt: skip
    db.rows("CREATE EVENT TRIGGER fire_event ON ddl_command_start EXECUTE FUNCTION fire_event()")
    before = db.rows(FIRED)
    for which in (modules, db.modules(**FLAG)):
        seen = checks(which.ok("preflight_info", **options))
        assert (seen["kill"]["ok"], seen["ledger"]["ok"], seen["break_glass"]["ok"]) == (True, True, True)
        assert "fire_after, fire_before" in seen["kill"]["what"]
        assert "none was run" in seen["kill"]["what"]
    assert db.rows(FIRED) == before
    # The triggers do fire.
    db.rows("UPDATE companies SET settings = settings WHERE false")
    assert db.rows(FIRED) != before


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_without_a_ledger_nothing_is_made_on_trial(db: Database, kind: str) -> None:
    """What the script would make on the day, a table and functions, sets off event triggers."""
    db.rows(f"CREATE TABLE companies (id int PRIMARY KEY, settings {kind})")
    db.rows("CREATE SEQUENCE fired")
    db.rows("""CREATE FUNCTION fire_event() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM nextval(''public.fired''); END'""")  # fmt: skip
    db.rows("CREATE EVENT TRIGGER fire_event ON ddl_command_start EXECUTE FUNCTION fire_event()")
    newest = "SELECT txid_snapshot_xmax(txid_current_snapshot())"
    before, transaction = db.rows(FIRED), db.value(newest)
    seen = checks(db.modules(**FLAG).ok("preflight_info"))
    assert (seen["ledger"]["severity"], seen["break_glass"]["ok"]) == ("should", True)
    assert db.rows(FIRED) == before
    assert db.value(newest) == transaction, "something was written"
    # A role that may make neither is told so.
    role = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies")
    seen = checks(db.modules(role, **FLAG).ok("preflight_info"))
    assert (seen["ledger"]["severity"], seen["kill"]["ok"], seen["break_glass"]["ok"]) == ("must", True, False)
    assert "kanban_rollback_break_glass cannot be made" in seen["break_glass"]["what"]
    if kind == "json":
        db.rows(f"GRANT CREATE ON SCHEMA public TO {role}")
        db.rows(f"REVOKE TEMPORARY ON DATABASE {db.name} FROM PUBLIC")
        seen = checks(db.modules(role, **FLAG).ok("preflight_info"))
        assert "temporary functions" in seen["break_glass"]["what"]


def test_triggers_that_get_around_the_fence_are_said(db: Database, directory: Path) -> None:
    modules, options = healthy(db, directory)
    db.rows("""CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'""")
    db.rows("CREATE TRIGGER touch BEFORE UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION touch()")
    result = modules.ok("preflight_info", **options)
    assert missing(result) == {"fence_triggers": "should", **UNSEEN}
    assert "public.companies has triggers of its own (touch)" in checks(result)["fence_triggers"]["what"]
    db.rows("ALTER TABLE companies DISABLE TRIGGER touch")
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN


def test_it_stands_in_no_line_of_the_fence(db: Database, directory: Path) -> None:
    """A session that raises a fence holds an advisory lock; a look ahead neither waits for it nor takes it."""
    modules, options = healthy(db, directory)
    role = modules.options["login_user"]
    db.modules().ok("write_fence", state="dormant", tables=options["fence_tables"], grant_to=[role])
    with db.transaction(f"SELECT pg_advisory_xact_lock({LOCK})"):
        assert missing(modules.ok("preflight_info", **options)) == UNSEEN
