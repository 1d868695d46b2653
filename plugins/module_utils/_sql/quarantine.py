# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the quarantine: whole rows as the server writes them, from which they are restored exactly."""

from __future__ import annotations

# Separate from the ledger's first tables, so that an older collection keeps working with those. A row's text is the
# server's own for the whole record: with the settings of the repair's session it comes back exactly, whatever its types
# are. A row that was deleted has no ``after``; one that a restore put there has no ``before``.
CREATE = """
CREATE TABLE IF NOT EXISTS kanban_rollback.repairs (
  repair_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  run_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  operator text,
  approved_by text,
  plan_hash text NOT NULL,
  plan jsonb NOT NULL,
  undone_at timestamptz,
  undone_by text
);
CREATE TABLE IF NOT EXISTS kanban_rollback.quarantined (
  repair_id bigint NOT NULL REFERENCES kanban_rollback.repairs,
  place int NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  columns text[] NOT NULL,
  check_name text NOT NULL,
  via text,
  changed text[],
  before text,
  after text
);
CREATE INDEX IF NOT EXISTS quarantined_repair ON kanban_rollback.quarantined (repair_id, place);
"""
# A ledger from before there were restores.
REFUSES_NOTHING_BEFORE = """
SELECT EXISTS (SELECT FROM pg_attribute AS a
               WHERE a.attrelid = to_regclass('kanban_rollback.quarantined') AND a.attname = 'before' AND a.attnotnull)
"""
TAKE_NOTHING_BEFORE = "ALTER TABLE kanban_rollback.quarantined ALTER before DROP NOT NULL"
# Whether it exists, and whether this role may create it. That it is the ledger's own was seen with the ledger
# (ledgerstate.FOREIGN).
STATE = """
SELECT q.oid IS NOT NULL, has_schema_privilege(n.oid, 'CREATE') AND has_table_privilege(i.oid, 'REFERENCES')
FROM pg_namespace AS n
JOIN pg_class AS i ON i.relnamespace = n.oid AND i.relname = 'incidents'
LEFT JOIN pg_class AS q ON q.relnamespace = n.oid AND q.relname = 'quarantined'
WHERE n.nspname = 'kanban_rollback'
"""
# What a role that repairs needs there: a repair is recorded, and marked when it is undone.
WRITES = {"repairs": ("SELECT", "INSERT", "UPDATE"), "quarantined": ("SELECT", "INSERT")}
ADD_REPAIR = """
INSERT INTO kanban_rollback.repairs (incident_id, run_id, operator, approved_by, plan_hash, plan)
VALUES (%(incident)s, %(run)s, %(operator)s, %(approved_by)s, %(plan_hash)s, %(plan)s::jsonb)
RETURNING repair_id
"""
# How many repairs an incident has had, including undone ones; a role that only plans may not be able to read them.
COUNTABLE = """
SELECT COALESCE(has_table_privilege(to_regclass('kanban_rollback.repairs'), 'SELECT'), false)
"""
COUNT_REPAIRS = "SELECT count(*) FROM kanban_rollback.repairs WHERE incident_id = %(incident)s"
# Some of the newest, for somebody who typed another id.
NOT_UNDONE = """
SELECT incident_id FROM kanban_rollback.repairs WHERE undone_at IS NULL
GROUP BY 1 ORDER BY max(repair_id) DESC LIMIT 5
"""
REPAIRS = """
SELECT r.repair_id, r.plan_hash,
       EXISTS (SELECT FROM kanban_rollback.quarantined AS q WHERE q.repair_id = r.repair_id)
FROM kanban_rollback.repairs AS r
WHERE r.incident_id = %(incident)s AND r.undone_at IS NULL
ORDER BY r.repair_id DESC
"""
# Retention: rows of incidents that were closed that long ago. Another ledger may still have one open, so some ids are
# kept. The repair's own record stays, so that its undo knows that its rows are gone.
PURGE = """
WITH over AS (
  SELECT r.repair_id, i.incident_id, floor(extract(epoch FROM clock_timestamp() - i.closed_at) / 86400)::int AS days
  FROM kanban_rollback.repairs AS r JOIN kanban_rollback.incidents AS i USING (incident_id)
  WHERE i.closed_at < clock_timestamp() - make_interval(secs => 86400 * %(days)s)
    AND i.incident_id <> ALL (%(keep)s::text[])
    AND NOT EXISTS (SELECT FROM kanban_rollback.incident_aliases AS a
                    WHERE a.incident_id = i.incident_id AND a.alias = ANY (%(keep)s::text[]))
)"""
PURGE_ROWS = """, gone AS (
  DELETE FROM kanban_rollback.quarantined AS q USING over WHERE q.repair_id = over.repair_id RETURNING q.repair_id
)"""
PURGE_PLAN = """, gone AS (SELECT q.repair_id FROM kanban_rollback.quarantined AS q JOIN over USING (repair_id))"""
PURGED = """
SELECT over.incident_id, over.days, count(*) FROM gone JOIN over USING (repair_id) GROUP BY 1, 2 ORDER BY 1
"""
UNDONE = """
UPDATE kanban_rollback.repairs SET undone_at = clock_timestamp(), undone_by = %(operator)s
WHERE repair_id = %(repair)s
"""

