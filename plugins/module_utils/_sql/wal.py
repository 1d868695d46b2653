# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL about the write-ahead log: where a primary is in it, where it left an older primary's, and who follows."""

from __future__ import annotations

# A promoted replica has another timeline. What is committed is on disk at least up to here; the position of the next
# record would do as well, but it may lie beyond a page header, which is not sent while nothing is written.
POSITION = "SELECT left(pg_walfile_name(pg_current_wal_flush_lsn()), 8), pg_current_wal_flush_lsn()::text"

# Where the log of the previous primary was left, and when the last transaction from there was committed. A server knows
# this for as long as it runs. Without a received position it has not been a streaming replica since it was started, and
# what it replayed then came from its own crash.
PROMOTION = """
SELECT CASE WHEN pg_last_wal_receive_lsn() IS NOT NULL THEN pg_last_wal_replay_lsn()::text END,
       CASE WHEN pg_last_wal_receive_lsn() IS NOT NULL
            THEN to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END
"""
# The same for every promotion there ever was, regardless of restarts; few roles may read it, because it is a file.
HISTORY = "SELECT pg_read_file('pg_wal/' || %(timeline)s::text || '.history')"

# Standbys, and whether what was written up to a position is on their disk. A subscriber is not a standby: it cannot
# take over. The positions of others are hidden from a role without pg_read_all_stats.
STANDBYS = """
SELECT r.application_name, r.sync_state, r.flush_lsn >= %(lsn)s::pg_lsn,
       GREATEST(0, pg_wal_lsn_diff(%(lsn)s::pg_lsn, r.flush_lsn))::bigint
FROM pg_stat_replication AS r
WHERE COALESCE(r.state, 'streaming') IN ('streaming', 'catchup')
  AND NOT EXISTS (SELECT FROM pg_replication_slots AS s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
ORDER BY 1
LIMIT 100
"""
