# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of just before a moment, by pgBackRest: they come back, production is left alone, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplace import bytes_in
from tests.integration.integrity import find
from tests.integration.place import Database
from tests.integration.repairs import heard, listen, whole
from tests.integration.restores import compare, figures, make, ready
from tests.integration.scratches import Place, place
from tests.support import processes

NAMES = ('"Tickets"', '"TicketTags"', "events")


@pytest.fixture(scope="module")
def point() -> Iterator[Place]:
    """A server with a backup and its log."""
    with place() as made:
        yield made


def test_rows_of_just_before_come_back_and_newer_ones_stay(point: Place) -> None:
    db = point.db
    modules = ready(db)
    # Only the log has these rows, and the table that is emptied is locked at the target.
    make(db, """INSERT INTO "Tickets" SELECT g, 1, 'late', now() FROM generate_series(101, 110) AS g""")
    with db.connect() as session, session.cursor() as cursor:
        session.autocommit = False
        cursor.execute('TRUNCATE "TicketTags"')
        with db.connect() as other, other.cursor() as before:
            before.execute('SELECT t::text FROM "Tickets" AS t ORDER BY id')
            then = [row[0] for row in before.fetchall()]
        since = point.now()
        session.commit()
    make(
        db,
        'DELETE FROM "Tickets" WHERE id % 10 = 0',
        """UPDATE "Tickets" SET title = 'wrong' WHERE id % 10 = 1""",
        """INSERT INTO "Tickets" VALUES (1000, 2, 'newer', now())""",
        "DELETE FROM events WHERE id BETWEEN 40 AND 59",
    )
    point.backrest.archived()
    archive = point.backrest.place / "repo" / "archive"
    spoilt, archiver = whole(db, *NAMES), "SELECT archived_count, failed_count FROM pg_stat_archiver"
    counted, kept = db.rows(archiver), set(archive.rglob("*"))

    options: dict[str, Any] = {"corrupt_since": since, "changed": "restore", "max_fraction": 1}
    tables = [{"name": "Tickets", "tenant": "companyId", "created": "createdAt"}, "TicketTags", "events"]
    found = compare(modules, point.source(), *tables, **options)
    assert figures(found, "Tickets") == {"missing": 11, "changed": 11, "newer": 1}
    assert (figures(found, "TicketTags"), figures(found, "events")) == ({"missing": 100}, {"missing": 20})
    told = found["source"]
    assert (told["kind"], told["database"], told["label"]) == (
        "pgbackrest",
        "crm",
        point.backrest.info()["backup"][0]["label"],
    )
    # The moment is the target, in UTC; the instance itself says which transaction it does not have.
    assert told["taken_at"][14:26] == since[14:26]
    assert told["stopped_before"]
    assert found["timings"]["restore"] > 0
    assert point.left() == []
    assert whole(db, *NAMES) == spoilt

    given: dict[str, Any] = {"source": point.source(target=since), "tables": tables, "plan_hash": found["plan_hash"]}
    listen(db)
    size = db.value("SELECT pg_database_size(current_database())")
    backed_up = point.backrest.info()["backup"][0]["info"]["size"]
    beside = db.value("SELECT sum(pg_database_size(oid)) FROM pg_database WHERE datname <> current_database()")
    done = modules.ok("pg_restore_tables", approved_by="ana", **given, **options)
    assert done["restored"] == 11 + 11 + 100 + 20
    now = [row[0] for row in db.rows('SELECT t::text FROM "Tickets" AS t WHERE id < 1000 ORDER BY id')]
    assert (now, db.value('SELECT title FROM "Tickets" WHERE id = 1000')) == (then, "newer")
    assert db.value("SELECT count(*) FROM events") == 100
    assert point.left() == []
    # What takes long is reported: first how much of the instance is there, at whatever moment that was measured.
    first, *_others = [told for told in heard(db) if told["bytes"]]
    assert first["step"] == "restore the scratch instance"
    # The plan counts what the database takes, or took at its backup; log and the rest of the server come on top of it.
    everything = bytes_in(point.db.server.data)
    assert max(size, backed_up - beside) <= first["planned_bytes"] < everything
    assert 0 < first["bytes"] < everything
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db, *NAMES) == spoilt
    # The instance archived nothing, not even the history of its own timeline.
    assert (db.rows(archiver), set(archive.rglob("*"))) == (counted, kept)


def test_nothing_is_left_of_a_module_that_was_killed(point: Place) -> None:
    modules, since = ready(point.db), point.go_on()
    options = {"source": point.source(), "tables": ["Tickets"], "corrupt_since": since}
    with modules.start("pg_restore_tables", True, **options) as running:
        pids = point.at_work("pgbackrest", running)
        running.kill()
    assert processes.gone(pids, 15)
    assert point.clean(), point.left()


