# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a dump is made: room for it, one run at a time, a name of its own until it is proven. No driver, no Ansible."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import sync_directory
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

_LOOK_EVERY_SECONDS = 0.1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Claim:
    """The right to make the dump ``dest``: ``lock`` is an open file that every child keeps open too."""

    dest: Path
    lock: int

    @property
    def partial(self) -> Path:
        """Where the dump is until it is proven."""
        return self.dest.with_name(f"{_partials(self.dest)}{os.getpid()}")

    @property
    def scratch(self) -> Path:
        """Where an instance to restore into may be."""
        return self.dest.with_name(f"{_scratches(self.dest)}{os.getpid()}")


def _partials(dest: Path) -> str:
    return f".{dest.name}.partial-"


def _scratches(dest: Path) -> str:
    return f".{dest.name}.scratch-"


def full_path(dest: str) -> Path:
    """Return the directory that is meant: ``~`` expanded, links followed; raises BadInput for an unusable name."""
    path = Path(os.path.realpath(os.path.expanduser(dest)))
    if not dest.strip() or path.parent == path or len(path.name.encode()) > 200:
        raise BadInput(
            "bad_dest",
            f"dest is {dest!r}, which cannot become a new directory.",
            "Nothing was dumped.",
            "Give the full path of the directory that the dump is to be, not of the one it is to be in.",
        )
    return path


def unusable(path: Path, error: OSError) -> KanbanError:
    """Return the typed error for a place that cannot be written."""
    if error.errno in _FULL:
        return KanbanError(
            "disk_full",
            f"{path}: {error.strerror}.",
            "The dump is not whole; what had been written was removed.",
            "Free space there, or give dest on another disk, then run the same command again.",
        )
    return KanbanError(
        "dest_unusable",
        f"{path}: {error.strerror or error}.",
        "Without a place there is no dump. Nothing was kept.",
        "Give dest where this user may make directories, on a local disk.",
    )


def nearest(path: Path) -> Path:
    """Return what exists of ``path``: itself, or the directory that it will be made in; raises OSError."""
    while not path.exists():
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Return what an ordinary user may still write where ``path`` is, or will be; raises OSError."""
    status = os.statvfs(nearest(path))
    return status.f_bavail * status.f_frsize


def is_free(dest: Path) -> bool:
    """Tell whether nothing is there: an empty directory counts as nothing."""
    return not os.path.lexists(dest) or (dest.is_dir() and not dest.is_symlink() and not any(dest.iterdir()))


@contextmanager
def claimed(dest: Path, deadline: Deadline) -> Iterator[Claim]:
    """Hold the one right to make ``dest``, waiting for another run of it until the deadline; raises KanbanError.

    Anything that dead runs left beside it is removed. They are known to be dead because whatever was left of them,
    pg_dump included, would still hold their lock.
    """
    path = dest.with_name(f".{dest.name}.lock")
    try:
        dest.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _locked(path, deadline)
    except OSError as error:
        raise unusable(path, error) from error
    try:
        for left in dest.parent.iterdir():
            if left.name.startswith((_partials(dest), _scratches(dest))):
                remove(left)
        yield Claim(dest, lock)
    finally:
        # While the lock is still held: a run that opened the file meanwhile sees that it is gone, and makes a new one.
        path.unlink(missing_ok=True)
        os.close(lock)


def _locked(path: Path, deadline: Deadline) -> int:
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(lock).st_ino == path.stat().st_ino:
                os.ftruncate(lock, 0)
                os.pwrite(lock, str(os.getpid()).encode(), 0)
                return lock
        except BlockingIOError:
            pass
        except BaseException:
            os.close(lock)
            raise
        holder = os.pread(lock, 20, 0).decode("ascii", "replace")
        os.close(lock)
        if deadline.over:
            raise KanbanError(
                "busy",
                f"Another run (pid {holder or 'unknown'}) was still making this dump when the deadline came.",
                "Two at once would write the same files. This one dumped nothing.",
                "Wait for the other run; the same command then returns what it made.",
            )
        time.sleep(_LOOK_EVERY_SECONDS)


def remove(directory: Path) -> None:
    """Remove a directory of ours with what is in it; what cannot be removed is left for the next run to try."""
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def made(directory: Path) -> Iterator[Path]:
    """Make a directory for this user alone, and remove it again unless it was renamed; raises KanbanError."""
    try:
        directory.mkdir(mode=0o700)
    except OSError as error:
        raise unusable(directory, error) from error
    try:
        yield directory
    except OSError as error:
        raise unusable(directory, error) from error
    finally:
        remove(directory)


def publish(partial: Path, dest: Path) -> None:
    """Give a proven dump its name, durably; raises OSError."""
    os.rename(partial, dest)
    sync_directory(dest.parent)
