# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server, a user's rights or a cluster do to a purge is named; what is no obstacle does not stop it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _purgeentry
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeglob import globs_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import Wish
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login
from tests.integration.module import Result
from tests.integration.purges import CACHE, KEPT, PATTERNS, Cache
from tests.support import accounts, binaries, processes
from tests.support.redis_server import major

MANY = 40_000


@pytest.fixture(scope="module")
def shared() -> Iterator[Cache]:
    # Without save points Redis ignores a disk that refuses.
    with Cache.started(save="3600 1", enable_protected_configs="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Cache) -> Cache:
    shared.run("FLUSHALL")
    shared.put(CACHE, KEPT)
    return shared


def about(result: Result, *names: str) -> list[Any]:
    return [result[name] for name in names]


# Rights.


def test_a_user_with_what_the_documentation_says(redis: Cache) -> None:
    app = redis.as_user("+scan", "+unlink", keys=[f"~{pattern}" for pattern in PATTERNS])
    done = app.purge()
    assert about(done, "purged", "total", "replicas_acked") == [350, None, None]
    assert about(done["server"], "role", "version") == ["unknown", None]
    (told,) = done["warnings"]
    assert "+role" in told
    assert redis.there() == {*KEPT}
    redis.put(CACHE)
    forced = redis.as_user("+scan", "+unlink", "+flushdb").purge(flush=True, force=True)
    assert about(forced, "purged", "flushed") == [357, True]
    assert forced["would_lose"]["types"] is None
    assert redis.there() == set()


@pytest.mark.parametrize(
    ("rights", "options", "lacking"),
    [
        (["+unlink"], {}, "scan"),
        (["+scan"], {}, "unlink"),
        (["+scan", "+unlink"], {"flush": True, "force": True}, "flushdb"),
    ],
)
def test_a_right_that_is_missing_is_named(
    redis: Cache, rights: list[str], options: dict[str, Any], lacking: str
) -> None:
    refused = redis.as_user(*rights).refused("missing_privilege", **options)
    assert f"'{lacking}'" in refused["error"]["what"]
    assert "ACL SETUSER app '~" in refused["error"]["todo"]
    assert f"+{lacking}" in refused["error"]["todo"]
    assert about(refused, "changed", "purged", "complete", "tries") == [False, 0, False, 1]
    assert redis.there() == {*CACHE, *KEPT}


def test_keys_that_a_user_may_not_touch(redis: Cache) -> None:
    refused = redis.as_user("+scan", "+unlink", keys=["~cache:*"]).refused("missing_privilege")
    assert "'~contacts:*:unreads'" in refused["error"]["todo"]
    left = redis.there()
    assert {*KEPT} <= left
    assert refused["purged"] == 357 - len(left)
    if refused["purged"]:
        assert f"{refused['purged']} keys had been purged" in refused["error"]["why"]


def test_no_password(redis: Cache) -> None:
    assert redis.refused("wrong_password", login_password=None)["tries"] == 1


# The state of the server.


def test_memory_that_is_full_is_no_obstacle(redis: Cache) -> None:
    redis.run("CONFIG", "SET", "maxmemory", 1)
    try:
        assert redis.purge()["purged"] == 350
    finally:
        redis.run("CONFIG", "SET", "maxmemory", 0)
    assert redis.there() == {*KEPT}


def test_too_few_replicas(redis: Cache) -> None:
    redis.run("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        assert about(redis.refused("too_few_replicas"), "changed", "purged") == [False, 0]
        assert redis.purge(check=True)["purged"] == 350
    finally:
        redis.run("CONFIG", "SET", "min-replicas-to-write", 0)


def test_a_disk_that_refuses(redis: Cache) -> None:
    directory = redis.server.directory / "gone"
    accounts.own_directory(directory, redis.server.account)
    redis.run("CONFIG", "SET", "dir", str(directory))
    directory.rmdir()
    try:
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "err", 10)
        assert about(redis.refused("disk_refused"), "changed", "purged") == [False, 0]
        assert redis.there() == {*CACHE, *KEPT}
    finally:
        redis.run("CONFIG", "SET", "dir", str(redis.server.directory))
        redis.run("BGSAVE")
        assert processes.wait_until(lambda: redis.run("INFO", "persistence")["rdb_last_bgsave_status"] == "ok", 10)


def test_a_script_that_keeps_redis_busy_is_waited_for(redis: Cache) -> None:
    redis.run("CONFIG", "SET", "lua-time-limit", 50)
    with redis.client() as client:
        connection = client.connection_pool.make_connection()
        connection.send_command("EVAL", "for i = 1, 3000000 do redis.call('PING') end", 0)
        time.sleep(0.2)
        done = redis.purge()
        connection.disconnect()
    assert done["purged"] == 350
    assert redis.there() == {*KEPT}


def test_a_server_that_is_not_there(redis: Cache) -> None:
    with redis.start(login_port=processes.free_port(), deadline=1.5) as running:
        refused = running.result()
        assert running.seconds < 3.5
    assert refused["error"]["code"] == "unreachable"
    assert "older than the database" in refused["error"]["why"]
    assert about(refused, "changed", "complete", "server") == [False, False, None]
    assert refused["tries"] > 2


def test_one_that_is_not_there_for_long_is_given_up_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_purgeentry, "GIVE_UP_SECONDS", 0.5)
    login = Login(host="127.0.0.1", port=processes.free_port())
    wish = Wish(wanted=globs_from("patterns", [b"cache:*"]), protected=globs_from("protected", []))
    result, error = _purgeentry.purge(login, wish, 5, "fail", check_mode=False)
    assert error is not None
    assert error.code == "unreachable"
    assert 400 < result["elapsed_ms"] < 2500


