# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One dump: pg_dump and the counts side by side in one snapshot, watched, then matched with what was asked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import (
    Counter,
    Snapshot,
    Source,
    blockers_of,
    cancel,
    lock_error,
    snapshot,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    VERSION,
    Manifest,
    file_entries,
    now_text,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplace import Claim, free_bytes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import (
    Order,
    compress_argument,
    conninfo,
    exclusions,
    match_contents,
    parse_contents,
    python_encoding,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import (
    client_environment,
    listing,
    run_child,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

_LOOK_AT_SERVER_SECONDS = 0.5
_COUNT_JOIN_SECONDS = 0.1


@dataclass(frozen=True)
class Request:
    """What is asked; the fields are the options of ``pg_dump``."""

    tables: list[str]
    dest: str
    jobs: int
    compress: str
    verify: str
    verify_in: str
    incident_id: str | None
    environment: str | None
    deadline: float
    lock_wait: float
    min_free: int
    free_space_factor: float
    bin_dir: str | None


@dataclass(frozen=True)
class Plan:
    """Everything that is known before anything is written. ``compress`` is a method that the client has."""

    login: Login
    request: Request
    dest: Path
    source: Source
    programs: Programs
    compress: str
    deadline: Deadline


def check_time(plan: Plan) -> None:
    """Raise KanbanError when the time is over."""
    if plan.deadline.over:
        raise KanbanError(
            "deadline",
            f"The dump was not done within {plan.request.deadline:g} s.",
            "What takes longer than it was given is ended, so that nothing is forgotten on the host.",
            "Give more deadline, more jobs or fewer tables, then run the same command again.",
        )


def check_time_and_room(plan: Plan) -> None:
    """Raise KanbanError when the time is over or the disk is about to be full: the database may live on it too."""
    check_time(plan)
    free = free_bytes(plan.dest)
    if free < plan.request.min_free:
        raise KanbanError(
            "disk_full",
            f"Only {free} bytes were left at {plan.dest.parent} while writing; min_free is {plan.request.min_free}.",
            "A full disk stops whatever else lives on it, perhaps the database. What had been written was removed.",
            "Free space there, or give dest on another disk, then run the same command again.",
        )


class _Guard:
    """Looks after a running pg_dump: time, room, the counts, and who keeps it waiting."""

    def __init__(self, plan: Plan, keeper: Session, name: str, shot: Snapshot, counter: Counter) -> None:
        self._plan = plan
        self._keeper = keeper
        self._name = name
        self._shot = shot
        self._counter = counter
        self._next_look = plan.deadline.left - _LOOK_AT_SERVER_SECONDS
        self.blockers: list[Blocker] = []

    def __call__(self) -> None:
        check_time_and_room(self._plan)
        if self._counter.error:
            raise self._counter.error
        if self._plan.deadline.left < self._next_look:
            self._next_look = self._plan.deadline.left - _LOOK_AT_SERVER_SECONDS
            self.see()

    def see(self) -> None:
        """Record the blocking sessions; a query that fails must not end a dump that works."""
        try:
            found = blockers_of(self._keeper, self._name, self._shot.pid)
        except ServerError:
            return
        self.blockers = found or self.blockers


def dump_into(plan: Plan, claim: Claim, directory: Path, watcher: Watcher, keeper: Session) -> Manifest:
    """Write a proven dump into an empty directory and return its manifest; raises KanbanError, OSError.

    :param keeper: an open session; a second one is made for the snapshot.
    """
    started_at = now_text()
    session = Session(plan.login, f"{keeper.name} snapshot")
    try:
        seconds = plan.deadline.slice(plan.deadline.left, 1.0)
        with snapshot(keeper, session, plan.source, seconds, plan.request.lock_wait, watcher) as shot:
            counter = Counter(shot.cursor, plan.source.asked)
            try:
                _dump(plan, claim, directory, keeper, shot, counter)
                while counter.is_alive():
                    check_time_and_room(plan)
                    counter.join(_COUNT_JOIN_SECONDS)
            finally:
                _end_counts(keeper, shot, counter)
            if counter.error:
                raise counter.error
    finally:
        session.close()
    return _manifest(plan, directory, started_at, shot, counter.rows)


def _dump(plan: Plan, claim: Claim, directory: Path, keeper: Session, shot: Snapshot, counter: Counter) -> None:
    # Its sessions must be distinct from those of another run on another host; the server keeps 63 bytes of a name.
    name = f"{keeper.name} pg_dump {secrets.token_hex(6)}"
    text, password = conninfo({"connect_timeout": 10, **plan.login.as_params(name), "application_name": name})
    order = Order(
        program=plan.programs.path("pg_dump"),
        conninfo=text,
        directory=str(directory),
        jobs=plan.request.jobs,
        compress=compress_argument(plan.compress, plan.programs.major),
        snapshot=shot.id,
        lock_wait=plan.request.lock_wait,
        excluded=exclusions(shot.others, python_encoding(plan.source.encoding)),
    )
    guard = _Guard(plan, keeper, name, shot, counter)
    try:
        run_child(order.argv(), client_environment(password), claim.lock, guard, counter.start)
    except KanbanError as error:
        if error.code == "lock_timeout" and "stderr" in error.details:
            guard.see()
            raise lock_error(error.what, guard.blockers, str(error.details["stderr"])) from error
        raise


def _end_counts(keeper: Session, shot: Snapshot, counter: Counter) -> None:
    """Leave no count running: the session's transaction is about to be ended, and two may not use it at once."""
    while counter.is_alive():
        try:
            cancel(keeper, shot.pid)
        except ServerError:
            pass  # Then the statement's own timeout ends it.
        counter.join(_COUNT_JOIN_SECONDS)


def tables_of(source: Source, rows: Sequence[int | None], data: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the tables as manifests and results have them.

    :param rows: the count of each asked table, in their order; None while nobody has counted.
    :param data: the archive's file of each leaf, by oid; empty while there is no archive.
    """
    return [
        {
            "name": str(one.table),
            "schema": one.table.schema,
            "table": one.table.name,
            "rows": count,
            "bytes": one.bytes,
            "relations": [
                {"name": str(leaf), "schema": leaf.schema, "table": leaf.name, "file": data.get(leaf.oid)}
                for leaf in one.leaves
            ],
        }
        for one, count in zip(source.asked, rows)
    ]


def _manifest(plan: Plan, directory: Path, started_at: str, shot: Snapshot, rows: list[int]) -> Manifest:
    contents = parse_contents(listing([plan.programs.path("pg_restore"), "--list", str(directory)]))
    files = file_entries(directory, plan.request.jobs, lambda: check_time_and_room(plan))
    leaves = {oid: str(leaf) for oid, leaf in plan.source.leaves.items()}
    data = match_contents(contents, leaves, [entry["name"] for entry in files])
    server = plan.source.server
    return {
        "version": VERSION,
        "incident_id": plan.request.incident_id,
        "environment": plan.request.environment,
        "database": {
            "name": server.database,
            "cluster": server.cluster,
            "address": server.address,
            "server_version": server.version,
        },
        "client_version": plan.programs.version,
        "started_at": started_at,
        "ended_at": now_text(),
        "snapshot": shot.as_result(),
        "tables": tables_of(plan.source, rows, data),
        "files": files,
        "compress": plan.compress,
        "jobs": plan.request.jobs,
        "verified": "toc",
        "toc_entries": contents.entries,
        "total_bytes": sum(entry["bytes"] for entry in files),
    }
