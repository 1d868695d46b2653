# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening what a restore compares with, before its transaction: a point in time may take long to be there."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointinstance import Facts, Wanted, recovered
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Work
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import ensure_not_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorerequest import RestoreRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import (
    About,
    Source,
    format_of,
    open_dump,
    open_file,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint

_A_WORD_SECONDS = 20.0


class Patience:
    """Waits for what takes minutes: within the deadline, and so that nobody takes the silent session for dead."""

    def __init__(self, work: Work) -> None:
        """Begin to wait."""
        self._work, self._next = work, time.monotonic() + _A_WORD_SECONDS

    def look(self) -> None:
        """Raise Timeout when the deadline is over, KanbanError when the session is lost."""
        ensure_not_over(self._work.deadline)
        if time.monotonic() > self._next:
            self._next = time.monotonic() + _A_WORD_SECONDS
            with self._work.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                cursor.row("SELECT 1", {})


def open_source(
    work: Work,
    request: RestoreRequest,
    opened: ExitStack,
    find: Callable[[Cursor], Any],
    refuse: Callable[[About], None],
) -> Source:
    """Return what to compare with; ``opened`` closes it. Raises KanbanError.

    :param find: looks for the tables: what is wrong with what was asked for shows before anything takes long.
    :param refuse: raises what speaks against such a backup.
    """
    given, server = request.source, work.facts.server
    with work.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        find(cursor)
        encoding = python_encoding(cursor.row(recoverypoint.MOMENT, {})[3])
        facts = Facts.ask(cursor) if given["kind"] == "pgbackrest" else None
    major = work.session.server_version // 10000
    if facts:
        programs = find_programs(request.bin_dir, major, server.version)
        wanted = Wanted(given, request.corrupt_since, server.database, server.cluster, programs, major, facts)
        return opened.enter_context(recovered(wanted, work.deadline, refuse, Patience(work).look))
    path, program = Path(given["path"]), ""
    if given["kind"] == "dump" or format_of(path) not in ("plain", "gzip"):
        program = find_programs(request.bin_dir, major, server.version).path("pg_restore")
    source: Source = (
        open_dump(path, program, encoding) if given["kind"] == "dump" else open_file(path, program, encoding)
    )
    # A script tells who it is only when it has been read.
    if source.about.taken_at or source.about.database:
        refuse(source.about)
    return source