def test_redis_is_given_as_much_work_as_it_does_in_little_time(redis: Cache) -> None:
    """Hashes of sixty fields are freed at once, not in the background; in the largest batches they would block long."""
    redis.run("FLUSHALL")
    value = "string.rep('x', 100)"
    field = f"for f = 1, 60 do redis.call('HSET', 'cache:' .. i, f, {value}) end"
    with redis.client(socket_timeout=60) as client:
        client.execute_command("EVAL", f"for i = 1, 8000 do {field} end", 0)
        client.config_set("slowlog-log-slower-than", 0)
        client.config_set("slowlog-max-len", 10_000)
        client.slowlog_reset()
        done = redis.purge(batch=10_000, max_block_ms=5)
        took = [row["duration"] for row in client.slowlog_get(10_000) if b"UNLINK" in row["command"]]
        client.config_set("slowlog-log-slower-than", -1)
    assert done["purged"] == 8000
    # Microseconds; 8,000 at once take some 80,000. The slowest only shows what else the machine was doing.
    assert statistics.median(took) < 15_000


@pytest.mark.parametrize("told", [True, False], ids=["INFO says so", "INFO is forbidden"])
def test_in_a_cluster_each_key_goes_by_itself(told: bool) -> None:
    if major(binaries.redis()) < 7:
        pytest.skip("before Redis 7 the port of a cluster's own talk cannot be chosen")
    with Cache.started(cluster_enabled="yes", cluster_port=processes.free_port()) as node:
        node.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        assert processes.wait_until(lambda: "cluster_state:ok" in node.run("CLUSTER", "INFO"), 15)
        with node.client() as client:
            for key, value in {**CACHE, **KEPT}.items():
                client.set(key, value)
        user = node if told else node.as_user("+scan", "+unlink")
        for check in (True, False):
            done = user.purge(check, patterns=["*"])
            assert about(done, "purged", "protected_kept") == [350, 7]
            assert any("node of a Redis Cluster" in warning for warning in done["warnings"]) == (told or not check)
        assert set(node.run("KEYS", "*")) == {*KEPT}
