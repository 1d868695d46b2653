# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a block could be held and released is reported beforehand, as it then is, and asking changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.blocks import KEY, NEEDED, OURS, OWNER, THEIRS, Place
from tests.support import accounts, processes
from tests.support.redis_server import major

# What the user needs if there are no scripts.
WATCHED = ("+get", "+pttl", "+set", "+del", "+watch", "+unwatch", "+multi", "+exec")


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with Place.started(save="3600 1", enable_protected_configs="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


def without(rights: tuple[str, ...], *less: str) -> tuple[str, ...]:
    return tuple(right for right in rights if right not in less)


THERE: dict[str, Callable[[Place], Any]] = {
    "nothing": lambda redis: None,
    "ours": lambda redis: redis.set_by_hand(owner=OURS),
    "theirs, and it ends": lambda redis: redis.set_by_hand(owner=THEIRS, seconds=500),
    "by hand": lambda redis: redis.set_by_hand("1"),
    "an owner left over": lambda redis: redis.run("SET", OWNER, THEIRS),
    "another type": lambda redis: redis.run("HSET", KEY, "a", "b"),
}


def proof(place: Place, **options: Any) -> tuple[Any, Any, Any, Any]:
    """Return what was proven; the server must hold what it held, and must have written nothing."""
    admin = Place(place.server)
    before, dirty = admin.there(), admin.run("INFO", "persistence")["rdb_changes_since_last_save"]
    told = place.info(prove=True, **options)
    after = admin.there()
    assert admin.run("INFO", "persistence")["rdb_changes_since_last_save"] == dirty
    assert {key: value for key, (value, _left) in after.items()} == {
        key: value for key, (value, _left) in before.items()
    }
    assert all(after[key][1] <= before[key][1] and (after[key][1] < 0) is (before[key][1] < 0) for key in after)
    assert told["changed"] is False
    assert (told["can_write_why"] is None) is (told["can_write"] is True)
    return told["can_write"], told["missing"], told["untried"], told["can_write_why"]


@pytest.mark.parametrize("there", THERE)
def test_who_may_do_everything(redis: Place, there: str) -> None:
    THERE[there](redis)
    assert proof(redis) == (True, [], [], None)


@pytest.mark.parametrize("there", THERE)
def test_the_least_of_rights(redis: Place, there: str) -> None:
    THERE[there](redis)
    app = redis.as_user(*NEEDED)
    can, missing, untried, why = proof(app)
    both = there in ("ours", "theirs, and it ends")
    assert (can, missing, untried) == ((None, [], ["+del"]) if both else (True, [], []))
    assert not both or "+del" in why
    assert proof(redis.as_user(*NEEDED, "+multi")) == (True, [], [], None)


@pytest.mark.parametrize("there", ["nothing", "ours"])
@pytest.mark.parametrize("less", ["+set", "+del"])
def test_a_right_that_is_missing_is_named_and_is_missed(redis: Place, less: str, there: str) -> None:
    THERE[there](redis)
    app = redis.as_user(*without(NEEDED, less), "+multi", "+discard")
    can, missing, untried, why = proof(app)
    assert (can, missing, untried) == (False, [less], [])
    assert "app lacks" in why
    assert "ACL SETUSER app" in why
    redis.run("FLUSHALL")
    THERE["ours"](redis)
    app.refused("missing_privilege", state="absent" if less == "+del" else "present", value="other")


def test_several_that_are_missing(redis: Place) -> None:
    assert proof(redis.as_user("+get", "+pttl", "+eval"))[:3] == (False, ["+set", "+del"], [])
    assert proof(redis.as_user("+get", "+pttl", "+set", "+del"))[:3] == (
        False,
        ["+eval", "+watch", "+unwatch", "+exec", "+multi"],
        ["+set", "+del"],
    )


@pytest.mark.parametrize("there", THERE)
def test_without_eval_the_other_way_is_proven(redis: Place, there: str) -> None:
    THERE[there](redis)
    assert proof(redis.as_user(*WATCHED)) == (True, [], [], None)
    for less in ("+set", "+del"):
        assert proof(redis.as_user(*without(WATCHED, less)))[:3] == (False, [less], [])
    for less in ("+watch", "+unwatch", "+exec"):
        assert proof(redis.as_user(*without(WATCHED, less)))[:3] == (False, ["+eval", less], [])
    assert proof(redis.as_user(*without(WATCHED, "+multi")))[:3] == (False, ["+eval", "+multi"], ["+set", "+del"])


def test_keys_that_may_only_be_read(redis: Place) -> None:
    if major(redis.server.binary) < 7:
        pytest.skip("before Redis 7 a key is for both, reading and writing")
    only_read = redis.as_user(*NEEDED, keys=(f"%R~{KEY}", f"%R~{OWNER}"))
    assert proof(only_read)[:3] == (False, [f"~{KEY}"], [])
    half = redis.as_user(*WATCHED, keys=(f"~{KEY}", f"%R~{OWNER}"))
    assert proof(half)[:3] == (False, [f"~{OWNER}"], [])


def test_what_may_not_be_read_is_an_error(redis: Place) -> None:
    app = redis.as_user(*without(NEEDED, "+get"))
    assert "'get'" in app.modules.fails("missing_privilege", "write_block_info", prove=True)["error"]["what"]


# The state of the server.


@contextmanager
def memory_is_full(redis: Place) -> Iterator[str]:
    redis.run("CONFIG", "SET", "maxmemory", 1)
    try:
        yield "maxmemory"
    finally:
        redis.run("CONFIG", "SET", "maxmemory", 0)


@contextmanager
def too_few_replicas(redis: Place) -> Iterator[str]:
    redis.run("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        yield "min-replicas-to-write"
    finally:
        redis.run("CONFIG", "SET", "min-replicas-to-write", 0)


@contextmanager
def a_disk_that_refuses(redis: Place) -> Iterator[str]:
    directory = redis.server.directory / "gone"
    accounts.own_directory(directory, redis.server.account)
    redis.run("CONFIG", "SET", "dir", str(directory))
    directory.rmdir()
    try:
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "err", 10)
        yield "disk"
    finally:
        redis.run("CONFIG", "SET", "dir", str(redis.server.directory))
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "ok", 10)


@contextmanager
def a_replica(redis: Place) -> Iterator[str]:
    redis.run("REPLICAOF", "127.0.0.1", processes.free_port())
    try:
        yield "replica"
    finally:
        redis.run("REPLICAOF", "NO", "ONE")


@contextmanager
def a_replica_that_takes_writes(redis: Place) -> Iterator[str]:
    redis.run("CONFIG", "SET", "replica-read-only", "no")
    try:
        with a_replica(redis) as word:
            yield word
    finally:
        redis.run("CONFIG", "SET", "replica-read-only", "yes")


@pytest.mark.parametrize("rights", [NEEDED, WATCHED], ids=["script", "watch"])
@pytest.mark.parametrize("there", ["nothing", "theirs, and it ends"])
@pytest.mark.parametrize(
    "state", [memory_is_full, too_few_replicas, a_disk_that_refuses, a_replica, a_replica_that_takes_writes]
)
def test_a_server_that_refuses_writes_is_found(redis: Place, state: Any, there: str, rights: tuple[str, ...]) -> None:
    THERE[there](redis)
    app = redis.as_user(*rights, "+role")
    with state(redis) as word:
        can, missing, _untried, why = proof(app)
        assert (can, missing) == (False, [])
        assert word in why
        assert proof(redis)[:3] == (False, [], [])
    assert proof(redis)[0] is True
