# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence beside the kill: it costs the kill nothing, whatever happens to it, and is there afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population, slow, wait_for
from tests.integration.module import Modules, Result, Running
from tests.integration.place import Database
from tests.integration.test_evidence import EVERY_PART, evidence_pid, rows
from tests.support import processes
from tests.support.servers import Postgres


@pytest.fixture
def evidence(directory: Path) -> Path:
    return directory / "evidence"


@pytest.fixture
def frail(directory: Path) -> Iterator[Postgres]:
    """A server of the test's own, to be starved of connections."""
    settings = {"max_connections": 8, "superuser_reserved_connections": 2}
    with Postgres(directory / "frail", settings, fsync=False) as started:
        yield started


def gone(pid: int) -> None:
    assert processes.gone([pid], 15), "the process that collects did not end"


def collected(db: Database, evidence: Path, wait: float = 10, **stop: Any) -> Result:
    return db.modules().ok("evidence", dest=str(evidence), incident_id="INC-1", wait=wait, **stop)


def killed(modules: Modules, evidence: Path, run: str = "run 1", scenario: str = "scenario2") -> Result:
    """Kill, and wait a second for a transaction that is held: by then the evidence has reported where it is."""
    return modules.disable(evidence_dir=str(evidence), settle=1, run_id=run, scenario=scenario)


def test_a_kill_with_evidence_and_what_returns_it(db: Database, evidence: Path) -> None:
    modules = population(db)
    slow(db, every=5, seconds=0.05)
    done = modules.disable(evidence_dir=str(evidence))
    assert (done["changed_count"], done["enabled_after"]) == (50, 0)
    told = done["evidence"]
    assert (told["started"], told["reason"]) == (True, None)
    assert Path(told["path"]).parent == evidence / "t0"
    found = collected(db, evidence)
    assert (found["changed"], found["taken"], found["complete"]) == (False, "beside_containment", True)
    assert {file["name"] for file in found["files"]} == set(EVERY_PART) - {"statements.jsonl"}
    assert {str(Path(file["path"]).parent) for file in found["files"]} == {told["path"]}
    for path in [evidence, *evidence.rglob("*")]:
        assert path.stat().st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600), path
    gone(told["pid"])
    # It was taken during the kill, whose session is in it.
    names = {row["application_name"] for row in rows(found, "activity.jsonl")}
    assert "chatia.kanban_rollback" in names


def test_the_same_kill_again_in_a_run_leaves_the_evidence_of_t0(db: Database, evidence: Path) -> None:
    modules = population(db)
    with db.transaction("SELECT txid_current()"):
        first = killed(modules, evidence)["evidence"]
        found = collected(db, evidence)
        again = killed(modules, evidence)["evidence"]
    gone(again["pid"])
    assert (again["started"], again["path"], again["reason"]) == (True, first["path"], "it is there already")
    assert {**collected(db, evidence), "elapsed_ms": 0} == {**found, "elapsed_ms": 0}


@pytest.mark.parametrize(("run", "scenario"), [("run 1", "scenario1"), ("run 2", "scenario2")])
def test_another_stop_of_the_incident_has_evidence_of_its_own(
    db: Database, evidence: Path, run: str, scenario: str
) -> None:
    """A run that goes on to stop everybody, or the same id typed again: what is going on by then is not what was."""
    modules = population(db)
    with db.transaction("SELECT txid_current()"):
        first = killed(modules, evidence)["evidence"]
        before = collected(db, evidence)
        second = killed(modules, evidence, run, scenario)["evidence"]
        gone(second["pid"])
        found = collected(db, evidence, run_id=run, scenario=scenario)
    assert second["reason"] is None
    assert second["path"] == first["path"] + "-2"
    assert (found["changed"], found["taken"]) == (False, "beside_containment")
    assert {str(Path(file["path"]).parent) for file in found["files"]} == {second["path"]}
    assert {file["path"] for file in collected(db, evidence)["files"]} == {file["path"] for file in found["files"]}
    kept = collected(db, evidence, run_id="run 1", scenario="scenario2")
    assert {**kept, "elapsed_ms": 0} == {**before, "elapsed_ms": 0}


