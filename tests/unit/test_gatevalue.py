# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a gate: numbers, counters of two scrapes, histograms, Prometheus' text format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gateprometheus import read, selector_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import (
    NoSample,
    clean,
    difference,
    interpolate,
    number,
)

TEXT = r"""
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{status="200",path="/kanban/board"} 90
http_requests_total{status="200",path="/a \"b\"\\c\n"} 6
http_requests_total{status="500",path="/kanban/board",} 3
http_requests_total{status="503",path="/"} 1 1395066363000
http_requests_total_created{status="500"} 1.7e9
up 1
memory_bytes 1.5e8
ratio NaN
kanban_dnd_duration_seconds_bucket{le="0.1"} 50
kanban_dnd_duration_seconds_bucket{le="0.5"} 90
kanban_dnd_duration_seconds_bucket{le="+Inf"} 100
kanban_dnd_duration_seconds_sum 21
kanban_dnd_duration_seconds_count 100
"""


def take(text: str = TEXT, clock: float = 100.0, **selector: Any) -> dict[str, Any]:
    return read(text, selector_from("m", selector), clock)


def code_of(text: str = TEXT, **selector: Any) -> str:
    with pytest.raises(NoSample) as caught:
        take(text, **selector)
    return caught.value.code


@pytest.mark.parametrize("value", ["0.1", True, {}, [], float("inf"), 10**400])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(NoSample) as caught:
        number(value)
    assert caught.value.code == "not_number"


@pytest.mark.parametrize(("value", "code"), [(None, "null"), (float("nan"), "nan")])
def test_a_figure_that_is_not_there_is_none_that_is_wrong(value: Any, code: str) -> None:
    with pytest.raises(NoSample) as caught:
        number(value)
    assert caught.value.code == code


def test_a_text_that_is_shown_is_one_line_that_a_ledger_can_hold() -> None:
    assert clean("a\x00b\x1b[31m\ud83d\n c") == "a b [31m c"
    assert len(clean("x" * 1000)) == 200


def test_values_sums_and_labels() -> None:
    assert take(name="up") == {"value": 1.0}
    assert take(name="http_requests_total", how="sum") == {"value": 100.0}
    assert take(name="http_requests_total", how="max") == {"value": 90.0}
    assert take(name="http_requests_total", labels={"status": "503"}) == {"value": 1.0}
    assert take(name="http_requests_total", match={"status": "5.."}, how="sum") == {"value": 4.0}
    assert take(name="http_requests_total", labels={"path": '/a "b"\\c\n'}) == {"value": 6.0}
    # A regular expression must match from beginning to end.
    assert code_of(name="http_requests_total", match={"status": "5"}) == "no_series"


def test_a_series_without_a_value_does_not_hide_the_highest() -> None:
    """A summary that was idle has NaN, in whichever place."""
    for lines in (("NaN", "9000", "3"), ("9000", "NaN", "3"), ("3", "9000", "NaN")):
        text = "\n".join(f'p95{{route="{number}"}} {value}' for number, value in enumerate(lines))
        assert take(text, name="p95", how="max") == {"value": 9000.0}
    assert code_of('p95{a="1"} NaN\np95{a="2"} NaN', name="p95", how="max") == "nan"


def test_what_gives_no_value() -> None:
    assert code_of(name="http_requests_total") == "several_series"
    assert code_of(name="http_requests") == "no_series"
    assert code_of(name="up", labels={"a": "b"}) == "no_series"
    assert code_of(name="ratio") == "nan"
    assert code_of("<html>no</html>", name="up") == "not_text"
    assert code_of("up one", name="up") == "not_text"
    assert code_of('up{a="b" 1', name="up") == "not_text"
    assert code_of("\n", name="up") == "not_text"
    assert code_of(name="up", how="quantile") == "no_series"
    assert code_of('up_bucket{le="x"} 1', name="up", how="quantile") == "not_histogram"


