# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranking is measured on few errors, which shows when the entry no longer runs."""

from __future__ import annotations

from tests.bench.entries.ranking import INDEXED
from tests.bench.entry import Settings
from tests.bench.runner import measure


def test_the_ranking_is_measured_and_both_lists_are_one() -> None:
    report = measure(INDEXED, Settings(tenants=10_000, runs=1))
    assert report.why_not == ""
    assert all(row.ours > 0 and row.baseline for row in report.rows)
