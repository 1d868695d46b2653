# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the undo: what conflicts with rows in quarantine, and how they come back."""

from __future__ import annotations

TABLES = """
SELECT q.place, q.schema_name, q.table_name, q.columns, count(*) FILTER (WHERE q.after IS NULL),
       count(*) FILTER (WHERE q.after IS NOT NULL AND q.before IS NOT NULL), count(*) FILTER (WHERE q.before IS NULL),
       bool_or(q.via IS NULL),
       ARRAY(SELECT DISTINCT c.name FROM kanban_rollback.quarantined AS o, unnest(o.changed) AS c(name)
             WHERE o.repair_id = %(repair)s AND o.place = q.place ORDER BY 1)
FROM kanban_rollback.quarantined AS q
WHERE q.repair_id = %(repair)s
GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC
"""
# Unique indexes on plain columns; others raise an error by themselves.
UNIQUE = """
SELECT c.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = %(table)s AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indisprimary DESC, 1
"""
# Foreign keys from a table to others.
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
(SELECT q.ctid AS kept, q.before, q.after, q.changed, q.before::{table} AS r, q.after::{table} AS n
 FROM kanban_rollback.quarantined AS q
 WHERE q.repair_id = %(repair)s AND q.place = %(place)s AND {which} OFFSET 0) AS q
"""
DELETED_ROWS = _ROWS.replace("{which}", "q.after IS NULL")
CHANGED_ROWS = _ROWS.replace("{which}", "q.after IS NOT NULL AND q.before IS NOT NULL")
# Rows that a restore put there; ``r`` is what they were then.
INSERTED_ROWS = _ROWS.replace("{which}", "q.before IS NULL").replace("q.before::{table}", "q.after::{table}")
# Another row has its key by now, and neither gives it back nor is removed.
REUSED = """
SELECT {shown}, count(*) OVER () FROM {rows} JOIN {table} AS t ON {same}
WHERE NOT EXISTS (SELECT FROM pg_temp.kanban_back AS b
                  WHERE b.repair = %(repair)s AND b.leaf = t.tableoid AND b.at = t.ctid
                    AND b.changed && %(columns)s::text[])
  AND NOT EXISTS (SELECT FROM pg_temp.kanban_put AS b
                  WHERE b.repair = %(repair)s AND b.leaf = t.tableoid AND b.at = t.ctid)
LIMIT %(most)s
"""
# The same for a changed row; columns that it does not give back are as they are now.
REUSED_BY_CHANGED = """
SELECT {shown}, count(*) OVER ()
FROM (SELECT b.kept, b.leaf, b.at, b.changed, b.before::{table} AS r FROM pg_temp.kanban_back AS b
      WHERE b.repair = %(repair)s AND b.place = %(place)s AND b.changed && %(columns)s::text[] OFFSET 0) AS q
JOIN {table} AS o ON o.tableoid = q.leaf AND o.ctid = q.at
JOIN {table} AS t ON {same}
WHERE NOT EXISTS (SELECT FROM pg_temp.kanban_back AS b
                  WHERE b.repair = %(repair)s AND b.leaf = t.tableoid AND b.at = t.ctid
                    AND b.changed && %(columns)s::text[])
  AND NOT EXISTS (SELECT FROM pg_temp.kanban_put AS b
                  WHERE b.repair = %(repair)s AND b.leaf = t.tableoid AND b.at = t.ctid)
LIMIT %(most)s
"""
GIVEN_BACK = "t.{column} = CASE WHEN {column_text} = ANY (q.changed) THEN (q.r).{column} ELSE o.{column} END"
# The row that it refers to has gone since, and does not come back either.
WITHOUT_PARENT = """
SELECT {shown}, count(*) OVER () FROM {rows}
WHERE {filled} AND NOT EXISTS (SELECT FROM {parents} AS p WHERE {same}) AND NOT EXISTS ({coming}) LIMIT %(most)s
"""
COMING = """
SELECT FROM (SELECT (b.before::{parents}) AS p FROM kanban_rollback.quarantined AS b
             WHERE b.repair_id = %(repair)s AND b.after IS NULL AND b.schema_name = {schema} AND b.table_name = {name}
             OFFSET 0) AS b
