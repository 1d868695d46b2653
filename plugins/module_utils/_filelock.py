# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on an open file between processes, which the kernel releases with its holder. Neither Ansible nor a driver."""

from __future__ import annotations

import fcntl
import time

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline


def taken(handle: int, deadline: Deadline, every: float) -> bool:
    """Lock an open file until it is closed; False if another process still has it at the deadline. Raises OSError.

    :param every: seconds between two tries.
    """
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.over:
                return False
            time.sleep(every)
        else:
            return True
