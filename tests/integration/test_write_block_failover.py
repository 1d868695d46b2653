# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas, Sentinels, and a Redis that goes away mid-call; what was sent and not answered is reported."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.blocks import HELD, KEY, OURS, OWNER, Place
from tests.integration.pairs import Pair, pair, watched_pair
from tests.support import processes
from tests.support.servers import workspace


@pytest.fixture(scope="module")
def shared() -> Iterator[Pair]:
    with workspace() as directory, ExitStack() as stack:
        yield pair(stack, directory)


@pytest.fixture
def two(shared: Pair) -> Pair:
    Place(shared.master).run("FLUSHALL")
    return shared


@pytest.fixture
def watched(directory: Path) -> Iterator[Pair]:
    with watched_pair(directory) as made:
        yield made


# Replicas.


def test_a_replica_has_it_before_the_module_ends(two: Pair) -> None:
    master, replica = Place(two.master), Place(two.replica)
    done = master.hold()
    assert (done["replicas_acked"], done["server"]["replicas"], done["warnings"]) == (1, 1, [])
    assert replica.there() == HELD
    assert master.hold()["replicas_acked"] is None, "nothing was written"
    told = replica.info()
    assert (told["held"], told["ours"], told["server"]["role"], told["server"]["writable"]) == (
        True,
        True,
        "replica",
        False,
    )
    assert told["server"]["cluster"] == done["server"]["cluster"]
    assert told["server"]["run_id"] != done["server"]["run_id"]


def test_a_replica_is_not_acted_on(two: Pair) -> None:
    replica = Place(two.replica)
    for state in ("present", "absent"):
        refused = replica.refused("read_only_server", state=state)
        assert (refused["changed"], refused["held"], refused["server"]["role"]) == (False, False, "replica")
        skipped = replica.modules.ok("write_block", state=state, on_replica="skip")
        assert (skipped["changed"], skipped["skipped"], skipped["held"], skipped["warnings"]) == (
            False,
            True,
            False,
            [],
        )
        assert "replica" in skipped["skipped_reason"]
    replica.refused("read_only_server", check=True)
    Place(two.master).hold()
    assert replica.hold(on_replica="skip")["held"] is True


def test_a_replica_that_takes_writes_is_one_all_the_same(two: Pair) -> None:
    replica = Place(two.replica)
    replica.run("CONFIG", "SET", "replica-read-only", "no")
    try:
        replica.refused("read_only_server")
        assert replica.there() == {}
    finally:
        replica.run("CONFIG", "SET", "replica-read-only", "yes")


def test_a_replica_that_does_not_say_so(two: Pair) -> None:
    """INFO may be forbidden; then the refusal of the write shows it."""
    replica = Place(two.replica)
    rights = ("+get", "+pttl", "+eval", "+set", "+del")
    replica.run("ACL", "SETUSER", "app", "reset", "on", ">app-password", f"~{KEY}", f"~{OWNER}", *rights)
    app = Place(two.replica, {"login_user": "app", "login_password": "app-password"})
    refused = app.refused("read_only_server")
    assert (refused["changed"], refused["uncertain"], refused["tries"]) == (False, False, 1)
    skipped = app.hold(on_replica="skip")
    assert (skipped["skipped"], skipped["changed"], skipped["server"]["role"]) == (True, False, "unknown")


@pytest.mark.parametrize("right", ["+role", "+info"])
def test_a_replica_that_says_so_in_one_of_two_ways(two: Pair, right: str) -> None:
    replica = Place(two.replica)
    replica.run("CONFIG", "SET", "replica-read-only", "no")
    try:
        rights = ("+get", "+pttl", "+eval", "+set", "+del", right)
        replica.run("ACL", "SETUSER", "app", "reset", "on", ">app-password", f"~{KEY}", f"~{OWNER}", *rights)
        app = Place(two.replica, {"login_user": "app", "login_password": "app-password"})
        assert app.refused("read_only_server")["server"]["role"] == "replica"
        assert replica.there() == {}
    finally:
        replica.run("CONFIG", "SET", "replica-read-only", "yes")


def test_a_replica_that_lags_is_told_and_delays_nothing(two: Pair) -> None:
    (pid,) = two.replica.pids()
    processes.send([pid], signal.SIGSTOP)
    try:
        with Place(two.master).modules.start("write_block") as running:
            done = running.result()
            assert running.seconds < 3
    finally:
        processes.send([pid], signal.SIGCONT)
    assert (done["held"], done["replicas_acked"]) == (True, 0)
    assert any("None of 1 replicas" in warning for warning in done["warnings"])


# Sentinels.


def test_a_sentinel_names_the_master_and_the_next_one_after_a_crash(watched: Pair) -> None:
    assert watched.sentinel
    place = watched.through_sentinel
    done = place.hold()
    assert done["server"]["address"] == f"127.0.0.1:{watched.master.port}"
    assert done["server"]["sentinel"] == watched.sentinel.address
    assert place.info()["held"] is True
    Place(watched.replica).run("CONFIG", "SET", "slave-priority", 1)
    watched.master.crash()
    with place.modules.start("write_block", value="again") as running:
        after = running.result()
        assert running.seconds < 10
    assert not after.get("failed"), after
    assert after["server"]["address"] == f"127.0.0.1:{watched.replica.port}"
    assert (after["changed"], after["held"], after["previous"]["value"]) == (True, True, "true")
    assert Place(watched.replica).there() == {KEY: ("again", -1), OWNER: (OURS, -1)}


def test_a_master_that_freezes_is_left_for_the_next(watched: Pair) -> None:
    (pid,) = watched.master.pids()
    processes.send([pid], signal.SIGSTOP)
    try:
        with watched.through_sentinel.modules.start("write_block") as running:
            done = running.result()
            assert running.seconds < 10
    finally:
        processes.send([pid], signal.SIGCONT)
    assert not done.get("failed"), done
    assert done["server"]["address"] == f"127.0.0.1:{watched.replica.port}"
    assert Place(watched.replica).there() == HELD


def test_sentinels_that_are_dead_or_do_not_know(watched: Pair) -> None:
    assert watched.sentinel
    place = watched.through_sentinel
    dead = f"127.0.0.1:{processes.free_port()}"
    assert place.hold(sentinels=[dead, watched.sentinel.address])["changed"] is True
    started = time.monotonic()
    assert place.refused("unknown_master", sentinel_name="other")["tries"] == 1
    assert place.refused("wrong_password", sentinel_password="x")["tries"] == 1
    assert place.refused("wrong_password", login_password="x")["tries"] == 1
    assert time.monotonic() - started < 5
    refused = place.refused("unreachable", sentinels=[dead], deadline=1)
    assert dead in refused["msg"]
    assert refused["tries"] > 2
    # As a Sentinel that was cut off still sees it.
    watched.sentinel.watch(watched.replica)
    assert place.refused("read_only_server", deadline=1)["tries"] > 2
