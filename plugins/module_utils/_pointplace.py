# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a scratch instance is kept: a directory with a marker of ours, which a later run finds and removes.

Neither Ansible nor a driver. All of it is done as the account that the instance runs as.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import free_bytes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointerrors import no_room, unusable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import PORT
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._procfs import BEGAN, stat_of

PREFIX = "kanban-point-"
MARKER = "kanban-scratch.json"
_WHAT = "scratch instance of chatia.kanban_rollback"
# By the standard it is on a disk, and survives a reboot: what is left there can be found again.
_ANYWHERE = "/var/tmp"  # noqa: S108 - a directory of our own is made there  # nosec B108
# The kernel's limit for a socket's path.
_LONGEST_SOCKET = 107
_TRIES = 20
_TRY_SECONDS = 0.1


def choose_parent(given: str | None, home: str) -> Path:
    """Return where the instance's directory will be: as given, else the account's home or /var/tmp, by free space.

    Raises KanbanError.
    """
    places = [given] if given else [home, _ANYWHERE]
    usable = [Path(place) for place in places if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)]
    if not usable:
        raise unusable(" and ".join(places), "it is no directory that this account may write to")
    try:
        parent = max(usable, key=free_bytes)
    except OSError as error:
        raise unusable(str(usable[0]), error.strerror or error) from error
    longest = parent / f"{PREFIX}{'0' * 12}" / "socket" / f".s.PGSQL.{PORT}"
    if "," in str(parent):
        raise unusable(str(parent), "PostgreSQL takes a comma in its path for the end of it")
    if len(os.fsencode(longest)) > _LONGEST_SOCKET:
        raise unusable(str(parent), "its path is too long for the socket of an instance in it")
    return parent


def refuse_full(parent: Path, needed: int, reserve: int) -> None:
    """Raise KanbanError if there is too little room, before anything is written."""
    free = free_bytes(parent)
    if free - reserve < needed:
        raise no_room(str(parent), needed, free, reserve)


@contextmanager
def claimed(parent: Path) -> Iterator[tuple[Path, int]]:
    """Make a directory for this process, with an open lock that marks it as in use; remove it in the end.

    Any other process that has the lock open keeps others from removing it, too. Raises KanbanError.
    """
    directory = parent / f"{PREFIX}{secrets.token_hex(6)}"
    try:
        directory.mkdir(mode=0o700)
        lock = os.open(directory / MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(str(directory), error.strerror or error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = {"what": _WHAT, "pid": os.getpid(), "began": _began(os.getpid()), "boot": _boot()}
        os.write(lock, json.dumps(marker).encode())
        yield directory, lock
    finally:
        remove(directory)
        os.close(lock)


def sweep(parent: Path) -> None:
    """Remove what dead runs of this account left in a directory."""
    for path in parent.glob(f"{PREFIX}*"):
        remove_dead(path, os.geteuid())


def remove_dead(directory: Path, owner: int) -> None:
    """Remove one such directory, if it is ours by its marker and its owner, and nobody uses it any more."""
    try:
        status = directory.lstat()
        if status.st_uid != owner or not directory.is_dir() or directory.is_symlink():
            return
        lock = os.open(directory / MARKER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # Whatever is left of a run, including its postmaster, holds the lock.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == owner and _is_dead(os.pread(lock, 1000, 0)):
            remove(directory)
    except OSError:
        pass  # It is in use.
    finally:
        os.close(lock)


def remove(directory: Path) -> None:
    """Remove an instance's directory, its marker last: the next run can then try what could not be removed."""
    for _try in range(_TRIES):
        try:
            for entry in sorted(directory.iterdir(), key=lambda one: one.name == MARKER):
                if entry.name == MARKER:
                    entry.unlink()
                elif entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            directory.rmdir()
        except FileNotFoundError:
            if not directory.exists():
                return
        except OSError:
            pass  # Something that is about to end still writes there.
        else:
            return
        time.sleep(_TRY_SECONDS)


def _is_dead(text: bytes) -> bool:
    """Return whether a marker is ours and its process has ended, by its start: the id may now be another's."""
    try:
        marker = json.loads(text)
        if marker["what"] != _WHAT:
            return False
        return bool(marker["boot"] != _boot() or marker["began"] != _began(int(marker["pid"])))
    except (ValueError, KeyError, TypeError):
        return False


def _began(pid: int) -> str:
    """Return when a process began, in the kernel's own unit; empty if there is none."""
    return "".join(stat_of(pid)[BEGAN : BEGAN + 1])


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read; raises KanbanError."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise unusable(str(path), error.strerror or error) from error


def bytes_in(directory: Path) -> int:
    """Return how many bytes the files below a directory take on the disk; those that vanish meanwhile do not count."""
    found = 0
    for parent, _directories, names in os.walk(directory):
        for name in names:
            try:
                found += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return found
