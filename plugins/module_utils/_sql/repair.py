# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the repair's plan: which rows it touches, what goes with them, and what they hold.

A row is identified by where it lies (leaf and ctid) within the one snapshot of the repair's transaction, so tables
need no key. Everything is set-based; only figures and a few samples are fetched.
"""

from __future__ import annotations

# The plan itself: one row of ours per row of theirs. ``changes`` are new values as text, by column, and ``defaults``
# are columns that take their default; ``before`` is the old content if it has been put aside meanwhile. The table is
# gone with the transaction.
CREATE_PLAN = """
CREATE TEMPORARY TABLE kanban_plan (
  relation oid NOT NULL,
  leaf oid NOT NULL,
  place tid NOT NULL,
  action text NOT NULL,
  check_name text NOT NULL,
  via text,
  level int NOT NULL,
  changes jsonb NOT NULL DEFAULT '{}',
  defaults text[] NOT NULL DEFAULT '{}',
  before text,
  PRIMARY KEY (leaf, place)
) ON COMMIT DROP
"""
# Without statistics the planner assumes that our table has a thousand rows, and reads all of theirs to join it.
ANALYZE = "ANALYZE pg_temp.kanban_plan"
# What several checks do to one row is done together; a deletion wins.
_INSERT = """
INSERT INTO pg_temp.kanban_plan AS p (relation, leaf, place, action, check_name, via, level, changes, defaults)
{rows}
ON CONFLICT (leaf, place) DO UPDATE
SET action = excluded.action, via = CASE WHEN excluded.action = 'delete' THEN excluded.via ELSE p.via END,
    check_name = CASE WHEN excluded.action = 'delete' THEN excluded.check_name ELSE p.check_name END,
    level = excluded.level, changes = p.changes || excluded.changes, defaults = p.defaults || excluded.defaults
WHERE p.action <> 'delete'
"""

# The table as the plan leaves it, so that one check's repair is not planned on rows that another one deletes.
SOURCE = """(
  SELECT k.tableoid AS kanban_leaf, k.ctid AS kanban_place, {columns}
  FROM {table} AS k LEFT JOIN pg_temp.kanban_plan AS v ON v.leaf = k.tableoid AND v.place = k.ctid
  WHERE v.action IS DISTINCT FROM 'delete'
)"""
CHANGED_COLUMN = """
CASE WHEN {column_text} = ANY (v.defaults) THEN NULL WHEN v.changes ? {column_text}
     THEN (v.changes ->> {column_text})::{type} ELSE k.{column} END AS {column}"""
# A bare table has no columns of ours; both expressions say where a row lies.
BARE_PLACE = "ARRAY[t.tableoid::bigint::text, t.ctid::text]"
SOURCE_PLACE = "ARRAY[t.kanban_leaf::bigint::text, t.kanban_place::text]"

# Rows that a check finds individually, by its own query.
ROWWISE = _INSERT.replace(
    "{rows}",
    """
SELECT %(relation)s, (b.key)[1]::oid, (b.key)[2]::tid, %(action)s, %(check)s, NULL, 0, %(changes)s::jsonb, '{{}}'
FROM (SELECT DISTINCT bad.key FROM ({bad}) AS bad) AS b
""",
)
# All but the oldest row of each group. Groups of more than one are found first, because most rows are in none.
DUPLICATES = _INSERT.replace(
    "{rows}",
    """
SELECT %(relation)s, (r.key)[1]::oid, (r.key)[2]::tid, 'delete', %(check)s, NULL, 0, '{{}}', '{{}}'
FROM (
  SELECT {place} AS key,
         row_number() OVER (PARTITION BY {columns} ORDER BY {order}, ({place})[1], ({place})[2]::tid) AS n
  FROM {table} AS t
  WHERE ({columns}) IN (SELECT {bare_columns} FROM {table} AS g WHERE {filled} GROUP BY {bare_columns}
                        HAVING count(*) > 1)
) AS r
WHERE r.n > 1
""",
)
# The last move wins: rows in another lane than the newest one's. The same lane twice is the business of another check.
OTHER_LANES = _INSERT.replace(
    "{rows}",
    """
SELECT %(relation)s, (r.key)[1]::oid, (r.key)[2]::tid, 'delete', %(check)s, NULL, 0, '{{}}', '{{}}'
FROM (
  SELECT {place} AS key, t.{lane} AS lane, first_value(t.{lane}) OVER (
           PARTITION BY {columns} ORDER BY {order}, ({place})[1] DESC, ({place})[2]::tid DESC) AS newest
  FROM {table} AS t JOIN {lanes} AS p ON {same}
  WHERE {filled} AND {marked}
) AS r
WHERE r.lane <> r.newest
""",
)
# Consecutive numbers from the lane's first position on, in the rows' present order.
RENUMBERED = _INSERT.replace(
    "{rows}",
    """
SELECT %(relation)s, (r.key)[1]::oid, (r.key)[2]::tid, 'update', %(check)s, NULL, 0,
       jsonb_build_object(%(position)s::text, r.wanted::text), '{{}}'
