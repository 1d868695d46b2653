# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a pgBackRest stanza and a moment to a source of rows; what can be refused is refused before it is made.

It is made before the comparing transaction is opened, because none should be open on production for so long.
"""

from __future__ import annotations

import os
import pwd
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _backuppgbackrest as pgbackrest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import (
    Backup,
    moment_of,
    system_identifier,
    utc,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupcommand import Tool
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs, find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import near_names
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointerrors import choose
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointkeeper import Order
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointplan import (
    LEAST_MAJOR,
    Stanza,
    as_taken,
    as_target,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointscratch import Point, Scratch
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Work
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import asked_from, late_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorerequest import RestoreRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import find_backed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

# Room for the instance's own log until it reaches the target, and for what that changes in other databases.
_LOG_ROOM = 512 << 20
_MARGIN = 1.1
_AWAKE_SECONDS = 10.0


@dataclass(frozen=True)
class _Production:
    """What the server says about itself. ``size`` and ``others``: bytes of this database, and of those beside it."""

    size: int
    others: int
    superuser: str
    data_directory: str | None
    tablespaces: Sequence[int]
    encoding: str
    timeline: int
    now: float


class _Awake:
    """Talks to production now and then, because servers and firewalls close sessions that are idle for long."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._next = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            with self._work.session.transaction(READ_SECONDS, mode="READ ONLY"):
                pass
            self._next = time.monotonic() + _AWAKE_SECONDS


