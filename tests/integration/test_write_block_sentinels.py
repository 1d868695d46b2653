# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several Sentinels: one with old news, or one that hangs, neither decides nor delays."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.integration.blocks import HELD, Place
from tests.support import processes
from tests.support.redis_server import Redis
from tests.support.sentinel import Sentinel
from tests.support.servers import workspace


@dataclass
class Three:
    """A master with a replica, one that was the master before and still takes writes, and their Sentinels."""

    master: Redis
    replica: Redis
    former: Redis
    stale: Sentinel
    good: list[Sentinel]

    def through(self, *sentinels: Sentinel) -> Place:
        """Return the Redis that these Sentinels lead to, in this order."""
        found = {"sentinels": [each.address for each in sentinels], "sentinel_password": sentinels[0].password}
        return Place(self.master, {**found, "login_host": "no-such-host.invalid"})


def sentinel(stack: ExitStack, like: Sentinel | None, made: Sentinel) -> Sentinel:
    made.password = like.password if like else made.password
    return stack.enter_context(made)


@pytest.fixture(scope="module")
def shared() -> Iterator[Three]:
    with workspace() as directory, ExitStack() as stack:
        master = stack.enter_context(Redis(directory / "master", {"appendonly": "yes"}))
        password = master.password
        replicaof = {"appendonly": "yes", "replicaof": f"{master.host} {master.port}"}
        replica = stack.enter_context(Redis(directory / "replica", replicaof, password=password))
        former = stack.enter_context(Redis(directory / "former", {"appendonly": "yes"}, password=password))
        stale = sentinel(stack, None, Sentinel(directory / "stale", former, epoch=3))
        good = [
            sentinel(stack, stale, Sentinel(directory / name, master, epoch=epoch))
            for name, epoch in (("good", 4), ("better", 4))
        ]
        yield Three(master, replica, former, stale, good)


@pytest.fixture
def three(shared: Three) -> Three:
    for server in (shared.master, shared.former):
        Place(server).run("FLUSHALL")
    return shared


def orders(three: Three, good: Sequence[Sentinel]) -> list[list[Sentinel]]:
    return [[three.stale, *good], [*good, three.stale]]


def test_one_with_old_news_is_outvoted(three: Three) -> None:
    for sentinels in orders(three, three.good):
        done = three.through(*sentinels).hold()
        assert done["server"]["address"] == f"127.0.0.1:{three.master.port}"
        assert done["server"]["sentinel"] in [each.address for each in three.good]
    assert Place(three.master).there() == HELD
    assert Place(three.former).there() == {}


def test_of_two_the_one_with_newer_news_is_right_and_the_other_is_named(three: Three) -> None:
    for sentinels in orders(three, three.good[:1]):
        done = three.through(*sentinels).hold()
        assert done["server"]["address"] == f"127.0.0.1:{three.master.port}"
        (told,) = [text for text in done["warnings"] if "do not agree" in text]
        assert f"{three.stale.address} says 127.0.0.1:{three.former.port}" in told
    assert Place(three.former).there() == {}


def test_those_that_agree_are_not_warned_of(three: Three) -> None:
    assert three.through(*three.good).hold()["warnings"] == []


def test_one_that_hangs_delays_no_majority_and_a_single_one_little(three: Three) -> None:
    (pid,) = three.stale.pids()
    processes.send([pid], signal.SIGSTOP)
    try:
        for sentinels, most in ((three.good, 1.0), (three.good[:1], 2.5)):
            with three.through(three.stale, *sentinels).modules.start("write_block") as running:
                done = running.result()
                assert running.seconds < most
            assert done["server"]["address"] == f"127.0.0.1:{three.master.port}", done
    finally:
        processes.send([pid], signal.SIGCONT)


def test_when_most_name_a_replica_they_are_asked_until_they_know_better(three: Three) -> None:
    for each in three.good:
        each.watch(three.replica)
    try:
        with three.through(*three.good).modules.start("write_block") as running:
            time.sleep(0.7)
            assert running.runs
            for each in three.good:
                each.watch(three.master)
            done = running.result()
    finally:
        for each in three.good:
            each.watch(three.master)
    assert (done["changed"], done["held"]) == (True, True), done
    assert Place(three.master).there() == HELD


def test_a_sentinel_that_may_only_name_the_master(three: Three) -> None:
    with three.good[0].client() as client:
        client.execute_command(
            "ACL", "SETUSER", "app", "reset", "on", ">app-password", "+sentinel|get-master-addr-by-name"
        )
    place = three.through(three.good[0])
    assert place.hold(sentinel_user="app", sentinel_password="app-password")["changed"] is True
    assert Place(three.master).there() == HELD
