# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the undo, beside what the kill has as well (``flag``, ``ledger``)."""

# How many more tenants an incident's kills report than it has entries of, and which files and flags they name.
KEPT = """
WITH kept AS (
  SELECT flag, cardinality(tenants) AS tenants
  FROM kanban_rollback.flag_changes WHERE incident_id = %(incident)s AND action = 'disabled'
), kill AS (
  SELECT data FROM kanban_rollback.events
  WHERE incident_id = %(incident)s AND phase = 'contain' AND source = 'feature_flag' AND event = 'disabled'
)
SELECT (SELECT COALESCE(sum((data ->> 'changed_count')::bigint), 0) FROM kill)
         - (SELECT COALESCE(sum(tenants), 0) FROM kept),
       ARRAY(SELECT DISTINCT data #>> '{priors,path}' FROM kill WHERE data #>> '{priors,path}' IS NOT NULL LIMIT 5),
       ARRAY(SELECT flag FROM kept UNION SELECT data ->> 'flag' FROM kill WHERE data ->> 'flag' IS NOT NULL)
"""