FROM (
  SELECT {place} AS key, t.{position} AS position,
         COALESCE(min(t.{position}) OVER (PARTITION BY {lane}), 1)
         + row_number() OVER (PARTITION BY {lane} ORDER BY t.{position}, {order}, ({place})[1], ({place})[2]::tid) - 1
           AS wanted
  FROM {table} AS t WHERE {filled}
) AS r
WHERE r.position IS DISTINCT FROM r.wanted
""",
)
# If numbers may be missing, only rows with a duplicate position or with none move: behind everything in their lane.
RENUMBERED_TWICE = _INSERT.replace(
    "{rows}",
    """
SELECT %(relation)s, (r.key)[1]::oid, (r.key)[2]::tid, 'update', %(check)s, NULL, 0,
       jsonb_build_object(%(position)s::text,
                          (r.last + row_number() OVER (PARTITION BY r.lane ORDER BY r.position, r.n))::text), '{{}}'
FROM (
  SELECT {place} AS key, t.{position} AS position, ROW({lane})::text AS lane,
         COALESCE(max(t.{position}) OVER (PARTITION BY {lane}), 0) AS last,
         row_number() OVER (PARTITION BY {lane}, t.{position} ORDER BY {order}, ({place})[1], ({place})[2]::tid) AS n
  FROM {table} AS t WHERE {filled}
) AS r
WHERE r.n > 1 OR r.position IS NULL
""",
)
# The rows of a check that is within its tolerance stay as they are, and what other checks do to them stays as planned.
# A row that several checks share is one row of the plan, so it cannot be told afterwards which change is whose.
BEGIN_CHECK = "SAVEPOINT kanban_check"
FORGET_CHECK = "ROLLBACK TO SAVEPOINT kanban_check"

# Foreign keys that refer to these tables. Those of partitions follow their parent's; ``set_columns`` are what SET NULL
# and SET DEFAULT set (a list of their own from PostgreSQL 15 on). An index that begins with the columns saves reading
# the whole table for each deleted row.
FOREIGN_KEYS = """
SELECT c.oid::bigint, c.conname::text, c.conrelid::bigint, n.nspname::text, r.relname::text, c.confrelid::bigint,
       c.confdeltype::text, c.confupdtype::text, k.columns, k.parents,
       COALESCE((SELECT array_agg(a.attname::text ORDER BY a.attnum)
                 FROM jsonb_array_elements_text(NULLIF(to_jsonb(c) -> 'confdelsetcols', 'null')) AS s(number)
                 JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = s.number::int), k.columns),
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attnotnull),
       EXISTS (SELECT FROM pg_index AS i
               WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL
                 AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey),
       c.condeferrable
