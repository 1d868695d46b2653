# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a job of Ansible still has a process on this host. Neither Ansible nor a driver.

Ansible's file about a job says that it was started until the job itself writes more. If the host was restarted, or the
kernel ended the job's process for lack of memory, we would wait for it until its time is over.
"""

from __future__ import annotations

import os
from pathlib import Path

_WRAPPER = b"async_wrapper"
_START_TIME = 19  # Field 22 of proc_pid_stat(5), counted from the end of the name.


def is_gone(job_id: str, proc: Path = Path("/proc")) -> bool:
    """Return whether the job has no process; false also if that cannot be seen.

    Each of its processes is Ansible's wrapper with the job's id, without the number after the dot, as an argument.
    """
    token, seen_own = os.fsencode(job_id.partition(".")[0]), False
    try:
        numbers = [name for name in os.listdir(proc) if name.isdigit()]
    except OSError:
        return False
    for number in numbers:
        try:
            arguments = (proc / number / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # It has ended meanwhile, or we may not see it.
        seen_own = seen_own or int(number) == os.getpid()
        if token in arguments and any(_WRAPPER in one for one in arguments):
            return False
    return seen_own


def started_at(proc: Path = Path("/proc")) -> float | None:
    """Return when this host, or its container, was started, in seconds since 1970; None if that cannot be seen."""
    try:
        lines = (proc / "stat").read_text().splitlines()
        booted = next(float(line.split()[1]) for line in lines if line.startswith("btime "))
        fields = (proc / "1" / "stat").read_text().rpartition(")")[2].split()
        return booted + float(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
