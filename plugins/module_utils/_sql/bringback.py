# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that brings rows back from a backup, finds those that a check then reports, and advances sequences."""

from __future__ import annotations

# Where the rows that came back lie, with a hash that finds them in the backup, because their place there is not known.
CREATE_INSERTED = """
CREATE TEMPORARY TABLE kanban_inserted (
  relation oid NOT NULL, leaf oid NOT NULL, place tid NOT NULL, hash text NOT NULL
) ON COMMIT DROP
"""
# Two hashes over the columns that both have; a single one of 64 bits would collide among some billions of rows.
HASH = "hashtextextended({row}::text, 1)::text || hashtextextended({row}::text, 2)::text"
# One statement brings rows back and records them in quarantine: with no ``before``, and with what the server stored.
INSERT = """
WITH new AS (
  INSERT INTO {table} AS t ({columns}) OVERRIDING SYSTEM VALUE
  SELECT {values} FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
  CROSS JOIN LATERAL generate_series(1, v.times)
  WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[])
  RETURNING t.tableoid AS leaf, t.ctid AS place, (t.*)::text AS after, {now} AS hash
), noted AS (
  INSERT INTO pg_temp.kanban_inserted SELECT %(relation)s, leaf, place, hash FROM new
)
INSERT INTO kanban_rollback.quarantined
  (repair_id, place, schema_name, table_name, columns, check_name, before, after)
SELECT %(repair)s, %(place)s, %(schema)s, %(name)s, %(columns)s::text[], 'restored', NULL, after FROM new
"""
# Deferrable foreign keys wait until everything is there.
DEFERRED = "SET CONSTRAINTS ALL DEFERRED"
ANALYZE_INSERTED = "ANALYZE pg_temp.kanban_inserted"
# Rows that differ from what they are in the backup, because a trigger changed them.
NOT_EXACT = """
SELECT count(*) FROM pg_temp.kanban_inserted AS i
WHERE i.relation = %(relation)s
  AND i.hash NOT IN (SELECT {then} FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
                     WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[]))
"""
BEGIN_ROUND = "SAVEPOINT kanban_round"
FORGET_ROUND = "ROLLBACK TO SAVEPOINT kanban_round"
END_ROUND = "RELEASE SAVEPOINT kanban_round"

# Rows that came back and that a check reports, each once: individually by where they lie, or as part of a group by the
# group's columns. If a whole group is ours, one may stay when a check counts those beyond the first.
BY_PLACE = """
SELECT i.relation, i.leaf, i.place, i.hash
FROM pg_temp.kanban_inserted AS i JOIN ({bad}) AS bad ON bad.key = ARRAY[i.leaf::bigint::text, i.place::text]
"""
BY_GROUP = """
SELECT g.relation, g.leaf, g.place, g.hash
FROM (SELECT i.*, row_number() OVER (PARTITION BY bad.key ORDER BY i.leaf, i.place) AS n,
             count(*) OVER (PARTITION BY bad.key) AS ours, bad.key
      FROM pg_temp.kanban_inserted AS i
      JOIN {table} AS t ON t.tableoid = i.leaf AND t.ctid = i.place
      JOIN ({bad}) AS bad ON bad.key[1:{parts}] = {key}
      WHERE i.relation = {relation}) AS g
WHERE g.n > CASE WHEN {one_may_stay} AND g.key[{parts} + 1] = g.ours::text THEN 1 ELSE 0 END
"""
# Which rows of the backup those are, and how often each is reported.
NAMED = """
WITH named AS (
  SELECT i.hash, count(*) AS n FROM (SELECT DISTINCT relation, leaf, place, hash FROM ({named}) AS every) AS i
  WHERE i.relation = %(relation)s GROUP BY 1
)
SELECT v.back::text, LEAST(v.times, named.n) FROM pg_temp.kanban_compared AS v JOIN {backup} AS b ON b.ctid = v.back
JOIN named ON named.hash = {then}
WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[])
"""
SUPERSEDE = """
WITH named AS (
  SELECT u.back::tid AS back, u.n FROM unnest(%(backs)s::text[], %(times)s::bigint[]) AS u(back, n)
), meant AS (
  SELECT v.ctid AS entry, v.back, v.tenant, named.n
  FROM pg_temp.kanban_compared AS v JOIN named ON named.back = v.back
  WHERE v.relation = %(relation)s AND v.kind = ANY (%(kinds)s::text[])
), told AS (
  INSERT INTO pg_temp.kanban_compared (relation, kind, back, times, tenant)
  SELECT %(relation)s, 'superseded', back, n, tenant FROM meant
)
UPDATE pg_temp.kanban_compared AS v SET times = v.times - meant.n FROM meant WHERE v.ctid = meant.entry
"""

# Sequences that fill a table's columns: how far each has got, which way it counts, and whether this role may set it.
SEQUENCES = """
SELECT s.oid::bigint, n.nspname::text || '.' || s.relname::text, a.attname::text, q.seqincrement,
       CASE WHEN has_sequence_privilege(s.oid, 'SELECT, USAGE')
            THEN COALESCE(pg_sequence_last_value(s.oid), q.seqstart - q.seqincrement) END,
       has_sequence_privilege(s.oid, 'UPDATE'), q.seqmin, q.seqmax,
       format('GRANT %%s ON SEQUENCE %%I.%%I TO %%I;', concat_ws(', ',
         CASE WHEN NOT has_sequence_privilege(s.oid, 'SELECT, USAGE') THEN 'SELECT' END,
         CASE WHEN NOT has_sequence_privilege(s.oid, 'UPDATE') THEN 'UPDATE' END), n.nspname, s.relname, current_user)
FROM pg_depend AS d
JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = s.relnamespace
JOIN pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND d.refobjid = %(relation)s AND a.attname = ANY (%(filled)s::text[])
ORDER BY 2
"""
FARTHEST = """
SELECT max(t.{column})::numeric, min(t.{column})::numeric
FROM pg_temp.kanban_inserted AS i JOIN {table} AS t ON t.tableoid = i.leaf AND t.ctid = i.place
WHERE i.relation = %(relation)s
"""
# Step by step, no number is given out twice if others take some meanwhile; over a long distance nobody is that fast.
ADVANCE = "SELECT nextval(%(sequence)s::regclass) FROM generate_series(1, %(steps)s)"
SET = """
SELECT setval(%(sequence)s::regclass, %(to)s::bigint)
WHERE (%(to)s::bigint - COALESCE(pg_sequence_last_value(%(sequence)s::regclass), %(before)s::bigint))
      * sign(%(increment)s::bigint) > 0
"""
