# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application writes back whole settings that it read before the kill: they come back switched off."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.drills.drill import Drill
from tests.drills.watch import EVERY_SECONDS
from tests.playbooks.place import IS_ON
from tests.rehearsal.boards import versions

_LATER_SECONDS = 3
# What comes back before the latch is up, right after the kill, is switched off before anybody is told that it is.
_MOMENT_SECONDS = 1
_ON = f'SELECT id FROM "Companies" WHERE {IS_ON} AND id > 1 ORDER BY id'
_CAUGHT = "SELECT count(*) > 0 FROM kanban_rollback.latched"


@pytest.mark.drill
def test_stale_settings(drill: Drill) -> None:
    application, place = drill.estate.application, drill.place
    drill.after(lambda: application.misbehave(stale_settings=None))
    # Opening the board brings them back so many seconds later.
    application.misbehave(stale_settings=_LATER_SECONDS)
    companies = itertools.cycle(map(int, place.psql(_ON).split()))
    drill.estate.site.disconnect()
    running = drill.start()
    # Somebody keeps opening it until the flag is off, so that there is something to come back.
    while drill.watch.looks[-1].on and running.alive:
        list(versions(drill.estate, next(companies)))
        time.sleep(EVERY_SECONDS)
    drill.stop(running=running, returns=_MOMENT_SECONDS)
    # They may come back before the next look, which then never sees that all were off.
    came_back = any(later.on > earlier.on for earlier, later in itertools.pairwise(drill.watch.looks))
    assert came_back or place.psql(_CAUGHT) == "t", "no old settings came back: this shows nothing"
    drill.finish()
