# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the latch: a row trigger that keeps a flag off while its incident is open."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.guards import AS_BEFORE, AS_REPLICA

# Two raises at once would replace one function at once, which PostgreSQL refuses. The number is arbitrary, ours alone.
# Any login can hold the lock for as long as it likes, so whoever does not get it goes on without, and tries again where
# somebody else has replaced the function meanwhile.
LOCK = 118075163402607

# It runs with the rights of whoever writes: what it meets on the table (types, casts, policies) is code of the table's
# owner, who may be out for the rights of whoever made this. The row is judged before and after: only a step from off to
# on is undone, so a tenant that was switched on again through the passage stays on when the application saves its
# settings. A save by INSERT ... ON CONFLICT comes here as an INSERT first, so the tenant's row that is there counts as
# the one before, or that it has none where that means on, by itself or by the default of all; so it does for a row that
# takes another key or tenant. What cannot be judged was not on. For a writer who may not read the table, or whom a
# policy keeps from it, nobody was on. No type of the column is named, because a writer may have no right on its schema.
# Nothing here may raise: a customer's save must succeed. What cannot be judged (not JSON), or not be switched off,
# passes, is recorded as such, and is left to the sweep. The passage needs the setting and a role that may raise the
# latch, because any role can make a setting.
FUNCTION_BODY = """
DECLARE
  was_on boolean := false;
  now_on boolean;
  comes_new boolean := true;
BEGIN
  IF current_setting('kanban_rollback.passage', true) = {incident} THEN
    IF EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
               WHERE n.nspname = 'kanban_rollback' AND {passes}) THEN
      RETURN NEW;
    END IF;
  END IF;
  SELECT {rows} AND {is_on} INTO now_on FROM (SELECT NEW.*) AS t;
  IF now_on IS NOT TRUE THEN
    RETURN NEW;
  END IF;
  BEGIN
    IF TG_OP = 'UPDATE' THEN
      SELECT ({rows}) IS NOT TRUE OR {tenant} IS DISTINCT FROM (SELECT {tenant} FROM (SELECT NEW.*) AS t)
        INTO comes_new FROM (SELECT OLD.*) AS t;
    END IF;
    IF comes_new THEN
      SELECT EXISTS (SELECT FROM (SELECT t.* FROM {table} AS t
                                  WHERE {rows} AND {tenant} = (SELECT {tenant} FROM (SELECT NEW.*) AS t)
                                  OFFSET 0) AS t
                     WHERE {is_on})
          OR EXISTS (SELECT FROM (SELECT t.* FROM {table} AS t
                                  WHERE {rows} AND {tenant} IS NULL
                                    AND (SELECT {tenant} IS NULL FROM (SELECT NEW.*) AS t)
                                  OFFSET 0) AS t
                     WHERE {is_on})
          OR ({absent_is_on} OR {has_default} AND EXISTS (SELECT FROM {table} AS t
                                                         WHERE {rows} AND {is_on} AND {tenant} IS NULL))
             AND NOT row_security_active({oid}::oid)
             AND (SELECT {tenant} IS NOT NULL FROM (SELECT NEW.*) AS t)
             AND NOT EXISTS (SELECT FROM {table} AS t
                             WHERE {rows} AND {tenant} = (SELECT {tenant} FROM (SELECT NEW.*) AS t))
        INTO was_on;
    ELSE
      SELECT {is_on} INTO was_on FROM (SELECT OLD.*) AS t;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    was_on := false;
  END;
  IF was_on THEN
    RETURN NEW;
  END IF;
  PERFORM set_config('kanban_rollback.turned_back', json_build_object('incident', {incident}, 'flag', {flag},
                       'tenant', {tenant}::text, 'refused', ({leaf})::text)::text, true)
  FROM (SELECT NEW.*) AS t;
{switch_off}
  RETURN NEW;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    IF TG_OP = 'UPDATE' THEN
      comes_new := (SELECT {as_stored} FROM (SELECT NEW.*) AS t)
                   IS DISTINCT FROM (SELECT {as_stored} FROM (SELECT OLD.*) AS t);
    END IF;
    IF comes_new THEN
      PERFORM set_config('kanban_rollback.turned_back', json_build_object('incident', {incident}, 'flag', {flag},
                           'tenant', {tenant}::text, 'refused', 'passed: ' || SQLERRM)::text, true)
      FROM (SELECT NEW.*) AS t
      WHERE {rows};
    END IF;
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  RETURN NEW;
END
"""
SWITCH_OFF = "  SELECT {written} INTO NEW.{column_name} FROM (SELECT NEW.*) AS t;"
# The last member of a name counts, for PostgreSQL, Node and Python. So the flag is appended, at each step of its path
# to the last container of that name, and no character of the customer's is changed. A text that has no room for it is
# written anew.
SWITCH_OFF_DOCUMENT = """
  DECLARE
    here json;
    containers text[];
    body text;
    whole text := {value};
  BEGIN
    SELECT {column} INTO here FROM (SELECT NEW.*) AS t;
    FOR step IN 1 .. {steps} LOOP
      containers[step] := CASE WHEN json_typeof(here) = 'object' THEN here::text ELSE '{{}}' END;
      here := here -> (%(path)s::text[])[step];
    END LOOP;
    FOR step IN REVERSE {steps} .. 1 LOOP
      body := rtrim(containers[step], E' \\t\\r\\n');
      whole := left(body, -1) || CASE WHEN rtrim(left(body, -1), E' \\t\\r\\n') LIKE '%%{{' THEN '' ELSE ', ' END
               || (%(members)s::text[])[step] || ': ' || whole || '}}' || substr(containers[step], length(body) + 1);
    END LOOP;
    SELECT replace(whole, %(mark)s, %(escape)s) INTO NEW.{column_name};
  EXCEPTION WHEN OTHERS THEN
    SELECT {written} INTO NEW.{column_name} FROM (SELECT NEW.*) AS t;
  END;"""
