# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scratch instances whose keeper or host dies, two at once, a disk that fills, tablespaces, and a careless setup."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.backups import owned
from tests.integration.module import failed
from tests.integration.restores import compare, figures, make, ready
from tests.integration.scratches import Place, place
from tests.support import accounts, processes

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def point() -> Iterator[Place]:
    """A server with a backup and its log."""
    with place() as made:
        yield made


@pytest.mark.parametrize(("program", "number"), [("postgres", signal.SIGKILL), ("pgbackrest", signal.SIGTERM)])
def test_nothing_is_left_of_a_module_that_was_ended(point: Place, program: str, number: signal.Signals) -> None:
    modules, since = ready(point.db), point.go_on()
    options = {"source": point.source(), "tables": ["Tickets"], "corrupt_since": since}
    with modules.start("pg_restore_tables", True, **options) as running:
        pids = point.at_work(program, running)
        os.kill(running.pid, number)
        assert processes.gone(pids, 15)
    assert point.clean(), point.left()


def test_a_keeper_that_is_killed_takes_the_instance_along(point: Place) -> None:
    modules, since = ready(point.db), point.go_on()
    options = {"source": point.source(), "tables": ["Tickets"], "corrupt_since": since}
    with modules.start("pg_restore_tables", True, **options) as running:
        pids = point.at_work("postgres", running)
        (keeper,) = [pid for pid in processes.descendants(running.pid) if _parent(pid) == running.pid]
        os.kill(keeper, signal.SIGKILL)
        failed(running.result(), "scratch_lost")
    assert processes.gone(pids, 15)
    assert point.clean(), point.left()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_dead_host_s_leavings_go_and_a_living_run_s_stay(point: Place) -> None:
    modules, since = ready(point.db), point.go_on()
    options = {"source": point.source(), "tables": ["Tickets"], "corrupt_since": since}
    with modules.start("pg_restore_tables", True, **options) as running:
        point.at_work("postgres", running)
        (left,) = os.listdir(point.scratch)
        # As when the power fails: nobody gets a chance.
        processes.send([*processes.descendants(running.pid), running.pid], signal.SIGKILL)
        running.kill()
    assert processes.wait_until(lambda: point.left() == [left], 15), point.left()
    second = modules.having(incident_id="INC-1", run_id="run-2")
    with (
        modules.start("pg_restore_tables", True, **options) as one,
        second.start("pg_restore_tables", True, **options) as two,
    ):
        assert processes.wait_until(lambda: left not in os.listdir(point.scratch), 30)
        for running in (one, two):
            result = running.result(timeout=120)
            assert not result.get("failed"), result
            assert figures(result, "Tickets") == {}
    assert point.left() == []


def test_a_disk_that_fills_meanwhile_ends_it(point: Place) -> None:
    modules, since = ready(point.db), point.go_on()
    disk = os.statvfs(point.scratch)
    reserve = disk.f_bavail * disk.f_frsize - (1 << 30)
    options = {"source": point.source(min_free=str(reserve)), "tables": ["Tickets"], "corrupt_since": since}
    other = point.scratch.parent / "other"
    try:
        with modules.start("pg_restore_tables", True, **options) as running, other.open("wb") as file:
            point.at_work("pgbackrest", running)
            os.posix_fallocate(file.fileno(), 0, 3 << 30)
            assert "while the scratch instance" in failed(running.result(), "no_space")["error"]["what"]
    finally:
        other.unlink()
    assert point.left() == []


def test_what_is_not_archived_yet_is_said_so(point: Place) -> None:
    modules = ready(point.db)
    point.go_on()
    given = {"tables": ["Tickets"], "source": point.source(target=point.now())}
    told = modules.fails("wal_not_archived", "pg_restore_tables", check=True, **given)
    assert "pg_switch_wal" in told["error"]["todo"]
    assert point.left() == []


def test_a_plain_role_and_a_careless_setup(point: Place) -> None:
    """Production's links, maps, logs and spool are not touched, and no login trigger runs."""
    db, account = point.db, point.backrest.account
    logs = owned(point.scratch.parent / "logs", account)
    config = point.scratch.parent / "careless.conf"
    careless = ["link-all=y", "log-level-file=detail", f"log-path={logs}", "archive-async=y", "delta=y"]
    careless += [f"spool-path={owned(point.scratch.parent / 'spool', account)}", "db-exclude=other"]
    text = point.backrest.config.read_text().replace("log-level-file=off\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("spool-path")]
    accounts.write_private(config, "\n".join([lines[0], *careless, *lines[1:]]) + "\n", account)
    make(
        db,
        """CREATE FUNCTION no_entry() RETURNS event_trigger LANGUAGE plpgsql AS $$
           BEGIN IF inet_server_addr() IS NULL THEN RAISE EXCEPTION 'not by a socket'; END IF; END $$""",
        "CREATE EVENT TRIGGER no_entry ON login EXECUTE FUNCTION no_entry()",
    )
    ready(db)
    ledger = ("USAGE ON SCHEMA kanban_rollback", "SELECT ON ALL TABLES IN SCHEMA kanban_rollback")
    role = db.role("plain", 'SELECT ON "Tickets"', *ledger)
    try:
        since = point.go_on()
        given = {"incident_id": "INC-1", "run_id": "run-1", "allow_unfenced": True}
        source = point.source(config=str(config), **({"user": account.name} if account else {}))
        modules = db.modules(role, **given)
        make(db, 'DELETE FROM "Tickets" WHERE id = 5')
        found = compare(modules, source, "Tickets", corrupt_since=since)
        assert figures(found, "Tickets") == {"missing": 1}
        assert (os.listdir(logs), os.listdir(point.scratch.parent / "spool")) == ([], [])
        if account:
            # Such a role cannot see who owns the server's data.
            source = point.source(config=str(config))
            modules.fails(
                "as_root", "pg_restore_tables", check=True, source=source, tables=["Tickets"], corrupt_since=since
            )
    finally:
        make(db, "DROP EVENT TRIGGER no_entry", "DROP FUNCTION no_entry")
    assert point.left() == []


def test_a_tablespace_comes_into_the_scratch_directory(point: Place) -> None:
    db = point.db
    modules = ready(db)
    space, late = (owned(point.scratch.parent / name, point.backrest.account) for name in ("space", "late"))
    make(
        db,
        f"CREATE TABLESPACE apart LOCATION '{space}'",
        "CREATE TABLE far (id integer PRIMARY KEY) TABLESPACE apart",
        "INSERT INTO far SELECT generate_series(1, 100)",
    )
    point.backrest.back_up()
    time.sleep(1.1)
    since = point.go_on()
    make(db, "DELETE FROM far WHERE id < 10", "CHECKPOINT")
    before = {path: path.stat().st_mtime_ns for path in space.rglob("*")}
    found = compare(modules, point.source(), "far", corrupt_since=since)
    assert figures(found, "far") == {"missing": 9}
    assert {path: path.stat().st_mtime_ns for path in space.rglob("*")} == before
    make(db, f"CREATE TABLESPACE late LOCATION '{late}'")
    given = {"source": point.source(), "tables": ["far"], "corrupt_since": since}
    modules.fails("tablespace_since_backup", "pg_restore_tables", check=True, **given)
    assert point.left() == []
