# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database's host goes silent just before the stop, or in the middle of the kill, which is not claimed then."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.judge import BOUND, patience
from tests.drills.names import let_names_differ
from tests.hosts.host import Host, until
from tests.playbooks.place import BLOCK

# One of the companies that have V2. Its row keeps the kill busy, so that the moment is certain.
HELD = 20
# What a stop says that gets no answer from any database.
SAYS = ("NOT CONTAINED", "db1: NOT ACCOUNTED FOR", "redis1: write block held by")


@pytest.mark.drill
def test_database_cut_off(drill: Drill) -> None:
    """Nothing can be switched off; what needs no database is done without waiting for it."""
    drill.estate.site.disconnect()
    drill.messages_wait = True
    drill.fault("db1", Host.blackhole)
    running = drill.start(extra=HASTY)
    until(lambda: drill.place.redis("GET", BLOCK) == "true", "the block to be held", timeout=BOUND * patience())
    drill.stop(
        fails=True,
        says=SAYS,
        running=running,
        bound=None,
    )
    # The block has a name that no ledger has, and the second run gets another one.
    let_names_differ(drill)
    drill.finish()


@pytest.mark.drill
def test_database_mute(drill: Drill) -> None:
    drill.estate.site.disconnect()
    with contextlib.closing(drill.estate.site.connect(application="invoicing")) as session:
        session.cursor().execute(f'SELECT FROM "Companies" WHERE id = {HELD} FOR UPDATE')
        running = drill.start(extra={**HASTY, "kanban_deadline": 30})
        until(lambda: drill.watch.looks[-1].on == 1, "all others to be off", timeout=240)
        drill.messages_wait = True
        drill.fault("db1", Host.mute)
        drill.stop(
            fails=True,
            says=SAYS,
            most=1,
            running=running,
        )
    drill.finish()
