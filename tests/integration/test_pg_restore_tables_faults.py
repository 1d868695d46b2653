# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore that is cut off, conflicts with others, or has no room: all of it holds, or nothing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreload import Space
from tests.integration.module import Modules, Running, failed
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup, codes, compare, figures, make, ready, restore
from tests.integration.test_pg_restore_tables import LOST, TICKETS
from tests.support import processes

_GATE = """CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END'"""
_TRIGGER = 'CREATE TRIGGER wait_here AFTER INSERT ON "Tickets" FOR EACH STATEMENT EXECUTE FUNCTION wait_here()'


@contextmanager
def in_the_middle(db: Database, modules: Modules, **options: Any) -> Iterator[tuple[Running, int]]:
    """Yield a restore that has inserted rows and waits, with its backend's pid."""
    make(db, _GATE, _TRIGGER)
    with (
        db.transaction("SELECT pg_advisory_xact_lock(42)"),
        modules.start("pg_restore_tables", **options) as running,
    ):
        waits = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
        until = time.monotonic() + 30
        while not (pids := db.rows(waits)):
            assert running.runs, running.result()
            assert time.monotonic() < until
            time.sleep(0.01)
        yield running, pids[0][0]


def nothing_left(db: Database, path: str) -> None:
    """Check that no session, temporary table or program is left."""
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'chatia%'"
    assert processes.wait_until(lambda: not db.rows(waits), 10)
    assert db.value("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0
    assert processes.matching(lambda arguments: path in arguments) == []


@pytest.mark.parametrize("how", ["backend", "module"])
def test_cut_off_in_mid_apply(db: Database, directory: Path, how: str) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    before = whole(db)
    approved = compare(modules, source, "Tickets", changed="restore")["plan_hash"]
    options: dict[str, Any] = {
        "source": source, "tables": ["Tickets"], "changed": "restore", "plan_hash": approved
    }  # fmt: skip
    with in_the_middle(db, modules, **options) as (running, pid):
        if how == "backend":
            db.rows("SELECT pg_terminate_backend(%s)", (pid,))
            failed(running.result(), "lost_connection")
        else:
            running.kill()
        nothing_left(db, source["path"])
        assert whole(db) == before
        assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0
    make(db, 'DROP TRIGGER wait_here ON "Tickets"')
    # The same command goes on.
    again = modules.ok("pg_restore_tables", **options)
    assert again["restored"] == 6
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_a_row_that_somebody_changes_meanwhile_is_not_written_over(db: Database, directory: Path) -> None:
    make(db, *TICKETS, "CREATE TABLE a (id integer PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    source = backup(db, directory, "dump", "a", "Tickets")
    make(db, *LOST, "DELETE FROM a WHERE id = 1")
    modules = ready(db)
    make(
        db,
        _GATE,
        "CREATE TRIGGER wait_here AFTER INSERT ON a FOR EACH STATEMENT EXECUTE FUNCTION wait_here()",
    )
    options: dict[str, Any] = {"source": source, "tables": ["a", "Tickets"], "changed": "restore"}
    approved = modules.ok("pg_restore_tables", True, **options)["plan_hash"]
    with (
        db.transaction("SELECT pg_advisory_xact_lock(42)") as gate,
        modules.start("pg_restore_tables", plan_hash=approved, **options) as running,
    ):
        waits = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
        assert processes.wait_until(lambda: bool(db.rows(waits)) or not running.runs, 30)
        make(db, """UPDATE "Tickets" SET "lastMessage" = 'newest' WHERE id = 1""")
        before = whole(db)
        gate.rollback()
        failed(running.result(), "row_changed")
    assert whole(db) == before


def test_a_key_that_is_taken_in_that_moment(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    approved = compare(modules, source, "Tickets")["plan_hash"]
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": approved}
    with (
        db.transaction("""INSERT INTO "Tickets" (id, "companyId") VALUES (6, 1)""") as session,
        modules.start("pg_restore_tables", **given) as running,
    ):
        waits = "SELECT pid FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
        assert processes.wait_until(lambda: bool(db.rows(waits)) or not running.runs, 30)
        session.commit()
        before = whole(db)
        failed(running.result(), "conflict")
    assert whole(db) == before


def test_the_fence_has_to_keep_others_away(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db).having(allow_unfenced=False)
    found = compare(modules, source, "Tickets")
    assert (found["fenced"], codes(found)) == (False, ["not_fenced"])
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": found["plan_hash"]}
    modules.fails("not_fenced", "pg_restore_tables", **given)
    db.modules(incident_id="INC-1").ok(
        "write_fence", tables=[{"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["lane"]}]
    )
    before = whole(db)
    found = compare(modules, source, "Tickets")
    assert (found["fenced"], codes(found)) == (True, [])
    # Messages are not fenced: the current ones are newer than the backup's.
    assert codes(compare(modules, source, "Tickets", changed="restore")) == ["not_fenced"]
    assert restore(modules, source, "Tickets")["restored"] == 3
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("UPDATE other SET a = 0; RETURN NULL;", "not_planned"),
        ("DELETE FROM other; RETURN NULL;", "not_planned"),
        ("INSERT INTO other VALUES (2); RETURN NULL;", None),
    ],
    ids=["changes", "deletes", "inserts"],
)
def test_what_triggers_write_elsewhere(db: Database, directory: Path, body: str, code: str | None) -> None:
    make(db, *TICKETS, "CREATE TABLE other AS SELECT 1 AS a")
    source = backup(db, directory, "dump", "Tickets")
    make(
        db,
        *LOST,
        f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
        'CREATE TRIGGER act AFTER INSERT ON "Tickets" FOR EACH ROW EXECUTE FUNCTION act()',
    )
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, "Tickets")
    assert found["plan"]["triggers"] == ["Tickets.act"]
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": found["plan_hash"]}
    if code:
        modules.fails(code, "pg_restore_tables", **given)
        assert whole(db) == before
        return
    done = modules.ok("pg_restore_tables", **given)
    assert [text for text in done["warnings"] if "3 rows into public.other" in text]


@pytest.mark.parametrize(
    ("body", "told"), [("NEW.lane := 7; RETURN NEW;", True), ("RETURN NULL;", False)], ids=["alters", "keeps out"]
)
def test_what_triggers_make_of_a_row_that_comes_back(db: Database, directory: Path, body: str, told: bool) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(
        db,
        *LOST,
        f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
        'CREATE TRIGGER act BEFORE INSERT ON "Tickets" FOR EACH ROW EXECUTE FUNCTION act()',
    )
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, "Tickets")
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": found["plan_hash"]}
    if told:
        done = modules.ok("pg_restore_tables", **given)
        assert [text for text in done["warnings"] if "something else of 3 rows" in text], done["warnings"]
        modules.ok("pg_restore_tables", state="undone")
    else:
        modules.fails("not_as_planned", "pg_restore_tables", **given)
    assert whole(db) == before


@pytest.fixture
def small_disk(directory: Path) -> Iterator[Path]:
    """A disk of 4 MB, for the server's temporary tables."""
    place = directory / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", place], check=False)
    if done.returncode:
        pytest.skip("no small disk can be mounted")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_rows_are_loaded_while_there_is_room(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    Space(str(tmp_path), 0, free, free // 2).look()
    Space(None, 0, None, free * 2).look()
    with pytest.raises(ServerError, match="MB are left while its rows are loaded") as told:
        Space(str(tmp_path), 0, free, free * 2).look()
    assert told.value.code == "no_space"


def test_no_space_for_the_rows(db: Database, directory: Path, small_disk: Path) -> None:
    make(db, "CREATE TABLE noise (id integer PRIMARY KEY, x text)")
    make(db, "INSERT INTO noise SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 40000) AS g")
    make(db, "CREATE TABLE little (id integer PRIMARY KEY)", "INSERT INTO little VALUES (1)")
    source, dumped = (backup(db, directory, kind, "noise", "little") for kind in ("plain", "dump"))
    owner = os.stat(db.value("SHOW data_directory"))
    os.chown(small_disk, owner.st_uid, owner.st_gid)
    db.rows(f"CREATE TABLESPACE {db.name}_small LOCATION '{small_disk}'")
    try:
        make(db, f"ALTER DATABASE {db.name} SET temp_tablespaces = '{db.name}_small'")
        modules = ready(db)
        given: dict[str, Any] = {"source": source, "tables": ["noise"]}
        told = modules.fails("no_space", "pg_restore_tables", True, **given)
        assert "are free" in told["error"]["what"]
        # A small table is not refused because the file holds a large one as well.
        assert figures(compare(modules, source, "little"), "little") == {}
        # An emptied table tells nothing, and a file does not either, so it only shows in the middle: by a
        # look between two pieces, or by the server's word where the disk is as small as this one.
        make(db, "SET temp_tablespaces = ''", "DELETE FROM noise WHERE id > 10", "VACUUM FULL noise")
        told = modules.fails("no_space", "pg_restore_tables", True, **given)
        assert any(words in told["error"]["what"] for words in ("of 3 MB are left", "disk is full"))
        nothing_left(db, source["path"])
        # A dump's manifest does.
        told = modules.fails("no_space", "pg_restore_tables", True, **{**given, "source": dumped})
        assert "are free" in told["error"]["what"]
        make(db, f"ALTER DATABASE {db.name} RESET temp_tablespaces")
        assert figures(compare(modules, source, "noise"), "noise") == {"missing": 39990}
        assert db.value("SELECT count(*) FROM noise") == 10
    finally:
        make(db, f"ALTER DATABASE {db.name} RESET temp_tablespaces")
        # Earlier sessions may still have something there.
        assert processes.wait_until(lambda: not list(small_disk.glob("*/*/*")), 5)
        db.rows(f"DROP TABLESPACE {db.name}_small")


def test_a_ledger_of_before_is_mended(db: Database, directory: Path) -> None:
    make(db, *TICKETS)
    source = backup(db, directory, "dump", "Tickets")
    make(db, *LOST)
    modules = ready(db)
    make(db, "ALTER TABLE kanban_rollback.quarantined ALTER before SET NOT NULL")
    before = whole(db)
    role = db.role("ops", 'SELECT, INSERT ON "Tickets"')
    db.modules().ok("ledger", grant_to=[role], repairs=[{"table": "Tickets"}])
    assert not db.value("""SELECT attnotnull FROM pg_attribute WHERE attname = 'before'
                           AND attrelid = 'kanban_rollback.quarantined'::regclass""")  # fmt: skip
    make(db, "ALTER TABLE kanban_rollback.quarantined ALTER before SET NOT NULL")
    least = db.modules(role, incident_id="INC-1", allow_unfenced=True)
    found = compare(least, source, "Tickets")
    given: dict[str, Any] = {"source": source, "tables": ["Tickets"], "plan_hash": found["plan_hash"]}
    least.fails("no_quarantine", "pg_restore_tables", **given)
    assert whole(db) == before
    modules.ok("pg_restore_tables", **given)
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before
