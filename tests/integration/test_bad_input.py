# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Impossible requests are refused before anything is changed, with what is wrong, why it matters and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import KEY, UUID, documents
from tests.integration.module import Modules, Result
from tests.integration.place import Database

COLUMN = {"store": "column", "path": None, "column": "mode"}
KEYED = {"store": "key_value", "path": None, "column": "settings"}


def refused(db: Database, modules: Modules, code: str, *words: str, **options: Any) -> Result:
    """Check that a switch is refused in all its states, with these words, and that nothing at all was changed."""
    before = db.snapshot("companies")
    for state in ("disabled", "enabled", "restored"):
        result = modules.fails(code, "feature_flag", **{"incident_id": "INC-1", "state": state, **options})
        text = f"{result['error']['what']} {result['error']['todo']}"
        for word in words:
            assert word in text, result
        assert result["changed"] is False
        assert "Traceback" not in str(result)
    assert db.snapshot("companies") == before
    assert not db.has_ledger(), "a ledger was made for something that was refused"
    return result


# Where it connects.


def test_a_wrong_password(db: Database) -> None:
    modules = population(db)
    result = refused(db, modules, "wrong_password", "password", "login_password", login_password="swordfish")
    assert "swordfish" not in str({**result, "invocation": None})


def test_a_missing_database(db: Database) -> None:
    refused(db, population(db), "no_database", "kanban_nowhere", "login_db", login_db="kanban_nowhere")


def test_a_missing_role(db: Database) -> None:
    modules = population(db)
    # The server does not tell a stranger whether the role or the password is wrong.
    refused(db, modules, "wrong_password", "nobody_here", login_user="nobody_here")


def test_no_server(db: Database) -> None:
    refused(db, population(db), "unreachable", "127.0.0.1:1/", login_port=1)


def test_a_role_that_may_not_connect(db: Database) -> None:
    population(db)
    role = db.role("guest")
    db.rows(f"REVOKE CONNECT ON DATABASE {db.name} FROM PUBLIC")
    refused(db, db.modules(role, **FLAG), "missing_privilege", "CONNECT")


# What the role may do.


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        (("SELECT ON companies",), "UPDATE"),
        (("UPDATE ON companies",), "SELECT"),
        (("SELECT ON companies", "UPDATE (id) ON companies"), "UPDATE"),
        (("SELECT (id) ON companies", "UPDATE ON companies"), "SELECT"),
    ],
)
@pytest.mark.parametrize("may_create", [False, True])
def test_a_missing_privilege_is_named(db: Database, grants: Any, missing: str, may_create: bool) -> None:
    population(db)
    role = db.role("ops", *grants)
    if may_create:
        db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {role}")
    refused(db, db.modules(role, **FLAG), "missing_privilege", missing, "companies")
    assert len(on(db)) == 50


def test_a_schema_that_the_role_may_not_enter(db: Database) -> None:
    population(db)
    db.rows("CREATE SCHEMA crm")
    db.rows("CREATE TABLE crm.accounts (id integer, settings jsonb)")
    role = db.role("ops", "SELECT, UPDATE ON companies")
    # The table is there, and the line that grants access is named.
    grant = f"GRANT USAGE ON SCHEMA crm TO {role};"
    refused(db, db.modules(role, **FLAG), "missing_privilege", grant, table="crm.accounts")


def test_reading_what_one_may_update_only_is_enough_for_that_column(db: Database, directory: Any) -> None:
    """The least that is needed: SELECT on the table, UPDATE on the one column."""
    population(db)
    role = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "pg_read_all_stats")
    done = db.modules(role, **FLAG, state_dir=str(directory)).disable()
    assert done["enabled_after"] == 0


