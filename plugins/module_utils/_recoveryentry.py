# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``recovery_point_info`` does: reads the dump, compares each of its tables, and asks the fence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _recoverycompare as comparing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _recoveryfence as fencing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copytext import Column, CopyRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs, find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmanifest import (
    Manifest,
    check_files,
    read_manifest,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding, rows_argv
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import read_child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import View, read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Asked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    Facts,
    look_at_ledger,
    refuse_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverypoint import WHOLE, Point, overall
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import SETTINGS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint as queries

LOCK_SECONDS = 5.0
MODE = "ISOLATION LEVEL REPEATABLE READ READ WRITE"


@dataclass(frozen=True)
class PointRequest:
    """What is asked for; the fields are the options of ``recovery_point_info``."""

    incident_id: str
    dump: str
    tables: Sequence[Asked]
    environment: str | None
    deadline: float
    limit_samples: int
    bin_dir: str | None


class _Done(Exception):
    """Raised to end the transaction, whose tables were temporary."""


@dataclass
class Measure:
    """A session, the dump, and what is found out. ``names``: every id of the incident, the ledger's first."""

    session: Session
    facts: Facts
    request: PointRequest
    deadline: Deadline
    manifest: Manifest
    programs: Programs
    names: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    told: list[fencing.Told] = field(default_factory=list)
    at: str = ""
    lsn: str | None = None
    xid: str = ""
    encoding: str = "utf-8"
    known: str | None = None
    noted_as: str | None = None

    def in_time(self, cursor: Cursor) -> None:
        """Give the next statement the time that is left; raises Timeout if none is."""
        self.look()
        timeout = f"{max(1, int(self.deadline.left * 1000))}ms"
        cursor.row(integrity.TIMEOUT, {"timeout": timeout})

    def look(self) -> None:
        """Raise Timeout when the deadline is over."""
        if self.deadline.over:
            raise Timeout(
                "deadline",
                f"The recovery point was not measured within {self.request.deadline:g} s.",
                "What was not compared to its end says nothing. Nothing was changed.",
                "Give more deadline, then run the same command again.",
            )


def measure(login: Login, request: PointRequest) -> dict[str, Any]:
    """Return what the module shows; raises KanbanError."""
    deadline = Deadline(request.deadline)
    dump = Path(request.dump)
    manifest = read_manifest(dump)
    check_files(dump, manifest)
    session = open_session(login, APPLICATION, deadline)
    try:
        facts = look_at_ledger(session, request.environment)
        refuse_replica(facts.server)
        if manifest["database"].get("cluster") != facts.server.cluster:
            raise _other(dump, f"database {manifest['database'].get('name')!r} on another server, or of that name")
        major = session.server_version // 10000
        programs = find_programs(request.bin_dir, major, facts.server.version)
        work = Measure(session, facts, request, deadline, manifest, programs)
        try:
            with session.transaction(deadline.slice(request.deadline, 1.0), LOCK_SECONDS, MODE, SETTINGS) as cursor:
                view = _look(work, cursor)
                _compare(work, cursor, view)
                raise _Done
        except _Done:
            pass
        # After the rows, because what they showed has been counted by then.
        fencing.ask_counters(session, work.told, deadline)
    finally:
        session.close()
    for point in work.points:
        point.judge()
    return {
        "changed": False,
        "recovery_point": overall(work.points, work.lsn, work.at),
        "accounted": bool(work.points) and all(one.accounted for one in work.points if one.rows_then is not None),
        "tables": [point.as_result() for point in work.points],
        "dump": {"path": str(dump), "ended_at": manifest["ended_at"], "sha256": manifest["sha256"]},
        "incident_id": work.names[0],
        **facts.as_result(),
        "elapsed_ms": deadline.elapsed_ms,
    }


def _look(work: Measure, cursor: Cursor) -> View:
    """Find out whose dump it is, what may be done here, and what the fence stands on; raises KanbanError."""
    request = work.request
    work.names = [request.incident_id]
    if work.facts.state.usable:
        known = ledger.find_incident(cursor, request.incident_id)
        rows = ledger.list_incidents(cursor, known) if known else []
        named = [name for row in rows for name in ids_of(row)]
        work.names = list(dict.fromkeys([*named, request.incident_id]))
        work.noted_as = known
        work.known = known if cursor.row(queries.HAS_QUARANTINE, {})[0] else None
    if work.manifest.get("incident_id") not in work.names:
        raise _other(Path(request.dump), f"incident {work.manifest.get('incident_id')!r}")
    may, grant = cursor.row(queries.MAY_HAVE_TEMPORARY, {})
    if not may:
        raise ServerError(
            "missing_privilege",
            "This role may not make temporary tables in this database.",
            "The dump's rows are compared in one. Nothing was compared.",
            f"Grant it: {grant} Or use another role.",
        )
    work.at, work.lsn, work.xid, encoding = cursor.row(queries.MOMENT, {})
    work.encoding = python_encoding(encoding)
    return read_view(cursor, request.tables)


