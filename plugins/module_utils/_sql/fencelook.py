# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that reads what fences there are, what they stand on, and who is writing there."""

from __future__ import annotations

# Each with its owner, whether this role may call it, and who else may. One that was changed to run with the caller's
# rights, or another search_path, is called by nobody.
HELPERS = """
SELECT p.proname::text, p.prosrc, pg_get_userbyid(p.proowner)::text, has_function_privilege(p.oid, 'EXECUTE')
         AND p.prosecdef AND p.proconfig IS NOT DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp'],
       ARRAY(SELECT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(acl.grantee)::text END
             FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS acl
             WHERE acl.grantee <> p.proowner AND acl.privilege_type = 'EXECUTE' ORDER BY 1)
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
WHERE (p.proname = ANY (%(names)s::text[]) OR starts_with(p.proname::text, %(tries)s))
  AND p.pronargs = 1 AND p.proargtypes[0] = 'jsonb'::regtype
"""

# Whether this role may make a fence here, apart from owning the tables.
RIGHTS = """
SELECT current_user::text,
       COALESCE((SELECT has_schema_privilege(n.oid, 'CREATE') FROM pg_namespace AS n
                 WHERE n.nspname = 'kanban_rollback'), has_database_privilege(current_database(), 'CREATE')),
       EXISTS (SELECT FROM pg_namespace WHERE nspname = 'kanban_rollback')
"""

# Every existing fence: its function, what its body does (compared to the letter), its state and its triggers, with the
# columns that they now depend on: a trigger follows a renamed column, even to a name that nobody writes. A root is a
# fenced relation whose parent is not fenced by the same function. An owner who may not call it cannot add a partition,
# to which its trigger would be copied.
FENCES = """
SELECT p.proname::text, pg_has_role(p.proowner, 'USAGE'), pg_get_userbyid(p.proowner)::text,
       CASE WHEN p.prosrc = %(dormant)s THEN 'dormant'
            WHEN p.prosrc = format(%(refusal)s, s.state ->> 'incident', s.state ->> 'passers', s.state ->> 'raised_at',
                                   s.state ->> 'raised_by') THEN 'refusing'
            ELSE 'other' END,
       s.state::text,
       extract(epoch FROM (s.state ->> 'raised_at')::timestamptz)::float8,
       COALESCE((SELECT json_agg(json_build_array(t.tgrelid::bigint, n.nspname, c.relname, t.tgname, t.tgenabled,
                                                  t.tgtype, t.tgparentid <> 0,
                                                  ARRAY(SELECT a.attname::text FROM pg_depend AS d
                                                        JOIN pg_attribute AS a
                                                          ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                                                        WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                                          AND d.refclassid = 'pg_class'::regclass
                                                          AND d.refobjid = t.tgrelid AND d.refobjsubid > 0))
                                 ORDER BY t.tgrelid, t.tgname)
                 FROM pg_trigger AS t
                 JOIN pg_class AS c ON c.oid = t.tgrelid
                 JOIN pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE t.tgfoid = p.oid), '[]')::text,
       ARRAY(SELECT DISTINCT t.tgrelid::bigint FROM pg_trigger AS t
             WHERE t.tgfoid = p.oid
               AND NOT EXISTS (SELECT FROM pg_inherits AS i
                               JOIN pg_trigger AS above ON above.tgrelid = i.inhparent AND above.tgfoid = p.oid
                               WHERE i.inhrelid = t.tgrelid)),
       EXISTS (SELECT FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
               WHERE t.tgfoid = p.oid AND NOT has_function_privilege(c.relowner, p.oid, 'EXECUTE'))
FROM pg_proc AS p
JOIN pg_namespace AS pn ON pn.oid = p.pronamespace AND pn.nspname = 'kanban_rollback'
CROSS JOIN LATERAL (
  SELECT CASE WHEN obj_description(p.oid, 'pg_proc') LIKE '{%%}' THEN obj_description(p.oid, 'pg_proc')::jsonb END
) AS s(state)
WHERE p.prorettype = 'trigger'::regtype AND starts_with(p.proname::text, 'fence_') AND s.state IS NOT NULL
ORDER BY p.proname
"""

