# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seconds of each step in the timings of an incident: whose they are, and which step has none."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import steps_of_runs

from .chronicles import ON, Story, repaired, stopped


def test_a_step_takes_as_long_as_the_host_that_takes_longest() -> None:
    story = Story().play(0, "1. Contain")
    story.task(3, "feature_flag", ON, took=1.5).task(3, "feature_flag", ON, host="db2", took=2.5)
    assert steps_of_runs([story.record]) == {"kill": 2.5}


def test_what_goes_on_beside_the_kill_tells_its_own_time() -> None:
    story = Story().play(0, "1. Contain").task(3, "feature_flag", {**ON, "elapsed_ms": 80}, took=2.0)
    # The process of the kill raised the fence: its task took no time, and asked no host.
    story.task(3.1, "write_fence", {"status": "proven", "elapsed_ms": 20}, took=0.1)
    assert steps_of_runs([story.record]) == {"kill": 0.08, "fence": 0.02}


@pytest.mark.parametrize("status", ["absent", "lowered", "dormant"])
def test_to_lower_a_fence_is_no_part_of_raising_it(status: str) -> None:
    raised = Story().play(0, "1. Contain").task(3, "write_fence", {"status": "proven", "elapsed_ms": 20})
    lowered = {"status": status, "elapsed_ms": 9000}
    assert steps_of_runs([raised.task(60, "write_fence", lowered, role="recover").record]) == {"fence": 0.02}
    alone = Story().play(0, "1. Recover").task(3, "write_fence", lowered, role="recover")
    assert steps_of_runs([alone.record]) == {}


def test_a_step_is_told_by_the_first_run_that_did_it() -> None:
    again = Story(began=900, run_id="run-3").play(900, "1. Contain").task(905, "write_fence", {}, took=4.0).record
    found = steps_of_runs([again, repaired().record, stopped().record])
    assert (found["fence"], "repair" in found) == (1.0, True)


def test_what_failed_and_what_was_only_begun_has_no_time() -> None:
    story = Story().play(0, "1. Contain").task(3, "write_fence", {"status": "proven"}, failed=True)
    story.task(4, "pg_dump", took=1.0)
    assert steps_of_runs([story.record]) == {}
