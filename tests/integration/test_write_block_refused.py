# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server, a user's rights or the network refuse is reported by name; what may be left out is left out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.blocks import HELD, KEY, NEEDED, OURS, OWNER, THEIRS, Place
from tests.support import accounts, binaries, processes
from tests.support.redis_server import major


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    # Without save points Redis does not mind a disk that refuses.
    with Place.started(save="3600 1", enable_protected_configs="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


# Rights.


def test_a_user_with_what_the_documentation_says(redis: Place) -> None:
    app = redis.as_user(*NEEDED)
    done = app.hold()
    assert (done["changed"], done["held"]) == (True, True)
    assert redis.there() == HELD
    server = done["server"]
    assert (server["role"], server["writable"], server["version"], server["persistence"]) == (
        "unknown",
        None,
        None,
        "unknown",
    )
    assert "+role" in done["warnings"][0]
    assert "restart" in done["warnings"][1]
    assert app.hold(ttl=5, force=True)["ttl_seconds"] <= 5
    assert app.release()["changed"] is True
    assert redis.there() == {}
    redis.set_by_hand("x" * 300)
    aside = "{kanban:emergency:write-block}:set-aside:*"
    assert app.refused("missing_privilege")["error"]["todo"].startswith("Grant it: ACL SETUSER app ")
    widened = redis.as_user(*NEEDED, "+renamenx", keys=(f"~{KEY}", f"~{OWNER}", f"~{aside}"))
    assert widened.hold()["set_aside"]


@pytest.mark.parametrize(
    ("rights", "role", "replicas"),
    [(["+role"], "master", 0), (["+info"], "master", 0), (["+role", "+info"], "master", 0), ([], "unknown", None)],
)
def test_whether_it_is_a_master_is_asked_in_two_ways(
    redis: Place, rights: list[str], role: str, replicas: int | None
) -> None:
    app = redis.as_user(*NEEDED, *rights)
    for done in (app.info(), app.hold(check=True), app.hold(), app.release()):
        assert (done["server"]["role"], done["server"]["replicas"]) == (role, replicas)
        told = [warning for warning in done["warnings"] if "is a master is unknown" in warning]
        assert len(told) == (role == "unknown"), done["warnings"]


@pytest.mark.parametrize("missing", NEEDED)
def test_a_right_that_is_missing_is_named(redis: Place, missing: str) -> None:
    app = redis.as_user(*(right for right in NEEDED if right != missing))
    redis.set_by_hand(owner=OURS)
    before = redis.there()
    state = "absent" if missing == "+del" else "present"
    refused = app.refused("missing_privilege", state=state, value="other")
    # For a script, Redis says so only from 7 on; what to grant is named in any case.
    if major(redis.server.binary) >= 7 or missing not in ("+set", "+del"):
        assert f"'{missing[1:]}'" in refused["error"]["what"]
    assert f"ACL SETUSER app '~{KEY}' '~{OWNER}' +get" in refused["error"]["todo"]
    assert (refused["changed"], refused["uncertain"]) == (False, False)
    assert redis.there() == before


@pytest.mark.parametrize("keys", [("~other:*",), (f"~{KEY}",)], ids=["neither key", "not the owner's"])
def test_keys_that_a_user_may_not_touch(redis: Place, keys: tuple[str, ...]) -> None:
    redis.as_user(*NEEDED, keys=keys).refused("missing_privilege")
    assert redis.there() == {}


def test_without_eval_it_is_watched_instead(redis: Place) -> None:
    app = redis.as_user("+get", "+pttl", "+set", "+del", "+watch", "+unwatch", "+multi", "+exec", "+info")
    assert app.hold()["changed"] is True
    assert redis.there() == HELD
    assert app.hold()["changed"] is False
    assert app.hold(ttl=100, force=True)["changed"] is True
    assert app.hold(ttl=200)["renewed"] is True
    assert 199_000 < redis.there()[OWNER][1] <= 200_000
    app.refused("not_owner", state="absent", owner=THEIRS)
    assert app.release()["changed"] is True
    assert redis.there() == {}
    without_exec = redis.as_user("+get", "+pttl", "+set", "+del", "+watch", "+unwatch", "+multi")
    assert "'eval'" in without_exec.refused("missing_privilege")["error"]["what"]
    assert redis.there() == {}
    without_set = redis.as_user("+get", "+pttl", "+watch", "+multi", "+exec")
    assert "'set'" in without_set.refused("missing_privilege")["error"]["what"]


def test_no_password_and_a_wrong_one(redis: Place) -> None:
    for options in ({"login_password": None}, {"login_password": "x"}, {"login_user": "nobody"}):
        with redis.modules.start("write_block", **options) as running:
            refused = running.result()
            assert running.seconds < 3, "it is not tried again"
        assert refused["error"]["code"] == "wrong_password"
        assert redis.modules.run("write_block_info", **options)["error"]["code"] == "wrong_password"
    assert redis.there() == {}


# The state of the server.


def test_min_replicas_to_write(redis: Place) -> None:
    redis.run("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        refused = redis.refused("too_few_replicas")
        assert (refused["changed"], refused["tries"]) == (False, 1)
        assert redis.info()["held"] is False
    finally:
        redis.run("CONFIG", "SET", "min-replicas-to-write", 0)


def test_memory_that_is_full(redis: Place) -> None:
    redis.hold()
    redis.run("CONFIG", "SET", "maxmemory", 1)
    try:
        redis.refused("out_of_memory", value="other")
        assert redis.hold()["changed"] is False, "what is held needs no memory"
        assert redis.there() == HELD
        assert redis.release()["changed"] is True, "nor does releasing it"
        redis.refused("out_of_memory")
        assert redis.there() == {}
    finally:
        redis.run("CONFIG", "SET", "maxmemory", 0)


def test_a_disk_that_refuses(redis: Place) -> None:
    directory = redis.server.directory / "gone"
    accounts.own_directory(directory, redis.server.account)
    redis.run("CONFIG", "SET", "dir", str(directory))
    directory.rmdir()
    try:
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "err", 10)
        redis.refused("disk_refused")
        assert redis.there() == {}
    finally:
        redis.run("CONFIG", "SET", "dir", str(redis.server.directory))
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "ok", 10)


