# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others could have run with rights that are not theirs: an open latch, a path in which they make functions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.preflights import checks, healthy, missing
from tests.integration.test_preflight_untouched import UNSEEN

Ready = tuple[Modules, dict[str, Any]]
# A latch of a flag that the profile had once, as an older version left it.
OLD = """CREATE FUNCTION kanban_rollback.latch_0123456789ab() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
         AS 'BEGIN RETURN NEW; END'"""
OPEN = """SELECT array_agg(proname::text ORDER BY proname) FROM pg_proc
          WHERE proname LIKE 'latch\\_%' AND has_function_privilege('public', oid, 'EXECUTE')"""


@pytest.fixture
def ready(db: Database, directory: Path) -> Ready:
    return healthy(db, directory)


def does(db: Database, todo: str) -> None:
    """Do what a line says, as a DBA does."""
    statements = re.findall(r"(?:REVOKE|ALTER ROLE) [^;]+;", todo)
    assert statements, todo
    for statement in statements:
        db.rows(statement)


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "by bootstrap"])
def test_every_latch_that_anybody_may_call_is_said_and_shut(db: Database, ready: Ready, by_hand: bool) -> None:
    modules, options = ready
    assert db.value(OPEN) is None
    db.rows(OLD)
    present = db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'latch\\_%' AND proname NOT LIKE '%6789ab'")
    db.rows(f"GRANT EXECUTE ON FUNCTION kanban_rollback.{present}() TO PUBLIC")
    result = modules.ok("preflight_info", **options)
    assert (missing(result), result["ready"]) == ({"latch_shut": "should", **UNSEEN}, True)
    said = checks(result)["latch_shut"]
    assert "latch_0123456789ab of postgres" in said["what"]
    assert "bootstrap.yml" in said["todo"]
    if by_hand:
        does(db, said["todo"])
    else:
        made: dict[str, Any] = {
            "environment": "staging",
            "grant_to": [modules.options["login_user"]],
            "flag": FLAG,
            "latch": True,
        }
        assert db.modules().ok("ledger", **made)["changed"]
        assert not db.modules().ok("ledger", **made)["changed"]
    assert db.value(OPEN) is None
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN


def test_bootstrap_shuts_what_is_its_own_to_change_and_leaves_the_rest_to_be_said(db: Database) -> None:
    owner, other = db.role("owner"), db.role("other")
    db.rows(f"GRANT CREATE ON DATABASE {db.name} TO {owner}")
    db.rows("CREATE TABLE companies (id int PRIMARY KEY, settings jsonb)")
    db.modules(owner).ok("ledger")
    db.rows(OLD)
    db.rows(OLD.replace("0123456789ab", "of_another"))
    db.rows(f"ALTER FUNCTION kanban_rollback.latch_0123456789ab() OWNER TO {owner}")
    db.rows(f"ALTER FUNCTION kanban_rollback.latch_of_another() OWNER TO {other}")
    # Without a latch of the present flag, too.
    assert db.modules(owner).ok("ledger")["changed"]
    assert not db.modules(owner).ok("ledger")["changed"]
    assert db.value(OPEN) == ["latch_of_another"]
    said = checks(db.modules(owner, **FLAG).ok("preflight_info"))["latch_shut"]
    assert f"(latch_of_another of {other})" in said["what"]
    assert said["todo"].endswith("REVOKE ALL ON FUNCTION kanban_rollback.latch_of_another() FROM PUBLIC;")


# A statement that changes one letter of a function's body, as another version would have it.
CHANGED = """DO $$ BEGIN EXECUTE replace(pg_get_functiondef((SELECT oid FROM pg_proc WHERE proname ~ '{name}')),
                                         'BEGIN', 'BEGIN '); END $$"""


@pytest.mark.parametrize(
    ("name", "said"),
    [("^raise_latch_", "the latch of public.companies.settings -> "), ("^fence_raise$", "the fence's")],
)
def test_what_another_version_installed_is_said(db: Database, ready: Ready, name: str, said: str) -> None:
    modules, options = ready
    db.modules(tables=["tickets"]).ok("write_fence", state="dormant", grant_to=[modules.options["login_user"]])
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN
    db.rows(CHANGED.replace("{name}", name))
    result = modules.ok("preflight_info", **options)
    assert (missing(result), result["ready"]) == ({"installed": "should", **UNSEEN}, True)
    assert said in checks(result)["installed"]["what"]
    assert "bootstrap.yml" in checks(result)["installed"]["todo"]


def test_a_schema_in_which_everybody_makes_functions_is_said(db: Database, ready: Ready) -> None:
    modules, options = ready
    assert "(public)" in checks(modules.ok("preflight_info", **options))["search_path"]["what"]
    # As it is before PostgreSQL 15.
    db.rows("GRANT CREATE ON SCHEMA public TO PUBLIC")
    result = modules.ok("preflight_info", **options)
    assert (missing(result), result["ready"]) == ({"search_path": "should", **UNSEEN}, True)
    said = checks(result)["search_path"]
    assert "everybody in public" in said["what"]
    assert said["todo"] == "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    does(db, said["todo"])
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN


@pytest.mark.parametrize("place", ["CRM %s", "$user"])
def test_a_schema_of_another_role_in_the_path_is_said(db: Database, ready: Ready, place: str) -> None:
    modules, options = ready
    role, app = modules.options["login_user"], db.role("app")
    name = role if place == "$user" else place
    quoted = f'"{name}"'
    db.rows(f"CREATE SCHEMA {quoted} AUTHORIZATION {app}")
    if place != "$user":
        # Of "$user" it need not be allowed anything yet.
        db.rows(f"GRANT USAGE ON SCHEMA {quoted} TO {role}")
        db.rows(f"ALTER ROLE {role} SET search_path = {quoted}, public, pg_catalog")
    result = modules.ok("preflight_info", **options)
    assert (missing(result), result["ready"]) == ({"search_path": "should", **UNSEEN}, True)
    said = checks(result)["search_path"]
    assert f"{app} in {name}, which it owns" in said["what"]
    does(db, said["todo"])
    assert missing(modules.ok("preflight_info", **options)) == UNSEEN


def test_schemas_of_whoever_acts_and_of_administrators_are_not_said(db: Database, ready: Ready) -> None:
    modules, options = ready
    role, admin = modules.options["login_user"], db.role("admin")
    db.rows(f"CREATE SCHEMA AUTHORIZATION {role}")
    db.rows(f"CREATE SCHEMA theirs AUTHORIZATION {admin}")
    db.rows(f"GRANT USAGE ON SCHEMA theirs TO {role}")
    db.rows(f'ALTER ROLE {role} SET search_path = "$user", theirs, public')
    db.rows(f"ALTER DATABASE {db.name} OWNER TO {admin}")
    try:
        assert missing(modules.ok("preflight_info", **options)) == UNSEEN
    finally:
        db.rows(f"ALTER DATABASE {db.name} OWNER TO postgres")


def test_the_ledger_of_another_role_is_in_no_path_of_ours(db: Database, ready: Ready, default_role: str) -> None:
    modules, options = ready
    owner = db.role("owner")
    db.rows(f"ALTER SCHEMA kanban_rollback OWNER TO {owner}")
    db.modules().ok("ledger", grant_to=[default_role], flag=FLAG)
    options |= {"login_user": default_role, "login_password": db.roles[default_role]}
    assert "search_path" not in missing(modules.ok("preflight_info", **options))
