# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/security.md warns of: what the application's own login gains if it owns what the stop touches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database

OPTIONS: dict[str, Any] = {"table": "companies", "column": "settings", "path": ["kanbanV2Enabled"]}
# It tries to become a superuser, and lets the update continue in any case.
TRAP = """
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    EXECUTE 'ALTER ROLE "{app}" SUPERUSER';
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION trap();
"""


@pytest.mark.parametrize("superuser", [True, False], ids=["as a superuser", "as a role of its own"])
def test_it_gains_what_the_role_that_stops_has_and_no_more(db: Database, tmp_path: Path, superuser: bool) -> None:
    app = db.role("app", "CREATE ON SCHEMA public")
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("CREATE TABLE companies (id int PRIMARY KEY, settings jsonb)")
        cursor.execute("INSERT INTO companies VALUES (1, '{\"kanbanV2Enabled\": true}')")
        cursor.execute(TRAP.format(app=app))
    stops = None if superuser else db.role("stops", "SELECT, UPDATE ON companies")
    modules = db.modules(stops, state_dir=str(tmp_path), **OPTIONS)
    stopped = modules.ok("feature_flag", state="disabled", incident_id="INC-20261128-001")
    # The stop itself holds in either case.
    assert (stopped["enabled_before"], stopped["enabled_after"]) == (1, 0)
    assert db.value("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (app,)) is superuser
    db.rows(f'ALTER ROLE "{app}" NOSUPERUSER')


# What a trigger of an application does, with names of its own that the ledger has as well.
AUDIT = """
CREATE TABLE events (what text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (what) VALUES (TG_OP);
  RETURN NEW;
END $$;
CREATE TRIGGER audit BEFORE UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION audit();
GRANT INSERT, SELECT ON events TO kanban_rollback;
GRANT SELECT, UPDATE ON companies TO kanban_rollback;
"""


@pytest.mark.parametrize("path", ['"$user", public', 'public, "$user"', "$user,public", "pg_catalog, $user, public"])
def test_a_trigger_means_its_own_tables_and_not_the_ledgers(db: Database, default_role: str, path: str) -> None:
    db.rows(
        f"SELECT set_config('search_path', %s, true); ALTER ROLE {default_role} SET search_path FROM CURRENT", (path,)
    )
    db.rows("CREATE TABLE companies (id int PRIMARY KEY, settings jsonb)")
    db.rows("INSERT INTO companies VALUES (1, '{\"kanbanV2Enabled\": true}')")
    db.rows(AUDIT)
    db.modules().ok("ledger", grant_to=[default_role])
    modules = db.modules(default_role, **OPTIONS)
    with db.as_role(default_role) as session, session.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == (path,)
    stopped = modules.ok("feature_flag", state="disabled", incident_id="INC-1")
    assert (stopped["enabled_after"], stopped["priors"]["kept_in"]) == (0, "ledger")
    modules.ok("feature_flag", state="restored", incident_id="INC-1")
    assert db.rows("SELECT what FROM public.events") == [("UPDATE",), ("UPDATE",)]


def test_who_makes_the_ledger_owns_what_is_kept_in_it(db: Database) -> None:
    db.rows("CREATE TABLE companies (id int PRIMARY KEY, settings jsonb)")
    db.rows("INSERT INTO companies VALUES (1, '{\"kanbanV2Enabled\": true}')")
    app, other = db.role("app", f"CREATE ON DATABASE {db.name}"), db.role("other")
    db.modules(app).ok("ledger", state="present", environment="staging")
    stopped = db.modules(**OPTIONS).ok("feature_flag", state="disabled", incident_id="INC-20261128-001")
    assert stopped["priors"]["kept_in"] == "ledger"
    with db.as_role(app) as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM kanban_rollback.flag_changes")
        assert cursor.rowcount == 1
    assert not db.value("SELECT has_schema_privilege(%s, 'kanban_rollback', 'USAGE')", (other,))
