# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that compares tables with their rows in a backup. Set-based; only figures and a few keys are fetched.

For each table, ``b`` is the rows of the backup, in a temporary table of ours, and ``t`` those that are there now. A row
is identified by where it lies: within one snapshot, and one temporary table, nothing moves.
"""

from __future__ import annotations

# The backup's rows. They need no log and no other database, and are gone with the transaction, however it ends.
CREATE_BACKUP = "CREATE TEMPORARY TABLE {backup} ({columns}) ON COMMIT DROP"
# Columns that the table no longer has are read all the same, because COPY cannot skip a field.
ADD_DROPPED = "ALTER TABLE {backup} ADD {column} text"
COPY = "COPY {backup} ({columns}) FROM STDIN WITH (FORMAT text, ENCODING {encoding})"
# Without statistics the planner takes millions of rows for a thousand.
ANALYZE = "ANALYZE {backup}"
# What differs, one row of ours each: ``kind`` is what became of it, ``back`` where it lies in the backup, ``times`` how
# often it is meant. Of newer rows only samples are here; their number is counted separately.
CREATE_COMPARED = """
CREATE TEMPORARY TABLE kanban_compared (
  relation oid NOT NULL, kind text NOT NULL, back tid, times bigint NOT NULL DEFAULT 1, leaf oid, place tid,
  columns text[], tenant text
) ON COMMIT DROP;
CREATE TEMPORARY TABLE kanban_newer (relation oid NOT NULL, tenant text, rows bigint NOT NULL) ON COMMIT DROP
"""
ANALYZE_COMPARED = "ANALYZE pg_temp.kanban_compared"

# Both sides are read once, by the key. A row with the same key but another ``created`` is another row that took it.
BY_KEY = """
WITH joined AS MATERIALIZED (
  SELECT CASE WHEN t.ctid IS NULL THEN 'missing' WHEN b.ctid IS NULL THEN 'newer' WHEN {reused} THEN 'reused'
              ELSE 'changed' END AS kind,
         b.ctid AS back, t.tableoid AS leaf, t.ctid AS place, {tenant} AS tenant,
         CASE WHEN b.ctid IS NOT NULL AND t.ctid IS NOT NULL THEN array_remove(ARRAY[{names}]::text[], NULL) END
           AS columns
  FROM {backup} AS b FULL JOIN {table} AS t ON {same}
  WHERE b.ctid IS NULL OR t.ctid IS NULL OR {differs}
), older AS (
  INSERT INTO pg_temp.kanban_compared (relation, kind, back, leaf, place, columns, tenant)
  SELECT %(relation)s, kind, back, leaf, place, columns, tenant FROM joined WHERE kind <> 'newer'
), shown AS (
  INSERT INTO pg_temp.kanban_compared (relation, kind, leaf, place, tenant)
  SELECT %(relation)s, kind, leaf, place, tenant FROM joined WHERE kind = 'newer' LIMIT %(samples)s
)
INSERT INTO pg_temp.kanban_newer
SELECT %(relation)s, tenant, count(*) FROM joined WHERE kind = 'newer' GROUP BY tenant
"""
DIFFERS = "{then} IS DISTINCT FROM {now}"
SAME = "{then} IS NOT DISTINCT FROM {now}"
NAMED = "CASE WHEN {differs} THEN {column_text} END"
OF_EITHER = "COALESCE(t.{now}::text, b.{then}::text)"
# Whole rows, as often as they occur. Of identical rows any one stands for all.
BY_ROW = """
WITH sides AS (
  SELECT {then}, 1 AS n, b.ctid AS back FROM {backup} AS b
  UNION ALL SELECT {now}, -1, NULL FROM {table} AS t
), counted AS MATERIALIZED (
  SELECT {tenant} AS tenant, sum(n) AS missing, max(back) AS back FROM sides GROUP BY {listed} HAVING sum(n) <> 0
), older AS (
  INSERT INTO pg_temp.kanban_compared (relation, kind, back, times, tenant)
  SELECT %(relation)s, 'missing', back, missing, tenant FROM counted WHERE missing > 0
)
INSERT INTO pg_temp.kanban_newer
SELECT %(relation)s, tenant, -sum(missing) FROM counted WHERE missing < 0 GROUP BY tenant
"""
NOBODY = "NULL::text"

# What is a key now need not have been one then.
TWICE = """
SELECT (SELECT count(*) FROM (
          SELECT FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
          WHERE v.relation = %(relation)s AND v.kind = 'missing' GROUP BY {key} HAVING count(*) > 1) AS twice)
       + (SELECT count(*) FROM (
            SELECT FROM pg_temp.kanban_compared AS v
            WHERE v.relation = %(relation)s AND v.kind IN ('changed', 'reused')
            GROUP BY v.leaf, v.place HAVING count(*) > 1) AS twice)
