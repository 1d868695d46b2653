# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the break-glass script, which psql runs by itself. The flag's expressions are those of ``_flagsql``.

``{keep}`` is where priors go: the ledger's table of changes or one of the same shape; in the script, a psql variable.
``{nothing}`` is empty in the script and ``AND false`` if a statement is only planned.
"""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.ledgerstate import FOREIGN

# The incident that the script records. A setting, because psql expands no variables in a prepared statement's body.
INCIDENT_SETTING = "kanban_rollback.break_glass"
INCIDENT = f"current_setting('{INCIDENT_SETTING}')"

# The ledger is used if there is one, so that reenable.yml can undo what this script did; what somebody else put in its
# place is not. Such names are shown in a terminal.
HAS_LEDGER = """
SELECT seen.writable AND seen.why IS NULL AS has_ledger,
       regexp_replace(seen.why, '[[:cntrl:]]', '?', 'g') AS not_the_ledger
FROM (SELECT EXISTS (
  SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = 'kanban_rollback' AND c.relname = 'flag_changes'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT')
), {foreign}) AS seen (writable, why)
""".replace("{foreign}", FOREIGN)  # a constant into a constant  # nosec B608
# An open incident is continued, as the playbooks do.
OPEN_OR_NEW = """
SELECT COALESCE(
  (SELECT incident_id FROM kanban_rollback.incidents WHERE closed_at IS NULL
   ORDER BY opened_at DESC, incident_id DESC LIMIT 1),
  'BREAK-GLASS-' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD-HH24MISS')) AS incident
"""
OPEN_INCIDENT = """
INSERT INTO kanban_rollback.incidents (incident_id, scenario, operator, reason)
SELECT {incident}, 'break-glass', session_user, 'break-glass.sql' WHERE true {nothing}
ON CONFLICT (incident_id) DO NOTHING
"""
LAST_OF_FLAG = """
SELECT incident_id AS incident FROM kanban_rollback.flag_changes WHERE flag = %(flag)s ORDER BY seq DESC LIMIT 1
"""
# The same columns as kanban_rollback.flag_changes, so that the statements below work with either.
CREATE_KEEP = """
CREATE TABLE {keep} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id text NOT NULL,
  flag text NOT NULL,
  action text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  run_id text,
  written text,
  full_depth int NOT NULL DEFAULT 0,
  tenants text[] NOT NULL,
  priors text[],
  depths int[],
  marks text[]
)
"""
# Where priors go without a ledger: an ordinary table of that name, or of one that begins with it, if the role that runs
# this or a superuser owns it and nobody else's trigger is on it; else the name for a new one, which nobody can foresee
# if that name is taken. Others' triggers and defaults would run with the rights of whoever runs this.
KEEP_PLACE = """
WITH named AS (
  SELECT c.oid, c.relname, owner.rolname,
         c.relkind = 'r' AND (owner.rolsuper OR owner.oid = me.oid)
         AND NOT (c.relhasrules OR c.relhassubclass OR c.relrowsecurity)
         AND has_schema_privilege(n.oid, 'USAGE')
         AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
         AND NOT EXISTS (
           SELECT FROM pg_trigger AS t
           JOIN pg_proc AS p ON p.oid = t.tgfoid
           JOIN pg_roles AS author ON author.oid = p.proowner
           WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
             AND (t.tgqual IS NOT NULL OR NOT (author.rolsuper OR author.oid = me.oid))
         ) AS ours
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_roles AS owner ON owner.oid = c.relowner
  JOIN pg_roles AS me ON me.rolname = current_user
  WHERE n.nspname = %(keep_schema)s AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND (c.relname = %(keep_name)s OR starts_with(c.relname::text, %(keep_name)s || '_'))
), chosen AS (
  SELECT oid, relname FROM named WHERE ours ORDER BY oid LIMIT 1
), taken AS (
  SELECT FROM pg_namespace AS n
  WHERE n.nspname = %(keep_schema)s
    AND (EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = %(keep_name)s)
         OR EXISTS (SELECT FROM pg_type AS t WHERE t.typnamespace = n.oid AND t.typname = %(keep_name)s))
)
SELECT EXISTS (SELECT FROM chosen) AS keep_is_there,
       quote_ident(%(keep_schema)s) || '.' || quote_ident(COALESCE(
         (SELECT relname::text FROM chosen),
         %(keep_name)s || CASE WHEN EXISTS (SELECT FROM taken)
                          THEN '_' || left(md5(random()::text || clock_timestamp()::text), 8) ELSE '' END)) AS keep,
       (SELECT regexp_replace(string_agg(quote_ident(relname) || ' of role ' || rolname, ', ' ORDER BY oid),
                              '[[:cntrl:]]', '?', 'g')
        FROM named WHERE oid NOT IN (SELECT oid FROM chosen)) AS keep_others
