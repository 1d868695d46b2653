# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that reads the catalog."""

from __future__ import annotations

# Every table that a role can see outside the system's schemas, with its schema's place in the search path. Bounded: in
# a database with more tables than this, the table is named with its schema anyway.
TABLES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, array_position(current_schemas(false), n.nspname),
       c.relkind = 'p' OR c.relhassubclass
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'kanban_rollback')
  AND n.nspname NOT LIKE 'pg\\_%%'
  AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY 4 NULLS LAST, 2, 3
LIMIT 20000
"""

# Whether there are more tables of these names than one, the system's own aside.
SEVERAL = """
SELECT count(*) > 1
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY(%(names)s) AND c.relkind IN ('r', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'kanban_rollback') AND n.nspname NOT LIKE 'pg\\_%%'
"""

# Tables of some names in any schema that have all of some columns, the likeliest first: the one that most sessions of
# other logins find by their role's search path, then the one that most foreign keys point at. A table in a schema
# that this role may not use is among them; what is below another of them is not, unless it is the named one. Counters
# of use are no sign: a crash or a failover sets them to 0.
NAMESAKES = """
WITH RECURSIVE candidate AS (
  SELECT c.oid, n.oid AS schema, n.nspname, c.relname, c.relkind = 'p' OR c.relhassubclass AS partitioned
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = ANY(%(names)s) AND c.relkind IN ('r', 'p')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'kanban_rollback') AND n.nspname NOT LIKE 'pg\\_%%'
    AND %(columns)s::text[] <@ ARRAY(SELECT lower(attname) FROM pg_attribute
                                     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
), above AS (
  SELECT candidate.oid, i.inhparent FROM candidate JOIN pg_inherits AS i ON i.inhrelid = candidate.oid
  UNION
  SELECT above.oid, i.inhparent FROM above JOIN pg_inherits AS i ON i.inhrelid = above.inhparent
), named AS (
  SELECT * FROM candidate
  WHERE oid = %(named)s
    OR NOT EXISTS (SELECT FROM above JOIN candidate AS parent ON parent.oid = inhparent WHERE above.oid = candidate.oid)
), login AS (
  SELECT r.oid, r.rolname, count(*) AS sessions
  FROM pg_stat_activity AS a JOIN pg_roles AS r ON r.oid = a.usesysid
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND r.rolname <> current_user
  GROUP BY 1, 2
), server AS (
  -- What postgresql.conf says shows only where nothing was set for this session's own login.
  SELECT CASE WHEN source IN ('default', 'configuration file') THEN setting ELSE boot_val END AS path
  FROM pg_settings WHERE name = 'search_path'
), step AS (
  SELECT login.oid, login.sessions, place,
         CASE WHEN part = '$user' THEN login.rolname ELSE part END AS schema
  FROM login,
       LATERAL (SELECT COALESCE(
         (SELECT substr(setting, 13) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS setting
          WHERE s.setrole IN (0, login.oid) AND setting LIKE 'search_path=%%'
            AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          ORDER BY s.setrole DESC, s.setdatabase DESC LIMIT 1),
         (SELECT path FROM server)) AS path) AS decided,
       unnest(string_to_array(path, ',')) WITH ORDINALITY AS listed(entry, place),
       LATERAL (SELECT replace(btrim(btrim(entry), '"'), '""', '"') AS part) AS bare
), reader AS (
  SELECT DISTINCT ON (step.oid) named.oid AS "table", step.sessions
  FROM step JOIN named ON named.nspname = step.schema
  ORDER BY step.oid, step.place
), referenced AS (
  SELECT confrelid AS "table", count(*) AS keys FROM pg_constraint WHERE contype = 'f' GROUP BY 1
), ranked AS (
  SELECT named.*, array_position(current_schemas(false), named.nspname) AS rank, count(*) OVER () AS total,
         row_number() OVER (
           ORDER BY (SELECT COALESCE(sum(sessions), 0) FROM reader WHERE reader."table" = named.oid) DESC,
                    COALESCE(referenced.keys, 0) DESC,
                    array_position(current_schemas(false), named.nspname) NULLS LAST, named.nspname, named.relname
         ) AS place
  FROM named LEFT JOIN referenced ON referenced."table" = named.oid
)
SELECT oid::bigint, nspname::text, relname::text, rank, partitioned, has_schema_privilege(schema, 'USAGE'), total
FROM ranked
WHERE place <= %(most)s OR oid = %(named)s
ORDER BY place
"""

# A domain's base type decides how the flag is read; the column's own type is what values are cast to.
COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
       COALESCE(base.typname, t.typname)::text,
       (NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> ''),
       NOT (a.attnotnull OR t.typnotnull)
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_type AS base ON base.oid = t.typbasetype AND t.typtype = 'd'
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

SEARCH_PATH = "SELECT set_config('search_path', %(path)s, true)"

# Size in pages of the largest piece, because a partitioned table is read by the same page ranges in each leaf. A table
# without partitions is not in its own partition tree.
PAGES = """
SELECT GREATEST(pg_relation_size(%(table)s::oid::regclass),
                (SELECT max(pg_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = %(table)s::oid),
                (SELECT max(pg_relation_size(relid)) FROM pg_partition_tree(%(table)s::oid::regclass)))
       / current_setting('block_size')::bigint
"""

# Whether policies would hide rows from the role.
HIDES_ROWS = "SELECT row_security_active(%(table)s::oid)"

# The columns of the primary key, and those that are computed from others.
ROW_KEY = """
SELECT (SELECT array_agg(a.attname::text)
        FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
        WHERE i.indrelid = %(table)s AND i.indisprimary),
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = %(table)s AND attgenerated <> '')
"""

# One row per tenant is guaranteed only if an index says so, and none does for tables that inherit from this one.
UNIQUE_ON = """
SELECT NOT EXISTS (
  SELECT FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhparent WHERE c.oid = %(table)s AND c.relkind = 'r'
) AND EXISTS (
  SELECT FROM pg_index AS i
  WHERE i.indrelid = %(table)s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (SELECT array_agg(a.attname::text) FROM pg_attribute AS a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])) <@ %(columns)s::text[])
"""
