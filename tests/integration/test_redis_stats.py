# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis is doing, from real servers: rates between two readings, missing rights, and no data of customers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.module import Modules, Result
from tests.integration.redisplace import over_tls
from tests.support.redis_server import Certificates, Redis, major
from tests.support.sentinel import Sentinel
from tests.support.servers import workspace

SECRET = "tr0ub4dor-and-3"


@pytest.fixture(scope="module")
def shared() -> Iterator[Redis]:
    """A Redis with a slow log of everything."""
    settings = {"slowlog-log-slower-than": 0, "latency-monitor-threshold": 20, "appendonly": "yes"}
    with workspace() as directory, Redis(directory / "redis", settings) as server:
        yield server


@pytest.fixture
def store(shared: Redis) -> Redis:
    with shared.client() as client:
        client.flushall()
        client.config_resetstat()
        client.slowlog_reset()
        client.latency_reset()
    return shared


def modules(server: Redis, **options: Any) -> Modules:
    login = {"login_host": server.host, "login_port": server.port, "login_password": server.password}
    return Modules({**login, **options})


def admin(server: Redis) -> contextlib.AbstractContextManager[Any]:
    """A client of the default user, which types commands as a person does."""
    return server.client()


def stats(server: Redis, **options: Any) -> Result:
    return modules(server).ok("redis_stats_info", **options)


def test_rates_of_what_happens_between_the_readings(store: Redis) -> None:
    with store.client() as client:
        client.mset({f"before:{number}": "x" for number in range(50)})
        client.get("before:1")
        with modules(store).start("redis_stats_info", interval=1.5, login_db=2) as running:
            time.sleep(0.7)
            pipeline = client.pipeline(transaction=False)
            for number in range(300):
                pipeline.get(f"before:{number}")
            pipeline.execute()
            result = running.result()
    assert (result["changed"], result["notes"], result["warnings"]) == (False, [], [])
    assert 1.5 <= result["interval_seconds"] < 3
    expected = 301 / result["interval_seconds"]
    assert expected - 0.1 <= result["operations"]["per_second"] < expected + 20
    assert result["keyspace"]["hit_rate"] == pytest.approx(50 / 300, abs=0.001)
    assert {row["command"]: row["calls"] for row in result["commands"]}["get"] == 300
    assert "mset" not in {row["command"] for row in result["commands"]}
    # Which database is the application's is a matter of login_db.
    assert (result["keyspace"]["count"], stats(store, interval=0)["keyspace"]["count"]) == (0, 50)
    assert 0 < result["ping_ms"] < 500
    assert (result["server"]["role"], result["replication"]["role"]) == ("master", "master")
    assert (result["persistence"]["aof"], result["persistence"]["aof_last_ok"]) == (True, True)
    assert result["memory"]["used_bytes"] > 500_000
    assert (result["memory"]["max_bytes"], result["memory"]["used_share"]) == (None, None)


def test_slow_commands_and_latency_by_name_and_never_with_what_was_in_them(store: Redis) -> None:
    with store.client() as client:
        client.set(f"contacts:{SECRET}", SECRET)
        clock = "os.clock()"
        if major(store.binary) < 7:
            # There a script has no clock of its own, and each call is a line of the log: it asks only now and then.
            clock = "(function() for _ = 1, 200000 do end local t = redis.call('TIME') return t[1] + t[2] / 1e6 end)()"
        client.eval(f"local s = {clock} repeat until {clock} - s > 0.06 return '{SECRET}'", 0)
    result = stats(store, interval=0, slowlog=100)
    (slow,) = [row for row in result["slowlog"] if row["command"] == "EVAL"]
    assert 60 <= slow["duration_ms"] < 2000
    assert slow["arguments"] == 2
    assert [row["arguments"] for row in result["slowlog"] if row["command"] == "SET"] == [2]
    assert max(row["max_ms"] for row in result["latency"]) >= 60
    assert (result["slowlog_threshold_us"], result["latency_threshold_ms"]) == (0, 20)
    assert len(stats(store, interval=0, slowlog=2)["slowlog"]) == 2
    assert SECRET not in json.dumps(result)
    assert store.password not in json.dumps(result)


def is_refused(client: Any) -> bool:
    try:
        client.ping()
    except redis.RedisError:
        return True
    return False


def test_memory_that_is_full_evicts_and_connections_that_are_rejected(directory: Path) -> None:
    settings = {"maxmemory": "3mb", "maxmemory-policy": "allkeys-lru", "maxclients": 5}
    with Redis(directory / "full", settings) as server, contextlib.ExitStack() as stack:
        client = stack.enter_context(server.client())
        with modules(server).start("redis_stats_info", interval=1.2) as running:
            time.sleep(0.6)
            for number in range(200):
                client.set(f"key:{number}", "x" * 20_000)
            crowd = [stack.enter_context(server.client()) for _number in range(6)]
            refused = sum(is_refused(each) for each in crowd)
            for each in crowd:
                each.close()
            result = running.result()
    assert refused >= 1
    assert result["keyspace"]["evicted_per_second"] > 10
    assert result["clients"]["rejected_total"] >= refused
    assert (result["clients"]["max"], result["memory"]["policy"]) == (5, "allkeys-lru")
    assert 0.5 < result["memory"]["used_share"] <= 1.2
    told = " ".join(result["warnings"])
    assert "evicts" in told
    assert "rejects" in told


