# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client programs: which of those on the host to use, and how well they compress."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import (
    AUTO,
    NAMED_METHODS,
    compress_argument,
    parse_version,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import ask
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

# Where packages keep the programs of each version; Debian puts a wrapper on PATH that chooses by itself.
_LAYOUTS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_WRAPPER = "pg_wrapper"
_BY_HAND = "Install the package of the server's version (postgresql-client), or name its directory in bin_dir."


@dataclass(frozen=True)
class Programs:
    """The programs of one version, in one directory."""

    directory: str
    major: int
    version: str

    def path(self, name: str) -> str:
        """Return the full path of a program, there or not."""
        return os.path.join(self.directory, name)

    @property
    def is_complete(self) -> bool:
        """Tell whether both programs are there themselves, not a wrapper that chooses among those of ``_LAYOUTS``."""
        wrapped = os.path.basename(os.path.realpath(self.path("pg_dump"))) == _WRAPPER
        return self.has("pg_dump") and self.has("pg_restore") and not wrapped

    def has(self, name: str) -> bool:
        """Tell whether a program is there."""
        return os.access(self.path(name), os.X_OK)


def find_programs(bin_dir: str | None, server_major: int, server_version: str) -> Programs:
    """Return the programs of the server's own major version, else the newest that are not older; raises KanbanError.

    Only a newer pg_restore reads what a newer pg_dump wrote, and from 17 on that one stumbles over an older server.

    :param bin_dir: the only directory to look in, or None for PATH and where packages keep them.
    """
    places = [bin_dir] if bin_dir else [*(place for layout in _LAYOUTS for place in glob.glob(layout)), *_on_path()]
    found: list[Programs] = []
    for place in places:
        known = Programs(os.path.abspath(place), 0, "")
        if not known.is_complete or known.directory in [one.directory for one in found]:
            continue
        version = parse_version(ask([known.path("pg_dump"), "--version"]))
        if version:
            found.append(Programs(known.directory, *version))
    if not found:
        raise KanbanError(
            "no_pg_dump",
            f"No pg_dump was found in {bin_dir or 'PATH, ' + ', '.join(_LAYOUTS)}.",
            "The dump is made by PostgreSQL's own client. Nothing was dumped.",
            _BY_HAND,
        )
    newest = max(found, key=lambda one: one.major)
    if newest.major < server_major:
        raise KanbanError(
            "client_too_old",
            f"The newest pg_dump here is {newest.version} ({newest.directory}), and the server is {server_version}.",
            "An older pg_dump does not know what a newer server has, and refuses. Nothing was dumped.",
            _BY_HAND,
        )
    return next((one for one in found if one.major == server_major), newest)


def _on_path() -> list[str]:
    return [place for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(place)]


def choose_compress(programs: Programs, choice: str) -> str:
    """Return a method that this pg_dump has, the best one for ``auto``; raises BadInput."""
    if choice == "auto":
        return next(method for method in AUTO if method == AUTO[-1] or not _refusal(programs, method))
    refusal = _refusal(programs, choice)
    if refusal:
        raise BadInput(
            "compress_unsupported",
            f"pg_dump {programs.version} refuses compress {choice!r}: {refusal}",
            "Nothing was dumped.",
            "Leave compress out (auto takes the best there is), or name another method.",
        )
    return choice


def _refusal(programs: Programs, choice: str) -> str:
    """Return why this pg_dump would not compress like that, or nothing: it says so before it connects to anything."""
    try:
        argument = compress_argument(choice, programs.major)
    except BadInput as error:
        if error.code != "compress_unsupported":
            raise
        return error.what
    if programs.major < NAMED_METHODS:
        return ""
    # Parallel jobs into a plain file are impossible: it ends at once and says so, unless the method is refused first.
    said = ask([programs.path("pg_dump"), "--format=plain", "--jobs=2", f"--compress={argument}"]).strip()
    return "" if "parallel backup" in said else said.replace("pg_dump: error: ", "")
