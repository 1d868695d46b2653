# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's clock is ten minutes off: what is measured, waited for and kept is right all the same."""

from __future__ import annotations

import glob

import pytest

from tests.drills.drill import Drill

_LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")


@pytest.mark.drill
@pytest.mark.skipif(not _LIBRARY, reason="libfaketime is not installed (apt-get install libfaketime)")
@pytest.mark.parametrize("off", ["-10m", "+10m"], ids=["behind", "ahead"])
def test_clock_off(drill: Drill, off: str) -> None:
    drill.estate.site.disconnect()
    # Of what is waited for the clock that goes on whatever the time of day decides, and it is left alone.
    around = {"LD_PRELOAD": _LIBRARY, "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    running = drill.start(around=around)
    drill.stop(running=running)
    drill.finish()
