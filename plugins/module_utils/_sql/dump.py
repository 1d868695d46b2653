# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the dump."""

from __future__ import annotations

# Every relation whose rows pg_dump would include unless told otherwise. A materialized view has no rows in the archive
# but a REFRESH, which would make it empty over tables without rows; foreign tables are named for safety. No LIMIT: what
# is missing here would be dumped although nobody asked for it.
RELATIONS = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
ORDER BY 2, 3
"""

# Where the rows of the requested tables really lie: leaves of partitioned tables, a parent of inheritance and its
# children. A partitioned table itself holds none. The size is heap and TOAST, without indexes: they are not dumped.
LEAVES = """
WITH RECURSIVE tree(root, oid) AS (
  SELECT root, root FROM unnest(%(tables)s::oid[]) AS root
  UNION
  SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT tree.root::bigint, c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) ELSE 0 END, row_security_active(c.oid)
FROM tree
JOIN pg_class AS c ON c.oid = tree.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind <> 'p'
ORDER BY 1, 3, 4
"""

# pg_dump locks every table of the schema that it dumps, and reads every sequence: one that the role may not read makes
# it fail, perhaps after minutes. Members of extensions are not checked, because pg_dump leaves out most of them.
UNREADABLE = """
SELECT n.nspname::text || '.' || c.relname::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
LIMIT 1000
"""

# The encoding of names on pg_dump's command line, and whether a scratch database could be created.
ABOUT = """
SELECT current_setting('server_encoding'),
       (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user)
"""

# Held until the snapshot's transaction has its own locks: TRUNCATE and a rewriting ALTER TABLE are not MVCC-safe, so if
# one committed between the snapshot and the lock, the table would be seen, and counted, as empty.
LOCK = "LOCK TABLE {table} IN ACCESS SHARE MODE"

# One snapshot for the counts and for pg_dump. The position in the log is read inside it.
SNAPSHOT = """
SELECT pg_export_snapshot(),
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text,
       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
"""

# The count of a partitioned table or of a parent includes all of its leaves.
COUNT = "SELECT count(*) FROM {table}"

# Who keeps pg_dump waiting, because it names nobody itself. Its sessions are recognized by the name that we gave them,
# which anybody can read and take, and by who logged in, which is as here. Its workers do not wait: they fail when
# somebody is queued for an exclusive lock, who then waits for our snapshot too.
BLOCKERS = """
WITH waiting AS (
  SELECT a.pid, a.application_name = %(name)s AND a.usename IS NOT DISTINCT FROM session_user AS is_ours,
         pg_blocking_pids(a.pid) AS blockers
  FROM pg_stat_activity AS a
  WHERE a.datname = current_database() AND a.wait_event_type = 'Lock'
),
in_the_way AS (
  SELECT unnest(blockers) AS pid FROM waiting WHERE is_ours
  UNION
  SELECT pid FROM waiting WHERE %(holder)s = ANY (blockers) AND NOT is_ours
)
SELECT b.pid, COALESCE(a.application_name, CASE WHEN b.pid = 0 THEN 'prepared transaction' END), a.usename::text,
       host(a.client_addr), a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8, NULL::text
FROM in_the_way AS b
LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
ORDER BY b.pid
LIMIT 20
"""

# Ends the counts when pg_dump has failed: nobody needs them any more.
CANCEL = "SELECT pg_cancel_backend(%(pid)s)"

VERSION = "SELECT current_setting('server_version_num')::int"

# What pg_dump's own sessions are copying now: they log in as this one does, and the view has those. The number of rows
# of a table is an estimate, and -1 if it was never analyzed.
COPIES = """
SELECT c.relname::text, p.tuples_processed, NULLIF(GREATEST(c.reltuples, 0), 0)::bigint
FROM pg_stat_progress_copy AS p
JOIN pg_stat_activity AS a ON a.pid = p.pid
JOIN pg_class AS c ON c.oid = p.relid
WHERE p.datname = current_database() AND p.command = 'COPY TO'
  AND a.application_name LIKE 'chatia.kanban\\_rollback%% pg\\_dump%%' AND a.usename = session_user
ORDER BY a.query_start, 1
LIMIT 8
"""
