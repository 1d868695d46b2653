# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing with a backup and bringing rows back, against a bare EXCEPT and a bare INSERT ... SELECT."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from psycopg2.extensions import connection

from tests.support.servers import workspace

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Per tenant of the settings: a million tenants make 4 million TicketTags.
LINKS = 4
MISSING = 10_000
INCIDENT = "INC-1"
CHECK = {"name": "twice", "kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"]}

_FILL = (
    """CREATE TABLE "TicketTags" ("id" serial, "ticketId" integer NOT NULL, "tagId" integer NOT NULL,
       "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL DEFAULT now())""",
    """INSERT INTO "TicketTags" ("ticketId", "tagId")
       SELECT 1 + g * 7919::bigint %% %(tickets)s, 1 + g %% 7 + 7 * (g / %(tickets)s)
       FROM generate_series(1::bigint, %(links)s) AS g""",
    'ALTER TABLE "TicketTags" ADD PRIMARY KEY ("id")',
    'CREATE INDEX ON "TicketTags" ("ticketId")',
    # A restored copy, as a person would have at hand, and the rows to bring back.
    'CREATE TABLE restored AS TABLE "TicketTags"',
    'CREATE TABLE lost AS SELECT * FROM "TicketTags" WHERE "id" %% (%(links)s / %(missing)s) = 0 LIMIT %(missing)s',
)
_LOSE = 'DELETE FROM "TicketTags" AS t USING lost AS l WHERE l."id" = t."id"'
_EXCEPT = 'SELECT count(*) FROM (TABLE restored EXCEPT TABLE "TicketTags") AS missing'
_BARE = 'INSERT INTO "TicketTags" SELECT * FROM lost'


def _fill(session: connection, links: int) -> None:
    missing = min(MISSING, links // 4)
    with session.cursor() as cur:
        for statement in _FILL:
            cur.execute(statement, {"links": links, "tickets": links // 2, "missing": missing})


def _dump(place: Copies, path: Path) -> None:
    login = place.login()
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "DATABASE": "db"}
    environment = {f"PG{name}": str(login[f"login_{option}"]) for name, option in names.items()}
    command = [str(place.server.programs / "pg_dump"), "--format=custom", f"--file={path}", '--table="TicketTags"']
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasure(f"pg_dump failed: {done.stderr[-500:]}")


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    links = settings.tenants * LINKS
    expected = min(MISSING, links // 4)
    with copies(partial(_fill, links=links)) as place, workspace("kanban-bench-") as directory:
        place.fresh()
        path = directory / "backup"
        _dump(place, path)
        yield {
            "bare": partial(_bare, place=place, expected=expected),
            "module": partial(_module, place=place, path=path, expected=expected),
        }


def _lost(place: Copies) -> None:
    place.fresh()
    with place.connect() as session, session.cursor() as cur:
        cur.execute(_LOSE)
    place.server.query("CHECKPOINT")


def _bare(_number: int, place: Copies, expected: int) -> Sample:
    _lost(place)
    with place.connect() as session, session.cursor() as cur:
        cur.execute("SET work_mem = '64MB'; SET jit = off")
        started = time.monotonic()
        cur.execute(_EXCEPT)
        compared = time.monotonic() - started
        row = cur.fetchone()
        if not row or row[0] != expected:
            raise CannotMeasure(f"EXCEPT found {row} rows of {expected}")
        started = time.monotonic()
        cur.execute(_BARE)
        inserted = time.monotonic() - started
    checked = run_module("integrity_info", {**place.login(), "checks": [CHECK]})
    if checked.result["checks"][0]["count"] is None:
        raise CannotMeasure("the checks did not count")
    return {"except": compared, "insert": inserted + checked.result["elapsed_ms"] / 1000}


def _module(_number: int, place: Copies, path: Path, expected: int) -> Sample:
    _lost(place)
    options = {**place.login(), "incident_id": INCIDENT}
    run_module("incident", options)
    run_module("write_fence", {**options, "tables": ["TicketTags"]})
    options.update(
        source={"kind": "file", "path": str(path)},
        tables=["TicketTags"],
        checks=[CHECK],
        max_fraction=1.0,
        bin_dir=str(place.server.programs),
    )
    planned = run_module("pg_restore_tables", {**options, "_ansible_check_mode": True})
    done = run_module("pg_restore_tables", {**options, "plan_hash": planned.result["plan_hash"]})
    if done.result["restored"] != expected:
        raise CannotMeasure(f"{done.result['restored']} rows came back of {expected}")
    took = {step: milliseconds / 1000 for step, milliseconds in done.result["timings"].items()}
    return {
        "compare": took["compare"],
        "load": took["load"] + took["compare"],
        "apply": took["checks"] + took["apply"],
        "process": done.seconds,
        "memory": done.peak_mb,
    }


ENTRY = Entry(
    "restore",
    f"Comparing 4 TicketTags per tenant with a backup, and {MISSING} missing rows, against bare statements",
    _arms,
    (
        Line("comparing, with the backup's rows there", ("module", "compare"), "s", 2.5, ("bare", "except")),
        Line("  with taking them out of the backup", ("module", "load"), "s", None, ("bare", "except")),
        Line("bringing back, quarantine, post-condition", ("module", "apply"), "s", 3.0, ("bare", "insert")),
        Line("  the whole process", ("module", "process"), "s", None, ("bare", "insert")),
        Line("memory of the module", ("module", "memory"), "MB", 200),
    ),
    runs=3,
)
