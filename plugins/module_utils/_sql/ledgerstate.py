# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that tells the ledger from what another role put in its place, from the catalog alone: nothing there is read."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledger import RIGHTS

# A role {r} whose code may run with the rights of whoever acts: a superuser, the role itself, or one that it was made a
# member of. A superuser counts as a member of all, so for it the grants themselves are looked up.
TRUSTED = """({r}.rolsuper OR {r}.oid = me.oid OR CASE WHEN me.rolsuper THEN EXISTS (
      SELECT FROM pg_auth_members AS g WHERE g.roleid = {r}.oid AND g.member = me.oid)
    ELSE pg_has_role(me.oid, {r}.oid, 'MEMBER') END)"""
_TRUSTED_OWNER = TRUSTED.replace("{r}", "owner")
_NAMES = "ARRAY['" + "', '".join(RIGHTS) + "']::name[]"

# What in the schema is not the ledger's, as a sentence; null if nothing is. The ledger's tables are ordinary ones of
# the schema's owner. Where that owner is not trusted, nothing on them may run code: the ledger's own have no rule,
# policy or heir, and neither a trigger, a default nor a constraint that calls a function made here.
FOREIGN = """(
  SELECT seen.why FROM (
    SELECT c.relname, CASE
      WHEN NOT EXISTS (SELECT FROM pg_class AS m WHERE m.relnamespace = n.oid AND m.relname = 'meta')
        THEN 'kanban_rollback.' || c.relname || ', of role ' || owner.rolname || ', is there without a ledger'
      WHEN c.relname <> ALL ({names}) THEN NULL
      WHEN c.relkind <> 'r' THEN 'kanban_rollback.' || c.relname || ', of role ' || owner.rolname || ', is '
        || CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
           ELSE 'no ordinary table' END
      WHEN {trusted_owner} THEN NULL
      WHEN NOT pg_has_role(c.relowner, n.nspowner, 'MEMBER') THEN 'kanban_rollback.' || c.relname
        || ' belongs to role ' || owner.rolname || ', the schema to ' || pg_get_userbyid(n.nspowner)
      WHEN c.relhasrules OR c.relhassubclass OR c.relrowsecurity OR EXISTS (
        SELECT FROM (
          SELECT p.classid, p.objid FROM pg_depend AS p
          WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = c.oid AND p.deptype IN ('a', 'i')
          UNION ALL SELECT 'pg_class'::regclass, c.oid
        ) AS part JOIN pg_depend AS d ON d.classid = part.classid AND d.objid = part.objid
        WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
      ) THEN 'role ' || owner.rolname || ' has put a trigger, a rule or code of its own on kanban_rollback.'
        || c.relname
      END AS why
    FROM pg_namespace AS n
    JOIN pg_class AS c ON c.relnamespace = n.oid
    JOIN pg_roles AS owner ON owner.oid = c.relowner
    JOIN pg_roles AS me ON me.rolname = current_user
    WHERE n.nspname = 'kanban_rollback'
      AND (c.relname = ANY ({names}) OR c.relkind IN ('r', 'v', 'm', 'f', 'p'))
  ) AS seen WHERE seen.why IS NOT NULL ORDER BY seen.relname LIMIT 1
)""".replace("{trusted_owner}", _TRUSTED_OWNER).replace("{names}", _NAMES)  # a constant into a constant  # nosec B608

# What is there, in one look: the table, whether this role may create the schema and use it, what is not the ledger's,
# and the schema's owner if it is nobody whom this role trusts, with whether anybody can log in as that.
# Reads the catalog's tables, because to_regclass() uses a cache that may be older than the wait for the lock.
STATE = """
SELECT c.oid IS NOT NULL, has_database_privilege(current_database(), 'CREATE'),
       COALESCE(has_schema_privilege(n.oid, 'USAGE'), false), {foreign},
       CASE WHEN NOT {trusted_owner} THEN owner.rolname::text END, COALESCE(owner.rolcanlogin, false)
FROM pg_roles AS me
LEFT JOIN pg_namespace AS n ON n.nspname = 'kanban_rollback'
LEFT JOIN pg_roles AS owner ON owner.oid = n.nspowner
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'meta'
WHERE me.rolname = current_user
""".replace("{foreign}", FOREIGN).replace("{trusted_owner}", _TRUSTED_OWNER)  # a constant into a constant  # nosec B608
