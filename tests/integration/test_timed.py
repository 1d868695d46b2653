# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/timed keeps of a run is a journal that follows its schema."""

from __future__ import annotations

from pathlib import Path

from tests.integration.journals import lines
from tests.unit.test_timed_events import RUN, journal


def test_lines_from_a_runners_events_are_as_the_schema_says(tmp_path: Path) -> None:
    _lines, path = journal(tmp_path, RUN)
    assert len(lines(path)) == 8
