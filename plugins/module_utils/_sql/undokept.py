# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the undo, beside what the kill has as well (``flag``, ``ledger``)."""

# How many tenants an incident's kills report, counting repetitions, and which files and flags these and its entries
# name. A stage of a return that was switched off again is in the entries as well, so it counts here, too.
KEPT = """
WITH kill AS (
  SELECT data FROM kanban_rollback.events
  WHERE incident_id = %(incident)s AND source = 'feature_flag'
    AND (phase, event) IN (('contain', 'disabled'), ('re-enable', 'withdrawn'))
)
SELECT (SELECT COALESCE(sum((data ->> 'changed_count')::bigint), 0) FROM kill),
       ARRAY(SELECT DISTINCT data #>> '{priors,path}' FROM kill WHERE data #>> '{priors,path}' IS NOT NULL LIMIT 5),
       ARRAY(SELECT flag FROM kanban_rollback.flag_changes
             WHERE incident_id = %(incident)s AND action = 'disabled'
             UNION SELECT data ->> 'flag' FROM kill WHERE data ->> 'flag' IS NOT NULL)
"""