# A json or text column as json, NULL if it is blank. jsonb refuses the escapes of U+0000 and of half a surrogate, and
# so does -> on json, wherever they stand. Each gets a mark in front of its digits, which makes it one that they read,
# and which is taken out again from what is written. A mark of the customer's gets one more. No JSON has the
# characters 1 and 2, which stand for an escaped backslash and a whole pair of surrogates meanwhile. A regular
# expression that looks behind takes 5 s for a text of 200 kB.
AS_JSON = """(
    SELECT CASE
      WHEN btrim(raw.content, E' \\t\\r\\n') = '' THEN NULL
      WHEN strpos(raw.content, %(escape)s) = 0 OR strpos(raw.content, chr(1)) + strpos(raw.content, chr(2)) > 0
        THEN raw.content
      ELSE replace(regexp_replace(regexp_replace(regexp_replace(
             replace(raw.content, %(backslashes)s, chr(1)),
             %(pair)s, chr(2) || %(both)s, 'gi'), %(unreadable)s, %(marked)s, 'gi'),
             chr(2) || '(....)(....)', %(pair_again)s, 'g'), chr(1), %(backslashes)s)
    END::json FROM (SELECT {content} AS content OFFSET 0) AS raw)"""
AS_JSON_VALUES = {
    "escape": "\\u",
    "mark": "\\uFfFd",
    "backslashes": "\\\\",
    "pair": "\\\\u(d[89ab][0-9a-f]{2})\\\\u(d[c-f][0-9a-f]{2})",
    "both": "\\1\\2",
    "unreadable": "\\\\u(0000|fffd|d[89a-f][0-9a-f]{2})",
    "marked": "\\\\uFfFd\\1",
    "pair_again": "\\\\u\\1\\\\u\\2",
}
# Whether a json value is on. No number of ours has five digits of exponent, which jsonb may not be able to keep.
JSON_IS_ON = """(
    SELECT COALESCE(CASE WHEN judged.leaf::text = ANY (%(off_values)s::text[]) THEN false
                         WHEN judged.leaf::text ~ '[0-9][eE][+-]?[0-9]{{5}}' THEN true
                         ELSE judged.leaf::text::jsonb <> ALL (%(off_values)s::text[]::jsonb[]) END, {absent})
    FROM (SELECT {leaf} AS leaf OFFSET 0) AS judged)"""