"""

# Rows deleted by an approved repair that was not undone are missing on purpose. A row that the backup shows was there
# again after any repair that ended before the backup, so only later ones count: those that were under way too.
_SINCE = """
q.schema_name = %(schema)s AND q.table_name = %(name)s AND q.after IS NULL AND q.repair_id IN (
  SELECT r.repair_id FROM kanban_rollback.repairs AS r
  WHERE r.undone_at IS NULL
    AND (%(taken_at)s::timestamptz IS NULL
         OR GREATEST(r.at, (SELECT max(e.at)::timestamptz FROM kanban_rollback.events AS e
                            WHERE e.incident_id = r.incident_id AND e.run_id = r.run_id AND e.event = 'repaired'
                              AND e.data ->> 'repair_id' = r.repair_id::text)) > %(taken_at)s::timestamptz))
"""
DELETIONS = """
SELECT DISTINCT q.columns FROM kanban_rollback.quarantined AS q WHERE {since}
""".replace("{since}", _SINCE)  # a constant into a constant  # nosec B608
# OFFSET 0 keeps the text from being read once for each column.
_DELETED = """
(SELECT q.before::{table} AS r FROM kanban_rollback.quarantined AS q WHERE {since} OFFSET 0) AS q
""".replace("{since}", _SINCE)  # a constant into a constant  # nosec B608
DELETED_BY_KEY = """
UPDATE pg_temp.kanban_compared AS v SET kind = 'deleted' FROM {backup} AS b
WHERE v.relation = %(relation)s AND v.kind = 'missing' AND b.ctid = v.back AND EXISTS (SELECT FROM {gone} WHERE {same})
""".replace("{gone}", _DELETED)  # a constant into a constant  # nosec B608
# As many identical rows as were deleted, and not all that are missing.
DELETED_BY_ROW = """
WITH gone AS (
  SELECT ROW({gone})::text AS text, count(*) AS n FROM {rows} GROUP BY 1
), meant AS (
  SELECT v.ctid AS entry, v.back, v.tenant, LEAST(v.times, gone.n) AS n
  FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back JOIN gone ON gone.text = ROW({then})::text
  WHERE v.relation = %(relation)s AND v.kind = 'missing'
), told AS (
  INSERT INTO pg_temp.kanban_compared (relation, kind, back, times, tenant)
  SELECT %(relation)s, 'deleted', back, n, tenant FROM meant
)
UPDATE pg_temp.kanban_compared AS v SET times = v.times - meant.n FROM meant WHERE v.ctid = meant.entry
""".replace("{rows}", _DELETED)  # a constant into a constant  # nosec B608
FORGET_NONE = "DELETE FROM pg_temp.kanban_compared WHERE times = 0"

# A row's parent neither exists nor comes back; or its key now belongs to another row, which never was the parent.
WITHOUT_PARENT = """
UPDATE pg_temp.kanban_compared AS v SET kind = 'without_parent' FROM {backup} AS b
WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[]) AND b.ctid = v.back AND {filled}
  AND (v.columns IS NULL OR v.columns && %(columns)s::text[])
  AND (NOT (EXISTS (SELECT FROM {parents} AS p WHERE {same}) OR {coming}) OR {reused})
"""
COMING = """
EXISTS (SELECT FROM pg_temp.kanban_compared AS w JOIN {backup} AS p ON p.ctid = w.back
        WHERE w.relation = %(parent)s AND w.kind = ANY (%(coming)s::text[]) AND {same})"""
REUSED = COMING.replace("w.kind = ANY (%(coming)s::text[])", "w.kind = 'reused'")
# Another row has a value that must be unique.
TAKEN = """
UPDATE pg_temp.kanban_compared AS v SET kind = 'taken' FROM {backup} AS b
WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[]) AND v.place IS NULL AND b.ctid = v.back
  AND EXISTS (SELECT FROM {table} AS t WHERE {same})
"""

# Figures.
COUNTS = """
SELECT kind, sum(times)::bigint FROM pg_temp.kanban_compared
WHERE relation = %(relation)s AND kind <> 'newer' GROUP BY 1
UNION ALL SELECT 'newer', sum(rows)::bigint FROM pg_temp.kanban_newer WHERE relation = %(relation)s HAVING count(*) > 0
"""
CHANGED_COLUMNS = """
SELECT c.name, count(*) FROM pg_temp.kanban_compared AS v, unnest(v.columns) AS c(name)
WHERE v.relation = %(relation)s AND v.kind = 'changed' GROUP BY 1 ORDER BY 2 DESC, 1
"""
# The tenants with the most differences, and how many tenants there are.
TENANTS = """
SELECT s.tenant, json_object_agg(s.kind, s.n)::text, count(*) OVER ()
FROM (SELECT tenant, kind, sum(times)::bigint AS n FROM pg_temp.kanban_compared
      WHERE relation = %(relation)s AND kind <> 'newer' GROUP BY 1, 2
      UNION ALL SELECT tenant, 'newer', rows FROM pg_temp.kanban_newer WHERE relation = %(relation)s) AS s
