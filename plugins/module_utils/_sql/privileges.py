# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL about what a role may read: reported with the line that grants it, and granted column by column."""

from __future__ import annotations

# What this role may not read of a table, whether policies would hide rows from it, and the statement that grants it,
# ready to be typed: names that an ORM made do not work without their quotes.
READABLE = """
SELECT missing, row_security_active(%(table)s::oid),
       format('GRANT SELECT (%%s) ON %%I.%%I TO %%I;', (SELECT string_agg(quote_ident(name), ', ')
              FROM unnest(missing) AS name), %(schema)s::text, %(name)s::text, current_user)
FROM (
  SELECT ARRAY(SELECT name FROM unnest(%(columns)s::text[]) AS name
               WHERE NOT has_column_privilege(%(table)s::oid, name, 'SELECT')) AS missing
) AS one
"""
# For a name that was not found: whether it exists but is out of this role's reach, or is something other than a table.
ELSEWHERE = """
SELECT n.nspname::text || '.' || c.relname::text, has_schema_privilege(n.oid, 'USAGE'),
       format('GRANT USAGE ON SCHEMA %%I TO %%I;', n.nspname, current_user)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%%'
  AND lower(c.relname) = lower(%(name)s) AND (%(schema)s = '' OR lower(n.nspname) = lower(%(schema)s))
ORDER BY 1 LIMIT 1
"""

# What another role lacks; a member of pg_read_all_data lacks nothing, and is granted nothing.
LACKING = """
SELECT ARRAY(SELECT name FROM unnest(%(columns)s::text[]) AS name
             WHERE NOT has_column_privilege(%(role)s, %(table)s::oid, name, 'SELECT')),
       has_schema_privilege(%(role)s, %(schema)s, 'USAGE')
"""
# Which of these roles is an administrator, of what, and the statement that ends it, which only a superuser may run.
ADMINISTRATORS = """
SELECT rolname::text,
       concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
                 CASE WHEN rolcreaterole THEN 'CREATEROLE' END),
       format('ALTER ROLE %%I NOSUPERUSER NOCREATEDB NOCREATEROLE;', rolname)
FROM pg_roles WHERE rolname = ANY(%(roles)s) AND (rolsuper OR rolcreatedb OR rolcreaterole)
ORDER BY 1 LIMIT 1
"""
GRANT_SCHEMA = "GRANT USAGE ON SCHEMA {schema} TO {role}"
GRANT_READ = "GRANT SELECT ({columns}) ON {table} TO {role}"
REVOKE_READ = "REVOKE ALL ON {table} FROM {role}; REVOKE ALL ON SCHEMA {schema} FROM {role}"

# What a role (this one if none is named) lacks to repair a table's rows, and the line that grants it.
LACKING_TO_MEND = """
SELECT missing, format('GRANT %%s ON %%I.%%I TO %%I;', array_to_string(missing, ', '), schema_name, table_name, role)
FROM (
  SELECT who.role, n.nspname AS schema_name, c.relname AS table_name,
         ARRAY(SELECT word FROM unnest(%(words)s::text[]) AS word WHERE NOT has_table_privilege(who.role, c.oid, word))
         || ARRAY(SELECT 'UPDATE (' || string_agg(quote_ident(name), ', ' ORDER BY place) || ')'
                  FROM unnest(%(columns)s::text[]) WITH ORDINALITY AS wanted(name, place)
                  WHERE NOT has_column_privilege(who.role, c.oid, name, 'UPDATE') HAVING count(*) > 0) AS missing
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
       (SELECT COALESCE(%(role)s::name, current_user) AS role) AS who
  WHERE c.oid = %(table)s
) AS one
"""
LACKING_ON_DATABASE = """
SELECT format('GRANT %%s ON DATABASE %%I TO %%I;', word, current_database(), role)
FROM (SELECT COALESCE(%(role)s::name, current_user) AS role, %(word)s::text AS word) AS who
WHERE NOT has_database_privilege(role, current_database(), word)
"""
OF_THE_LEDGER = """
SELECT c.oid::bigint FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'kanban_rollback' WHERE c.relname = %(name)s
"""
# What was granted on this database to a role itself and not to everybody. A REVOKE of what was never granted would
# leave the database with an ACL of its own.
ON_DATABASE = """
SELECT d.datname::text, g.privilege_type FROM pg_database AS d, aclexplode(d.datacl) AS g
WHERE d.datname = current_database() AND g.grantee = quote_ident(%(role)s)::regrole
  AND g.privilege_type IN ('CONNECT', 'TEMPORARY')
"""
# Sequences that fill columns of tables, and which of some privileges a role (this one if none is named) lacks on them.
SEQUENCES = """
SELECT n.nspname::text, s.relname::text, missing,
       format('GRANT %%s ON SEQUENCE %%I.%%I TO %%I;', array_to_string(missing, ', '), n.nspname, s.relname, who.role)
FROM (SELECT COALESCE(%(role)s::name, current_user) AS role) AS who, pg_depend AS d
JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = s.relnamespace,
LATERAL (SELECT ARRAY(SELECT word FROM unnest(%(words)s::text[]) AS word
                      -- How far it is may be read with either.
                      WHERE NOT has_sequence_privilege(who.role, s.oid, replace(word, 'SELECT', 'SELECT, USAGE')))
                AS missing) AS lacks
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND d.refobjid = ANY (%(tables)s::oid[])
ORDER BY 1, 2
"""
# Those of a table that were granted to a role itself.
GRANTED_SEQUENCES = """
SELECT n.nspname::text, s.relname::text
FROM pg_depend AS d
JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = s.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND d.refobjid = %(table)s
  AND EXISTS (SELECT FROM aclexplode(s.relacl) AS g WHERE g.grantee = quote_ident(%(role)s)::regrole)
"""
REVOKE_SEQUENCE = "REVOKE ALL ON SEQUENCE {sequence} FROM {role}"
REVOKE_MEND = "REVOKE ALL ON {table} FROM {role}"
REVOKE_ON_DATABASE = "REVOKE {word} ON DATABASE {database} FROM {role}"

# Which tables and columns a query reads, by the server's own analysis: a view depends on each of them. The view is
# never queried, and is rolled back at once. If only rows are counted there is no column; then any column will do.
VIEW = "CREATE TEMPORARY VIEW kanban_reads AS "
READS = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text,
       COALESCE(array_agg(a.attname::text) FILTER (WHERE a.attname IS NOT NULL),
                ARRAY[(SELECT f.attname::text FROM pg_attribute AS f
                       WHERE f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped ORDER BY f.attnum LIMIT 1)])
FROM pg_rewrite AS r
JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
JOIN pg_class AS c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND d.refobjsubid <> 0
WHERE r.ev_class = 'pg_temp.kanban_reads'::regclass
GROUP BY c.oid, n.nspname, c.relname
ORDER BY 2, 3
"""
