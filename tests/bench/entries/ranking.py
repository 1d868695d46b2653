# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranking of scenario 2 against the best query that a person would write, on five million errors from one month."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from psycopg2.extensions import connection

from tests.support import dataset_sql
from tests.support.dataset import KEY, DataSet

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Per tenant of the settings: a million tenants make 5 million errors of 10,000 tenants, 200,000 in the last hour.
ERRORS = 5
TENANTS_EVERY = 100
LAST_HOUR_OF = 25
WINDOWS = {"hour": 3600, "all": 40 * 86400}
MORE_THAN = 10
TOP = 20

_FILL = (
    """INSERT INTO "Companies" ("id", "name", "settings") SELECT g, 'Empresa ' || g,
       ('{"timezone": "America/Sao_Paulo", "userRating": "enabled", "kanbanV2Enabled": ' || (g %% 10 < 3) || '}')::jsonb
       FROM generate_series(1, %(tenants)s) AS g""",
    'ALTER TABLE "Companies" ADD PRIMARY KEY ("id")',
    # Half of the errors are of 25 tenants, and half concern the board; they span a month, one in 25 in the last hour.
    """INSERT INTO "ErrorLogs" ("companyId", "severity", "context", "message", "createdAt")
       SELECT CASE WHEN g %% 2 = 0 THEN 1 + g / 2 %% 25 * (%(tenants)s / 25)
                   ELSE 1 + g * 7919::bigint %% %(tenants)s END, 'error',
       (ARRAY['kanban', 'kanban:drag', 'webhook', 'Kanban:lanes', 'socket', 'queue:messages'])[1 + g * 31::bigint %% 6],
       'TypeError: Cannot read properties of undefined (reading ''lane'') at KanbanController.js:' || g %% 900,
       CASE WHEN g > %(errors)s - %(hour)s THEN now() - (%(errors)s - g) * interval '1 hour' / %(hour)s
            ELSE now() - interval '1 hour' - (%(errors)s - %(hour)s - g) * interval '30 days' / %(errors)s END
       FROM generate_series(1, %(errors)s) AS g""",
)
_INDEX = 'CREATE INDEX ON "ErrorLogs" ("createdAt")'
# Errors first, then the few tenants: the join that a person forgets is what costs.
_BY_HAND = """SELECT w."companyId"::text, c."name", w.errors, w.mean
FROM (SELECT "companyId", count(*) AS errors,
             extract(epoch FROM max("createdAt") - min("createdAt")) / NULLIF(count(*) - 1, 0) AS mean
      FROM "ErrorLogs" WHERE "createdAt" > now() - %(window)s * interval '1 second' AND "context" {like} '%%kanban%%'
      GROUP BY 1 HAVING count(*) > %(more_than)s) AS w
JOIN "Companies" AS c ON c."id" = w."companyId" AND c."settings" @> '{{"kanbanV2Enabled": true}}'
ORDER BY w.errors DESC, w."companyId" LIMIT %(top)s"""


def _fill(session: connection, tenants: int, indexed: bool) -> None:
    errors = tenants * ERRORS
    values = {"tenants": tenants // TENANTS_EVERY, "errors": errors, "hour": errors // LAST_HOUR_OF}
    with session.cursor() as cur:
        for statement in dataset_sql.tables(DataSet()):
            cur.execute(statement)
        for statement in _FILL:
            cur.execute(statement, values)
        if indexed:
            cur.execute(_INDEX)


def _options(place: Copies) -> dict[str, object]:
    columns = {"error_logs": {"company": "companyId", "context": "context", "created_at": "createdAt"}}
    return {
        **place.login(),
        **{"table": "Companies", "column": "settings", "path": [KEY], "error_logs": "ErrorLogs"},
        **{"companies": "Companies", "columns": {**columns, "companies": {"id": "id", "name": "name"}}},
        **{"contains": "kanban", "more_than": MORE_THAN, "top": TOP, "deadline": 300},
    }


@contextmanager
def _arms(settings: Settings, indexed: bool) -> Iterator[Mapping[str, Arm]]:
    with copies(partial(_fill, tenants=settings.tenants, indexed=indexed)) as place:
        place.fresh()
        lists: dict[tuple[str, bool], list[str]] = {}

        def module(_number: int, window: str, ignore_case: bool) -> Sample:
            more = {"window": WINDOWS[window], "ignore_case": ignore_case}
            done = run_module("affected_tenants_info", {**_options(place), **more})
            lists[window, ignore_case] = [tenant["tenant"] for tenant in done.result["tenants"]]
            figures = {"ranking": done.result["ranking_ms"] / 1000, "elapsed": done.result["elapsed_ms"] / 1000}
            return {**figures, "process": done.seconds}

        def hand(_number: int, window: str, ignore_case: bool) -> Sample:
            statement = _BY_HAND.format(like="ILIKE" if ignore_case else "LIKE")
            values = {"window": WINDOWS[window], "more_than": MORE_THAN, "top": TOP}
            with place.connect() as session, session.cursor() as cur:
                started = time.monotonic()
                cur.execute(statement, values)
                found = [row[0] for row in cur.fetchall()]
                seconds = time.monotonic() - started
            # The one-hour window moves on between the two.
            known = lists.get((window, ignore_case), found)
            if window == "all" and known != found:
                raise CannotMeasure(f"by hand {found} are the worst, and {known} by the module")
            return {"seconds": seconds}

        makers: dict[str, Callable[..., Sample]] = {"module": module, "hand": hand}
        yield {
            f"{name} {window}{'' if ignore_case else ' case'}": partial(make, window=window, ignore_case=ignore_case)
            for ignore_case in (True, False)
            for window in WINDOWS
            for name, make in makers.items()
        }


def _lines() -> Iterator[Line]:
    for window, what in (("hour", "the last hour, 1 in 25"), ("all", "all of it in the window")):
        hand = (f"hand {window}", "seconds")
        yield Line(f"{what}: the ranking against ILIKE", (f"module {window}", "ranking"), "s", 1.3, hand)
        yield Line("  connect to last statement", (f"module {window}", "elapsed"), "s", None, hand)
        case = (f"module {window} case", "ranking")
        yield Line("  the same without ignore_case, against LIKE", case, "s", 1.3, (f"hand {window} case", "seconds"))


INDEXED = Entry(
    "ranking",
    "Worst tenants by 5 errors per tenant of the settings, with an index on their time, against the query by hand",
    partial(_arms, indexed=True),
    tuple(_lines()),
)
BARE = Entry(
    "rank_bare",
    "The same without an index",
    partial(_arms, indexed=False),
    tuple(_lines()),
)
