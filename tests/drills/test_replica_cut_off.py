# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The link to the database's replica is a black hole: it is missed by name, and the primary waits for nobody."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import Host


@pytest.mark.drill
def test_replica_cut_off(drill: Drill) -> None:
    drill.fault("db2", Host.blackhole)
    drill.stop(
        fails=True,
        says=["db2: NOT ACCOUNTED FOR", "db1: fence proven for", "redis1: write block held by", "db1: dump of"],
        extra=HASTY,
    )
    drill.finish()
