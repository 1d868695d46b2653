# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of files that the ledger keeps beside its events: unlike events, they are deleted when retention says so."""

from __future__ import annotations

# Separate from the ledger's first tables, so that an older collection keeps working with those.
CREATE = """
CREATE TABLE IF NOT EXISTS kanban_rollback.files (
  incident_id text NOT NULL REFERENCES kanban_rollback.incidents,
  name text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  run_id text NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (incident_id, name)
)
"""
# Whether the table exists, and whether this role may create it. That it is the ledger's own was seen with the ledger
# (ledgerstate.FOREIGN).
STATE = """
SELECT f.oid IS NOT NULL, has_schema_privilege(n.oid, 'CREATE') AND has_table_privilege(i.oid, 'REFERENCES')
FROM pg_namespace AS n
JOIN pg_class AS i ON i.relnamespace = n.oid AND i.relname = 'incidents'
LEFT JOIN pg_class AS f ON f.relnamespace = n.oid AND f.relname = 'files'
WHERE n.nspname = 'kanban_rollback'
"""
# Without their texts, which may be megabytes; newest first, because an answer is limited.
FILES = """
SELECT name, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), run_id, length(text)
FROM kanban_rollback.files
WHERE incident_id = %(incident)s
ORDER BY at DESC, name
"""
TEXT = "SELECT text FROM kanban_rollback.files WHERE incident_id = %(incident)s AND name = %(name)s"
# A journal only grows, so a stored text is replaced only by a run's text that continues it, never by a different one.
KEEP = """
INSERT INTO kanban_rollback.files AS there (incident_id, name, run_id, text)
VALUES (%(incident)s, %(name)s, %(run)s, %(text)s)
ON CONFLICT (incident_id, name) DO UPDATE
SET text = excluded.text, at = clock_timestamp(), run_id = excluded.run_id
WHERE CASE WHEN %(grows)s THEN length(excluded.text) > length(there.text)
                               AND left(excluded.text, length(there.text)) = there.text
           ELSE excluded.text <> there.text END
"""
# As in the quarantine: incidents that were closed that long ago, and that no other ledger has open.
PURGE = """
WITH over AS (
  SELECT i.incident_id, floor(extract(epoch FROM clock_timestamp() - i.closed_at) / 86400)::int AS days
  FROM kanban_rollback.incidents AS i
  WHERE i.closed_at < clock_timestamp() - make_interval(secs => 86400 * %(days)s)
    AND i.incident_id <> ALL (%(keep)s::text[])
    AND NOT EXISTS (SELECT FROM kanban_rollback.incident_aliases AS a
                    WHERE a.incident_id = i.incident_id AND a.alias = ANY (%(keep)s::text[]))
)"""
PURGE_FILES = """, gone AS (
  DELETE FROM kanban_rollback.files AS f USING over WHERE f.incident_id = over.incident_id RETURNING f.incident_id
)"""
PURGE_PLAN = """, gone AS (SELECT f.incident_id FROM kanban_rollback.files AS f JOIN over USING (incident_id))"""
PURGED = "SELECT over.incident_id, over.days, count(*) FROM gone JOIN over USING (incident_id) GROUP BY 1, 2 ORDER BY 1"
