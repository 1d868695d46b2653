# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL against DDL guards: event triggers that refuse what raises and lowers fence and latch, which is DDL."""

from __future__ import annotations

# Two steps of a PL/pgSQL block around such DDL. In the role of a replica only event triggers fire that are enabled for
# it or ALWAYS. A role that may not take it goes on without.
AS_REPLICA = """
  BEGIN
    PERFORM pg_catalog.set_config('kanban_rollback.guarded_as',
                                  pg_catalog.current_setting('session_replication_role'), true),
            pg_catalog.set_config('session_replication_role', 'replica', true);
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END;
"""
AS_BEFORE = """
  PERFORM pg_catalog.set_config('session_replication_role',
                                pg_catalog.current_setting('kanban_rollback.guarded_as'), true)
  WHERE pg_catalog.current_setting('kanban_rollback.guarded_as', true) <> '';
"""
# The first step for the rest of a transaction that does nothing but such DDL.
PASS_HERE = f"DO LANGUAGE plpgsql $pass$BEGIN{AS_REPLICA}END$pass$"

# Event triggers that fire on this DDL, whether each also fires in the role of a replica, and the lines that would keep
# it to the ordinary role, and disable it. What is installed is raised by replacing a function; without it, a stop makes
# and drops all that a fence is.
EVENT_TRIGGERS = """
SELECT e.evtname::text, e.evtenabled <> 'O', format('ALTER EVENT TRIGGER %%I ENABLE;', e.evtname),
       format('ALTER EVENT TRIGGER %%I DISABLE;', e.evtname)
FROM pg_catalog.pg_event_trigger AS e
CROSS JOIN (SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p
                           JOIN pg_catalog.pg_namespace AS n
                             ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
                           WHERE p.proname = 'fence_raise') AS installed) AS fence
WHERE e.evtenabled <> 'D'
  AND (e.evtevent IN ('ddl_command_start', 'ddl_command_end') OR e.evtevent = 'sql_drop' AND NOT fence.installed)
  AND (e.evttags IS NULL OR e.evttags && ARRAY['CREATE FUNCTION', 'COMMENT']
       OR NOT fence.installed
          AND e.evttags && ARRAY['CREATE SCHEMA', 'CREATE TRIGGER', 'ALTER TABLE', 'GRANT', 'REVOKE',
                                 'DROP TRIGGER', 'DROP FUNCTION'])
ORDER BY 1
"""
_RAISERS = """
SELECT r.rolname::text, {may}, {grant}
FROM pg_catalog.pg_roles AS r
WHERE r.oid IN (SELECT p.proowner FROM pg_catalog.pg_proc AS p
                JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
                WHERE p.proname = 'fence_raise' OR p.proname LIKE 'raise\\_latch\\_%%')
   OR r.rolname = current_user
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p
                      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'kanban_rollback'
                      WHERE p.proname = 'fence_raise')
ORDER BY 1
"""
# Who raises and lowers: the owners of the functions that do, else this role; whether each may take the role of a
# replica; and the line that lets it. From PostgreSQL 15 that can be granted, before only superusers may.
GRANTED_FROM = 150000
RAISERS = {
    True: _RAISERS.format(
        may="pg_catalog.has_parameter_privilege(r.oid, 'session_replication_role', 'SET')",
        grant="format('GRANT SET ON PARAMETER session_replication_role TO %%I;', r.rolname)",
    ),
    False: _RAISERS.format(may="r.rolsuper", grant="NULL::text"),
}
