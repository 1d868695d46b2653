# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of gates: figures of the database, and the series of samples that the ledger keeps as events."""

from __future__ import annotations

# One figure, from a query of the profile. Inside a subquery it can only be one statement that reads: a second one, or
# DELETE ... RETURNING in a WITH, is refused by the parser. Two rows are enough to see that it is not one figure.
FIGURE = """
SELECT * FROM (
{query}
) AS figure LIMIT 2
"""
IN_RECOVERY = "SELECT pg_is_in_recovery()"

# Two controllers that watch the same gate must not give two tries the same number. The other number of this lock's
# family is the ledger's own ("kanban" in ASCII).
LOCK_GATE = "SELECT pg_advisory_xact_lock(hashtextextended(%(incident)s || chr(10) || %(gate)s, 118075163402607))"

# The newest tries, each with its age in seconds by the server's clock. Most events of an incident are tries.
SERIES = """
SELECT data::text, extract(epoch FROM clock_timestamp() - at::timestamptz)::float8
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND source = %(source)s AND event = %(event)s AND data ->> 'gate' = %(gate)s
ORDER BY at DESC, seq DESC
LIMIT %(limit)s
"""
