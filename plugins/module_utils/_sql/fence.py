# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the fence: triggers that refuse writes, and the functions that raise, try and lower it.

A block runs in two ways: as ``DO`` by a role that owns the fence's functions, and as the body of a SECURITY DEFINER
function for a role that owns nothing. Both take ``request`` (jsonb) and return ``answer`` (jsonb).
"""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.guards import AS_BEFORE, AS_REPLICA

# The installed fence lets everything pass. A body without SECURITY DEFINER, SET or a query costs 3 to 5 % of a single
# row's INSERT; one that reads a row costs 15 to 18 %. NEW is null in a statement trigger, and the row in a row trigger.
DORMANT_BODY = "BEGIN RETURN NEW; END"

# A template for format(): incident, who may pass (JSON array), since when, raised by whom. The passage needs the
# setting and membership of session_user in one of our roles, because any role can make a setting, and in a cascade
# current_user is the table's owner. KB is an error class of its own: no retry loop of an application knows it.
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
    HINT = 'Do not retry: nothing is written until the fence is lowered '
           '(release.yml of this incident, or the module write_fence with state absent).';
END
"""

# Everything about one fence is in its trigger function: the body decides, the comment (JSON) says whose it is. So a
# raise is one transaction that takes no table's lock and needs no table of ours.
# Another operator may just have removed it all, so the lookup of the schema does not fail if it is gone.
_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = 'kanban_rollback')"
_FENCES_ASKED = """
    SELECT p.proname, p.prosrc, obj_description(p.oid, 'pg_proc')::jsonb AS state
    FROM pg_proc AS p
    WHERE p.pronamespace = {schema} AND p.prorettype = 'trigger'::regtype
      AND starts_with(p.proname::text, 'fence_') AND obj_description(p.oid, 'pg_proc') LIKE '{%}'
      AND COALESCE((request -> 'fences') ? p.proname::text, true)
    ORDER BY p.proname
"""
# If two sessions replace one function at once, the server raises an error ("tuple concurrently updated"), so all who do
# it take turns; lock_timeout bounds the wait. The number is arbitrary, and ours alone.
LOCK = "SELECT pg_advisory_xact_lock(118075163402607)"
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(118075163402607)"
# Any login can hold such a lock for as long as it likes. Without it the worst that can happen is that error.
_TAKE_TURNS = """
  BEGIN
    PERFORM pg_advisory_xact_lock(118075163402607);
  EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    NULL;
  END;
"""

# A fence that is already raised stays, whoever raised it: another incident joins ("also"), and the fence is lowered
# with the last of them. A failure at one fence does not keep the others from being raised.
# Somebody who replaces the same function at the same moment is waited for, and then asks for another try.
_EACH = """
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      RAISE;
    WHEN internal_error THEN
      RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = SQLERRM;
    WHEN OTHERS THEN"""
_HOLDERS = """
      CASE WHEN state ? 'incident' THEN jsonb_build_array(state -> 'incident') ELSE '[]' END
      || COALESCE(state -> 'also', '[]')"""
