# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys of a cache go, how they are counted and shown, and at what pace."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import (
    Pace,
    Prefixes,
    Sorter,
    Tally,
    Wish,
    share_of,
    shown,
    spent_ms,
    wish_from,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeresult import (
    Account,
    acknowledged,
    counts,
    grant,
    loss,
    not_complete,
    refusal,
    told_of,
    warnings_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Server

MASTER = Server("redis-1:6379", role="master")


def wish(**options: Any) -> Wish:
    usual = {
        "patterns": ["cache:*"],
        "protected": ["bull:*"],
        "write_block_key": "app:block",
        "flush": False,
        "force": False,
        "batch": 1000,
        "max_block_ms": 20.0,
    }
    return wish_from({**usual, **options})


def test_what_is_protected_stays_whatever_is_wanted() -> None:
    sorter = Sorter(wish(patterns=["cache:*", "*"]))
    keys = [b"cache:1", b"bull:1", b"app:block", b"{app:block}:owner", b"{app:block}:set-aside:x:owner", b"app:blocks"]
    assert sorter.sort(keys) == {0: [b"cache:1"], 1: [b"app:blocks"]}
    assert (sorter.scanned, sorter.matched, sorter.protected, sorter.block_seen) == (6, 6, 4, True)
    assert [(row["pattern"], row["count"]) for row in sorter.protectors()] == [
        ("app:block", 1),
        ("{app:block}:owner", 1),
        ("{app:block}:set-aside:*", 1),
        ("bull:*", 1),
    ]


def test_what_nobody_wants_is_not_counted() -> None:
    sorter = Sorter(wish())
    assert sorter.sort([b"bull:1", b"other"]) == {}
    assert (sorter.matched, sorter.protected, sorter.block_seen) == (0, 0, False)


def test_a_key_that_is_named_twice_is_counted_once() -> None:
    tally = Tally()
    for _time in range(2):
        for number in range(1000):
            tally.add(b"key:%d" % number)
    assert (tally.count, tally.samples) == (1000, [f"key:{number}" for number in range(5)])


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (b"cache:board:7", "cache:board:7"),
        (b"kanban:emergency:write-block", "kanban:emergency:write-block"),
        (b"sess:9f8a2b7c41d04e5fa6b3c2d1e0f99887:x", "sess:9f8a…:x"),
        (b"a\n\x1b[31m\x00\xff", "a\\n\\x1b[31m\\x00\\xff"),
        ("ção".encode(), "ção"),
        (b"a b " * 100, "a b " * 50 + "…"),
    ],
)
def test_how_a_key_is_shown(key: bytes, text: str) -> None:
    assert shown(key) == text


def test_first_parts_of_keys() -> None:
    prefixes = Prefixes()
    prefixes.add([b"bull:1", b"bull:2", b"bull:2", b"cache:1", b"alone"])
    assert prefixes.as_result() == [
        {"prefix": "bull:", "count": 2},
        {"prefix": "cache:", "count": 1},
        {"prefix": "alone", "count": 1},
    ]
    for number in range(3000):
        prefixes.add([b"%d:x" % number, b"bull:%d" % number])
    told = prefixes.as_result()
    assert told[0] == {"prefix": "bull:", "count": 3000}
    assert len(told) == 21
    assert sum(row["count"] for row in told) == 3000 + 3000 + 2


def test_the_pace_begins_slowly_falls_by_half_and_comes_back() -> None:
    pace = Pace(1000, 20)
    seen = [(round(pace.took(spent) * 1000), pace.keys) for spent in (1, 1, 1, 1, 1, 15, 50, 30, 200, 21, 21, 1)]
    assert seen == [
        *[(0, 200), (0, 400), (0, 800), (0, 1000), (0, 1000), (0, 1000)],
        *[(50, 500), (30, 250), (100, 125), (21, 62), (21, 50), (0, 100)],
    ]
    assert pace.longest_ms == 200
    little = Pace(5, 20)
    assert (little.keys, little.took(5000), little.keys) == (5, 0.1, 5)


def test_the_time_between_two_answers() -> None:
    assert spent_ms([b"10", b"999000"], [b"11", b"1500"]) == pytest.approx(2.5)
    assert spent_ms([b"10", b"5"], [b"10", b"4"]) == 0, "a clock that was set back"
    refused = ServerError("missing_privilege", "a", "b", "c")
    assert spent_ms(refused, refused) is None


@pytest.mark.parametrize(
    ("cursor", "share"), [(0, 0), (0b1, 0.5), (0b10, 0.25), (0b11, 0.75), (0b111, 0.875), (2**20 - 1, 0.999999)]
)
def test_how_far_a_scan_has_come(cursor: int, share: float) -> None:
    assert share_of(cursor) == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"batch": 0}, {"batch": 20_000}, {"max_block_ms": 0}, {"max_block_ms": float("nan")}, {"protected": [""]}],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        wish(**options)


