# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that creates, grants and drops what a fence consists of: functions, triggers, the schema."""

from __future__ import annotations

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
# Roles that were let into the schema for the fence alone, and need it for nothing else there (the ledger's tables).
NEEDS_USAGE_NO_MORE = """
SELECT r.rolname::text FROM pg_roles AS r
WHERE r.rolname = ANY (%(roles)s::text[])
  AND EXISTS (SELECT FROM pg_namespace WHERE nspname = 'kanban_rollback')
  AND NOT EXISTS (SELECT FROM pg_class AS c
                  JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'kanban_rollback'
                  WHERE c.relkind = 'r' AND has_table_privilege(r.oid, c.oid, 'SELECT'))
"""
# Kept as the comment of one of the functions, for the day when they are dropped.
NOTE_LET_IN = "COMMENT ON FUNCTION kanban_rollback.fence_raise(jsonb) IS %(note)s"
LET_IN = """
SELECT COALESCE((obj_description(to_regprocedure('kanban_rollback.fence_raise(jsonb)')::oid, 'pg_proc')::jsonb
                 -> 'let_in')::text, '[]')
"""
# Only if nothing is left in it: with the ledger in it the schema is not ours to drop.
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
# Without it a table's owner could not add a partition, to which the trigger is copied.
LET_COPY = "GRANT EXECUTE ON FUNCTION kanban_rollback.{function}() TO {owner}"
COMMENT_FUNCTION = "COMMENT ON FUNCTION kanban_rollback.{function}() IS %(state)s"
DROP_FUNCTION = "DROP FUNCTION IF EXISTS kanban_rollback.{function}()"
# Both use ONLY: the tables below get their own. SHARE ROW EXCLUSIVE is what CREATE TRIGGER takes: it waits for open
# writers, while readers go on.
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
# Without it, session_replication_role = replica would bypass the fence.
ENABLE_ALWAYS = "ALTER TABLE ONLY {relation} ENABLE ALWAYS TRIGGER {trigger}"
DROP_TRIGGER = "DROP TRIGGER IF EXISTS {trigger} ON {relation}"
# First the table's lock, then our turn, so that a raise never waits for a table. Who holds the fence by then decides.
LOCK_TO_DROP = "LOCK TABLE ONLY {relation} IN ACCESS EXCLUSIVE MODE"
HOLDER_NOW = """
SELECT max(obj_description(p.oid, 'pg_proc')::jsonb ->> 'incident')
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
WHERE p.proname = %(function)s AND p.pronargs = 0
"""
