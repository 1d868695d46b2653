# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that was forked to work beside its module: it keeps nothing open that others wait for."""

from __future__ import annotations

import os


def give_way(niceness: int) -> None:
    """Let everybody else on the host go first; for a process with a session of its own.

    If the kernel groups processes by session (``autogroup``), it compares the niceness of the groups, and that of a
    process counts only within its own group.
    """
    os.nice(niceness)
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write(str(niceness))
    except OSError:
        pass  # The kernel has no such groups.


def let_go(*kept: int) -> None:
    """Close every inherited descriptor but these: SSH, sudo and Ansible wait for any process with their pipes open.

    The module's connections are closed in this process only: nothing is sent on them.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # The listing's own descriptor, which is closed by now.