def test_a_share_of_requests_between_two_scrapes() -> None:
    selector: dict[str, Any] = {"name": "http_requests_total", "match": {"status": "5.."}, "how": "ratio"}
    whole: dict[str, Any] = {"of": {"name": "http_requests_total"}}
    first = take(**selector, **whole)["raw"]
    later = take(TEXT.replace('"} 90', '"} 186').replace(",} 3", ",} 7"), **selector, **whole)["raw"]
    assert difference(first, {**later, "scale": 100}) == pytest.approx(4.0)
    # Without an error so far there is no such series; that counts as none as long as its name is there.
    quiet = 'http_requests_total{status="200"} 5\n'
    assert take(quiet, **selector, **whole)["raw"]["count"] == 0
    assert code_of(name="http_errors_total", how="ratio", **whole) == "no_series"
    for before, code in ((None, "first_scrape"), (first, "idle"), (later, "reset")):
        with pytest.raises(NoSample) as caught:
            difference(before, first)
        assert caught.value.code == code


def test_a_rate_by_the_clock_of_its_host() -> None:
    first = take(name="http_requests_total", how="rate", clock=100)["raw"]
    later = take(TEXT.replace('"} 90', '"} 115'), name="http_requests_total", how="rate", clock=110)["raw"]
    assert difference(first, later) == pytest.approx(2.5)
    with pytest.raises(NoSample) as caught:
        difference(later, {**later, "clock": 50})
    assert caught.value.code == "clock"


def test_a_quantile_of_what_was_observed_between_two_scrapes() -> None:
    selector: dict[str, Any] = {"name": "kanban_dnd_duration_seconds", "how": "quantile"}
    first = take(**selector)["raw"]
    assert first["buckets"] == [[0.1, 50.0], [0.5, 90.0], [None, 100.0]]
    grown = TEXT.replace('"0.1"} 50', '"0.1"} 60').replace('"0.5"} 90', '"0.5"} 110').replace('Inf"} 100', 'Inf"} 120')
    later = take(grown, **selector)["raw"]
    # 10 under 0.1, 10 more under 0.5: the 19th of 20 is nine tenths of the way there.
    assert difference(first, {**later, "scale": 1000}) == pytest.approx(460)
    fewer = {**first, "buckets": first["buckets"][1:]}
    with pytest.raises(NoSample) as caught:
        difference(first, fewer)
    assert caught.value.code == "first_scrape"


def test_interpolation() -> None:
    bounds = [0.1, 0.5, 1.0, None]
    assert interpolate(0.95, bounds, [50, 90, 100, 100]) == pytest.approx(0.75)
    assert interpolate(0.5, bounds, [50, 90, 100, 100]) == pytest.approx(0.1)
    # Beyond the last bound, only the bound is known.
    assert interpolate(0.99, bounds, [1, 1, 1, 100]) == 1.0
    for wrong in ([0.1, 0.5], [None]):
        with pytest.raises(NoSample):
            interpolate(0.5, wrong, [1.0] * len(wrong))
    with pytest.raises(NoSample) as caught:
        interpolate(0.5, bounds, [0, 0, 0, 0])
    assert caught.value.code == "idle"


@given(st.lists(st.integers(0, 50), min_size=3, max_size=8).filter(any), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_that_its_rank_falls_in(counts: list[int], q: float) -> None:
    bounds: list[float | None] = [float(place + 1) for place in range(len(counts) - 1)]
    cumulated = [float(sum(counts[: place + 1])) for place in range(len(counts))]
    value = interpolate(q, [*bounds, None], cumulated)
    under = sum(count for bound, count in zip(bounds, counts, strict=False) if bound is not None and bound < value)
    assert 0 <= value <= len(counts) - 1
    assert under <= q * cumulated[-1] + 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "no spaces"},
        {"name": "up", "how": "average"},
        {"name": "up", "how": "ratio"},
        {"name": "up", "of": {"name": "down"}},
        {"name": "up", "match": {"a": "("}},
        {"name": "up", "labels": ["a"]},
        {"name": "up", "how": "quantile", "quantile": 95},
    ],
)
def test_a_selector_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        selector_from("m", wrong)
    assert caught.value.code == "bad_selector"
