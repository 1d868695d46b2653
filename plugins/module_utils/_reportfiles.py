# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write small files whole, 0600, and only if they change; one writer at a time. Neither Ansible nor a driver."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from pathlib import Path
from typing import Any, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

LARGEST = 8388608
_LOCK = ".report.lock"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_bytes(path: Path, most: int = LARGEST) -> bytes | None:
    """Return a regular file's content; None if there is none. Raises OSError if it cannot be read."""
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no regular file")
        if status.st_size > most:
            raise OSError(f"it has more than {most} bytes")
        return opened.read(most + 1)


def read_json(path: Path, most: int = LARGEST) -> Any:
    """Return the content of a JSON file; None if there is no file or it is not JSON."""
    try:
        found = read_bytes(path, most)
        return None if found is None else json.loads(found)
    except (OSError, ValueError, RecursionError):
        return None


def write_whole(path: Path, content: bytes, check_mode: bool) -> bool:
    """Write a file if its content differs; return whether it did, or would. Raises OSError.

    The file is either complete or as before: it is written beside under another name, and then renamed.
    """
    try:
        if read_bytes(path) == content:
            return False
    except OSError:
        # A file that cannot be read is written again; if that fails too, the error says why.
        pass
    if check_mode:
        return True
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    return True


@contextlib.contextmanager
def alone(directory: Path, deadline: Deadline, check_mode: bool) -> Iterator[None]:
    """Keep other writers of a directory away; raises BadInput if one does not finish in time."""
    if check_mode:
        yield
        return
    handle = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(handle):
            if deadline.over:
                raise BadInput(
                    "busy",
                    f"Another run is writing in {directory}.",
                    "Two at once would take each other's lines for what people wrote.",
                    "Type the same command again when it has ended.",
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
