# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag's table exists in more than one schema: a stop chooses none by luck, and its undo leaves none behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fences import TABLES, board, refused, table
from tests.integration.module import failed
from tests.integration.place import Database
from tests.integration.preflights import checks

APP, OLD = 'app."Companies"', 'public."Companies"'
# Tenants by table.
ROWS = {APP: 30, OLD: 3}
FLAG: dict[str, Any] = {
    "table": "Companies",
    "tenant_column": "id",
    "column": "settings",
    "store": "jsonb",
    "path": ["kanbanV2Enabled"],
    "incident_id": "INC-1",
}


def two_tables(db: Database) -> None:
    """Make the application's table, which its login finds first, and an old copy in public."""
    db.rows("CREATE SCHEMA app")
    for name, rows in ROWS.items():
        db.rows(f"CREATE TABLE {name} (id int PRIMARY KEY, settings jsonb)")
        db.rows(
            f"INSERT INTO {name} SELECT n, jsonb_build_object('kanbanV2Enabled', true, 'theme', n) "
            f"FROM generate_series(1, {rows}) AS n"
        )


def on(db: Database) -> dict[str, int]:
    """Return how many are on, by table."""
    return {
        table: db.value(f"SELECT count(*) FROM {table} WHERE settings ->> 'kanbanV2Enabled' = 'true'") for table in ROWS
    }


def contents(db: Database) -> list[list[str]]:
    return [db.snapshot(table).texts for table in ROWS]


def by_table(result: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(row["table"], row["changed_count"], row["total"]) for row in result["same_name"]]


def login_of_the_application(db: Database) -> str:
    role = db.role("app", "USAGE ON SCHEMA app", f"SELECT ON {APP}")
    db.rows(f"ALTER ROLE {role} SET search_path = app, public")
    return role


def test_every_one_is_switched_named_and_comes_back_exactly(db: Database) -> None:
    two_tables(db)
    before = contents(db)
    with db.as_role(login_of_the_application(db)):
        stopped = failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    assert on(db) == {APP: 0, OLD: 0}
    # The application's is first, by its login's search path.
    assert by_table(stopped) == [("app.Companies", 30, 30), ("public.Companies", 3, 3)]
    assert (stopped["changed_count"], stopped["total"], stopped["enabled_after"]) == (33, 33, 0)
    assert "kanban_tables: {companies: app.Companies}" in stopped["error"]["todo"]
    back = db.modules(**FLAG).ok("feature_flag", state="restored")
    assert (back["changed_count"], contents(db)) == (33, before)
    again = db.modules(**FLAG).ok("feature_flag", state="restored")
    assert (again["changed_count"], contents(db)) == (0, before)


def test_an_undo_that_names_the_table_leaves_no_copy_off(db: Database) -> None:
    two_tables(db)
    before = contents(db)
    failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    named = {**FLAG, "table": "app.Companies"}
    assert db.modules(**named).ok("feature_flag")["changed_count"] == 0
    db.modules(**named).ok("feature_flag", state="restored")
    assert contents(db) == before


def test_a_name_with_its_schema_is_one_table(db: Database) -> None:
    two_tables(db)
    done = db.modules(**{**FLAG, "table": "app.Companies"}).ok("feature_flag")
    assert (on(db), "same_name" in done) == ({APP: 0, OLD: 3}, False)


def test_a_name_that_two_spellings_could_mean_is_both_of_them(db: Database) -> None:
    for name in ("Tenants", "TENANTS"):
        db.rows(f'CREATE TABLE "{name}" (id int PRIMARY KEY, settings jsonb)')
        db.rows(f"""INSERT INTO "{name}" VALUES (1, '{{"kanbanV2Enabled": true}}')""")
    before = [db.snapshot(name).texts for name in ('"Tenants"', '"TENANTS"')]
    typed = db.modules(**{**FLAG, "table": "tenants"})
    asked = failed(typed.run("feature_flag", state="enabled"), "ambiguous_table")
    assert (asked["near"], asked["changed"]) == (["public.TENANTS", "public.Tenants"], False)
    stopped = failed(typed.run("feature_flag"), "same_name")
    assert by_table(stopped) == [("public.TENANTS", 1, 1), ("public.Tenants", 1, 1)]
    typed.ok("feature_flag", state="restored")
    assert [db.snapshot(name).texts for name in ('"Tenants"', '"TENANTS"')] == before


