# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data checks against the plan's own SQL and the best a person would write, with two tickets per tenant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from tests.support.dataset import DataSet

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Per tenant of the settings: a million tenants make 2 million tickets with 4 million tags, of 10,000 companies.
TICKETS = 2
TENANTS_EVERY = 100
PLAN_SECONDS = 120

_TICKETS = {"table": "Tickets", "column": "id", "tenant": "companyId"}
_TAGS = {"table": "Tags", "column": "id", "tenant": "companyId"}
# As in the profile: first the checks of the plan, then the rest.
_PLAN: list[dict[str, Any]] = [
    {"name": "orphan_tags", "kind": "orphan", "table": "Tags", "column": "companyId", "time": "createdAt",
     "references": {"table": "Companies", "column": "id"}},
    {"name": "invalid_lanes", "kind": "invalid_reference", "table": "Tickets", "column": "kanbanLane",
     "tenant": "companyId", "references": {"table": "Lanes", "column": "id"}, "time": "updatedAt"},
    {"name": "duplicates", "kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"],
     "column": "ticketId", "references": _TICKETS, "time": "createdAt"},
    {"name": "tags_per_hour", "kind": "timeline", "table": "Tags", "time": "createdAt"},
]  # fmt: skip
_ALL: list[dict[str, Any]] = [
    *_PLAN,
    {"name": "order", "kind": "ordering", "table": "Tickets", "position": "kanbanOrder", "lane": ["kanbanLane"],
     "tenant": "companyId", "gaps": "ignored", "time": "updatedAt"},
    {"name": "cross", "kind": "cross_tenant", "table": "TicketTags", "column": "ticketId", "references": _TICKETS,
     "other_column": "tagId", "other_references": _TAGS, "time": "createdAt"},
    {"name": "nobodys", "kind": "null_reference", "table": "Tickets", "column": "companyId", "time": "createdAt"},
    {"name": "gone", "kind": "orphan", "table": "Tickets", "column": "companyId", "null_is": "ignored",
     "references": {"table": "Companies", "column": "id"}, "time": "createdAt"},
    {"name": "cardless", "kind": "cardless_ticket", "table": "Tickets", "column": "kanbanLane", "tenant": "companyId",
     "position": "kanbanOrder", "time": "updatedAt"},
    {"name": "two_lanes", "kind": "two_lanes", "table": "TicketTags", "columns": ["ticketId"], "column": "tagId",
     "lanes": {**_TAGS, "mark": "kanban"}, "time": "createdAt"},
    {"name": "by_tag", "kind": "cardless_ticket", "table": "Tickets", "column": "id", "tenant": "companyId",
     "references": {"table": "TicketTags", "column": "ticketId"}, "time": "updatedAt",
     "lanes": {"table": "Tags", "column": "id", "mark": "kanban", "through": "tagId"}},
]  # fmt: skip
_HOURS = """SELECT date_trunc('hour', "createdAt") AS hour, count(*) FROM "Tags"
            WHERE "createdAt" > now() - interval '24 hours' GROUP BY hour ORDER BY hour"""
_AS_PLANNED = {
    "orphan_tags": """SELECT count(*) FROM "Tags"
        WHERE "companyId" IS NULL OR "companyId" NOT IN (SELECT id FROM "Companies")""",
    "invalid_lanes": """SELECT count(*) FROM "Tickets" WHERE "kanbanLane" IS NOT NULL
        AND "kanbanLane" NOT IN (SELECT id FROM "Lanes" WHERE "companyId" = "Tickets"."companyId")""",
    "duplicates": """SELECT "tagId", "ticketId", count(*) FROM "TicketTags" GROUP BY "tagId", "ticketId"
        HAVING count(*) > 1""",
    "tags_per_hour": _HOURS,
}
_BY_HAND = {
    "orphan_tags": """SELECT count(*) FROM "Tags" AS t
        WHERE NOT EXISTS (SELECT FROM "Companies" AS c WHERE c.id = t."companyId")""",
    "invalid_lanes": """SELECT count(*) FROM "Tickets" AS t WHERE "kanbanLane" IS NOT NULL AND "companyId" IS NOT NULL
        AND NOT EXISTS (SELECT FROM "Lanes" AS l WHERE l.id = t."kanbanLane" AND l."companyId" = t."companyId")""",
    "duplicates": """SELECT sum(n - 1)::bigint FROM (SELECT count(*) AS n FROM "TicketTags"
        GROUP BY "ticketId", "tagId" HAVING count(*) > 1) AS d""",
    "tags_per_hour": _HOURS,
}