@pytest.mark.parametrize("how", ["check", "enabled", "restored", "not asked"])
def test_only_a_kill_brings_evidence(db: Database, evidence: Path, how: str) -> None:
    modules = population(db)
    modules.disable()
    state = how if how in ("enabled", "restored") else "disabled"
    options = {} if how == "not asked" else {"evidence_dir": str(evidence)}
    done = modules.ok("feature_flag", how == "check", state=state, incident_id="INC-1", **options)
    assert "evidence" not in done
    assert not evidence.exists()


def test_evidence_that_hangs_does_not_delay_the_kill(db: Database, evidence: Path) -> None:
    modules = population(db, 2000)
    slow(db, every=20, seconds=0.02)
    with (
        db.transaction("LOCK TABLE pg_catalog.pg_extension"),
        modules.start("feature_flag", incident_id="INC-1", evidence_dir=str(evidence)) as running,
    ):
        wait_for(lambda: evidence_pid(db, waiting=True) is not None, "the evidence's session")
        backend = evidence_pid(db)
        assert backend
        os.kill(backend, signal.SIGSTOP)
        try:
            done = running.result()
            # Two seconds of slow rows; the evidence is frozen for as long as the test likes.
            assert running.seconds < 8
            assert not done.get("failed"), done
            assert (done["enabled_after"], on(db)) == (0, [])
            assert processes.alive(done["evidence"]["pid"])
            later = collected(db, evidence, wait=0.5)
            assert (later["changed"], later["taken"]) == (True, "later")
            assert later["unfinished"] == [done["evidence"]["path"]]
            gone(done["evidence"]["pid"])
        finally:
            os.kill(backend, signal.SIGCONT)
    index = json.loads((Path(done["evidence"]["path"]) / "index.json").read_text())
    assert index["complete"] is False
    assert {entry["name"] for entry in index["files"]} >= {"activity.jsonl", "locks.jsonl", "tables.jsonl"}


def test_evidence_that_died_is_taken_later_and_its_files_stay(db: Database, evidence: Path) -> None:
    modules = population(db)
    with (
        db.transaction("LOCK TABLE pg_catalog.pg_extension"),
        modules.start("feature_flag", incident_id="INC-1", evidence_dir=str(evidence), settle=1) as running,
    ):
        wait_for(lambda: evidence_pid(db, waiting=True) is not None, "the part that waits")
        backend = evidence_pid(db)
        assert backend
        # Otherwise its wait for the lock would be over before the module has reported which process it is.
        os.kill(backend, signal.SIGSTOP)
        try:
            told = running.result()["evidence"]
            os.kill(told["pid"], signal.SIGKILL)
            gone(told["pid"])
        finally:
            os.kill(backend, signal.SIGCONT)
    before = {path: path.read_bytes() for path in Path(told["path"]).iterdir()}
    assert len(before) >= 8
    found = collected(db, evidence)
    assert (found["changed"], found["taken"], found["unfinished"]) == (True, "later", [told["path"]])
    assert found["elapsed_ms"] < 2000, "it waited for the dead"
    assert {path: path.read_bytes() for path in Path(told["path"]).iterdir()} == before
    assert collected(db, evidence)["changed"] is False


def test_evidence_that_was_never_begun_is_taken_later(db: Database, evidence: Path) -> None:
    population(db).disable()
    found = collected(db, evidence)
    assert (found["changed"], found["taken"]) == (True, "later")
    assert found["elapsed_ms"] < 2000


def test_what_is_under_way_is_waited_for(db: Database, evidence: Path) -> None:
    modules = population(db)
    with db.transaction("LOCK TABLE pg_catalog.pg_extension"):
        told = killed(modules, evidence)["evidence"]
        found = collected(db, evidence)
    gone(told["pid"])
    beside = json.loads((Path(told["path"]) / "index.json").read_text())
    assert {one["part"]: "lock timeout" in one["reason"] for one in beside["missing"]} == {"statements": True}
    # It was waited for, and only then was what it lacks tried again.
    ended = datetime.fromisoformat(beside["taken_at"].rstrip("Z")) + timedelta(milliseconds=beside["elapsed_ms"])
    assert ended <= datetime.fromisoformat(found["taken_at"].rstrip("Z"))
    assert (found["changed"], found["taken"], found["unfinished"]) == (True, "later", [told["path"]])


def connections(server: Postgres) -> int:
    """Return how many clients are connected to the server's port, accepted or not yet."""
    place = f"0100007F:{server.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[2] == place and fields[3] == "01" for fields in lines)