CREATE_FUNCTION = """
CREATE OR REPLACE FUNCTION kanban_rollback.{function}() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS {body}
"""
# A dormant latch is in the way of every save there is, so its function has no SET, which would cost something more.
CREATE_NO_OP = """
CREATE OR REPLACE FUNCTION kanban_rollback.{function}() RETURNS trigger
LANGUAGE plpgsql
AS 'BEGIN RETURN NEW; END'
"""
# What was turned back is recorded by a trigger of its own, right after the latch's, because whoever writes has no right
# to the ledger. It looks at nothing in the row. Any session can make the setting, and so add a line to an incident
# whose latch is up.
CREATE_NOTE = """
CREATE OR REPLACE FUNCTION kanban_rollback.{notes}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS {body}
"""
NOTE_BODY = """
DECLARE
  noted jsonb;
BEGIN
  BEGIN
    noted := current_setting('kanban_rollback.turned_back')::jsonb;
    IF noted ->> 'incident' = obj_description(to_regprocedure(%(function)s)::oid, 'pg_proc') THEN
      INSERT INTO kanban_rollback.latched (incident_id, flag, tenant, refused)
      VALUES (noted ->> 'incident', noted ->> 'flag', noted ->> 'tenant', noted ->> 'refused');
    END IF;
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  PERFORM set_config('kanban_rollback.turned_back', '', true);
  RETURN NEW;
END
"""
# By default everybody may call a function, and so make a trigger of it on a table of their own. Owners of ours may call
# the latch's, or could not add a partition, to which its trigger is copied. Replacing a function keeps who may call it.
SHUT = "REVOKE ALL ON FUNCTION kanban_rollback.{function}() FROM PUBLIC"
LET_COPY = "GRANT EXECUTE ON FUNCTION kanban_rollback.{function}() TO {owner}"
# For each owner of the table and of what is below it: whether functions are shut, and whether it may copy triggers.
CALLERS = """
WITH RECURSIVE tree(relation) AS (
  SELECT %(table)s::oid
  UNION
  SELECT i.inhrelid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.relation
)
SELECT pg_get_userbyid(c.relowner)::text, bool_and(NOT has_function_privilege('public', p.oid, 'EXECUTE')),
       bool_and(has_function_privilege(c.relowner, p.oid, 'EXECUTE'))
FROM tree
JOIN pg_class AS c ON c.oid = tree.relation AND c.relkind IN ('r', 'p')
JOIN pg_proc AS p ON p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = ANY (%(functions)s)
GROUP BY 1
ORDER BY 1
"""
# Of every flag, also of those that are configured no longer: functions that are not shut, whose they are, the line that
# shuts each, and whether it is ours to type.
NOT_SHUT = """
SELECT p.proname::text, p.proowner::regrole::text,
       format('REVOKE ALL ON FUNCTION kanban_rollback.%%I() FROM PUBLIC;', p.proname), pg_has_role(p.proowner, 'USAGE')
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
WHERE p.proname LIKE 'latch\\_%%' AND p.pronargs = 0 AND has_function_privilege('public', p.oid, 'EXECUTE')
ORDER BY 1
"""
# Who may pass: members of the role that made it, and roles that may raise a dormant one.
OWNER_PASSES = "p.proname = {function} AND pg_has_role(session_user, p.proowner, 'MEMBER')"
RAISER_PASSES = """
p.proname = {raises} AND (pg_has_role(session_user, p.proowner, 'MEMBER')
                          OR has_function_privilege(session_user, p.oid, 'EXECUTE'))
"""
# Whose latch it is; NULL, which removes the comment, for a latch that lets everything pass.
NAME_HOLDER = "COMMENT ON FUNCTION kanban_rollback.{function}() IS {incident}"
HOLDER = """
SELECT obj_description(p.oid, 'pg_proc'),
       pg_has_role(session_user, p.proowner, 'MEMBER')
         OR COALESCE(has_function_privilege(session_user, r.oid, 'EXECUTE'), false),
       p.proowner::regrole::text,
       CASE WHEN NOT has_function_privilege(session_user, r.oid, 'EXECUTE')
            THEN format('GRANT EXECUTE ON FUNCTION %%s TO %%I;', r.oid::regprocedure, session_user) END
FROM pg_proc AS p
LEFT JOIN pg_proc AS r ON r.pronamespace = p.pronamespace AND r.proname = 'raise_' || p.proname
WHERE p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = %(function)s
"""
# A dormant latch is raised and lowered through its owner's functions, by a role that owns nothing and without a lock on
# the table. The incident is the caller's only argument; it goes into the body as a literal.
CREATE_RAISE = """
CREATE OR REPLACE FUNCTION kanban_rollback.{raises}(incident text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS {body}
"""
_IN_TURN = """
BEGIN
  BEGIN
    PERFORM pg_advisory_xact_lock({lock});
  EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    NULL;
  END;
  {pass}
  FOR try IN 1..3 LOOP
    BEGIN
{work}
      EXIT;
    EXCEPTION WHEN internal_error THEN
      IF try = 3 THEN
        RAISE;
      END IF;
    END;
  END LOOP;
  {as_before}
END
""".replace("{pass}", AS_REPLICA).replace("{as_before}", AS_BEFORE)
RAISE_BODY = _IN_TURN.replace(
    "{work}",
    """\
      EXECUTE format({create}, replace({refusing}, {marker}, quote_literal(incident)));
      EXECUTE format({comment}, incident);""",
)
CREATE_LOWER = """
CREATE OR REPLACE FUNCTION kanban_rollback.{lowers}() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS {body}
"""
LOWER_BODY = _IN_TURN.replace(
    "{work}",
    """\
      EXECUTE {no_op};
      EXECUTE format({comment}, NULL);""",
)
CLOSE = "REVOKE ALL ON FUNCTION kanban_rollback.{raises}(text), kanban_rollback.{lowers}() FROM PUBLIC"
GRANT = "GRANT EXECUTE ON FUNCTION kanban_rollback.{raises}(text), kanban_rollback.{lowers}() TO {role}"
GRANTED = """
SELECT COALESCE(bool_and(has_function_privilege(role, p.oid, 'EXECUTE')), true)
FROM pg_proc AS p, unnest(%(roles)s::text[]) AS role
WHERE p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = ANY (%(functions)s)
"""
# Latches that run with the rights of whoever made them, as an older version has it, and the incident of one that is up.
DEFINERS = """
SELECT p.proname::text, obj_description(p.oid, 'pg_proc')
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
WHERE p.proname LIKE 'latch\\_%%' AND p.pronargs = 0 AND p.prosecdef
ORDER BY 1
"""
DROP_DORMANT = "DROP FUNCTION IF EXISTS kanban_rollback.{raises}(text), kanban_rollback.{lowers}()"
RAISE = "SELECT kanban_rollback.{raises}(%(incident)s)"
LOWER = "SELECT kanban_rollback.{lowers}()"
# The functions' source, to see whether what is installed is what would be installed.
SOURCES = """
SELECT p.proname::text, p.prosrc FROM pg_proc AS p
WHERE p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = ANY (%(functions)s)
"""
CREATE_TRIGGER = """
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE OF {guarded} ON {table}
FOR EACH ROW EXECUTE FUNCTION kanban_rollback.{function}()
"""
CREATE_NOTE_TRIGGER = """
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE OF {guarded} ON {table}
FOR EACH ROW WHEN (pg_catalog.current_setting('kanban_rollback.turned_back', true) OPERATOR(pg_catalog.<>) '')
EXECUTE FUNCTION kanban_rollback.{function}()
"""
# Without it, session_replication_role = replica would bypass the latch.
ENABLE_ALWAYS = "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
TRIGGER_EXISTS = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %(table)s AND tgname = %(trigger)s)"
STANDS = """
SELECT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
               WHERE t.tgrelid = %(table)s AND t.tgname = %(trigger)s AND t.tgenabled = 'A'
                 AND p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = %(function)s)
"""
# Whether a trigger names all of these columns: a row comes into a key or a tenant by an update as well.
COVERS = """
SELECT EXISTS (SELECT FROM pg_trigger AS t
               WHERE t.tgrelid = %(table)s AND t.tgname = %(trigger)s
                 AND NOT EXISTS (SELECT FROM unnest(%(columns)s::text[]) AS wanted(name)
                                 LEFT JOIN pg_attribute AS a ON a.attrelid = t.tgrelid AND a.attname = wanted.name
                                 WHERE (a.attnum = ANY (t.tgattr)) IS NOT TRUE))
"""
# Before any incident, for one flag: is a dormant latch installed, and may this role raise it; is its trigger on these
# very columns (a trigger follows a renamed column), for each inserted or updated row, in every role; and, without one,
# may this role make it during an incident: only the table's owner makes it fire in every role.
AHEAD = """
SELECT r.oid IS NOT NULL, COALESCE(has_function_privilege(r.oid, 'EXECUTE'), false),
       EXISTS (SELECT FROM pg_trigger AS t
               WHERE t.tgrelid = c.oid AND t.tgname = %(trigger)s AND t.tgfoid = l.oid AND t.tgenabled = 'A'
                 AND t.tgtype = 23
                 AND NOT EXISTS (SELECT FROM unnest(%(columns)s::text[]) AS wanted(name)
                                 LEFT JOIN pg_attribute AS a ON a.attrelid = t.tgrelid AND a.attname = wanted.name
                                 WHERE (a.attnum = ANY (t.tgattr)) IS NOT TRUE)),
       pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
         AND COALESCE(pg_has_role(l.proowner, 'USAGE'), true)
FROM pg_namespace AS n
JOIN pg_class AS c ON c.oid = %(table)s
LEFT JOIN pg_proc AS l ON l.pronamespace = n.oid AND l.proname = %(function)s
LEFT JOIN pg_proc AS r ON r.pronamespace = n.oid AND r.proname = 'raise_' || %(function)s
WHERE n.nspname = 'kanban_rollback'
"""
DROP_TRIGGER = "DROP TRIGGER IF EXISTS {trigger} ON {table}; DROP TRIGGER IF EXISTS {note_trigger} ON {table}"
DROP_FUNCTION = "DROP FUNCTION IF EXISTS kanban_rollback.{function}(), kanban_rollback.{notes}()"

