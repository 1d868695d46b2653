# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that looks ahead: what the scenarios need is read from the catalog or planned by the server. Nothing is run."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.breakglass import KEEP_PLACE

# Checks names, types and privileges as the statement would, but runs neither it nor a trigger.
EXPLAIN = "EXPLAIN (COSTS OFF) "

# Tenants whose row carries the mark of a transaction that is still open, seen without a lock. A foreign key's mark does
# not hinder the kill, and a mark shared by several transactions cannot be told from an old one, so this is a rough
# figure: too high or too low by those.
LOCKED_NOW = """
SELECT count(*)
FROM {table} AS t
WHERE {rows} AND {scope} AND {meant} AND t.xmax IN (
  SELECT l.transactionid FROM pg_locks AS l
  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
)
"""

# An exported snapshot ends with its transaction; pg_dump's parallel jobs need it.
EXPORT_SNAPSHOT = "SELECT pg_export_snapshot()"
BLOCKING_PIDS = "SELECT pg_blocking_pids(pg_backend_pid())"
CAN_READ = "SELECT * FROM {table}"

# Whether this role may create the ledger, even if a schema of that name already exists.
CAN_MAKE_LEDGER = """
SELECT has_database_privilege(current_database(), 'CREATE')
       AND COALESCE((SELECT has_schema_privilege(n.oid, 'CREATE') FROM pg_namespace AS n
                     WHERE n.nspname = 'kanban_rollback'), true)
"""

# The ledger's statements, each with a condition that no row meets.
LEDGER = (
    """
INSERT INTO kanban_rollback.incidents (incident_id, scenario, environment, operator, reason)
SELECT 'preflight', NULL, NULL, NULL, NULL WHERE false ON CONFLICT (incident_id) DO NOTHING
""",
    "UPDATE kanban_rollback.incidents SET closed_at = clock_timestamp(), closed_by = NULL WHERE false",
    """
INSERT INTO kanban_rollback.incident_aliases (alias, incident_id) SELECT 'preflight', 'preflight' WHERE false
ON CONFLICT (alias) DO NOTHING
""",
    """
INSERT INTO kanban_rollback.flag_changes
  (incident_id, flag, action, run_id, written, full_depth, tenants, priors, depths, marks)
SELECT 'preflight', '', 'disabled', NULL, NULL, 0, '{}', NULL, NULL, NULL WHERE false
""",
    """
INSERT INTO kanban_rollback.events (incident_id, run_id, seq, at, phase, source, event, data, previous, hash)
SELECT 'preflight', '', 0, '', '', '', '', '{}', '', '' WHERE false
""",
    """
INSERT INTO kanban_rollback.leases (name, incident_id, holder, run_id, expires_at)
SELECT '', 'preflight', '', '', clock_timestamp() WHERE false
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
""",
    "DELETE FROM kanban_rollback.leases WHERE false",
    "SELECT FROM kanban_rollback.latched WHERE false",
)

# The application's own triggers that the kill fires, both row and statement triggers.
OWN_TRIGGERS = """
SELECT t.tgname::text
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname <> 'kanban_rollback'
WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 16 = 16
ORDER BY 1
"""

# A member may end other roles' sessions; only a superuser may end a superuser's.
CAN_TERMINATE = "SELECT pg_has_role('pg_signal_backend', 'MEMBER')"

# pg_dump locks every table of the database to read its schema.
UNREADABLE = """
SELECT n.nspname || '.' || c.relname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1
LIMIT 1000
"""

# Size on disk, including what is stored out of line but not indexes; with the leaves of a partitioned table.
SIZE = """
SELECT COALESCE((SELECT sum(pg_table_size(p.relid)) FROM pg_partition_tree(%(table)s::oid::regclass) AS p),
                pg_table_size(%(table)s::oid::regclass))::bigint
"""

ARCHIVER = """
SELECT current_setting('archive_mode') <> 'off',
       extract(epoch FROM clock_timestamp() - last_archived_time)::float8,
       to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       COALESCE(last_failed_time > last_archived_time, last_failed_time IS NOT NULL), last_failed_wal
FROM pg_stat_archiver
"""

STATEMENTS_SCHEMA = """
SELECT n.nspname::text FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# Whether other roles' texts are hidden, and the updates that name a table, including upserts and merges; the rest is
# determined from their text. A lock (FOR UPDATE) has no SET.
STATEMENTS_HIDDEN = """
SELECT count(*) FROM {schema}.pg_stat_statements AS s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.query LIKE '<insufficient%%'
"""
UPDATES = """
SELECT left(s.query, 20000), sum(s.calls)::bigint
FROM {schema}.pg_stat_statements AS s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.query ~* '\\mupdate\\M.*\\mset\\M' AND position(lower(%(table)s) IN lower(s.query)) > 0
GROUP BY 1
ORDER BY 2 DESC
LIMIT 200
"""

# Where this role's statements look functions and operators up: whether everybody may make some there, whether another
# role may because it owns the schema, and what ends either. A superuser needs no such way, and the database's owner is
# taken for its administrator. A schema named like this role counts also if it may not use it, because its owner can
# allow that at any moment.
SEARCH_PATH = r"""
SELECT s.name, s.owner, s.is_open, s.is_anothers, format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC;', s.name),
       format('ALTER ROLE %%I IN DATABASE %%I SET search_path = %%s;', session_user, current_database(),
              COALESCE(string_agg(quote_ident(s.name), ', ') FILTER (WHERE NOT s.is_anothers)
                         OVER (ORDER BY s.place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
                       'pg_catalog'))
FROM (
  SELECT n.nspname::text AS name, r.rolname::text AS owner, has_schema_privilege('public', n.oid, 'CREATE') AS is_open,
         NOT (r.rolsuper OR r.rolname IN (current_user, 'pg_database_owner')
              OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())) AS is_anothers,
         array_position(current_schemas(false), n.nspname) AS place
  FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
  WHERE n.nspname = ANY (current_schemas(false))
     OR n.nspname = current_user AND current_setting('search_path') ~ '(?<![^ ,])"?\$user"?(?![^ ,])'
) AS s
ORDER BY s.place
"""

# For break-glass.sql. If its table of priors does not exist yet, what a statement would keep is only selected, and
# there is nothing to put back.
NO_KEEP = """(
  SELECT 0::bigint AS seq, ''::text AS incident_id, ''::text AS flag, ''::text AS action, ''::text AS written,
         0::int AS full_depth, NULL::text[] AS tenants, NULL::text[] AS priors, NULL::int[] AS depths,
         NULL::text[] AS marks
) AS no_keep"""
# What no plan shows: whether this role has that table or may create one and, for a document, the functions.
MAY_KEEP = """
SELECT place.keep_is_there OR has_schema_privilege(%(keep_schema)s, 'USAGE')
                          AND has_schema_privilege(%(keep_schema)s, 'CREATE'), place.keep_others
FROM ({place}) AS place
""".replace("{place}", KEEP_PLACE)  # a constant into a constant  # nosec B608
MAY_MAKE_FUNCTIONS = """
SELECT has_database_privilege(current_database(), 'TEMPORARY') AND has_language_privilege('sql', 'USAGE')
       AND has_language_privilege('plpgsql', 'USAGE')
"""
# Only planned, so never called.
TRY_FENCE = 'SELECT kanban_rollback.fence_raise(\'{"incident": "preflight", "fences": []}\')'