"""

# Escapes that jsonb refuses although they are valid JSON are replaced in a copy that is only read.
READ_DOCUMENT = """
CREATE FUNCTION pg_temp.kanban_read(doc text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS {body}
"""
READ_DOCUMENT_BODY = r"""
SELECT regexp_replace(COALESCE(NULLIF(btrim(doc, E' \t\n\r'), ''), 'null'),
                      '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{{2}})', '\\ufffd', 'g')::jsonb
"""
FLAG_OF_DOCUMENT = """
CREATE FUNCTION pg_temp.kanban_flag(doc text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS {body}
"""
FLAG_OF_DOCUMENT_BODY = """
BEGIN
  RETURN (SELECT CASE WHEN {is_on} THEN 'on' ELSE 'off' END
          FROM (SELECT pg_temp.kanban_read(doc) AS {column_name}) AS t);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN 'unreadable';
END
"""
# The flag is appended to the text as one more member: of two members with the same name the last one counts, in
# JavaScript, in jsonb and in the modules; every other character stays. NULL if it is not on or cannot be written.
OFF_DOCUMENT = """
CREATE FUNCTION pg_temp.kanban_off(doc text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS {body}
"""
OFF_DOCUMENT_BODY = r"""
DECLARE
  whole jsonb;
  member text;
BEGIN
  IF pg_temp.kanban_flag(doc) <> 'on' THEN
    RETURN NULL;
  END IF;
  whole := pg_temp.kanban_read(doc);
  SELECT {member} INTO member FROM (SELECT doc AS {column_name}) AS t;
  IF jsonb_typeof(whole) <> 'object' THEN
    RETURN '{{' || member || '}}';
  END IF;
  RETURN left(rtrim(doc, E' \t\n\r'), -1) || CASE whole WHEN '{{}}' THEN '' ELSE ', ' END || member || '}}';
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN NULL;
END
"""
OFF_WHOLE_DOCUMENT_BODY = """
BEGIN
  RETURN CASE pg_temp.kanban_flag(doc) WHEN 'on' THEN %(written)s::text END;
END
"""
# The mark by which a document that we wrote is recognized: the modules' mark_of().
MARK = "left(encode(sha256(convert_to({content}, 'UTF8')), 'hex'), 32)"

# One statement switches and keeps, so neither happens without the other. What is kept comes from what was written.
# Arrays hold up to 5,000 tenants, because a value in PostgreSQL is limited to 1 GB.
SWITCH = """
WITH locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, {tenant}::text AS tenant, {prior} AS prior, {depth} AS depth
  FROM {table} AS t
  WHERE {rows} AND {scope} AND {to_switch} {can_write} {single} {nothing}
  FOR NO KEY UPDATE {waiting}
), switched AS (
  UPDATE {table} AS t
  SET {column_name} = {written}
  FROM locked AS w
  WHERE t.ctid = w.place AND t.tableoid = w.leaf
  RETURNING w.tenant, w.prior, w.depth, {column}::text AS content
), numbered AS (
  SELECT *, (row_number() OVER () - 1) / 5000 AS batch FROM switched
)
INSERT INTO {keep} (incident_id, flag, action, run_id, written, full_depth, tenants, priors, depths, marks)
SELECT {incident}, %(flag)s, 'disabled', 'break-glass', %(written)s, {full_depth},
       array_agg(tenant), array_agg(prior), array_agg(depth), array_agg({mark})
FROM numbered
GROUP BY batch
"""
ALL_ROWS = "TRUE"
ONE_TENANT = "{own_tenant} = ({one})::text::{tenant_type}"
# Tenants with several rows have a statement of their own.
SINGLE = """AND NOT EXISTS (
    SELECT FROM (SELECT {tenant} AS tenant FROM {table} AS t WHERE {rows} GROUP BY 1 HAVING count(*) > 1) AS several
    WHERE several.tenant = {tenant})"""

# Tenants that are still on, one statement for each, so that a row that is held or refused does not stop the others.
LEFT_OVER = """
SELECT format('EXECUTE {name} (%%L)', tenant)
FROM (SELECT DISTINCT {tenant}::text AS tenant FROM {table} AS t WHERE {rows} AND {to_switch} {nothing}
      ORDER BY 1 LIMIT 10000) AS left_over
"""
STILL_ON = """
SELECT total, still_on, still_on = 0 AS all_off FROM ({count_all}) AS counted (total, still_on)
"""
WHO_IS_STILL_ON = """
SELECT {tenant}::text AS still_on, left({column}::text, 60) AS value FROM {table} AS t
WHERE {rows} AND {to_switch} {nothing} ORDER BY 1 LIMIT 20
"""
HOLDERS = """
SELECT a.pid, a.application_name, a.usename, date_trunc('second', clock_timestamp() - a.xact_start) AS open_for,
       'SELECT pg_terminate_backend(' || a.pid || ');' AS to_end_it
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid()
  AND a.pid IN (SELECT l.pid FROM pg_locks AS l WHERE l.relation = to_regclass(%(name)s) AND l.granted
                AND l.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock'))
ORDER BY a.xact_start LIMIT 20
"""

# The fence's own functions raise and lower it for a role that owns nothing; without a list they take every fence. They
# run with their owner's rights: one that runs with the caller's is somebody else's.
HAS_FENCE = """
SELECT EXISTS (
  SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE n.nspname = 'kanban_rollback' AND p.proname = 'fence_raise' AND p.pronargs = 1
    AND p.proargtypes[0] = 'jsonb'::regtype AND p.prosecdef
    AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
) AS has_fence
"""
RAISE_FENCE = f"SELECT kanban_rollback.fence_raise(jsonb_build_object('incident', {INCIDENT})) AS raised"
LOWER_FENCE = (
    f"SELECT kanban_rollback.fence_lower(jsonb_build_object('incidents', jsonb_build_array({INCIDENT}))) AS lowered"
)

# What this incident switched and no undo has put back yet.
KEPT = """(
  SELECT seq, action, written, full_depth, tenants, priors, depths, marks
  FROM {keep} WHERE incident_id = {incident} AND flag = %(flag)s
)"""
NOT_BACK = """
SELECT count(*) AS not_back, (array_agg(tenant))[1:20] AS tenants, count(*) = 0 AS all_back
FROM ({wanted}) AS w (tenant, prior, depth, written, mark, last)
"""
# The undo, and the record that spends what it put back, in one statement.
RESTORE = """
WITH wanted (tenant, prior, depth, written, mark, last) AS (
  SELECT * FROM ({wanted}) AS w (tenant, prior, depth, written, mark, last)
  WHERE w.depth >= 0 {one_mark} {nothing}
), locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, w.*, {already} AS already, {unchanged} AS unchanged
  FROM wanted AS w
  JOIN {table} AS t ON {tenant} = w.tenant::{tenant_type} AND {rows}
  FOR NO KEY UPDATE OF t SKIP LOCKED
), restored AS (
  UPDATE {table} AS t
  SET {column_name} = {put_back}
  FROM locked AS w
  WHERE t.ctid = w.place AND t.tableoid = w.leaf AND w.unchanged AND NOT w.already
  RETURNING w.tenant, {already} AS took
), spent AS (
  SELECT tenant FROM restored WHERE took UNION SELECT tenant FROM locked WHERE already
), noted AS (
  INSERT INTO {keep} (incident_id, flag, action, run_id, tenants)
  SELECT {incident}, %(flag)s, 'restored', 'break-glass', array_agg(tenant) FROM spent HAVING count(*) > 0
)
SELECT (SELECT count(*) FROM restored WHERE took) AS put_back,
       (SELECT count(*) FROM locked WHERE already) AS so_already,
       (SELECT count(*) FROM locked WHERE NOT already AND NOT unchanged) AS changed_since,
       (SELECT count(*) FROM wanted) - (SELECT count(*) FROM locked) AS held_or_gone
"""
DELETE_MADE = """
WITH wanted (tenant, prior, depth, written, mark, last) AS (
  SELECT * FROM ({wanted}) AS w (tenant, prior, depth, written, mark, last)
  WHERE w.depth = {no_row} {one_mark} {nothing}
), gone AS (
  DELETE FROM {table} AS t USING wanted AS w
  WHERE {rows} AND {tenant} = w.tenant::{tenant_type} AND {leaf} IS NOT DISTINCT FROM {written_as_text}
  RETURNING w.tenant
), noted AS (
  INSERT INTO {keep} (incident_id, flag, action, run_id, tenants)
  SELECT {incident}, %(flag)s, 'restored', 'break-glass', array_agg(tenant) FROM gone HAVING count(*) > 0
)
SELECT (SELECT count(*) FROM gone) AS taken_away,
       (SELECT count(*) FROM wanted) - (SELECT count(*) FROM gone) AS changed_since
"""
