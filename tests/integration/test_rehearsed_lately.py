# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rehearse.yml, then report.yml, then preflight.yml: who has rehearsed lately is not warned, here and elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.rehearsals import Staging

NONE = "No green rehearsal of version"
OLD = "The last green rehearsal of version"


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on."""
    return Staging.load(db, directory)


def preflight(place: Staging, **extra: Any) -> str:
    """Return the list of preflight.yml; what else this place lacks does not matter here."""
    run = place.run("preflight", kanban_environment="staging", kanban_fence=True, kanban_flag={}, **extra)
    assert "READY" in run.screen, run.output
    return run.screen


@pytest.mark.drill
def test_a_rehearsal_counts_once_it_is_reported_and_until_it_is_too_old(place: Staging) -> None:
    run = place.rehearse()
    assert run.rc == 0, run.output
    assert NONE in preflight(place)
    report = place.run("report")
    assert report.rc == 0, report.output
    listed = preflight(place)
    assert (NONE in listed, OLD in listed) == (False, False), listed
    assert "days ago, more than 0." in preflight(place, kanban_rehearsal_max_age_days=0)
    # The ledger has it for other controllers too, such as the next job's.
    elsewhere = place.directory / "elsewhere"
    elsewhere.mkdir()
    listed = preflight(Staging(place.db, elsewhere))
    assert (NONE in listed, OLD in listed) == (False, False), listed