def test_foreign_keys_decide_where_no_login_does(db: Database) -> None:
    two_tables(db)
    db.rows(f"CREATE TABLE app.children (company int REFERENCES {APP})")
    stopped = failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    assert [row["table"] for row in stopped["same_name"]] == ["app.Companies", "public.Companies"]


def test_an_old_table_without_the_column_is_none_of_it(db: Database) -> None:
    two_tables(db)
    db.rows(f"ALTER TABLE {OLD} DROP COLUMN settings")
    done = db.modules(**FLAG).ok("feature_flag")
    assert (done["flag"], done["changed_count"]) == ("app.Companies.settings -> kanbanV2Enabled", 30)


def test_a_locked_table_keeps_the_other_one_on_for_no_longer(db: Database) -> None:
    """Neither the one that is likelier meant nor the other holds up the switch of its namesake."""
    two_tables(db)
    for held, free in ((APP, OLD), (OLD, APP)):
        with db.transaction(f"LOCK TABLE {held}"), db.modules(**FLAG).start("feature_flag", deadline=6) as running:
            until = time.monotonic() + 3
            while db.value(f"SELECT count(*) FROM {free} WHERE settings ->> 'kanbanV2Enabled' = 'true'"):
                assert time.monotonic() < until
                time.sleep(0.05)
            assert running.runs
            failed(running.result(), "table_held")
        failed(db.modules(**FLAG).run("feature_flag"), "same_name")
        assert on(db) == {APP: 0, OLD: 0}
        db.modules(**FLAG).ok("feature_flag", state="restored")


def test_a_held_row_is_waited_for_in_either(db: Database) -> None:
    two_tables(db)
    with (
        db.transaction(f"SELECT FROM {OLD} WHERE id = 2 FOR UPDATE") as holder,
        db.modules(**FLAG).start("feature_flag", deadline=10) as running,
    ):
        time.sleep(1.5)
        assert on(db) == {APP: 0, OLD: 1}
        holder.commit()
        failed(running.result(), "same_name")
        assert running.seconds < 6
    assert on(db) == {APP: 0, OLD: 0}


def test_one_that_the_role_may_not_write_is_named_with_its_grant(db: Database) -> None:
    two_tables(db)
    role = db.role("plain", f"SELECT, UPDATE ON {OLD}")
    stopped = failed(db.modules(role, **FLAG).run("feature_flag"), "same_name")
    assert on(db) == {APP: 30, OLD: 0}
    assert "NOT switched off: app.Companies is in a schema that this role may not use." in stopped["msg"]
    assert f"GRANT USAGE ON SCHEMA app TO {role}" in stopped["error"]["todo"]


def test_what_a_run_without_a_ledger_kept_of_each_comes_back(db: Database, tmp_path: Path) -> None:
    two_tables(db)
    before = contents(db)
    grants = [f"SELECT, UPDATE ON {name}" for name in ROWS]
    plain = db.modules(db.role("plain", "USAGE ON SCHEMA app", *grants), state_dir=str(tmp_path), **FLAG)
    stopped = failed(plain.run("feature_flag"), "same_name")
    kept = [
        stopped["priors"]["kept_in"],
        *(row["priors"]["kept_in"] for row in stopped["same_name"] if "priors" in row),
    ]
    assert (on(db), kept) == ({APP: 0, OLD: 0}, ["file", "file"])
    plain.ok("feature_flag", state="restored")
    assert contents(db) == before


def test_a_stop_of_some_switches_them_in_each(db: Database) -> None:
    two_tables(db)
    stopped = failed(db.modules(**FLAG).run("feature_flag", tenants=["1", "2"]), "same_name")
    assert (on(db), stopped["changed_count"]) == ({APP: 28, OLD: 1}, 4)
    before = db.modules(**FLAG).ok("feature_flag", state="restored", tenants=["1"])
    assert (on(db), before["changed_count"]) == ({APP: 29, OLD: 2}, 2)


