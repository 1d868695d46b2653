# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the quarantine: whole rows as the server writes them, from which they come back to the letter."""

from __future__ import annotations

# Beside the ledger's first tables, so that an older collection goes on with theirs. A row's text is the server's own
# of the whole record: with the settings of the repair's session it comes back exactly, whatever its types are.
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
  before text NOT NULL,
  after text
);
CREATE INDEX IF NOT EXISTS quarantined_repair ON kanban_rollback.quarantined (repair_id, place);
"""
# What is there of it, and whether this role may make it; and whether it may write there.
STATE = """
SELECT q.oid IS NOT NULL,
       has_schema_privilege(n.oid, 'CREATE') AND has_table_privilege(i.oid, 'REFERENCES'),
       COALESCE(has_table_privilege(q.oid, 'INSERT') AND has_table_privilege(q.oid, 'SELECT')
                AND has_table_privilege(r.oid, 'UPDATE'), false)
FROM pg_namespace AS n
JOIN pg_class AS i ON i.relnamespace = n.oid AND i.relname = 'incidents'
LEFT JOIN pg_class AS q ON q.relnamespace = n.oid AND q.relname = 'quarantined'
LEFT JOIN pg_class AS r ON r.relnamespace = n.oid AND r.relname = 'repairs'
WHERE n.nspname = 'kanban_rollback'
"""
ADD_REPAIR = """
INSERT INTO kanban_rollback.repairs (incident_id, run_id, operator, approved_by, plan_hash, plan)
VALUES (%(incident)s, %(run)s, %(operator)s, %(approved_by)s, %(plan_hash)s, %(plan)s::jsonb)
RETURNING repair_id
"""
REPAIRS = """
SELECT r.repair_id, r.plan_hash,
       EXISTS (SELECT FROM kanban_rollback.quarantined AS q WHERE q.repair_id = r.repair_id)
