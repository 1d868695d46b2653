# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary dies after the kill and its standby takes over: the kill is repeated there, and the loss is reported."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import KEY
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.servers import Postgres, workspace

TENANTS = 50
RUN = "run of this test"
SWITCH_ON = f"UPDATE companies SET settings = '{{\"{KEY}\": true}}' WHERE id IN (3, 4)"
NEVER_HAD_IT = f"UPDATE companies SET settings = settings - '{KEY}' WHERE id IN (3, 4)"


@dataclass
class Pair:
    """A primary and its asynchronous standby. The kill of ``late`` never gets across; no run looks into ``unseen``."""

    primary: Postgres
    standby: Postgres
    before: dict[str, list[str]]
    kills: dict[str, Result]
    sweeps: dict[str, Result]

    def on(self, server: Postgres, name: str) -> Database:
        """Return a database as one of the servers has it."""
        return Database(server, name)

    def modules(self, server: Postgres, name: str) -> Modules:
        """Return modules that run on it."""
        return self.on(server, name).modules(**FLAG, run_id=RUN)

    def killed_on(self, name: str) -> list[dict[str, Any]]:
        """Return where the kill was committed, as the controller would report it; other clusters do not count."""
        kill = self.kills[name]
        cluster = kill["database"]["cluster"]
        same = {**kill["position"], "switched": kill["changed_count"], "incident_id": "INC-1"}
        return [
            {"host": "db9", "cluster": "of somebody else", "timeline": "00000001"},
            {"host": "db1", "cluster": cluster, **same},
        ]

    def sweep(self, server: Postgres, name: str) -> Result:
        """Sweep as the later task of a run does."""
        killed_on = self.killed_on(name)
        return self.modules(server, name).disable(settle=1, latch=True, killed_on=killed_on, incident_adopt=True)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Kill databases with the standby listening, and one without; then the primary dies and the standby takes over."""
    with workspace() as directory, Postgres(directory / "primary", {"autovacuum": False}, fsync=False) as primary:
        standby = Postgres(directory / "standby", fsync=False)
        made = Pair(primary, standby, {}, {}, {})
        for name in ("early", "late", "unseen"):
            primary.create_database(name)
            population(made.on(primary, name), TENANTS)
            made.on(primary, name).rows(NEVER_HAD_IT)
        try:
            standby.standby_of(primary)
            made.kills["early"] = made.modules(primary, "early").disable()
            made.kills["unseen"] = made.modules(primary, "unseen").disable()
            receiver = standby.query("SELECT pid FROM pg_stat_wal_receiver")[0][0]
            standby.wait_for_replay()
            os.kill(receiver, signal.SIGSTOP)
            try:
                made.on(primary, "early").rows("CREATE TABLE filler AS SELECT generate_series(1, 1000)")
                made.sweeps["behind"] = made.sweep(primary, "early")
            finally:
                os.kill(receiver, signal.SIGCONT)
            made.sweeps["on time"] = made.sweep(primary, "early")
            standby.wait_for_replay()
            # From here on nothing gets across, and nobody notices.
            standby.set_config(primary_conninfo="")
            made.before["late"] = made.on(standby, "late").snapshot("companies").texts
            made.on(primary, "late").rows(SWITCH_ON)
            made.kills["late"] = made.modules(primary, "late").disable()
            primary.crash()
            standby.promote()
            for name in ("early", "late"):
                made.sweeps[name] = made.sweep(standby, name)
            yield made
        finally:
            standby.stop()


def events(pair: Pair, name: str) -> list[Any]:
    rows = pair.on(pair.standby, name).rows(
        "SELECT data FROM kanban_rollback.events WHERE event = 'failover' AND source = 'feature_flag'"
    )
    return [row[0] for row in rows]


def test_a_kill_that_got_across_is_found_whole(pair: Pair) -> None:
    assert "failover" not in pair.sweeps["on time"]
    done, told = pair.sweeps["early"], pair.sweeps["early"]["failover"]
    assert (done["changed_count"], done["enabled_after"], done["latch"]["raised"]) == (0, 0, True)
    assert (told["host"], told["from_timeline"], told["to_timeline"]) == ("db1", "00000001", "00000002")
    assert (told["lost_bytes"], told["switched"], told["recorded"], told["lost_priors"]) == (0, 48, 48, 0)
    assert events(pair, "early") == [told]
    assert pair.modules(pair.standby, "early").restore()["changed_count"] == 48


def test_a_kill_that_was_lost_is_done_again_and_the_loss_is_told(pair: Pair) -> None:
    assert pair.kills["late"]["changed_count"] == 50
    done, told = pair.sweeps["late"], pair.sweeps["late"]["failover"]
    assert (done["changed_count"], done["enabled_after"], on(pair.on(pair.standby, "late"))) == (48, 0, [])
    assert done["latch"]["raised"]
    # The server's own history, read without any code of the collection.
    (history,) = pair.standby.query("SELECT pg_read_file('pg_wal/00000002.history')")[0]
    forked = history.split()[1]
    assert (told["forked_at"], told["known_lsn"]) == (forked, pair.kills["late"]["position"]["lsn"])
    (lost,) = pair.standby.query("SELECT pg_wal_lsn_diff(%s, %s)", (told["known_lsn"], forked))[0]
    assert told["lost_bytes"] == lost > 0
    (last,) = pair.standby.query("SELECT pg_last_xact_replay_timestamp()")[0]
    assert told["last_commit_at"] == last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # Tenants switched on after the standby had stopped listening have no prior value here, and were on there.
    assert (told["switched"], told["recorded"], told["lost_priors"]) == (50, 48, 2)
    assert events(pair, "late") == [told]


def test_what_is_put_back_is_what_the_new_primary_had(pair: Pair) -> None:
    undone = pair.modules(pair.standby, "late").restore()
    assert (undone["changed_count"], undone["changed_since"]) == (48, [])
    assert pair.on(pair.standby, "late").snapshot("companies").texts == pair.before["late"]


def test_which_standby_has_the_kill_is_told(pair: Pair) -> None:
    (late,), (good,) = pair.sweeps["behind"]["standbys"], pair.sweeps["on time"]["standbys"]
    assert (late["name"], late["sync"], late["has"]) == ("standby", "async", False)
    assert late["behind"] > 0
    assert (good["has"], good["behind"]) == (True, 0)
    assert pair.sweeps["late"]["standbys"] == []


def test_a_later_run_is_told_by_the_ledger(pair: Pair) -> None:
    # Without an id, the open incident is meant.
    seen = pair.on(pair.standby, "early").modules().ok("incident_info")
    (found,) = seen["failovers"]
    assert {**pair.sweeps["early"]["failover"], "at": found["at"]} == found
    assert seen["taken_over"] is None
    info = pair.on(pair.standby, "unseen").modules().ok("incident_info", incident_id="INC-1")
    forked = pair.sweeps["late"]["failover"]["forked_at"]
    assert info["failovers"] == []
    since = {name: info["taken_over"][name] for name in ("from_timeline", "to_timeline", "forked_at", "returned")}
    assert since == {
        "from_timeline": "00000001",
        "to_timeline": "00000002",
        "forked_at": forked,
        "returned": False,
    }
    pair.modules(pair.standby, "unseen").restore()
    info = pair.on(pair.standby, "unseen").modules().ok("incident_info", incident_id="INC-1")
    assert info["taken_over"]["returned"] is True


def test_what_a_role_may_not_read_is_not_known_and_never_none(pair: Pair, directory: Path) -> None:
    """Where the old log ended is only in a file, once the server that knew it has been restarted."""
    db = pair.on(pair.standby, "late")
    role = db.role("ops", "SELECT ON companies", "UPDATE (settings) ON companies", "pg_read_all_stats")
    try:
        modules = db.modules(role, **FLAG, run_id=RUN)
        killed_on = pair.killed_on("late")
        quick: dict[str, Any] = {"settle": 1, "state_dir": str(directory)}
        told = modules.disable(killed_on=killed_on, **quick)["failover"]
        assert told["forked_at"] == pair.sweeps["late"]["failover"]["forked_at"]
        # It may not use the ledger, so it reports nothing about prior values.
        assert (told["recorded"], told["lost_priors"]) == (None, None)
        pair.standby.restart()
        told = modules.disable(killed_on=killed_on, **quick)["failover"]
        assert (told["forked_at"], told["lost_bytes"], told["last_commit_at"]) == (None, None, None)
        assert db.modules(**FLAG).disable(killed_on=killed_on, **quick)["failover"]["lost_bytes"] > 0
        db.rows("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
        # Whoever does not wait for earlier transactions sees a failover as well, and makes no kill of its sweep.
        told = db.modules(**FLAG).disable(killed_on=killed_on, **{**quick, "settle": 0})
        assert told["failover"]["lost_bytes"] > 0
        done = modules.disable(killed_on=killed_on, **quick)
        assert (done["position"], "failover" in done, done["enabled_after"]) == (
            {"timeline": None, "lsn": None},
            False,
            0,
        )
    finally:
        db.rows(f'DROP OWNED BY "{role}"')
        db.rows(f'DROP ROLE "{role}"')