GROUP BY s.tenant ORDER BY sum(s.n) DESC, s.tenant LIMIT %(most)s
"""
SAMPLES = """
SELECT s.kind, s.names, s.columns, s.times
FROM (SELECT v.kind, ARRAY[{names}]::text[] AS names, v.columns, v.times,
             row_number() OVER (PARTITION BY v.kind ORDER BY v.back) AS n
      FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
      WHERE v.relation = %(relation)s) AS s
WHERE s.n <= %(samples)s ORDER BY s.kind, s.n
"""
NEWER_SAMPLES = """
SELECT 'newer', ARRAY[{names}]::text[], NULL::text[], 1
FROM pg_temp.kanban_compared AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s AND v.kind = 'newer' ORDER BY v.place LIMIT %(samples)s
"""
SHOWN = "left({column}::text, {letters})"
# What comes back, as numbers that do not depend on its order, for the plan's hash.
SUMS = """
SELECT COALESCE(sum(v.times * hashtextextended(ROW({then})::text, 1)::numeric), 0)::text,
       COALESCE(sum(v.times * hashtextextended(ROW({then})::text, 2)::numeric), 0)::text
FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
WHERE v.relation = %(relation)s AND v.kind = %(kind)s
"""
# Rows that get their old values back, put into the plan as a repair would.
PLAN_CHANGED = """
INSERT INTO pg_temp.kanban_plan (relation, leaf, place, action, check_name, via, level, changes)
SELECT %(relation)s, v.leaf, v.place, 'update', 'changed', NULL, 0, {changes}
FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
WHERE v.relation = %(relation)s AND v.kind = 'changed'
"""
CHANGE = """
CASE WHEN {column_text} = ANY (v.columns) THEN jsonb_build_object({column_text}, b.{then}::text) ELSE '{{}}' END"""

# Columns that an INSERT has to give a value, because they have no default and may not be NULL.
MANDATORY = """
SELECT a.attname::text FROM pg_attribute AS a
WHERE a.attrelid = %(relation)s AND a.attname = ANY (%(columns)s::text[])
  AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
"""
# Foreign keys among tables, and whether they can wait for the end of the transaction.
AMONG = """
SELECT c.conname::text, c.conrelid::bigint, c.confrelid::bigint, c.condeferrable
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.conrelid = ANY (%(tables)s::oid[]) AND c.confrelid = ANY (%(tables)s::oid[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS above WHERE above.oid = c.conparentid AND above.conrelid = c.conrelid)
ORDER BY 1
"""
# Triggers that our INSERT fires.
TRIGGERS = """
SELECT DISTINCT c.relname::text || '.' || t.tgname::text
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS n ON n.oid = f.pronamespace
WHERE t.tgrelid = ANY (%(tables)s::oid[]) AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R')
  AND n.nspname <> 'kanban_rollback' AND t.tgtype & 4 <> 0
ORDER BY 1 LIMIT 20
"""
# Where temporary tables lie: a tablespace of their own, the database's, or the server's directory, which only some
# roles may see.
TEMPORARY_PLACE = """
SELECT COALESCE(
  NULLIF((SELECT pg_tablespace_location(s.oid) FROM pg_tablespace AS s
          WHERE s.spcname = btrim(split_part(current_setting('temp_tablespaces'), ',', 1), ' "')), ''),
  NULLIF((SELECT pg_tablespace_location(d.dattablespace) FROM pg_database AS d
          WHERE d.datname = current_database()), ''),
  (SELECT s.setting FROM pg_settings AS s WHERE s.name = 'data_directory'))
"""
# What a scratch instance has to know about production: sizes, who may read everything there, and where it must not
# write. The bootstrap superuser has this oid, whatever its name. The timeline is production's own: the newest one in
# the archive may come from somebody's trial.
PRODUCTION = """
SELECT pg_database_size(current_database()),
       (SELECT COALESCE(sum(pg_database_size(d.oid)), 0)::bigint FROM pg_database AS d
        WHERE d.datname <> current_database() AND has_database_privilege(d.oid, 'CONNECT')),
       (SELECT r.rolname::text FROM pg_roles AS r WHERE r.oid = 10),
       (SELECT s.setting FROM pg_settings AS s WHERE s.name = 'data_directory'),
       ARRAY(SELECT s.oid::bigint FROM pg_tablespace AS s WHERE s.oid >= 16384 ORDER BY 1),
       current_setting('server_encoding'),
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer,
       extract(epoch FROM clock_timestamp())::float8
"""