@contextmanager
def point_in_time(work: Work, request: RestoreRequest) -> Iterator[Point]:
    """Yield the rows of just before the target; the instance that they come from is removed when the block is left.

    Raises KanbanError.
    """
    production = _ask(work, request)
    source, server = request.source, work.facts.server
    moment = _target(request, production.now)
    programs = _programs(request, work.session.server_version // 10000, server.version)
    user = _user(source.get("user"), production.data_directory)
    tool = Tool(source.get("program") or "pgbackrest", user, source.get("env_dir"))
    cluster = system_identifier(server.cluster)
    backup = _backup(work, request, tool, moment, cluster)
    about = About(
        "pgbackrest",
        "physical",
        f"pgBackRest's stanza {source['stanza']}, backup {backup.label}",
        as_taken(moment),
        server.database,
        server.cluster if cluster and backup.cluster else None,
        exclusive=True,
    )
    late = None if request.allow_late else late_error(about, request.corrupt_since)
    if late:
        raise late
    stanza = Stanza(
        tool.program,
        source["stanza"],
        source.get("config"),
        source.get("repo"),
        backup.facts.get("repo"),
        backup.label,
    )
    others = _others(work, request, tool, backup, production)
    size = _size(production, backup)
    order = Order(
        stanza=stanza,
        account=tool.account,
        environment=tool.environment,
        without_secrets=tool.without_secrets,
        target=as_target(moment),
        timeline=production.timeline,
        database=server.database,
        others=others,
        postgres=programs.path("postgres"),
        controldata=programs.path("pg_controldata"),
        major=programs.major,
        scratch_dir=source.get("scratch_dir"),
        needed=int(size * _MARGIN) + _LOG_ROOM,
        min_free=int(source["min_free"]),
        first=backup.facts.get("first_segment"),
        newest=backup.last_segment,
        ends_at=time.monotonic() + work.deadline.left,
        seconds=request.deadline,
    )
    work.progress.step("restore the scratch instance", planned_bytes=size)
    scratch = Scratch(order)
    try:
        ready = scratch.wait(_Awake(work), work.progress)
        about.facts = {"label": backup.label, "stopped_before": ready["stopped_before"]}
        yield Point(
            about,
            scratch,
            programs.path("pg_dump"),
            ready["socket"],
            production.superuser,
            server.database,
            programs.major,
            python_encoding(production.encoding),
        )
    finally:
        left = scratch.close()
        work.facts.warnings.extend([left] if left else [])


def _ask(work: Work, request: RestoreRequest) -> _Production:
    """Return what production says, and refuse tables that are unsuitable before anything takes minutes."""
    with work.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        for number, asked in enumerate(asked_from(request.tables)):
            find_backed(cursor, number, asked)
        return _Production(*cursor.row(queries.PRODUCTION, {}))


def _target(request: RestoreRequest, now: float) -> float:
    """Return the moment just before which rows are wanted; raises BadInput."""
    given = request.source.get("target") or request.corrupt_since
    name = "target" if request.source.get("target") else "corrupt_since"
    if not given:
        raise BadInput(
            "no_target",
            "Neither source.target nor corrupt_since is given.",
            "Of which moment the rows are to be nobody can guess. Nothing was changed.",
            "Say when the data began to be corrupt; the timeline check of integrity_info proposes the hour.",
        )
    moment = moment_of(str(given))
    if moment is None:
        raise BadInput(
            "bad_time",
            f"{name} is {given!r}.",
            "Hours off by a zone would bring back what is wrong. Nothing was changed.",
            "Give it with its zone, for instance 2026-11-25T02:45:00-03:00.",
        )
    if moment > now:
        raise BadInput(
            "target_in_future",
            f"{name} is {given}, and by the server's clock it is {utc(now)}.",
            "There is no log of what is to come. Nothing was changed.",
            "Give the moment at which the data began to be corrupt, with the right zone.",
        )
    return moment


def _programs(request: RestoreRequest, major: int, version: str) -> Programs:
    """Return the server programs of the server's own version; raises KanbanError."""
    found = find_programs(request.bin_dir, major, version)
    if major >= LEAST_MAJOR and found.major == major and found.has("postgres") and found.has("pg_controldata"):
        return found
    raise KanbanError(
        "no_server_programs",
        f"A scratch instance of version {major} (from {LEAST_MAJOR} on) needs postgres and pg_controldata of that "
        f"version; {found.directory} is of {found.version}.",
        "A backup of the files starts with its own version only. Nothing was changed.",
        "Install that version's server package on this host (it need not run), or name its directory in bin_dir.",
    )


def _user(given: str | None, data_directory: str | None) -> str | None:
    """Return the account to run as: the given one, or for root the owner of the data; PostgreSQL refuses root."""
    if given or os.geteuid() != 0:
        return given
    try:
        owner = pwd.getpwuid(os.stat(data_directory or "").st_uid)
    except (OSError, KeyError):
        owner = None
    if owner is None or owner.pw_uid == 0:
        raise BadInput(
            "as_root",
            "This runs as root, PostgreSQL does not, and whose the server's data is cannot be told from here.",
            "As another account the instance could not be started. Nothing was changed.",
            "Run the task as postgres (become_user), or name the account in source.user.",
        )
    return owner.pw_name


def _backup(work: Work, request: RestoreRequest, tool: Tool, moment: float, cluster: str | None) -> Backup:
    source, stanza = request.source, request.source["stanza"]
    argv = pgbackrest.info_argv(tool.program, stanza, source.get("config"), source.get("repo"))
    found, warnings = pgbackrest.parse_info(tool.ask(argv, work.deadline, request.deadline), stanza, 0)
    work.facts.warnings.extend(warnings)
    return choose(found, stanza, moment, cluster)


def _others(work: Work, request: RestoreRequest, tool: Tool, backup: Backup, production: _Production) -> Sequence[str]:
    """Return the databases beside ours in a backup; raises KanbanError if ours, or a tablespace, is not in it."""
    source, database = request.source, work.facts.server.database
    argv = pgbackrest.set_argv(
        tool.program, source["stanza"], source.get("config"), backup.facts.get("repo"), backup.label
    )
    text = tool.ask(argv, work.deadline, request.deadline)
    names, tablespaces = pgbackrest.parse_set(text, source["stanza"], backup.label)
    if names is not None and database not in names:
        raise BadInput(
            "database_not_in_backup",
            f"pgBackRest's backup {backup.label} has no database {database!r}; it has {', '.join(sorted(names))}.",
            "It came since, or had another name then, so there are no rows of it. Nothing was changed.",
            "Choose a later target, or use a dump.",
            near=near_names(database, names),
        )
    since = sorted(set(production.tablespaces) - set(tablespaces))
    if since:
        raise KanbanError(
            "tablespace_since_backup",
            f"The server has tablespaces (oid {', '.join(map(str, since))}) that are not in the backup {backup.label}.",
            "The log would make them where production has its own, and write there. Nothing was changed.",
            "Make a new backup for the next time; for now use a dump, or restore on another host by hand.",
        )
    return [name for name in names or () if name != database]


def _size(production: _Production, backup: Backup) -> int:
    """Return roughly how many bytes the database takes: the backup still has an emptied table in its full size."""
    return max(production.size, (backup.size_bytes or 0) - production.others)
