# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demonstration keeps its files, and how everything is removed. Standard library only.

So ``down`` works with any Python, even if the virtual environment of ``up`` is gone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import accounts, processes

CHECKOUT = Path(__file__).resolve().parents[2]
# Absolute on the command line, by which a run is recognized.
INVENTORY = CHECKOUT / "inventories" / "demo"
DIRECTORY = CHECKOUT / ".cache" / "demo"
CONNECTION = DIRECTORY / "connection.json"
# What is typed to run a playbook on the demonstration's servers.
PROGRAM = DIRECTORY / "ansible-playbook"
BYTE_CODE = CHECKOUT / ".cache" / "byte-code"
_LOCK_SECONDS = 120.0
_POLITE = (signal.SIGINT, signal.SIGTERM)


class DemoError(RuntimeError):
    """Why the demonstration cannot go on, and what to do about it."""


def _elsewhere() -> Path:
    mark = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:12]
    # make_server_directory uses it only if it has just made it.
    return Path("/var/tmp", f"kanban-rollback-demo-{os.geteuid()}-{mark}")  # noqa: S108


def server_directories() -> tuple[Path, Path]:
    """Return where servers may be: in the checkout, and in /var/tmp for an account that cannot reach the checkout."""
    return DIRECTORY / "servers", _elsewhere()


def make_server_directory() -> Path:
    """Make the directory of the servers and return it. Raises DemoError if neither place is usable."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    inside, outside = server_directories()
    inside.mkdir(mode=0o755, exist_ok=True)
    for directory in (DIRECTORY, inside):
        directory.chmod(0o755)
    if accounts.reaches(accounts.unprivileged(), inside):
        return inside
    inside.rmdir()
    try:
        outside.mkdir(mode=0o755)
    except FileExistsError as error:
        # Anybody can write to /var/tmp: what exists there under our name may have been planted.
        raise DemoError(f"{outside} is in the way. Look at it, remove it, and try again.") from error
    outside.chmod(0o755)
    return outside


@contextmanager
def locked() -> Iterator[None]:
    """Let one run at a time use the demonstration; the lock ends with its holder, even if that is killed.

    Raises DemoError when another run holds it for two minutes.
    """
    # Lock a file that exists anyway: nothing to clean up, and the directory itself comes and goes.
    with Path(__file__).open("rb") as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DemoError("another `make demo` of this checkout is running. Let it end first.") from None
                time.sleep(0.2)
        yield


def _plays() -> list[int]:
    """Return the ids of playbook runs that a killed ``up`` left behind: they keep running."""

    def ours(arguments: list[str]) -> bool:
        return str(INVENTORY) in arguments and "ansible-playbook" in map(os.path.basename, arguments[:2])

    return processes.matching(ours)


def _servers(directory: Path) -> list[int]:
    cluster, redis = directory / "postgresql" / "data", directory / "redis" / "redis.conf"
    found = [pid for program in ("initdb", "postgres") for pid in processes.running(program, cluster)]
    return found + [pid for program in ("redis-server", "valkey-server") for pid in processes.running(program, redis)]


def leftovers() -> list[int]:
    """Return the ids of the demonstration's processes, whoever started them."""
    return [*_plays(), *(pid for directory in server_directories() for pid in _servers(directory))]


def down() -> bool:
    """End every process of the demonstration and remove every file; return whether there was anything.

    Safe to repeat, also after an ``up`` that was killed. Raises DemoError when something belongs to another user.
    """
    found = False
    try:
        # Runs have nothing to save, and their modules would keep running.
        for pids, signals in ((_plays(), ()), *((_servers(directory), _POLITE) for directory in server_directories())):
            found = found or bool(pids)
            processes.end(pids, signals, 40.0)
        for directory in (*server_directories(), DIRECTORY):
            if os.path.lexists(directory):
                found = True
                processes.remove_shared_memory(directory / "postgresql" / "data")
                shutil.rmtree(directory)
    except PermissionError as error:
        raise DemoError(
            f"Not permitted: {error}. Another user (root?) started this demonstration: "
            "run `make demo-down` as that user."
        ) from error
    if DIRECTORY.parent.exists() and not any(DIRECTORY.parent.iterdir()):
        DIRECTORY.parent.rmdir()
    return found