def test_a_script_that_keeps_redis_busy_is_waited_for(redis: Place) -> None:
    redis.run("CONFIG", "SET", "lua-time-limit", 50)
    # Ended by the clock: its rounds take ten times as long on a busy machine.
    with spinning(redis, 30_000_000), redis.modules.start("write_block") as running:
        time.sleep(1.5)
        redis.run("SCRIPT", "KILL")
        done = running.result()
    assert (done.get("changed"), done.get("held")) == (True, True), done
    assert redis.there() == HELD
    with spinning(redis, 30_000_000):
        try:
            refused = redis.refused("busy", deadline=1)
            assert refused["tries"] > 2
        finally:
            redis.run("SCRIPT", "KILL")


@contextlib.contextmanager
def spinning(redis: Place, rounds: int) -> Iterator[None]:
    """Send a script that takes a while, and do not wait for its answer."""
    with redis.client() as client:
        connection = client.connection_pool.make_connection()
        try:
            connection.send_command("EVAL", f"for i = 1, {rounds} do redis.call('PING') end", 0)
            time.sleep(0.2)
            yield
        finally:
            connection.disconnect()


def test_a_redis_that_is_loading_is_waited_for() -> None:
    if major(binaries.redis()) < 7:
        pytest.skip("before Redis 7 a server answers too seldom while it loads")
    with Place.started(save="3600 1", enable_debug_command="yes") as redis:
        redis.run("DEBUG", "POPULATE", 2000)
        redis.run("SAVE")
        redis.server.crash()
        # Each key takes half a millisecond, and Redis answers in between.
        redis.server.config.update({"key-load-delay": 500, "loading-process-events-interval-bytes": 1024})
        redis.server.configure()
        processes.spawn(
            redis.server.command(),
            log=redis.server.log,
            cwd=redis.server.directory,
            env=accounts.environment(),
            account=accounts.drop(redis.server.account),
        )
        assert processes.wait_until(lambda: "loading" in str(redis.server.problem()), 5)
        refused = redis.refused("loading", deadline=1, state="absent")
        assert refused["tries"] > 2
        done = redis.hold()
        assert (done["changed"], done["held"]) == (True, True)
        assert redis.run("DBSIZE") == 2002


def test_too_many_clients(redis: Place) -> None:
    with redis.client() as kept:
        kept.config_set("maxclients", 1)
        try:
            refused = redis.refused("too_many_connections", deadline=1)
            assert refused["changed"] is False
        finally:
            kept.config_set("maxclients", 1000)


def test_a_node_of_a_cluster_that_has_not_the_key() -> None:
    # By default it would be its port plus 10000, which may be beyond the last port.
    if major(binaries.redis()) < 7:
        pytest.skip("before Redis 7 the port of a cluster's own talk cannot be chosen")
    with Place.started(cluster_enabled="yes", cluster_port=processes.free_port()) as node:
        refused = node.refused("cluster_redirect", deadline=1)
        assert "kanban_redis_host" in refused["error"]["todo"]
        node.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        assert processes.wait_until(lambda: "cluster_state:ok" in node.run("CLUSTER", "INFO"), 15)
        assert node.hold()["held"] is True
        assert node.release()["changed"] is True


@pytest.mark.parametrize(
    ("config", "ttl", "told"),
    [
        ({"maxmemory": "100mb", "maxmemory_policy": "allkeys-lru", "appendonly": "yes"}, 0, ["evict"]),
        ({"maxmemory": "100mb", "maxmemory_policy": "volatile-ttl", "appendonly": "yes"}, 0, []),
        ({"maxmemory": "100mb", "maxmemory_policy": "volatile-ttl", "appendonly": "yes"}, 60, ["evict"]),
        ({"maxmemory_policy": "allkeys-lru", "save": "60 1"}, 0, []),
        ({}, 0, ["restart"]),
    ],
)
def test_how_the_block_may_get_lost_is_said(config: dict[str, Any], ttl: int, told: list[str]) -> None:
    with Place.started(**config) as redis:
        for check in (True, False):
            warnings = redis.hold(check, ttl=ttl)["warnings"]
            assert [word in warning for word, warning in zip(told, warnings, strict=True)] == [True] * len(told)
        assert len(redis.info()["warnings"]) == len(told)
        assert redis.release()["warnings"] == []
