# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that puts numbers aside which a unique index keeps apart, until each may have its own."""

from __future__ import annotations

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
