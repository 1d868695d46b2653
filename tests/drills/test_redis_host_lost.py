# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of Redis' master loses power just before or during the run: the new master holds the block."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import Host, until
from tests.playbooks.place import BLOCK


@pytest.mark.drill
def test_redis_host_lost_before_the_stop(drill: Drill) -> None:
    """Nobody waits for the failover: it happens while flag and fence are handled."""
    drill.estate.site.disconnect()
    drill.fault("redis1", Host.kill)
    running = drill.start(extra=HASTY)
    drill.redis_fails_over("redis2")
    # Nobody here can know whether the lost Redis still takes writes from somebody.
    gone = "redis1: write block NOT ACCOUNTED FOR: could not be reached"
    drill.stop(
        running=running, fails=True, says=[gone, "redis2: write block held by", "the fence is proven", "db1: dump of"]
    )
    assert drill.place.redis("GET", BLOCK) == "true"
    drill.finish()


@pytest.mark.drill
def test_redis_host_lost_once_it_holds_the_block(drill: Drill) -> None:
    """What was acknowledged to the run may or may not be gone with that host: the new master is asked."""
    drill.estate.site.disconnect()
    running = drill.start(extra=HASTY)
    until(lambda: drill.place.redis("GET", BLOCK) == "true", "the block to be held", timeout=240)
    drill.fault("redis1", Host.kill)
    drill.redis_fails_over("redis2")
    assert running.alive, "it ended before Redis failed over: this shows nothing"
    drill.stop(running=running, fails=True, says=["redis2: write block held by", "the fence is proven", "db1: dump of"])
    assert drill.place.redis("GET", BLOCK) == "true"
    drill.finish()
