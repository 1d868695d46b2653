# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""De-duplication with quarantine and post-conditions, against a bare delete by row number and ctid."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from psycopg2.extensions import connection

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Per tenant of the settings: a million tenants make 4 million TicketTags.
LINKS = 4
CORRUPT_EVERY = 1000
INCIDENT = "INC-1"
CHECK = {"name": "twice", "kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"]}

_FILL = (
    """CREATE TABLE "TicketTags" ("id" serial, "ticketId" integer NOT NULL, "tagId" integer NOT NULL,
       "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL DEFAULT now())""",
    # Two tags per ticket, scattered as after years of use; the last row of each thousand repeats the one before.
    """INSERT INTO "TicketTags" ("ticketId", "tagId")
       SELECT 1 + h * 7919::bigint %% %(tickets)s, 1 + h %% 7 + 7 * (h / %(tickets)s)
       FROM (SELECT CASE WHEN g %% %(every)s = 0 THEN g - 1 ELSE g END AS h
             FROM generate_series(1::bigint, %(links)s) AS g) AS links""",
    'ALTER TABLE "TicketTags" ADD PRIMARY KEY ("id")',
    'CREATE INDEX ON "TicketTags" ("ticketId")',
)
_BARE = """DELETE FROM "TicketTags" AS t USING (
  SELECT ctid, row_number() OVER (PARTITION BY "ticketId", "tagId" ORDER BY "id") AS n FROM "TicketTags") AS d
WHERE t.ctid = d.ctid AND d.n > 1"""


def _fill(session: connection, links: int) -> None:
    with session.cursor() as cur:
        for statement in _FILL:
            cur.execute(statement, {"links": links, "tickets": links // 2, "every": CORRUPT_EVERY})


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    links = settings.tenants * LINKS
    with copies(partial(_fill, links=links)) as place:
        yield {
            "bare": partial(_bare, place=place, expected=links // CORRUPT_EVERY),
            "module": partial(_module, place=place, expected=links // CORRUPT_EVERY),
        }


def _bare(_number: int, place: Copies, expected: int) -> Sample:
    place.fresh()
    with place.connect() as session, session.cursor() as cur:
        cur.execute("SET work_mem = '64MB'; SET jit = off")
        started = time.monotonic()
        cur.execute(_BARE)
        seconds = time.monotonic() - started
        if cur.rowcount != expected:
            raise CannotMeasure(f"{cur.rowcount} rows were deleted of {expected}")
    return {"seconds": seconds}


def _module(_number: int, place: Copies, expected: int) -> Sample:
    place.fresh()
    options = {**place.login(), "incident_id": INCIDENT}
    run_module("incident", options)
    run_module("write_fence", {**options, "tables": ["TicketTags"]})
    checks = {**options, "checks": [CHECK], "max_rows": 10**9}
    planned = run_module("integrity_repair", {**checks, "_ansible_check_mode": True})
    done = run_module("integrity_repair", {**checks, "plan_hash": planned.result["plan_hash"]})
    if done.result["quarantined"] != expected or done.result["plan"]["checks"][0]["remaining"]:
        raise CannotMeasure(f"{done.result['quarantined']} rows are in quarantine of {expected}")
    return {
        "plan": planned.result["elapsed_ms"] / 1000,
        "repair": done.result["elapsed_ms"] / 1000,
        "process": done.seconds,
        "memory": done.peak_mb,
    }


ENTRY = Entry(
    "repair",
    "De-duplication of 4 TicketTags per tenant of the settings, 1 in 1,000 too many, against a bare delete",
    _arms,
    (
        Line("quarantine, delete, post-condition", ("module", "repair"), "s", 2.0, ("bare", "seconds")),
        Line("  with the process", ("module", "process"), "s", None, ("bare", "seconds")),
        Line("  the plan alone", ("module", "plan"), "s", None, ("bare", "seconds")),
        Line("memory of the module", ("module", "memory"), "MB", 200),
    ),
    runs=3,
)
