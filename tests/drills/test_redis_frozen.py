# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis is frozen: the kernel accepts, but nobody answers. The block is given up in time, and nothing else waits."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill


@pytest.mark.drill
def test_redis_frozen(drill: Drill) -> None:
    # Both, or Sentinel would make the other one the master.
    for name in ("redis2", "redis1"):
        host = drill.estate.fleet[name]
        drill.after(host.run, ["systemctl", "kill", "--signal=CONT", "redis-server"])
        host.run(["systemctl", "kill", "--signal=STOP", "redis-server"])
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
