# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache is purged by patterns; protected keys stay, whatever the patterns are; the figures are true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.blocks import KEY
from tests.integration.purges import BLOCK, CACHE, KEPT, PATTERNS, PROTECTED, Cache


@pytest.fixture(scope="module")
def shared() -> Iterator[Cache]:
    with Cache.started() as made:
        yield made


@pytest.fixture
def redis(shared: Cache) -> Cache:
    shared.run("FLUSHALL")
    shared.put(CACHE, KEPT)
    return shared


def about(result: dict[str, Any], *names: str) -> list[Any]:
    return [result[name] for name in names]


def test_check_mode_then_purge_then_again(redis: Cache) -> None:
    planned = redis.purge(check=True)
    assert redis.there() == {*CACHE, *KEPT}
    done = redis.purge()
    assert redis.there() == {*KEPT}
    figures = ("changed", "complete", "total", "matched", "purged", "protected_kept", "already_gone", "unanswered")
    for result in (planned, done):
        assert about(result, *figures) == [True, True, 357, 350, 350, 0, 0, 0]
        assert about(result, "flushed", "skipped", "would_lose", "protected", "warnings") == [
            False,
            False,
            None,
            [],
            [],
        ]
        assert result["diff"] == {
            "before": {"cache:*": 300, "contacts:*:unreads": 50},
            "after": {"cache:*": 0, "contacts:*:unreads": 0},
        }
        assert [(row["pattern"], row["matched"], row["purged"], row["protected"]) for row in result["patterns"]] == [
            ("cache:*", 300, 300, 0),
            ("contacts:*:unreads", 50, 50, 0),
        ]
        assert len(result["samples"]) == 10
        assert set(result["samples"]) <= {*CACHE}
        assert result["server"]["role"] == "master"
        assert 0 < result["longest_ms"] < result["elapsed_ms"] + 1
    again = redis.purge()
    assert about(again, *figures) == [False, True, 7, 0, 0, 0, 0, 0]
    assert redis.there() == {*KEPT}


@pytest.mark.parametrize(
    "patterns",
    [["*"], ["**"], ["bull:*", "*:emergency:*", "sess*", "{*"], ["[a-z{]*"], ["????*"], [KEY, "bull:inbound:1", "*"]],
)
def test_no_overlap_defeats_a_protected_pattern(redis: Cache, patterns: list[str]) -> None:
    redis.purge(patterns=patterns)
    assert {*KEPT} <= redis.there()
    done = redis.purge(patterns=["*"], force=True)
    assert redis.there() == {*KEPT}
    assert about(done, "protected_kept", "matched") == [7, 7 + done["purged"]]
    kept = {row["pattern"]: row["count"] for row in done["protected"]}
    assert kept == {"bull:*": 3, "sessions:*": 2, KEY: 1, "{" + KEY + "}:owner": 1}


def test_the_write_block_is_protected_by_its_name_alone(redis: Cache) -> None:
    for key in ("odd:[b]lock*?", "{slot}:block"):
        aside = "{" + key + "}:set-aside:20261125T000000Z" if "{" not in key else key + ":set-aside:x"
        owner = "{" + key + "}:owner" if "{" not in key else key + ":owner"
        redis.put({key: "true", owner: "x", aside: "x", "odd:block": "cached", "odd:[b]lock*?x": "cached"})
        redis.purge(patterns=["*"], protected=[], write_block_key=key)
        assert redis.there() == {key, owner, aside}
        redis.run("FLUSHALL")


def test_without_a_write_block_key_there_is_a_warning(redis: Cache) -> None:
    (told,) = redis.purge(write_block_key=None)["warnings"]
    assert "write_block_key" in told


def test_a_key_counts_for_the_first_pattern_that_it_fits(redis: Cache) -> None:
    for check in (True, False):
        done = redis.purge(check, patterns=["cache:board:1", "cache:*", "bull:*", "cache:board:*"])
        figures = [(row["matched"], row["purged"], row["protected"]) for row in done["patterns"]]
        assert figures == [(1, 1, 0), (299, 299, 0), (3, 0, 3), (0, 0, 0)]
        assert about(done, "matched", "purged", "protected_kept") == [303, 300, 3]


