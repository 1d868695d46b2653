# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about a process. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

_ENDED = "ZXx"
# The field of ``stat_of`` that says when it began, in clock ticks since the machine's boot.
BEGAN = 19
_STOPPED = "Tt"


class Process(NamedTuple):
    """``uptime``: seconds since it began. ``memory``: bytes that are resident; None if the kernel does not say."""

    parent: int
    stopped: bool
    uptime: float
    memory: int | None


def stat_of(pid: int) -> list[str]:
    """Return a live process's fields from its state on: state, parent's pid, ...; empty if there is none.

    One that has ended and that nobody has waited for is none: where the first process is no init, it is listed on.
    """
    try:
        # The name before them is in brackets and may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
    return fields if fields and fields[0] not in _ENDED else []


def look(pid: int) -> Process | None:
    """Return a live process; None if there is none."""
    fields = stat_of(pid)
    try:
        began = int(fields[BEGAN]) / os.sysconf("SC_CLK_TCK")
    except (ValueError, IndexError):
        return None
    # Not by the time of day, which may have been changed since.
    uptime = max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    return Process(int(fields[1]), fields[0] in _STOPPED, uptime, _memory(pid))


def _memory(pid: int) -> int | None:
    try:
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # It has ended since.
    return None
