# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be timed: each case has the profile's objectives, breaks what can be put back, and counts only itself."""

from __future__ import annotations

import pytest

from tests.rehearsal.timings import Timings
from tests.timed.cases import Case, cases
from tests.timed.figures import WORDS

CASES = cases({"scenario1": 301, "scenario2": 1801, "scenario3": 121, "misfire": 61})
# Orders to the application that spoil rows, or that stay in effect when everybody is off.
SPOILS = {
    "duplicate_tags",
    "orphan_tags",
    "invalid_lanes",
    "shuffle_order",
    "delete_tags",
    "cache_flag",
    "stale_settings",
}


@pytest.mark.parametrize(
    ("playbook", "objectives"),
    [
        ("scenario1", {"verified": 301}),
        ("scenario2", {"verified": 1801}),
        ("scenario3", {"disabled": 121}),
        # It is held to the objective of the scenario that it decides for, and its clock starts earlier.
        ("triage", {"verified": 301}),
    ],
)
def test_each_figure_of_the_plan_is_there_and_has_the_profiles_objective(
    playbook: str, objectives: dict[str, float]
) -> None:
    goals = CASES[playbook].goals
    assert set(goals) == set(WORDS) - {"ping"}
    assert {name: goal.objective for name, goal in goals.items() if goal.objective} == {**objectives, "misfire": 61}


def test_what_each_p95_has_to_reach_is_as_it_was_asked_for() -> None:
    goals = {(playbook, name): goal for playbook, case in CASES.items() for name, goal in case.goals.items()}
    misfires = {(playbook, "misfire"): 60 for playbook in CASES}
    seconds = {("scenario1", "verified"): 60, ("scenario3", "disabled"): 15, **misfires}
    assert {which: goal.seconds for which, goal in goals.items() if goal.seconds} == seconds
    assert {which: goal.pings for which, goal in goals.items() if goal.pings} == {("scenario3", "disabled"): 3}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_broken_can_be_put_back(case: Case) -> None:
    assert SPOILS.isdisjoint(case.broken)


def test_errors_are_logged_for_those_who_suffer() -> None:
    case = CASES["scenario2"]
    assert case.errors
    assert case.errors == case.broken["tenants"]
    assert not CASES["triage"].errors


def test_a_run_counts_where_it_came_to_the_scenario_that_is_timed() -> None:
    case = CASES["triage"]
    assert case.strayed(Timings("scenario1", "run-1", 1.0, 2.0, 3.0)) == ""
    assert case.strayed(Timings("scenario2", "run-1", 1.0, 2.0, 3.0)) == (
        "triage came to scenario2, and scenario1 is timed"
    )
    # It ended well, but switched nobody off: no second of it belongs to a rollback.
    assert case.strayed(None) == "triage came to nothing that it stopped, and scenario1 is timed"
