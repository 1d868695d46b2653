# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis dies right after the block is held and Sentinel makes its replica the master: the block is held there."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import until
from tests.playbooks.place import BLOCK
from tests.rehearsal.steady import sentinel


@pytest.mark.drill
def test_redis_failing_over(drill: Drill) -> None:
    redis1, redis2 = (drill.estate.fleet[name] for name in ("redis1", "redis2"))
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    until(lambda: drill.place.redis("GET", BLOCK) == "true", "the block to be held", timeout=240)
    drill.after(redis1.wait_until_ready)
    drill.after(redis1.run, ["systemctl", "start", "redis-server"])
    redis1.run(["systemctl", "kill", "--signal=KILL", "redis-server"])
    redis1.run(["systemctl", "stop", "redis-server"])
    leads = [redis2.address, "6379"]
    until(lambda: sentinel(drill.estate, "get-master-addr-by-name", "mymaster") == leads, "a failover", timeout=60)
    assert running.alive, "it ended before Redis failed over: this shows nothing"
    # Who fails over goes on with the new master.
    drill.place.master = "redis2"
    drill.stop(running=running, says=["redis1: write block held by", "redis2: write block held by"])
    drill.finish()
