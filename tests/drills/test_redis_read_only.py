# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only Redis that the inventory knows has become a replica: it is left alone, and no block is claimed."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.ground import lead
from tests.hosts.host import until
from tests.playbooks.place import BLOCK

# A team without Sentinels in its inventory.
ALONE = {"kanban_redis_hosts": "redis1", "kanban_redis_sentinels": []}


@pytest.mark.drill
def test_redis_read_only(drill: Drill) -> None:
    lead(drill.estate, "redis2")
    # Sentinel tells the old master a little later.
    until(lambda: "READONLY" in drill.place.redis("SETRANGE", "staging:refused", "0", ""), "it to refuse", timeout=30)
    drill.place.master = "redis2"
    drill.stop(
        fails=True,
        says=[
            "CONTAINED IN PART",
            "redis1: a Redis replica, it gets the write block from its master",
            "the master of redis1 was not asked",
            "put it in the redis group, or give the Sentinels in kanban_redis_sentinels",
            "the fence is proven",
            "db1: dump of",
        ],
        never=["the write block is held"],
        extra={**HASTY, **ALONE},
    )
    assert drill.place.redis("EXISTS", BLOCK) == "0"
    drill.finish()
