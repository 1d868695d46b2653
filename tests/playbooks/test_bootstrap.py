# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed ahead of the day: made once, enough for a least-privileged role, and gone without a trace."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.playbooks.place import LAID_DOWN, ON, TENANTS, Site

# Everything that an installation could leave: schemas, roles and memberships, functions, triggers, and each privilege
# that is not the owner's own by default.
CATALOG = """
SELECT 'schema', nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
UNION ALL SELECT 'role', rolname FROM pg_roles
UNION ALL SELECT 'member', roleid::regrole || ' of ' || member::regrole FROM pg_auth_members
UNION ALL SELECT 'setting', setdatabase || ' ' || setrole::regrole || ' ' || setconfig::text FROM pg_db_role_setting
UNION ALL SELECT 'relation', c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace NOT IN (
  SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')
UNION ALL SELECT 'function', p.oid::regprocedure::text FROM pg_proc AS p WHERE p.oid >= 16384
UNION ALL SELECT 'trigger', tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'default', defaclobjtype::text || ' ' || defaclacl::text FROM pg_default_acl
UNION ALL SELECT 'grant', c.oid::regclass || ' ' || g::text FROM pg_class AS c,
  aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) AS g WHERE c.oid >= 16384 AND c.relkind = 'r'
UNION ALL SELECT 'grant', attrelid::regclass || '.' || attname || ' ' || g::text
  FROM pg_attribute, aclexplode(attacl) AS g WHERE attrelid >= 16384
UNION ALL SELECT 'grant', nspname || ' ' || g::text FROM pg_namespace, aclexplode(nspacl) AS g
UNION ALL SELECT 'grant', datname || ' ' || g::text FROM pg_database, aclexplode(datacl) AS g
ORDER BY 1, 2
"""


@pytest.fixture
def least(site: Site) -> dict[str, Any]:
    """The inventory's variables of a host whose database is reached as the role that bootstrap.yml made."""
    return {
        "ansible_become": False,
        "kanban_postgresql_host": site.fleet["db1"].address,
        "kanban_postgresql_user": "kanban_rollback",
        "kanban_postgresql_password": secrets.token_hex(16),
    }


def bootstrap(site: Site, least: dict[str, Any], **extra: Any) -> Any:
    variables = {"kanban_role_password": least["kanban_postgresql_password"]}
    return site.run("bootstrap", variables=variables, extra=extra, whole=True)


def traces(site: Site) -> dict[str, str]:
    """Return what of ours lies on each host."""
    look = ["find", *LAID_DOWN, "-printf", "%M %p\\n"]
    return {host: site.fleet[host].run(look, check=False).stdout for host in ("db1", "db2", "redis1", "app1", "app2")}


def test_the_plan_of_a_first_installation_changes_nothing(site: Site) -> None:
    before = site.psql("db1", CATALOG)
    nothing = traces(site)
    plan = site.run("bootstrap", "--check", "--diff", hosts=("db1",), whole=True)
    assert site.psql("db1", CATALOG) == before
    assert traces(site) == nothing
    assert plan.rc == 0, plan.output


def test_made_once_and_enough_for_a_role_that_may_do_nothing_else(site: Site, least: dict[str, Any]) -> None:
    first = bootstrap(site, least)
    assert first.rc == 0, first.output
    assert first.recap("db1")["changed"] > 0
    attributes = "rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert site.psql("db1", f"SELECT {attributes} FROM pg_roles WHERE rolname = 'kanban_rollback'") == "t|f|f|f|f|f"
    again = bootstrap(site, least)
    assert again.rc == 0, again.output
    assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}
    for host, left in traces(site).items():
        assert "drwx------ /var/lib/kanban_rollback" in left.splitlines(), host
        assert "/opt/chatia/runbooks/scenario3.md" in left, host
    page = site.fleet["app1"].run(["cat", "/opt/chatia/runbooks/scenario3.md"]).stdout
    assert "inventories/staging chatia.kanban_rollback.scenario3" in page
    assert "{{" not in page

    # Its role is enough to stop and to go back.
    before = site.rows()
    run = site.run("scenario3", hosts={"db1": least})
    assert (run.rc, site.on()) == (0, 0), run.output
    assert f"({ON} were switched off now)" in run.screen
    assert "who had it: ledger" in run.screen
    undone = site.run("reenable", hosts={"db1": least}, extra={"kanban_reenable": "all", "kanban_close": True})
    assert undone.rc == 0, undone.output
    assert f"{ON} of {TENANTS} have Kanban V2" in undone.screen
    assert site.rows() == before
    # What it may not: it writes the flag alone, and reads what it dumps.
    with_role = "SET ROLE kanban_rollback; "
    for statement in ('UPDATE "Companies" SET name = name', 'DELETE FROM "Tickets"', 'DELETE FROM "Companies"'):
        asked = site.fleet["db1"].run(
            ["psql", "-XqAt", "-d", site.database, "-f", "-"], user="postgres", stdin=with_role + statement, check=False
        )
        assert "permission denied" in asked.stderr, statement


def test_absent_leaves_no_trace(site: Site, least: dict[str, Any]) -> None:
    before, nothing = site.psql("db1", CATALOG), traces(site)
    assert bootstrap(site, least).rc == 0
    assert site.psql("db1", CATALOG) != before
    # With a latch of the superuser's on the table, and an incident that is closed in the end.
    assert site.run("scenario3").rc == 0
    refused = bootstrap(site, least, kanban_state="absent")
    assert refused.rc != 0
    assert "Incidents are open in this ledger" in refused.text
    undone = site.run("reenable", extra={"kanban_reenable": "all", "kanban_close": True})
    assert undone.rc == 0, undone.output
    gone = bootstrap(site, least, kanban_state="absent")
    assert gone.rc == 0, gone.output
    assert site.psql("db1", CATALOG) == before
    assert traces(site) == nothing
    again = bootstrap(site, least, kanban_state="absent")
    assert again.rc == 0, again.output
    assert {again.recap(host)["changed"] for host in ("db1", "db2", "redis1", "app1", "app2")} == {0}


def test_absent_with_an_open_incident_goes_by_break_glass_only(site: Site, least: dict[str, Any]) -> None:
    before = site.psql("db1", CATALOG)
    assert bootstrap(site, least).rc == 0
    assert site.run("scenario3").rc == 0
    override = {"what": ["ledger"], "reason": "a rehearsal"}
    gone = bootstrap(site, least, kanban_state="absent", kanban_break_glass=override)
    assert gone.rc == 0, gone.output
    assert site.psql("db1", CATALOG) == before
