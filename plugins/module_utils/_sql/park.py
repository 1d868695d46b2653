# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that moves numbers of a unique index out of the way until each can take its own value."""

from __future__ import annotations

# Numbers under a unique index or an exclusion constraint that no foreign key follows: they are checked at every row (a
# deferrable constraint at the end of each statement, once it is made immediate), and may be something else for a
# moment. With whether they may be NULL, and how high the type goes.
PARKABLE = """
SELECT a.attname::text, format_type(a.atttypid, NULL),
       NOT a.attnotnull
       AND NOT EXISTS (SELECT FROM pg_index AS i
                       WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey::int2[])
                         AND (to_jsonb(i) ->> 'indnullsnotdistinct')::boolean)
       AND NOT EXISTS (SELECT FROM pg_constraint AS c
                       WHERE c.contype = 'c' AND c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
                         AND pg_get_constraintdef(c.oid) ~* 'IS NOT NULL'),
       CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                       WHEN 'int8'::regtype THEN 9223372036854775807 END
FROM pg_attribute AS a
WHERE a.attrelid = %(relation)s AND a.attname = ANY (%(columns)s::text[])
  AND a.atttypid = ANY ('{int2,int4,int8,numeric}'::regtype[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS c
                  WHERE c.contype = 'f' AND (c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
                                             OR c.confrelid = a.attrelid AND a.attnum = ANY (c.confkey)))
  AND EXISTS (SELECT FROM pg_index AS i
              WHERE i.indrelid = a.attrelid AND (i.indisunique OR i.indisexclusion)
                AND a.attnum = ANY (i.indkey::int2[]))
"""
# NULL collides with nothing, whatever checks and ranges there are. If it is not allowed, a row goes above all existing
# and coming numbers, or below them if the type ends there.
NOWHERE = "NULL"
ASIDE = """
(SELECT CASE WHEN %(most)s::numeric IS NULL OR e.top + e.rows <= %(most)s::numeric
             THEN e.top + old.n ELSE e.bottom - old.n END FROM edges AS e)::{type}"""
# Each row is identified by its new place from then on, and its old content is kept.
PARK_PLANNED = """
WITH old AS (
  SELECT v.leaf, v.place, COALESCE(v.before, (t.*)::text) AS before, row_number() OVER () AS n
  FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
  WHERE v.relation = %(relation)s AND (v.changes ? {column_text} OR v.action = 'delete')
), edges AS (
  SELECT GREATEST(max(n.number), 0)::numeric AS top, LEAST(min(n.number), 0)::numeric AS bottom,
         (SELECT count(*) FROM old) AS rows
  FROM (SELECT b.{column} AS number FROM {table} AS b
        UNION ALL SELECT (v.changes ->> {column_text})::{type} FROM pg_temp.kanban_plan AS v
                  WHERE v.relation = %(relation)s) AS n
), parked AS (
  UPDATE {table} AS t SET {column} = {aside}
  FROM old WHERE t.tableoid = old.leaf AND t.ctid = old.place
  RETURNING old.leaf, old.place, old.before, t.tableoid AS leaf_now, t.ctid AS place_now
)
UPDATE pg_temp.kanban_plan AS v SET leaf = parked.leaf_now, place = parked.place_now, before = parked.before
FROM parked WHERE v.leaf = parked.leaf AND v.place = parked.place
"""
PARK_PAIRED = """
WITH old AS (
  SELECT b.leaf, b.at, row_number() OVER () AS n FROM pg_temp.kanban_back AS b
  WHERE b.repair = %(repair)s AND b.place = %(place)s AND {column_text} = ANY (b.changed)
), edges AS (
  SELECT GREATEST(max(n.number), 0)::numeric AS top, LEAST(min(n.number), 0)::numeric AS bottom,
         (SELECT count(*) FROM old) AS rows
  FROM (SELECT b.{column} AS number FROM {table} AS b
        UNION ALL SELECT (q.before::{table}).{column} FROM kanban_rollback.quarantined AS q
                  WHERE q.repair_id = %(repair)s AND q.place = %(place)s) AS n
), parked AS (
  UPDATE {table} AS t SET {column} = {aside}
  FROM old WHERE t.tableoid = old.leaf AND t.ctid = old.at
  RETURNING old.leaf, old.at, t.tableoid AS leaf_now, t.ctid AS at_now
)
UPDATE pg_temp.kanban_back AS b SET leaf = parked.leaf_now, at = parked.at_now
FROM parked WHERE b.repair = %(repair)s AND b.leaf = parked.leaf AND b.at = parked.at
"""
