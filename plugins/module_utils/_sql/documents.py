# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of documents that the ledger keeps: each change is an event, so an older ledger needs no changes."""

from __future__ import annotations

# The newest of each name by the ledger's own times, because controllers' clocks differ; with hashes of earlier ones and
# of those that its writer had seen: whoever has one of these on disk loses nothing by taking the newest.
DOCUMENTS = """
SELECT name, (array_agg(text ORDER BY at DESC, run_id DESC, seq DESC))[1], max(at),
       (array_agg(encode(sha256(convert_to(text, 'UTF8')), 'hex') ORDER BY at DESC, run_id DESC, seq DESC))[2:50],
       (array_agg(after ORDER BY at DESC, run_id DESC, seq DESC))[1]
FROM (
  SELECT data ->> 'name' AS name, data ->> 'text' AS text, data -> 'after' AS after, at, run_id, seq
  FROM kanban_rollback.events
  WHERE incident_id = %(incident)s AND phase = 'report' AND source = %(source)s AND event = %(event)s
) AS kept
GROUP BY name
ORDER BY max(at) DESC, name
LIMIT %(limit)s
"""

# The newest of one name in each incident. Few events are documents, so a scan is cheap.
OF_ALL = """
SELECT DISTINCT ON (incident_id) incident_id, data ->> 'text'
FROM kanban_rollback.events
WHERE phase = 'report' AND source = %(source)s AND event = %(event)s AND data ->> 'name' = %(name)s
ORDER BY incident_id DESC, at DESC, run_id DESC, seq DESC
LIMIT %(limit)s
"""
