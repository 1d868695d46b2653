# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the fence: triggers that refuse writes, and the functions that raise, try and lower it.

What stands here as a block runs in two ways: as ``DO`` by a role that owns the fence's functions, and as the body of a
SECURITY DEFINER function for a role that owns nothing. Both take ``request`` (jsonb) and give ``answer`` (jsonb).
"""

from __future__ import annotations

# The installed fence lets everything pass. A body without SECURITY DEFINER, SET or a query costs 3 to 5 % of a single
# row's INSERT; one that reads a row costs 15 to 18 %. NEW is null in a statement's trigger, the row in a row's.
DORMANT_BODY = "BEGIN RETURN NEW; END"

# A text for format(): incident, who may pass (JSON array), since when, raised by whom. The passage needs the setting
# and membership of session_user in one of our roles: any role can make a setting, and in a cascade current_user is
# the table's owner. KB is a class of its own: no retry loop of an application knows it.
REFUSING_BODY = """
DECLARE
  incident CONSTANT text := %1$L;
BEGIN
  IF current_setting('kanban_rollback.passage', true) = incident THEN
    IF EXISTS (SELECT FROM pg_roles AS r
               WHERE r.rolname IN (SELECT jsonb_array_elements_text(%2$L::jsonb))
                 AND pg_has_role(session_user, r.oid, 'MEMBER')) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION USING
    ERRCODE = 'KB001',
    SCHEMA = TG_TABLE_SCHEMA,
    TABLE = TG_TABLE_NAME,
    MESSAGE = 'kanban is write-protected: incident ' || incident
              || ' (' || TG_OP || ' of "' || TG_TABLE_NAME || '" refused)',
    DETAIL = 'The fence of chatia.kanban_rollback stands since ' || %3$L || ', raised by ' || %4$L || '.',
    HINT = 'Do not retry: nothing was written, and nothing will be until the fence is lowered '
           '(release.yml of this incident, or the module write_fence with state absent).';
END
"""

# Everything about one fence is in its trigger function: the body decides, the comment (JSON) says whose it is. So a
# raise is one transaction that takes no table's lock and needs no table of ours.
# Another operator may just have removed it all, so the schema is looked up in a way that finds nothing.
_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = 'kanban_rollback')"
_FENCES_ASKED = """
    SELECT p.proname, p.prosrc, obj_description(p.oid, 'pg_proc')::jsonb AS state
    FROM pg_proc AS p
    WHERE p.pronamespace = {schema} AND p.prorettype = 'trigger'::regtype
      AND starts_with(p.proname::text, 'fence_') AND obj_description(p.oid, 'pg_proc') LIKE '{%}'
      AND COALESCE((request -> 'fences') ? p.proname::text, true)
    ORDER BY p.proname
"""
# Replacing one function from two sessions at once is an error of the server's ("tuple concurrently updated"), so all
# who do take turns; lock_timeout bounds the wait. The number is arbitrary, and ours alone.
_LOCK = "SELECT pg_advisory_xact_lock(118075163402607)"
LOCK = _LOCK
_TAKE_TURNS = "PERFORM pg_advisory_xact_lock(118075163402607);"

# A fence that is raised already is kept, whoever raised it: its prior state must not be lost under another incident.
_RAISE = """
  {take_turns}
  since := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
  FOR fence IN {fences} LOOP
    state := fence.state;
    IF state ? 'incident' AND fence.prosrc = format($refusal${refusal}$refusal$, state ->> 'incident',
         state ->> 'passers', state ->> 'raised_at', state ->> 'raised_by') THEN
      CONTINUE;
    END IF;
    state := (state - 'drained') || jsonb_build_object('incident', request ->> 'incident', 'raised_at', since,
               'raised_by', COALESCE(request ->> 'by', session_user::text));
    EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql '
                   'SET search_path = pg_catalog, pg_temp AS %L', fence.proname,
                   format($refusal${refusal}$refusal$, state ->> 'incident', state ->> 'passers',
                          state ->> 'raised_at', state ->> 'raised_by'));
    EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname, state);
    changed := changed || to_jsonb(fence.proname::text);
  END LOOP;
  answer := jsonb_build_object('fences', changed, 'at', since);
