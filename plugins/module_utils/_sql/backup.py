# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that tells how far archiving of the log has got, from views and settings alone."""

from __future__ import annotations

# The archiver's counters, whether archiving is set up (not the command itself, which may hold secrets) and the position
# in the log. On a replica the position is what it has replayed. archive_library came with PostgreSQL 15. The last
# column tells whether the log's files may be listed: members of pg_monitor may.
ARCHIVER = """
SELECT current_setting('archive_mode'),
       COALESCE(current_setting('archive_library', true), '') <> ''
         OR COALESCE(current_setting('archive_command', true), '') NOT IN ('', '(disabled)'),
       pg_is_in_recovery(), s.archived_count, s.last_archived_wal, extract(epoch FROM s.last_archived_time)::float8,
       s.failed_count, s.last_failed_wal, extract(epoch FROM s.last_failed_time)::float8,
       extract(epoch FROM s.stats_reset)::float8, extract(epoch FROM clock_timestamp())::float8,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
         - '0/0'::pg_lsn)::bigint,
       (SELECT setting::bigint * CASE unit WHEN '8kB' THEN 8192 ELSE 1 END
        FROM pg_settings WHERE name = 'wal_segment_size'),
       has_function_privilege('pg_ls_waldir()', 'EXECUTE')
FROM pg_stat_archiver AS s
"""

# When each file of the log was last written. Newest names first, because the others were archived long ago.
WRITTEN = """
SELECT name, extract(epoch FROM modification)::float8
FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY name DESC LIMIT %(most)s
"""

# Clients that receive the log as a stream without being replicas: pg_receivewal, and Barman under its own name. A
# replica does not keep the log, and has a name of its own.
RECEIVERS = """
SELECT application_name, state,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
         - COALESCE(flush_lsn, write_lsn, sent_lsn))::bigint
FROM pg_stat_replication WHERE application_name IN ('pg_receivewal', 'barman_receive_wal') ORDER BY pid LIMIT 20
"""
