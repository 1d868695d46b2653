# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the host that a dump is made on: client programs, room, earlier dumps. Reads only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Collection, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import (
    Programs,
    choose_compress,
    find_programs,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import Source
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import previous_dump
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import free_bytes, nearest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpverify import choose_scratch
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightchecks import MUST, Check, of_error

# The defaults of our module pg_dump: the bytes that stay free, and the dump's share of the tables' size.
MIN_FREE, FACTOR = 2**30, 0.5


def tools(
    bin_dir: str | None, server_major: int, version: str, compress: str
) -> tuple[Programs | None, KanbanError | None]:
    """Return the client programs that a dump would use, or why there are none that can compress that way."""
    try:
        found = find_programs(bin_dir, server_major, version)
        choose_compress(found, compress)
    except KanbanError as error:
        return None, error
    return found, None


def tools_check(programs: Programs | None, error: KanbanError | None) -> Check:
    """Return whether there is a pg_dump that knows this server and compresses as asked."""
    good = f"pg_dump {programs.version} in {programs.directory}." if programs else ""
    return of_error("tools", MUST, error, good)


def proof_check(programs: Programs, source: Source) -> Check:
    """Return whether there is a place to restore a dump into, to prove it that way."""
    try:
        where = choose_scratch("auto", programs, source)
    except KanbanError as error:
        return of_error("dump_proof", MUST, error, "")
    article = "an" if where == "instance" else "a"
    return Check("dump_proof", True, MUST, f"A dump can be proven by restoring it into {article} {where} of its own.")


def room_for(size: int, spare: float) -> int:
    """Return the bytes that must be free to dump tables of this size: never less than the dump itself asks for."""
    return max(round(size * spare), round(size * FACTOR) + MIN_FREE)


def disk(dump_dir: str | None, needed: int) -> dict[str, Any]:
    """Return the room where dumps go; ``free_bytes`` is None if it is unknown."""
    if not dump_dir:
        return {"path": None, "free_bytes": None, "needed_bytes": needed, "writable": None}
    place = Path(os.path.realpath(os.path.expanduser(dump_dir)))
    try:
        free: int | None = free_bytes(place)
    except OSError:
        free = None
    return {"path": dump_dir, "free_bytes": free, "needed_bytes": needed, "writable": _is_writable(place)}


def _is_writable(place: Path) -> bool:
    """Tell whether the directory, or something in it, can be created; nothing is tried."""
    try:
        there = nearest(place)
    except OSError:
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def place_check(found: Mapping[str, Any]) -> Check | None:
    """Return what is missing if no dump could be made there, however much room there is; otherwise None."""
    if found["writable"] is not False:
        return None
    return Check(
        "disk",
        False,
        MUST,
        f"{found['path']} cannot be made or written by the user that modules run as.",
        "Scenario 3 would have no dump: nothing to come back to from what is repaired.",
        "Make it, writable for that user, or name another directory: kanban_dump_dir.",
    )


def newest_dump(dump_dir: str | None, cluster: str, tables: Collection[str]) -> dict[str, Any] | None:
    """Return a database's newest proven dump under ``dump_dir`` that has all these tables, None without one."""
    if not dump_dir:
        return None
    # It looks beside a dump, so name one that does not exist yet.
    beside = Path(os.path.realpath(os.path.expanduser(dump_dir))) / ".next"
    return previous_dump(beside, cluster, tables=tables)