def test_a_server_that_keeps_its_system_identifier_to_itself_is_switched_all_the_same(
    db: Database, directory: Any
) -> None:
    """As managed servers do; the server's address then identifies the database."""
    population(db)
    role = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "pg_read_all_stats")
    db.rows("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    done = db.modules(role, **FLAG, state_dir=str(directory)).disable()
    assert (done["enabled_after"], on(db)) == (0, [])
    assert done["database"]["cluster"].startswith(f"127.0.0.1:{db.server.port}/")


def test_rows_that_a_policy_hides(db: Database) -> None:
    """A hidden tenant reads as 'off': an error is better than that."""
    population(db)
    role = db.role("ops", "SELECT, UPDATE ON companies")
    db.rows("ALTER TABLE companies ENABLE ROW LEVEL SECURITY")
    db.rows("CREATE POLICY few ON companies USING (id < 5)")
    modules = db.modules(role, **FLAG)
    refused(db, modules, "row_level_security", "ow-level security", "BYPASSRLS")
    modules.fails("row_level_security", "feature_flag_info")


# Time.


@pytest.mark.parametrize("options", [{"deadline": 0}, {"deadline": -3}, {"deadline": 0.5}, {"settle": -1}])
def test_no_time(db: Database, options: dict[str, Any]) -> None:
    refused(db, population(db), "bad_deadline", *options, str(*options.values()), **options)


# Which tenants.


def test_unknown_tenants_are_listed_and_the_others_switched(db: Database) -> None:
    modules = population(db)
    asked = [7, 8, 900, "901", -1, 8]
    plan = modules.run("feature_flag", check=True, incident_id="INC-1", tenants=asked)
    assert plan["changed_count"] == 2
    result = modules.fails("unknown_tenants", "feature_flag", incident_id="INC-1", tenants=asked)
    assert result["unknown_tenants"] == ["-1", "900", "901"]
    assert (result["changed"], result["changed_count"], result["total"]) == (True, 2, 2)
    assert "900" in result["error"]["what"]
    assert 7 not in on(db)
    assert len(on(db)) == 48


def test_tenants_that_are_all_unknown(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    result = modules.fails("unknown_tenants", "feature_flag", incident_id="INC-1", tenants=[900])
    assert (result["changed"], result["total"]) == (False, 0)
    assert db.snapshot("companies") == before


def test_an_empty_list_of_tenants_is_nobody_not_everybody(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    done = modules.run("feature_flag", incident_id="INC-1", tenants=[])
    assert done["changed"] is False
    assert db.snapshot("companies") == before


@pytest.mark.parametrize("tenants", [["abc"], [1, "1; DROP TABLE companies"], ["99999999999999999999"], [""], ["1.5"]])
def test_ids_that_are_no_integers(db: Database, tenants: list[Any]) -> None:
    refused(db, population(db), "wrong_tenant_type", "integer", "companies.id", tenants=tenants)


@pytest.mark.parametrize("tenants", [[1], ["not a uuid"], [UUID.format(1) + "0"]])
def test_ids_that_are_no_uuids(db: Database, tenants: list[Any]) -> None:
    modules = documents("jsonb", quoted=False, uuids=True).make(db)
    refused(db, modules, "wrong_tenant_type", "uuid", "companies.id", tenants=tenants)


def test_a_uuid_in_capitals_is_the_same_tenant(db: Database) -> None:
    modules = documents("jsonb", quoted=False, uuids=True).make(db)
    assert modules.disable(tenants=[UUID.format(1).upper()], incident="INC-1")["unknown_tenants"] == []


@pytest.mark.parametrize("option", ["tenants", "path", "incident_id"])
def test_a_character_that_postgresql_has_not(db: Database, option: str) -> None:
    modules = population(db)
    value: Any = "a\x00b" if option == "incident_id" else ["a\x00b"]
    before = db.snapshot("companies")
    result = modules.run("feature_flag", **{"incident_id": "INC-1", option: value})
    assert result["error"]["todo"]
    assert db.snapshot("companies") == before


# Which flag.


@pytest.mark.parametrize(
    ("code", "words", "options"),
    [
        ("missing_table", ["compnies", "companies"], {"table": "compnies"}),
        ("missing_table", ["crm.companies", "companies"], {"table": "crm.companies"}),
        ("missing_table", ["pg_class"], {"table": "pg_catalog.pg_class"}),
        ("missing_column", ["setings", "settings"], {"column": "setings"}),
        ("missing_column", ["companyId", "id"], {"tenant_column": "companyId"}),
        ("incomplete_flag", ["path"], {"path": []}),
        ("incomplete_flag", ["key_column"], {**KEYED, "key": "x"}),
        ("incomplete_flag", ["key"], {**KEYED, "key_column": "id"}),
        ("incomplete_flag", ["tenants_table"], {**KEYED, "key": "x", "key_column": "id", "absent_means": "on"}),
        ("missing_column", ["chave"], {**KEYED, "key": "x", "key_column": "chave"}),
        ("not_a_document", ["id", "integer"], {"column": "id"}),
        ("wrong_flag_value", ["mode"], COLUMN),
        ("wrong_flag_value", ["on"], {**COLUMN, "enabled_value": "on", "disabled_value": "off"}),
        (
            "wrong_flag_value",
            ["absent_means", "NULL"],
            {**COLUMN, "enabled_value": "v2", "disabled_value": None, "absent_means": "on"},
        ),
        ("no_incident", ["incident_id"], {"incident_id": "  "}),
    ],
)
def test_a_flag_that_is_not_there(db: Database, code: str, words: list[str], options: dict[str, Any]) -> None:
    modules = population(db)
    db.rows("CREATE TYPE modes AS ENUM ('v1', 'v2')")
    db.rows("ALTER TABLE companies ADD mode modes")
    refused(db, modules, code, *words, **options)


def test_a_quoted_table_typed_without_its_capitals(db: Database) -> None:
    modules = population(db)
    db.rows('CREATE TABLE "Tenants" (id integer, settings jsonb)')
    refused(db, modules, "ambiguous_table", "public.Tenants", table="tenants")


def test_a_folded_table_typed_with_capitals_is_found_as_in_sql(db: Database) -> None:
    population(db)
    done = db.modules(**{**FLAG, "table": "Companies", "column": "SETTINGS"}).disable()
    assert done["flag"] == f"public.companies.settings -> {KEY}"


# Which incident, which ledger.


def test_an_incident_that_nothing_is_known_of(db: Database) -> None:
    modules = population(db)
    modules.disable("INC-1")
    after = db.snapshot("companies")
    result = modules.fails("unknown_incident", "feature_flag", state="restored", incident_id="INC-l")
    assert result["known_incidents"] == ["INC-1"]
    assert "INC-1" in result["error"]["todo"]
    assert db.snapshot("companies") == after


def test_a_ledger_of_another_environment(db: Database) -> None:
    modules = population(db)
    db.modules().ok("ledger", environment="staging")
    before = db.snapshot("companies")
    for state in ("disabled", "enabled", "restored"):
        asked = modules.having(state=state, incident_id="INC-1", environment="production")
        result = asked.fails("other_environment", "feature_flag")
        assert "staging" in result["error"]["what"]
        assert "production" in result["error"]["what"]
    modules.fails("other_environment", "feature_flag_info", environment="production")
    db.modules().fails("other_environment", "incident", incident_id="INC-1", environment="production")
    db.modules().fails("other_environment", "incident_info", environment="production")
    assert db.snapshot("companies") == before
    assert db.value("SELECT count(*) FROM kanban_rollback.incidents") == 0
    assert modules.disable(environment="staging")["database"]["ledger_environment"] == "staging"


def test_a_ledger_that_is_newer_than_the_collection(db: Database, directory: object) -> None:
    population(db)
    modules = db.modules(**FLAG, state_dir=str(directory))
    db.modules().ok("ledger")
    db.rows("UPDATE kanban_rollback.meta SET value = '999' WHERE key = 'version'")
    # Containment has one reason to refuse, and this is not it: the priors go to a file.
    done = modules.disable()
    assert (done["enabled_after"], done["priors"]["kept_in"]) == (0, "file")
    assert "version 999" in " ".join(done["warnings"])
    before = db.snapshot("companies")
    result = modules.fails("newer_ledger", "feature_flag", incident_id="INC-1", state="restored")
    assert "999" in result["error"]["what"]
    assert db.snapshot("companies") == before
