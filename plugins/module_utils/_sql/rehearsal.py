# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the rows that a rehearsal plants and removes again. It inserts, and deletes what it inserted."""

from __future__ import annotations

# What an INSERT has to know of each column beside its type: who fills it, and with what where nobody does.
COLUMNS = """
SELECT a.attname::text, a.attnotnull OR t.typnotnull, a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '',
       a.attgenerated <> '', t.typcategory::text
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
# Whether a foreign key keeps a column from pointing to nothing.
IS_KEPT = """
SELECT EXISTS (SELECT FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid
               WHERE c.contype = 'f' AND c.conrelid = %(table)s AND a.attname = %(column)s
                 AND a.attnum = ANY (c.conkey))
"""
# How many rows there are to copy, up to the number wanted, so that a large table is not counted.
AVAILABLE = "SELECT count(*) FROM (SELECT FROM {table} AS t WHERE {usable} LIMIT %(rows)s) AS one"

# Copies of existing rows. The number makes keys that nobody else makes.
COPIES = """
INSERT INTO {table} AS t ({columns})
SELECT {values}
FROM (SELECT t.*, row_number() OVER () AS kanban_number FROM {table} AS t WHERE {usable} LIMIT %(rows)s) AS t
RETURNING {named}
"""
# Errors of tenants, the same number for each. What must not be empty comes from an existing row, or from its type.
ERRORS = """
INSERT INTO {table} AS t ({columns})
SELECT {values}
FROM unnest(%(tenants)s::text[]) AS who(tenant)
CROSS JOIN generate_series(1, %(each)s) AS one(kanban_number)
LEFT JOIN LATERAL (SELECT * FROM {table} LIMIT 1) AS t ON true
RETURNING {named}
"""
# Keys that nobody else makes, for an id that the table does not fill itself.
NEXT_NUMBER = "(SELECT COALESCE(max(o.{column}), 0) FROM {table} AS o) + kanban_number"
ANY_ID = "md5(random()::text || clock_timestamp()::text || kanban_number::text)::{type}"
# An owner that does not exist: above all existing ones, or an id that was just generated.
NOBODY_NUMBER = "(SELECT COALESCE(max(o.{column}), 0) + 1000000 FROM {table} AS o)::{type}"
# Readers that go by a row's time find them, each a second before the last.
AT_WITH_ZONE = "now() - kanban_number * interval '1 second'"
AT_WITHOUT_ZONE = "(now() - kanban_number * interval '1 second') AT TIME ZONE %(zone)s"

# How many rows there are of each text: rows of a table without a key have no other identity.
ALIKE = "SELECT t::text, count(*) FROM {table} AS t WHERE t::text = ANY (%(texts)s::text[]) GROUP BY 1"

# Rows by their keys; rows that others refer to stay, or a foreign key would delete those too, or refuse all.
REMOVE_BY_KEY = "DELETE FROM {table} AS t USING unnest({arrays}) AS k({names}) WHERE {same} AND {free}"
LEFT_BY_KEY = "SELECT count(*) FROM {table} AS t JOIN unnest({arrays}) AS k({names}) ON {same}"
LEADS_TO_IT = "NOT EXISTS (SELECT FROM {child} AS c WHERE {same})"
# Rows by all that they hold: at most as many as were planted, and never fewer left than there were before.
REMOVE_BY_ROW = """
DELETE FROM {table} AS t
USING (SELECT o.tableoid AS leaf, o.ctid AS place, k.planted, k.before,
              row_number() OVER (PARTITION BY k.text) AS number, count(*) OVER (PARTITION BY k.text) AS there
       FROM {table} AS o
       JOIN unnest(%(texts)s::text[], %(planted)s::int[], %(before)s::int[]) AS k(text, planted, before)
         ON o::text = k.text) AS k
WHERE t.tableoid = k.leaf AND t.ctid = k.place AND k.number <= LEAST(k.planted, k.there - k.before) AND {free}
"""
LEFT_BY_ROW = """
SELECT COALESCE(sum(LEAST(k.planted, GREATEST(o.there - k.before, 0))), 0)::int
FROM unnest(%(texts)s::text[], %(planted)s::int[], %(before)s::int[]) AS k(text, planted, before)
JOIN (SELECT t::text AS text, count(*) AS there FROM {table} AS t WHERE t::text = ANY (%(texts)s::text[]) GROUP BY 1)
  AS o USING (text)
"""
# What one incident planted and removed, oldest first.
EVENTS = """
SELECT event, data::text FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND source = %(source)s ORDER BY at, run_id, seq
"""
