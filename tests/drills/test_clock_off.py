# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's clock is ten minutes off: measurements, waits and records are right nevertheless."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.drills.drill import RUN_SECONDS, Drill
from tests.drills.judge import patience
from tests.playbooks.runner import Running
from tests.rehearsal.record import journals, read
from tests.rehearsal.timings import timings_of

_LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
# How the kernel shows what a process waits for that waits for a lock.
_FUTEX = re.compile(r"202 (0x[0-9a-f]+) ")
# Fields of an unnamed mapping, besides its addresses.
_NAMELESS = 4
# A run's journal begins a little later than its command.
_NEAR_SECONDS = 30


class LibraryHangsError(AssertionError):
    """A process waits for a lock of the library that another thread held at the fork: that shows nothing."""


def _hangs(running: Running) -> bool:
    """Tell whether a process with one thread waits for a lock of the library: no other thread can release it."""
    argv = ["ps", "--ppid", str(running.pid), "-o", "pid="]
    for pid in subprocess.run(argv, check=False, capture_output=True, text=True).stdout.split():
        with contextlib.suppress(OSError):
            threads = os.listdir(f"/proc/{pid}/task")
            waits_for = _FUTEX.match(Path(f"/proc/{pid}/syscall").read_text(encoding="ascii"))
            if waits_for and len(threads) == 1 and _its_own(Path(f"/proc/{pid}/maps"), int(waits_for[1], 16)):
                return True
    return False


def _its_own(maps: Path, address: int) -> bool:
    """Tell whether an address is in the library, or in the unnamed mappings right after it, which belong to it."""
    end = 0
    for line in maps.read_text(encoding="utf-8").splitlines():
        where, *fields = line.split()
        begin, end_of_it = (int(part, 16) for part in where.split("-"))
        if fields[-1] == _LIBRARY or (begin == end and len(fields) == _NAMELESS):
            if begin <= address < end_of_it:
                return True
            end = end_of_it
    return False


@pytest.mark.drill
@pytest.mark.skipif(not _LIBRARY, reason="libfaketime is not installed (apt-get install libfaketime)")
@pytest.mark.flaky(reruns=2, only_rerun="LibraryHangsError")
@pytest.mark.parametrize("seconds", [-600, 600], ids=["behind", "ahead"])
def test_clock_off(drill: Drill, seconds: int) -> None:
    drill.estate.site.disconnect()
    # Waits go by the monotonic clock, which is left alone.
    around = {"LD_PRELOAD": _LIBRARY, "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    began = time.time()
    running = drill.start(around=around)
    while running.alive and running.seconds < RUN_SECONDS * patience():
        if _hangs(running):
            raise LibraryHangsError
        time.sleep(1)
    run = drill.stop(running=running)
    *_before, journal = journals(drill.estate)
    lines = read(journal)
    shift = datetime.fromisoformat(lines[0]["at"]).timestamp() - began
    assert abs(shift - seconds) < _NEAR_SECONDS, f"the run's clock was {shift:.0f} s off: this shows nothing"
    timings = timings_of(lines)
    assert timings is not None
    assert timings.disabled is not None
    assert 0 < timings.disabled < run.seconds
    drill.finish()
