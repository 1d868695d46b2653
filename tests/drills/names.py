# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that runs make up for an incident: one for each thousandth of the day."""

from __future__ import annotations

import time

from tests.drills.drill import Drill
from tests.hosts.host import until


def let_names_differ(drill: Drill) -> None:
    """Wait until a run would make up another name than the last one did."""
    began = _thousandth(time.time() - drill.running[-1].seconds)
    until(lambda: _thousandth(time.time()) != began, "another thousandth of the day", timeout=90, pause=0.5)


def _thousandth(at: float) -> int:
    return int(at % 86400 / 86.4)