@pytest.mark.drill
def test_what_cannot_be_reached_is_refused_and_nothing_is_left(point: Place, db: Database) -> None:
    modules = ready(point.db)
    since = point.now()
    make(point.db, "INSERT INTO events VALUES (300, now())")
    gap = point.backrest.archived()
    make(point.db, "INSERT INTO events VALUES (301, now())")
    point.backrest.archived()
    late = point.now()

    def refused(code: str, options: dict[str, object] | None = None, **changes: object) -> dict[str, str]:
        given = {"tables": ["Tickets"], "corrupt_since": since, **(options or {})}
        result = modules.fails(code, "pg_restore_tables", check=True, source=point.source(**changes), **given)
        assert point.left() == []
        told: dict[str, str] = result["error"]
        return told

    refused("bad_stanza", stanza="nope")
    refused("no_program", program="/nowhere/pgbackrest")
    refused("target_in_future", target="2099-01-01T00:00:00Z")
    refused("bad_time", target="yesterday")
    refused("no_target", {"corrupt_since": None})
    refused("missing_table", {"tables": ["Tickts"]})
    # A target after the corruption began includes the corruption.
    refused("backup_too_late", target=late)
    assert "ended at" in refused("backup_too_late", {"corrupt_since": "2026-01-01T00:00:00Z"})["what"]
    assert "MB are free" in refused("no_space", min_free="900T")["what"]
    refused("scratch_unusable", scratch_dir="/nowhere")
    refused("scratch_not_ready", {"deadline": 1.5})
    # Another server's stanza, and a database that was created since.
    make(db, "CREATE TABLE noise (id integer PRIMARY KEY)")
    ready(db).fails(
        "other_database", "pg_restore_tables", check=True, source=point.source(), tables=["noise"], corrupt_since=since
    )
    point.db.server.create_database("later")
    later = Database(point.db.server, "later")
    try:
        make(later, "CREATE TABLE noise (id integer PRIMARY KEY)")
        given = {"source": point.source(), "tables": ["noise"], "corrupt_since": since}
        ready(later).fails("database_not_in_backup", "pg_restore_tables", check=True, **given)
    finally:
        later.drop()
    # A file of the log is gone, and later ones are there.
    (lost,) = (point.backrest.place / "repo" / "archive").rglob(f"{gap}-*")
    kept = lost.rename(lost.with_name("kept"))
    try:
        assert gap in refused("wal_missing")["what"]
    finally:
        kept.rename(lost)


def test_the_hour_of_departure_is_a_target_as_it_stands(point: Place) -> None:
    db = point.db
    make(
        db,
        'CREATE TABLE tags (id serial, "createdAt" timestamptz)',
        """INSERT INTO tags ("createdAt") SELECT h + interval '1 minute' FROM generate_series(
           date_trunc('hour', now()) - interval '30 days', now() - interval '1 hour', '1 hour') AS h,
           generate_series(1, 50)""",
        """INSERT INTO tags ("createdAt") SELECT date_trunc('hour', now()) - interval '3 hours'
           FROM generate_series(1, 900)""",
        "ANALYZE tags",
    )
    check = {"name": "when", "kind": "timeline", "table": "tags", "time": "createdAt", "departure": "more"}
    found = find(db, check)
    modules = ready(db)
    for moment in (found["first_at"], found["samples"][0]["hour"]):
        given = {"source": point.source(), "tables": ["Tickets"], "corrupt_since": moment}
        told = modules.fails("backup_too_late", "pg_restore_tables", check=True, **given)
        assert f"target is {moment[:13]}:00:00Z" in told["error"]["what"], told


def test_a_partition_that_went_after_the_target_is_refused(point: Place) -> None:
    modules = ready(point.db)
    make(
        point.db,
        "CREATE TABLE logs (id integer, at date NOT NULL) PARTITION BY RANGE (at)",
        "CREATE TABLE logs_05 PARTITION OF logs FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')",
        "CREATE TABLE logs_06 PARTITION OF logs FOR VALUES FROM ('2026-06-01') TO ('2026-07-01')",
        "INSERT INTO logs SELECT g, '2026-05-01'::date + g FROM generate_series(1, 50) AS g",
    )
    given: dict[str, Any] = {"source": point.source(), "tables": ["logs"], "corrupt_since": point.go_on()}
    make(point.db, "DROP TABLE logs_05")
    found = modules.fails("partitions_gone", "pg_restore_tables", check=True, **given)
    assert "public.logs_05" in found["error"]["what"]
    assert point.clean(), point.left()
