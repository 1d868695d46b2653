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
_STOPPED = "Tt"


class Process(NamedTuple):
    """``uptime``: seconds since it began. ``memory``: bytes that are resident; None if the kernel does not say."""

    parent: int
    stopped: bool
    uptime: float
    memory: int | None


def look(pid: int) -> Process | None:
    """Return a live process; None if there is none, or only what is left of one."""
    try:
        # The name is in brackets and may contain anything; the fields after it are state, parent's pid, ...
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] in _ENDED:
            return None
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
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
