# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tries of a watch: numbers, the time watched, counters between them, and what a result carries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _gatetries as tries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput


def one(number: int, watch: int = 1, seconds: float = 0, samples: list[Any] | None = None) -> dict[str, Any]:
    times = {"at": 1000.0, "began": watch * 100.0, "seconds": float(seconds)}
    return {"watch": watch, "try": number, **times, "samples": samples or [], "spells": []}


def counted(count: float, host: str = "app1") -> dict[str, Any]:
    raw = {"how": "ratio", "count": count, "of": count * 10, "scale": 100}
    return {"metric": "rate", "host": host, "value": None, "raw": raw}


def test_a_watch_goes_on_where_it_stopped_and_a_pause_was_not_watched() -> None:
    before = [one(1), one(2, seconds=10)]
    assert tries.moment_of([], 0, 0, 10) == tries.Moment(1, 1, 0, 0, False)
    assert tries.moment_of(before, 2, 11, 10) == tries.Moment(1, 3, 21, 10, False)
    assert tries.moment_of(before, 0, 400, 10) == tries.Moment(1, 3, 40, 10, True)
    # Nobody continued it: the next try begins another watch.
    assert tries.moment_of(before, 0, 901, 10) == tries.Moment(2, 1, 0, 0, False)
    assert tries.moment_of(before, 0, 1500, 600).watch == 1
    # A clock that went back.
    assert tries.moment_of(before, 2, -5000, 10).seconds == 10


def test_what_caller_and_ledger_know_counts_once_and_older_watches_not_at_all() -> None:
    kept = [one(9, watch=1), one(1, watch=2), one(2, watch=2)]
    history = [one(2, watch=2, seconds=7), one(3, watch=2)]
    assert [(row["try"], row["seconds"]) for row in tries.merge(history, kept)] == [(1, 0), (2, 7), (3, 0)]
    assert [(row["watch"], row["try"]) for row in tries.merge([], kept)] == [(2, 1), (2, 2)]
    assert tries.merge([], []) == []


def test_a_watch_that_the_caller_is_in_is_never_given_up_for_another() -> None:
    """It began while the ledger could not be reached: the earlier watches that are kept there are not part of it."""
    kept = [one(number, watch=4) for number in range(1, 6)]
    for watch, number in ((1, 5), (4, 5), (9, 9)):
        mine = {**one(1, watch=watch), "began": 7777.0}
        assert tries.merge([mine], kept) == [{**mine, "watch": number}]
        # Once it is kept under that number, here or in another ledger, it keeps the number.
        again = [*kept, {**mine, "watch": number}]
        assert [row["watch"] for row in tries.merge([mine, {**mine, "try": 2}], again)] == [number, number]
    # Its own tries count; tries of the same number that began at another time do not.
    both = tries.merge([one(6, watch=4)], [*kept, {**one(9, watch=4), "began": 1.0}])
    assert [row["try"] for row in both] == [1, 2, 3, 4, 5, 6]


def test_a_sample_keeps_the_line_through_all_of_its_series() -> None:
    before: list[dict[str, Any]] = []
    for number in range(1, 61):
        sample = {"metric": "memory", "host": "app1", "at": number * 10.0, "value": 100.0 + number}
        (made,) = tries.lined([sample], before[-30:], {"memory"})
        before.append(one(number, samples=[made]))
    assert made["line"]["count"] == 60
    # A try without a value does not lose the line, and a try that is given back has it.
    (silent,) = tries.lined([{**sample, "value": None}], before[-30:], {"memory"})
    assert silent["line"] == made["line"]
    assert tries.tries_from([before[-1]]) == [before[-1]]
    assert "line" not in tries.lined([sample], before, set())[0]
    assert "line" not in tries.lined([{**sample, "value": None}], [], {"memory"})[0]


def test_counters_are_compared_with_the_last_ones_of_the_same_host() -> None:
    before = [one(1, samples=[counted(1), counted(5, "app2")]), one(2, samples=[{**counted(2), "raw": None}])]
    found = tries.resolved([counted(3), counted(4, "app2"), counted(1, "app3")], before)
    assert found[0]["value"] == 10
    assert [row.get("code") for row in found] == [None, "reset", "first_scrape"]
    broken = {**counted(3), "raw": {"how": "ratio"}}
    assert tries.resolved([broken], before)[0]["code"] == "not_number"


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"value": "0.1"}, "not_number"),
        ({"value": float("nan")}, "nan"),
        ({}, "unknown"),
        ({"value": None, "code": "refused", "error": "refused\x00\n" + "x" * 999}, "refused"),
    ],
)
def test_a_sample_from_elsewhere_without_a_number_has_a_reason(given_: dict[str, Any], code: str) -> None:
    made = tries.sample_from({"metric": "rate", "host": "app1", **given_})
    assert (made["value"], made["code"]) == (None, code)
    assert "\x00" not in made["error"]
    assert len(made["error"]) <= 200


def test_what_is_no_sample_or_no_try_is_refused() -> None:
    for wrong in (3, {}, {"metric": "rate"}, {"metric": "", "host": "a"}):
        with pytest.raises(BadInput):
            tries.sample_from(wrong)
    histories: list[Any] = [[3], [{}], [{**one(1), "samples": 3}], [{**one(1), "try": "x"}]]
    for history in histories:
        with pytest.raises(BadInput):
            tries.tries_from(history)


def test_a_try_that_is_given_back_is_as_it_was() -> None:
    samples = [
        {"metric": "rate", "host": "app1", "at": 5.0, "value": None, "code": "refused", "error": "refused"},
        {**counted(1), "value": 3.5},
        {**counted(1, "app2"), "code": "first_scrape", "error": "it takes two"},
    ]
    assert tries.tries_from([one(1, samples=samples)]) == [one(1, samples=samples)]


def test_a_result_is_bounded_and_keeps_only_the_counters_that_are_needed() -> None:
    long = [one(number, samples=[counted(number, f"h{host}") for host in range(300)]) for number in range(1, 31)]
    found = tries.bounded(long)
    assert [row["try"] for row in found] == [25, 26, 27, 28, 29, 30]
    assert ["raw" in row["samples"][0] for row in found] == [False] * 5 + [True]
    silent = tries.bounded([one(1, samples=[counted(1)]), one(2, samples=[{"metric": "rate", "host": "app1"}])])
    assert "raw" in silent[0]["samples"][0]


@given(st.recursive(st.floats(allow_nan=False, allow_infinity=False), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_stored_comes_back_as_it_was(data: Any) -> None:
    """PostgreSQL writes numbers out: without an exponent, and an integer without a point even if it had one."""

    def written_out(value: Any) -> Any:
        if isinstance(value, list):
            return [written_out(part) for part in value]
        text = json.dumps(value)
        whole = "e+" in text
        return int(value) if whole else 0.0 if text == "-0.0" else value

    stored = tries.storable(data)
    assert json.dumps(written_out(stored)) == json.dumps(stored)