def _fill(session: connection, tenants: int) -> None:
    data = DataSet(tenants=max(10, tenants // TENANTS_EVERY), tickets=tenants * TICKETS, corruption=True)
    data.load(session)
    with session.cursor() as cur:
        # The second tag of every ticket that lacks one, and two months over which tags were made.
        cur.execute(
            """INSERT INTO "TicketTags" ("ticketId", "tagId")
               SELECT g, (g * 7919::bigint %% %(tenants)s) * 5 + 1 + (g + 1) %% 5
               FROM generate_series(1, %(tickets)s, 2) AS g""",
            {"tenants": data.tenants, "tickets": data.tickets},
        )
        # The plan names no index; on a database without this one its query of lanes takes most of the time.
        cur.execute('DROP INDEX "Lanes_companyId_idx"')
        cur.execute("""UPDATE "Tags" SET "createdAt" = now() - id * 7919::bigint % 86400 * interval '1 minute'""")


def _module(place: Copies, counts: dict[str, int], checks: list[dict[str, Any]], _number: int) -> Sample:
    done = run_module("integrity_info", {**place.login(), "checks": checks, "deadline": 300, "check_seconds": 120})
    found = {check["name"]: check for check in done.result["checks"]}
    if not done.result["complete"] or done.result["not_applicable"]:
        raise CannotMeasure(f"not counted: {done.result['not_known']}, {done.result['not_applicable']}")
    counts.update({name: check["count"] for name, check in found.items()})
    each = {name: check["elapsed_ms"] / 1000 for name, check in found.items()}
    return {**each, "counting": sum(each.values()), "elapsed": done.result["elapsed_ms"] / 1000, "peak": done.peak_mb}


def _sql(place: Copies, counts: dict[str, int], statements: Mapping[str, str], _number: int) -> Sample:
    """Run each statement to its end or to its timeout."""
    seconds: dict[str, float] = {}
    with place.connect() as session, session.cursor() as cur:
        # An expert would set the same.
        cur.execute(f"SET statement_timeout = '{PLAN_SECONDS}s'; SET work_mem = '64MB'; SET jit = off")
        for name, statement in statements.items():
            started = time.monotonic()
            try:
                cur.execute(statement)
                rows = cur.fetchall()
            except psycopg2.errors.QueryCanceled:
                rows = []
            seconds[name] = time.monotonic() - started
            # The plan's query of lanes also counts tickets that have no company.
            if statements is _BY_HAND and name != "tags_per_hour" and counts.get(name, rows[0][0]) != rows[0][0]:
                raise CannotMeasure(f"{name}: by hand {rows[0][0]}, and {counts[name]} by the module")
    return {**seconds, "counting": sum(seconds.values())}


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with copies(partial(_fill, tenants=settings.tenants)) as place:
        place.fresh()
        counts: dict[str, int] = {}
        yield {
            "module": partial(_module, place, counts, _PLAN),
            "hand": partial(_sql, place, counts, _BY_HAND),
            "plan": partial(_sql, place, counts, _AS_PLANNED),
            "all": partial(_module, place, counts, _ALL),
        }


def _lines() -> Iterator[Line]:
    ours, hand = ("module", "counting"), ("hand", "counting")
    planned = f"the plan's checks against its SQL, each to its end or {PLAN_SECONDS} s"
    yield Line(planned, ours, "s", 0.05, ("plan", "counting"))
    yield Line("the same against the best sets by hand", ours, "s", 1.5, hand)
    for check in _PLAN:
        name = check["name"]
        yield Line(f"  {name} against by hand", ("module", name), "s", None, ("hand", name))
    yield Line("all the profile's checks", ("all", "counting"), "s")
    for check in _ALL[len(_PLAN) :]:
        yield Line(f"  {check['name']}", ("all", check["name"]), "s")
    yield Line("  greatest resident set of the module", ("all", "peak"), "MB", 200)


ENTRY = Entry(
    "integrity",
    "Checks of the data, 2 tickets and 4 of their tags per tenant of the settings, against the plan and by hand",
    _arms,
    tuple(_lines()),
    runs=2,
)
