# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account that a server runs under, and the directories that the account can reach.

PostgreSQL and PgBouncer refuse to run as root, so root hands them to an account without privileges.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Which checkout's `.ci/run` started it: the next one ends what is left of a killed one.
MARK = "KANBAN_CI_CHECKOUT"
_DISK, _MEMORY = Path("/var/tmp"), Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own
_IN_MEMORY = "kanban-tests-"
# Bytes that a server with some databases, and what else needs memory, leaves free.
_ROOM = 4 << 30


@dataclass(frozen=True)
class Account:
    """An account to drop to; ``None`` in its place means to keep the current one."""

    uid: int
    gid: int
    name: str

    @property
    def popen(self) -> dict[str, Any]:
        """Return the arguments of ``subprocess`` that drop every privilege."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def unprivileged() -> Account | None:
    """Return the account for servers: the caller of sudo, else ``nobody``; None if this process is not root."""
    if os.geteuid() != 0:
        return None
    sudo_uid = os.environ.get("SUDO_UID", "")
    if sudo_uid.isdigit() and int(sudo_uid) != 0:
        with contextlib.suppress(KeyError):
            return _account(pwd.getpwuid(int(sudo_uid)))
    return _account(pwd.getpwnam("nobody"))


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def drop(account: Account | None) -> dict[str, Any]:
    """Return the ``subprocess`` arguments for an account; an empty map for None."""
    return account.popen if account else {}


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a server's environment: of the caller's, whose PGHOST or locale would leak in, only its run's mark."""
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/", **mark, **(extra or {})}


def byte_code() -> dict[str, str]:
    """Return, for another process's environment, where this one keeps byte code, if that is not beside the sources."""
    return {name: value for name, value in os.environ.items() if name == "PYTHONPYCACHEPREFIX"}


def reaches(account: Account | None, path: Path) -> bool:
    """Return whether the account may enter a directory or run a program, according to the kernel, not to mode bits."""
    command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
    done = subprocess.run(command, cwd="/", env=environment(), timeout=20, check=False, **drop(account))
    return done.returncode == 0


def own_directory(directory: Path, account: Account | None) -> None:
    """Make a directory (0700) that belongs to the account.

    Raises PermissionError if the account cannot get there, as in a checkout under a home of mode 0700.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        os.chown(directory, account.uid, account.gid)
        if not reaches(account, directory):
            raise PermissionError(
                f"{directory} cannot be reached by the account {account.name} that the server runs under. "
                "Choose a directory whose parents everybody may enter."
            )


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file that only its owner reads (0600), owned by the account; an existing one is replaced whole."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if account:
            os.fchown(file.fileno(), account.uid, account.gid)
    temporary.replace(path)


def in_memory() -> Path:
    """Return where files are in memory if the machine has room for that, otherwise the usual place.

    A database is copied there in a tenth of the time. What a killed process has left there is removed.
    """
    for left in _MEMORY.glob(f"{_IN_MEMORY}*"):
        if not Path("/proc", left.name.removeprefix(_IN_MEMORY).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return _MEMORY if _MEMORY.is_mount() and shutil.disk_usage(_MEMORY).free > _ROOM else _DISK


@contextlib.contextmanager
def workspace(prefix: str = "kanban-", place: Path = _DISK) -> Iterator[Path]:
    """Yield a new directory that servers' accounts can reach, and remove it with everything in it.

    pytest's ``tmp_path`` does not work for root: its parent has mode 0700.
    """
    prefix = f"{_IN_MEMORY}{os.getpid()}-" if place == _MEMORY else prefix
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
