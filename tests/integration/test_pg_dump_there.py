# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that is there already is found by a role that could no longer make it; a new one is refused as usual."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.dumps import dumping, fill, left_in
from tests.integration.place import Database


@pytest.fixture
def dest(directory: Path) -> Path:
    return directory / "dumps" / "today"


@pytest.fixture
def role(db: Database) -> str:
    """A role that may read everything, for now."""
    db.needs(14, "there is no pg_read_all_data")
    fill(db)
    return db.role("app", "pg_read_all_data")


def test_it_is_found_without_the_right_to_read(db: Database, role: str, dest: Path) -> None:
    made = dumping(db, dest, role).ok("pg_dump")
    db.rows(f'REVOKE pg_read_all_data FROM "{role}"')
    for check in (True, False):
        found = dumping(db, dest, role).ok("pg_dump", check=check)
        assert (found["changed"], found["tables"], found["ended_at"]) == (False, made["tables"], made["ended_at"])
    # A new dump needs the right as before, and its refusal leaves nothing behind, not even a lock.
    another = dest.parent / "fresh" / "another"
    for check in (True, False):
        dumping(db, another, role).fails("missing_privilege", "pg_dump", check=check)
    assert left_in(dest.parent) == [dest.name]
    # The dump that is there must be the one asked for, and whole, as for any role.
    dumping(db, dest, role, incident_id="INC-2").fails("dest_exists", "pg_dump")
    dumping(db, dest, role, tables=["Tickets"]).fails("dest_exists", "pg_dump")
    (dest / "toc.dat").write_bytes(b"")
    dumping(db, dest, role).fails("checksum_mismatch", "pg_dump")


def test_it_is_proven_without_the_right_to_read(db: Database, role: str, dest: Path) -> None:
    db.rows(f'ALTER ROLE "{role}" CREATEDB')
    dumping(db, dest, role).ok("pg_dump")
    db.rows(f'REVOKE pg_read_all_data FROM "{role}"')
    done = dumping(db, dest, role, verify="restore", verify_in="database").ok("pg_dump")
    assert (done["changed"], done["verified"]) == (True, "restore")


def test_it_is_found_where_policies_would_hide_rows_by_now(db: Database, role: str, dest: Path) -> None:
    made = dumping(db, dest, role).ok("pg_dump")
    db.rows('ALTER TABLE "Tickets" ENABLE ROW LEVEL SECURITY')
    found = dumping(db, dest, role).ok("pg_dump")
    assert (found["changed"], found["tables"]) == (False, made["tables"])
    dumping(db, dest.with_name("another"), role).fails("row_level_security", "pg_dump")


def test_a_deadline_that_comes_while_a_dump_that_is_there_is_read(db: Database, dest: Path) -> None:
    fill(db)
    dumping(db, dest).ok("pg_dump")
    slow = next(dest.glob("*.dat.*"))
    slow.unlink()
    os.mkfifo(slow)
    feed = f"for piece in 1 2 3 4 5 6 7 8 9 10 11 12; do head -c 1M /dev/zero; sleep 0.5; done >{slow}"
    for check in (False, True):
        with subprocess.Popen(["/bin/sh", "-c", feed], stderr=subprocess.DEVNULL):
            dumping(db, dest, deadline=2).fails("deadline", "pg_dump", check=check)
    assert left_in(dest.parent) == [dest.name]
