# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis says about itself, and how a key can get lost on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import (
    Address,
    Server,
    Vote,
    disagreement,
    elect,
    info_from,
    is_decided,
    not_told,
    parse_address,
    risks,
    server_from,
    vote_from,
)

INFO = b"# Server\r\nredis_version:8.0.2\r\nrun_id:ab\r\n\r\n# Replication\r\nrole:slave\r\nmaster_replid:cd\r\n"


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
        "a:1", None, {**info_from(INFO), "connected_slaves": "2", "maxmemory": "0", "aof_enabled": "1"}
    )
    assert server == Server("a:1", "8.0.2", "replica", "cd", "ab", 2, 0, None, "aof", None)
    assert server.writable is False
    assert server.as_result()["writable"] is False


@given(st.text())
def test_whatever_info_says_is_bounded_text(text: str) -> None:
    server = server_from("a:1", None, info_from(text.encode()))
    assert all(len(value) <= 100 for value in vars(server).values() if isinstance(value, str))
    assert server_from("a:1", None, {"connected_slaves": text[:100]}).replicas is None or text[:100].isdigit()


def test_an_info_that_says_nothing() -> None:
    server = server_from("a:1", "s:2", info_from(b""))
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


REFUSED = ServerError("missing_privilege", "a", "b", "c")


def test_info_that_is_refused_or_no_text_is_no_failure() -> None:
    assert info_from(REFUSED) == {}
    assert info_from(b"# Server\r\nredis_version:8.\xff\r\nrole:master\r\n", 3) == {
        "redis_version": "8.\\",
        "role": "mas",
    }


@pytest.mark.parametrize(
    ("info", "reply", "role", "replicas"),
    [
        ("", REFUSED, "unknown", None),
        ("", [b"master", 7, [[b"b", b"2", b"7"]]], "master", 1),
        ("", [b"slave", b"a", 1, b"connected", 7], "replica", None),
        ("role:slave\r\nconnected_slaves:0", REFUSED, "replica", 0),
        ("role:master\r\nconnected_slaves:3", [b"slave", b"a", 1, b"connected", 7], "replica", 3),
        ("", [b"sentinel", []], "unknown", None),
        ("", [], "unknown", None),
    ],
)
def test_the_role_is_told_by_either(info: str, reply: object, role: str, replicas: int | None) -> None:
    server = server_from("a:1", None, info_from(info.encode()), reply)
    assert (server.role, server.replicas) == (role, replicas)
    assert bool(not_told(server)) is (role == "unknown")


S = [Address("s", number) for number in range(1, 6)]
A, B, C = (Address(name, 6379) for name in "abc")


@pytest.mark.parametrize(
    ("votes", "master", "sentinel"),
    [
        ([(A, 1)], A, 1),
        ([(A, 9), (B, 1), (B, 1)], B, 2),
        ([(A, 1), (B, 2)], B, 2),
        ([(A, 2), (B, 1)], A, 1),
        ([(A, 1), (B, 1)], A, 1),
        ([(A, -1), (B, -1), (C, 0)], C, 3),
        ([(A, 1), (B, 2), (A, 1), (B, 0)], B, 2),
    ],
)
def test_most_decide_and_then_the_newest(votes: list[tuple[Address, int]], master: Address, sentinel: int) -> None:
    cast = [Vote(S[number], named, epoch) for number, (named, epoch) in enumerate(votes)]
    assert elect(cast).master == master
    assert elect(cast).sentinel == S[sentinel - 1]
    told = disagreement(cast)
    assert bool(told) is (len({named for named, _epoch in votes}) > 1)
    assert not told or f"name {master}" in told[0]


@pytest.mark.parametrize(
    ("votes", "listed", "decided"),
    [([], 1, False), ([A], 1, True), ([A], 2, False), ([A, A], 3, True), ([A, B], 3, False), ([A, A], 4, False)],
)
def test_the_rest_need_not_be_heard(votes: list[Address], listed: int, decided: bool) -> None:
    assert is_decided([Vote(S[number], named) for number, named in enumerate(votes)], listed) is decided


def test_a_vote() -> None:
    known = [b"name", b"mymaster", b"config-epoch", b"12", b"ip", b"x"]
    assert vote_from(S[0], "mymaster", [b"a", b"6379"], known) == Vote(S[0], A, 12)
    assert vote_from(S[0], "mymaster", [b"a", b"6379"], REFUSED) == Vote(S[0], A, -1)
    with pytest.raises(ServerError, match="mymaster") as error:
        vote_from(S[0], "mymaster", None, REFUSED)
    assert error.value.code == "unknown_master"
    with pytest.raises(ServerError) as error:
        vote_from(S[0], "mymaster", REFUSED, known)
    assert error.value is REFUSED
