# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that asks the ledger what it knows of a kill, and of servers that took over since."""

from __future__ import annotations

# For how many tenants the prior values of one run are kept here, whichever incident it joined.
RECORDED = """
SELECT count(DISTINCT (c.flag, one.tenant))
FROM kanban_rollback.flag_changes AS c CROSS JOIN LATERAL unnest(c.tenants) AS one(tenant)
WHERE c.run_id = %(run)s AND c.action = 'disabled'
"""
# What was found when another server had taken over. Newest first, because the list is cut.
FAILOVERS = """
SELECT at, data::text
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND phase = 'contain' AND source = 'feature_flag' AND event = 'failover'
ORDER BY at DESC, run_id DESC, seq DESC
LIMIT 20
"""
# The timeline on which an incident last switched, put back, or saw that another server had taken over; and whether
# anybody got the feature back since the last kill.
LAST_TIMELINE = """
SELECT max(COALESCE(data ->> 'to_timeline', data ->> 'timeline')),
       COALESCE(max(at) FILTER (WHERE phase = 're-enable')
                > COALESCE(max(at) FILTER (WHERE phase = 'contain' AND event = 'disabled'), ''), false)
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND source = 'feature_flag'
"""
