# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that reads, switches and restores a flag. Set-based; names and expressions are filled in by ``_flagsql``.

``t`` is always the flag's table. ``{is_on}``, ``{prior}`` and the like are expressions over ``t``.
"""

from __future__ import annotations

# The one count that decides: after the kill, in check mode and for information. Takes no row locks.
COUNT = """
SELECT {count}, {count} FILTER (WHERE {is_on})
FROM {table} AS t
WHERE {rows} AND {scope}
"""

# Tenants that are on (or off, when switching on), for the second pass and for a reader. Bounded by the caller.
TENANTS = """
SELECT DISTINCT {tenant}::text
FROM {table} AS t
WHERE {rows} AND {scope} AND {to_switch}
ORDER BY 1
LIMIT %(limit)s
"""

# What the flag's values look like, for a reader: grouped, so that the result does not grow with the number of tenants.
VALUES = """
SELECT left({leaf}, 60), count(*)
FROM {table} AS t
WHERE {rows} AND {scope}
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s
"""

# Which of the requested tenants exist, as requested and as their rows spell them, and with them the ledger: citext
# keeps its letters, and numeric its zeros.
KNOWN = """
SELECT w.tenant, {tenant}::text
FROM unnest(%(tenants)s::text[]) AS w(tenant)
JOIN {table} AS t ON {rows} AND {scope}
"""
# How the rows of wanted tenants are found. NULL equals nothing, and a join that allowed for it could use no index.
OF_TENANT = "{tenant} = w.tenant::{tenant_type}"
OF_NOBODY = "{tenant} IS NULL AND w.tenant IS NULL"

# One batch of the kill. NO KEY UPDATE, because an open ticket INSERT holds KEY SHARE on its tenant and must not hide
# it. The rows are written by a list of places: a join by place takes a seventh longer. Both counts come back, because a
# row that moved between the snapshot and its lock is locked at its new place but not seen by the UPDATE; the caller
# then rolls the batch back. Tenants and priors come back as two arrays in text form, ready for one ledger row.
SWITCH = """
WITH locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, {tenant}::text AS tenant, {prior} AS prior, {depth} AS depth
  FROM {table} AS t
  WHERE {rows} AND {scope} AND {to_switch}
  FOR NO KEY UPDATE {waiting}
), switched AS (
  UPDATE {table} AS t
  SET {column_name} = {written}
  WHERE t.ctid = ANY (ARRAY(SELECT place FROM locked)) AND {same_leaf}
  RETURNING 1
)
SELECT (SELECT count(*) FROM switched), count(*), array_agg(tenant)::text, array_agg(prior)::text,
       CASE WHEN bool_and(depth = {full_depth}) THEN NULL ELSE array_agg(depth)::text END
FROM locked
"""
# Places repeat across the leaves of a partitioned table.
SAME_LEAF = "(t.tableoid, t.ctid) IN (SELECT leaf, place FROM locked)"

# A page range works for any table, with or without a primary key, and needs no index and no sort.
SCOPE_PAGES = "t.ctid >= %(first)s::tid AND t.ctid < %(last)s::tid"
SCOPE_TENANTS = "{tenant} = ANY (%(tenants)s::text[]::{tenant_type}[])"
SCOPE_TENANTS_AND_NOBODY = f"({SCOPE_TENANTS} OR {{tenant}} IS NULL)"
SCOPE_ALL = "TRUE"
# And not these tenants.
SCOPE_WITHOUT = "{scope} AND ({tenant}::text = ANY (%(without)s::text[])) IS NOT TRUE"

# json and text: the same rows, but the new text is made outside the server (see _jsontext for why).
LOCK_DOCUMENTS = """
SELECT t.tableoid::regclass::text, t.ctid::text, {tenant}::text, {column}::text
FROM {table} AS t
WHERE {rows} AND {scope} AND {may_matter}
FOR NO KEY UPDATE {waiting}
"""

READ_DOCUMENTS = """
SELECT {tenant}::text, {column}::text
FROM {table} AS t
WHERE {rows} AND {scope} AND {may_matter}
"""

# The rows are locked by this transaction, so their places do not change.
WRITE_DOCUMENTS = """
UPDATE {table} AS t
SET {column_name} = new.content::{column_type}
FROM unnest(%(leaves)s::text[], %(places)s::text[], %(contents)s::text[]) AS new(leaf, place, content)
WHERE t.ctid = new.place::tid AND t.tableoid = new.leaf::regclass
"""

# What to put back, one row per tenant: the first prior that no restore has spent, what we wrote last, and what stood
# there before that (other settings may have been saved between two switches).
# Entries are the ledger's or those of the file that stood in for it. NULL, the row without a tenant, equals nothing.
_PRIORS = """
WITH entry AS (
  SELECT e.seq, e.action, e.written, u.tenant, u.prior, COALESCE(u.depth, e.full_depth) AS depth, u.mark
  FROM {entries} AS e,
       unnest(e.tenants, e.priors, e.depths, e.marks) AS u(tenant, prior, depth, mark)
), spent AS (
  {spent}
)
SELECT tenant, (array_agg(entry.prior ORDER BY entry.seq))[1], (array_agg(entry.depth ORDER BY entry.seq))[1],
       (array_agg(entry.written ORDER BY entry.seq DESC))[1], (array_agg(entry.mark ORDER BY entry.seq DESC))[1],
       (array_agg(entry.prior ORDER BY entry.seq DESC))[1]
