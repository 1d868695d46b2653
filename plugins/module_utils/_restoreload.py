# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the backup's rows into temporary tables: piece by piece, within the deadline, if there is room for them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._copyblocks import Header
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import near_names
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgrescopy import copy_in
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import TABLE, Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import Source
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed, no_space
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

SHOWN = 20  # The most partitions that an error names.
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_MARGIN = 1.1
# What stays free: by default the database itself is on that disk. Of a small one a quarter stays.
_KEPT_FREE = 64 << 20


@dataclass(frozen=True)
class Space:
    """Where temporary tables lie, None if that cannot be seen from here, and how many bytes of it have to stay free.

    ``needed``: roughly how many the backup's rows take; ``free``: how many there were.
    """

    place: str | None
    needed: int
    free: int | None
    kept: int

    def as_result(self) -> dict[str, int | None]:
        """Return it as results show it."""
        return {"needed_bytes": self.needed, "free_bytes": self.free}

    def look(self) -> None:
        """Raise ServerError when too few bytes are left: nothing tells how large an emptied table in a file was."""
        left = _free(self.place)
        if left is not None and left < self.kept:
            raise no_space(f"Only {left >> 20} of {(self.free or 0) >> 20} MB are left while its rows are loaded.")


def look_at_space(cursor: Cursor, login: Login, source: Source, tables: Sequence[Backed]) -> Space:
    """Return the space that there is for the backup's rows; raises ServerError if it is too small."""
    local = login.unix_socket or login.host in LOCAL_HOSTS or login.host.startswith("/")
    place = cursor.row(queries.TEMPORARY_PLACE, {})[0] if local else None
    sizes = [source.about.sizes.get((table.schema, table.table), table.bytes) for table in tables]
    needed, free = int(sum(sizes) * _MARGIN), _free(place)
    space = Space(place, needed, free, min(_KEPT_FREE, (free or 0) // 4))
    if free is not None and free - space.kept < needed:
        raise no_space(f"The backup's rows take about {needed >> 20} MB, and {free >> 20} MB are free for them.")
    return space


def _free(place: str | None) -> int | None:
    try:
        disk = os.statvfs(place) if place else None
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize if disk else None


@dataclass(frozen=True)
class Clock:
    """The deadline; ``in_time`` also limits the next statement to what is left of it. Both raise Timeout."""

    deadline: Deadline
    in_time: Callable[[], None]
    not_over: Callable[[], None]


def load(
    cursor: Cursor, source: Source, tables: Sequence[Backed], clock: Clock, progress: Progress, space: Space
) -> None:
    """Fill the temporary tables; raises KanbanError if the backup is incomplete or does not fit."""
    by_name = {}
    for table in tables:
        columns = [
            sql.SQL("{} {}").format(table.alias(column.name), sql.SQL(column.type_name.replace("%", "%%")))
            for column in table.columns
        ]
        statement = sql.SQL(queries.CREATE_BACKUP).format(backup=table.backup, columns=sql.SQL(", ").join(columns))
        cursor.run(statement, {})
        by_name[table.schema, table.table] = table
        by_name.update(dict.fromkeys(table.leaves, table))
    proven = [source.about.rows.get((table.schema, table.table)) for table in tables]
    known = [rows for rows in proven if rows is not None]
    progress.step("load", TABLE, len(tables), sum(known) if len(known) == len(tables) else None)
    begun: set[int] = set()
    try:
        for header, pieces in source.streams(by_name, clock.not_over):
            if not begun:
                _refuse_gone(source, tables)
            table = by_name[header.schema, header.table]
            if table.number not in begun:
                begun.add(table.number)
                progress.next(str(table))
            _take(cursor, table, header, _counted(pieces, progress, space), clock)
    except ServerError as error:
        if error.code == "disk_full":
            raise no_space(f"The server's disk is full: {error.what}") from error
        raise
    _refuse_gone(source, tables)
    for table in tables:
        _refuse_lacking(source, table, [str(one) for one in tables])
        clock.in_time()
        cursor.run(sql.SQL(queries.ANALYZE).format(backup=table.backup), {})


def _counted(pieces: Iterator[bytes], progress: Progress, space: Space) -> Iterator[bytes]:
    """Pass rows on, one per line, and count them, as long as there is room."""
    for piece in pieces:
        space.look()
        yield piece
        progress.rows(piece.count(b"\n"))


def _take(
    cursor: Cursor,
    table: Backed,
    header: Header,
    pieces: Iterator[bytes],
    clock: Clock,
) -> None:
    clock.in_time()
    known = {column.name for column in table.columns}
    for name in header.columns:
        if name not in known and name not in table.dropped:
            table.dropped[name] = f"d{len(table.dropped)}"
            statement = sql.SQL(queries.ADD_DROPPED).format(backup=table.backup, column=table.alias(name))
            cursor.run(statement, {})
    statement = sql.SQL(queries.COPY).format(
        backup=table.backup,
        columns=sql.SQL(", ").join([table.alias(name) for name in header.columns]),
        encoding=sql.Literal(header.encoding),
    )
    try:
        rows = copy_in(cursor, statement, pieces, clock.deadline.left, clock.not_over)
    except ServerError as error:
        if not str(error.details.get("sqlstate")).startswith(("22", "23")):
            raise
        raise _does_not_fit(table, error) from error
    table.compared.rows_in_backup += rows
    named = known & set(header.columns)
    table.given = named if table.given is None else table.given & named


def _does_not_fit(table: Backed, error: ServerError) -> KanbanError:
    line = error.details.get("line")
    where = f" (row {line} of its rows)" if line else ""
    return KanbanError(
        "dump_does_not_fit",
        f"A row of {table} in the backup{where} is none that its columns could hold now "
        f"(SQLSTATE {error.details.get('sqlstate')}).",
        "The backup is damaged, or a column has another type by now. Nothing was changed.",
        "Use another backup; or restore this one into a scratch database and bring its rows to the new type there.",
        table=str(table),
        line=line,
    )


def _refuse_gone(source: Source, tables: Sequence[Backed]) -> None:
    """Refuse partitions that the table no longer has: their rows would not be read, and would not be missed."""
    for table in tables:
        then = source.about.partitions.get((table.schema, table.table))
        table.compared.partitions_unknown = then is None and list(table.leaves) != [(table.schema, table.table)]
        gone = sorted(".".join(name) for name in set(then or ()) - {(table.schema, table.table), *table.leaves})
        if gone:
            more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            raise KanbanError(
                "partitions_gone",
                f"The backup has partitions of {table} that are gone by now: {', '.join(gone[:SHOWN])}{more}.",
                "Their rows would neither be compared nor missed, and all that is left would read as the same. "
                "Nothing was changed.",
                "If they were detached, attach them again; if they were dropped, make them again as they were (empty), "
                "then run the same command again. If they went on purpose, use a backup from after that.",
                table=str(table),
                partitions=gone,
            )


def _refuse_lacking(source: Source, table: Backed, names: Sequence[str]) -> None:
    if table.given is None:
        raise BadInput(
            "not_in_backup",
            f"{source.about.path} has no rows of {table}, not even none.",
            "All that is there now would read as newer. Nothing was changed.",
            "Name tables that are in the backup, by the names that they had then.",
            near=near_names(str(table), names),
        )
    table.compared.dropped, table.compared.added = list(table.dropped), table.added
    if not table.both:
        raise BadInput(
            "other_schema",
            f"{table} has no column any more that it has in the backup.",
            "There is nothing by which to compare them. Nothing was changed.",
            "Use another backup.",
        )
    table.key = table.key if set(table.key) <= table.given else []
    table.compared.by = "key" if table.key else "row"
    proven = source.about.rows.get((table.schema, table.table))
    if proven is not None and proven != table.compared.rows_in_backup:
        raise KanbanError(
            "dump_unreadable",
            f"Of {proven} rows of {table} the backup gave {table.compared.rows_in_backup}.",
            "It is not what was proven when it was made. Nothing was changed.",
            "Use another backup; keep this one until it is known what happened to it.",
        )
