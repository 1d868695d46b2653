# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decided within half an hour, by the matrix: hold; the findings are recorded, and only their owner can read them."""

from __future__ import annotations

from tests.rehearsal import estate, record
from tests.rehearsal.people import WORK

testinfra_hosts = ["local://"]


def test_it_holds_in_time() -> None:
    here = estate.find()
    timings = record.stopped(here)
    assert timings.scenario == "scenario2"
    assert timings.within_objective, timings
    print(f"off after {timings.disabled} s, decided after {timings.verified} s")
    ended = record.read(record.journals(here)[0])[-1]["data"]["exit"]
    assert (ended["kanban_decision"], ended["kanban_verdict"]) == ("hold", "contained")


def test_the_investigation_is_written_down() -> None:
    found = sorted(estate.find().incidents.glob("*/investigation-*"))
    assert {path.suffix for path in found} == {".md", ".json"}
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}


def test_people_work_on_their_boards_and_their_messages_come_in() -> None:
    for crowd in estate.find().crowds:
        crowd.expect(*WORK)
        assert crowd.refused_messages() == [], crowd.name
