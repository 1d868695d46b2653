# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis dies right after the block is held and Sentinel makes its replica the master: the block is held there."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import until
from tests.playbooks.place import BLOCK


@pytest.mark.drill
def test_redis_failing_over(drill: Drill) -> None:
    redis1 = drill.estate.fleet["redis1"]
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    until(lambda: drill.place.redis("GET", BLOCK) == "true", "the block to be held", timeout=240)
    drill.after(redis1.wait_until_ready)
    drill.after(redis1.run, ["systemctl", "start", "redis-server"])
    redis1.run(["systemctl", "kill", "--signal=KILL", "redis-server"])
    redis1.run(["systemctl", "stop", "redis-server"])
    # Clients that fail over go on with the new master.
    drill.redis_fails_over("redis2")
    assert running.alive, "it ended before Redis failed over: this shows nothing"
    drill.stop(running=running, says=["redis1: write block held by", "redis2: write block held by"])
    drill.finish()