def test_a_key_value_store_has_its_default_switched_in_each(db: Database) -> None:
    rows = """INSERT INTO {0} SELECT 'kanbanV2', n, 'enabled' FROM generate_series(1, 4) AS n
              UNION ALL SELECT 'kanbanV2', NULL, 'enabled'"""
    tables = ('app."Settings"', 'public."Settings"')
    db.rows("CREATE SCHEMA app")
    for name in tables:
        db.rows(f'CREATE TABLE {name} (key text, "companyId" int, value text, UNIQUE (key, "companyId"))')
        db.rows(rows.format(name))
    before = [db.snapshot(name, '"companyId"').texts for name in tables]
    options = {
        **{"table": "Settings", "tenant_column": "companyId", "column": "value", "store": "key_value"},
        **{"key_column": "key", "key": "kanbanV2", "enabled_value": "enabled", "disabled_value": "disabled"},
    }
    flag = db.modules(**options, incident_id="INC-1")
    failed(flag.run("feature_flag"), "same_name")
    for name in tables:
        assert db.rows(f"SELECT DISTINCT value FROM {name}") == [("disabled",)]
    flag.ok("feature_flag", state="restored")
    assert [db.snapshot(name, '"companyId"').texts for name in tables] == before


def test_the_fence_refuses_writes_to_each(db: Database) -> None:
    fence = board(db, "CREATE SCHEMA app", 'CREATE TABLE app."Tags" (id int, name text)')
    done = fence.ok("write_fence", incident_id="INC-1")
    assert done["status"] == table(done, "Tags")["status"] == "proven"
    assert table(done, "app.Tags")["status"] == "proven"
    moves = ["""INSERT INTO app."Tags" VALUES (1, 'x')""", """INSERT INTO public."Tags" (name) VALUES ('x')"""]
    assert refused(db, moves) == moves
    fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert refused(db, moves) == []


@pytest.mark.parametrize("name", ["Companies", "app.Companies"])
def test_preflight_asks_for_the_schema(db: Database, name: str) -> None:
    two_tables(db)
    options = {key: value for key, value in FLAG.items() if key != "incident_id"}
    check = checks(db.modules(**{**options, "table": name}).ok("preflight_info"))["same_name"]
    assert (check["ok"], check["severity"]) == (name != "Companies", "must")
    assert check["ok"] or "kanban_tables: {companies: " in check["todo"]


def test_nobody_is_switched_on_in_a_table_that_nothing_names(db: Database) -> None:
    two_tables(db)
    failed(db.modules(**FLAG).run("feature_flag", state="enabled", tenants=["1"]), "ambiguous_table")


def test_a_partition_or_a_copy_that_inherits_hides_no_table_that_is_named(db: Database) -> None:
    """A child of a table of another name is a table of its own; one below a namesake is switched with it."""
    two_tables(db)
    db.rows('CREATE TABLE app."Base" (id int, settings jsonb)')
    db.rows(f'ALTER TABLE {APP} INHERIT app."Base"')
    stopped = failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    assert (on(db), len(stopped["same_name"])) == ({APP: 0, OLD: 0}, 2)
    db.modules(**FLAG).ok("feature_flag", state="restored")
    db.rows(f'ALTER TABLE {APP} NO INHERIT app."Base"')
    db.rows(f"ALTER TABLE {APP} INHERIT {OLD}")
    done = db.modules(**FLAG).ok("feature_flag")
    # Tenants 1 to 3 have a row in each of the two.
    assert (on(db)[OLD], done["table"], done["changed_count"]) == (0, "public.Companies", 30)


def test_more_tables_than_are_switched_are_not_contained(db: Database) -> None:
    two_tables(db)
    for number in range(8):
        db.rows(f"CREATE SCHEMA s{number}")
        db.rows(f'CREATE TABLE s{number}."Companies" (LIKE {OLD} INCLUDING ALL)')
        db.rows(f"CREATE TABLE s{number}.k (id int)")
        db.rows(f'ALTER TABLE s{number}.k ADD FOREIGN KEY (id) REFERENCES s{number}."Companies"')
    stopped = failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    # The one that the search path finds is never left out.
    assert (on(db)[OLD], len(stopped["same_name"])) == (0, 10)
    assert "NOT switched off: 1 further tables are named Companies" in stopped["msg"]