# A table and everything below it, parents first. pg_partition_tree() would lock them all, and so wait for a migration.
# Whoever gives a function away has to be able to become its new owner; PostgreSQL 16 counts that apart from membership.
RELATIONS = """
WITH RECURSIVE tree(root, relation, depth) AS (
  SELECT r, r, 0 FROM unnest(%(tables)s::oid[]) AS asked(r)
  UNION
  SELECT tree.root, i.inhrelid, tree.depth + 1
  FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.relation
)
SELECT tree.root::bigint, c.oid::bigint, n.nspname::text, c.relname::text, c.relkind = 'p',
       pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)::text,
       pg_has_role(c.relowner,
                   CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
FROM (SELECT root, relation, max(depth) AS depth FROM tree GROUP BY 1, 2) AS tree
JOIN pg_class AS c ON c.oid = tree.relation AND c.relkind IN ('r', 'p')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY tree.root, tree.depth, n.nspname, c.relname
"""
# A table that carries a fence, for a role that has no USAGE on its schema: it may still raise the fence.
FENCED_TABLES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, 1000, c.relkind = 'p' OR c.relhassubclass
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(tables)s::oid[])
"""

# Apply workers fire no statement triggers, so their writes pass the fence. If pg_subscription cannot be read, every
# subscription counts as enabled.
MAY_READ_SUBSCRIPTIONS = """
SELECT has_column_privilege('pg_catalog.pg_subscription', 'oid', 'SELECT')
   AND has_column_privilege('pg_catalog.pg_subscription', 'subname', 'SELECT')
   AND has_column_privilege('pg_catalog.pg_subscription', 'subenabled', 'SELECT')
"""
SUBSCRIPTIONS = """
SELECT r.srrelid::bigint, s.subname::text
FROM pg_subscription_rel AS r JOIN pg_subscription AS s ON s.oid = r.srsubid
WHERE s.subenabled AND r.srrelid = ANY (%(relations)s::oid[])
ORDER BY 1, 2
"""
SUBSCRIPTIONS_UNNAMED = """
SELECT r.srrelid::bigint, 'with the oid ' || r.srsubid
FROM pg_subscription_rel AS r WHERE r.srrelid = ANY (%(relations)s::oid[])
ORDER BY 1, 2
"""

# A session that held a write lock on a fenced relation when the raise committed may go on with the old body: holding
# the lock, it never looks at the catalog again. Vacuum (SHARE UPDATE EXCLUSIVE) and index builds (SHARE) do not write.
# A prepared transaction has no process, and what it wrote lands at its commit; the lock on its own id names it.
HOLDERS = """
SELECT l.virtualtransaction, COALESCE(l.pid, 0), a.application_name, a.usename::text,
       CASE WHEN l.pid IS NULL THEN 'prepared' WHEN a.wait_event = 'SyncRep' THEN %(waits_for_standby)s::text
            ELSE a.state END,
       extract(epoch FROM clock_timestamp() - COALESCE(a.xact_start, x.prepared))::float8,
       extract(epoch FROM a.xact_start)::float8, x.gid, array_agg(DISTINCT l.relation::bigint)
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_locks AS own
  ON l.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
 AND own.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts AS x ON x.transaction = own.transactionid
WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY (%(relations)s::oid[])
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND COALESCE(a.backend_type, '') NOT IN ('autovacuum worker', 'walsender')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 6 DESC NULLS LAST
"""
# The application's own triggers that could change a row's fenced columns in an UPDATE that does not name them.
ROW_TRIGGERS = """
SELECT t.tgrelid::bigint, t.tgname::text
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname <> 'kanban_rollback'
WHERE t.tgrelid = ANY (%(relations)s::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 19 = 19
ORDER BY 1, 2
"""

# Where the recovery point counts from. Transactions that begin later have this id or a greater one.
NOW = """
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       pg_current_wal_insert_lsn()::text,
       (SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM pg_stat_database WHERE datname = current_database()),
       pg_snapshot_xmax(pg_current_snapshot())::text
"""
# A fence's function and triggers as the catalog has them. To delete past the fence, somebody has to disable, drop or
# replace one of them, and putting that back leaves a row of another transaction.
PARTS = """
SELECT p.proname::text, encode(sha256(convert_to(concat_ws(' ', p.oid || '.' || p.xmin::text, (
         SELECT string_agg(t.oid || '.' || t.xmin::text, ' ' ORDER BY t.oid) FROM pg_trigger AS t WHERE t.tgfoid = p.oid
       )), 'UTF8')), 'hex')
FROM pg_proc AS p
WHERE p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = ANY (%(fences)s::text[])
"""
COUNTERS = """
SELECT relid::bigint, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
WHERE relid = ANY (%(relations)s::oid[])
"""
