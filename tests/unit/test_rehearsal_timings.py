# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's table of a rehearsal, from a journal's lines; its stages, from what molecule says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.stages import Stages
from tests.rehearsal.timings import accepted_since_the_fence, parsed, table, timings_of

HEADINGS = {
    "scenario1": ("1. Contain: flag off for every tenant", "5. Validate: metrics"),
    "scenario2": ("3. Contain: flag off for the listed tenants", "7. Decide: hold, pause, or off for every tenant"),
    "scenario3": (
        "1. Contain: flag off for every tenant, fence, write block",
        "4. Preserve: evidence of every tier, and the dump",
    ),
}


def at(second: float) -> str:
    return f"2026-11-27T06:{int(second) // 60:02}:{int(second) % 60:02}.{round(second % 1 * 1e6):06}Z"


def line(event: str, second: float, source: str = "recorder", **data: Any) -> dict[str, Any]:
    return {"event": event, "at": at(second), "run_id": "run-1", "source": source, "data": data}


def task(source: str, play: int, second: float, failed: bool = False) -> dict[str, Any]:
    return line("task ended", second, source, play=play, ended=at(second), failed=failed)


def journal(scenario: str, verified: float = 40.0) -> list[dict[str, Any]]:
    """Return the lines of a run: stopped after 2.5 s, swept later, ended after 70 s."""
    stops, verifies = HEADINGS[scenario]
    return [
        line("run began", 0),
        line("play began", 1, play="0. Name the incident", number=1),
        line("play began", 1.5, play=stops, number=2),
        task("feature_flag", 2, 2.25),
        task("write_block", 2, 2.5),
        task("write_fence", 2, 9, failed=True),
        line("play began", 10, play="3. Keep it off", number=3),
        task("feature_flag", 3, 11),
        line("play began", 12, play=verifies, number=4),
        line("play ended", verified, play=verifies, number=4),
        line("run ended", 70),
    ]


@pytest.mark.parametrize("scenario", HEADINGS)
def test_each_scenario_has_the_plans_three_times(scenario: str) -> None:
    found = timings_of(journal(scenario))
    assert found is not None
    assert (found.scenario, found.disabled, found.verified, found.total) == (scenario, 2.5, 40.0, 70.0)
    assert found.within_objective
    assert table(found)[1:] == [
        "- Time to disable feature flag: 2.5 seconds",
        "- Time to verify: 40 seconds",
        "- Total rollback time: 70 seconds",
    ]


def test_a_triage_verifies_in_the_scenario_that_it_decided_for_and_not_where_it_goes_through_it_again() -> None:
    heading = HEADINGS["scenario1"][1]
    again = [line("play began", 60, play=heading, number=9), line("play ended", 61, play=heading, number=9)]
    ran = journal("scenario1")
    found = timings_of([*ran[:-1], *again, ran[-1]])
    assert found is not None
    assert (found.scenario, found.disabled, found.verified, found.total) == ("scenario1", 2.5, 40.0, 70.0)


def test_what_a_run_did_not_come_to_is_not_measured_and_meets_no_objective() -> None:
    found = timings_of(journal("scenario1")[:8])
    assert found is not None
    assert (found.disabled, found.verified, found.total, found.within_objective) == (2.5, None, None, False)
    assert "objective 300 s NOT MET" in table(found)[0]
    assert table(found)[2:] == ["- Time to verify: not measured", "- Total rollback time: not measured"]


def test_the_objective_of_scenario_1_is_about_validation_and_that_of_scenario_3_about_the_stop() -> None:
    late = [timings_of(journal(scenario, verified=301)) for scenario in ("scenario1", "scenario3")]
    assert [found.within_objective for found in late if found] == [False, True]


def test_a_run_that_stops_nothing_has_none() -> None:
    lines = journal("scenario1")
    assert timings_of([*lines[:3], *lines[9:]]) is None


def test_the_recovery_point_is_what_was_measured_and_nothing_where_it_was_not() -> None:
    points = [{"measured": True, "writes": 0}, {"measured": True, "writes": 7}, {"measured": False}]
    lines = [line("task ended", 40, "recovery_point_info", details={"point": point}) for point in points]
    died = line("task ended", 41, "recovery_point_info", failed=True)
    assert accepted_since_the_fence([*journal("scenario3"), *lines, died]) == [0, 7, None, None]
    assert accepted_since_the_fence(journal("scenario1")) == []


def test_half_a_line_at_the_end_is_left_out() -> None:
    assert parsed('{"a": 1}\n{"a": 2}\n{"a":') == [{"a": 1}, {"a": 2}]


def test_a_stage_begins_where_molecule_says_so_also_in_pieces_and_again() -> None:
    stages = Stages()
    stages.read("INFO     [scenario1 > verify] Execut", 1.0)
    stages.read("ing\nINFO     [scenario1 > verify] Executing Testinfra tests found in …\n", 2.0)
    stages.read("INFO     [scenario1 > verify] Executed: Successful\nINFO     [scenario1 > verify] Executing\n", 5.0)
    stages.end(9.0)
    assert (stages.ended, stages.failed) == ([("verify", 3.0), ("verify", 4.0)], "")


def test_the_first_stage_that_fails_is_named_and_not_what_clears_up_after_it() -> None:
    stages = Stages()
    for name in ("verify", "destroy"):
        stages.read(f"INFO     [scenario1 > {name}] Executing\n", 0.0)
        stages.read(f"ERROR    [scenario1 > {name}] \x1b[31mExecuted: Failed\x1b[0m\n", 1.0)
    assert stages.failed == "verify"


def test_a_failed_stage_says_why_by_the_last_that_was_said_in_it() -> None:
    stages = Stages()
    stages.read("INFO     [scenario1 > converge] Executing\n[ERROR]: The play went on after this one\n", 0.0)
    stages.read("INFO     [scenario1 > verify] Executing\n", 1.0)
    assert stages.reason == ""
    stages.read("FAILED test_account.py::test_nothing_is_missing - assert ['lane:7'] == []\n", 2.0)
    stages.read("ERROR    [scenario1 > verify] Executed: Failed\nINFO     [scenario1 > destroy] Executing\n", 3.0)
    stages.read("[ERROR]: And what came after it\n", 4.0)
    why = "test_account.py::test_nothing_is_missing - assert ['lane:7'] == []"
    assert (stages.failed, stages.reason) == ("verify", why)


def test_each_stage_has_its_own_time_from_its_own_beginning() -> None:
    stages = Stages({"converge": 10})
    stages.read("INFO     [scenario1 > converge] Executing\n", 100.0)
    assert stages.late(109.0) == ""
    assert stages.late(111.0) == "converge was not done after 10 s"
    stages.read("INFO     [scenario1 > cleanup] Executing\n", 111.0)
    assert stages.late(112.0) == ""