"""
# Lowering is the way back to the dormant body. "incidents" are the names of one incident; "force" lowers any.
_LOWER = """
  {take_turns}
  FOR fence IN {fences} LOOP
    state := fence.state;
    IF state ? 'incident' AND NOT COALESCE((request -> 'incidents') ? (state ->> 'incident'), false)
       AND NOT COALESCE((request ->> 'force')::boolean, false) THEN
      CONTINUE;
    END IF;
    IF NOT state ? 'incident' AND fence.prosrc = '{dormant}' THEN
      CONTINUE;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql AS %L',
                   fence.proname, '{dormant}');
    EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname,
                   state - 'incident' - 'raised_at' - 'raised_by' - 'drained');
    changed := changed || to_jsonb(fence.proname::text);
  END LOOP;
  answer := jsonb_build_object('fences', changed);
"""
# The canary: a statement of each fenced kind that meets no row. A statement's trigger fires all the same. What is not
# refused is undone at once, the triggers of the application that it set off included. A row's trigger cannot be tried
# without a row, and TRUNCATE locks the table before its trigger fires: for those the catalog has to do.
_TRY = """
  FOR fence IN
    SELECT DISTINCT ON (t.tgrelid, canary.operation) t.tgrelid, canary.operation, canary.statement
    FROM ({fences}) AS asked
    JOIN pg_proc AS p ON p.pronamespace = {schema} AND p.proname = asked.proname
    JOIN pg_trigger AS t ON t.tgfoid = p.oid AND t.tgtype & 1 = 0
    JOIN pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
      SELECT a.attname FROM pg_attribute AS a
      WHERE a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
        AND (cardinality(t.tgattr::int2[]) = 0 OR a.attnum = ANY (t.tgattr::int2[]))
      ORDER BY a.attnum LIMIT 1) AS first
    CROSS JOIN LATERAL (VALUES
      ('INSERT', 4, format('INSERT INTO %I.%I SELECT WHERE false', n.nspname, c.relname)),
      ('UPDATE', 16, format('UPDATE ONLY %I.%I SET %I = DEFAULT WHERE false', n.nspname, c.relname, first.attname)),
      ('DELETE', 8, format('DELETE FROM ONLY %I.%I WHERE false', n.nspname, c.relname))
    ) AS canary(operation, bit, statement)
    WHERE t.tgtype & canary.bit <> 0
    ORDER BY t.tgrelid, canary.operation
  LOOP
    BEGIN
      EXECUTE fence.statement;
      RAISE EXCEPTION USING ERRCODE = 'KB002', MESSAGE = 'the canary was not refused';
    EXCEPTION
      WHEN SQLSTATE 'KB001' THEN verdict := 'refused';
      WHEN SQLSTATE 'KB002' THEN verdict := 'passed';
      WHEN OTHERS THEN verdict := SQLSTATE || ' ' || SQLERRM;
    END;
    changed := changed || jsonb_build_array(jsonb_build_array(fence.tgrelid::bigint, fence.operation, verdict));
  END LOOP;
  answer := jsonb_build_object('tried', changed);
"""
# The end of the drain is where the recovery point counts from, so the fence itself keeps it, once per raise.
_NOTE = """
  {take_turns}
  FOR fence IN {fences} LOOP
    state := fence.state;
    IF state ? 'incident' AND NOT state ? 'drained' AND (request -> 'drained') ? fence.proname::text THEN
      EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname,
                     state || jsonb_build_object('drained', request -> 'drained' -> fence.proname::text));
      changed := changed || to_jsonb(fence.proname::text);
    END IF;
  END LOOP;
  answer := jsonb_build_object('fences', changed);
"""

_VARIABLES = """
  fence record;
  state jsonb;
  since text;
  verdict text;
  changed jsonb := '[]';
