# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that compares tables with what a dump says of them, and with what our own repairs did."""

from __future__ import annotations

# The moment that everything below sees; later writes count the next time.
MOMENT = """
SELECT to_char(transaction_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       pg_current_wal_insert_lsn()::text, pg_snapshot_xmax(pg_current_snapshot())::text,
       current_setting('server_encoding')
"""
# The GRANT is ready to be typed if the privilege is missing.
MAY_HAVE_TEMPORARY = """
SELECT has_database_privilege(current_database(), 'TEMPORARY'),
       format('GRANT TEMPORARY ON DATABASE %%I TO %%I;', current_database(), current_user)
"""
# After a crash the counters begin again, and a table that had none looks the same as before; the server-wide counters
# then tell when they began.
COUNTING_SINCE = """
SELECT stats_reset <= %(since)s::timestamptz FROM pg_stat_bgwriter
"""
# What tells rows apart: the primary key, or else a unique index on columns that are never NULL.
KEY = """
SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index AS i
WHERE i.indrelid = %(table)s AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
  AND i.indexprs IS NULL
  AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) AS k(number)
                  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE NOT a.attnotnull)
ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
"""
# Generated columns, which fill themselves, are in no dump.
STORED = """
SELECT a.attname::text FROM pg_attribute AS a
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""

# The dump's rows, each counted once, with our own repairs added and subtracted: what should be there now.
MAKE = "DROP TABLE IF EXISTS pg_temp.kanban_then; CREATE TEMPORARY TABLE kanban_then ({columns}, n integer)"
# Arrays are passed as text: the driver cannot COPY while it also watches the time.
ADD = "INSERT INTO pg_temp.kanban_then SELECT {values}, 1 FROM unnest({arrays}) AS u({names})"
DONE = "DROP TABLE pg_temp.kanban_then"
ANALYZE = "ANALYZE pg_temp.kanban_then"
HAS_QUARANTINE = "SELECT to_regclass('kanban_rollback.quarantined') IS NOT NULL"

# Repairs that make the difference between the dump and now: made since and still in force, or older and undone since.
OUR_COLUMNS = """
SELECT DISTINCT q.columns FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
WHERE r.incident_id = %(incident)s AND q.schema_name = %(schema)s AND q.table_name = %(name)s
  AND ((r.at > %(since)s::timestamptz AND r.undone_at IS NULL)
       OR (r.at <= %(since)s::timestamptz AND r.undone_at > %(since)s::timestamptz))
"""
# OFFSET 0 keeps the text from being read once for each column.
ADD_OURS = """
INSERT INTO pg_temp.kanban_then
WITH ours AS (
  SELECT q.before, q.after, CASE WHEN r.at > %(since)s::timestamptz THEN -1 ELSE 1 END AS sign
  FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
  WHERE r.incident_id = %(incident)s AND q.schema_name = %(schema)s AND q.table_name = %(name)s
    AND ((r.at > %(since)s::timestamptz AND r.undone_at IS NULL)
         OR (r.at <= %(since)s::timestamptz AND r.undone_at > %(since)s::timestamptz))
)
SELECT {fields}, q.sign FROM (
  SELECT before::{table} AS r, sign FROM ours WHERE before IS NOT NULL
  UNION ALL
  SELECT after::{table}, -sign FROM ours WHERE after IS NOT NULL
  OFFSET 0
) AS q
"""
# Rows that went since the dump and are not back; those that came since; and those of the latter that the dump lacks. A
# repair removes rows and its undo brings them back; a restore adds rows and its undo removes them.
OUR_ROWS = """
WITH ours AS (
  SELECT q.before IS NULL AS put, r.at > %(since)s::timestamptz AS done_since,
         r.undone_at > %(since)s::timestamptz AS undone_since, r.undone_at IS NULL AS in_force
  FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
  WHERE r.incident_id = %(incident)s AND q.schema_name = %(schema)s AND q.table_name = %(name)s
    AND (q.after IS NULL OR q.before IS NULL)
)
SELECT count(*) FILTER (WHERE CASE WHEN put THEN undone_since AND NOT done_since ELSE done_since AND in_force END),
       count(*) FILTER (WHERE CASE WHEN put THEN done_since AND in_force ELSE undone_since END),
       count(*) FILTER (WHERE CASE WHEN put THEN done_since AND in_force ELSE undone_since AND NOT done_since END)