def test_nothing_to_purge(redis: Cache) -> None:
    for port in (redis.server.port, 1):
        done = redis.purge(patterns=[], login_port=port)
        assert about(done, "changed", "complete", "purged", "server") == [False, True, 0, None]
        assert "nothing to purge" in done["msg"]
    assert about(redis.purge(patterns=["nothing:*"]), "changed", "purged") == [False, 0]
    assert redis.there() == {*CACHE, *KEPT}


def test_only_the_database_that_is_meant(redis: Cache) -> None:
    redis.put(CACHE, KEPT, db=3)
    done = redis.purge(login_db=3)
    assert about(done, "purged", "total") == [350, 357]
    assert redis.there(3) == {*KEPT}
    assert redis.there() == {*CACHE, *KEPT}
    redis.refused("no_database", login_db=99)


def test_keys_of_any_bytes_and_any_type(redis: Cache) -> None:
    redis.run("FLUSHALL")
    odd = [b"cache:\xff\x00\r\n", b"cache:" + b"x" * 5000, "cache:ção 😀".encode(), b"cache:", b"cache:*", b"cache:{a}"]
    with redis.client(decode_responses=False) as client:
        for key in odd:
            client.set(key, b"")
        client.rpush("cache:list", *range(500))
        client.hset("cache:hash", mapping={str(n): n for n in range(500)})
        client.xadd("cache:stream", {"a": 1})
        client.zadd("cache:zset", {"a": 1})
        client.set(b"", b"the empty key")
        client.set(b"kept\xff", b"")
    # Arguments are text; these are the bytes of another encoding.
    done = redis.purge(patterns=["cache:[^a-z]*", "cache:xx*", "cache:*", "kept?"], protected=["kep*"])
    assert about(done, "purged", "protected_kept") == [10, 1]
    shown = {sample for row in done["patterns"] for sample in row["samples"]}
    assert "cache:\\xff\\x00\\r\\n" in shown
    assert "cache:xxxx…" in shown
    with redis.client(decode_responses=False) as client:
        assert set(client.keys()) == {b"", b"kept\xff"}
    assert redis.purge(patterns=["*"])["purged"] == 2


def test_what_may_be_a_token_in_a_key_is_not_shown(redis: Cache) -> None:
    token = "9f8a2b7c41d04e5fa6b3c2d1e0f99887"
    redis.put({f"cache:login:{token}": "x", f"sessions:{token}": "x"})
    done = redis.purge(patterns=["cache:login:*", "sessions:*"])
    assert token not in str(done)
    assert done["samples"] == ["cache:login:9f8a…"]


def test_keys_that_come_and_go_meanwhile(redis: Cache) -> None:
    """SCAN names some keys twice while the table of keys grows and shrinks; all earlier keys go, and none is lost."""
    redis.run("FLUSHALL")
    redis.put(KEPT)
    redis.fill(30_000)
    results = []
    for check in (True, False):
        with redis.modules.start("cache_purge", check) as running, redis.client() as client:
            while running.runs:
                client.execute_command("EVAL", "for i = 1, 3000 do redis.call('SET', 'other:' .. i, 1) end", 0)
                client.execute_command("EVAL", "for i = 1, 3000 do redis.call('UNLINK', 'other:' .. i) end", 0)
            results.append(running.result())
    planned, done = results
    assert planned["purged"] == planned["matched"] == 30_000
    assert (done["matched"], done["purged"]) == (30_000, 30_000)
    assert redis.there() == {*KEPT}


def test_keys_that_others_remove_are_told_apart(redis: Cache) -> None:
    redis.run("FLUSHALL")
    redis.fill(40_000)
    with redis.start(batch=10) as running, redis.client() as client:
        while client.dbsize() == 40_000:
            assert running.runs
        for at in range(1, 40_001, 1000):
            client.unlink(*(f"cache:{number}" for number in range(at, at + 1000)))
        done = running.result()
    assert not done.get("failed"), done
    assert 0 < done["purged"] < 40_000
    assert done["matched"] <= done["purged"] + done["already_gone"]
    assert redis.there() == set()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"patterns": [""]}, "bad_pattern"),
        ({"protected": [""]}, "bad_pattern"),
        ({"protected": ["[a-é]"]}, "bad_pattern"),
        ({"patterns": ["x" * 1001]}, "bad_pattern"),
        ({"patterns": ["\ud800"]}, "bad_text"),
        ({"batch": 0}, "bad_option"),
        ({"batch": 10_001}, "bad_option"),
        ({"max_block_ms": 0}, "bad_option"),
        ({"deadline": 0.5}, "bad_option"),
    ],
)
def test_bad_options_change_nothing(redis: Cache, options: dict[str, Any], code: str) -> None:
    assert redis.refused(code, **options)["changed"] is False
    assert redis.there() == {*CACHE, *KEPT}


