# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the ledger, the schema ``kanban_rollback`` in the application's database."""

from __future__ import annotations

SCHEMA = "kanban_rollback"
VERSION = 1

# Two controllers may create the ledger at once; the second waits for the first and then finds it. The number is ours.
LOCK = "SELECT pg_advisory_xact_lock(118075163402606)"

META = "SELECT key, value FROM kanban_rollback.meta"

# Version 1. Priors are arrays, one row per committed batch: a row per tenant would cost as much as the kill itself.
CREATE = """
CREATE SCHEMA IF NOT EXISTS kanban_rollback;
REVOKE ALL ON SCHEMA kanban_rollback FROM PUBLIC;
CREATE TABLE kanban_rollback.meta (
  key text PRIMARY KEY,
  value text NOT NULL
);
CREATE TABLE kanban_rollback.incidents (
  incident_id text PRIMARY KEY,
  scenario text,
  environment text,
  operator text,
  reason text,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  closed_at timestamptz,
  closed_by text
);
CREATE TABLE kanban_rollback.incident_aliases (
  alias text PRIMARY KEY,
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE kanban_rollback.flag_changes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  flag text NOT NULL,
  action text NOT NULL CHECK (action IN ('disabled', 'enabled', 'restored')),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  run_id text,
  written text,
  full_depth int NOT NULL DEFAULT 0,
  tenants text[] NOT NULL,
  priors text[],
  depths int[],
  marks text[]
);
CREATE INDEX flag_changes_incident ON kanban_rollback.flag_changes (incident_id, flag, seq);
CREATE TABLE kanban_rollback.latched (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id text NOT NULL,
  flag text NOT NULL,
  tenant text,
  refused text,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  session_name text NOT NULL DEFAULT session_user,
  application_name text NOT NULL DEFAULT current_setting('application_name')
);
CREATE TABLE kanban_rollback.events (
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  run_id text NOT NULL,
  seq int NOT NULL,
  at text NOT NULL,
  phase text NOT NULL,
  source text NOT NULL,
  event text NOT NULL,
  data jsonb NOT NULL,
  previous text NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (incident_id, run_id, seq)
);
CREATE TABLE kanban_rollback.leases (
  name text PRIMARY KEY,
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  holder text NOT NULL,
  run_id text NOT NULL,
  acquired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL
);
"""
# An existing mark stays: a mark that those who may set it could also change would be worthless.
SET_META = """
INSERT INTO kanban_rollback.meta (key, value) VALUES (%(key)s, %(value)s) ON CONFLICT (key) DO NOTHING
"""
# Before it is dropped: tried, never waited for, because whoever waits for such a lock has a kill wait behind it.
TABLES = """
SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'kanban_rollback' AND c.relkind = 'r'
"""
LOCK_TABLES = "LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT"
DROP = "DROP SCHEMA IF EXISTS kanban_rollback CASCADE"

# What a role needs on each table to run every module on an existing ledger, and no more (test_grants.py takes each
# away). Prior values and events are added and never changed; an unmarked ledger is marked once. The latch's own
# function records what the latch turned back.
RIGHTS = {
    "meta": "SELECT, INSERT",
    "incidents": "SELECT, INSERT, UPDATE",
    "incident_aliases": "SELECT, INSERT",
    "flag_changes": "SELECT, INSERT",
    "latched": "SELECT",
    "events": "SELECT, INSERT",
    "leases": "SELECT, INSERT, UPDATE, DELETE",
    "repairs": "SELECT",
    "quarantined": "SELECT, DELETE",
    "files": "SELECT, INSERT, UPDATE, DELETE",
}
# The same for a role that also repairs, restores and undoes.
RIGHTS_TO_REPAIR = {**RIGHTS, "repairs": "SELECT, INSERT, UPDATE", "quarantined": "SELECT, INSERT, DELETE"}
ENTER = "GRANT USAGE ON SCHEMA kanban_rollback TO {role}"
# Revokes what an older version granted, and what a profile no longer asks for.
GRANT = "REVOKE ALL ON {table} FROM {role}; GRANT {rights} ON {table} TO {role}"

# Whether the role itself was granted exactly that: what it has as a member of another role may be revoked any day.
IS_GRANTED = """
SELECT r.rolsuper OR c.relowner = r.oid
    OR (EXISTS (SELECT FROM aclexplode(n.nspacl) AS g WHERE g.grantee = r.oid AND g.privilege_type = 'USAGE')
        AND ARRAY(SELECT DISTINCT g.privilege_type FROM aclexplode(c.relacl) AS g WHERE g.grantee = r.oid ORDER BY 1)
          = ARRAY(SELECT word FROM unnest(string_to_array(%(rights)s, ', ')) AS word ORDER BY 1))
FROM pg_namespace AS n
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = %(table)s AND c.relkind = 'r'
JOIN pg_roles AS r ON r.rolname = %(role)s
WHERE n.nspname = 'kanban_rollback'
"""

