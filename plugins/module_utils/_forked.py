# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that was forked to work beside its module: it holds nothing that anybody else waits for."""

from __future__ import annotations

import os


def let_go(*kept: int) -> None:
    """Close every inherited descriptor but these: SSH, sudo and Ansible wait for whoever holds their pipes.

    The module's connections are closed here, and only here: nothing is said on them.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # The listing's own, which is closed by now.