def _other(dump: Path, whose: str) -> BadInput:
    return BadInput(
        "other_dump",
        f"{dump} is a dump of {whose}.",
        "Compared with it everything would be another row. Nothing was compared.",
        "Name the dump that was made for this incident on this database (pg_dump's option dest).",
    )


def _compare(work: Measure, cursor: Cursor, view: View) -> None:
    taken = str(work.manifest["snapshot"]["time"])
    fenced = {str(found.table): found for found in view.found}
    missing = {asked.name: (asked.scope, why) for asked, why in view.unresolved}
    for turn, table in enumerate(work.manifest["tables"], 1):
        found = fenced.pop(table["name"], None)
        scope = found.scope if found else missing.pop(table["table"], (None, None))[0]
        point = Point(table["name"], scope, rows_then=int(table["rows"]))
        work.points.append(point)
        progress = f"{APPLICATION} recovery point {turn} of {len(work.manifest['tables'])}: {table['table']}"
        cursor.row(integrity.PROGRESS, {"name": progress})
        end = fencing.look_at(point, found, work.names, taken) if found else None
        try:
            _one(work, cursor, point, table, taken)
        except KanbanError as error:
            if error.code not in ("missing_table", "schema_changed"):
                raise
            point.compared_by = None
            point.lacking.append(error.what)
        if found and end and point.fenced == WHOLE:
            work.told.append((point, found, end))
            work.in_time(cursor)
            values = {
                "incident": work.known,
                "noted_as": work.noted_as,
                "schema": found.table.schema,
                "name": found.table.name,
            }
            fencing.measure(cursor, point, found, end, work.xid, values)
    for name, found in fenced.items():
        work.points.append(Point(name, found.scope, lacking=["It is not in the dump."]))
    for name, (scope, why) in missing.items():
        work.points.append(Point(name, scope, lacking=[why.what]))


def _one(work: Measure, cursor: Cursor, point: Point, table: Mapping[str, Any], taken: str) -> None:
    values = {"since": taken, "incident": work.known}
    one = comparing.find(cursor, point, table["schema"], table["table"], values)
    if one.streams:
        comparing.make(cursor, one)
        for columns in _rows(work, table, [column.name for column in one.columns]):
            work.in_time(cursor)
            comparing.add(cursor, one, columns)
    work.in_time(cursor)
    if work.known:
        comparing.add_ours(cursor, one)
    work.in_time(cursor)
    comparing.compare(cursor, one, work.request.limit_samples)


def _rows(work: Measure, table: Mapping[str, Any], wanted: Sequence[str]) -> Iterator[list[Column]]:
    """Yield a table's rows out of the dump, piece by piece; raises KanbanError if there are not as many as said."""
    program, total = work.programs.path("pg_restore"), 0
    for leaf in table["relations"]:
        argv = rows_argv(program, work.request.dump, leaf["schema"], leaf["table"], work.encoding)
        reader = CopyRows(leaf["name"], wanted, work.encoding)
        try:
            for piece in read_child(argv, work.look):
                columns = reader.feed(piece)
                if columns:
                    yield columns
        except UnicodeDecodeError as error:
            raise _unreadable(f"{leaf['name']} has text that is no {work.encoding}") from error
        except KanbanError as error:
            if error.details.get("stderr") is None:
                raise
            raise _unreadable(error.what) from error
        total += reader.rows
    if total != table["rows"]:
        raise _unreadable(f"of {table['rows']} rows of {table['name']} it gave {total}")


def _unreadable(why: str) -> KanbanError:
    return KanbanError(
        "dump_unreadable",
        f"The dump cannot be read: {why}.",
        "What it does not give cannot be compared. Nothing was changed.",
        "See that pg_restore here is not older than the pg_dump that made it (bin_dir), and reads it.",
    )
