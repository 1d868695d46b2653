# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that cannot be made, is killed or was changed is a failure that says so, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crowd import wait_for
from tests.integration.dumps import (
    clients_of,
    dumping,
    fill,
    left_in,
    partial_bytes,
    program,
    sessions_of,
    slow_table,
)
from tests.integration.place import Database
from tests.support import processes
from tests.support.servers import PgBouncer, Postgres

OLDER = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def dest(directory: Path) -> Path:
    return directory / "dumps" / "today"


@pytest.fixture
def small_disk(directory: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    place = directory / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.decode()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def nothing_left(db: Database, dest: Path) -> None:
    assert left_in(dest.parent) == []
    assert clients_of(db) == []
    assert processes.wait_until(lambda: sessions_of(db) == 0, 5)


# What is asked for, and who asks


def test_a_missing_table_is_named_with_near_names(db: Database, dest: Path) -> None:
    fill(db)
    told = dumping(db, dest, tables=["Tickets", "TicketTag", "nonsense"]).fails("missing_table", "pg_dump")
    assert told["missing"] == ["TicketTag", "nonsense"]
    assert "TicketTags" in told["near"]["TicketTag"]
    assert "as it was" not in told["msg"]
    assert not dest.parent.exists()


def test_a_role_that_may_not_read_everything(db: Database, dest: Path) -> None:
    fill(db)
    role = db.role("app", 'SELECT ON "Tickets", "TicketTags", empty')
    told = dumping(db, dest, role).fails("missing_privilege", "pg_dump")
    assert told["unreadable"] == ["public.Tickets_id_seq", "public.other"]
    assert "pg_read_all_data" in told["error"]["todo"]
    assert not dest.parent.exists()
    db.rows(f'GRANT pg_read_all_data TO "{role}"')
    assert dumping(db, dest, role).ok("pg_dump")["rows"] == 203


def test_a_schema_that_the_role_may_not_enter(db: Database, dest: Path) -> None:
    fill(db)
    db.rows("CREATE SCHEMA closed CREATE TABLE t (a integer)")
    role = db.role("app", "SELECT ON ALL TABLES IN SCHEMA public", "SELECT ON ALL SEQUENCES IN SCHEMA public")
    db.rows(f'GRANT SELECT ON closed.t TO "{role}"')
    assert dumping(db, dest, role).fails("missing_privilege", "pg_dump")["unreadable"] == ["closed.t"]


def test_policies_that_would_hide_rows(db: Database, dest: Path) -> None:
    fill(db)
    role = db.role("app", "pg_read_all_data")
    db.rows('ALTER TABLE "Tickets" ENABLE ROW LEVEL SECURITY')
    told = dumping(db, dest, role).fails("row_level_security", "pg_dump")
    assert "public.Tickets" in told["msg"]
    assert not dest.parent.exists()
    assert dumping(db, dest).ok("pg_dump")["rows"] == 203
    # If nobody asked for the rows, nothing is hidden.
    assert dumping(db, dest.with_name("b"), role, tables=["TicketTags"]).ok("pg_dump")["rows"] == 103


def test_rows_on_another_server(db: Database, dest: Path) -> None:
    db.rows("CREATE EXTENSION postgres_fdw")
    db.rows("CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw")
    db.rows("CREATE TABLE tickets (id integer) PARTITION BY RANGE (id)")
    db.rows("CREATE FOREIGN TABLE f PARTITION OF tickets FOR VALUES FROM (1) TO (9) SERVER far")
    told = dumping(db, dest, tables=["tickets"]).fails("foreign_partition", "pg_dump")
    assert "public.f" in told["msg"]


def test_through_a_pooler(server: Postgres, db: Database, directory: Path, dest: Path) -> None:
    if PgBouncer.missing():
        pytest.skip(str(PgBouncer.missing()))
    fill(db)
    with PgBouncer(directory / "pooler", server.dsn) as pooler:
        told = dumping(db, dest, login_port=pooler.port).fails("through_pooler", "pg_dump")
    assert "login_port" in told["error"]["todo"]
    assert not dest.parent.exists()


# The client programs


def test_a_client_that_is_older_than_the_server(db: Database, directory: Path, dest: Path) -> None:
    fill(db)
    older = OLDER
    if not (OLDER / "pg_dump").exists():
        older = directory / "older"
        older.mkdir()
        for name in ("pg_dump", "pg_restore"):
            (older / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 13.1'\n")
            (older / name).chmod(0o755)
    told = dumping(db, dest, bin_dir=str(older)).fails("client_too_old", "pg_dump")
    assert str(older) in told["msg"]
    assert not dest.parent.exists()


def test_without_a_client(db: Database, directory: Path, dest: Path) -> None:
    fill(db)
    told = dumping(db, dest, bin_dir=str(directory)).fails("no_pg_dump", "pg_dump")
    assert "bin_dir" in told["error"]["todo"]


# Disks


def test_a_disk_without_room_is_refused_before_anything(db: Database, dest: Path) -> None:
    fill(db)
    told = dumping(db, dest, min_free="900T").fails("disk_space", "pg_dump")
    assert told["free_bytes"] > 0
    nothing_left(db, dest)
    dumping(db, dest, free_space_factor=1e12).fails("disk_space", "pg_dump", check=True)


def test_a_disk_that_is_full_in_mid_dump(db: Database, small_disk: Path) -> None:
    options = slow_table(db)
    dest = small_disk / "dump"
    modules = dumping(db, dest, tables=options["tables"], compress="none", min_free="0", free_space_factor=0)
    told = modules.fails("disk_full", "pg_dump")
    assert "No space left" in told["stderr"]
    nothing_left(db, dest)


def test_a_disk_is_not_filled_to_its_end(db: Database, small_disk: Path) -> None:
    """Whatever else is on the disk needs room: the dump is ended while some is left."""
    options = slow_table(db)
    dest = small_disk / "dump"
    modules = dumping(db, dest, **{**options, "min_free": "3500k", "free_space_factor": 0})
    told = modules.fails("disk_full", "pg_dump")
    assert "min_free" in told["error"]["what"]
    nothing_left(db, dest)


# Locks and time


def test_a_table_that_somebody_holds(db: Database, dest: Path) -> None:
    fill(db)
    with db.transaction('LOCK TABLE "TicketTags"', application_name="migration") as holder:
        pid = holder.info.backend_pid
        with dumping(db, dest, lock_wait=0.5).start("pg_dump") as running:
            told = running.result()
            assert running.seconds < 8
    assert told["error"]["code"] == "lock_timeout", told
    assert [(one["pid"], one["application_name"]) for one in told["blocked"]] == [(pid, "migration")]
    nothing_left(db, dest)


def test_another_table_that_somebody_holds(db: Database, dest: Path) -> None:
    """pg_dump locks the whole schema, and names nobody."""
    fill(db)
    with db.transaction("LOCK TABLE other", application_name="migration") as holder:
        pid = holder.info.backend_pid
        with dumping(db, dest, lock_wait=2).start("pg_dump") as running:
            told = running.result()
            assert running.seconds < 8
    assert told["error"]["code"] == "lock_timeout", told
    assert [(one["pid"], one["application_name"]) for one in told["blocked"]] == [(pid, "migration")]
    assert str(pid) in told["msg"]
    nothing_left(db, dest)


def test_a_deadline(db: Database, dest: Path) -> None:
    options = slow_table(db)
    with dumping(db, dest, **{**options, "deadline": 2}).start("pg_dump") as running:
        told = running.result()
        assert running.seconds < 2 + 3
    assert told["error"]["code"] == "deadline", told
    nothing_left(db, dest)


def test_a_deadline_that_comes_while_the_files_are_read(db: Database, dest: Path, directory: Path) -> None:
    fill(db)
    # The files are read for their checksums when this has listed the contents.
    programs = directory / "bin"
    programs.mkdir()
    (programs / "pg_dump").symlink_to(program("pg_dump"))
    (programs / "pg_restore").write_text(
        f'#!/bin/sh\n[ "$1" = --list ] && sleep 4\nexec {program("pg_restore")} "$@"\n'
    )
    (programs / "pg_restore").chmod(0o755)
    dumping(db, dest, bin_dir=str(programs), deadline=3).fails("deadline", "pg_dump")
    nothing_left(db, dest)


def test_a_server_that_ends_the_dump(db: Database, dest: Path) -> None:
    options = slow_table(db)
    with dumping(db, dest, **options).start("pg_dump") as running:
        wait_for(lambda: partial_bytes(dest.parent) > 0, "bytes of the dump")
        db.rows("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name LIKE 'chatia% pg_dump %'""")  # fmt: skip
        told = running.result()
    assert told["error"]["code"] in ("lost_connection", "dump_failed"), told
    assert told["stderr"]
    nothing_left(db, dest)


# Killed, and twice at once


def test_a_module_that_is_killed_takes_pg_dump_along(db: Database, dest: Path) -> None:
    options = slow_table(db)
    modules = dumping(db, dest, **options)
    with modules.start("pg_dump") as running:
        wait_for(lambda: partial_bytes(dest.parent) > 0, "bytes of the dump")
        assert clients_of(db)
        running.kill()
    assert processes.wait_until(lambda: not clients_of(db), 3), "pg_dump outlived the module"
    assert processes.wait_until(lambda: sessions_of(db) == 0, 5)
    assert not dest.exists()
    assert any(".partial-" in name for name in left_in(dest.parent))
    dumping(db, dest, tables=["slow"], compress="none").ok("pg_dump")
    assert left_in(dest.parent) == [dest.name]


def test_a_pg_dump_that_is_killed(db: Database, dest: Path) -> None:
    options = slow_table(db)
    with dumping(db, dest, **options).start("pg_dump") as running:
        wait_for(lambda: partial_bytes(dest.parent) > 0, "bytes of the dump")
        leader = next(pid for pid in clients_of(db) if set(processes.descendants(pid)) & set(clients_of(db)))
        os.kill(leader, signal.SIGKILL)
        told = running.result()
    assert told["error"]["code"] == "killed", told
    nothing_left(db, dest)


def test_nobody_reads_the_password(db: Database, dest: Path) -> None:
    options = slow_table(db)
    role = db.role("app", "pg_read_all_data")
    secret = db.roles[role]
    with dumping(db, dest, role, **{**options, "deadline": 3}).start("pg_dump") as running:
        wait_for(lambda: partial_bytes(dest.parent) > 0, "bytes of the dump")
        seen = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in clients_of(db)]
        assert seen
        assert all(secret.encode() not in line for line in seen)
        told = running.result()
    assert secret not in str({**told, "invocation": None})


def test_two_operators_at_once(db: Database, dest: Path) -> None:
    fill(db)
    modules = dumping(db, dest)
    with modules.start("pg_dump") as one, modules.start("pg_dump") as two:
        results = [one.result(), two.result()]
    assert not any(result.get("failed") for result in results), results
    assert sorted(result["changed"] for result in results) == [False, True]
    assert results[0]["ended_at"] == results[1]["ended_at"]
    assert left_in(dest.parent) == [dest.name]


def test_the_other_operator_takes_longer_than_we_have(db: Database, dest: Path) -> None:
    options = slow_table(db)
    modules = dumping(db, dest, **options)
    with modules.start("pg_dump") as one:
        wait_for(lambda: partial_bytes(dest.parent) > 0, "bytes of the dump")
        told = dumping(db, dest, **{**options, "deadline": 1}).fails("busy", "pg_dump")
        assert str(one.pid) in told["msg"]
        assert partial_bytes(dest.parent) > 0, "the other's files are gone"
