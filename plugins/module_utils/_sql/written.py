# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of what this transaction wrote, as the server counts it."""

from __future__ import annotations

COUNTS = "SELECT current_setting('track_counts')::boolean"
# Of the whole transaction so far, including what was rolled back to a savepoint. Partitions count as their root,
# because a row may move from one to another. The ledger and temporary tables are our own.
WRITTEN = """
SELECT r.oid::bigint, n.nspname::text || '.' || r.relname::text, sum(s.n_tup_ins)::bigint,
       sum(s.n_tup_upd + s.n_tup_del)::bigint, sum(s.n_tup_del)::bigint
FROM pg_stat_xact_user_tables AS s
JOIN pg_class AS r ON r.oid = COALESCE(pg_partition_root(s.relid), s.relid)
JOIN pg_namespace AS n ON n.oid = r.relnamespace
WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
  AND n.nspname <> 'kanban_rollback' AND r.relpersistence <> 't'
GROUP BY 1, 2 ORDER BY 2
"""
ROOTS = """
SELECT t.oid::bigint, r.oid::bigint, n.nspname::text || '.' || r.relname::text
FROM unnest(%(tables)s::oid[]) AS t(oid)
JOIN pg_class AS r ON r.oid = COALESCE(pg_partition_root(t.oid), t.oid)
JOIN pg_namespace AS n ON n.oid = r.relnamespace
"""
