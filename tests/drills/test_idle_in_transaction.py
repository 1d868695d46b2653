# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody moved a card and left the transaction open: they are named, and everything that needs no fence is done."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, RUN_SECONDS, Drill
from tests.playbooks.turns import killed_in_turn

_MOVES = """UPDATE "Tickets" SET "kanbanOrder" = "kanbanOrder" WHERE id = 1"""


@pytest.mark.drill
def test_idle_in_transaction(drill: Drill) -> None:
    with contextlib.closing(drill.estate.site.connect(application="board")) as session:
        session.cursor().execute(_MOVES)
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


@pytest.mark.drill
def test_idle_in_transaction_when_the_controller_is_killed(drill: Drill) -> None:
    """It dies while it waits for that transaction: the same command again proves the fence."""
    with contextlib.closing(drill.estate.site.connect(application="board")) as session:
        session.cursor().execute(_MOVES)

        def left(_task: str) -> None:
            drill.flag.judge(drill.running[-1])
            session.rollback()

        killed_in_turn(drill.start, left, moments=("Prove the fence after that",), timeout=RUN_SECONDS)
    drill.finish()