# What switching a flag needs besides the ledger: to read its table and to write its column, no other.
GRANT_FLAG = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON {table} TO {role};
GRANT UPDATE ({column}) ON {table} TO {role}
"""
# Rows of a key/value store may have to be inserted, and deleted again.
GRANT_ROWS = """
GRANT USAGE ON SCHEMA {owners_schema} TO {role};
GRANT SELECT ON {owners} TO {role};
GRANT INSERT, DELETE ON {table} TO {role}
"""
IS_FLAG_GRANTED = """
SELECT has_table_privilege(%(role)s, %(table)s::oid, 'SELECT')
   AND has_column_privilege(%(role)s, %(table)s::oid, %(column)s, 'UPDATE')
   AND (NOT %(rows)s OR has_table_privilege(%(role)s, %(table)s::oid, 'DELETE'))
"""
REVOKE_FLAG = "REVOKE ALL ON {table} FROM {role}; REVOKE ALL ON SCHEMA {schema} FROM {role}"
REVOKE_ROWS = "REVOKE ALL ON {owners} FROM {role}; REVOKE ALL ON SCHEMA {owners_schema} FROM {role}"
ROLE_EXISTS = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s)"

# An id and its aliases are one incident.
CANONICAL = """
SELECT i.incident_id, i.closed_at IS NOT NULL
FROM kanban_rollback.incidents AS i
WHERE i.incident_id = %(incident)s
   OR i.incident_id = (SELECT a.incident_id FROM kanban_rollback.incident_aliases AS a WHERE a.alias = %(incident)s)
