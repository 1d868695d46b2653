# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the break-glass script for tenants with several rows of the flag, as ``_severalrows`` does it."""

from __future__ import annotations

# Who had one row, and several when they were switched again: nobody knows whose the prior is, so it stays.
ONE_MARK = "AND position('.' IN COALESCE(w.mark, '')) = 0"
# What the second part of the mark of several rows is made of; the modules' _mark() does the same.
TOLD_APART = """(CASE WHEN count(DISTINCT key) = count(*) THEN jsonb_agg(key ORDER BY n)
                      ELSE jsonb_agg(rest ORDER BY n) END)::text"""
# All rows of a tenant or none: they are kept as one list, ordered by what tells them apart.
SWITCH_SEVERAL = """
WITH several AS (
  SELECT {tenant} AS tenant, count(*) AS rows FROM {table} AS t WHERE {rows} AND {scope}
  GROUP BY 1 HAVING count(*) > 1 AND bool_or({to_switch}) {nothing}
), locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, {tenant}::text AS tenant, {column}::text AS content, several.rows,
         {to_switch} {can_write} AS turns, {row_key} AS key, {row_rest} AS rest
  FROM {table} AS t JOIN several ON several.tenant = {tenant}
  WHERE {rows}
  FOR NO KEY UPDATE OF t {waiting}
), whole AS (
  SELECT tenant FROM locked GROUP BY tenant HAVING count(*) = max(rows)
), switched AS (
  UPDATE {table} AS t
  SET {column_name} = {written}
  FROM locked AS w JOIN whole USING (tenant)
  WHERE t.ctid = w.place AND t.tableoid = w.leaf AND w.turns
  RETURNING w.leaf, w.place, {column}::text AS content, {row_key} AS key, {row_rest} AS rest
), numbered AS (
  SELECT w.tenant, w.content AS prior, COALESCE(s.content, w.content) AS content, COALESCE(s.key, w.key) AS key,
         COALESCE(s.rest, w.rest) AS rest, s.place IS NOT NULL AS turned,
         row_number() OVER (PARTITION BY w.tenant ORDER BY w.key, w.rest, w.leaf, w.place) AS n
  FROM locked AS w JOIN whole USING (tenant) LEFT JOIN switched AS s USING (leaf, place)
), lists AS (
  SELECT tenant, jsonb_agg(prior ORDER BY n)::text AS prior, jsonb_agg(content ORDER BY n)::text AS content,
         {told_apart} AS told_apart
  FROM numbered
  GROUP BY tenant HAVING bool_or(turned)
)
INSERT INTO {keep} (incident_id, flag, action, run_id, written, full_depth, tenants, priors, marks)
SELECT {incident}, %(flag)s, 'disabled', 'break-glass', %(written)s, {several},
       array_agg(tenant), array_agg(prior), array_agg({mark} || '.' || {mark_of_rows})
FROM lists
HAVING count(*) > 0
"""

RESTORE_SEVERAL = """
WITH wanted (tenant, prior, depth, written, mark, last) AS (
  SELECT * FROM ({wanted}) AS w (tenant, prior, depth, written, mark, last) WHERE w.depth = {several} {nothing}
), locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, w.tenant, w.prior, w.mark, {column}::text AS content,
         {row_key} AS key, {row_rest} AS rest
  FROM wanted AS w JOIN {table} AS t ON {tenant} = w.tenant::{tenant_type} AND {rows}
  FOR NO KEY UPDATE OF t SKIP LOCKED
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY key, rest, leaf, place) AS n FROM locked
), lists AS (
  SELECT tenant, jsonb_agg(content ORDER BY n)::text AS content, {told_apart} AS told_apart,
         count(*) AS rows, count(DISTINCT rest) AS different, max(prior)::jsonb AS prior, max(mark) AS mark
  FROM numbered GROUP BY tenant
), ours AS (
  SELECT tenant FROM lists
  WHERE {mark} = split_part(mark, '.', 1) AND rows = jsonb_array_length(prior)
    AND (different = 1 OR {mark_of_rows} = split_part(mark, '.', 2)
         OR (SELECT count(DISTINCT one) = 1 FROM jsonb_array_elements(prior) AS one))
), restored AS (
  UPDATE {table} AS t
  SET {column_name} = (w.prior::jsonb ->> (w.n - 1)::int)::{column_type}
  FROM numbered AS w JOIN ours USING (tenant)
  WHERE t.ctid = w.place AND t.tableoid = w.leaf
  RETURNING w.tenant
), noted AS (
  INSERT INTO {keep} (incident_id, flag, action, run_id, tenants)
  SELECT {incident}, %(flag)s, 'restored', 'break-glass', array_agg(DISTINCT tenant) FROM restored HAVING count(*) > 0
)
SELECT (SELECT count(DISTINCT tenant) FROM restored) AS put_back,
       (SELECT count(*) FROM wanted) - (SELECT count(DISTINCT tenant) FROM restored) AS held_or_changed
"""
