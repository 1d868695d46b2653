# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal shows that the objective is met, and no inbound message was refused."""

from __future__ import annotations

from tests.rehearsal import estate, record
from tests.staging.account import MESSAGE

testinfra_hosts = ["local://"]


def test_the_objective_is_met() -> None:
    timings = record.stopped(estate.find())
    print(timings)
    assert timings.within_objective, timings
    assert timings.total is not None


def test_the_journals_are_for_their_owner_alone() -> None:
    paths = record.journals(estate.find())
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in paths} == {0o700}


def test_people_are_at_work_and_their_messages_come_in() -> None:
    for crowd in estate.find().crowds:
        crowd.expect(MESSAGE)
        assert crowd.refused_messages() == [], crowd.name
