# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A purge that is cut off, or ended by its deadline or a failover, reports truly what it did; a repeat continues."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Result, Running
from tests.integration.pairs import Pair, watched_pair
from tests.integration.purges import CACHE, KEPT, Cache
from tests.support import processes

MANY = 40_000


@pytest.fixture(scope="module")
def redis() -> Iterator[Cache]:
    with Cache.started() as made:
        yield made


def about(result: Result, *names: str) -> list[Any]:
    return [result[name] for name in names]


@contextlib.contextmanager
def half_way(redis: Cache, **options: Any) -> Iterator[Running]:
    """Start a slow purge of many keys, and give it once it has begun to remove them."""
    redis.run("FLUSHALL")
    redis.put(KEPT)
    redis.fill(MANY)
    redis.run("WAIT", 1, 1000 if redis.run("INFO", "replication")["connected_slaves"] else 1)
    with redis.start(**{"batch": 10, **options}) as running:
        with redis.client() as client:
            while client.dbsize() > MANY:
                assert running.runs, running.result()
        yield running


def test_a_connection_that_is_cut_again_and_again(redis: Cache) -> None:
    with half_way(redis) as running, redis.client() as client:
        cuts = 0
        while running.runs and cuts < 5:
            cuts += client.client_kill_filter(_type="normal", skipme=True)
            time.sleep(0.25)
        done = running.result()
    assert not done.get("failed"), done
    assert cuts == 5
    assert redis.there() == {*KEPT}
    assert about(done, "complete", "matched") == [True, MANY]
    assert done["purged"] <= MANY <= done["purged"] + done["unanswered"]
    assert any("unanswered" in warning for warning in done["warnings"]) == bool(done["unanswered"])


def test_a_redis_that_dies_and_does_not_come_back() -> None:
    # Every second, the default, lets what was acknowledged wait for a slow disk.
    with Cache.started(appendonly="yes", appendfsync="no") as redis:
        with half_way(redis, deadline=4) as running:
            redis.server.crash()
            died = running.result()
            assert running.seconds < 6
        assert died["error"]["code"] == "unreachable"
        assert about(died, "failed", "changed", "complete") == [True, True, False]
        assert f"{died['purged']:,} keys had been purged before" in died["error"]["why"]
        redis.server.start()
        left = len(redis.there()) - len(KEPT)
        assert died["purged"] <= MANY - left <= died["purged"] + died["unanswered"]
        assert redis.purge()["purged"] == left, "the same again goes on"
        assert redis.there() == {*KEPT}


def test_a_redis_that_freezes(redis: Cache) -> None:
    (pid,) = redis.server.pids()
    with half_way(redis, deadline=3) as running:
        processes.send([pid], signal.SIGSTOP)
        try:
            frozen = running.result()
            assert running.seconds < 5
        finally:
            processes.send([pid], signal.SIGCONT)
    assert frozen["error"]["code"] == "unreachable"
    assert frozen["longest_ms"] > 1000
    done = redis.purge()
    assert frozen["purged"] + done["purged"] + frozen["unanswered"] >= MANY
    assert redis.there() == {*KEPT}


def test_a_deadline_that_ends_it_says_how_far_it_came_and_the_same_again_goes_on(redis: Cache) -> None:
    # So slow that no machine finishes by then.
    with half_way(redis, batch=1, deadline=1) as running:
        ended = running.result()
        assert running.seconds < 2.5
    assert ended["error"]["code"] == "not_complete"
    assert about(ended, "changed", "complete") == [True, False]
    assert 0 < ended["purged"] < MANY
    assert f"{ended['purged']:,} were purged" in ended["error"]["what"]
    share = int(ended["error"]["what"].partition("%")[0].rpartition(" ")[2])
    assert abs(share - 100 * ended["matched"] / MANY) < 15, "of a hash table evenly filled"
    assert len(redis.there()) == MANY - ended["purged"] + len(KEPT)
    assert redis.purge()["purged"] == MANY - ended["purged"]


# Replicas and Sentinels.


@pytest.fixture
def watched(directory: Path) -> Iterator[Pair]:
    with watched_pair(directory) as made:
        yield made


def test_a_replica_is_not_acted_on_and_gets_it_from_its_master(watched: Pair) -> None:
    master, replica = Cache(watched.master), Cache(watched.replica)
    silent = replica.as_user("+scan", "+unlink")
    master.put(CACHE, KEPT)
    assert processes.wait_until(lambda: len(replica.there()) == 357, 5)
    for user, role in ((replica, "replica"), (silent, "unknown")):
        refused = user.refused("read_only_server")
        assert about(refused, "changed", "purged", "complete") == [False, 0, False]
        skipped = user.purge(on_replica="skip")
        assert about(skipped, "changed", "skipped", "purged", "complete") == [False, True, 0, True]
        assert skipped["server"]["role"] == role
    replica.refused("read_only_server", check=True)
    assert replica.there() == {*CACHE, *KEPT}
    done = Cache(watched.master, watched.found).purge()
    assert about(done, "purged", "replicas_acked", "warnings") == [350, 1, []]
    assert replica.there() == {*KEPT}


def test_a_failover_in_the_middle(watched: Pair) -> None:
    master, replica = Cache(watched.master), Cache(watched.replica)
    replica.run("CONFIG", "SET", "slave-priority", 1)
    with half_way(master, **watched.found) as running:
        watched.master.crash()
        done = running.result()
    assert not done.get("failed"), done
    assert replica.there() == {*KEPT}
    assert done["server"]["address"] == f"127.0.0.1:{watched.replica.port}"
    assert done["purged"] + done["unanswered"] >= MANY
    assert any("master changed in the middle" in warning for warning in done["warnings"])


def test_a_sentinel_whose_news_are_old_is_asked_again(watched: Pair) -> None:
    assert watched.sentinel
    watched.sentinel.watch(watched.replica)
    refused = Cache(watched.master, watched.found).refused("read_only_server", deadline=1)
    assert refused["tries"] > 2
    assert about(refused, "changed", "skipped") == [False, False]
