# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL about the session itself: who and where we are, who blocks us."""

from __future__ import annotations

# All settings in one round trip, each local to the transaction.
SET_LOCAL = """
SELECT set_config(name, value, true)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting(name, value)
"""

# For a role that is named like the ledger's schema, "$user" is the ledger. A trigger of the application that names its
# table `events` would meet the ledger's then, and fail, and nobody would be switched off.
NOT_THE_LEDGER = r"""
SELECT set_config('search_path', regexp_replace(
         regexp_replace(current_setting('search_path'), '(?<![^ ,])"?\$user"?\s*,\s*', ''),
         ',?\s*(?<![^ ,])"?\$user"?(?![^ ,])', ''), true)
WHERE current_user = 'kanban_rollback';
"""
# BEGIN and its settings in one round trip: a stop has fifty transactions. READ WRITE or READ ONLY and the isolation
# level are our own words, never a user's.
BEGIN = "BEGIN {mode};" + NOT_THE_LEDGER + SET_LOCAL

# Which server this is, whether it may write, and whether a pooler is in between. The system identifier is the same on a
# primary and its replicas, so two inventory entries for one cluster are recognized as one. pg_control_system() may be
# closed on managed servers, and PostgreSQL checks the right to call it as soon as a statement names it: then the query
# is repeated without it, and the database's address has to do.
SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())"
NO_SYSTEM = "NULL::text"
IDENTITY = """
SELECT current_database(), current_user::text, current_setting('server_version'), pg_is_in_recovery(),
       pg_backend_pid(), host(inet_server_addr()), inet_server_port(),
       (SELECT oid FROM pg_database WHERE datname = current_database())::bigint,
       {system},
       current_setting('default_transaction_read_only')::boolean,
       pg_has_role('pg_read_all_stats', 'MEMBER'),
       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
"""

# Who keeps our session waiting, asked from a second session while the first waits. A prepared transaction has no
# process (pid 0), so it is found by the transaction that we wait for. The query's text is left out: it may hold
# customers' data.
BLOCKERS = """
SELECT b.pid, a.application_name, a.usename::text, host(a.client_addr),
       CASE WHEN a.wait_event = 'SyncRep' THEN %(waits_for_standby)s::text ELSE a.state END,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8, NULL::text
FROM unnest(pg_blocking_pids(%(pid)s)) AS b(pid)
LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
WHERE b.pid <> 0
UNION
SELECT 0, 'prepared transaction', p.owner::text, NULL, 'prepared',
       extract(epoch FROM clock_timestamp() - p.prepared)::float8, p.gid
FROM pg_locks AS w
JOIN pg_prepared_xacts AS p ON p.transaction = w.transactionid
WHERE w.pid = %(pid)s AND NOT w.granted AND w.locktype = 'transactionid'
"""

# Ends a session that blocks. False or an error (a superuser's session) is reported, not hidden.
TERMINATE = "SELECT pg_terminate_backend(%(pid)s)"

# Open transactions that could still write based on what they read before: those of all other clients, including
# prepared ones. Walsenders, vacuum and our own sessions are not the application. Anybody can take the name of ours, so
# ours are those that also logged in as this one did; our work as another role is waited for like anybody's. A role
# without pg_read_all_stats sees neither the state nor the start of others' work, nor which of them is vacuum; but all
# see who logged in, and that an open transaction holds the lock on its own virtual id. Reading pg_locks takes all lock
# partitions, so it is read only for such roles.
OPEN_TRANSACTIONS = """
WITH running AS MATERIALIZED (
  SELECT pid, min(virtualtransaction) AS id FROM pg_locks
   WHERE locktype = 'virtualxid' AND granted
     AND EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state IS NULL)
   GROUP BY pid
)
SELECT a.pid, a.application_name, a.usename::text,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       a.pid::text || '/' || COALESCE(extract(epoch FROM a.xact_start)::text, r.id)
FROM pg_stat_activity AS a
LEFT JOIN running AS r ON r.pid = a.pid AND a.state IS NULL
WHERE a.datname = current_database()
  AND a.pid <> pg_backend_pid()
  AND COALESCE(a.backend_type, 'client backend') IN ('client backend', 'background worker', 'parallel worker')
  AND NOT (a.application_name LIKE 'chatia.kanban\\_rollback%%' AND a.usename IS NOT DISTINCT FROM session_user)
  AND (a.xact_start IS NOT NULL OR r.id IS NOT NULL)
UNION ALL
SELECT 0, 'prepared transaction ' || p.gid, p.owner::text,
       extract(epoch FROM clock_timestamp() - p.prepared)::float8,
       'prepared/' || p.transaction::text
FROM pg_prepared_xacts AS p
WHERE p.database = current_database()
"""

# Identifies a session, for another one to ask whether it is still there. A pid is reused, its start time is not; a role
# that may not see the start time relies on the pid alone, and rather waits than acts too early.
THIS_SESSION = """
SELECT pid || '@' || extract(epoch FROM backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
SESSION_IS_THERE = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE pid::text = split_part(%(session)s, '@', 1)
                 AND coalesce(extract(epoch FROM backend_start)::text = split_part(%(session)s, '@', 2), true))
"""
