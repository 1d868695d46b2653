# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of files that the ledger keeps beside its events: unlike these they go when retention says so."""

from __future__ import annotations

# Beside the ledger's first tables, so that an older collection goes on with theirs.
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
# What is there of it, and whether this role may make it.
STATE = """
SELECT f.oid IS NOT NULL, has_schema_privilege(n.oid, 'CREATE') AND has_table_privilege(i.oid, 'REFERENCES')
FROM pg_namespace AS n
JOIN pg_class AS i ON i.relnamespace = n.oid AND i.relname = 'incidents'
LEFT JOIN pg_class AS f ON f.relnamespace = n.oid AND f.relname = 'files'
WHERE n.nspname = 'kanban_rollback'
"""
# Without their texts, which may be megabytes; the newest first, for an answer has an end.
FILES = """
SELECT name, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), run_id, length(text)
FROM kanban_rollback.files
WHERE incident_id = %(incident)s
ORDER BY at DESC, name
"""
TEXT = "SELECT text FROM kanban_rollback.files WHERE incident_id = %(incident)s AND name = %(name)s"
# A journal only grows, so of two runs' texts of one name the one that goes on is kept, and none is written over.
KEEP = """
INSERT INTO kanban_rollback.files AS there (incident_id, name, run_id, text)
VALUES (%(incident)s, %(name)s, %(run)s, %(text)s)
ON CONFLICT (incident_id, name) DO UPDATE
SET text = excluded.text, at = clock_timestamp(), run_id = excluded.run_id
WHERE CASE WHEN %(grows)s THEN length(excluded.text) > length(there.text)
                               AND left(excluded.text, length(there.text)) = there.text
           ELSE excluded.text <> there.text END
"""
# As the quarantine's: of incidents that were closed so long ago, and that no other ledger has open.
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