"""
_AS_FUNCTION = "DECLARE\n  answer jsonb;{variables}BEGIN{block}  RETURN answer;\nEND\n"
_AS_DO = (
    "DECLARE\n  request CONSTANT jsonb := current_setting('kanban_rollback.request')::jsonb;\n  answer jsonb;"
    "{variables}BEGIN{block}  PERFORM set_config('kanban_rollback.answer', answer::text, true);\nEND\n"
)


def _filled(shape: str, block: str) -> str:
    parts = {
        "variables": _VARIABLES,
        "block": block,
        "take_turns": _TAKE_TURNS,
        "fences": _FENCES_ASKED,
        "schema": _SCHEMA,
        "refusal": REFUSING_BODY,
        "dormant": DORMANT_BODY,
    }
    for name, text in parts.items():
        shape = shape.replace("{" + name + "}", text)
    return shape


_BLOCKS = {"fence_raise": _RAISE, "fence_lower": _LOWER, "fence_try": _TRY, "fence_note": _NOTE}
# The same four, by the name of the function that a role without ownership calls, and as a body for DO.
FUNCTIONS = {name: _filled(_AS_FUNCTION, block) for name, block in _BLOCKS.items()}
BLOCKS = {name: _filled(_AS_DO, block) for name, block in _BLOCKS.items()}

DO = "DO LANGUAGE plpgsql %(body)s"
# Names in a block are PostgreSQL's own, whatever the role's search_path says.
REQUEST = """
SELECT set_config('kanban_rollback.request', %(request)s, true), set_config('search_path', 'pg_catalog, pg_temp', true)
"""
ANSWER = "SELECT current_setting('kanban_rollback.answer')"
CALL = "SELECT kanban_rollback.{function}(%(request)s::jsonb)::text"

CREATE_HELPER = """
CREATE OR REPLACE FUNCTION kanban_rollback.{function}(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS %(body)s
"""
REVOKE_HELPER = "REVOKE ALL ON FUNCTION kanban_rollback.{function}(jsonb) FROM {role}"
GRANT_HELPER = "GRANT EXECUTE ON FUNCTION kanban_rollback.{function}(jsonb) TO {role}"
DROP_HELPER = "DROP FUNCTION IF EXISTS kanban_rollback.{function}(jsonb)"
CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS kanban_rollback; REVOKE ALL ON SCHEMA kanban_rollback FROM PUBLIC"
GRANT_USAGE = "GRANT USAGE ON SCHEMA kanban_rollback TO {role}"
REVOKE_USAGE = "REVOKE USAGE ON SCHEMA kanban_rollback FROM {role}"
HAS_USAGE = "SELECT has_schema_privilege(%(role)s, 'kanban_rollback', 'USAGE')"
# Who was let into the schema for the fence alone, and needs it for nothing else there (the ledger's tables).
NEEDS_USAGE_NO_MORE = """
SELECT r.rolname::text FROM pg_roles AS r
WHERE r.rolname = ANY (%(roles)s::text[])
  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = 'kanban_rollback')
  AND NOT EXISTS (SELECT FROM pg_class AS c
                  JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'kanban_rollback'
                  WHERE c.relkind = 'r' AND has_table_privilege(r.oid, c.oid, 'SELECT'))
"""
# Kept beside one of the functions, for the day they go.
NOTE_LET_IN = "COMMENT ON FUNCTION kanban_rollback.fence_raise(jsonb) IS %(note)s"
LET_IN = """
SELECT COALESCE((obj_description(to_regprocedure('kanban_rollback.fence_raise(jsonb)')::oid, 'pg_proc')::jsonb
                 -> 'let_in')::text, '[]')
"""
# Only where nothing is left in it: with the ledger in it the schema is not ours to drop.
SCHEMA_IS_EMPTY = """
SELECT EXISTS (SELECT FROM pg_namespace AS n
               WHERE n.nspname = 'kanban_rollback' AND pg_has_role(n.nspowner, 'USAGE')
                 AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
                 AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
                 AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = n.oid))
"""
DROP_SCHEMA = "DROP SCHEMA kanban_rollback"

CREATE_FUNCTION = """
CREATE OR REPLACE FUNCTION kanban_rollback.{function}() RETURNS trigger LANGUAGE plpgsql AS %(body)s
"""
REVOKE_FUNCTION = "REVOKE ALL ON FUNCTION kanban_rollback.{function}() FROM PUBLIC"
COMMENT_FUNCTION = "COMMENT ON FUNCTION kanban_rollback.{function}() IS %(state)s"
DROP_FUNCTION = "DROP FUNCTION IF EXISTS kanban_rollback.{function}()"
# Both as ONLY: what is below gets its own. SHARE ROW EXCLUSIVE is what CREATE TRIGGER takes: it waits for open writers,
# and readers go on.
LOCK_TABLE = "LOCK TABLE ONLY {relation} IN SHARE ROW EXCLUSIVE MODE"
TRIGGER_EXISTS = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %(relation)s AND tgname = %(trigger)s)"
CREATE_STATEMENT_TRIGGER = """
CREATE TRIGGER {trigger} BEFORE {events} ON {relation}
FOR EACH STATEMENT EXECUTE FUNCTION kanban_rollback.{function}()
"""
CREATE_ROW_TRIGGER = """
CREATE TRIGGER {trigger} BEFORE UPDATE ON {relation}
FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION kanban_rollback.{function}()
"""
# Without it, session_replication_role = replica would pass.
ENABLE_ALWAYS = "ALTER TABLE ONLY {relation} ENABLE ALWAYS TRIGGER {trigger}"
DROP_TRIGGER = "DROP TRIGGER IF EXISTS {trigger} ON {relation}"