_RAISE = """
  IF COALESCE(btrim(request ->> 'incident'), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'an incident is needed to raise the fence';
  END IF;
  {take_turns}
  since := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
  FOR fence IN {fences} LOOP
    state := fence.state;
    verdict := NULL;
    IF NOT state ? 'incident' THEN
      verdict := 'raised';
      state := (state - 'drained' - 'also') || jsonb_build_object('incident', request ->> 'incident',
                 'raised_at', since, 'raised_by', COALESCE(request ->> 'by', session_user::text));
    ELSIF NOT ({holders}) ? (request ->> 'incident') THEN
      verdict := 'joined';
      state := jsonb_set(state, '{also}', COALESCE(state -> 'also', '[]') || jsonb_build_array(request -> 'incident'));
    END IF;
    body := format($refusal${refusal}$refusal$, state ->> 'incident', state ->> 'passers', state ->> 'raised_at',
                   state ->> 'raised_by');
    IF verdict IS DISTINCT FROM 'raised' AND fence.prosrc <> body THEN
      -- Another version of ours raised it in other words, or somebody rewrote it.
      verdict := 'raised';
      state := state - 'drained';
    END IF;
    BEGIN
      IF fence.prosrc <> body THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql '
                       'SET search_path = pg_catalog, pg_temp AS %L', fence.proname, body);
      END IF;
      IF verdict IS NOT NULL THEN
        EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname, state);
        changed := changed || jsonb_build_array(jsonb_build_array(fence.proname, verdict));
      END IF;
{each}
      changed := changed || jsonb_build_array(jsonb_build_array(fence.proname, 'failed', SQLSTATE, SQLERRM));
    END;
  END LOOP;
  {as_before}
  answer := jsonb_build_object('fences', changed, 'at', since);
"""
# Lowering restores the dormant body. "incidents" are the names of one incident; "force" lowers any. If another incident
# has joined, the fence is handed on to it and stays up.
_LOWER = """
  {take_turns}
  FOR fence IN {fences} LOOP
    state := fence.state;
    holders := {holders};
    left_over := '[]';
    IF NOT COALESCE((request ->> 'force')::boolean, false) THEN
      SELECT COALESCE(jsonb_agg(holder ORDER BY place), '[]') INTO left_over
      FROM jsonb_array_elements_text(holders) WITH ORDINALITY AS asked(holder, place)
      WHERE NOT COALESCE((request -> 'incidents') ? holder, false);
    END IF;
    IF (left_over <> '[]' AND left_over = holders) OR (holders = '[]' AND fence.prosrc = '{dormant}') THEN
      CONTINUE;
    END IF;
    IF left_over = '[]' THEN
      verdict := 'lowered';
      state := state - 'incident' - 'also' - 'raised_at' - 'raised_by' - 'drained';
      body := '{dormant}';
    ELSE
      verdict := 'handed on';
      state := state || jsonb_build_object('incident', left_over -> 0, 'also', left_over - 0);
      body := format($refusal${refusal}$refusal$, state ->> 'incident', state ->> 'passers', state ->> 'raised_at',
                     state ->> 'raised_by');
    END IF;
    BEGIN
      EXECUTE format('CREATE OR REPLACE FUNCTION kanban_rollback.%I() RETURNS trigger LANGUAGE plpgsql %s AS %L',
                     fence.proname,
                     CASE WHEN left_over <> '[]' THEN 'SET search_path = pg_catalog, pg_temp' ELSE '' END, body);
      EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname, state);
      changed := changed || jsonb_build_array(jsonb_build_array(fence.proname, verdict));
{each}
      changed := changed || jsonb_build_array(jsonb_build_array(fence.proname, 'failed', SQLSTATE, SQLERRM));
    END;
  END LOOP;
  {as_before}
  answer := jsonb_build_object('fences', changed);
"""
# The canary: a statement of each fenced kind that matches no row. A statement trigger fires all the same. What is not
# refused is undone at once, including what triggers of the application did. A row trigger cannot be tried without a
# row, and TRUNCATE locks the table before its trigger fires: for those the catalog has to do. The same holds if a
# trigger of the application would fire before ours: it would run with the rights of the role that tries. So would a
# default or a policy of the table's owner, even if no row matches. So each tries the tables of its own role alone, and
# for each other owner of an installed fence's tables there is one more function, which that owner owns.
_TRY = """
  FOR fence IN
    SELECT DISTINCT ON (t.tgrelid, canary.operation) t.tgrelid, canary.operation, canary.statement,
           p.prosrc = '{dormant}' AS passes,
           c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) AS strange,
           (SELECT min(o.tgname) FROM pg_trigger AS o
            WHERE o.tgrelid = t.tgrelid AND NOT o.tgisinternal AND o.tgenabled <> 'D' AND o.tgtype & 3 = 2
              AND o.tgtype & canary.bit <> 0 AND o.tgname < t.tgname
              AND o.tgfoid NOT IN (SELECT f.oid FROM pg_proc AS f WHERE f.pronamespace = {schema})) AS earlier
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
      IF fence.passes THEN
        RAISE EXCEPTION USING ERRCODE = 'KB002', MESSAGE = 'it lets everything pass';
      ELSIF fence.earlier IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'KB003', MESSAGE = fence.earlier;
      ELSIF fence.strange THEN
        RAISE EXCEPTION USING ERRCODE = 'KB003', MESSAGE = 'the rights of its owner';
      END IF;
      EXECUTE fence.statement;
      RAISE EXCEPTION USING ERRCODE = 'KB002', MESSAGE = 'the canary was not refused';
    EXCEPTION
      WHEN SQLSTATE 'KB001' THEN verdict := 'refused';
      WHEN SQLSTATE 'KB002' THEN verdict := 'passed';
      WHEN SQLSTATE 'KB003' THEN verdict := 'behind ' || SQLERRM;
      WHEN insufficient_privilege THEN verdict := 'behind the rights of its owner';
      WHEN OTHERS THEN verdict := SQLSTATE || ' ' || SQLERRM;
    END;
    changed := changed || jsonb_build_array(jsonb_build_array(fence.tgrelid::bigint, fence.operation, verdict));
  END LOOP;
  answer := jsonb_build_object('tried', changed);
"""
# The recovery point counts from the end of the drain, so the fence itself keeps it, once per raise.
_NOTE = """
  {take_turns}
  FOR fence IN {fences} LOOP
    state := fence.state;
    IF state ? 'incident' AND NOT state ? 'drained' AND (request -> 'drained') ? fence.proname::text THEN
      EXECUTE format('COMMENT ON FUNCTION kanban_rollback.%I() IS %L', fence.proname,
                     state || jsonb_build_object('drained', request -> 'drained' -> fence.proname::text));
      changed := changed || jsonb_build_array(jsonb_build_array(fence.proname, 'noted'));
    END IF;
  END LOOP;
  {as_before}
  answer := jsonb_build_object('fences', changed);
"""