def test_the_figures_of_a_run_and_of_a_plan() -> None:
    sorter, account = Sorter(wish(patterns=["cache:*", "x*", "bull:*"])), Account()
    sorter.sort([b"cache:1", b"cache:2", b"cache:3", b"x1", b"bull:1"])
    wanted = wish(patterns=["cache:*", "x*", "bull:*"])
    planned = counts(wanted, sorter, account, planned=True)
    assert (planned["changed"], planned["matched"], planned["purged"], planned["protected_kept"]) == (True, 5, 4, 1)
    assert planned["diff"] == {
        "before": {"cache:*": 3, "x*": 1, "bull:*": 1},
        "after": {"cache:*": 0, "x*": 0, "bull:*": 1},
    }
    account.note(0, 2, 1)
    half = counts(wanted, sorter, account, planned=False)
    assert (half["changed"], half["purged"], half["already_gone"]) == (True, 1, 1)
    assert half["diff"]["after"] == {"cache:*": 1, "x*": 1, "bull:*": 1}
    assert counts(wanted, sorter, Account(), planned=False)["changed"] is False
    assert counts(wanted, sorter, Account(unanswered=3), planned=False)["changed"] is True


def test_the_figures_of_a_flush_by_force() -> None:
    wanted = wish(flush=True, force=True)
    sorter = Sorter(wanted)
    sorter.sort([b"cache:1", b"bull:1"])
    planned = counts(wanted, sorter, Account(), planned=True)
    done = counts(wanted, sorter, Account(flushed=2), planned=False)
    for result in (planned, done):
        assert (result["flushed"], result["purged"], result["protected_kept"], result["protected"]) == (True, 2, 0, [])
        assert result["diff"] == {"before": {"*": 2}, "after": {"*": 0}}


def test_what_a_flush_would_lose() -> None:
    wanted, prefixes = wish(flush=True), Prefixes()
    sorter = Sorter(wanted)
    sorter.sort([b"cache:1", b"bull:1", b"bull:2", b"app:block"])
    lost = loss(sorter, prefixes, {"string": 4})
    assert (lost["count"], lost["protected"], lost["write_block"], lost["types"]) == (4, 3, True, {"string": 4})
    refused = refusal("redis-1:6379", lost)
    assert (
        refused.what
        == "redis-1:6379: 3 of 4 keys are protected: 1 of app:block (as app:block), 2 of bull:* (as bull:1)."
    )
    told = warnings_of(wanted, MASTER, Account(flushed=4), False, lost, 0)
    assert len(told) == 1
    assert "write block" in told[0]
    assert warnings_of(wanted, MASTER, Account(), False, lost, 0) == []


def test_warnings() -> None:
    account = Account(unanswered=7, moved=2, places=["a:1", "b:1"])
    told = warnings_of(wish(write_block_key=None), Server("a:1"), account, True, None, 3)
    for words in ("write_block_key", "3 protected", "+role", "Cluster", "a:1 -> b:1", "2 keys moved", "7 removals"):
        assert any(words in line for line in told), words
    assert len(told) == 7
    assert warnings_of(wish(), MASTER, Account(places=["a:1"]), False, None, 0) == []


def test_replicas_that_have_it() -> None:
    assert acknowledged([1], 1) == (1, [])
    assert acknowledged([ServerError("a", "b", "c", "d")], 1) == (None, [])
    number, (told,) = acknowledged([0], 2)
    assert number == 0
    assert "None of 2" in told


def test_what_an_error_says() -> None:
    account = Account()
    account.note(0, 5, 5)
    lacking = told_of(ServerError("missing_privilege", "a.", "b.", "c."), Account(), "ACL SETUSER x", False)
    assert (lacking.why, lacking.todo) == ("b.", "Grant it: ACL SETUSER x")
    lost = told_of(ServerError("unreachable", "a.", "b.", "c.", tries=2), account, "", True)
    assert "5 keys had been purged" in lost.why
    assert "same command" in lost.todo
    assert lost.details == {"tries": 2}
    assert "older" in told_of(ServerError("unreachable", "a.", "b.", "c."), Account(), "", True).why
    ended = not_complete("r:1", 60, account, 0.41, planned=False)
    assert ended.what == (
        "r:1: after 60 s, its deadline, the purge was not through: about 41% of the keys were looked at, 5 were purged."
    )
    assert "purged." not in not_complete("r:1", 60, account, 0.41, planned=True).what
    assert not_complete("r:1", 60, account, None, planned=False).what.endswith("through: 5 were purged.")


def test_the_line_that_grants_what_is_needed() -> None:
    assert grant(None, wish(patterns=["it's:*"])) == (
        "ACL SETUSER default '~it\\'s:*' +scan +unlink +time +role +info +dbsize +type +wait"
    )
    assert "'~*' +scan +unlink +flushdb" in grant("app", wish(flush=True, force=True))