# Flush.


def test_a_flush_is_refused_while_protected_keys_exist_and_says_what_it_would_lose(redis: Cache) -> None:
    for check in (True, False):
        refused = redis.refused("protected_keys", check, flush=True)
        assert about(refused, "changed", "purged", "flushed", "complete") == [False, 0, False, False]
        lost = refused["would_lose"]
        assert about(lost, "count", "protected", "write_block") == [357, 7, True]
        assert {row["pattern"]: row["count"] for row in lost["patterns"]} == {
            KEY: 1,
            "{" + KEY + "}:owner": 1,
            "bull:*": 3,
            "sessions:*": 2,
        }
        assert lost["prefixes"][:3] == [
            {"prefix": "cache:", "count": 300},
            {"prefix": "contacts:", "count": 50},
            {"prefix": "bull:", "count": 3},
        ]
        assert lost["types"] == {"string": 357}
        assert "7 of 357 keys are protected" in refused["error"]["what"]
        assert redis.there() == {*CACHE, *KEPT}


def test_a_flush_by_force_takes_all_and_says_so(redis: Cache) -> None:
    for check in (True, False):
        assert redis.there() == {*CACHE, *KEPT}
        done = redis.purge(check, flush=True, force=True)
        assert about(done, "changed", "flushed", "purged", "protected_kept") == [True, True, 357, 0]
        assert about(done["would_lose"], "count", "protected", "write_block") == [357, 7, True]
        assert done["diff"] == {"before": {"*": 357}, "after": {"*": 0}}
        assert any("write block" in warning for warning in done["warnings"]) is not check
    assert redis.there() == set()
    again = redis.purge(flush=True, force=True)
    assert about(again, "changed", "flushed", "purged") == [False, False, 0]


def test_a_flush_without_protected_keys(redis: Cache) -> None:
    redis.run("FLUSHALL")
    redis.put(CACHE, db=1)
    redis.put(CACHE)
    redis.run("HSET", "something", "a", 1)
    for check in (True, False):
        done = redis.purge(check, flush=True)
        assert about(done, "changed", "purged", "flushed", "warnings") == [True, 351, False, []]
        assert done["would_lose"]["types"] == {"string": 350, "hash": 1}
        assert len(redis.there()) == (351 if check else 0)
    assert redis.purge(flush=True)["changed"] is False
    assert redis.there(1) == {*CACHE}


def test_a_protected_key_that_comes_while_it_is_flushed_is_kept(redis: Cache) -> None:
    """It comes after the check, which found none: FLUSHDB would have removed it."""
    redis.run("FLUSHALL")
    redis.fill(30_000)
    late = {f"bull:inbound:{number}": "job" for number in range(300)}
    with redis.client() as client, redis.start(flush=True, batch=10) as running:
        while client.dbsize() >= 30_000:
            assert running.runs
        client.mset(late)
        done = running.result()
    assert not done.get("failed"), done
    assert redis.there() == {*late}
    assert done["purged"] == 30_000
    # SCAN may pass over keys that come while it runs.
    assert 0 < done["protected_kept"] <= len(late)
    assert any("meanwhile" in warning for warning in done["warnings"])


def test_patterns_count_for_nothing_in_a_flush(redis: Cache) -> None:
    redis.run("UNLINK", *KEPT)
    assert redis.purge(flush=True, patterns=["nothing:*"], protected=[*PROTECTED, "else"])["purged"] == 350
    assert redis.there() == set()


def test_the_write_block_alone_is_enough_to_refuse_a_flush(redis: Cache) -> None:
    redis.run("FLUSHALL")
    redis.put(BLOCK)
    redis.refused("protected_keys", flush=True, protected=[], patterns=PATTERNS)
    assert redis.there() == {*BLOCK}
