# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary dies in the middle of scenario 3 and its synchronous replica takes over: nothing is lost."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.failovers import KEPT, ON_DB2, SAYS, fail_over, make_synchronous, stopped_at
from tests.playbooks.runner import SWITCHED_OFF

_FLAG = "the kill holds on the server that took over"


@pytest.mark.drill
def test_failover_sync_once_the_flag_is_off(drill: Drill) -> None:
    make_synchronous(drill)
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    # What is acknowledged from here on waits for the replica, and so does everything before it: the kill.
    with stopped_at(drill, running, SWITCHED_OFF):
        fail_over(drill)
    # The evidence that was kept beside the kill is on the host that died.
    says = [*SAYS, _FLAG, KEPT, "NOT WELL: no evidence of db1"]
    drill.stop(running=running, fails=True, says=says, never=["LOST", "on this controller alone"])
    drill.finish(extra=ON_DB2, undo=ON_DB2)


@pytest.mark.drill
def test_failover_sync_when_all_is_preserved(drill: Drill) -> None:
    """The failover is seen before the last screen, which does not claim what was kept on the host that died."""
    make_synchronous(drill)
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    with stopped_at(drill, running, "PLAY [5. Assess"):
        fail_over(drill)
    again = "0 were switched off again, 0 are on. It had all of the log that this run knows of"
    took_over = "db2: took over from db1 since the kill (timeline 00000001 to 00000002)"
    says = [*SAYS, took_over, again, KEPT, "NOT WELL: no proven dump of db2"]
    drill.stop(running=running, fails=True, says=says, never=["LOST", "on this controller alone"])
    drill.finish(extra=ON_DB2, undo=ON_DB2)
