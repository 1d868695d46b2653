# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache counts as purged only when every master says that it has gone through all its keys."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partscache import cache_part
from tests.unit.answers import UNREACHABLE, Answer

FAILED: Answer = {"failed": True, "msg": "no.", "error": {"what": "The disk is full.", "code": "disk_refused"}}


def purge(cluster: str = "abc", **more: Any) -> Answer:
    found: Answer = {
        "changed": True,
        "complete": True,
        "skipped": False,
        "flushed": False,
        "purged": 1350,
        "protected_kept": 3,
        "patterns": [
            {"pattern": "cache:*", "purged": 1300},
            {"pattern": "contacts:*", "purged": 50},
            {"pattern": "x:*", "purged": 0},
        ],
        "elapsed_ms": 420,
        "server": {"cluster": cluster, "role": "master"},
        "would_lose": None,
    }
    return {**found, **more}


REPLICA = purge(skipped=True, changed=False, purged=0)


def whole(part: dict[str, Any]) -> str:
    return "\n".join([*part["bad"], *part["lines"]])


def test_a_purge_says_what_went_and_what_stayed() -> None:
    part = cache_part(["r1", "r2"], [purge(), REPLICA], "redis")
    assert (part["kind"], part["holds"], part["good"], part["bad"]) == ("validate", True, "the cache is purged", [])
    assert part["lines"] == [
        "r1: 1,350 keys purged (1,300 of cache:*, 50 of contacts:*) in 0.4 s, 3 protected kept",
        "r2: a Redis replica, its master purges for both",
    ]


def test_a_plan_says_what_would_go() -> None:
    part = cache_part(["r1"], [purge()], "redis", plan=True)
    assert part["good"] == "the cache would be purged"
    assert part["lines"][0].startswith("r1: 1,350 keys would be purged (")
    assert " s," not in part["lines"][0]


def test_what_else_can_come_of_it() -> None:
    assert "0 keys purged in" in whole(cache_part(["r1"], [purge(purged=0, patterns=[], changed=False)], "redis"))
    flushed = purge(flushed=True, patterns=[], protected_kept=0)
    assert "1,350 keys flushed, protected keys and all in" in whole(cache_part(["r1"], [flushed], "redis"))
    empty = cache_part(["r1"], [purge(server=None, purged=0, patterns=[], changed=False)], "redis")
    assert (empty["holds"], empty["good"]) == (True, "no cache is purged (kanban_cache_patterns is empty)")
    assert "no patterns are given" in whole(empty)
    assert (
        cache_part(["r1"], [purge(server={"cluster": None, "role": "master"})], "redis")["good"]
        == "the cache is purged"
    )
    many = purge(patterns=[{"pattern": f"p{number}", "purged": 1} for number in range(8)])
    assert "1 of p4 and 3 more patterns)" in whole(cache_part(["r1"], [many], "redis"))


@pytest.mark.parametrize("nothing", [{}, UNREACHABLE, FAILED, purge(complete=False), purge(failed=True, msg="x")])
def test_a_redis_without_a_good_answer_is_not_accounted_for(nothing: Answer) -> None:
    part = cache_part(["r1", "r2"], [purge(), nothing], "redis")
    assert not part["holds"]
    assert part["bad"] == ["the cache on r2 is not known to be purged"]
    assert "r2: cache NOT ACCOUNTED FOR" in whole(part)
    assert not cache_part(["r1"], [nothing], "redis", plan=True)["holds"]
    assert not cache_part(["r1", "r2"], [purge()], "redis")["holds"], "r2 has no answer"


def test_a_purge_that_was_not_through_says_what_it_did() -> None:
    ended = purge(failed=True, complete=False, error={"what": "r1: after 60 s it was not through."})
    assert "not through.; 1,350 keys were purged before" in whole(cache_part(["r1"], [ended], "redis"))


def test_a_flush_that_was_refused_says_what_it_would_lose() -> None:
    rows = [{"pattern": "bull:*", "count": 1200, "samples": ["bull:inbound:id", "bull:a", "bull:b"]}]
    refused = purge(
        failed=True,
        complete=False,
        changed=False,
        purged=0,
        error={"what": "r1: 1,200 keys are protected."},
        would_lose={"protected": 1200, "patterns": rows},
    )
    told = whole(cache_part(["r1"], [refused], "redis"))
    assert "a flush would lose 1,200 keys of bull:* (bull:inbound:id, bull:a)" in told
    assert "were purged before" not in told


def test_a_replica_needs_its_master() -> None:
    assert cache_part(["r2"], [REPLICA], "redis")["bad"] == ["the master of r2 did not answer"]
    assert not cache_part(["r1", "r2"], [purge("xyz"), REPLICA], "redis")["holds"]


def test_no_redis_is_a_failure_unless_it_is_said() -> None:
    assert not cache_part([], [], "redis")["holds"]
    none = cache_part([], [], "none")
    assert (none["holds"], none["kind"]) == (True, "nothing")


def test_warnings_are_on_the_screen() -> None:
    part = cache_part(["r1"], [purge(warnings=["The Sentinels\ndo not agree."])], "redis")
    assert part["lines"][-1] == "r1: The Sentinels do not agree."


def test_a_second_purge_adds_to_the_first_and_its_failure_counts() -> None:
    meanwhile = cache_part(["r1"], [purge()], "redis", again=[purge(purged=2)])
    assert meanwhile["holds"]
    assert "3 protected kept; 2 that were cached meanwhile as well" in whole(meanwhile)
    for nothing in ({}, {"skipped": True, "skip_reason": "Conditional result was False"}, purge(purged=0)):
        assert "meanwhile" not in whole(cache_part(["r1"], [purge()], "redis", again=[nothing]))
    for bad in (UNREACHABLE, FAILED, purge(complete=False)):
        part = cache_part(["r1"], [purge()], "redis", again=[bad])
        assert part["bad"] == ["what was cached on r1 since the purge is not known to be purged"]
