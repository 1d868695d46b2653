# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""There is no room for the dump or for evidence on the database's host: said, with what helps; the stop needs none."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill

# A file system of its own, in memory and small.
_PLACE = "/dev/shm"  # noqa: S108 - on a host
_FILLER = f"{_PLACE}/filler"
_KEPT = f"{_PLACE}/kanban_rollback"


@pytest.mark.drill
def test_disk_full(drill: Drill) -> None:
    db1 = drill.estate.fleet["db1"]
    drill.after(db1.run, ["rm", "-rf", _KEPT])
    drill.after(db1.run, ["rm", "-f", _FILLER])
    db1.run(["install", "-d", "-o", "postgres", "-m", "0700", _KEPT])
    db1.run(["sh", "-c", f"cat /dev/zero > {_FILLER}; df --output=avail {_PLACE}"], check=False)
    drill.stop(
        fails=True,
        says=["the fence is proven", "the write block is held", "NOT WELL: no proven dump of db1"],
        never=["the dump is proven"],
        extra={**HASTY, "kanban_dump_dir": f"{_KEPT}/dumps"},
    )
    drill.finish()