def test_the_kill_connects_first(frail: Postgres, evidence: Path) -> None:
    """Otherwise the evidence would take the last free connection, and the kill would be refused."""
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    modules = population(db)
    (postmaster,) = frail.pids()
    frail.disconnect()
    wait_for(lambda: connections(frail) == 0, "the end of the sessions of this test")
    os.kill(postmaster, signal.SIGSTOP)
    try:
        with modules.start("feature_flag", incident_id="INC-1", evidence_dir=str(evidence)) as running:
            wait_for(lambda: bool(list(evidence.glob("t0/*"))), "the evidence's process")
            wait_for(lambda: connections(frail) > 0, "the kill's connection")
            time.sleep(0.5)
            assert connections(frail) == 1
            os.kill(postmaster, signal.SIGCONT)
            done = running.result()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    assert done["enabled_after"] == 0
    gone(done["evidence"]["pid"])
    # Whether it is whole depends on who else has a connection then; that it was taken beside the kill does not.
    (index,) = evidence.glob("t0/*/index.json")
    assert json.loads(index.read_text())["taken"] == "beside_containment"


def test_the_only_connection_is_the_kills(frail: Postgres, evidence: Path) -> None:
    frail.create_database("kanban")
    db = Database(frail, "kanban")
    population(db)
    # Half a second of work: by its end the evidence has reported where it is.
    slow(db, every=5, seconds=0.05)
    role = db.role("killer", "ALL ON companies", "CREATE ON DATABASE kanban")
    db.rows(f'ALTER ROLE "{role}" CONNECTION LIMIT 1')
    done = db.modules(role, **FLAG).disable(evidence_dir=str(evidence))
    assert done["enabled_after"] == 0
    gone(done["evidence"]["pid"])
    index = json.loads((Path(done["evidence"]["path"]) / "index.json").read_text())
    # Nothing if the kill was still connected; the first parts if it had ended.
    assert len(index["missing"]) in (8, 10)


@contextlib.contextmanager
def no_room(db: Database, evidence: Path, **options: Any) -> Iterator[tuple[Running, contextlib.ExitStack]]:
    """Start a kill as a role whose connections others have; give it, and what closes those, which leaves enough."""
    population(db)
    role = db.role("killer", "ALL ON companies")
    db.rows(f'ALTER ROLE "{role}" CONNECTION LIMIT 8')
    # The role may make no ledger, so the priors are kept in a file.
    modules = db.modules(role, **FLAG, state_dir=str(evidence.parent / "state"))
    given = {"incident_id": "INC-1", "evidence_dir": str(evidence), **options}
    with contextlib.ExitStack() as others:
        for _one in range(8):
            others.enter_context(db.as_role(role))
        with modules.start("feature_flag", **given) as running:
            wait_for(lambda: bool(list(evidence.glob("t0/*"))), "the evidence's process")
            yield running, others


def test_a_connection_that_is_free_after_long_is_the_kills(db: Database, evidence: Path) -> None:
    with no_room(db, evidence) as (running, others):
        time.sleep(max(0.0, 9 - running.seconds))
        assert not list(evidence.glob("t0/*/index.json")), "the evidence has tried to connect before the kill"
        others.close()
        done = running.result()
    assert done["enabled_after"] == 0
    found = collected(db, evidence)
    assert (found["changed"], found["taken"]) == (False, "beside_containment")
    gone(done["evidence"]["pid"])


def test_evidence_that_waits_for_a_kill_in_vain_is_taken_later(db: Database, evidence: Path) -> None:
    with no_room(db, evidence, deadline=1) as (running, others):
        os.kill(running.pid, signal.SIGSTOP)
        wait_for(lambda: bool(list(evidence.glob("t0/*/index.json"))), "the end of the evidence's process", 15)
        os.kill(running.pid, signal.SIGCONT)
        others.close()
        running.result()
    (first,) = [json.loads(path.read_text()) for path in evidence.glob("t0/*/index.json")]
    assert (first["files"], first["complete"]) == ([], False)
    assert first["missing"][0]["reason"] == "the kill had neither connected nor ended after 9 s"
    found = collected(db, evidence)
    assert (found["changed"], found["taken"], found["complete"]) == (True, "later", True)