def test_a_user_who_may_only_ask_info_is_told_what_to_grant(store: Redis) -> None:
    with admin(store) as client:
        client.execute_command("ACL", "SETUSER", "plain", "reset", "on", f">{SECRET}", "+info")
    login = {"login_user": "plain", "login_password": SECRET}
    result = modules(store, **login).ok("redis_stats_info", interval=0.2)
    assert (result["slowlog"], result["latency"], result["slowlog_threshold_us"]) == (None, None, None)
    assert [(note["what"], note["code"], note["grant"]) for note in result["notes"]] == [
        ("slowlog", "missing_privilege", "ACL SETUSER plain +slowlog|get"),
        ("latency", "missing_privilege", "ACL SETUSER plain +latency|latest"),
        ("config", "missing_privilege", "ACL SETUSER plain +config|get"),
    ]
    assert result["operations"]["per_second"] > 0
    assert result["server"]["role"] == "master"
    with admin(store) as client:
        for note in result["notes"]:
            client.execute_command(*note["grant"].split())
    assert modules(store, **login).ok("redis_stats_info", interval=0)["notes"] == []
    with admin(store) as client:
        client.execute_command("ACL", "SETUSER", "plain", "-info")
    refused = modules(store, **login).fails("missing_privilege", "redis_stats_info", interval=0)
    assert "ACL SETUSER plain +info" in refused["error"]["todo"]


def test_a_command_that_was_renamed_is_a_note(directory: Path) -> None:
    with Redis(directory / "managed", {"rename-command": 'CONFIG" "'}) as server:
        result = stats(server, interval=0)
    assert [(note["what"], note["code"], note["grant"]) for note in result["notes"]] == [
        ("config", "unknown_command", None)
    ]
    assert result["slowlog"] is not None


def test_through_a_sentinel_with_a_replica_behind(directory: Path) -> None:
    with Redis(directory / "master") as master:
        replica = Redis(directory / "replica", {"replicaof": f"{master.host} {master.port}"}, password=master.password)
        with replica, Sentinel(directory / "sentinel", master) as sentinel, master.client() as client:
            client.set("key", "x")
            client.wait(1, 5000)
            through = modules(
                master,
                login_host="no-such-host.invalid",
                sentinels=[sentinel.address],
                sentinel_password=sentinel.password,
            ).ok("redis_stats_info", interval=0.2)
            behind = stats(replica, interval=0)
            master.crash()
            lost = stats(replica, interval=0)
    assert through["server"]["sentinel"] == sentinel.address
    (follower,) = through["replication"]["replicas"]
    assert (follower["address"], follower["state"]) == (f"127.0.0.1:{replica.port}", "online")
    assert follower["lag_bytes"] < 10_000
    assert (behind["replication"]["role"], behind["replication"]["link"]) == ("replica", "up")
    assert lost["replication"]["link"] == "down"
    assert any("lost its master" in warning for warning in lost["warnings"])


def test_over_tls_and_over_a_unix_socket(directory: Path) -> None:
    certificates = Certificates.make(directory / "certificates")
    socket = directory / "redis" / "redis.sock"
    with over_tls(directory, certificates, unixsocket=str(socket), unixsocketperm="777") as server:
        result = stats(server, tls=True, ca_certs=str(certificates.ca), interval=0)
        assert result["operations"]["total"] > 0
        result = stats(server, login_unix_socket=str(socket), interval=0)
    assert result["server"]["address"] == str(socket)


def test_a_redis_that_is_frozen_or_down_holds_nobody(directory: Path) -> None:
    with Redis(directory / "frozen") as server:
        (pid,) = server.pids()
        with modules(server).start("redis_stats_info", interval=1, deadline=3) as running:
            time.sleep(0.6)
            os.kill(pid, signal.SIGSTOP)
            try:
                result = running.result()
                assert running.seconds < 5
            finally:
                os.kill(pid, signal.SIGCONT)
        assert (result["failed"], result["error"]["code"]) == (True, "unreachable")
        assert server.password not in json.dumps(result)
        server.crash()
        started = time.monotonic()
        modules(server).fails("unreachable", "redis_stats_info", interval=0.2, deadline=1.5)
        assert time.monotonic() - started < 3
        # With less than the interval left nothing could be read twice.
        refused = modules(server).fails("unreachable", "redis_stats_info", interval=2, deadline=3.2)
        assert refused["elapsed_ms"] < 1800


def test_one_that_comes_back_in_time_is_asked_again(directory: Path) -> None:
    with Redis(directory / "back") as server:
        asking = modules(server).start("redis_stats_info", interval=0.5, deadline=10)
        with asking as running:
            time.sleep(0.4)
            server.restart()
            result = running.result()
    assert not result.get("failed"), result
    assert 0.5 <= result["interval_seconds"] < 5


@pytest.mark.parametrize(
    "options",
    [
        {"interval": -1},
        {"interval": "nan"},
        {"interval": 10, "deadline": 10.5},
        {"deadline": 0},
        {"deadline": "nan"},
        {"slowlog": -1},
        {"slowlog": 129},
    ],
)
def test_options_that_make_no_sense(store: Redis, options: dict[str, Any]) -> None:
    modules(store).fails("bad_option", "redis_stats_info", **options)


def test_check_mode_asks_the_same(store: Redis) -> None:
    result = modules(store).ok("redis_stats_info", check=True, interval=0.1)
    assert (result["changed"], result["operations"]["per_second"] > 0) == (False, True)