def test_an_undo_that_may_not_write_the_named_table_says_so(db: Database) -> None:
    two_tables(db)
    failed(db.modules(**FLAG).run("feature_flag"), "same_name")
    role = db.role(
        "reader",
        "USAGE ON SCHEMA app",
        f"SELECT ON {APP}",
        f"SELECT, UPDATE ON {OLD}",
        "USAGE ON SCHEMA kanban_rollback",
        "SELECT, INSERT ON ALL TABLES IN SCHEMA kanban_rollback",
        "USAGE ON ALL SEQUENCES IN SCHEMA kanban_rollback",
    )
    named = db.modules(role, **{**FLAG, "table": "app.Companies"}).run("feature_flag", state="restored")
    assert "app.Companies" in failed(named, "missing_privilege")["msg"]
    assert on(db) == {APP: 0, OLD: 0}
    # By its name alone the old copy is put back, and the other is not forgotten.
    both = failed(db.modules(role, **FLAG).run("feature_flag", state="restored"), "missing_privilege")
    assert "app.Companies was switched off by this incident and is not put back" in both["msg"]
    assert on(db) == {APP: 0, OLD: 3}


def test_an_undo_does_not_depend_on_who_is_logged_in(db: Database) -> None:
    """The table that the incident switched is put back, though another one is likelier by then."""
    two_tables(db)
    db.modules(**{**FLAG, "table": OLD.replace('"', "")}).ok("feature_flag")
    with db.as_role(login_of_the_application(db)):
        back = db.modules(**FLAG).ok("feature_flag", state="restored")
    assert (back["changed_count"], back["table"], on(db)) == (3, "public.Companies", ROWS)


def test_rows_of_one_tenant_keep_a_prior_each_though_the_table_was_held_at_first(db: Database) -> None:
    two_tables(db)
    db.rows(f'ALTER TABLE {APP} DROP CONSTRAINT "Companies_pkey"')
    db.rows(f"""INSERT INTO {APP} SELECT 1, '{{"kanbanV2Enabled": "sim"}}'""")
    before = contents(db)
    with db.transaction(f"LOCK TABLE {APP}") as holder, db.modules(**FLAG).start("feature_flag", deadline=10) as run:
        time.sleep(1.5)
        holder.commit()
        failed(run.result(), "same_name")
    db.modules(**FLAG).ok("feature_flag", state="restored")
    assert contents(db) == before


@pytest.mark.parametrize("mode", ["SHARE", "ACCESS EXCLUSIVE"])
def test_who_holds_a_table_is_named_and_keeps_no_other_waiting(db: Database, mode: str) -> None:
    two_tables(db)
    with (
        db.transaction(f"LOCK TABLE {APP} IN {mode} MODE", application_name="holder"),
        db.modules(**FLAG).start("feature_flag", deadline=5) as running,
    ):
        until = time.monotonic() + 3
        while db.value(f"SELECT count(*) FROM {OLD} WHERE settings ->> 'kanbanV2Enabled' = 'true'"):
            assert time.monotonic() < until
            time.sleep(0.05)
        stopped = running.result()
    assert stopped["failed"]
    assert on(db) == {APP: 30, OLD: 0}
    assert {row.get("application_name") for row in stopped["blocked"]} == {"holder"}


def test_a_pause_or_a_stage_wants_one_table_named(db: Database) -> None:
    two_tables(db)
    flag = db.modules(**FLAG)
    failed(flag.run("feature_flag", state="paused"), "ambiguous_table")
    failed(flag.run("feature_flag"), "same_name")
    failed(flag.run("feature_flag", state="restored", share=10), "ambiguous_table")
    assert on(db) == {APP: 0, OLD: 0}


def test_what_is_on_is_counted_in_each(db: Database) -> None:
    two_tables(db)
    options = {key: value for key, value in FLAG.items() if key != "incident_id"}
    assert db.modules(**options).ok("feature_flag_info")["enabled"] == 33
    plan = db.modules(**FLAG).ok("feature_flag", check=True)
    assert (plan["changed_count"], plan["enabled_after"]) == (33, 0)
    assert any("in part until one is named" in warning for warning in plan["warnings"])


def test_a_table_that_cannot_be_fenced_is_named(db: Database) -> None:
    board(db, "CREATE SCHEMA app", 'CREATE TABLE app."Tags" (id int, name text)')
    role = db.role("plain", "SELECT, TRIGGER ON ALL TABLES IN SCHEMA public", "CREATE ON SCHEMA public")
    done = db.modules(role, tables=TABLES).run("write_fence", incident_id="INC-1")
    assert "app.Tags is in a schema that this role may not use" in str(done)
