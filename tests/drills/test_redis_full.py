# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis is full and evicts nothing: the block is refused; the screen says so and what helps; the rest does not wait."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill

_FILLER = "staging:filler"
_BYTES = 32 << 20


@pytest.mark.drill
def test_redis_full(drill: Drill) -> None:
    redis = drill.place.redis
    drill.after(redis, "DEL", _FILLER)
    drill.after(redis, "CONFIG", "SET", "maxmemory", "0")
    redis("SETRANGE", _FILLER, str(_BYTES), "x")
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis("CONFIG", "SET", "maxmemory", str(_BYTES))
    assert "OOM" in redis("SET", "staging:refused", "x"), "it takes writes: this shows nothing"
    drill.stop(
        fails=True,
        says=[
            "CONTAINED IN PART",
            "the write block on redis1 is not known to be held",
            "when used memory > 'maxmemory'. Free memory or raise maxmemory",
            "the fence is proven",
            "db1: dump of",
        ],
        never=["the write block is held", "it is gone"],
        extra=HASTY,
    )
    drill.finish()
