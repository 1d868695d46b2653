# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody moved a card and left the transaction open: they are named, and everything that needs no fence is done."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, Drill


@pytest.mark.drill
def test_idle_in_transaction(drill: Drill) -> None:
    with contextlib.closing(drill.estate.site.connect(application="board")) as session:
        session.cursor().execute("""UPDATE "Tickets" SET "kanbanOrder" = "kanbanOrder" WHERE id = 1""")
        pid = session.info.backend_pid
        drill.stop(
            fails=True,
            says=[
                "CONTAINED IN PART",
                f"pid {pid} (board",
                f"SELECT pg_terminate_backend({pid})",
                "redis1: write block held by",
                "db1: dump of",
            ],
            never=["db1: fence proven for"],
            extra=HASTY,
        )
        session.rollback()
    drill.finish()
