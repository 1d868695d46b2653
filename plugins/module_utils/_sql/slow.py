# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that finds what is slow, from the statistics views alone, so no table of the application is locked or read."""

from __future__ import annotations

# Where the extension is and which columns its view really has: its own version decides, not the server's. A setting
# listed in pg_settings is the loaded library's own; one that only the configuration names is a placeholder, which is
# not listed there. Few roles may read shared_preload_libraries itself.
SOURCE = """
SELECT n.nspname::text, e.extversion,
       (SELECT array_agg(a.attname::text) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attnum > 0 AND NOT a.attisdropped),
       EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements_info'),
       EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'pg_stat_statements.max'),
       current_setting('pg_stat_statements.track', true), current_setting('compute_query_id', true),
       current_setting('track_io_timing')::boolean
FROM (SELECT) AS one
LEFT JOIN pg_extension AS e ON e.extname = 'pg_stat_statements'
LEFT JOIN pg_namespace AS n ON n.oid = e.extnamespace
"""

# How often statements were evicted for lack of room, and when all counters were reset (since version 1.9).
INFO = """
SELECT dealloc, to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM {info}
"""

# The counters of what matches, without texts, and the sums of everything. For a role without pg_read_all_stats, what
# others ran has neither text nor id: such rows are only summed. The words are plain text, so LIKE is not used. The
# marker is in the statements of this module, so that they do not find themselves.
FIGURES = """
WITH s AS (
  SELECT /* chatia.kanban_rollback slow_queries */ {columns},
         v.{query} = '<insufficient privilege>' AS is_hidden,
         v.{queryid} IS NOT NULL AND (%(words)s::text[] = '{{}}' OR EXISTS (
           SELECT FROM unnest(%(words)s::text[]) AS w(word) WHERE strpos(lower(v.{query}), lower(w.word)) > 0))
           AND strpos(v.{query}, 'chatia.kanban_rollback slow_queries') = 0 AS is_meant
  FROM {view} AS v
  WHERE %(everywhere)s OR v.{database_id} = (SELECT oid FROM pg_database WHERE datname = current_database())
), sums AS (
  SELECT COALESCE(sum(s.total_ms), 0)::float8 AS whole, count(*) FILTER (WHERE s.is_hidden) AS hidden,
         COALESCE(sum(s.total_ms) FILTER (WHERE s.is_hidden), 0)::float8 AS hidden_ms
  FROM s
)
SELECT extract(epoch FROM clock_timestamp())::float8, sums.whole, sums.hidden, sums.hidden_ms, found.*
FROM sums
LEFT JOIN (SELECT {names} FROM s WHERE s.is_meant ORDER BY s.total_ms DESC LIMIT %(rows)s) AS found ON true
"""

# The texts of the statements shown. Cut and returned as bytes: a text may hold what this session's encoding lacks.
TEXTS = """
SELECT /* chatia.kanban_rollback slow_queries */
       v.{user_id}::bigint, v.{database_id}::bigint, v.{queryid}::bigint, {toplevel}::boolean,
       substring(textsend(v.{query}) FOR %(bytes)s),
       (SELECT d.datname::text FROM pg_database AS d WHERE d.oid = v.{database_id}),
       (SELECT r.rolname::text FROM pg_roles AS r WHERE r.oid = v.{user_id})
FROM {view} AS v
WHERE v.{queryid} = ANY(%(ids)s::bigint[])
LIMIT %(rows)s
"""

# Statements that have run for long, and transactions that have been idle for long: they may hold locks. The query is
# returned as bytes, because other databases' text may be in another encoding. Parallel workers belong to their leader.
RUNNING = """
SELECT a.pid, COALESCE(a.backend_type, 'client backend'), a.datname::text, a.usename::text, a.application_name,
       host(a.client_addr), a.state, a.wait_event_type, a.wait_event,
       extract(epoch FROM clock_timestamp() - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END)
         ::float8 AS seconds,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       to_jsonb(a) ->> 'query_id', substring(textsend(a.query) FOR %(bytes)s), count(*) OVER ()
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid()
  AND COALESCE(a.backend_type, 'client backend') IN ('client backend', 'autovacuum worker', 'background worker')
  AND (%(everywhere)s OR a.datname = current_database())
  AND (a.state = 'active' OR a.state LIKE 'idle in transaction%%')
  AND CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END
      <= clock_timestamp() - %(seconds)s * interval '1 second'
ORDER BY seconds DESC, a.pid
LIMIT %(most)s
"""

# Sessions of others, of which a role without pg_read_all_stats sees only that they exist.
HIDDEN_SESSIONS = """
SELECT count(*) FROM pg_stat_activity AS a
WHERE a.datname IS NOT NULL AND (%(everywhere)s OR a.datname = current_database())
  AND a.state IS NULL AND a.query = '<insufficient privilege>'
"""

# Who waits for a lock, and for whom. Waiters are limited, because pg_blocking_pids() stops the lock manager for a
# moment. PostgreSQL 14 and later tell when the wait began; before, the start of the statement has to do. A prepared
# transaction has no process (pid 0), so it is found by the transaction that is waited for.
WAITING = """
SELECT l.pid, a.usename::text, a.application_name, l.locktype, l.mode,
       CASE WHEN l.database IN (0, d.oid) THEN l.relation::regclass::text END,
       extract(epoch FROM clock_timestamp()
         - COALESCE((to_jsonb(l) ->> 'waitstart')::timestamptz, a.query_start))::float8 AS seconds,
       substring(textsend(a.query) FOR %(bytes)s), pg_blocking_pids(l.pid),
       (SELECT array_agg(p.gid) FROM pg_prepared_xacts AS p WHERE p.transaction = l.transactionid)
FROM (SELECT * FROM pg_locks WHERE NOT granted ORDER BY pid LIMIT %(most)s) AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
JOIN pg_database AS d ON d.datname = current_database()
WHERE %(everywhere)s OR a.datname = d.datname
ORDER BY seconds DESC NULLS LAST, l.pid
"""

# The sessions that are waited for.
BLOCKING = """
SELECT a.pid, a.application_name, a.usename::text, host(a.client_addr), a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8, substring(textsend(a.query) FOR %(bytes)s)
FROM pg_stat_activity AS a
WHERE a.pid = ANY(%(pids)s::int[])
"""
