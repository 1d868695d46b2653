# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking one source of backups, of any kind, within its time. Neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backupbarman as barman
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backuppgbackrest as pgbackrest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backupwalg as wal_g
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import (
    Backup,
    Wanted,
    newest_first,
    precedes,
    why_unfit,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuparchiver import Archive, set_reach
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupcheck import check_file, described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupcommand import Tool
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import out_of_time
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupfiles import (
    check_dump,
    find_dumps,
    find_files,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError


@dataclass(frozen=True)
class Looking:
    """What is needed to look at each source.

    :ivar contents: whether dumps are read, not just listed.
    """

    contents: bool
    seconds: float
    bin_dir: str | None
    moment: float | None
    wanted: Wanted
    archive: Archive | None


Found = List[Backup]
Ask = Callable[[int, Mapping[str, Any], Looking, Deadline, Found, List[str]], None]


def _files(
    number: int, source: Mapping[str, Any], look: Looking, deadline: Deadline, found: Found, _w: list[str]
) -> None:
    """Look at files, newest first, until one answers each question; the others are listed without being read."""
    mine = source["kind"] == "dumps"
    found += find_dumps(number, source["path"]) if mine else find_files(number, source["path"], source.get("database"))
    questions = [None] if look.moment is None else [None, look.moment]

    def within() -> None:
        if deadline.over:
            raise out_of_time(look.seconds)

    for one in newest_first(found):
        open_ones = [when for when in questions if when is None or precedes(one, when)]
        if one.usable is False or not open_ones:
            continue
        within()
        # A dump that is not wanted need not be read.
        reason = why_unfit(one, look.wanted) if mine else ""
        try:
            if reason:
                one.refuse(reason)
            elif mine:
                check_dump(one, look.contents, within)
            else:
                check_file(one, look.contents, look.bin_dir, within)
        except (KanbanError, OSError) as error:
            if getattr(error, "code", "") in ("timeout", "no_pg_restore"):
                one.refuse(f"it was not checked: {described(error)}")
                raise
            one.refuse(described(error))
        reason = why_unfit(one, look.wanted) if one.usable else ""
        if reason:
            one.refuse(reason)
        if one.usable:
            questions = [when for when in questions if when not in open_ones]


def _pgbackrest(
    number: int, source: Mapping[str, Any], look: Looking, deadline: Deadline, found: Found, warnings: list[str]
) -> None:
    tool = Tool(source.get("program") or "pgbackrest", source.get("user"), source.get("env_dir"))
    argv = pgbackrest.info_argv(tool.program, source["stanza"], source.get("config"), source.get("repo"))
    text = tool.ask(argv, deadline, look.seconds)
    several, some = pgbackrest.parse_info(text, source["stanza"], number)
    found += several
    warnings += some
    _judge(found, look)


def _barman(
    number: int, source: Mapping[str, Any], look: Looking, deadline: Deadline, found: Found, _w: list[str]
) -> None:
    """List backups, and ask for the details of those that may be an answer, newest first."""
    tool, server = Tool(source.get("program") or "barman", source.get("user"), source.get("env_dir")), source["server"]
    text = tool.ask(barman.list_argv(tool.program, server, source.get("config")), deadline, look.seconds)
    found += barman.parse_list(text, server, number)
    questions = [None] if look.moment is None else [None, look.moment]
    for one in newest_first(found):
        open_ones = [when for when in questions if when is None or precedes(one, when)]
        if one.usable is False or not open_ones:
            continue
        argv = barman.show_argv(tool.program, server, source.get("config"), one.label)
        barman.add_details(one, tool.ask(argv, deadline, look.seconds), server)
        _judge([one], look)
        if one.usable:
            questions = [when for when in questions if when not in open_ones]


def _wal_g(
    number: int, source: Mapping[str, Any], look: Looking, deadline: Deadline, found: Found, warnings: list[str]
) -> None:
    tool = Tool(source.get("program") or "wal-g", source.get("user"), source.get("env_dir"))
    config = source.get("config")
    found += wal_g.parse_list(tool.ask(wal_g.list_argv(tool.program, config), deadline, look.seconds), number)
    try:
        if found:
            text = tool.ask(wal_g.log_argv(tool.program, config), deadline, look.seconds)
            warnings += wal_g.add_log(found, text)
    except KanbanError as error:
        warnings.append(f"how far its log goes is not known: {error.what}")
    _judge(found, look)


def _judge(backups: Sequence[Backup], look: Looking) -> None:
    for one in backups:
        reason = why_unfit(one, look.wanted) if one.usable else ""
        if reason:
            one.refuse(reason)
        set_reach(one, look.archive)


ASK: dict[str, Ask] = {
    "dumps": _files,
    "pg_dump": _files,
    "pgbackrest": _pgbackrest,
    "barman": _barman,
    "wal_g": _wal_g,
}
