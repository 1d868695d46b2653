# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests here are as repeatable as all others, and leave nothing in the checkout."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Its caches belong with everything else that is made.
set_hypothesis_home_dir(Path(__file__).parents[2] / ".cache" / "hypothesis")

# Derandomized: the same examples on each run, so a red test is red again. No deadline per example: that would be a
# timed test on a machine that does other things too.
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")
