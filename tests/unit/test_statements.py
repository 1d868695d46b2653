# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of statements: the columns by the view's own names, what passed between readings, and which is worst."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statements import (
    Figures,
    Key,
    Passed,
    Reading,
    between,
    columns_of,
    share,
    since_the_beginning,
    worst,
)

COMMON = ("userid", "dbid", "queryid", "query", "calls")
OLD = (*COMMON, "total_time", "min_time", "max_time", "rows", "shared_blks_hit", "blk_read_time")
NEW = (*COMMON, "toplevel", "total_exec_time", "min_exec_time", "total_plan_time", "stats_since")


def figures(queryid: int, calls: int, total_ms: float, **more: Any) -> Figures:
    return Figures(Key(10, 5, queryid, True), calls, total_ms, **more)


def reading(at: float, *all_figures: Figures, whole_ms: float = 1000.0, hidden_ms: float = 0.0) -> Reading:
    return Reading(at, {one.key: one for one in all_figures}, whole_ms, 0, hidden_ms)


def by_id(passed: Passed) -> dict[int, tuple[int, float]]:
    return {one.key.queryid: (one.calls, one.total_ms) for one in passed.figures}


def test_columns_by_the_names_that_are_there() -> None:
    old, new = columns_of(OLD), columns_of(NEW)
    assert (old["total_ms"], new["total_ms"]) == ("total_time", "total_exec_time")
    assert (old["min_ms"], new["min_ms"]) == ("min_time", "min_exec_time")
    assert (old["toplevel"], old["since"], old["plan_ms"], old["read_ms"]) == (None, None, None, "blk_read_time")
    assert (new["toplevel"], new["since"], new["max_ms"], new["read_ms"]) == ("toplevel", "stats_since", None, None)
    assert columns_of([*OLD, "shared_blk_read_time"])["read_ms"] == "shared_blk_read_time"


def test_a_view_of_somebody_elses_is_an_error_that_names_what_it_lacks() -> None:
    with pytest.raises(ServerError, match="no column calls, total_exec_time") as caught:
        columns_of(["userid", "dbid", "queryid", "query"])
    assert caught.value.code == "unknown_columns"


def test_what_passed_is_the_difference() -> None:
    before = reading(100.0, figures(1, 10, 500.0, rows=7), figures(2, 3, 30.0), whole_ms=900.0, hidden_ms=5.0)
    after = reading(
        110.0, figures(1, 14, 700.0, rows=9, max_ms=80.0), figures(2, 3, 30.0), figures(3, 1, 4.0),
        whole_ms=1200.0, hidden_ms=25.0,
    )  # fmt: skip
    passed = between(before, after)
    assert by_id(passed) == {1: (4, 200.0), 3: (1, 4.0)}
    first = passed.figures[0]
    # Longest and shortest do not add up; they are those since the counters began.
    assert (first.rows, first.max_ms, first.plan_ms, first.mean_ms) == (2, 80.0, None, 50.0)
    assert (passed.seconds, passed.whole_ms, passed.hidden_ms) == (10.0, 300.0, 20.0)
    assert (passed.restarted, passed.gone) == (0, 0)


@pytest.mark.parametrize(
    "after",
    [
        figures(1, 2, 40.0),  # Fewer calls than before.
        figures(1, 12, 40.0),  # More calls, but in less time than before.
        figures(1, 14, 700.0, since="2026-11-25 03:00"),  # More of everything, counted since a moment in between.
    ],
)
def test_counters_that_began_anew_are_what_passed_since(after: Figures) -> None:
    passed = between(reading(0, figures(1, 10, 500.0), figures(2, 1, 1.0)), reading(10, after, whole_ms=50.0))
    assert by_id(passed) == {1: (after.calls, after.total_ms)}
    assert (passed.restarted, passed.gone) == (1, 1)
    assert passed.whole_ms == 50.0


def test_one_reading_is_what_added_up() -> None:
    passed = since_the_beginning(reading(100.0, figures(1, 10, 500.0)))
    assert (by_id(passed), passed.seconds) == ({1: (10, 500.0)}, None)


def test_the_worst_first_and_ties_by_total_and_id() -> None:
    some = [
        figures(4, 10, 100.0, max_ms=20.0),
        figures(3, 10, 100.0, max_ms=20.0),
        figures(2, 1, 60.0, max_ms=60.0),
        figures(1, 50, 50.0, max_ms=2.0),
        figures(0, 0, 0.0),
    ]
    passed = Passed(some, 310.0, 0, 0.0)

    def ids(order: str, most: int = 10, least: float = 0.0) -> list[int]:
        return [one.key.queryid for one in worst(passed, order, most, least)]

    assert ids("total") == [3, 4, 2, 1, 0]
    assert ids("mean") == [2, 3, 4, 1, 0]
    assert ids("max") == [2, 3, 4, 1, 0]
    assert ids("calls") == [1, 3, 4, 2, 0]
    assert ids("calls", 2) == [1, 3]
    assert ids("total", 10, 10.0) == [3, 4, 2]


def test_figures_as_people_and_programs_read_them() -> None:
    shown = figures(-4087310926133419047, 3, 10.0, max_ms=float("inf")).as_result()
    assert (shown["queryid"], shown["mean_ms"], shown["max_ms"]) == ("-4087310926133419047", 3.333, None)
    assert share(25.0, 100.0) == 0.25
    assert share(101.0, 100.0) == 1.0
    assert share(0.0, 0.0) is None
