# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module or the server dies or hangs in mid-kill; two run at once. The next run completes, the undo is exact."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.crowd import on, population, slow, wait_for
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.support import processes
from tests.support.servers import Postgres, workspace

TENANTS = 10_000
# A page holds a handful of rows, so that the kill takes many batches; a few rows are slow, so that it takes a while.
SPARSE = "WITH (fillfactor = 10)"


@pytest.fixture
def frail() -> Iterator[Postgres]:
    """A server of the test's own, to be crashed, frozen and misconfigured."""
    with workspace() as directory, Postgres(directory / "frail", {"autovacuum": False}, fsync=False) as started:
        yield started


def many(db: Database, kind: str = "jsonb") -> Modules:
    modules = population(db, TENANTS, kind=kind, storage=SPARSE)
    slow(db, every=250, seconds=0.02)
    return modules


def switched(db: Database) -> int:
    number: int = db.value("""SELECT count(*) FROM companies WHERE settings::jsonb -> 'kanbanV2Enabled' = 'false'""")
    return number


def in_mid_kill(db: Database) -> bool:
    return 0 < switched(db) < TENANTS


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_a_module_that_is_killed_in_mid_kill(db: Database, kind: str) -> None:
    modules = many(db, kind)
    before = db.snapshot("companies")
    with modules.start("feature_flag", incident_id="INC-1") as running:
        wait_for(lambda: in_mid_kill(db), "the first batch")
        running.kill()
    assert in_mid_kill(db), "it had ended already"
    done = modules.disable()
    assert done["enabled_after"] == 0
    assert 0 < done["changed_count"] < TENANTS
    undone = modules.restore(deadline=30)
    assert (undone["changed_count"], undone["changed_since"]) == (TENANTS, [])
    assert db.snapshot("companies").texts == before.texts


def test_an_undo_that_is_killed_goes_on_where_it_stopped(db: Database) -> None:
    modules = many(db)
    before = db.snapshot("companies")
    modules.disable()
    with modules.start("feature_flag", incident_id="INC-1", state="restored", deadline=30) as running:
        wait_for(lambda: in_mid_kill(db), "the first batch back")
        running.kill()
    assert in_mid_kill(db), "it had ended already"
    undone = modules.restore(deadline=30)
    assert 0 < undone["changed_count"] < TENANTS
    assert undone["changed_since"] == []
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("incidents", [("INC-1", "INC-1"), ("INC-1", "INC-2")], ids=["one incident", "two incidents"])
def test_two_modules_at_once(db: Database, incidents: tuple[str, str]) -> None:
    modules = many(db)
    db.modules().ok("ledger")
    before = db.snapshot("companies")
    with (
        modules.start("feature_flag", incident_id=incidents[0]) as one,
        modules.start("feature_flag", incident_id=incidents[1]) as two,
    ):
        results = [one.result(), two.result()]
    assert not any(result.get("failed") for result in results), results
    assert [result["enabled_after"] for result in results] == [0, 0]
    assert sum(result["changed_count"] for result in results) == TENANTS
    assert on(db) == []
    restored = sum(modules.restore(incident, deadline=30)["changed_count"] for incident in sorted(set(incidents)))
    assert restored == TENANTS
    assert db.snapshot("companies").texts == before.texts
    told = db.modules().ok("incident_info", incident_id="INC-1")
    assert told["chain_broken_at"] == []


