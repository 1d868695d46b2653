# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis is killed: the block is not held and the screen says so; flag, fence, evidence and dump do not wait for it."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill


@pytest.mark.drill
@pytest.mark.fast
def test_redis_killed(drill: Drill) -> None:
    # Both, or Sentinel would make the other one the master.
    both = [drill.estate.fleet[name] for name in ("redis2", "redis1")]
    for host in both:
        drill.after(host.wait_until_ready)
    for host in both:
        drill.after(host.run, ["systemctl", "start", "redis-server"])
    for host in both:
        host.run(["systemctl", "kill", "--signal=KILL", "redis-server"])
        host.run(["systemctl", "stop", "redis-server"])
    drill.stop(
        fails=True,
        says=[
            "CONTAINED IN PART",
            "the write block on redis1 is not known to be held",
            "the fence is proven",
            "db1: dump of",
        ],
        never=["the write block is held"],
        extra=HASTY,
    )
    drill.finish()
