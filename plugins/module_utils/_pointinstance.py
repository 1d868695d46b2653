# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scratch instance at a point in time, restored by pgBackRest, and its rows as a source to compare with.

It has a directory, a socket and a priority of its own, and goes when the module goes. Production is asked for nothing
but its name and size.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Collection, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, system_identifier
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupcommand import Tool
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuppgbackrest import info_argv, parse_info
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copyblocks import Header, Script
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import free_bytes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import Said, child, read_child, run_child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplace import Place, scratch_place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import (
    READY,
    Point,
    choose,
    not_archived,
    not_restored,
    not_started,
    target_moment,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About, Name, Source
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

DEFAULT_PLACE = "~/.local/state/kanban_rollback/scratch"
APPLICATION = "kanban_rollback scratch"
_ASK_SECONDS = 60.0
_POLL_SECONDS = 0.2
_LOOK_AT_DISK_SECONDS = 1.0
# What the log takes while it is replayed, and what stays free for whatever else lives on that disk.
_LOG_BYTES = 512 << 20
_RESERVE_SHARE, _MOST_RESERVE = 20, 10 << 30
Look = Callable[[], None]


@dataclass
class Instance:
    """Rows of a running instance, by pg_dump through its own socket."""

    about: About
    program: str
    login: Login
    drained: Look

    def streams(self, relations: Collection[Name], look: Look) -> Iterator[tuple[Header, Iterator[bytes]]]:
        """Yield each relation's header with its rows, as ``Source`` says."""
        to = [f"--host={self.login.unix_socket}", "--port=5432", f"--username={self.login.user}", "--no-password"]
        named = [f"--table={_pattern(schema)}.{_pattern(table)}" for schema, table in sorted(relations)]
        argv = [self.program, *to, "--data-only", "--no-sync", *named, self.login.database]

        def looks() -> None:
            self.drained()
            look()

        script = Script(read_child(argv, looks))
        try:
            yield from script.blocks(relations)
        except KanbanError as error:
            # Which is not there is told for each; here none is.
            if "no matching tables" not in error.what:
                raise
            return
        if script.truncated or not script.complete:
            raise ServerError(
                "lost_connection",
                "The scratch instance gave not all of its rows.",
                "Rows that it lacks would read as rows that were not there then. Nothing was changed.",
                "Run the same command again.",
            )


def _pattern(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Facts:
    """What production says: its superuser's name, how large this and the other databases are, when it last archived."""

    superuser: str
    own_bytes: int
    other_bytes: int
    archived_to: float | None
    now: float

    @classmethod
    def ask(cls, cursor: Cursor) -> Facts:
        """Return them; raises ServerError."""
        return cls(*cursor.row(queries.POINT_FACTS, {}))


@dataclass(frozen=True)
class Wanted:
    """What is wanted. ``given``: the option ``source``; ``database`` and ``cluster``: whose rows are wanted."""

    given: Mapping[str, Any]
    corrupt_since: str | None
    database: str
    cluster: str
    programs: Programs
    server_major: int
    facts: Facts


@contextmanager
def recovered(wanted: Wanted, deadline: Deadline, refuse: Callable[[About], None], look: Look) -> Iterator[Source]:
    """Restore an instance to just before a moment and yield its rows; it is gone afterwards. Raises KanbanError.

    :param refuse: raises what speaks against such a backup, before it is restored.
    :param look: called while programs run; what it raises ends them.
    """
    given, database, facts, programs = wanted.given, wanted.database, wanted.facts, wanted.programs
    moment = target_moment(given.get("target"), wanted.corrupt_since)
    _refuse_programs(programs, wanted.server_major)
    tool = Tool("pgbackrest", given.get("user"))
    if os.geteuid() == 0 and tool.account.pw_uid == 0:
        raise _as_root()
    stanza, config, repo = str(given["stanza"]), given.get("config"), given.get("repo")
    said = tool.ask(info_argv(tool.program, stanza, config, repo), deadline, _ASK_SECONDS)
    point = Point(tool.program, stanza, config, repo, moment, database)
    backup = choose(parse_info(said, stanza, 0)[0], point)
    point = Point(tool.program, stanza, config, repo or backup.facts.get("repo"), moment, database)
    about = About("pgbackrest", "instance", f"pgBackRest, stanza {stanza}", point.taken_at, database)
    # A backup knows the cluster, not the database's number in it.
    same = system_identifier(wanted.cluster) in (None, backup.cluster)
    about.cluster, about.bytes = wanted.cluster if same else backup.cluster, backup.size_bytes or 0
    refuse(about)
    late = not_archived(point, facts.archived_to, facts.now)
    if late:
        raise late
    base = Path(os.path.realpath(os.path.expanduser(given.get("scratch_dir") or DEFAULT_PLACE)))
    disk = Disk(base, max(facts.own_bytes, (backup.size_bytes or 0) - facts.other_bytes) + _LOG_BYTES)
    disk.refuse()

    def looks() -> None:
        disk.watch()
        look()

    with scratch_place(base, tool.account) as place:
        _restore(tool, point, place, backup, looks)
        with _started(tool, point, place, backup, programs, facts.superuser, looks) as (login, drained):
            yield Instance(about, programs.path("pg_dump"), login, drained)


class Disk:
    """How much room the scratch directory has: looked at first, and watched while it fills."""

    def __init__(self, base: Path, needed: int) -> None:
        """Note what is needed."""
        self.base, self.needed = base, needed
        place = base
        while not place.exists():
            place = place.parent
        status = os.statvfs(place)
        self.reserve = min(status.f_blocks * status.f_frsize // _RESERVE_SHARE, _MOST_RESERVE)
        self._next = 0.0

    def refuse(self) -> None:
        """Raise KanbanError where it would not do."""
        free = free_bytes(self.base)
        if free < self.needed + self.reserve:
            raise self._error(
                f"{self.base} has {free >> 20} MB free. The scratch instance takes about {self.needed >> 20} MB, and "
                f"{self.reserve >> 20} MB stay free for what else is on that disk."
            )

    def watch(self) -> None:
        """Raise KanbanError when it eats into what others need."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_AT_DISK_SECONDS
        free = free_bytes(self.base)
        if free < self.reserve // 2:
            raise self._error(f"Only {free >> 20} MB are left at {self.base} while the backup is restored there.")

    def _error(self, what: str) -> KanbanError:
        return KanbanError(
            "no_space",
            what,
            "A full disk would be worse than what is to be mended. Nothing was changed, and nothing is left of it.",
            "Give source.scratch_dir on another disk, or run it on another host that reaches the repository.",
            needed_bytes=self.needed,
        )


def _restore(tool: Tool, point: Point, place: Place, backup: Backup, look: Look) -> None:
    for name in ("data", "tablespaces"):
        (place.path / name).mkdir(mode=0o700)
        os.chown(place.path / name, tool.account.pw_uid, tool.account.pw_gid)
    argv = [*tool.prefix(signal.SIGTERM), *_gently(), *point.restore_argv(place.path, backup.label)]
    try:
        run_child(argv, tool.environment, place.lock, look)
    except KanbanError as error:
        if error.details.get("stderr") is None:
            raise
        raise not_restored(point, error) from error


@contextmanager
def _started(
    tool: Tool, point: Point, place: Place, backup: Backup, programs: Programs, superuser: str, look: Look
) -> Iterator[tuple[Login, Look]]:
    """Run the instance up to the moment; yield how to reach it, and what keeps its words from blocking it."""
    data = place.path / "data"
    for name, text in (
        ("postgresql.conf", point.settings(place.path, place.sockets, programs.major)),
        # In a directory that only this account enters.
        ("pg_hba.conf", "local all all trust\n"),
        ("pg_ident.conf", ""),
        # Production's own settings, and what pgBackRest put there: ours stand in postgresql.conf.
        ("data/postgresql.auto.conf", ""),
        ("data/recovery.signal", ""),
    ):
        place.write(name, text, tool.account)
    argv = [programs.path("postgres"), "-D", str(data), "-c", f"config_file={place.path / 'postgresql.conf'}"]
    with child([*tool.prefix(signal.SIGQUIT), *_gently(), *argv], tool.environment, place.lock, signal.SIGQUIT) as run:
        login = Login(unix_socket=str(place.sockets), user=superuser, database=point.database, ssl_mode="disable")
        said = Said(run.stderr)
        # Who asks too early is refused, in its log: so it is asked when it says that it is ready.
        while READY not in said.text or not _answers(login):
            said.read(_POLL_SECONDS)
            look()
            if run.poll() is not None:
                said.read(0)
                raise not_started(point, backup, said.text)
        yield login, lambda: said.read(0)


def _answers(login: Login) -> bool:
    try:
        Session(login, APPLICATION).close()
    except KanbanError:
        return False
    return True


def _gently() -> list[str]:
    """Return the words before a command that give way to everybody else."""
    found = [["nice", "-n", "19"], ["ionice", "-c", "3"]]
    return [word for words in found if shutil.which(words[0]) for word in words]


def _refuse_programs(programs: Programs, major: int) -> None:
    if programs.major == major and programs.has("postgres"):
        return
    raise BadInput(
        "no_server_programs",
        f"{programs.directory} has no postgres of version {major}, the server's.",
        "What pgBackRest restores only runs with a server of the same version. Nothing was changed.",
        "Install that version's server package on this host (it need not run), or name its directory in bin_dir.",
    )


def _as_root() -> BadInput:
    return BadInput(
        "runs_as_root",
        "This runs as root, as whom PostgreSQL does not start.",
        "The scratch instance has to run as somebody who may read the repository. Nothing was changed.",
        "Name that account in source.user (often postgres), or run the task as it (become_user).",
    )