FROM entry
LEFT JOIN spent USING (tenant)
WHERE entry.action <> 'restored'
  AND entry.seq > COALESCE(spent.seq, CASE WHEN tenant IS NULL THEN (SELECT seq FROM spent WHERE tenant IS NULL) END, 0)
  AND (%(tenants)s::text[] IS NULL OR tenant = ANY (%(tenants)s::text[])
       OR tenant IS NULL AND array_position(%(tenants)s::text[], NULL) IS NOT NULL)
GROUP BY tenant
ORDER BY tenant
"""
PRIORS = _PRIORS.replace(
    "{spent}", "SELECT tenant, max(seq) AS seq FROM entry WHERE action = 'restored' GROUP BY tenant"
)
# The same for tenants that have theirs back: what stood there when they were last switched, as if it were not spent.
PRIORS_AND_SPENT = _PRIORS.replace(
    "{spent}",
    """SELECT tenant, max(entry.seq) AS seq
  FROM entry JOIN (
    SELECT tenant, max(seq) AS last FROM entry WHERE action <> 'restored' GROUP BY tenant
  ) AS switched USING (tenant)
  WHERE entry.action = 'restored' AND entry.seq < switched.last GROUP BY tenant""",
)

# Tenants that had the feature when the incident first touched them, spent or not: those first switched on had not.
HAD_IT = """
WITH entry AS (
  SELECT e.seq, e.action, u.tenant FROM {entries} AS e, unnest(e.tenants) AS u(tenant)
)
SELECT tenant FROM entry GROUP BY tenant HAVING min(seq) FILTER (WHERE action = 'disabled') = min(seq)
"""

# One batch of an exact undo. "changed" is decided by the flag alone; other settings of the tenant do not matter. A row
# that a trigger turned back is in no list: its prior is not spent.
RESTORE = """
WITH wanted AS (
  SELECT * FROM unnest(%(tenants)s::text[], %(priors)s::text[], %(depths)s::int[], %(writtens)s::text[])
    AS w(tenant, prior, depth, written)
), locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, w.*, {already} AS already, {unchanged} AS unchanged
  FROM wanted AS w
  JOIN {table} AS t ON {scope} AND {rows}
  FOR NO KEY UPDATE OF t SKIP LOCKED
), restored AS (
  UPDATE {table} AS t
  SET {column_name} = {put_back}
  FROM locked AS w
  WHERE t.tableoid = w.leaf AND t.ctid = w.place AND w.unchanged AND NOT w.already
  RETURNING w.tenant, {already} AS took
)
SELECT (SELECT array_agg(tenant) FROM restored WHERE took),
       (SELECT array_agg(tenant) FROM locked WHERE already),
       (SELECT array_agg(tenant) FROM locked WHERE NOT already AND NOT unchanged)
"""

# Tenants with more than one row, each with whether it is not yet as wanted.
SEVERAL = """
SELECT {tenant}::text, bool_or({to_switch})
FROM {table} AS t
WHERE {rows} AND {scope} AND {tenant} IS NOT NULL
GROUP BY 1 HAVING count(*) > 1
"""
# More than one of these, and nobody knows whose a prior is.
WITHOUT_TENANT = "SELECT count(*) FROM {table} AS t WHERE {rows} AND {tenant} IS NULL"
# All their rows, ordered by what tells them apart, so that the order is the same at the undo (see _rowkey).
ALL_ROWS = """
SELECT {tenant}::text, t.tableoid::regclass::text, t.ctid::text, {column}::text, {is_on},
       {row_key}, {row_rest}