WHERE {same}
"""
# Foreign keys among tables that are checked at once, row by row.
CANNOT_WAIT = """
SELECT c.conrelid::bigint, c.confrelid::bigint,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_constraint AS c
WHERE c.contype = 'f' AND NOT c.condeferrable AND c.conrelid <> c.confrelid
  AND c.conrelid = ANY (%(tables)s::oid[]) AND c.confrelid = ANY (%(tables)s::oid[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS above WHERE above.oid = c.conparentid AND above.conrelid = c.conrelid)
ORDER BY c.conname
"""
REFER = "SELECT EXISTS (SELECT FROM {rows} WHERE EXISTS ({coming}))"
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
# Changed rows, found again by their key or, without one, by all that they became: which of two identical rows is taken
# makes no difference.
PAIRED_BY_KEY = """
SELECT q.kept, q.before, q.changed, q.r, q.n, t.tableoid AS leaf, t.ctid AS place {current}
FROM {rows} LEFT JOIN {table} AS t ON {same}
"""
PAIRED_BY_TEXT = """
SELECT q.kept, q.before, q.changed, q.r, q.n, t.leaf, t.place
FROM (SELECT q.*, row_number() OVER (PARTITION BY q.after) AS number FROM {rows}) AS q
LEFT JOIN (
  SELECT t.tableoid AS leaf, t.ctid AS place, (t.*)::text AS text,
         row_number() OVER (PARTITION BY (t.*)::text) AS number
  FROM {table} AS t
) AS t ON t.text = q.after AND t.number = q.number
"""
CHANGED_SINCE = """
SELECT {shown}, count(*) OVER (), q.place IS NULL FROM ({paired}) AS q
WHERE q.place IS NULL OR {differs} LIMIT %(most)s
"""
DIFFERS = "({column_text} = ANY (q.changed) AND (q.n).{column}::text IS DISTINCT FROM q.{now})"
# What a trigger changed along with a row although nobody planned it, and whether it still is what it became then.
MOVED = "SELECT {each} FROM {rows}"
MOVED_ALONG = """
({column_text} <> ALL (q.changed) AND (q.r).{column}::text IS DISTINCT FROM (q.n).{column}::text)"""
STILL = "q.{now} IS NOT DISTINCT FROM (q.n).{column}::text"
ALONG = "CASE WHEN {moved} AND {still} THEN {column_text} END"
# Where they lie, for as long as the undo lasts.
CREATE_BACK = """
CREATE TEMPORARY TABLE IF NOT EXISTS kanban_back (
  repair bigint NOT NULL, place int NOT NULL, leaf oid NOT NULL, at tid NOT NULL, before text NOT NULL,
  changed text[] NOT NULL, kept tid NOT NULL, PRIMARY KEY (repair, leaf, at)
) ON COMMIT DROP
"""
PAIR = """
INSERT INTO pg_temp.kanban_back
SELECT %(repair)s, %(place)s, q.leaf, q.place, q.before, q.changed || array_remove({along}, NULL), q.kept
FROM ({paired}) AS q WHERE q.place IS NOT NULL
"""
PUT_BACK = """
WITH back AS (
  UPDATE {table} AS t SET {sets}
  FROM (SELECT b.leaf, b.at, b.changed, b.before::{table} AS r FROM pg_temp.kanban_back AS b
        WHERE b.repair = %(repair)s AND b.place = %(place)s OFFSET 0) AS q
  WHERE t.tableoid = q.leaf AND t.ctid = q.at
  RETURNING {exact} AS exact
)
SELECT count(*), count(*) FILTER (WHERE exact) FROM back
"""
EXACT = "({column_text} <> ALL (q.changed) OR t.{column}::text IS NOT DISTINCT FROM (q.r).{column}::text)"
SET_BACK = "{column} = CASE WHEN {column_text} = ANY (q.changed) THEN (q.r).{column} ELSE t.{column} END"
# No foreign key is checked and no trigger of the application fires: rows that were orphans come back as they were.
AS_REPLICA = "SELECT set_config('session_replication_role', 'replica', true)"
AS_ORIGIN = "SELECT set_config('session_replication_role', 'origin', true)"
# The transaction id of rows written now: inside a savepoint it is one of its own, and no function returns it.
OUR_TRANSACTION = """
UPDATE kanban_rollback.repairs SET undone_by = undone_by WHERE repair_id = %(repair)s RETURNING xmin::text
"""

# Rows that a restore put there, found again as changed ones are; where they lie, for as long as the undo lasts.
CREATE_PUT = """
CREATE TEMPORARY TABLE IF NOT EXISTS kanban_put (
  repair bigint NOT NULL, place int NOT NULL, leaf oid NOT NULL, at tid NOT NULL, kept tid NOT NULL,
  PRIMARY KEY (repair, leaf, at)
) ON COMMIT DROP
"""
PUT_BY_KEY = """
SELECT q.kept, q.r, t.tableoid AS leaf, t.ctid AS at, (t.*)::text = q.after AS same
FROM {rows} LEFT JOIN {table} AS t ON {same}
"""
PUT_BY_TEXT = """
SELECT q.kept, q.r, t.leaf, t.at, TRUE AS same
FROM (SELECT q.*, row_number() OVER (PARTITION BY q.after) AS number FROM {rows}) AS q
LEFT JOIN (
  SELECT t.tableoid AS leaf, t.ctid AS at, (t.*)::text AS text, row_number() OVER (PARTITION BY (t.*)::text) AS number
  FROM {table} AS t
) AS t ON t.text = q.after AND t.number = q.number
"""
NOTE_PUT = """
INSERT INTO pg_temp.kanban_put SELECT %(repair)s, %(place)s, q.leaf, q.at, q.kept FROM ({put}) AS q WHERE q.same
"""
PUT_CHANGED = """
SELECT {shown}, count(*) OVER () FROM ({put}) AS q WHERE q.same IS NOT TRUE LIMIT %(most)s
"""
# Rows that refer to one of these, and neither go with it nor get their earlier reference back.
REFERRING = """
SELECT {shown}, count(*) OVER ()
FROM {rows} JOIN pg_temp.kanban_put AS b ON b.repair = %(repair)s AND b.place = %(place)s AND b.kept = q.kept
JOIN {child} AS t ON {same}
WHERE NOT EXISTS (SELECT FROM pg_temp.kanban_put AS o
                  WHERE o.repair = %(repair)s AND o.leaf = t.tableoid AND o.at = t.ctid)
  AND NOT EXISTS (SELECT FROM pg_temp.kanban_back AS o
                  WHERE o.repair = %(repair)s AND o.leaf = t.tableoid AND o.at = t.ctid
                    AND o.changed && %(columns)s::text[])
LIMIT %(most)s
"""
TAKE_AWAY = """
DELETE FROM {table} AS t USING pg_temp.kanban_put AS b
WHERE b.repair = %(repair)s AND b.place = %(place)s AND t.tableoid = b.leaf AND t.ctid = b.at
"""
REFERS_TO_ITSELF = """
SELECT EXISTS (SELECT FROM pg_constraint AS c
               WHERE c.contype = 'f' AND c.conrelid = %(table)s AND c.confrelid = %(table)s)
"""
