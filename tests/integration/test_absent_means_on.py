# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key/value stores in which a tenant without a row is on: rows that are made, held, deleted again, or inserted."""

from __future__ import annotations

from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_key_value import DOUBLED, make, settings, values

INSERT = """INSERT INTO "Settings" VALUES ('kanbanV2', 'enabled', 4, now(), now())"""


def _store(db: Database) -> Modules:
    """Make a store in which tenant 1 has a row and 2 to 5 have none, so that all five are on."""
    modules = make(db, rows=[("kanbanV2", "enabled", 1)], tenants_table="Companies", absent_means="on")
    db.rows('CREATE UNIQUE INDEX ON "Settings" ("companyId", key)')
    return modules


def test_one_row_that_somebody_makes_keeps_no_other_on(db: Database) -> None:
    modules = _store(db)
    with db.transaction(INSERT) as login:
        done = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=5)
        assert [(row["tenant"], row["pid"]) for row in done["blocked"]] == [("4", login.info.backend_pid)]
    assert (done["enabled_after"], done["changed_count"]) == (1, 4)
    assert [tenant for tenant, value in values(db) if value == "disabled"] == [1, 2, 3, 5]


def test_who_is_on_without_a_row_is_named_like_all_others(db: Database) -> None:
    modules = _store(db)
    assert modules.ok("feature_flag_info")["tenants_on"] == ["1", "2", "3", "4", "5"]
    assert modules.ok("feature_flag_info", names=3)["tenants_on"] == ["1", "2", "3"]
    assert modules.ok("feature_flag_info", tenants=["4", "1"])["tenants_on"] == ["1", "4"]
    plan = modules.disable(check=True)
    assert (plan["changed_count"], plan["enabled_after"]) == (5, 0)
    assert plan["diff"]["after"]["tenants_changed"] == ["1", "2", "3", "4", "5"]
    assert modules.disable()["changed_count"] == 5
    assert modules.ok("feature_flag_info")["tenants_on"] == []
    db.rows("""INSERT INTO "Companies" SELECT generate_series(10, 30)""")
    assert modules.disable(check=True)["diff"]["after"]["tenants_changed"][-2:] == ["29", "and 1 more"]


def test_who_is_off_without_a_row_is_named_as_lacking(db: Database) -> None:
    modules = make(db, rows=[("kanbanV2", "enabled", 3), ("kanbanV2", "disabled", 4)], tenants_table="Companies")
    assert modules.ok("feature_flag_info", share=0.6)["tenants_lacking"] == ["1", "2"]
    plan = modules.enable(check=True)
    assert (plan["changed_count"], plan["diff"]["after"]["tenants_changed"]) == (4, ["1", "2", "4", "5"])
    assert modules.enable()["changed_count"] == 4


def test_switching_on_makes_no_row_for_who_is_on_without_one(db: Database) -> None:
    modules = _store(db)
    modules.disable(tenants=["1"])
    plan = modules.enable("INC-2", check=True)
    done = modules.enable("INC-2")
    for figure in ("changed_count", "enabled_before", "enabled_after"):
        assert plan[figure] == done[figure]
    assert (done["changed_count"], values(db)) == (1, [(1, "enabled")])


def test_where_off_is_null_rows_that_are_made_hold_it_and_are_deleted_again(db: Database) -> None:
    modules = _store(db).having(disabled_value=None)
    modules.disable()
    assert values(db) == [(tenant, None) for tenant in range(1, 6)]
    db.rows("""UPDATE "Settings" SET value = 'sim' WHERE "companyId" = 2""")
    undone = modules.restore()
    assert (undone["changed_since"], values(db)) == (["2"], [(1, "enabled"), (2, "sim")])


def test_one_row_that_was_made_and_is_held_holds_up_no_other(db: Database) -> None:
    modules = _store(db)
    modules.disable()
    with db.transaction("""SELECT * FROM "Settings" WHERE "companyId" = 4 FOR UPDATE"""):
        undone = modules.fails("still_off", "feature_flag", incident_id="INC-1", state="restored", deadline=5)
        assert (values(db), undone["changed_count"]) == ([(1, "enabled"), (4, "disabled")], 4)
    assert modules.restore()["changed_count"] == 1
    assert values(db) == [(1, "enabled")]