FROM kanban_rollback.repairs AS r
WHERE r.incident_id = %(incident)s AND r.undone_at IS NULL
ORDER BY r.repair_id DESC
"""
# What retention says: rows of incidents that were closed so long ago. Another ledger may still have one open, so some
# ids are kept. The repair's own record stays, by which its undo knows that its rows are gone.
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

# Rows that go, kept before anything is changed: a cascade might take them before their own turn. A table may have a
# column of our alias' name, so a whole row is t.*, never t.
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
# Rows of the plan that are still there: a trigger of the application may keep one without a word.
NOT_DELETED = """
SELECT count(*) FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s AND v.action = 'delete'
"""
# Numbers that a unique index holds, and that no foreign key follows: kept apart from each other at every row, and free
# to be something else for a moment.
PARKABLE = """
SELECT a.attname::text, format_type(a.atttypid, NULL)
FROM pg_attribute AS a
WHERE a.attrelid = %(relation)s AND a.attname = ANY (%(columns)s::text[])
  AND a.atttypid = ANY ('{int2,int4,int8,numeric}'::regtype[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS c
                  WHERE c.contype = 'f' AND (c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
                                             OR c.confrelid = a.attrelid AND a.attnum = ANY (c.confkey)))
  AND EXISTS (SELECT FROM pg_index AS i
              WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indimmediate AND a.attnum = ANY (i.indkey::int2[]))
"""
# Behind all that is there and all that comes. Each is known by its new place then, and what it was is kept.
PARK_PLANNED = """
WITH old AS (
  SELECT v.leaf, v.place, COALESCE(v.before, (t.*)::text) AS before, row_number() OVER () AS n
  FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
  WHERE v.relation = %(relation)s AND (v.changes ? {column_text} OR v.action = 'delete')
), parked AS (
  UPDATE {table} AS t SET {column} = GREATEST(
    (SELECT max(b.{column}) FROM {table} AS b),
    (SELECT max((v.changes ->> {column_text})::{type}) FROM pg_temp.kanban_plan AS v WHERE v.relation = %(relation)s), 0
  ) + old.n
  FROM old WHERE t.tableoid = old.leaf AND t.ctid = old.place
  RETURNING old.leaf, old.place, old.before, t.tableoid AS leaf_now, t.ctid AS place_now
)
UPDATE pg_temp.kanban_plan AS v SET leaf = parked.leaf_now, place = parked.place_now, before = parked.before
FROM parked WHERE v.leaf = parked.leaf AND v.place = parked.place
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
# What NO ACTION put off to the end is asked for now, while there still is a choice.
IMMEDIATE = "SET CONSTRAINTS ALL IMMEDIATE"

# --- Bringing back

TABLES = """
SELECT q.place, q.schema_name, q.table_name, q.columns, count(*) FILTER (WHERE q.after IS NULL),
       count(*) FILTER (WHERE q.after IS NOT NULL),
       ARRAY(SELECT DISTINCT c.name FROM kanban_rollback.quarantined AS o, unnest(o.changed) AS c(name)
             WHERE o.repair_id = %(repair)s AND o.place = q.place ORDER BY 1)
FROM kanban_rollback.quarantined AS q
WHERE q.repair_id = %(repair)s
GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC
"""
# The table of that name, with its columns in their order; generated ones fill themselves.
RELATION = """
SELECT c.oid::bigint,
       ARRAY(SELECT a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')
"""
# Unique indexes on columns alone; others speak up by themselves.
UNIQUE = """
SELECT c.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = %(table)s AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indisprimary DESC, 1
"""
# Foreign keys that lead away from a table.
PARENTS = """
SELECT c.conname::text, n.nspname::text, r.relname::text, c.convalidated,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_constraint AS c
JOIN pg_class AS r ON r.oid = c.confrelid JOIN pg_namespace AS n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.conrelid = %(table)s
  AND NOT EXISTS (SELECT FROM pg_constraint AS above WHERE above.oid = c.conparentid AND above.conrelid = c.conrelid)
ORDER BY 1
"""
# The rows of one table as records of its type. OFFSET 0 keeps the text from being read once for each column.
_ROWS = """
(SELECT q.before, q.after, q.changed, q.before::{table} AS r, q.after::{table} AS n
 FROM kanban_rollback.quarantined AS q
 WHERE q.repair_id = %(repair)s AND q.place = %(place)s AND {which} OFFSET 0) AS q
"""
DELETED_ROWS = _ROWS.replace("{which}", "q.after IS NULL")
CHANGED_ROWS = _ROWS.replace("{which}", "q.after IS NOT NULL")
# Another row has its key by now, and is not one that gives it back.
REUSED = """
SELECT left(q.before, 200), count(*) OVER () FROM {rows} JOIN {table} AS t ON {same}
WHERE NOT EXISTS (SELECT FROM pg_temp.kanban_back AS b
                  WHERE b.repair = %(repair)s AND b.leaf = t.tableoid AND b.at = t.ctid
                    AND b.changed && %(columns)s::text[])
LIMIT %(most)s
"""
# The row that it belongs to has gone since, and does not come back either.
WITHOUT_PARENT = """
SELECT left(q.before, 200), count(*) OVER () FROM {rows}
WHERE {filled} AND NOT EXISTS (SELECT FROM {parents} AS p WHERE {same}) AND NOT EXISTS ({coming}) LIMIT %(most)s
"""
COMING = """
SELECT FROM (SELECT (b.before::{parents}) AS p FROM kanban_rollback.quarantined AS b
             WHERE b.repair_id = %(repair)s AND b.after IS NULL AND b.schema_name = {schema} AND b.table_name = {name}
             OFFSET 0) AS b
WHERE {same}
"""
INSERT = """
WITH back AS (
  INSERT INTO {table} AS t ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {rows} RETURNING (t.*)::text AS text
)
SELECT count(*), COALESCE(sum(hashtextextended(text, 1)::numeric), 0)::text FROM back
"""
EXPECTED = """
SELECT count(*), COALESCE(sum(hashtextextended(q.before, 1)::numeric), 0)::text
FROM kanban_rollback.quarantined AS q
WHERE q.repair_id = %(repair)s AND q.place = %(place)s AND q.after IS NULL
"""
# Rows that changed, found again by their key, or without one by all that they became: which of two that are the same
# makes no difference.
PAIRED_BY_KEY = """
SELECT q.before, q.changed, q.r, q.n, t.tableoid AS leaf, t.ctid AS place {current}
FROM {rows} LEFT JOIN {table} AS t ON {same}
"""
PAIRED_BY_TEXT = """
SELECT q.before, q.changed, q.r, q.n, t.leaf, t.place
FROM (SELECT q.*, row_number() OVER (PARTITION BY q.after) AS number FROM {rows}) AS q
LEFT JOIN (
  SELECT t.tableoid AS leaf, t.ctid AS place, (t.*)::text AS text,
         row_number() OVER (PARTITION BY (t.*)::text) AS number
  FROM {table} AS t
) AS t ON t.text = q.after AND t.number = q.number
"""
CHANGED_SINCE = """
SELECT left(q.before, 200), count(*) OVER (), q.place IS NULL FROM ({paired}) AS q
WHERE q.place IS NULL OR {differs} LIMIT %(most)s
"""
DIFFERS = "({column_text} = ANY (q.changed) AND (q.n).{column}::text IS DISTINCT FROM q.{now})"
# Where they lie, for as long as the undo lasts.
CREATE_BACK = """
CREATE TEMPORARY TABLE IF NOT EXISTS kanban_back (
  repair bigint NOT NULL, place int NOT NULL, leaf oid NOT NULL, at tid NOT NULL, before text NOT NULL,
  changed text[] NOT NULL, PRIMARY KEY (repair, leaf, at)
) ON COMMIT DROP
"""
PAIR = """
INSERT INTO pg_temp.kanban_back
SELECT %(repair)s, %(place)s, q.leaf, q.place, q.before, q.changed FROM ({paired}) AS q WHERE q.place IS NOT NULL
"""
PARK_PAIRED = """
WITH old AS (
  SELECT b.leaf, b.at, row_number() OVER () AS n FROM pg_temp.kanban_back AS b
  WHERE b.repair = %(repair)s AND b.place = %(place)s AND {column_text} = ANY (b.changed)
), parked AS (
  UPDATE {table} AS t SET {column} = GREATEST(
    (SELECT max(b.{column}) FROM {table} AS b),
    (SELECT max((q.before::{table}).{column}) FROM kanban_rollback.quarantined AS q
     WHERE q.repair_id = %(repair)s AND q.place = %(place)s), 0
  ) + old.n
  FROM old WHERE t.tableoid = old.leaf AND t.ctid = old.at
  RETURNING old.leaf, old.at, t.tableoid AS leaf_now, t.ctid AS at_now
)
UPDATE pg_temp.kanban_back AS b SET leaf = parked.leaf_now, at = parked.at_now
FROM parked WHERE b.repair = %(repair)s AND b.leaf = parked.leaf AND b.at = parked.at
"""
PUT_BACK = """
UPDATE {table} AS t SET {sets}
FROM (SELECT b.leaf, b.at, b.changed, b.before::{table} AS r FROM pg_temp.kanban_back AS b
      WHERE b.repair = %(repair)s AND b.place = %(place)s OFFSET 0) AS q
WHERE t.tableoid = q.leaf AND t.ctid = q.at
"""
SET_BACK = "{column} = CASE WHEN {column_text} = ANY (q.changed) THEN (q.r).{column} ELSE t.{column} END"
# Neither keys nor the application's triggers are asked: rows that were orphans come back as what they were.
AS_REPLICA = "SELECT set_config('session_replication_role', 'replica', true)"
AS_ORIGIN = "SELECT set_config('session_replication_role', 'origin', true)"
