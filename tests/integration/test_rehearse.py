# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rehearse.yml: the scenario's real playbook on staging, verified, timed, and everything as before to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.journals import lines, tasks
from tests.integration.place import Database
from tests.integration.rehearsals import Staging


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on, and rows that are corrupt already."""
    return Staging.load(db, directory)


def test_scenario_3_is_rehearsed_and_everything_is_as_before(place: Staging) -> None:
    before = place.rows()
    run = place.rehearse()
    assert run.rc == 0, run.output
    assert place.rows() == before
    assert place.open() == []
    for said in (
        "REHEARSED: scenario3, and all is as before.",
        "Time to disable feature flag: ",
        "Time to verify: ",
        "Total rollback time: ",
        "db1: 8 tenants switched on for it; 7 of duplicate in public.TicketTags; 7 of orphan in public.Tags",
    ):
        assert said in run.screen, run.output
    # One run, one incident, one journal: of the scenario's own tasks.
    ((incident, seconds),) = place.db.rows(
        """SELECT incident_id, data -> 'seconds' FROM kanban_rollback.events WHERE event = 'rehearsal ended'"""
    )
    assert seconds["disable"] + seconds["verify"] == pytest.approx(seconds["total"], abs=0.2)
    (file,) = place.journals(incident)
    found = lines(file)
    on, off, *_later = tasks(found, "feature_flag")
    assert [on["figures"]["changed_count"], off["figures"]["changed_count"]] == [8, 20]
    assert [one["figures"]["removed"] for one in tasks(found, "rehearsal_data")][-1] == 14
    assert found[-1]["data"]["exit"] == {
        "kanban_incident_id": incident,
        "kanban_plan_hash": found[-1]["data"]["exit"]["kanban_plan_hash"],
        "kanban_scenario": "scenario3",
        "kanban_verdict": "contained",
    }
