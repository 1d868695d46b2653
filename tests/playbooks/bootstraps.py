# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run bootstrap.yml, and look at what it leaves in the database and on the hosts."""

from __future__ import annotations

from typing import Any

from tests.playbooks.place import LAID_DOWN, Site

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


def bootstrap(site: Site, least: dict[str, Any], **extra: Any) -> Any:
    variables = {"kanban_role_password": least["kanban_postgresql_password"]}
    # A minute on an idle machine: sixty files on five hosts, one after the other.
    return site.run("bootstrap", variables=variables, extra=extra, whole=True, timeout=400)


def traces(site: Site) -> dict[str, str]:
    """Return what of ours is on each host."""
    look = ["find", *LAID_DOWN, "-printf", "%M %p\\n"]
    return {host: site.fleet[host].run(look, check=False).stdout for host in ("db1", "db2", "redis1", "app1", "app2")}
