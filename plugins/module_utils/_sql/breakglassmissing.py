# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the break-glass script for tenants that are on without a row: it makes one for each, which says off."""

from __future__ import annotations

# What is kept says that there was no row.
INSERT_MISSING = """
WITH made AS (
  INSERT INTO {table} ({tenant_name}, {key_name}, {column_name}{more_names})
  SELECT o.{owner_id}, %(key)s, {written}{more_values}
  FROM {tenants_table} AS o
  WHERE {owners_meant} AND NOT EXISTS (
    SELECT FROM {table} AS t WHERE {rows} AND {rows_meant} AND {tenant} = o.{owner_id}
  ) {nothing}
  RETURNING {tenant_name}::text AS tenant
)
INSERT INTO {keep} (incident_id, flag, action, run_id, written, full_depth, tenants)
SELECT {incident}, %(flag)s, 'disabled', 'break-glass', %(written)s, {no_row}, array_agg(tenant)
FROM made
HAVING count(*) > 0
"""
# The same for some of them. Their rows are few, which the planner must see: of a table that has just grown it believes
# that it has next to none, and would read it again for each tenant.
OWNERS_OF_CHUNK = "o.{owner_id} = ANY (({one})::text[]::{owner_type}[])"
ROWS_OF_CHUNK = "{tenant} = ANY (({one})::text[]::{tenant_type}[])"
# One statement for every {size} of them, which psql runs each in a transaction of its own. No more than a thousand, so
# that the script ends, and a person can read the output, even if all are refused.
EACH_CHUNK = """
SELECT format('EXECUTE {name} (%%L)', array_agg(tenant))
FROM (SELECT o.{owner_id}::text AS tenant, (row_number() OVER (ORDER BY o.{owner_id}) - 1) / {size} AS chunk
      FROM {tenants_table} AS o
      WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = o.{owner_id}) {nothing}) AS missing
GROUP BY chunk ORDER BY chunk LIMIT 1000
"""
# OFFSET 0 as in flag.MISSING_NAMES.
WHO_IS_ON_WITH_OR_WITHOUT = """
({with_rows}) UNION ALL (
  SELECT tenant, '(no row: an ERROR above says why)' FROM (
    SELECT o.{owner_id}::text AS tenant FROM {tenants_table} AS o
    WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = o.{owner_id}) {nothing} OFFSET 0
  ) AS missing
  ORDER BY 1 LIMIT 20
) ORDER BY 1 LIMIT 20
"""
