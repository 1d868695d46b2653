# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and rates of Redis from two readings; what it does not say has no figure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import info_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisstats import (
    Readings,
    dangers,
    figures,
    latency_events,
    moment,
    slow_command,
    slow_commands,
)

FIRST = {
    "total_commands_processed": "1000",
    "used_cpu_user": "1.0",
    "used_cpu_sys": "0.5",
    "evicted_keys": "3",
    "keyspace_hits": "100",
    "keyspace_misses": "100",
    "cmdstat_get": "calls=100,usec=1000,usec_per_call=10.00,rejected_calls=0",
    "cmdstat_set": "calls=5,usec=5000,usec_per_call=1000.00",
    "db3": "keys=7,expires=2,avg_ttl=0,subexpiry=0",
}
LAST = {
    **FIRST,
    "total_commands_processed": "1500",
    "used_cpu_user": "4.0",
    "used_cpu_sys": "1.5",
    "keyspace_hits": "130",
    "keyspace_misses": "110",
    "cmdstat_get": "calls=150,usec=2000,usec_per_call=13.33",
    "cmdstat_keys": "calls=2,usec=90000,usec_per_call=45000.00",
    "used_memory": "750",
    "maxmemory": "1000",
    "maxmemory_policy": "allkeys-lru",
    "mem_fragmentation_ratio": "nan",
}


def test_rates_are_of_the_time_between_the_readings() -> None:
    found = figures(Readings(FIRST, LAST, 5.0), 3)
    assert (found["operations"]["per_second"], found["operations"]["cpu_share"]) == (100.0, 0.8)
    assert (found["keyspace"]["hit_rate"], found["keyspace"]["hit_rate_total"]) == (0.75, 0.5417)
    assert (found["keyspace"]["evicted_per_second"], found["keyspace"]["evicted_total"]) == (0.0, 3)
    assert (found["keyspace"]["count"], found["keyspace"]["expiring_count"]) == (7, 2)
    assert (found["memory"]["used_share"], found["memory"]["fragmentation_ratio"]) == (0.75, None)
    assert found["commands"] == [
        {"command": "keys", "calls": 2, "total_ms": 90.0, "mean_ms": 45.0},
        {"command": "get", "calls": 50, "total_ms": 1.0, "mean_ms": 0.02},
    ]


def test_one_reading_has_sums_and_no_rates() -> None:
    found = figures(Readings(LAST), 0)
    assert (found["operations"]["per_second"], found["operations"]["total"]) == (None, 1500)
    assert (found["operations"]["cpu_share"], found["keyspace"]["hit_rate"]) == (None, None)
    assert [row["command"] for row in found["commands"]] == ["keys", "set", "get"]
    # No line for a database means that it has no key.
    assert found["keyspace"]["count"] == 0


def test_counters_that_were_reset_in_between_give_no_rates() -> None:
    reset = {**LAST, "total_commands_processed": "12"}
    readings = Readings(FIRST, reset, 5.0)
    found = figures(readings, 3)
    assert (found["operations"]["per_second"], found["keyspace"]["hit_rate"]) == (None, None)
    assert any("set to zero" in text for text in dangers(readings, found, "redis1"))


def test_no_limit_of_memory_is_no_share_of_it() -> None:
    memory = figures(Readings({"used_memory": "750", "maxmemory": "0"}), 0)["memory"]
    assert (memory["used_bytes"], memory["max_bytes"], memory["used_share"]) == (750, None, None)


def test_replicas_and_how_far_they_are_behind() -> None:
    info = {
        "role": "master",
        "connected_slaves": "2",
        "master_repl_offset": "5000",
        "slave0": "ip=10.0.0.2,port=6379,state=online,offset=4900,lag=1,io-thread=0,type=replica",
        "slave1": "ip=fd00::3,port=6379,state=wait_bgsave,offset=0,lag=0",
    }
    found = figures(Readings(info), 0)["replication"]
    assert (found["role"], found["replicas_count"]) == ("master", 2)
    assert found["replicas"][0] == {"address": "10.0.0.2:6379", "state": "online", "lag_seconds": 1, "lag_bytes": 100}
    assert found["replicas"][1]["lag_bytes"] == 5000


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"evicted_keys": "13"}, "evicts 2 keys per second"),
        ({"rejected_connections": "10"}, "rejects 2 connections"),
        ({"role": "slave", "master_link_status": "down"}, "lost its master"),
        ({"loading": "1"}, "loading"),
        ({"rdb_last_bgsave_status": "err"}, "could not save"),
        ({"aof_last_write_status": "err"}, "could not save"),
    ],
)
def test_what_is_wrong_whatever_the_load_is(more: dict[str, str], words: str) -> None:
    first = {**FIRST, "rejected_connections": "0"}
    readings = Readings(first, {**first, **more}, 5.0)
    (told,) = dangers(readings, figures(readings, 0), "redis1")
    assert words in told
    assert told.startswith("redis1")
    calm = Readings(first, first, 5.0)
    assert dangers(calm, figures(calm, 0), "redis1") == []


def test_a_slow_command_has_a_name_and_no_arguments() -> None:
    entry = [7, 1_795_575_600, 12_345, [b"EVAL", b"return 'secret'", b"1", b"contacts:17"], b"10.0.0.9:1", b"api"]
    assert slow_commands([entry]) == [
        {"at": "2026-11-25T03:00:00Z", "duration_ms": 12.345, "command": "EVAL", "arguments": 3}
    ]
    assert slow_command(entry)["client_name"] == "api"
    assert "secret" not in str(slow_command(entry)) + str(slow_commands([entry]))
    # Before version 4 there is no client.
    assert slow_command(entry[:4])["client"] is None


def test_latency_and_moments() -> None:
    assert latency_events([[b"command", 1_795_575_600, 20, 300, 99]]) == [
        {"event": "command", "at": "2026-11-25T03:00:00Z", "latest_ms": 20, "max_ms": 300}
    ]
    assert moment(None) is moment(10**30) is None


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from([None, 0.0, 1.0]))
def test_whatever_it_says_there_is_an_answer(first: str, second: str, seconds: float | None) -> None:
    def info(text: str) -> dict[str, Any]:
        return {**dict.fromkeys(LAST, text), "slave0": text, "cmdstat_x": f"calls={text}", **info_from(text.encode())}

    readings = Readings(info(first), info(second), seconds)
    found = figures(readings, 3)
    assert set(found) == {"operations", "memory", "keyspace", "clients", "commands", "replication", "persistence"}
    dangers(readings, found, "redis1")