_VARIABLES = """
  fence record;
  state jsonb;
  since text;
  verdict text;
  body text;
  holders jsonb;
  left_over jsonb;
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
        "take_turns": _TAKE_TURNS + AS_REPLICA,
        "as_before": AS_BEFORE,
        "fences": _FENCES_ASKED,
        "schema": _SCHEMA,
        "each": _EACH,
        "holders": _HOLDERS,
        "refusal": REFUSING_BODY,
        "dormant": DORMANT_BODY,
    }
    for name, text in parts.items():
        shape = shape.replace("{" + name + "}", text)
    return shape


_BLOCKS = {"fence_raise": _RAISE, "fence_lower": _LOWER, "fence_try": _TRY, "fence_note": _NOTE}
# The same four by function name: as functions that a role without ownership calls, and as bodies for DO.
FUNCTIONS = {name: _filled(_AS_FUNCTION, block) for name, block in _BLOCKS.items()}
BLOCKS = {name: _filled(_AS_DO, block) for name, block in _BLOCKS.items()}
TRY = "fence_try"
# What the functions are called with which canaries are sent in the name of one owner.
TRY_AS = "fence_try_as_"

DO = "DO LANGUAGE plpgsql %(body)s"
# Names in a block resolve to PostgreSQL's own, whatever the role's search_path says.
REQUEST = """
SELECT set_config('kanban_rollback.request', %(request)s, true), set_config('search_path', 'pg_catalog, pg_temp', true)
"""
ANSWER = "SELECT current_setting('kanban_rollback.answer')"
CALL = "SELECT kanban_rollback.{function}(%(request)s::jsonb)::text"
