# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody holds a company's row: they are named, with the line that ends it, and everybody else is off in time."""

from __future__ import annotations

import contextlib

import pytest

from tests.drills.drill import HASTY, Drill

# One of the companies that have V2.
HELD = 20


@pytest.mark.drill
def test_row_held(drill: Drill) -> None:
    with contextlib.closing(drill.estate.site.connect(application="invoicing")) as session:
        session.cursor().execute(f'SELECT FROM "Companies" WHERE id = {HELD} FOR UPDATE')
        pid = session.info.backend_pid
        drill.stop(
            fails=True,
            says=[
                "NOT CONTAINED: 1 of 200 tenants that could be counted still have Kanban V2",
                f"tenant {HELD} is held by pid {pid} (invoicing",
                f"SELECT pg_terminate_backend({pid})",
                "db1: fence proven for",
                "redis1: write block held by",
                "db1: dump of",
            ],
            most=1,
            extra={**HASTY, "kanban_deadline": 6},
        )
    drill.finish()
