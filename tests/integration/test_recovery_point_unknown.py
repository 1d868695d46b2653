# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""If it is unknown what was written since the fence, the result says so and why, and never 0; and it is bounded."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.bench.module import run_module
from tests.integration.fences import TABLES, board
from tests.integration.module import failed
from tests.integration.place import Database
from tests.integration.points import MORE, begin, dump, look, past, table, writes
from tests.integration.repairs import INCIDENT, ready


def test_counters_that_were_reset(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    db.rows("SELECT pg_stat_reset()")
    result = look(measuring)
    assert "counters were reset" in result["recovery_point"]["why"]
    assert result["accounted"]
    assert table(result, "Tickets")["measured"]


def test_a_fence_that_was_lowered_and_raised_again(db: Database, directory: Path) -> None:
    modules, measuring = begin(db, directory)
    modules.ok("write_fence", tables=TABLES, state="absent")
    result = look(measuring)
    assert "not up" in result["recovery_point"]["why"]
    modules.ok("write_fence", tables=TABLES)
    result = look(measuring)
    assert "after the dump" in result["recovery_point"]["why"]
    assert not any(one["measured"] for one in result["tables"])
    assert result["accounted"]


def test_a_drain_that_has_no_end(db: Database, directory: Path) -> None:
    board(db, *MORE)
    modules = db.modules(incident_id=INCIDENT)
    modules.ok("incident")
    with db.transaction("""UPDATE "Tags" SET name = name WHERE id = 1"""):
        modules.run("write_fence", tables=TABLES, deadline=1, drain=0)
        result = look(dump(db, directory / "dump"))
    assert "drain was not noted" in result["recovery_point"]["why"]


def test_a_dump_from_before_the_end_of_the_drain(db: Database, directory: Path) -> None:
    board(db, *MORE)
    modules = db.modules(incident_id=INCIDENT)
    modules.ok("incident")
    with db.transaction('UPDATE "Tickets" SET "kanbanLane" = 4 WHERE id = 7') as session:
        modules.run("write_fence", tables=TABLES, deadline=1, drain=0)
        measuring = dump(db, directory / "dump")
        session.commit()
    modules.ok("write_fence", tables=TABLES)
    found = table(look(measuring), "Tickets")
    assert (found["measured"], found["changed"]) == (False, 1)
    assert "older than the end of the drain" in found["why"]


def test_a_deletion_that_only_counters_saw_is_not_0(db: Database, directory: Path) -> None:
    board(db, *MORE)
    ready(db, TABLES)
    past(db, 'DELETE FROM "TicketTags" WHERE "ticketId" = 9')
    found = table(look(dump(db, directory / "dump")), "TicketTags")
    assert (found["measured"], found["writes"], found["gone"]) == (False, None, 0)
    assert "1 rows were deleted" in found["why"]
    assert "the fence was touched" in found["why"]


def test_a_deletion_from_before_the_fence_that_an_idle_session_reports_late_is_no_write(
    db: Database, directory: Path
) -> None:
    board(db, *MORE)
    with db.connect() as session, session.cursor() as cursor:
        # What a session does in its first second it reports later.
        cursor.execute('DELETE FROM "TicketTags" WHERE "ticketId" = 9')
        ready(db, TABLES)
        time.sleep(1.1)
        cursor.execute("SELECT")
        result = look(dump(db, directory / "dump"))
    assert (writes(result), table(result, "TicketTags")["reported_late"]) == (0, 1)
    past(db)
    assert writes(look(dump(db, directory / "again"))) is None


@pytest.mark.parametrize("before", ["SELECT pg_current_xact_id()", "SAVEPOINT s; CREATE TEMPORARY TABLE mine ()"])
def test_a_fence_that_was_touched_by_who_was_in_flight_at_the_end_of_its_drain_is_no_untouched_one(
    db: Database, directory: Path, before: str
) -> None:
    """The ids of its transaction and its subtransaction are older than the end of the drain."""
    board(db, *MORE)
    with db.transaction(before) as session, session.cursor() as cursor:
        ready(db, TABLES)
        cursor.execute('ALTER TABLE "TicketTags" DISABLE TRIGGER USER')
        cursor.execute('DELETE FROM "TicketTags" WHERE "ticketId" = 9')
        for (name,) in db.rows(
            """SELECT tgname FROM pg_trigger WHERE tgrelid = '"TicketTags"'::regclass AND NOT tgisinternal"""
        ):
            cursor.execute(f'ALTER TABLE "TicketTags" ENABLE ALWAYS TRIGGER "{name}"')
        session.commit()
    found = table(look(dump(db, directory / "dump")), "TicketTags")
    assert (found["measured"], found["reported_late"]) == (False, 0)
    assert "the fence was touched" in found["why"]


def test_a_write_that_was_rolled_back_was_not_accepted(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    past(db, "BEGIN", """UPDATE "Tags" SET name = 'x'""", 'INSERT INTO "TicketTags" VALUES (3, 3)', "ROLLBACK")
    assert writes(look(measuring)) == 0


def test_another_fence_a_missing_table_and_one_that_is_not_in_the_dump(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    result = look(measuring, tables=[*TABLES, "Companies", "Nothing"])
    assert {one["name"]: one["measured"] for one in result["tables"]} == {
        "public.Tags": True,
        "public.Tickets": True,
        "public.TicketTags": True,
        "public.Companies": False,
        "Nothing": False,
    }
    assert result["accounted"]
    db.rows('DROP TABLE "TicketTags"')
    result = look(measuring)
    assert not result["accounted"]
    assert "no table" in table(result, "TicketTags")["why"]
    assert not look(measuring, tables=[])["recovery_point"]["measured"]


def test_partitions_and_a_table_without_a_key(db: Database, directory: Path) -> None:
    parted = {"name": "parted", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["lane"]}
    bare = {"name": "bare", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["lane"]}
    board(
        db,
        "CREATE TABLE parted (id bigint, lane int, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
        """INSERT INTO parted SELECT g, g % 3, '2026-01-25'::timestamptz + g * interval '1 hour'
           FROM generate_series(1, 300) AS g""",
        "CREATE TABLE bare (lane int, note text)",
        "INSERT INTO bare VALUES (1, 'a'), (2, NULL)",
    )
    ready(db, [parted, bare])
    measuring = dump(db, directory / "dump", ["parted", "bare"]).having(tables=[parted, bare])
    result = look(measuring)
    assert (table(result, "parted")["writes"], table(result, "parted")["rows_then"]) == (0, 300)
    assert (table(result, "bare")["measured"], table(result, "bare")["compared_by"]) == (False, "count")
    assert result["accounted"]
    db.rows("ALTER TABLE parted_2 DISABLE TRIGGER USER")
    db.rows("UPDATE parted_2 SET lane = 7 WHERE id = 290")
    assert table(look(measuring), "parted")["changed"] == 1


def test_dumps_that_do_not_fit(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    strange = dump(db, directory / "of_x", ["Tags"], "INC-X")
    strange.having(incident_id=INCIDENT).fails("other_dump", "recovery_point_info")
    measuring.fails("no_manifest", "recovery_point_info", dump=str(directory))
    other = Database(db.server, f"{db.name}_other")
    db.server.create_database(other.name)
    try:
        other.modules(**{**measuring.options, "login_db": other.name}).fails("other_dump", "recovery_point_info")
    finally:
        other.drop()
    broken = directory / "broken"
    shutil.copytree(directory / "dump", broken)
    with next(broken.glob("*.dat*")).open("ab") as file:
        file.write(b"x")
    measuring.fails("checksum_mismatch", "recovery_point_info", dump=str(broken))


def test_rights(db: Database, directory: Path) -> None:
    _modules, measuring = begin(db, directory)
    role = db.role("reader", "USAGE ON SCHEMA kanban_rollback", "SELECT ON ALL TABLES IN SCHEMA kanban_rollback",
                   'SELECT ON "Tags"', 'SELECT ON "Tickets"')  # fmt: skip
    db.rows(f"REVOKE TEMPORARY ON DATABASE {db.name} FROM PUBLIC")
    reading = db.modules(role, **{name: measuring.options[name] for name in ("incident_id", "dump", "tables")})
    result = reading.fails("missing_privilege", "recovery_point_info")
    assert f"GRANT TEMPORARY ON DATABASE {db.name} TO {role};" in result["msg"]
    db.rows(f"GRANT TEMPORARY ON DATABASE {db.name} TO {role}")
    assert '"TicketTags"' in reading.fails("missing_privilege", "recovery_point_info")["msg"]
    db.rows(f'GRANT SELECT ON "TicketTags" TO {role}')
    assert writes(look(reading)) == 0


def test_a_deadline_ends_it(db: Database, directory: Path) -> None:
    _modules, measuring = begin(
        db, directory, """INSERT INTO "TicketTags" SELECT 1, 1 FROM generate_series(1, 1500000)"""
    )
    result = measuring.run("recovery_point_info", deadline=1)
    failed(result, result["error"]["code"])
    assert result["error"]["code"] in ("deadline", "statement_timeout"), result
    assert db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%recovery point%'") == 0


def test_memory_stays_small(db: Database, directory: Path) -> None:
    _modules, measuring = begin(
        db,
        directory,
        """INSERT INTO "Tickets" ("companyId", "lastMessage", "kanbanLane")
           SELECT 1, repeat('x', 200), 1 FROM generate_series(1, 200000)""",
    )
    done = run_module("recovery_point_info", measuring.options)
    assert done.result["recovery_point"]["writes"] == 0
    # Python with Ansible and the driver takes 60 MB by itself.
    assert done.peak_mb < 120, done.peak_mb
