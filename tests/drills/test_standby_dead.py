# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The synchronous standby is dead, so nobody's commit ends: the kill does not wait for it and says who does."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.drills.failovers import make_synchronous
from tests.hosts.host import until

_NO_MORE = "ALTER SYSTEM RESET synchronous_standby_names"
_RELOAD = "SELECT pg_reload_conf()"
_WAIT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.drill
def test_standby_dead(drill: Drill) -> None:
    db1, db2 = drill.estate.fleet["db1"], drill.estate.fleet["db2"]
    drill.messages_wait = True
    drill.after(db1.psql, _RELOAD)
    drill.after(db1.psql, _NO_MORE)
    make_synchronous(drill)
    drill.after(db2.wait_until_ready)
    drill.after(db2.run, ["systemctl", "start", "postgresql@17-main"])
    db2.run(["systemctl", "stop", "postgresql@17-main"], timeout=60)
    until(lambda: db1.psql(_WAIT) != "0", "somebody's commit to wait", timeout=30)
    # Waiting sessions hold their locks, so those tables cannot be fenced before the fault is mended.
    drill.stop(
        fails=True,
        says=[
            "CONTAINED IN PART",
            "db2: NOT ACCOUNTED FOR",
            "waits for a synchronous standby",
            "bring that standby back",
            "db1: dump of",
        ],
        never=["db1: fence proven for"],
        extra=HASTY,
    )
    drill.finish()
