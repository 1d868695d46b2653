# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who decides where a path leads and what is there, for root must not follow others. Neither Ansible nor a driver."""

from __future__ import annotations

import errno
import os
import stat
from typing import Iterator

# As many as the kernel follows.
_MOST_LINKS = 40
# Groups of administrators: root's, and Debian's staff, which may write below /usr/local.
_ADMINISTRATORS = (0, 50)


def foreign_link(path: str, uid: int) -> str | None:
    """Return the first link on the way to a path that belongs neither to root nor to this account; raises OSError."""
    for step, status in _way(path):
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, uid):
            return step
    return None


def not_roots_own(program: str) -> str | None:
    """Return the first step on the way to a program that others than root may change; raises OSError.

    Its directory counts too: what the program starts is looked for there first.
    """
    directory = os.path.dirname(program)
    if _others_write(os.stat(directory)):
        return directory
    for step, status in _way(program):
        mode = status.st_mode
        # In a directory like /tmp others may add files, and change only their own.
        kept = stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)
        if status.st_uid != 0 or (_others_write(status) and not kept):
            return step
    return None


def _others_write(status: os.stat_result) -> bool:
    by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in _ADMINISTRATORS
    return bool(by_group or status.st_mode & stat.S_IWOTH)


def _way(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each step to an absolute path as the kernel goes there: directories, links and what they lead to."""
    here, left, links = "/", path.split("/")[::-1], 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, name)
        status = os.lstat(step)
        yield step, status
        if not stat.S_ISLNK(status.st_mode):
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(step)
        left += target.split("/")[::-1]
        here = "/" if target.startswith("/") else here