ORDER BY i.incident_id = %(incident)s DESC
LIMIT 1
"""
CLOSED_AGO = """
SELECT extract(epoch FROM clock_timestamp() - closed_at)::float8
FROM kanban_rollback.incidents WHERE incident_id = %(incident)s
"""
OPEN_INCIDENT = """
INSERT INTO kanban_rollback.incidents (incident_id, scenario, environment, operator, reason)
VALUES (%(incident)s, %(scenario)s, %(environment)s, %(operator)s, %(reason)s)
ON CONFLICT (incident_id) DO NOTHING
"""
ADD_ALIAS = """
INSERT INTO kanban_rollback.incident_aliases (alias, incident_id) VALUES (%(alias)s, %(incident)s)
ON CONFLICT (alias) DO NOTHING
"""
CLOSE_INCIDENT = """
UPDATE kanban_rollback.incidents SET closed_at = clock_timestamp(), closed_by = %(operator)s
WHERE incident_id = %(incident)s AND closed_at IS NULL
"""
# A session that records a change holds KEY SHARE on its incident until it commits, which conflicts with this lock.
LOCK_INCIDENT = "SELECT FROM kanban_rollback.incidents WHERE incident_id = %(incident)s FOR UPDATE NOWAIT"
IS_CLOSED = "SELECT closed_at IS NOT NULL FROM kanban_rollback.incidents WHERE incident_id = %(incident)s"
REOPEN_INCIDENT = """
UPDATE kanban_rollback.incidents SET closed_at = NULL, closed_by = NULL WHERE incident_id = %(incident)s
"""

# Newest first: containment joins the newest that is open.
INCIDENTS = """
SELECT i.incident_id, i.scenario, i.environment, i.operator, i.reason,
       to_char(i.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(i.closed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       extract(epoch FROM clock_timestamp() - i.opened_at)::float8,
       ARRAY(SELECT a.alias FROM kanban_rollback.incident_aliases AS a WHERE a.incident_id = i.incident_id ORDER BY 1)
FROM kanban_rollback.incidents AS i
WHERE (%(incident)s IS NULL OR i.incident_id = %(incident)s)
  AND (NOT %(only_open)s OR i.closed_at IS NULL)
ORDER BY i.opened_at DESC, i.incident_id DESC
LIMIT %(limit)s
"""

ADD_CHANGE = """
INSERT INTO kanban_rollback.flag_changes
  (incident_id, flag, action, run_id, written, full_depth, tenants, priors, depths, marks)
VALUES (%(incident)s, %(flag)s, %(action)s, %(run)s, %(written)s, %(full_depth)s,
        %(tenants)s::text[], %(priors)s::text[], %(depths)s::int[], %(marks)s::text[])
"""
# How long ago an incident last switched off any of these tenants, including by a sweep; null if it never did.
SWITCHED_AGO = """
SELECT extract(epoch FROM clock_timestamp() - max(at))::float8
FROM kanban_rollback.flag_changes
WHERE incident_id = %(incident)s AND flag = %(flag)s AND action = 'disabled'
  AND (%(tenants)s::text[] IS NULL OR tenants && %(tenants)s::text[])
"""
SWITCHED_OFF = """
SELECT incident_id, sum(cardinality(tenants))
FROM kanban_rollback.flag_changes WHERE incident_id = ANY(%(incidents)s) AND action = 'disabled'
GROUP BY incident_id
"""
# Tenants that a closed incident switched off and nobody put back, newest incident first.
LEFT_OFF = """
SELECT incident_id, count(*)
FROM (
  SELECT c.incident_id
  FROM kanban_rollback.flag_changes AS c, unnest(c.tenants) AS u(tenant)
  WHERE c.incident_id = ANY(%(incidents)s)
  GROUP BY c.incident_id, c.flag, u.tenant
  HAVING max(c.seq) FILTER (WHERE c.action = 'disabled') > COALESCE(max(c.seq) FILTER (WHERE c.action = 'restored'), 0)
) AS off
GROUP BY incident_id ORDER BY array_position(%(incidents)s, incident_id)
"""
# As a relation for _sql/flag.PRIORS. An undo spends what the incident did under this flag.
CHANGES = """(
  SELECT seq, action, written, full_depth, tenants, priors, depths, marks
  FROM kanban_rollback.flag_changes WHERE incident_id = %(incident)s AND flag = %(flag)s
)"""
# The same relation from a file's lines.
CHANGES_FROM_FILE = """(
  SELECT seq, action, written, full_depth, tenants::text[] AS tenants, priors::text[] AS priors,
         depths::int[] AS depths, marks::text[] AS marks
  FROM unnest(%(seqs)s::bigint[], %(actions)s::text[], %(writtens_by_us)s::text[], %(full_depths)s::int[],
              %(tenant_lists)s::text[], %(prior_lists)s::text[], %(depth_lists)s::text[], %(mark_lists)s::text[])
    AS line(seq, action, written, full_depth, tenants, priors, depths, marks)
)"""

# The chain's end. Two tasks of one run append one after the other: the lock is per incident and run.
LOCK_CHAIN = "SELECT pg_advisory_xact_lock(hashtextextended(%(incident)s || chr(10) || %(run)s, 118075163402606))"
LAST_EVENT = """
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       COALESCE(last.seq, 0), COALESCE(last.hash, '')
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (
  SELECT seq, hash FROM kanban_rollback.events
  WHERE incident_id = %(incident)s AND run_id = %(run)s ORDER BY seq DESC LIMIT 1
) AS last ON true
"""
ADD_EVENT = """
INSERT INTO kanban_rollback.events
  (incident_id, run_id, seq, at, phase, source, event, data, previous, hash)
VALUES (%(incident)s, %(run)s, %(seq)s, %(at)s, %(phase)s, %(source)s, %(event)s, %(data)s::jsonb,
        %(previous)s, %(hash)s)
"""
EVENTS = """
SELECT incident_id, run_id, seq, at, phase, source, event, data::text, previous, hash
FROM kanban_rollback.events
WHERE incident_id = %(incident)s
ORDER BY at, run_id, seq
LIMIT %(limit)s
"""
# The primary key does not lead with any of these, and a ledger has a few dozen events: a scan is cheap.
KILLS = """
SELECT count(*) FROM kanban_rollback.events
WHERE phase = 'contain' AND source = 'feature_flag' AND event = 'disabled'
"""

# One holder at a time; an expired lease, or one of the same run, is taken over.
TAKE_LEASE = """
INSERT INTO kanban_rollback.leases AS held (name, incident_id, holder, run_id, expires_at)
VALUES (%(name)s, %(incident)s, %(holder)s, %(run)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO UPDATE
SET incident_id = excluded.incident_id, holder = excluded.holder, run_id = excluded.run_id,
    acquired_at = CASE WHEN held.run_id = excluded.run_id THEN held.acquired_at ELSE clock_timestamp() END,
    heartbeat_at = clock_timestamp(), expires_at = excluded.expires_at
WHERE held.run_id = excluded.run_id OR held.expires_at < clock_timestamp() OR %(by_force)s
RETURNING held.name
"""
# Only by its holder: a lease that somebody else has taken meanwhile stays theirs.
RENEW_LEASE = """
UPDATE kanban_rollback.leases
SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(name)s AND run_id = %(run)s
"""
DROP_LEASE = "DELETE FROM kanban_rollback.leases WHERE name = %(name)s AND run_id = %(run)s"
LEASE = """
SELECT incident_id, holder, run_id,
       to_char(acquired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       extract(epoch FROM clock_timestamp() - heartbeat_at)::float8,
       extract(epoch FROM expires_at - clock_timestamp())::float8
FROM kanban_rollback.leases WHERE name = %(name)s
"""