def test_a_kill_and_an_undo_at_once_lose_nothing(db: Database) -> None:
    """For each tenant the last one wins; the prior value is not lost either way."""
    modules = many(db)
    before = db.snapshot("companies")
    modules.disable(tenants=list(range(1, TENANTS // 2)))
    with (
        modules.start("feature_flag", incident_id="INC-1") as kill,
        modules.start("feature_flag", incident_id="INC-1", state="restored", deadline=30) as undo,
    ):
        results = [kill.result(), undo.result()]
    assert all("changed" in result for result in results), results
    modules.disable()
    assert on(db) == []
    modules.restore(deadline=30)
    assert db.snapshot("companies").texts == before.texts


def test_a_server_that_crashes_and_comes_back_in_mid_kill(frail: Postgres) -> None:
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = many(db)
    before = db.snapshot("companies")
    with modules.start("feature_flag", incident_id="INC-1", deadline=25) as running:
        wait_for(lambda: in_mid_kill(db), "the first batch")
        frail.crash()
        frail.start()
        result = running.result()
    assert not result.get("failed"), result
    assert result["enabled_after"] == 0
    assert result["reconnects"] >= 1
    assert modules.disable()["changed"] is False
    modules.restore(deadline=30)
    assert db.snapshot("companies").texts == before.texts


def test_a_server_that_crashes_and_stays_down(frail: Postgres) -> None:
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = many(db)
    before = db.snapshot("companies")
    with modules.start("feature_flag", incident_id="INC-1", deadline=3) as running:
        wait_for(lambda: in_mid_kill(db), "the first batch")
        frail.crash()
        result = running.result()
        assert running.seconds < 3 + 10
    assert result["error"]["code"] in ("unreachable", "lost_connection"), result
    frail.start()
    assert modules.disable()["enabled_after"] == 0
    modules.restore(deadline=30)
    assert db.snapshot("companies").texts == before.texts


def test_what_was_switched_before_the_server_went_is_told(frail: Postgres) -> None:
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = many(db)
    with modules.start("feature_flag", incident_id="INC-1", deadline=1) as running:
        wait_for(lambda: in_mid_kill(db), "the first batch")
        frail.crash()
        result = running.result()
    assert result["changed"] is True, result
    assert 0 < result["changed_count"] < TENANTS
    assert "othing was" not in result["error"]["why"]


def test_a_server_that_freezes_in_mid_kill(frail: Postgres) -> None:
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = many(db)
    before = db.snapshot("companies")
    (postmaster,) = frail.pids()
    with modules.start("feature_flag", incident_id="INC-1", deadline=2) as running:
        wait_for(lambda: in_mid_kill(db), "the first batch")
        frozen = [postmaster, *processes.descendants(postmaster)]
        try:
            processes.send(frozen, signal.SIGSTOP)
            result = running.result(timeout=30)
            assert running.seconds < 2 + 10 + 3
        finally:
            processes.send(frozen, signal.SIGCONT)
    assert result["error"]["code"] in ("unreachable", "lost_connection"), result
    time.sleep(0.2)
    assert modules.disable()["enabled_after"] == 0
    modules.restore(deadline=30)
    assert db.snapshot("companies").texts == before.texts


def test_a_server_that_is_frozen_from_the_start(frail: Postgres) -> None:
    frail.create_database("kanban")
    modules = population(Database(frail, "kanban"))
    (postmaster,) = frail.pids()
    frozen = [postmaster, *processes.descendants(postmaster)]
    try:
        processes.send(frozen, signal.SIGSTOP)
        with modules.start("feature_flag", incident_id="INC-1", deadline=2) as running:
            result = running.result(timeout=30)
            assert running.seconds < 2 + 10
    finally:
        processes.send(frozen, signal.SIGCONT)
    assert result["error"]["code"] == "unreachable"


def test_a_dead_synchronous_standby(frail: Postgres) -> None:
    """COMMIT waits for it past every timeout, unless it is told not to."""
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = population(db)
    before = db.snapshot("companies")
    frail.set_config(synchronous_standby_names="nobody_alive")
    try:
        with modules.start("feature_flag", incident_id="INC-1", deadline=10, latch=True) as running:
            result = running.result(timeout=25)
        assert not result.get("failed"), result
        assert result["enabled_after"] == 0
        assert running.seconds < 8
        assert modules.restore()["changed_count"] == 50
        db.modules().ok("incident", incident_id="INC-1", state="closed")
    finally:
        frail.set_config(synchronous_standby_names="")
    assert db.snapshot("companies").texts == before.texts


def test_whose_commit_waits_for_a_dead_standby_is_not_to_be_ended(frail: Postgres) -> None:
    """What it wrote is there: if it were ended, it would tell its people that it is not."""
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = population(db)
    frail.set_config(synchronous_standby_names="nobody_alive")
    with db.connect("board") as session:
        statement = "UPDATE companies SET settings = settings WHERE id = 1"
        waits = threading.Thread(target=session.cursor().execute, args=(statement,))
        waits.start()
        try:
            asked = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            assert processes.wait_until(lambda: len(db.rows(asked)) == 1, 10)
            result = modules.run("feature_flag", incident_id="INC-1", state="disabled", deadline=4)
            (held,) = result["blocked"]
            assert (held["pid"], held["state"]) == (session.info.backend_pid, "waits for a synchronous standby")
            assert "bring that standby back" in held["to_end_it"]
        finally:
            frail.set_config(synchronous_standby_names="")
            waits.join(10)
    assert modules.ok("feature_flag", incident_id="INC-1", state="disabled")["enabled_after"] == 0
