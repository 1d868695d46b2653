# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proven dump against bare pg_dump: the same two large tables, the same jobs, the same compressor."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from psycopg2.extensions import connection

from tests.support import dataset_sql
from tests.support.dataset import DataSet
from tests.support.servers import workspace

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Per tenant of the settings: a million tenants make 2 million tickets and 4 million TicketTags.
TICKETS = 2
TICKET_TAGS = 4
TABLES = ("Tickets", "TicketTags")
JOBS = 2
COMPRESS = "zstd:3"

_FILL = (
    """INSERT INTO "Tickets" ("id", "status", "lastMessage", "companyId", "userId", "kanbanOrder")
       SELECT g, (ARRAY['open', 'pending', 'closed'])[1 + g %% 3], 'Mensagem ' || g || ' ' || md5(g::text),
              1 + g * 7919::bigint %% 1000, 1 + g %% 3000, g / 100
       FROM generate_series(1, %(tickets)s) AS g""",
    """INSERT INTO "TicketTags" ("ticketId", "tagId")
       SELECT 1 + g * 7919::bigint %% %(tickets)s, 1 + g %% 5000 FROM generate_series(1, %(ticket_tags)s) AS g""",
)


def _fill(session: connection, tenants: int) -> None:
    with session.cursor() as cur:
        for statement in dataset_sql.tables(DataSet(keyed=False)):
            cur.execute(statement)
        for statement in _FILL:
            cur.execute(statement, {"tickets": tenants * TICKETS, "ticket_tags": tenants * TICKET_TAGS})


def _bare(place: Copies, dest: Path) -> Sample:
    """Dump the rows of the same tables as a person would, also synced to disk."""
    login = place.login()
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "DATABASE": "db"}
    environment = {f"PG{name}": str(login[f"login_{option}"]) for name, option in names.items()}
    command = [str(place.server.programs / "pg_dump"), "--format=directory", f"--file={dest}", f"--jobs={JOBS}"]
    command += [f"--compress={COMPRESS}", *(f'--table="{table}"' for table in TABLES)]
    started = time.monotonic()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasure(f"bare pg_dump failed: {done.stderr[-500:]}")
    return {"seconds": time.monotonic() - started}


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with copies(partial(_fill, tenants=settings.tenants)) as place, workspace("kanban-bench-") as directory:
        place.fresh()
        options = {
            **place.login(),
            "tables": list(TABLES),
            "jobs": JOBS,
            "compress": COMPRESS,
            "bin_dir": str(place.server.programs),
            "deadline": 600,
        }
        expected = settings.tenants * (TICKETS + TICKET_TAGS)

        def module(number: int) -> Sample:
            dest = directory / f"module-{number}"
            done = run_module("pg_dump", {**options, "dest": str(dest), "incident_id": f"INC-BENCH-{number}"})
            shutil.rmtree(dest)
            if done.result["rows"] != expected:
                raise CannotMeasure(f"{done.result['rows']} rows were dumped of {expected}")
            return {"elapsed": done.result["elapsed_ms"] / 1000, "process": done.seconds}

        def bare(number: int) -> Sample:
            dest = directory / f"bare-{number}"
            sample = _bare(place, dest)
            shutil.rmtree(dest)
            return sample

        yield {"module": module, "bare": bare}


ENTRY = Entry(
    "dump",
    f"Proven dump ({COMPRESS}) with counts and checksums, two tables of 2 and 4 rows per tenant, against bare pg_dump",
    _arms,
    (
        Line("pg_dump module, connect to the dump's name", ("module", "elapsed"), "s", 1.15, ("bare", "seconds")),
        Line("  the whole process, Python's start too", ("module", "process"), "s", None, ("bare", "seconds")),
    ),
)
