# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that ranks tenants by their errors. Names and expressions are filled in by ``_ranksql``.

``e`` is the table of errors, ``c`` a tenant with its errors counted, ``t`` the flag's table as in ``_sql/flag.py``.
"""

from __future__ import annotations

# Where the window begins by the server's clock, as text for the next statement. With a constant there, the planner
# knows how little of the table it is, and compares it before it looks at any text; it rates now() minus something as
# costlier than a search for a word, so the text of every row would be searched first.
SINCE = """
SELECT to_char(now() AT TIME ZONE {zone}, 'YYYY-MM-DD HH24:MI:SS.US') || {offset},
       to_char((now() - make_interval(secs => %(window)s)) AT TIME ZONE {zone}, 'YYYY-MM-DD HH24:MI:SS.US') || {offset},
       to_char((now() - make_interval(secs => %(window)s)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
"""

# One pass over the rows of the window; everything after it has only as many rows as there are tenants. The mean time
# between errors is the span divided by the gaps: no window function, no sort. A tenant that is off or no longer exists
# takes no place in the list. Whether one is on is asked only for those with more than N errors, and by joins: asked row
# by row, a key/value table without an index, which is not rare, would be read once per tenant. One row comes back, with
# the list as JSON, so that one snapshot answers everything, also the errors of a list that was frozen before.
RANK = """
WITH counted AS MATERIALIZED (
  SELECT e.{company} AS tenant, count(*) AS errors, min(e.{at}) AS first_at, max(e.{at}) AS last_at
  FROM {error_logs} AS e
  WHERE e.{at} > {since} AND {matches}
  GROUP BY 1
), affected AS MATERIALIZED (
  SELECT c.tenant, {id} AS id, c.errors, c.first_at, c.last_at
  FROM counted AS c
  WHERE c.errors > %(more_than)s AND c.tenant IS NOT NULL AND {scope}
), judged AS MATERIALIZED (
  SELECT a.*, known.tenant IS NOT NULL AS known, is_on.tenant IS NOT NULL AS is_on
  FROM affected AS a
  LEFT JOIN (SELECT c.tenant FROM affected AS c WHERE {known}) AS known ON known.tenant = a.tenant
  LEFT JOIN ({on_now}) AS is_on ON is_on.tenant = a.tenant
), worst AS (
  SELECT * FROM judged WHERE known AND is_on ORDER BY errors DESC, tenant LIMIT %(top)s
)
SELECT (SELECT COALESCE(sum(errors), 0)::bigint FROM counted),
       (SELECT COALESCE(sum(errors), 0)::bigint FROM counted WHERE tenant IS NULL),
       (SELECT COALESCE(max(last_at) > {now}, FALSE) FROM counted),
       count(*) FILTER (WHERE j.known), count(*) FILTER (WHERE j.known AND j.is_on),
       count(*) FILTER (WHERE NOT j.known),
       CASE WHEN %(named)s THEN array_agg(j.id) FILTER (WHERE j.known AND j.is_on) END,
       (SELECT json_agg(json_build_array(c.id, {name}, c.errors, {first_at}, {last_at},
                 CASE WHEN c.errors > 1 AND isfinite(c.last_at)
                      THEN extract(epoch FROM c.last_at - c.first_at)::float8 / (c.errors - 1) END)
               ORDER BY c.errors DESC, c.tenant)::text
        FROM worst AS c),
       (SELECT json_object_agg(l.id, l.errors)::text
        FROM (SELECT {id} AS id, sum(c.errors)::bigint AS errors FROM counted AS c
              WHERE {id} IN (SELECT unnest(%(listed)s::text[])) GROUP BY 1) AS l)
FROM judged AS j
"""
EXPLAIN = "EXPLAIN (FORMAT JSON)"

# Affected tenants that are on. If a tenant has several rows, any that is on counts. In a key/value store a tenant
# without a row may be on, too.
ON_NOW = "SELECT c.tenant FROM affected AS c WHERE {is_on}"
ON_WITHOUT_ROW = "SELECT c.tenant FROM affected AS c WHERE {absent_is_on} AND {is_owner} AND NOT {has_row}"
IS_ON = "EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {same_tenant} AND {is_on})"
HAS_ROW = "EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {same_tenant})"
# Documents that the server cannot read safely were read before; their tenants are passed as a list.
IS_ON_LISTED = "c.id IN (SELECT unnest(%(tenants_on)s::text[]))"
EXISTS_IN = "EXISTS (SELECT FROM {table} AS k WHERE {same})"
NAME = "(SELECT left(k.{name}::text, 200) FROM {table} AS k WHERE {same} LIMIT 1)"

# Asked only when some row is dated after now: how many, and how far ahead the furthest is.
FUTURE = """
SELECT count(*), extract(epoch FROM max(e.{at}) FILTER (WHERE isfinite(e.{at})) - {now})::float8
FROM {error_logs} AS e
WHERE e.{at} > {now} AND {matches}
"""

# Asked only when nothing was found: there are no errors, or they are dated by another clock, or have another text.
NOTHING = """
SELECT (SELECT count(*) FROM {error_logs} AS e WHERE e.{at} > {since}),
       extract(epoch FROM {now} - (SELECT max(e.{at}) FROM {error_logs} AS e WHERE isfinite(e.{at})))::float8
"""

# The window of an earlier ranking, in the form of SINCE, and what it holds now: rows can have entered it later only
# because a clock is behind.
EARLIER = """
SELECT to_char((%(ranked_since)s::timestamptz + make_interval(secs => %(ranked_window)s)) AT TIME ZONE {zone},
               'YYYY-MM-DD HH24:MI:SS.US') || {offset},
       to_char(%(ranked_since)s::timestamptz AT TIME ZONE {zone}, 'YYYY-MM-DD HH24:MI:SS.US') || {offset}
"""
COUNT_EARLIER = """
SELECT count(*) FROM {error_logs} AS e WHERE e.{at} > {since} AND e.{at} <= {now} AND {matches}
"""

USERS = """
SELECT count(*) FROM {users} AS u
WHERE {company} IN (SELECT given.id::{type} FROM unnest(%(tenants)s::text[]) AS given(id))
"""
# In brackets a second statement is a syntax error; the line break ends a comment.
USERS_QUERY = "SELECT * FROM (\n{query}\n) AS given LIMIT 2"

# Whether an index finds the window's rows: a valid one that leads with the time, or with the tenant and then the time,
# on every partition. A partial one may leave out what is looked for. Also how large the table is, and the statement
# that creates one (a partitioned table does not take CONCURRENTLY).
INDEX = """
WITH leaf AS (
  SELECT %(table)s::oid AS id WHERE NOT %(partitioned)s
  UNION ALL
  SELECT relid::oid FROM pg_partition_tree(%(table)s::oid::regclass) WHERE isleaf AND %(partitioned)s
)
SELECT COALESCE(bool_and(EXISTS (
         SELECT FROM pg_index AS i
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         LEFT JOIN pg_attribute AS b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1]
         WHERE i.indrelid = leaf.id AND i.indisvalid AND i.indpred IS NULL
           AND (a.attname = %(at)s OR (a.attname = %(company)s AND b.attname = %(at)s)))), TRUE),
       COALESCE(sum(pg_relation_size(leaf.id)), 0)::bigint,
       format('CREATE INDEX%%s ON %%I.%%I (%%I)', CASE WHEN NOT %(partitioned)s THEN ' CONCURRENTLY' END,
              %(schema)s::text, %(name)s::text, %(at)s::text)
FROM leaf
"""

# The zone's name is used only if times have none: an unknown one is an error here, before anything is read.
ZONE = "SELECT now() AT TIME ZONE %(zone)s"

# The first list counts: a run that freezes later finds it. Events are appended under one lock, so their order can be
# trusted. An incident may stay open for weeks, and runs that name none join it: an old list says nothing about who
# suffers now. Nor does a list from before somebody was put back, be it a first stage or the test tenant: those still
# off need no list to stay off, and those who are on and suffer could not be listed. The changes decide, not the event
# "restored", which follows them in a transaction of its own, and which break-glass.sql does not write.
FROZEN = """
SELECT at, data::text
FROM kanban_rollback.events
WHERE incident_id = %(incident)s AND event = %(event)s AND jsonb_typeof(data -> 'tenants') = 'array'
  AND at::timestamptz > GREATEST(clock_timestamp() - make_interval(secs => %(age)s), (
    SELECT max(c.at) FROM kanban_rollback.flag_changes AS c
    WHERE c.incident_id = %(incident)s AND c.action = 'restored'))
ORDER BY at, run_id, seq
LIMIT 1
"""
