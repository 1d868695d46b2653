# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that tells from the ledger's events how far an incident has got since its last kill."""

from __future__ import annotations

# How a return in stages went since the last kill, which undid everything before. Newest first, because the list is cut.
STAGES = """
SELECT event, at, data::text
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND phase = 're-enable' AND source = 'incident' AND event = ANY (%(events)s)
  AND at > COALESCE((SELECT max(at) FROM kanban_rollback.events
                     WHERE phase = 'contain' AND source = 'feature_flag' AND event = 'disabled'), '')
ORDER BY at DESC, run_id DESC, seq DESC
LIMIT 200
"""

# What was done in open incidents, for a decision: without the data, and without the tries of watches, which are
# thousands. Newest first, because the list is cut.
DONE = """
SELECT e.incident_id, e.at, e.phase, e.event
FROM kanban_rollback.events AS e
JOIN kanban_rollback.incidents AS i USING (incident_id)
WHERE i.closed_at IS NULL AND e.phase = ANY (%(phases)s)
ORDER BY e.at DESC, e.run_id DESC, e.seq DESC
LIMIT 1000
"""

# A finding about the data holds until somebody switches off again, repairs, restores, or undoes a repair or restore.
VALIDATION = """
SELECT event, at, data::text
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND phase = 'validate' AND source = 'incident' AND event = ANY (%(events)s)
  AND LEAST(at, COALESCE(data ->> 'since', at))
      > COALESCE((SELECT max(at) FROM kanban_rollback.events
                     WHERE (phase = 'contain' AND source = 'feature_flag' AND event = 'disabled')
                        OR (phase = 'recover' AND event IN ('repaired', 'restored', 'undone'))), '')
ORDER BY at DESC, run_id DESC, seq DESC
LIMIT 1
"""
