# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data checks are measured on few rows, which shows when the entry no longer runs."""

from __future__ import annotations

from tests.bench.entries.integrity import ENTRY
from tests.bench.entry import Settings
from tests.bench.runner import measure


def test_the_checks_are_measured_and_both_counts_are_one() -> None:
    report = measure(ENTRY, Settings(tenants=2_000, runs=1))
    assert report.why_not == ""
    assert all(row.ours > 0 for row in report.rows)