FROM pg_constraint AS c
JOIN pg_class AS r ON r.oid = c.conrelid
JOIN pg_namespace AS n ON n.oid = r.relnamespace
CROSS JOIN LATERAL (
  SELECT array_agg(child.attname::text ORDER BY k.place) AS columns,
         array_agg(parent.attname::text ORDER BY k.place) AS parents
  FROM unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(child, parent, place)
  JOIN pg_attribute AS child ON child.attrelid = c.conrelid AND child.attnum = k.child
  JOIN pg_attribute AS parent ON parent.attrelid = c.confrelid AND parent.attnum = k.parent
) AS k
WHERE c.contype = 'f' AND c.confrelid = ANY (%(tables)s::oid[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS above WHERE above.oid = c.conparentid AND above.confrelid = c.confrelid)
ORDER BY n.nspname, r.relname, c.conname
"""
# What is deleted or changed along with rows that the last round deleted.
CASCADE = _INSERT.replace(
    "{rows}",
    """
SELECT DISTINCT ON (t.tableoid, t.ctid) %(relation)s, t.tableoid, t.ctid, %(action)s, v.check_name, %(via)s,
       %(level)s + 1, %(changes)s::jsonb, %(defaults)s::text[]
FROM pg_temp.kanban_plan AS v
JOIN {parents} AS p ON p.tableoid = v.leaf AND p.ctid = v.place
JOIN {table} AS t ON {same}
WHERE v.relation = %(parent)s AND v.action = 'delete' AND v.level = %(level)s
ORDER BY t.tableoid, t.ctid, v.check_name
""",
)
# Rows that would be left behind, if the key forbids that.
RESTRICTED = """
SELECT count(*)
FROM pg_temp.kanban_plan AS v
JOIN {parents} AS p ON p.tableoid = v.leaf AND p.ctid = v.place
JOIN {table} AS t ON {same}
LEFT JOIN pg_temp.kanban_plan AS own ON own.leaf = t.tableoid AND own.place = t.ctid
WHERE v.relation = %(parent)s AND v.action = 'delete'
  AND (own.action IS NULL OR (own.action = 'update' AND NOT own.changes ?| %(columns)s::text[]))
"""
# Whether rows to be deleted refer to others that are to be deleted.
REFER = """
SELECT EXISTS (SELECT FROM pg_temp.kanban_plan AS v
               JOIN {parents} AS p ON p.tableoid = v.leaf AND p.ctid = v.place
               JOIN {table} AS t ON {same}
               JOIN pg_temp.kanban_plan AS own ON own.leaf = t.tableoid AND own.place = t.ctid
               WHERE v.relation = %(parent)s AND v.action = 'delete' AND own.action = 'delete')
"""
# Rows that a key would change by itself, because the plan changes what they refer to.
FOLLOWING = """
SELECT count(*)
FROM pg_temp.kanban_plan AS v
JOIN {parents} AS p ON p.tableoid = v.leaf AND p.ctid = v.place
JOIN {table} AS t ON {same}
WHERE v.relation = %(parent)s AND v.action = 'update'
  AND (v.changes ?| %(columns)s::text[] OR v.defaults && %(columns)s::text[])
"""
# Conditions that rows must meet now, but need not have met when they were written. The expressions name the table's
# columns unqualified, so nothing else may be in scope.
NOT_VALID = """
SELECT c.conname::text, pg_get_expr(c.conbin, c.conrelid) FROM pg_constraint AS c
WHERE c.contype = 'c' AND c.conrelid = %(relation)s AND NOT c.convalidated ORDER BY 1
"""
VIOLATING = """
SELECT count(*) FROM {table} AS t
WHERE NOT ({condition})
  AND (t.tableoid, t.ctid) IN (SELECT v.leaf, v.place FROM pg_temp.kanban_plan AS v WHERE v.relation = %(relation)s)
"""
# Which tables are touched, and whether by a check's own rows or only by those that go with them.
TOUCHED = """
SELECT v.relation::bigint, n.nspname::text, c.relname::text, c.relkind = 'p',
       c.relkind <> 'p' AND c.relhassubclass, bool_or(v.via IS NULL),
       count(*) FILTER (WHERE v.action = 'delete'), count(*) FILTER (WHERE v.action = 'update')
FROM pg_temp.kanban_plan AS v
JOIN pg_class AS c ON c.oid = v.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3
"""
# Columns that the plan sets in a table.
SET_COLUMNS = """
SELECT DISTINCT name FROM pg_temp.kanban_plan AS v, LATERAL (
  SELECT jsonb_object_keys(v.changes) UNION ALL SELECT unnest(v.defaults)) AS c(name)
WHERE v.relation = %(relation)s AND v.action = 'update' ORDER BY 1
"""
# What the rows hold, as numbers that do not depend on their order. Of a deleted row everything counts; of a changed row
# its key, what is there now and what comes: another column may change meanwhile, a customer's message for instance, and
# none of that is overwritten.
FIGURES = """
SELECT v.check_name, v.via, v.action, count(*),
       COALESCE(sum(hashtextextended({holds}, 1)::numeric), 0)::text,
       COALESCE(sum(hashtextextended({holds}, 2)::numeric), 0)::text
FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s
GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST, 3
"""
HOLDS = """
CASE WHEN v.action = 'delete' THEN (t.*)::text
     ELSE ({changing})::text || v.changes::text || v.defaults::text END"""
ROWS = "SELECT count(*) FROM {table}"
SAMPLES = """
SELECT {key} FROM pg_temp.kanban_plan AS v JOIN {table} AS t ON t.tableoid = v.leaf AND t.ctid = v.place
WHERE v.relation = %(relation)s AND v.check_name = %(check)s AND v.via IS NULL
ORDER BY v.leaf, v.place LIMIT %(most)s
"""
# A check's own count, without who is affected.
COUNT = "SELECT COALESCE(sum(b.weight), 0)::bigint FROM ({bad}) AS b"
BEGIN_READING = "SAVEPOINT kanban_reading; SET TRANSACTION READ ONLY"
END_READING = "ROLLBACK TO SAVEPOINT kanban_reading; RELEASE SAVEPOINT kanban_reading"
# Triggers of the application that will fire; what they do is neither planned nor undone.
TRIGGERS = """
SELECT DISTINCT c.relname::text || '.' || t.tgname::text
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS n ON n.oid = f.pronamespace
WHERE t.tgrelid = ANY (%(tables)s::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
  AND n.nspname <> 'kanban_rollback' AND t.tgtype & 24 <> 0
ORDER BY 1 LIMIT 20
"""
NULLABLE = """
SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = %(table)s AND attname = %(column)s AND attnum > 0
"""
# Whether a value is valid for the column's type.
CAST = "SELECT %(value)s::{type} IS NULL"
# Whether this session may pass a fence, asked as the fence's function does.
IS_PASSER = """
SELECT EXISTS (SELECT FROM pg_roles AS r
               WHERE r.rolname = ANY (%(passers)s::text[]) AND pg_has_role(session_user, r.oid, 'MEMBER'))
"""
PASSAGE = "SELECT set_config('kanban_rollback.passage', %(incident)s, true)"