# All latches, ours by schema and name, each with whether it is a dormant one that we may lower or leave; of a
# partitioned table only the trigger on the parent, which can be dropped.
LATCHES = """
SELECT p.proname::text, t.tgname::text, n.nspname::text, c.relname::text, obj_description(p.oid, 'pg_proc'),
       EXISTS (SELECT FROM pg_proc AS l WHERE l.pronamespace = p.pronamespace AND l.proname = 'lower_' || p.proname)
FROM pg_proc AS p
JOIN pg_namespace AS pn ON pn.oid = p.pronamespace AND pn.nspname = 'kanban_rollback'
LEFT JOIN pg_trigger AS t ON t.tgfoid = p.oid AND t.tgparentid = 0
LEFT JOIN pg_class AS c ON c.oid = t.tgrelid
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE p.proname LIKE 'latch\\_%%'
"""
# How many writes were turned back under an incident, of how many tenants, and how many passed unjudged.
LATCHED = """
SELECT count(*) FILTER (WHERE NOT passed), count(DISTINCT tenant) FILTER (WHERE NOT passed),
       count(*) FILTER (WHERE passed)
FROM (SELECT tenant, COALESCE(refused LIKE 'passed: %%', false) AS passed
      FROM kanban_rollback.latched WHERE incident_id = %(incident)s) AS noted
"""
# What a role that may not lower a latch has to become, and, for a dormant one, what would grant it.
LOWERED_BY = """
SELECT p.proowner::regrole::text,
       CASE WHEN l.oid IS NOT NULL
            THEN format('GRANT EXECUTE ON FUNCTION %%s TO %%I;', l.oid::regprocedure, session_user) END
FROM pg_proc AS p
LEFT JOIN pg_proc AS l ON l.pronamespace = p.pronamespace AND l.proname = 'lower_' || p.proname
WHERE p.pronamespace = 'kanban_rollback'::regnamespace AND p.proname = %(function)s
"""
