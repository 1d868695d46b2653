# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is already there is checked, never overwritten; a dump is proven by restoring it."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from tests.integration.crowd import wait_for, waiting_for_locks
from tests.integration.dumps import (
    clients_of,
    dumping,
    fill,
    left_in,
    program,
    restored,
    rows,
    slow_table,
)
from tests.integration.place import Database
from tests.support import processes
from tests.support.servers import Postgres


@pytest.fixture
def dest(directory: Path) -> Path:
    return directory / "dumps" / "today"


# What is there already


def test_a_file_that_was_changed(db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest).ok("pg_dump")
    victim = next(path for path in dest.iterdir() if ".dat" in path.name and path.name != "toc.dat")
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    told = dumping(db, dest).fails("checksum_mismatch", "pg_dump")
    assert told["files"] == [victim.name]
    victim.unlink()
    (dest / "more").write_text("?")
    assert dumping(db, dest).fails("checksum_mismatch", "pg_dump")["files"] == sorted([victim.name, "more"])
    assert left_in(dest.parent) == [dest.name]


def test_a_manifest_that_was_changed(db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest).ok("pg_dump")
    text = (dest / "manifest.json").read_text()
    (dest / "manifest.json").write_text(text.replace('"rows": 103', '"rows": 104'))
    dumping(db, dest).fails("manifest_broken", "pg_dump")
    (dest / "manifest.json").write_text(text[:100])
    dumping(db, dest).fails("manifest_broken", "pg_dump")


def test_what_is_not_ours_is_left_alone(db: Database, dest: Path) -> None:
    fill(db)
    dest.mkdir(parents=True)
    (dest / "thesis.txt").write_text("years of work")
    dumping(db, dest).fails("dest_exists", "pg_dump")
    assert (dest / "thesis.txt").read_text() == "years of work"
    (dest / "thesis.txt").unlink()
    # An empty directory is nobody's.
    dumping(db, dest).ok("pg_dump")
    for other in ({"incident_id": "INC-2"}, {"tables": ["Tickets"]}):
        dumping(db, dest, **other).fails("dest_exists", "pg_dump")
    file = dest.with_name("file")
    file.write_text("a file")
    dumping(db, file).fails("dest_exists", "pg_dump")
    dumping(db, file / "below").fails("dest_unusable", "pg_dump")


def test_another_database_does_not_get_the_first_ones_dump(server: Postgres, db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest).ok("pg_dump")
    other = Database(server, f"{db.name}_other")
    server.create_database(other.name)
    try:
        fill(other)
        dumping(other, dest).fails("dest_exists", "pg_dump")
    finally:
        other.drop()


# Proof


def test_a_client_that_lies_about_what_it_wrote(db: Database, directory: Path, dest: Path) -> None:
    """It exits with 0 and has left out a table: the table of contents shows it."""
    fill(db)
    fake = directory / "bin"
    fake.mkdir()
    (fake / "pg_restore").symlink_to(program("pg_restore"))
    (fake / "pg_dump").write_text(
        f"""#!/bin/sh\nexec {program("pg_dump")} "$@" --exclude-table-data='"public"."empty"'\n"""
    )
    (fake / "pg_dump").chmod(0o755)
    told = dumping(db, dest, bin_dir=str(fake), jobs=1).fails("toc_mismatch", "pg_dump")
    assert "public.empty" in told["msg"]
    (fake / "pg_dump").write_text(f"""#!/bin/sh
for argument; do shift; case $argument in --exclude-table-data*) ;; *) set -- "$@" "$argument";; esac; done
exec {program("pg_dump")} "$@"\n""")
    told = dumping(db, dest, bin_dir=str(fake), jobs=1).fails("toc_mismatch", "pg_dump")
    assert "not asked for" in told["msg"]
    assert (left_in(dest.parent), clients_of(db)) == ([], [])


def test_a_truncate_in_between_is_not_taken_for_an_empty_table(db: Database, directory: Path, dest: Path) -> None:
    """A snapshot from before it would see no row, in the dump and in the count alike."""
    fill(db)
    fake, asked, go = directory / "bin", directory / "asked", directory / "go"
    fake.mkdir()
    (fake / "pg_restore").symlink_to(program("pg_restore"))
    # The version is asked for between the first look and the locks.
    (fake / "pg_dump").write_text(f"""#!/bin/sh
if [ "$1" = --version ]; then : > {asked}; while [ ! -e {go} ]; do sleep 0.02; done; fi
exec {program("pg_dump")} "$@"\n""")
    (fake / "pg_dump").chmod(0o755)
    with dumping(db, dest, bin_dir=str(fake), compress="none").start("pg_dump") as running:
        wait_for(asked.exists, "the question for the version")
        with db.transaction('TRUNCATE "TicketTags"', """INSERT INTO "TicketTags" VALUES (1, 1), (2, 2)""") as holder:
            go.touch()
            wait_for(lambda: waiting_for_locks(db) > 0, "the wait for the lock")
            holder.commit()
            done = running.result()
    assert not done.get("failed"), done
    assert {table["table"]: table["rows"] for table in done["tables"]}["TicketTags"] == 2
    with restored(db, dest) as copy:
        assert rows(copy, '"TicketTags"') == ["(1,1)", "(2,2)"]


def test_proven_in_a_scratch_database(db: Database, dest: Path) -> None:
    fill(db)
    done = dumping(db, dest, verify="restore", verify_in="database").ok("pg_dump")
    assert (done["changed"], done["verified"]) == (True, "restore")
    assert scratch_databases(db) == []
    assert dumping(db, dest, verify="restore", verify_in="database").ok("pg_dump")["changed"] is False
    with restored(db, dest) as copy:
        assert rows(copy, '"TicketTags"') == rows(db, '"TicketTags"')


