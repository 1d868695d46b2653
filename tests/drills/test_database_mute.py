# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database's host says is lost on the way while the kill is under way: done there, and claimed by nobody."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import Host, until

# One of the companies that have V2. Its row keeps the kill busy, so that the moment is certain.
HELD = 20


@pytest.mark.drill
def test_database_mute(drill: Drill) -> None:
    drill.estate.site.disconnect()
    with contextlib.closing(drill.estate.site.connect(application="invoicing")) as session:
        session.cursor().execute(f'SELECT FROM "Companies" WHERE id = {HELD} FOR UPDATE')
        running = drill.start(extra={**HASTY, "kanban_deadline": 30})
        until(lambda: drill.watch.looks[-1].on == 1, "all others to be off", timeout=240)
        drill.fault("db1", Host.mute)
        drill.stop(
            fails=True,
            says=["NOT CONTAINED", "db1: NOT ACCOUNTED FOR", "redis1: write block held by"],
            most=1,
            running=running,
        )
    drill.finish()
