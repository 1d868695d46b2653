# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of PostgreSQL within its time, size and place, whatever the server or the disk does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.integration.test_evidence import EVERY_PART, collector, document, evidence_pid, fresh, reasons, rows
from tests.support import accounts, processes
from tests.support.servers import Postgres


@pytest.fixture
def frail(directory: Path) -> Iterator[Postgres]:
    """A server of the test's own, to be crashed and frozen."""
    with Postgres(directory / "frail", fsync=False) as started:
        yield started


def test_a_locked_catalog_costs_its_own_part_and_a_second(db: Database, directory: Path) -> None:
    with db.transaction("LOCK TABLE pg_catalog.pg_extension"):
        done = collector(db, directory).ok("evidence")
    assert list(reasons(done)) == ["statements"]
    assert "lock timeout" in reasons(done)["statements"]
    assert 1000 <= done["elapsed_ms"] < 3000
    assert done["complete"] is False
    again = collector(db, directory).ok("evidence")
    assert (again["changed"], again["complete"]) == (True, True), "nothing holds the lock any more"


def test_a_server_that_freezes_is_left_in_time(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    modules = collector(db, directory)
    with (
        db.transaction("LOCK TABLE pg_catalog.pg_extension"),
        modules.start("evidence", seconds=2) as running,
    ):
        wait_for(lambda: evidence_pid(db, waiting=True) is not None, "the part that waits")
        pid = evidence_pid(db)
        assert pid
        try:
            os.kill(pid, signal.SIGSTOP)
            result = running.result(timeout=20)
            seconds = running.seconds
        finally:
            os.kill(pid, signal.SIGCONT)
    assert seconds < 2 + 1.5
    assert not result.get("failed"), result
    assert reasons(result)["statements"] == "the time was over"
    assert result["complete"] is False
    assert len(result["files"]) == len(EVERY_PART) - 1
    assert document(result, "index.json")["complete"] is False
    again = modules.ok("evidence")
    assert again["changed"] is True, "an incomplete collection was taken for a whole one"
    assert again["unfinished"] == [str(Path(result["files"][0]["path"]).parent)]


def test_a_server_that_dies_in_the_middle_costs_what_had_not_been_read(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    modules = collector(db, directory)
    with db.transaction("LOCK TABLE pg_catalog.pg_extension"), modules.start("evidence") as running:
        wait_for(lambda: evidence_pid(db, waiting=True) is not None, "the part that waits")
        frail.crash()
        result = running.result()
    assert not result.get("failed"), result
    assert "lost" in reasons(result)["statements"]
    assert (result["complete"], len(result["files"])) == (False, len(EVERY_PART) - 1)


def test_a_server_that_is_down_is_a_failure_that_leaves_its_reason(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    modules = collector(db, directory)
    frail.crash()
    result = modules.fails("no_evidence", "evidence")
    assert len(result["missing"]) == len(EVERY_PART) - 1
    assert all("refused" in reason for reason in reasons(result).values())
    frail.start()
    assert modules.ok("evidence")["changed"] is True


def test_a_frozen_server_costs_no_more_than_the_time_given(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    (postmaster,) = frail.pids()
    frozen = [postmaster, *processes.descendants(postmaster)]
    try:
        processes.send(frozen, signal.SIGSTOP)
        started = time.monotonic()
        collector(db, directory).fails("no_evidence", "evidence", seconds=1.5)
        assert time.monotonic() - started < 1.5 + 1.5
    finally:
        processes.send(frozen, signal.SIGCONT)


def test_the_size_is_bounded_and_the_cut_is_told(db: Database, directory: Path) -> None:
    db.rows("DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE t%s ()', n); END LOOP; END $$")
    done = collector(db, directory).ok("evidence", max_bytes=120_000)
    (tables,) = [file for file in done["files"] if file["name"] == "tables.jsonl"]
    assert tables["truncated"] is done["truncated"] is True
    assert 25_000 < tables["bytes"] <= 30_000
    assert "cut after" in reasons(done)["tables.jsonl"]
    assert len(rows(done, "tables.jsonl")) > 10, "the cut went through a line"
    assert sum(file["bytes"] for file in done["files"] if file["name"] != "index.json") <= 120_000
    assert "settings.jsonl" in {file["name"] for file in done["files"]}


def test_few_connections_are_left_to_the_kill(frail: Postgres, directory: Path) -> None:
    db = fresh(frail)
    role = db.role("limited", "pg_read_all_stats")
    db.rows(f'ALTER ROLE "{role}" CONNECTION LIMIT 3')
    with db.as_role(role):
        done = collector(db, directory, role).ok("evidence")
    assert {file["name"] for file in done["files"]} == {"activity.jsonl", "locks.jsonl", "index.json"}
    assert "containment may need one" in reasons(done)["tables"]
    assert (done["complete"], document(done, "index.json")["complete"]) == (False, False)
    (first,) = [Path(file["path"]) for file in done["files"] if file["name"] == "activity.jsonl"]
    before = first.read_bytes()
    db.rows(f'ALTER ROLE "{role}" CONNECTION LIMIT -1')
    with db.as_role(role):
        again = collector(db, directory, role).ok("evidence")
    assert (again["changed"], again["complete"], again["unfinished"]) == (True, True, [str(first.parent)])
    assert "tables.jsonl" in {file["name"] for file in again["files"]}
    assert first.read_bytes() == before


def test_where_it_cannot_be_written_the_next_place_takes_it(db: Database, directory: Path) -> None:
    account = accounts.unprivileged()
    prefix = []
    if account:
        # An account whose first writable place is below this test's own home.
        prefix = ["/usr/bin/setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        if not os.access(prefix[0], os.X_OK):
            pytest.skip("needs setpriv, to be somebody else than root")
    home = directory / "home"
    accounts.own_directory(home, account)
    (directory / "evidence").mkdir()
    (directory / "evidence").chmod(0o777)
    modules = Modules(collector(db, directory).options, {"HOME": str(home)}, prefix)
    done = modules.ok("evidence")
    assert done["path"] == str(home / ".local/state/kanban_rollback/incidents/INC-1/evidence/t0")
    assert not list((directory / "evidence").iterdir())
    again = modules.ok("evidence")
    assert again["changed"] is False, again


@pytest.mark.parametrize("label", ["", "../t0", "a/b", ".", "t 0", "x" * 41])
def test_a_label_that_is_no_plain_name_is_refused(db: Database, directory: Path, label: str) -> None:
    collector(db, directory).fails("bad_label", "evidence", label=label)
    assert not (directory / "evidence").exists()