def test_proven_later(db: Database, dest: Path) -> None:
    fill(db)
    first = dumping(db, dest).ok("pg_dump")
    later = dumping(db, dest, verify="restore", verify_in="database")
    assert later.ok("pg_dump", check=True)["changed"] is True
    done = later.ok("pg_dump")
    assert (done["changed"], done["verified"], done["ended_at"]) == (True, "restore", first["ended_at"])
    assert dumping(db, dest).ok("pg_dump")["verified"] == "restore"


def test_a_dump_that_does_not_restore_is_kept_and_a_failure(db: Database, dest: Path) -> None:
    """A check that reads another table, whose rows nobody asked for."""
    fill(db)
    db.rows("""CREATE FUNCTION has_other() RETURNS boolean LANGUAGE sql AS
               'SELECT EXISTS (SELECT FROM public.other)'""")  # fmt: skip
    db.rows("ALTER TABLE empty ADD CHECK (has_other())")
    db.rows("INSERT INTO empty VALUES ('Maria')")
    told = dumping(db, dest, verify="restore", verify_in="database").fails("verify_failed", "pg_dump")
    assert "violates check constraint" in told["stderr"]
    assert "Maria" not in str(told)
    assert (told["changed"], told["verified"], told["rows"]) == (True, "toc", 204)
    assert scratch_databases(db) == []
    again = dumping(db, dest, verify="restore", verify_in="database").fails("verify_failed", "pg_dump")
    assert again["changed"] is False
    assert dumping(db, dest).ok("pg_dump")["changed"] is False


def test_a_dump_that_restores_other_rows_is_not_kept(db: Database, directory: Path, dest: Path) -> None:
    """A pg_restore that leaves out all rows stands for an archive that lacks them."""
    fill(db)
    fake = directory / "bin"
    fake.mkdir()
    for name in ("pg_dump", "createdb", "dropdb"):
        (fake / name).symlink_to(program(name))
    (fake / "pg_restore").write_text(f"""#!/bin/sh
case "$*" in *--list*) exec {program("pg_restore")} "$@";; esac
exec {program("pg_restore")} --schema-only "$@"\n""")
    (fake / "pg_restore").chmod(0o755)
    told = dumping(db, dest, bin_dir=str(fake), verify="restore", verify_in="database").fails(
        "verify_mismatch", "pg_dump"
    )
    assert "public.TicketTags: 0 instead of 103" in told["msg"]
    assert left_in(dest.parent) == []
    assert scratch_databases(db) == []


def test_proven_in_an_instance_of_its_own(server: Postgres, db: Database, directory: Path) -> None:
    fill(db)
    # Too deep for a socket, which is then put elsewhere.
    sockets = set(Path(tempfile.gettempdir()).glob("kanban-*"))
    place = directory / ("deep" * 20) / "dumps"
    place.mkdir(parents=True)
    prefix: list[str] = []
    if server.account:
        os.chown(place, server.account.uid, server.account.gid)
        prefix = [
            "/usr/bin/setpriv",
            f"--reuid={server.account.uid}",
            f"--regid={server.account.gid}",
            "--clear-groups",
        ]
        if not Path(prefix[0]).exists():
            pytest.skip("setpriv is not there to become an ordinary user")
    modules = dumping(db, place / "a", verify="restore", bin_dir=str(server.programs))
    modules = type(modules)(modules.options, modules.environment, prefix)
    done = modules.ok("pg_dump")
    assert (done["verified"], done["rows"]) == ("restore", 203)
    assert left_in(place) == ["a"]
    # Killed while the instance is up: it goes with the module, and its files with the next run.
    with modules.having(dest=str(place / "b")).start("pg_dump") as running:
        wait_for(lambda: bool(instances_in(place)), "the instance")
        running.kill()
    # The kernel asks it to end at once; it gives what it has started, which may wait for a disk, five seconds.
    assert processes.wait_until(lambda: not instances_in(place), 30), "the instance outlived the module"
    assert modules.having(dest=str(place / "b")).ok("pg_dump")["verified"] == "restore"
    assert left_in(place) == ["a", "b"]
    assert set(Path(tempfile.gettempdir()).glob("kanban-*")) == sockets


def test_a_scratch_database_of_a_killed_run_goes_with_the_next(db: Database, dest: Path) -> None:
    slow_table(db)
    modules = dumping(db, dest, tables=["slow"], compress="none", verify="restore", verify_in="database")
    with modules.start("pg_dump") as running:
        wait_for(lambda: bool(scratch_databases(db)), "the scratch database")
        running.kill()
    assert processes.wait_until(lambda: not clients_of(db), 5)
    time.sleep(0.1)
    assert len(scratch_databases(db)) == 1
    assert modules.ok("pg_dump")["verified"] == "restore"
    assert scratch_databases(db) == []
    assert left_in(dest.parent) == [dest.name]


def scratch_databases(db: Database) -> list[str]:
    return [row[0] for row in db.rows("SELECT datname FROM pg_database WHERE datname LIKE 'kanban_rollback_verify%'")]


def instances_in(place: Path) -> list[int]:
    """Return the ids of servers that keep their data there; initdb's own do not have a socket."""
    return processes.matching(
        lambda arguments: (
            any(str(place) in one for one in arguments)
            and any(one.startswith("unix_socket_directories=") for one in arguments)
        )
    )
