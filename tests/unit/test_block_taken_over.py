# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which block was lost, which was released, which never was, and which host is not missed when a Redis fails over."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import block_lost, block_part
from tests.unit.answers import UNREACHABLE, Answer
from tests.unit.test_parts import INCIDENT, REDIS_REPLICA, block, whole


def on_redis(run_id: str | None, role: str = "master", **more: Any) -> Answer:
    return {"server": {"cluster": "abc", "run_id": run_id, "role": role, "writable": role == "master"}, **more}


@pytest.mark.parametrize(
    ("read_back", "lost"),
    [
        (on_redis("two", held=False), True),
        # Somebody released it, or it is there, or this is not a master, or nothing is known about it.
        (on_redis("one", held=False), False),
        (on_redis("two", held=True), False),
        (on_redis("two", "replica", held=False), False),
        (on_redis(None, held=False), False),
        (UNREACHABLE, False),
    ],
)
def test_a_block_is_lost_only_on_a_redis_that_it_was_never_held_on(read_back: Answer, lost: bool) -> None:
    replica_before = on_redis("two", "replica", held=True, skipped=True)
    assert block_lost(read_back, [on_redis("one", held=True, skipped=False), replica_before, {}]) is lost


def test_where_nobody_held_a_block_none_is_lost() -> None:
    assert block_lost(on_redis("two", held=False), [UNREACHABLE, {}]) is False


def test_a_master_whose_replica_has_taken_over_with_the_block_is_not_missed() -> None:
    first = [block(cluster="abc"), REDIS_REPLICA]
    took = {**block(cluster="def"), **on_redis("two", held=True)}
    part = block_part(["redis1", "redis2"], first, [UNREACHABLE, took], [INCIDENT], "redis")
    assert part["holds"], part
    assert "redis1: no answer, and none is expected: redis2 has taken over with the write block" in part["lines"]
    # A server that took over without the block, or that is a stranger's replica, stands in for nobody.
    for other in ({**took, "held": False}, UNREACHABLE):
        assert not block_part(["redis1", "redis2"], first, [UNREACHABLE, other], [INCIDENT], "redis")["holds"]
    strangers = [block(cluster="abc"), {**REDIS_REPLICA, "server": {"cluster": "xyz", "role": "replica"}}]
    assert not block_part(["redis1", "redis2"], strangers, [UNREACHABLE, took], [INCIDENT], "redis")["holds"]


def test_a_host_that_went_silent_is_not_missed_where_sentinel_names_a_master_that_has_the_block() -> None:
    # Both asked the Sentinels, and acted on the same master.
    first = [block(cluster="abc"), block(cluster="abc")]
    server = {"cluster": "def", "role": "master", "writable": True, "address": "10.0.0.5:6379", "sentinel": "s:26379"}
    part = block_part(["redis1", "redis2"], first, [UNREACHABLE, block() | {"server": server}], [INCIDENT], "redis")
    assert part["holds"], part
    assert (
        "redis1: no answer, and none is expected: Sentinel names 10.0.0.5:6379, which has the write block"
        in (part["lines"])
    )
    for wrong in ({"held": False}, {"failed": True}, {"server": server | {"writable": False}}):
        later = [UNREACHABLE, block() | {"server": server} | wrong]
        assert not block_part(["redis1", "redis2"], first, later, [INCIDENT], "redis")["holds"], wrong
    # A host that never answered may belong to others.
    later = [UNREACHABLE, block() | {"server": server}]
    assert not block_part(["redis1", "redis2"], [UNREACHABLE, first[1]], later, [INCIDENT], "redis")["holds"]
    # Without Sentinels, two masters are two separate ones.
    alone = block() | {"server": server | {"sentinel": None}}
    assert not block_part(["redis1", "redis2"], first, [UNREACHABLE, alone], [INCIDENT], "redis")["holds"]


def test_a_block_that_is_gone_when_it_is_read_back_does_not_hold() -> None:
    gone = {"changed": False, "held": False, "owner": None, "server": {"cluster": "abc", "role": "master"}}
    assert block_part(["redis1"], [block()], [block()], [INCIDENT], "redis")["holds"]
    lost = block_part(["redis1"], [block()], [gone], [INCIDENT], "redis")
    assert not lost["holds"]
    assert "it is gone" in whole(lost)


def test_a_block_that_was_refused_is_not_said_to_be_gone_and_the_screen_has_what_helps() -> None:
    gone = {"changed": False, "held": False, "owner": None, "server": {"cluster": "abc", "role": "master"}}
    full = {"what": "redis1: no memory.", "todo": "Free memory.", "code": "out_of_memory"}
    refused = {"changed": False, "failed": True, "msg": "no memory.", "error": full}
    for later in (gone, refused, {}):
        part = block_part(["redis1"], [refused], [later], [INCIDENT], "redis")
        assert not part["holds"]
        assert part["lines"] == ["redis1: write block NOT ACCOUNTED FOR: redis1: no memory. Free memory."], later