FROM ours
"""
OUR_DELETIONS = """
SELECT count(*) FROM kanban_rollback.quarantined AS q JOIN kanban_rollback.repairs AS r USING (repair_id)
WHERE r.incident_id = %(incident)s AND q.schema_name = %(schema)s AND q.table_name = %(name)s
  AND (q.after IS NULL AND r.at > %(since)s::timestamptz OR q.before IS NULL AND r.undone_at > %(since)s::timestamptz)
"""
# Deletions of repairs that were rolled back: the counters include them all the same.
ROLLED_BACK = """
SELECT COALESCE(sum((e.data -> 'deleted' ->> (%(schema)s::text || '.' || %(name)s::text))::bigint), 0)
FROM kanban_rollback.events AS e
WHERE e.incident_id = %(incident)s AND e.phase = 'recover' AND e.event = 'rolled back'
  AND e.at::timestamptz > %(since)s::timestamptz
"""
# What a repair or its undo wrote has the same transaction as its records here, or one that it noted.
OUR_TRANSACTIONS = """
SELECT DISTINCT q.xmin::text FROM kanban_rollback.quarantined AS q
JOIN kanban_rollback.repairs AS r USING (repair_id) WHERE r.incident_id = %(incident)s
UNION SELECT r.xmin::text FROM kanban_rollback.repairs AS r WHERE r.incident_id = %(incident)s
UNION SELECT t.xid FROM kanban_rollback.events AS e, jsonb_array_elements_text(e.data -> 'transactions') AS t(xid)
WHERE e.incident_id = %(incident)s AND e.phase = 'recover' AND e.event = 'undone'
"""

# Both sides are read once, by all that is compared: a row that is not there as often as expected differs. Per key it is
# gone, new or, if there are as many as expected, changed; also if the difference is between the dump and what a repair
# found.
COMPARE = """
WITH signed AS (
  SELECT {names}, n AS expected, 0 AS present FROM (SELECT {then}, t.n FROM pg_temp.kanban_then AS t) AS e
  UNION ALL
  SELECT {names}, 0, 1 FROM (SELECT {now} FROM {table} AS t) AS p
), differing AS MATERIALIZED (
  SELECT {names}, sum(expected) AS expected, sum(present) AS present
  FROM signed GROUP BY {names} HAVING sum(expected) <> sum(present)
), told AS MATERIALIZED (
  SELECT {key}, sum(expected - present) AS missing{sides} FROM differing GROUP BY {key}
)
SELECT count(*) FILTER (WHERE missing = 0), COALESCE(sum(missing) FILTER (WHERE missing > 0), 0)::bigint,
       COALESCE(-sum(missing) FILTER (WHERE missing < 0), 0)::bigint,
       (SELECT COALESCE(json_agg(json_build_array(s.missing, ARRAY[{key_texts}]::text[], ARRAY[{then_texts}]::text[],
                                                  ARRAY[{now_texts}]::text[])), '[]')::text
        FROM (SELECT * FROM told WHERE missing >= 0 OR %(inserts)s
              ORDER BY missing = 0 DESC, missing > 0 DESC, {key} LIMIT %(samples)s) AS s)
FROM told
"""
SIDES = """
, max({name}::text) FILTER (WHERE expected > present) AS {then}, max({name}::text) FILTER (WHERE present > expected)
AS {now}"""
# Ids wrap around; one that began after the noted one is closer to it than the current one is.
STAMPED = """
SELECT count(*) FROM {table} AS t
WHERE (t.xmin::text::bigint - %(low)s + 4294967296) %% 4294967296 < %(span)s
  AND t.xmin::text <> ALL (%(ours)s::text[])
"""
ROWS = "SELECT count(*) FROM {table}"
