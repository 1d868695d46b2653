# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given to ``write_block`` and what it reports: keys, values, options, and the server; nothing secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.blocks import KEY, OURS, OWNER, Place


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with Place.started(appendonly="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


def about(result: dict[str, Any], *names: str) -> list[Any]:
    return [result[name] for name in names]


@pytest.mark.parametrize(
    ("key", "owner"), [("{app}:block", "{app}:block:owner"), ("block", "{block}:owner"), ("ação ✓", "{ação ✓}:owner")]
)
def test_the_owner_stands_in_the_same_slot(redis: Place, key: str, owner: str) -> None:
    redis.hold(key=key)
    assert redis.there() == {key: ("true", -1), owner: (OURS, -1)}
    assert redis.release(key=key)["changed"] is True
    assert redis.there() == {}


@pytest.mark.parametrize(("given", "written"), [(True, "true"), (False, "false"), (1, "1"), ("True", "True"), ("", "")])
def test_a_value_is_written_as_the_application_reads_it(redis: Place, given: Any, written: str) -> None:
    assert redis.hold(value=given)["changed"] is True
    assert redis.there()[KEY] == (written, -1)
    assert redis.hold(value=given)["changed"] is False


def test_what_is_there_is_text_whatever_it_is(redis: Place) -> None:
    with redis.client() as client:
        client.set(KEY, b"\xff{{ 7 * 7 }}")
        client.set(OWNER, b"INC\x00\n\xfe")
    told = redis.info()
    assert about(told, "value", "owner", "held", "ours") == ["\\xff{{ 7 * 7 }}", "INC\x00\n\\xfe", False, False]
    redis.refused("other_value")


def test_the_server_is_told(redis: Place) -> None:
    server = redis.hold()["server"]
    with redis.client() as client:
        info = client.info()
    assert server == {
        "address": f"127.0.0.1:{redis.server.port}",
        "cluster": info["master_replid"],
        "maxmemory": 0,
        "maxmemory_policy": "noeviction",
        "persistence": "aof",
        "replicas": 0,
        "role": "master",
        "run_id": info["run_id"],
        "sentinel": None,
        "version": info["redis_version"],
        "writable": True,
    }


def test_the_database_that_is_asked_for(redis: Place) -> None:
    redis.hold(login_db=3)
    assert redis.there() == {}
    with redis.client(db=3) as client:
        assert client.get(KEY) == "true"
    redis.refused("no_database", login_db=99)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"owner": "  "}, "bad_option"),
        ({"key": ""}, "bad_option"),
        ({"ttl": -1}, "bad_option"),
        ({"ttl": 366 * 24 * 3600 + 1}, "bad_option"),
        ({"ttl": 10**16}, "bad_option"),
        ({"value": ["true"]}, "bad_option"),
        ({"deadline": 0}, "bad_option"),
        ({"owner": "\ud800"}, "bad_text"),
        ({"sentinels": ["a:b"]}, "bad_sentinel"),
    ],
)
def test_wrong_options_are_refused_before_anything(redis: Place, options: dict[str, Any], code: str) -> None:
    refused = redis.refused(code, **options)
    assert refused["changed"] is False
    assert redis.there() == {}


def test_the_longest_ttl_is_held(redis: Place) -> None:
    most = 366 * 24 * 3600
    assert redis.hold(ttl=most)["ttl_seconds"] == most


def test_nothing_secret_is_told(redis: Place) -> None:
    told = [redis.hold(), redis.refused("wrong_password", login_password="hunter2hunter2")]
    assert redis.server.password not in json.dumps(told)
    assert "hunter2" not in json.dumps(told)
