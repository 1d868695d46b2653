# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of many runs: percentiles, objectives, a ping's multiples against those on record, and where time goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.timed import steps
from tests.timed.figures import (
    Goal,
    compared,
    complaints,
    missed,
    percentile,
    ratios,
    statistics,
    table,
    uneven,
    unjudged,
    without_load,
)

TWENTY = [float(number) for number in range(20, 0, -1)]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (TWENTY, 0.5, 10.0),
        # One of twenty is above it, not none.
        (TWENTY, 0.95, 19.0),
        (TWENTY, 1.0, 20.0),
        ([*TWENTY, 21.0], 0.95, 20.0),
        ([3.0, 1.0], 0.5, 1.0),
        ([3.0], 0.95, 3.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_of_no_values_there_are_no_statistics() -> None:
    assert statistics([]) == {}
    assert statistics(TWENTY) == {"p50": 10.0, "p95": 19.0, "max": 20.0}


def test_a_ratio_compares_one_statistic_with_the_same_of_the_pings() -> None:
    samples = {"ping": [1.0, 2.0, 4.0], "disabled": [3.0, 5.0, 12.0], "verified": []}
    assert ratios(samples) == {"disabled": {"p50": 2.5, "p95": 3.0, "max": 3.0}}
    assert ratios({"disabled": [3.0]}) == {}


def test_ratios_to_pings_that_differ_are_nothing_to_compare_with() -> None:
    assert uneven({"ping": [1.6, 1.6, 2.4]}) == ""
    told = "pings took 3.1 s (p50) to 8.9 s (p95): the machine was busy with something else"
    assert uneven({"ping": [2.6, 3.1, 8.9]}) == told
    assert uneven({"disabled": [1.0]}) == "there is no ping"


def test_an_objective_is_every_runs() -> None:
    goals = {"disabled": Goal(objective=120), "misfire": Goal(objective=60), "total": Goal()}
    samples = {"disabled": [1.0, 120.0, 120.1], "misfire": [60.0], "total": [9999.0]}
    assert missed(samples, goals) == ["Time to disable feature flag: 1 of 3 runs took more than 120 s"]


STOP = {"disabled": Goal(120, seconds=15, pings=3), "misfire": Goal(60)}
EVEN = {"ping": [2.0, 2.0], "disabled": [3.0, 6.0], "misfire": [7.0, 7.0]}
BUSY = {**EVEN, "ping": [1.0, 2.0], "disabled": [3.0, 6.1]}


def test_what_has_all_figures_in_time_has_nothing_to_complain_of() -> None:
    assert complaints(EVEN, STOP, 2) == []
    assert unjudged(EVEN, STOP) == []


@pytest.mark.parametrize("gone", ["disabled", "misfire", "ping"])
def test_a_figure_that_a_run_has_not_fails(gone: str) -> None:
    words = {
        "disabled": "Time to disable feature flag",
        "misfire": "A misfire undone",
        "ping": "One ping on the same hosts",
    }
    [told] = complaints({**EVEN, gone: EVEN[gone][:1]}, STOP, 2)
    assert told == f"NOT MEASURED: {words[gone]}: in 1 of 2 runs"
    without = {name: values for name, values in EVEN.items() if name != gone}
    assert f"NOT MEASURED: {words[gone]}: in 0 of 2 runs" in complaints(without, STOP, 2)


def test_what_the_p95_has_to_reach_fails() -> None:
    late = {**EVEN, "ping": [6.0, 6.0], "disabled": [3.0, 15.1]}
    assert complaints(late, STOP, 2) == ["NOT REACHED: Time to disable feature flag: 15 s (p95)"]
    many = {**EVEN, "disabled": [3.0, 6.1]}
    assert complaints(many, STOP, 2) == ["NOT REACHED: Time to disable feature flag: 3 x ping (p95)"]
    # An objective holds for every run, and what is to be reached for the p95: one of twenty may be above it.
    twenty = {"ping": [2.0] * 20, "disabled": [5.0] * 19 + [16.0], "misfire": [7.0] * 20}
    assert complaints(twenty, STOP, 20) == []
    assert complaints({**EVEN, "misfire": [7.0, 60.1]}, STOP, 2) == [
        "NOT MET: A misfire undone: 1 of 2 runs took more than 60 s"
    ]


def test_by_pings_that_differ_nothing_is_judged_and_seconds_always_are() -> None:
    assert complaints(BUSY, STOP, 2) == []
    doubt = "pings took 1.0 s (p50) to 2.0 s (p95): the machine was busy with something else"
    assert unjudged(BUSY, STOP) == [f"NOT JUDGED: Time to disable feature flag: 3 x ping (p95): {doubt}"]
    late = {**BUSY, "disabled": [3.0, 15.1]}
    assert complaints(late, STOP, 2) == ["NOT REACHED: Time to disable feature flag: 15 s (p95)"]
    assert "15 s NO, 3 x ping not judged" in rows(table(late, STOP, {}))["Time to disable feature flag"]


@pytest.mark.parametrize(
    ("now", "recorded", "told"),
    [
        ({"p95": 2.6}, {"p95": 2.4}, "2.6 x, recorded 2.4 x"),
        ({"p95": 2.8}, {"p95": 2.4}, "2.8 x, recorded 2.4 x, SLOWER"),
        ({"p95": 1.9}, {"p95": 2.4}, "1.9 x, recorded 2.4 x, faster"),
        ({"p95": 2.6}, {}, "2.6 x, none recorded"),
        ({}, {"p95": 2.4}, "-"),
    ],
)
def test_a_change_is_told_beside_what_is_on_record(now: Any, recorded: Any, told: str) -> None:
    assert compared(now, recorded) == told


def rows(lines: list[str]) -> dict[str, str]:
    return {line[:30].strip(): " ".join(line[30:].split()) for line in lines}


def test_the_table_has_the_plans_words_objectives_and_what_is_to_be_reached() -> None:
    goals = {"disabled": Goal(120, seconds=15, pings=3), "verified": Goal(), "total": Goal(), "misfire": Goal(60, 60)}
    samples = {"ping": [1.5, 2.0], "disabled": [3.0, 7.0], "verified": [20.0, 30.0], "misfire": [9.0, 61.0]}
    found = rows(table(samples, goals, {"disabled": {"p95": 2.4}}))
    assert found[""] == "p50 p95 max objective x ping (p95) to reach (p95)"
    assert found["Time to disable feature flag"] == (
        "3.0 s 7.0 s 7.0 s 120 s met 3.5 x, recorded 2.4 x, SLOWER 15 s yes, 3 x ping NO"
    )
    assert found["Time to verify"] == "20.0 s 30.0 s 30.0 s - 15 x, none recorded -"
    assert found["A misfire undone"] == "9.0 s 61.0 s 61.0 s 60 s NOT MET 30.5 x, none recorded 60 s NO"
    assert found["One ping on the same hosts"] == "1.5 s 2.0 s 2.0 s - - -"
    # Not measured is not met.
    assert found["Total rollback time"] == "- - - - - -"
    long = rows(table({**samples, "total": [75.35, 75.35]}, goals, {"total": {"p95": 27.97}}))["Total rollback time"]
    assert long == "75.3 s 75.3 s 75.3 s - 37.67 x, recorded 27.97 x, SLOWER -"
    without = rows(table({}, goals, {}))["Time to disable feature flag"]
    assert without == "- - - 120 s NOT MET - 15 s NO, 3 x ping not judged"


def at(second: float) -> str:
    return f"2026-11-27T06:00:{int(second):02}.{round(second % 1 * 1e6):06}Z"


def line(event: str, second: float, source: str = "recorder", **data: Any) -> dict[str, Any]:
    return {"event": event, "at": at(second), "source": source, "data": data}


def task(
    name: str, play: int, seconds: float | None, source: str = "debug", changed: bool = False, host: str = "db1"
) -> dict[str, Any]:
    return line("task ended", 9, source, task=name, play=play, seconds=seconds, changed=changed, host=host)


def run(kill: float) -> list[dict[str, Any]]:
    return [
        line("run began", 0),
        line("play began", 1.5, number=1),
        task("Name it", 1, 0.1),
        line("play began", 2, number=2),
        task("Switch the flag off", 2, kill, "feature_flag", changed=True),
        task("Switch the flag off", 2, 0.2, "feature_flag", host="db2"),
        task("Set the write block", 2, 0.4, "write_block", changed=True),
        task("Never started", 2, None),
        line("play began", 8, number=3),
        task("Keep it off", 3, 7.0, "feature_flag", changed=True),
    ]


def test_the_path_to_the_stop_ends_with_it_and_has_the_slowest_host_of_each_task() -> None:
    assert steps.path(run(0.8)) == {
        steps.STARTED: 1.5,
        "Name it": 0.1,
        "Switch the flag off": 0.8,
        "Set the write block": 0.4,
    }


def test_what_is_measured_and_decided_before_the_stop_is_on_the_path_and_each_try_counts() -> None:
    watched = [
        line("run began", 0),
        line("play began", 1, number=1),
        *(task("Take one sample of each metric", 1, seconds, host="app1") for seconds in (0.5, 0.25, 0.5)),
        *(task("Take one sample of each metric", 1, seconds, host="app2") for seconds in (1.0, 0.125)),
        line("play began", 4, number=2),
        task("Walk the decision tree", 2, 0.5, host="localhost"),
        line("play began", 5, number=3),
        task("Switch the flag off", 3, 0.75, "feature_flag", changed=True),
        line("play began", 6, number=4),
        task("Take one sample of each metric", 4, 9.0, host="app1"),
    ]
    assert steps.path(watched) == {
        steps.STARTED: 1.0,
        "Take one sample of each metric": 1.25,
        "Walk the decision tree": 0.5,
        "Switch the flag off": 0.75,
    }


def test_a_run_that_stopped_nothing_has_no_path() -> None:
    lines = [line for line in run(1.0) if not line["data"].get("changed")]
    assert steps.path(lines) == {}
    assert steps.table([lines]) == []


def test_a_step_that_some_runs_had_no_need_of_is_counted() -> None:
    without = [line for line in run(2.0) if line["source"] != "write_block"]
    told = [" ".join(text.split()) for text in steps.table([run(1.0), without])]
    assert told[0] == "Ansible starts and reads the playbook 1.50 s 1.50 s 1.50 s"
    assert told[2:] == [
        "Switch the flag off 1.00 s 2.00 s 2.00 s",
        "Set the write block 0.40 s 0.40 s 0.40 s (1 runs)",
    ]


def test_a_run_without_its_people_does_not_count() -> None:
    assert without_load(3, [True, True]) == ""
    assert without_load(3, [True, False]) == without_load(3, []) == "run 3: people were not at work to its end"
