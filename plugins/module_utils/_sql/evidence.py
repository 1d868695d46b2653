# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the evidence: what was going on, read from views that lock no table of the application.

Each row is returned as JSON in bytes (``textsend``): other databases' query text may be in another encoding, and one
such row must not cost the rest. ``to_jsonb`` includes all columns that a version has.
"""

from __future__ import annotations

# Free connections: of the server, of the database and of the role. Evidence must not take the last ones, because the
# kill opens a second session when it meets a lock. numbackends needs no privilege.
ROOM = """
SELECT LEAST(
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - (SELECT sum(numbackends)::int FROM pg_stat_database),
  (SELECT CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit - s.numbackends END
   FROM pg_database AS d JOIN pg_stat_database AS s ON s.datid = d.oid WHERE d.datname = current_database()),
  (SELECT CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit
                 - (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) END
   FROM pg_roles AS r WHERE r.rolname = session_user))
"""

# On a replica pg_walfile_name() raises an error, so the timeline is the one that it receives.
SERVER = """
SELECT textsend(jsonb_build_object(
  'version', version(), 'now', clock_timestamp(), 'postmaster_start_time', pg_postmaster_start_time(),
  'conf_load_time', pg_conf_load_time(), 'in_recovery', pg_is_in_recovery(),
  'lsn', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
  'timeline', CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_wal_receiver)
                   ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END)::text)
"""

# The query's text is evidence and stays on the host; it is cut because an ORM's can be very long.
ACTIVITY = """
SELECT textsend((to_jsonb(a) || jsonb_build_object('query', left(a.query, %(letters)s)))::text)
FROM pg_stat_activity AS a
ORDER BY a.state IS DISTINCT FROM 'active', a.xact_start NULLS LAST
LIMIT %(rows)s
"""

# pg_blocking_pids() stops the lock manager for a moment, so it is called for at most 100 waiters.
LOCKS = """
SELECT textsend((to_jsonb(l) || jsonb_build_object(
  'relation_name', CASE WHEN l.database IN (0, d.oid) THEN l.relation::regclass::text END,
  'waits_for', w.blockers))::text)
FROM pg_locks AS l
JOIN pg_database AS d ON d.datname = current_database()
LEFT JOIN (
  SELECT pid, to_jsonb(pg_blocking_pids(pid)) AS blockers
  FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted ORDER BY pid LIMIT 100) AS waiting
) AS w ON w.pid = l.pid AND NOT l.granted
WHERE l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY l.granted, l.pid
LIMIT %(rows)s
"""

PREPARED = "SELECT textsend(to_jsonb(p)::text) FROM pg_prepared_xacts AS p ORDER BY p.prepared LIMIT %(rows)s"
REPLICATION = "SELECT textsend(to_jsonb(r)::text) FROM pg_stat_replication AS r LIMIT %(rows)s"
SLOTS = "SELECT textsend(to_jsonb(s)::text) FROM pg_replication_slots AS s LIMIT %(rows)s"
DATABASES = "SELECT textsend(to_jsonb(d)::text) FROM pg_stat_database AS d LIMIT %(rows)s"

# The busiest first, so that the limit cuts off what matters least.
TABLES = """
SELECT textsend(to_jsonb(t)::text) FROM pg_stat_user_tables AS t
ORDER BY t.n_tup_ins + t.n_tup_upd + t.n_tup_del DESC NULLS LAST
LIMIT %(rows)s
"""

# Text settings that can hold a password are shown without their value: connection strings, commands, keys, and an
# application's own settings (those with a dot), of which only numbers and switches are safe.
SETTINGS = """
SELECT textsend(jsonb_build_object(
  'name', s.name, 'unit', s.unit, 'source', s.source, 'pending_restart', s.pending_restart,
  'setting', CASE WHEN s.vartype = 'string' AND
                       (s.name LIKE '%%.%%' OR s.name ~ 'conninfo|password|passphrase|secret|key|token|command')
                  THEN '(not recorded)' ELSE s.setting END)::text)
FROM pg_settings AS s
WHERE s.source NOT IN ('default', 'override', 'session', 'client') AND s.setting IS DISTINCT FROM s.boot_val
ORDER BY s.name
LIMIT %(rows)s
"""

# The extension's own version decides the column's name, not the server's: after an upgrade it may lag behind.
STATEMENTS_PLACE = """
SELECT n.nspname::text,
       (SELECT a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements'
          AND a.attname IN ('total_exec_time', 'total_time'))
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
STATEMENTS = """
SELECT textsend((to_jsonb(s) || jsonb_build_object('query', left(s.query, %(letters)s)))::text)
FROM (SELECT x.*, row_number() OVER (ORDER BY x.{time} DESC) AS rank_by_time,
                  row_number() OVER (ORDER BY x.calls DESC) AS rank_by_calls
      FROM {view} AS x) AS s
WHERE s.rank_by_time <= %(most)s OR s.rank_by_calls <= %(most)s
ORDER BY s.rank_by_time
LIMIT %(rows)s
"""