FROM {table} AS t
WHERE {rows} AND {scope}
ORDER BY 1, 6, 7, t.tableoid, t.ctid
"""
LOCK_ALL_ROWS = f"{ALL_ROWS} FOR NO KEY UPDATE OF t {{waiting}}"
# Many of them at once; they are locked by this transaction. What a row holds then comes back with where it was.
_WRITE_ROWS = """
UPDATE {table} AS t
SET {column_name} = WRITTEN
FROM unnest(%(leaves)s::text[], %(places)s::text[], %(contents)s::text[]) AS new(leaf, place, content)
WHERE t.ctid = new.place::tid AND t.tableoid = new.leaf::regclass
RETURNING new.leaf, new.place, {column}::text, {row_key}, {row_rest}
"""
WRITE_FLAG = _WRITE_ROWS.replace("WRITTEN", "{written}")
WRITE_TEXTS = _WRITE_ROWS.replace("WRITTEN", "new.content::{column_type}")

# Key/value only. Tenants of the tenants' table that have no row; under absent_means 'on' each of them is on.
MISSING_COUNT = """
SELECT count(*)
FROM {tenants_table} AS o
WHERE {owner_scope} AND NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = o.{owner_id})
"""
# OFFSET 0 hides the limit from the planner: to find few of them it would read a table that has just grown, of which it
# believes that it has next to no rows, again for each tenant.
MISSING_NAMES = """
SELECT tenant FROM (
  SELECT o.{owner_id}::text AS tenant
  FROM {tenants_table} AS o
  WHERE {owner_scope} AND NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = o.{owner_id})
  OFFSET 0
) AS missing
ORDER BY 1 LIMIT %(limit)s
"""
# For a reader, together with those that have a row, in one order: a switch makes the rows of the others.
TENANTS_OR_MISSING = f"({TENANTS}) UNION ALL ({MISSING_NAMES}) ORDER BY 1 LIMIT %(limit)s"
# Whoever is listed where no table says which tenants there are, as their rows would spell them.
LISTED = "(SELECT DISTINCT unnest(%(tenants)s::text[])::{tenant_type} AS id)"
SPELLED = "SELECT w.tenant, w.tenant::{tenant_type}::text FROM unnest(%(tenants)s::text[]) AS w(tenant)"
# Of the rows without a tenant: whether any is on, and with it every tenant without a row.
DEFAULT_IS_ON = "SELECT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {is_on})"
INSERT_MISSING = """
WITH made AS (
  INSERT INTO {table} ({tenant_name}, {key_name}, {column_name}{more_names})
  SELECT o.{owner_id}, %(key)s, {written}{more_values}
  FROM {tenants_table} AS o
  WHERE {owner_scope} AND NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = o.{owner_id})
  RETURNING {tenant_name}::text AS tenant
)
SELECT count(*), array_agg(tenant)::text FROM made
"""
# The undo of such a row deletes it, unless somebody has written another value into it.
DELETE_MADE = """
WITH wanted AS (
  SELECT * FROM unnest(%(tenants)s::text[], %(writtens)s::text[]) AS w(tenant, written)
), locked AS (
  SELECT t.tableoid AS leaf, t.ctid AS place, w.tenant, {leaf} IS NOT DISTINCT FROM {written_as_text} AS ours
  FROM wanted AS w
  JOIN {table} AS t ON {rows} AND {tenant} = w.tenant::{tenant_type}
  FOR UPDATE OF t SKIP LOCKED
), gone AS (
  DELETE FROM {table} AS t USING locked AS w
  WHERE t.tableoid = w.leaf AND t.ctid = w.place AND w.ours
  RETURNING w.tenant
)
SELECT (SELECT array_agg(tenant) FROM gone),
       (SELECT array_agg(w.tenant) FROM wanted AS w
        WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {rows} AND {tenant} = w.tenant::{tenant_type})),
       (SELECT array_agg(DISTINCT tenant) FROM locked WHERE NOT ours)
"""

# A list in the text form of an array, as the ledger takes it.
LIST = "SELECT %(tenants)s::text[]"
