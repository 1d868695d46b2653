# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis tells about itself, and how a key can get lost on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import (
    Address,
    Server,
    parse_address,
    parse_info,
    risks,
    server_from,
)

INFO = "# Server\r\nredis_version:8.0.2\r\nrun_id:ab\r\n\r\n# Replication\r\nrole:slave\r\nmaster_replid:cd\r\n"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("redis-1:26380", "redis-1", 26380),
        (" redis-1 ", "redis-1", 26379),
        ("[::1]:26380", "::1", 26380),
        ("[::1]", "::1", 26379),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)
    assert parse_address(str(Address(host, port))) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", ":1", "a:", "a:b", "a:0", "a:65536", "a:²", "::1", "fe80::1:26379", "[]:1", "a:-1"]
)
def test_no_address(text: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_address(text)
    assert error.value.code == "bad_sentinel"


@given(st.text())
def test_whatever_is_given_is_an_address_or_refused(text: str) -> None:
    try:
        assert 0 < parse_address(text).port < 65536
    except BadInput:
        pass


def test_info_is_read() -> None:
    server = server_from(
        "a:1", None, {**parse_info(INFO), "connected_slaves": "2", "maxmemory": "0", "aof_enabled": "1"}
    )
    assert server == Server("a:1", "8.0.2", "replica", "cd", "ab", 2, 0, None, "aof", None)
    assert server.writable is False
    assert server.as_result()["writable"] is False


@given(st.text())
def test_whatever_info_says_is_bounded_text(text: str) -> None:
    server = server_from("a:1", None, parse_info(text))
    assert all(len(value) <= 100 for value in vars(server).values() if isinstance(value, str))
    assert server_from("a:1", None, {"connected_slaves": text[:100]}).replicas is None or text[:100].isdigit()


def test_an_info_that_says_nothing() -> None:
    server = server_from("a:1", "s:2", parse_info(""))
    assert (server.role, server.writable, server.persistence) == ("unknown", None, "unknown")


@pytest.mark.parametrize(
    ("maxmemory", "policy", "persistence", "expires", "words"),
    [
        (0, "allkeys-lru", "aof", False, []),
        (1, "noeviction", "aof", True, []),
        (1, "allkeys-lfu", "aof", False, ["allkeys-lfu"]),
        (1, "volatile-ttl", "rdb", False, []),
        (1, "volatile-ttl", "rdb", True, ["volatile-ttl"]),
        (None, None, "none", False, ["restart loses"]),
        (1, "allkeys-lru", "unknown", False, ["allkeys-lru", "unknown"]),
    ],
)
def test_how_a_key_can_get_lost(
    maxmemory: int | None, policy: str | None, persistence: str, expires: bool, words: list[str]
) -> None:
    told = risks(Server("a:1", maxmemory=maxmemory, maxmemory_policy=policy, persistence=persistence), expires)
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))
