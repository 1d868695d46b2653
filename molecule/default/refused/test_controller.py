# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopped within the plan's two minutes while people work; no write that the fence refused was acknowledged to them."""

from __future__ import annotations

from tests.rehearsal import estate, record
from tests.rehearsal.timings import OBJECTIVES, stopped_at
from tests.staging.account import MESSAGE, acknowledged

testinfra_hosts = ["local://"]


def test_contained_within_two_minutes() -> None:
    timings = record.stopped(estate.find())
    assert timings.scenario == "scenario3"
    assert timings.disabled is not None
    print(f"contained after {timings.disabled:g} s under load")
    assert timings.disabled <= OBJECTIVES["scenario3"]


def test_no_write_of_the_board_is_acknowledged_any_more_and_messages_are() -> None:
    here = estate.find()
    stopped = stopped_at(record.read(record.journals(here)[0]))
    assert stopped is not None
    for crowd in here.crowds:
        since = [entry.operation for entry in acknowledged(crowd.path, since=stopped)]
        assert set(since) == {MESSAGE}, crowd.name
