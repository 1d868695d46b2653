# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of a module's progress: it is kept in the module's lease while it works, and goes with it."""

from __future__ import annotations

# Added to the ledger's first columns, so that an older collection keeps working with those. An older ledger lacks it.
LACKS_ROOM = """
SELECT NOT EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = 'kanban_rollback.leases'::regclass AND attname = 'progress' AND NOT attisdropped)
"""
MAKE_ROOM = "ALTER TABLE kanban_rollback.leases ADD COLUMN IF NOT EXISTS progress jsonb"

# Both are signs of life, so that nobody takes the lease of a running module for a forgotten one.
WRITE = """
UPDATE kanban_rollback.leases
SET heartbeat_at = clock_timestamp(), progress = CASE WHEN name = %(work)s THEN %(progress)s::jsonb END
WHERE (name = %(work)s AND run_id = %(turn)s) OR (name = %(lease)s AND run_id = %(run)s)
"""

# The whole row as JSON has the column only if the ledger does. What an earlier holder did is not what this one does.
READ = """
SELECT l.name = %(work)s AND left(l.run_id, length(%(run)s) + 1) = %(run)s || '/', l.holder,
       CASE WHEN to_jsonb(l) #>> '{progress,turn}' = l.run_id THEN to_jsonb(l) ->> 'progress' END,
       to_char(l.acquired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(l.heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM kanban_rollback.leases AS l
WHERE l.name IN (%(work)s, %(lease)s) AND l.run_id <> %(run)s AND l.expires_at > clock_timestamp()
ORDER BY 1 DESC, l.name
"""
