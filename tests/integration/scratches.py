# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that archives its log, with a backup by pgBackRest, and a place for scratch instances."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.backups import PgBackRest, needs, owned
from tests.integration.module import Running
from tests.integration.place import Database
from tests.integration.restores import make
from tests.support import processes
from tests.support.servers import workspace

TABLES = (
    'CREATE TABLE "Tickets" (id integer PRIMARY KEY, "companyId" integer, title text, "createdAt" timestamptz)',
    """INSERT INTO "Tickets" SELECT g, g % 3, 'Olá ' || g, now() FROM generate_series(1, 100) AS g""",
    'CREATE TABLE "TicketTags" ("ticketId" integer, "tagId" integer)',
    'INSERT INTO "TicketTags" SELECT g, g % 7 FROM generate_series(1, 100) AS g',
    "CREATE TABLE events (id integer, at date) PARTITION BY RANGE (id)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (50)",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (50) TO (1000)",
    "INSERT INTO events SELECT g, '2026-11-01' FROM generate_series(1, 100) AS g",
)


@dataclass
class Place:
    """What tests share: the stanza, its server's database ``crm``, and a directory for scratch instances."""

    backrest: PgBackRest
    db: Database
    scratch: Path

    def source(self, **changes: Any) -> dict[str, Any]:
        """Return the option ``source``."""
        given = {"kind": "pgbackrest", "stanza": "main", "config": str(self.backrest.config), "min_free": "50M"}
        return {**given, "scratch_dir": str(self.scratch), **changes}

    def now(self) -> str:
        """Return the server's time, as a person would give it, and let some time pass before and after it."""
        time.sleep(0.2)
        told: str = self.db.value("""SELECT to_char(clock_timestamp() AT TIME ZONE 'America/Sao_Paulo',
                                     'YYYY-MM-DD"T"HH24:MI:SS.US') || '-03:00'""")  # fmt: skip
        time.sleep(0.2)
        return told

    def go_on(self) -> str:
        """Return the server's time, followed by a transaction that is archived."""
        since = self.now()
        make(self.db, "INSERT INTO events VALUES (200, now())")
        self.backrest.archived()
        return since

    def at_work(self, program: str, running: Running) -> list[int]:
        """Wait until a program works for the module's scratch instance, and return its processes."""

        def ours() -> list[int]:
            def mine(arguments: list[str]) -> bool:
                of_it = any(str(self.scratch) in argument for argument in arguments)
                return of_it and os.path.basename(arguments[0]) == program

            return processes.matching(mine)

        assert processes.wait_until(lambda: bool(ours()) or not running.runs, 60), "it did not get that far"
        assert running.runs, running.result()
        return ours()

    def left(self) -> list[str]:
        """Return directories of scratch instances, and processes that refer to one."""
        mine = processes.matching(lambda arguments: any(str(self.scratch) in argument for argument in arguments))
        return [*os.listdir(self.scratch), *(Path(f"/proc/{pid}/cmdline").read_text() for pid in mine)]

    def clean(self, seconds: float = 15) -> bool:
        """Wait until nothing is left, and tell whether that happened."""
        return processes.wait_until(lambda: not self.left(), seconds)


@contextmanager
def place() -> Iterator[Place]:
    """Give the server with one full backup, and some log after it."""
    needs("pgbackrest")
    with workspace() as directory, PgBackRest(directory) as made:
        made.server.create_database("crm")
        made.server.create_database("other")
        db = Database(made.server, "crm")
        make(db, *TABLES)
        made.back_up()
        time.sleep(1.1)  # The catalogue knows whole seconds.
        yield Place(made, db, owned(directory / "scratch", made.account))
