# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory for a scratch instance, gone when nobody uses it any more, whatever ended the module.

Whoever uses it holds its lock open, children included. A small process of its own waits for the lock, and removes the
directory when it has it: after a SIGKILL of the module too. What a machine that went down left, the next run removes.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

PREFIX = "kanban-point-"
_LOCK = "lock"
# The kernel's limit for a socket's path is 107 bytes; ``/.s.PGSQL.5432`` is what PostgreSQL appends.
_LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.5432")
_TRIES = 3
_REAP_SECONDS = 10
_REMOVER = """
import fcntl, os, shutil, sys
lock = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
for path in sys.argv[2:]:
    shutil.rmtree(path, ignore_errors=True)
"""


@dataclass(frozen=True)
class Place:
    """Where an instance lies. ``lock``: an open file that every child is to keep open."""

    path: Path
    sockets: Path
    lock: int

    def write(self, name: str, text: str, account: pwd.struct_passwd) -> None:
        """Write a file that the instance's account alone reads."""
        path = self.path / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        _give(path, account)


@contextmanager
def scratch_place(base: Path, account: pwd.struct_passwd) -> Iterator[Place]:
    """Make a directory in ``base`` for an account alone, and remove it afterwards; raises KanbanError."""
    ours = not base.exists()
    path, lock = _claim(base, account)
    sockets = path
    try:
        if len(os.fsencode(path)) > _LONGEST_SOCKET_DIRECTORY:
            sockets = Path(tempfile.mkdtemp(prefix=PREFIX))
            _give(sockets, account)
        remover = subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
            [sys.executable, "-c", _REMOVER, str(path / _LOCK), str(path), str(sockets)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield Place(path, sockets, lock)
    except OSError as error:
        raise _unusable(base, error) from error
    finally:
        for directory in (path, sockets):
            shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
        try:
            # It finds nothing left to do.
            remover.wait(_REAP_SECONDS)
        except (NameError, subprocess.TimeoutExpired):
            pass
        if ours:
            _remove_empty(base)


def _claim(base: Path, account: pwd.struct_passwd) -> tuple[Path, int]:
    """Make the directory and hold its lock; what dead runs left is removed first."""
    for last in (*[False] * (_TRIES - 1), True):
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Nobody looks for dead runs while another run is between making its directory and holding its lock.
            alone = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(alone, fcntl.LOCK_EX)
                _sweep(base)
                path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
                lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX)
                _give(path, account)
            finally:
                os.close(alone)
            return path, lock
        except FileNotFoundError as error:
            # Another run was the last to leave, and took the empty directory along.
            if last:
                raise _unusable(base, error) from error
        except OSError as error:
            raise _unusable(base, error) from error
    raise AssertionError("a loop that ends")


def _sweep(base: Path) -> None:
    """Remove directories of ours whose lock nobody holds; others' are left alone."""
    for left in base.glob(f"{PREFIX}*"):
        if left.is_symlink() or not left.is_dir() or left.stat().st_uid not in (os.geteuid(), *_owner(left)):
            continue
        try:
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            _remove_empty(left)
            continue
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def _owner(left: Path) -> tuple[int, ...]:
    """Return whose directories root removes as well: those that it gave away itself, by the lock that stayed root's."""
    try:
        mine = os.geteuid() == 0 and (left / _LOCK).lstat().st_uid == 0
    except OSError:
        return ()
    return (left.stat().st_uid,) if mine else ()


def _remove_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        pass


def _give(path: Path, account: pwd.struct_passwd) -> None:
    if os.geteuid() != account.pw_uid:
        os.chown(path, account.pw_uid, account.pw_gid)


def _unusable(base: Path, error: OSError) -> KanbanError:
    return KanbanError(
        "scratch_unusable",
        f"{base}: {error.strerror or error}.",
        "The backup is restored there to be compared. Nothing was changed.",
        "Give source.scratch_dir where the user that this runs as may write, and that source.user may reach.",
    )
