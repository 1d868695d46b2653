# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people type the same command at the same moment: one incident, one stop, and neither sees a failure."""

from __future__ import annotations

import pytest

from tests.drills.drill import Drill
from tests.drills.looks import dumps


@pytest.mark.drill
def test_two_controllers(drill: Drill) -> None:
    drill.estate.site.disconnect()
    both = [drill.start(extra={"kanban_operator": who}) for who in ("ana", "maria")]
    runs = [drill.stop(running=running) for running in both]
    assert len(drill.place.psql("SELECT incident_id FROM kanban_rollback.incidents").split()) == 1
    assert len({run.incident for run in runs}) == 1
    assert len(dumps(drill.place)) == 1
    drill.finish()
