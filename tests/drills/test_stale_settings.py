# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application writes whole settings back that it read before the kill: they come back off."""

from __future__ import annotations

import pytest

from tests.drills.drill import Drill


@pytest.mark.drill
def test_stale_settings(drill: Drill) -> None:
    application = drill.estate.application
    drill.after(lambda: application.misbehave(stale_settings=None))
    # Whoever opens the board brings them back so many seconds later, over and over while people work.
    application.misbehave(stale_settings=3)
    drill.stop(returns=True)
    drill.finish()
