# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody has given Redis a password: the block is refused, and the screen says so and what helps."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill

_PASSWORD = "new-since-yesterday"


@pytest.mark.drill
def test_redis_noauth(drill: Drill) -> None:
    known = ["env", f"REDISCLI_AUTH={_PASSWORD}", "redis-cli", "CONFIG", "SET", "requirepass", ""]
    # Open connections stay open: people, replica and Sentinel go on.
    drill.after(drill.estate.fleet["redis1"].run, known)
    drill.place.redis("CONFIG", "SET", "requirepass", _PASSWORD)
    assert "NOAUTH" in drill.place.redis("PING"), "it lets anybody in: this shows nothing"
    drill.stop(
        fails=True,
        says=[
            "CONTAINED IN PART",
            "the write block on redis1 is not known to be held",
            "Authentication required",
            "the fence is proven",
            "db1: dump of",
        ],
        never=["the write block is held"],
        extra=HASTY,
    )
    drill.finish()