def test_the_latch_leaves_on_who_is_on_without_a_row(db: Database) -> None:
    modules = _store(db)
    modules.disable(tenants=["1"], latch=True)
    db.rows(INSERT)
    assert values(db) == [(1, "disabled"), (4, "enabled")]


def test_the_latch_leaves_on_who_has_it_back_without_a_row(db: Database) -> None:
    modules = _store(db)
    modules.disable(latch=True)
    # Who was switched off has a row, and stays off.
    db.rows(f'{INSERT} ON CONFLICT ("companyId", key) DO UPDATE SET value = EXCLUDED.value')
    assert dict(values(db))[4] == "disabled"
    modules.restore(tenants=["4"])
    db.rows(INSERT)
    assert dict(values(db))[4] == "enabled"


def test_the_role_of_bootstrap_makes_rows_with_a_serial_id(db: Database) -> None:
    modules = _store(db)
    db.rows('ALTER TABLE "Settings" ADD COLUMN id serial PRIMARY KEY')
    flag = {name: value for name, value in modules.options.items() if not name.startswith("login")}
    role = db.role("ops", "pg_read_all_stats")
    granted = db.modules().ok("ledger", grant_to=[role], flag=flag)
    assert granted["changed"]
    assert not db.modules().ok("ledger", grant_to=[role], flag=flag)["changed"]
    ops = db.modules(role, **flag)
    assert [check["ok"] for check in ops.ok("preflight_info")["checks"] if check["name"] == "kill"] == [True]
    db.rows(f'REVOKE ALL ON SEQUENCE "Settings_id_seq" FROM {role}')
    (kill,) = (check for check in ops.ok("preflight_info")["checks"] if check["name"] == "kill")
    assert (kill["ok"], f'GRANT USAGE ON SEQUENCE public."Settings_id_seq" TO {role};' in kill["todo"]) == (False, True)
    assert db.modules().ok("ledger", grant_to=[role], flag=flag)["changed"]
    assert ops.disable()["enabled_after"] == 0
    db.modules().ok("ledger", state="absent", grant_to=[role], flag=flag, force=True)
    assert not db.value("SELECT has_sequence_privilege(%s, %s, 'USAGE')", (role, '"Settings_id_seq"'))


def test_several_defaults_come_back_each_as_it_was(db: Database) -> None:
    modules = make(db, rows=[*DOUBLED, ("kanbanV2", "sim", None)])
    db.rows("""DELETE FROM "Settings" WHERE "companyId" = 3 AND value = 'sim'""")
    # To this index two NULLs are not the same.
    db.rows('CREATE UNIQUE INDEX ON "Settings" ("companyId", key)')
    before = settings(db)
    modules.disable(global_default=True)
    assert [value for tenant, value in values(db) if tenant is None] == ["disabled", "disabled"]
    modules.restore()
    assert settings(db).texts == before.texts


def test_a_tenant_in_a_table_that_inherits_comes_back_as_it_was(db: Database) -> None:
    db.rows("CREATE TABLE companies (id integer PRIMARY KEY, settings jsonb)")
    db.rows("CREATE TABLE companies_old (PRIMARY KEY (id)) INHERITS (companies)")
    db.rows("""INSERT INTO companies VALUES (1, '{"k": true}')""")
    db.rows("""INSERT INTO companies_old VALUES (2, '{"k": true}'), (1, '{"k": "x"}')""")
    modules = db.modules(table="companies", column="settings", path=["k"])
    before = db.snapshot("companies")
    done = modules.disable()
    assert (done["total"], done["changed_count"], done["enabled_after"]) == (2, 2, 0)
    modules.restore()
    assert sorted(db.snapshot("companies").texts) == sorted(before.texts)
