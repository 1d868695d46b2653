# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of many tenants, three in ten of them on: the tables of the data set, filled with tenants only.

All settings are objects, because the plan's statement aborts on anything else; entries that need tickets make them.
"""

from __future__ import annotations

from typing import Literal

from psycopg2.extensions import connection, cursor

from tests.support import dataset_sql
from tests.support.dataset import KEY, DataSet

from .entry import CannotMeasure

# Scenario 3 of the plan, on quoted names: every row is rewritten, and who was on is lost.
PLAN = f"""UPDATE "Companies" SET settings = jsonb_set(COALESCE(settings, '{{}}'::jsonb), '{{{KEY}}}', 'false')"""
ON = f"""(settings::jsonb ->> '{KEY}') = 'true'"""
ON_OF_TEN = 3

_FILL = """INSERT INTO "Companies" ("id", "name", "settings")
SELECT g, 'Empresa ' || g, ('{"timezone": "America/Sao_Paulo", "userRating": "enabled", "maxUsers": ' || g %% 50
  || ', "kanbanV2Enabled": ' || (g %% 10 < 3) || '}')::{settings}
FROM generate_series(1, %(tenants)s) AS g"""
_KEYS = (
    'ALTER TABLE "Companies" ADD PRIMARY KEY ("id")',
    'CREATE INDEX ON "Tickets" ("companyId")',
    'ALTER TABLE "Tickets" ADD FOREIGN KEY ("companyId") REFERENCES "Companies" ("id") ON DELETE CASCADE',
)
# What the ledger must hold: each tenant that was on, once, with its prior value.
_LEDGER = """SELECT count(*), count(DISTINCT tenant), coalesce(bool_and(prior = 'true' AND tenant::int % 10 < 3), true)
FROM kanban_rollback.flag_changes, unnest(tenants, priors) AS kept(tenant, prior) WHERE action = 'disabled'"""


def number_on(tenants: int) -> int:
    """Return how many of ``tenants`` tenants are on."""
    return tenants // 10 * ON_OF_TEN + min(tenants % 10, ON_OF_TEN - 1)


def fill(session: connection, tenants: int, settings: Literal["jsonb", "json", "text"] = "jsonb") -> None:
    """Make the tables and the tenants in an empty database."""
    with session.cursor() as cur:
        for statement in dataset_sql.tables(DataSet(settings=settings)):
            cur.execute(statement)
        cur.execute(_FILL.replace("{settings}", settings), {"tenants": tenants})
        for statement in _KEYS:
            cur.execute(statement)


def flag_options() -> dict[str, object]:
    """Return the options of ``feature_flag`` that name this flag."""
    return DataSet().flag_options()


def count_on(cur: cursor) -> int:
    """Return how many tenants are on, read without the collection."""
    cur.execute(f'SELECT count(*) FROM "Companies" WHERE {ON}')
    return _number(cur)


def check_ledger(cur: cursor, tenants: int) -> None:
    """Raise CannotMeasure unless the ledger names exactly who was on: a kill that loses that does not count."""
    cur.execute(_LEDGER)
    kept, distinct, as_it_was = cur.fetchone() or (0, 0, False)
    if not (kept == distinct == number_on(tenants) and as_it_was):
        raise CannotMeasure(
            f"the ledger holds {kept} prior values of {distinct} tenants (all as they were: {as_it_was}), "
            f"and {number_on(tenants)} tenants were on"
        )


def _number(cur: cursor) -> int:
    found = cur.fetchone()
    return int(found[0]) if found else 0
