# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the data checks. All of it is set-based: an anti-join is a hash, a correlated NOT IN never ends."""

from __future__ import annotations

# How recent the checked data is: on a replica it is what was replayed, which may be old.
SNAPSHOT = """
SELECT to_char(transaction_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), pg_is_in_recovery(),
       extract(epoch FROM transaction_timestamp() - pg_last_xact_replay_timestamp())::float8
"""
# Separate, because some managed servers do not have it.
POSITION = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text
"""
TIMEOUT = "SELECT set_config('statement_timeout', %(timeout)s, true)"
# Which check is running, for people who look at pg_stat_activity; it is gone with the check's savepoint.
PROGRESS = "SELECT set_config('application_name', %(name)s, true)"

# Wrapped around each kind's rows: how much each counts, whose it is, its key, and its time. One pass for count,
# tenants, times and samples: a check finds few rows, or it is a disaster whose rows go to disk once.
COUNT = """
WITH bad AS ({bad} LIMIT %(most)s)
SELECT COALESCE(sum(weight), 0)::bigint, count(*), {affected},
       (SELECT COALESCE(json_agg(s.key), '[]') FROM (SELECT key FROM bad LIMIT %(samples)s) AS s),
       to_char(min(moment) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(max(moment) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM bad
"""
# NULL is nobody: such a row affects no tenant that could be named.
AFFECTED = "count(DISTINCT tenant)"
NOT_KNOWN = "NULL::bigint"
# For rows that have no tenant themselves but point to a row that has one.
AFFECTED_THROUGH = """
(SELECT count(DISTINCT p.{tenant}) FROM {table} AS p WHERE p.{column}::text IN (SELECT b.tenant FROM bad AS b))
"""
NO_MOMENT = "NULL::timestamptz"

# Rows whose reference leads to nothing. A NULL leads to nothing too; if that is allowed it is left out.
ORPHAN = """
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment FROM {table} AS t
WHERE {null_counts} AND NOT EXISTS (SELECT FROM {parents} AS p WHERE {same})
"""
# Rows that point to a row of another tenant, or to none. A row without a tenant has no rows of its own to look among:
# the plan's query counts it here, but this is not what is wrong with it.
INVALID_REFERENCE = """
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment FROM {table} AS t
WHERE t.{column} IS NOT NULL AND t.{owner} IS NOT NULL
  AND NOT EXISTS (SELECT FROM {parents} AS p WHERE {same} AND {same_owner})
"""
NULL_REFERENCE = """
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment FROM {table} AS t WHERE t.{column} IS NULL
"""
# One row of a group is not a duplicate. NULLs differ from one another, as they do for a unique constraint. A group's
# time is that of its newest row, because that is the one too many.
DUPLICATE = """
SELECT t.kanban_rows - 1 AS weight, {tenant} AS tenant, {key} AS key, t.kanban_moment AS moment
FROM (SELECT {columns}, count(*) AS kanban_rows, {latest} AS kanban_moment, {carried} AS kanban_tenant
      FROM {table} AS t WHERE {filled} GROUP BY {columns} HAVING count(*) > 1) AS t
"""
# What is the same in a group, of any type: a uuid has no max.
CARRIED = 'max({tenant} COLLATE "C")'
LATEST = "max({moment})"
# Rows that connect one tenant's data to another's. If either belongs to nobody, that is a check of its own.
CROSS_TENANT = """
SELECT 1 AS weight, p.{owner}::text AS tenant, {key} AS key, {moment} AS moment
FROM {table} AS t JOIN {parents} AS p ON {same} JOIN {others} AS o ON {same_other}
WHERE {differ}
"""
# Lanes with positions that occur twice, rows without one, and missing numbers. First by position, then by lane: both
# are hashes, whereas count(DISTINCT) would sort. A lane counts at most as many missing numbers as it has rows: one
# position far away is one mistake, not a billion.
ORDERING = """
SELECT t.kanban_twice + t.kanban_unplaced + t.kanban_left_out AS weight, {tenant} AS tenant, {key} AS key,
       t.kanban_moment AS moment
FROM (
  SELECT {lane}, sum(t.kanban_rows) AS kanban_rows,
         COALESCE(sum(t.kanban_rows) FILTER (WHERE {position} IS NOT NULL), 0) - count({position}) AS kanban_twice,
         COALESCE(sum(t.kanban_rows) FILTER (WHERE {position} IS NULL), 0) AS kanban_unplaced,
         {left_out} AS kanban_left_out,
         max(t.kanban_moment) FILTER (WHERE t.kanban_rows > 1 OR {position} IS NULL) AS kanban_moment
  FROM (SELECT {lane}, {position}, count(*) AS kanban_rows, {latest} AS kanban_moment
        FROM {table} AS t WHERE {filled} GROUP BY {lane}, {position}) AS t
  GROUP BY {lane}
) AS t
WHERE t.kanban_twice + t.kanban_unplaced + t.kanban_left_out > 0
"""
LEFT_OUT = """
LEAST(COALESCE(max({position})::numeric - min({position})::numeric + 1 - count({position}), 0), sum(t.kanban_rows))
"""
NONE_LEFT_OUT = "0::numeric"
# What is in more than one lane at once, if lanes are rows that a mark distinguishes from others. The same lane twice is
# a duplicate, which is another check.
TWO_LANES = """
SELECT t.kanban_lanes - 1 AS weight, t.kanban_tenant AS tenant, {key} AS key, t.kanban_moment AS moment
FROM (
  SELECT {columns}, count(*) AS kanban_lanes, max(t.kanban_tenant) AS kanban_tenant,
         max(t.kanban_moment) AS kanban_moment
  FROM (SELECT {columns}, {carried} AS kanban_tenant, {latest} AS kanban_moment
        FROM {table} AS t JOIN {lanes} AS p ON {same} WHERE {marked} AND {filled}
        GROUP BY {columns}, {column}) AS t
  GROUP BY {columns} HAVING count(*) > 1
) AS t
"""
MARKED = "p.{mark}::text = %(mark_value)s"
# Tickets without a lane, of a tenant whose tickets have one: the tenant's own habit says whether that is unusual.
CARDLESS = """
WITH habits AS (
  SELECT t.{owner} AS owner FROM {table} AS t WHERE t.{owner} IS NOT NULL GROUP BY 1
  HAVING count(t.{lane}) < count(*) AND count(t.{lane}) >= %(share)s::float8 * count(*)
)
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment
FROM {table} AS t JOIN habits AS h ON h.owner = t.{owner}
WHERE t.{lane} IS NULL AND {placed}
"""
CARDLESS_BY_TAG = """
WITH carded AS MATERIALIZED (
  SELECT DISTINCT c.{ticket} AS ticket FROM {cards} AS c JOIN {lanes} AS p ON {same_lane} WHERE {marked}
), habits AS (
  SELECT t.{owner} AS owner FROM {table} AS t LEFT JOIN carded AS c ON {same} WHERE t.{owner} IS NOT NULL GROUP BY 1
  HAVING count(c.ticket) < count(*) AND count(c.ticket) >= %(share)s::float8 * count(*)
)
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment
FROM {table} AS t JOIN habits AS h ON h.owner = t.{owner}
WHERE NOT EXISTS (SELECT FROM carded AS c WHERE {same})
"""
# Hours of the window that deviate from the same hour of the same kind of day before it (weekends and nights are
# quieter). Median and median absolute deviation, so that neither last week's incident nor a campaign counts as usual.
# An hour without rows counts as 0, but the days before the first row do not. The current hour can have too many rows,
# but cannot have too few yet.
HOURS = """
WITH counted AS (
  SELECT date_trunc('hour', {moment}) AS hour, count(*) AS n FROM {table} AS t
  WHERE {column} >= {since} AND {column} < {until} GROUP BY 1
), hours AS (
  SELECT h.hour, COALESCE(c.n, 0) AS n, h.hour >= {begins} AS looked_at,
         extract(hour FROM h.hour AT TIME ZONE %(time_zone)s) AS of_day,
         extract(isodow FROM h.hour AT TIME ZONE %(time_zone)s) > 5 AS weekend
  FROM generate_series((SELECT min(hour) FROM counted), date_trunc('hour', transaction_timestamp()), '1 hour')
       AS h (hour)
  LEFT JOIN counted AS c ON c.hour = h.hour
), medians AS (
  SELECT of_day, weekend, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS median
  FROM hours WHERE NOT looked_at GROUP BY 1, 2
), usual AS (
  SELECT m.of_day, m.weekend, m.median,
         GREATEST(1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(h.n - m.median)), sqrt(m.median), 1)
         AS spread
  FROM hours AS h JOIN medians AS m ON m.of_day = h.of_day AND m.weekend = h.weekend
  WHERE NOT h.looked_at GROUP BY 1, 2, 3
)
SELECT 1 AS weight, NULL::text AS tenant,
       ARRAY[to_char(h.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'), h.n::text, u.median::numeric::text] AS key,
       h.hour AS moment
FROM hours AS h JOIN usual AS u ON u.of_day = h.of_day AND u.weekend = h.weekend
WHERE h.looked_at AND (
  (%(more)s AND h.n - u.median > %(threshold)s::float8 * u.spread)
  OR (%(fewer)s AND u.median - h.n > %(threshold)s::float8 * u.spread
      AND h.hour < date_trunc('hour', transaction_timestamp())))
ORDER BY h.hour
"""
BEGINS = "date_trunc('hour', transaction_timestamp()) - %(window_hours)s * interval '1 hour'"
SINCE = "({begins} - %(baseline_days)s * interval '1 day')"
LEAST_HISTORY = "({begins} - %(least_days)s * interval '1 day')"
UNTIL = "transaction_timestamp()"
IN_ZONE = "({time} AT TIME ZONE %(time_zone)s)"
HAS_HISTORY = "SELECT EXISTS (SELECT FROM {table} AS t WHERE {column} < {before})"
# How many of the earlier rows are still there: if they have a time, later rows do not stand in for them.
MISSING_ROWS = """
SELECT %(rows)s::bigint - t.kanban_rows AS weight, NULL::text AS tenant,
       ARRAY[%(rows)s::bigint::text, t.kanban_rows::text] AS key, NULL::timestamptz AS moment
FROM (SELECT count(*) AS kanban_rows FROM {table} AS t WHERE {was_there}) AS t
WHERE t.kanban_rows < %(rows)s::bigint
"""
WAS_THERE = "{moment} <= %(at)s::timestamptz"
MISSING_IDS = """
SELECT 1 AS weight, NULL::text AS tenant, ARRAY[left(k.id, {letters})] AS key, NULL::timestamptz AS moment
FROM unnest(%(ids)s::text[]) AS k (id)
WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.{column}::text = k.id)
"""
# A user's own query. Inside a subquery it can only read, whatever it holds.
GIVEN = """
SELECT 1 AS weight, {tenant} AS tenant, {key} AS key, {moment} AS moment FROM (
{query}
) AS t
"""
# Reads everything that such a query reads, and can also be a view's query, whose columns need a name each.
DEPENDS = """SELECT count(*) FROM (
{query}
) AS checked"""
NO_ROWS = """
SELECT * FROM (
{query}
) AS t LIMIT 0
"""

# How a row is named in samples: by its primary key, in the key's order.
PRIMARY_KEY = """
SELECT a.attname::text
FROM pg_index AS i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
JOIN pg_attribute AS a ON a.attnum = k.number
WHERE i.indrelid = %(table)s AND i.indisprimary AND a.attrelid = i.indrelid
ORDER BY k.place
"""
# Who holds a table exclusively, or is queued to, so that even readers wait.
HOLDERS = """
SELECT l.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.relation = ANY (%(tables)s::oid[]) AND l.mode = 'AccessExclusiveLock'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY l.granted DESC, 3 DESC NULLS LAST LIMIT 3
"""
