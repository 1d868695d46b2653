# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a point in time, from a real repository of pgBackRest: brought back, and nothing of the instance is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backups import PgBackRest, needs
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.repairs import INCIDENT, whole
from tests.integration.restores import compare, figures, make, restore
from tests.support import processes
from tests.support.servers import workspace

DATABASE = "crm"
MADE = (
    'CREATE TABLE "Tickets" (id bigserial PRIMARY KEY, "companyId" int, lane text, '
    '"createdAt" timestamptz DEFAULT now())',
    """INSERT INTO "Tickets" ("companyId", lane) SELECT g % 7, 'lane' FROM generate_series(1, 300) AS g""",
    'CREATE TABLE "TicketTags" ("ticketId" bigint, "tagId" int)',
    'INSERT INTO "TicketTags" SELECT g, g % 3 FROM generate_series(1, 300) AS g',
)
DONE = (
    'DELETE FROM "Tickets" WHERE id <= 20',
    """UPDATE "Tickets" SET lane = 'gone' WHERE id BETWEEN 21 AND 30""",
    """INSERT INTO "Tickets" ("companyId", lane) SELECT 1, 'new' FROM generate_series(1, 5)""",
    'DELETE FROM "TicketTags" WHERE "ticketId" <= 20',
)
TABLES = ({"name": "Tickets", "tenant": "companyId", "created": "createdAt"}, "TicketTags")


@dataclass
class Corrupted:
    """A server whose data was corrupted after ``moment``, and a repository that leads to before it."""

    backrest: PgBackRest
    db: Database
    moment: str
    place: Path

    @property
    def source(self) -> dict[str, Any]:
        """The option ``source``."""
        account = self.backrest.account
        user = {"user": account.name} if account else {}
        where = {"config": str(self.backrest.config), "scratch_dir": str(self.place)}
        return {"kind": "pgbackrest", "stanza": "main", **where, **user}

    @property
    def modules(self) -> Modules:
        """What runs modules under an open incident."""
        modules = self.db.modules(incident_id=INCIDENT)
        modules.ok("incident")
        return modules.having(run_id="run-1", allow_unfenced=True, bin_dir=str(self.db.server.programs), deadline=120)

    def left(self) -> list[str]:
        """Return what is left of instances: files and processes."""
        running = processes.matching(lambda arguments: any(str(self.place) in word for word in arguments))
        return [*(path.name for path in self.place.glob("*")), *map(str, running)]


@pytest.fixture(scope="module")
def corrupted() -> Iterator[Corrupted]:
    """A backup, rows that went and changed after a moment, and a log that is archived to beyond it."""
    needs("pgbackrest")
    with workspace() as directory, PgBackRest(directory) as backrest:
        backrest.server.query(f"CREATE DATABASE {DATABASE}")
        backrest.server.query("CREATE DATABASE another")
        db = Database(backrest.server, DATABASE)
        make(db, *MADE)
        backrest.back_up()
        time.sleep(1.1)
        moment = db.value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        make(db, *DONE)
        backrest.archived()
        place = directory / "scratch"
        place.mkdir(mode=0o711)
        yield Corrupted(backrest, db, moment, place)


def test_what_went_after_the_moment_comes_back_and_is_taken_away_again(corrupted: Corrupted) -> None:
    before, modules = whole(corrupted.db), corrupted.modules
    given: dict[str, Any] = {"corrupt_since": corrupted.moment, "changed": "restore"}
    found = compare(modules, corrupted.source, *TABLES, **given)
    assert figures(found, "Tickets") == {"missing": 20, "changed": 10, "newer": 5}
    assert figures(found, "TicketTags") == {"missing": 20}
    assert found["source"]["taken_at"] < corrupted.moment
    assert found["timings"]["open"] > 0
    assert corrupted.left() == []
    done = restore(modules, corrupted.source, *TABLES, **given)
    assert (done["restored"], figures(done, "Tickets")) == (50, {"missing": 20, "changed": 10, "newer": 5})
    assert corrupted.db.value('SELECT count(*) FROM "Tickets"') == 305
    assert corrupted.db.value("""SELECT count(*) FROM "Tickets" WHERE lane = 'gone'""") == 0
    assert corrupted.left() == []
    modules.ok("pg_restore_tables", state="undone")
    assert whole(corrupted.db) == before


@pytest.mark.parametrize("moment", ["the restore", pytest.param("the replay", marks=pytest.mark.drill)])
def test_killed_on_its_way_it_leaves_neither_process_nor_file(corrupted: Corrupted, moment: str) -> None:
    before, word = whole(corrupted.db), {"the restore": "--type=default", "the replay": "config_file="}[moment]

    def is_there() -> bool:
        here = str(corrupted.place)
        return bool(processes.matching(lambda words: any(here in one for one in words) and word in " ".join(words)))

    given = {"source": corrupted.source, "tables": list(TABLES), "corrupt_since": corrupted.moment}
    with corrupted.modules.start("pg_restore_tables", True, **given) as module:
        assert processes.wait_until(is_there, 60), "it never came to that"
        module.kill()
    assert processes.wait_until(lambda: corrupted.left() == [], 20), corrupted.left()
    assert whole(corrupted.db) == before


def test_what_leads_to_no_such_moment_is_refused_with_words_and_leaves_nothing(corrupted: Corrupted) -> None:
    before, modules = whole(corrupted.db), corrupted.modules

    def refused(code: str, source: dict[str, Any], moment: str = corrupted.moment) -> str:
        given = {"source": {**corrupted.source, **source}, "tables": list(TABLES), "corrupt_since": moment}
        result = modules.fails(code, "pg_restore_tables", check=True, **given)
        assert corrupted.left() == []
        return str(result["msg"])

    assert "stanza another: missing stanza path" in refused("bad_stanza", {"stanza": "another"})
    assert "no usable backup that ended before" in refused("backup_too_late", {}, "2026-01-01T00:00:00Z")
    assert "yet to come" in refused("bad_time", {}, "2126-01-01T00:00:00Z")
    assert "shows the data at" in refused("backup_too_late", {"target": "2126-01-01T00:00:00Z"})
    assert "There is no account nobody-at-all" in refused("no_account", {"user": "nobody-at-all"})
    if corrupted.backrest.account:
        assert "source.user" in refused("runs_as_root", {"user": "root"})
    archive = corrupted.backrest.place / "repo" / "archive"
    last = max(archive.rglob("0000*-*"), key=lambda path: path.name)
    gone = last.with_name("away")
    last.rename(gone)
    try:
        told = refused("wal_missing", {})
    finally:
        gone.rename(last)
    assert "the archive gave no file" in told
    assert whole(corrupted.db) == before