# Rows to be deleted are kept before anything is changed: a cascade might take them before their turn. A table may have
# a column named like our alias, so a whole row is t.*, never t.
KEEP_DELETED = """
INSERT INTO kanban_rollback.quarantined (repair_id, place, schema_name, table_name, columns, check_name, via, before)
SELECT %(repair)s, %(place)s, %(schema)s, %(name)s, %(columns)s::text[], v.check_name, v.via, (t.*)::text
FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s AND v.action = 'delete'
"""
DELETE = """
DELETE FROM {table} AS t USING pg_temp.kanban_plan AS v
WHERE t.tableoid = v.leaf AND t.ctid = v.place AND v.relation = %(relation)s AND v.action = 'delete'
"""
# Rows of the plan that are still there: a trigger of the application may keep one silently.
NOT_DELETED = """
SELECT count(*) FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s AND v.action = 'delete'
"""
# Change and quarantine in one statement: ``after`` is what the row became, whatever triggers made of it.
KEEP_CHANGED = """
WITH old AS (
  SELECT v.leaf, v.place, v.check_name, v.via, v.changes, v.defaults, COALESCE(v.before, (t.*)::text) AS before
  FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
  WHERE v.relation = %(relation)s AND v.action = 'update' AND {which}
), new AS (
  UPDATE {table} AS t SET {sets} FROM old
  WHERE t.tableoid = old.leaf AND t.ctid = old.place
  RETURNING old.check_name, old.via, old.changes, old.defaults, old.before, (t.*)::text AS after
)
INSERT INTO kanban_rollback.quarantined
  (repair_id, place, schema_name, table_name, columns, check_name, via, changed, before, after)
SELECT %(repair)s, %(place)s, %(schema)s, %(name)s, %(columns)s::text[], new.check_name, new.via,
       ARRAY(SELECT jsonb_object_keys(new.changes)) || new.defaults, new.before, new.after
FROM new
"""
SET_CHANGED = """
{column} = CASE WHEN old.changes ? {column_text} THEN (old.changes ->> {column_text})::{type} ELSE t.{column} END"""
SET_DEFAULT = "{column} = DEFAULT"
BY_DEFAULTS = "v.defaults = %(defaults)s::text[]"
DEFAULTS = """
SELECT DISTINCT defaults FROM pg_temp.kanban_plan WHERE relation = %(relation)s AND action = 'update' ORDER BY 1
"""
TYPES = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
WHERE a.attrelid = %(relation)s AND a.attnum > 0 AND NOT a.attisdropped
"""
# What NO ACTION deferred to the end is checked now, while there still is a choice.
IMMEDIATE = "SET CONSTRAINTS ALL IMMEDIATE"
# The table of that name, with its columns in order; generated columns fill themselves. Quarantine can be written to by
# the role that repairs, and its rows name the table: one of the server's, the ledger's or a session's own is none.
RELATION = """
SELECT c.oid::bigint,
       ARRAY(SELECT a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname <> 'kanban_rollback'
"""
