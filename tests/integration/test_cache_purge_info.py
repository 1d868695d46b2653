# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a purge would be allowed is checked without removing anything, and missing rights are named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.integration.purges import CACHE, KEPT, PATTERNS, Cache

TRANSACTIONS = ("+multi", "+discard")


@pytest.fixture(scope="module")
def shared() -> Iterator[Cache]:
    with Cache.started() as made:
        yield made


@pytest.fixture
def redis(shared: Cache) -> Iterator[Cache]:
    shared.run("FLUSHALL")
    shared.put(CACHE, KEPT)
    before = shared.run("INFO", "persistence")["rdb_changes_since_last_save"]
    yield shared
    assert shared.there() == {*CACHE, *KEPT}
    # Redis counts all changes of keys.
    assert shared.run("INFO", "persistence")["rdb_changes_since_last_save"] == before


def asked(cache: Cache, **options: Any) -> Result:
    login = {name: value for name, value in cache.modules.options.items() if name.startswith("login")}
    result = Modules({**login, "patterns": PATTERNS}).ok("cache_purge_info", **options)
    assert result["changed"] is False
    assert (result["can_purge"] is True) is (result["can_purge_why"] is None)
    return result


def test_a_user_who_may(redis: Cache) -> None:
    for user in (
        redis,
        redis.as_user("+scan", "+unlink", *TRANSACTIONS, keys=[f"~{pattern}" for pattern in PATTERNS]),
        # Without transactions, and without the right to end one.
        redis.as_user("+scan", "+unlink"),
        redis.as_user("+scan", "+unlink", "+multi"),
    ):
        result = asked(user)
        assert (result["can_purge"], result["missing"], result["untried"]) == (True, [], [])
        assert asked(user, check=True)["can_purge"] is True
    assert asked(redis, flush=True, force=True)["can_purge"] is True


@pytest.mark.parametrize("transactions", [TRANSACTIONS, ()], ids=["queued", "without MULTI"])
@pytest.mark.parametrize(
    ("rights", "keys", "missing"),
    [
        (("+unlink",), ("~*",), ["+scan"]),
        (("+scan",), ("~*",), ["+unlink"]),
        (("+scan", "+unlink"), ("~cache:*",), ["~contacts:*:unreads"]),
        ((), ("~*",), ["+scan", "+unlink"]),
    ],
)
def test_what_is_missing_is_named_and_granting_it_is_enough(
    redis: Cache, transactions: tuple[str, ...], rights: tuple[str, ...], keys: tuple[str, ...], missing: list[str]
) -> None:
    user = redis.as_user(*rights, *transactions, keys=keys)
    result = asked(user)
    assert (result["can_purge"], result["missing"]) == (False, missing)
    line = result["can_purge_why"].partition("Grant it: ")[2]
    redis.run(*line.replace("'", "").split())
    assert asked(user)["can_purge"] is True


def test_a_flush_needs_all_keys_and_by_force_a_command_more(redis: Cache) -> None:
    user = redis.as_user("+scan", "+unlink", *TRANSACTIONS, keys=["~cache:*"])
    assert asked(user, flush=True)["missing"] == ["~*"]
    user = redis.as_user("+scan", "+unlink", *TRANSACTIONS)
    assert asked(user, flush=True)["can_purge"] is True
    assert asked(user, flush=True, force=True)["missing"] == ["+flushdb"]
    # What cannot be tried is not known.
    user = redis.as_user("+scan", "+unlink", "+flushdb")
    result = asked(user, flush=True, force=True)
    assert (result["can_purge"], result["untried"]) == (None, ["+flushdb"])
    named = asked(user, patterns=["cache:board:1", "cache:*"])
    assert (named["can_purge"], named["untried"]) == (None, ["~cache:board:1"])


def test_a_replica_is_said_to_be_one(redis: Cache) -> None:
    with Cache.started() as second:
        second.run("CONFIG", "SET", "masterauth", redis.server.password)
        second.run("REPLICAOF", redis.server.host, redis.server.port)
        result = asked(second)
    assert (result["can_purge"], result["missing"]) == (False, [])
    assert "is a replica" in result["can_purge_why"]
    assert result["server"]["writable"] is False


def test_no_patterns_need_no_right_but_to_look(redis: Cache) -> None:
    assert asked(redis.as_user("+scan"), patterns=[])["can_purge"] is True
