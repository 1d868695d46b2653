# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to dump: read before anything is written, then held still by one snapshot."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server, identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table, resolve_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import catalog
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import dump as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

READ_SECONDS = 10.0
SHOWN_NAMES = 20
SNAPSHOT_MODE = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
_READ_ALL = 140000


@dataclass(frozen=True)
class Leaf:
    """A relation with rows; ``bytes`` is its heap with TOAST."""

    oid: int
    schema: str
    name: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Asked:
    """A table that was asked for, and where its rows are."""

    table: Table
    leaves: Sequence[Leaf]

    @property
    def bytes(self) -> int:
        """Heap and TOAST of all leaves."""
        return sum(leaf.bytes for leaf in self.leaves)


@dataclass(frozen=True)
class Source:
    """The database and what to dump of it; ``barred``: why this role cannot read it, which a new dump needs."""

    server: Server
    major: int
    encoding: str
    may_create_database: bool
    asked: Sequence[Asked]
    barred: KanbanError | None = None

    @property
    def leaves(self) -> dict[int, Leaf]:
        """All relations whose rows are asked for, by oid: a table and its partition may both be named."""
        return {leaf.oid: leaf for one in self.asked for leaf in one.leaves}

    @property
    def bytes(self) -> int:
        """Heap and TOAST of all of them."""
        return sum(leaf.bytes for leaf in self.leaves.values())


@dataclass(frozen=True)
class Snapshot:
    """An exported snapshot, while its transaction is open; ``others`` are the relations that are not asked for."""

    id: str
    lsn: str | None
    time: str
    others: Sequence[tuple[str, str]]
    cursor: Cursor
    pid: int

    def as_result(self) -> dict[str, object]:
        """Return it as the manifest has it."""
        return {"id": self.id, "lsn": self.lsn, "time": self.time}


def look(session: Session, watcher: Watcher, names: Sequence[str], lock_wait: float) -> Source:
    """Return what there is to dump; raises KanbanError for anything that would make the dump fail later.

    What the role may not read is not raised but returned: it does not matter if the dump is there already.
    """
    server = identify(session)
    if server.pooled:
        raise KanbanError(
            "through_pooler",
            "The connection goes through a pooler (the backend's pid is not the one of the handshake).",
            "A snapshot that is handed to pg_dump lives as long as our session, and a pooler gives sessions to others. "
            "Nothing was dumped.",
            "Give the server's own address: kanban_postgresql_host and _port (login_host, login_port).",
        )
    with session.transaction(READ_SECONDS + lock_wait, lock_wait, mode="READ ONLY") as cursor:
        tables = _resolve(names, [Table(*row) for row in cursor.rows(catalog.TABLES, {})])
        unreadable = _unreadable(cursor, session.server_version)
        with blockers_named(watcher, session):  # A relation's size is read under a lock.
            asked, hidden = _leaves(cursor, tables)
        encoding, may_create = cursor.row(queries.ABOUT, {})
    barred = unreadable or hidden
    return Source(server, session.server_version // 10000, encoding, bool(may_create), asked, barred)


def _resolve(names: Sequence[str], tables: Sequence[Table]) -> list[Table]:
    """Return the tables meant, each once; all missing ones are named together."""
    found: list[Table] = []
    missing: dict[str, object] = {}
    for name in names:
        try:
            table = resolve_table(name, tables)
        except BadInput as error:
            missing[name] = error.details.get("near") or []
        else:
            if table.oid not in [one.oid for one in found]:
                found.append(table)
    if missing or not found:
        raise BadInput(
            "missing_table",
            f"Not found, or in more than one schema: {', '.join(map(repr, missing)) or 'no table was named'}.",
            "A dump without them would be taken for a whole one. Nothing was dumped.",
            f"Near names: {missing}. Set kanban_dump_tables (option tables), with the schema where it is not in the "
            "search path; or check the database's name.",
            missing=sorted(missing),
            near=missing,
        )
    return found


def _unreadable(cursor: Cursor, version: int) -> KanbanError | None:
    names = [row[0] for row in cursor.rows(queries.UNREADABLE, {})]
    if not names:
        return None
    grant = "GRANT pg_read_all_data TO the role" if version >= _READ_ALL else "GRANT SELECT on them to the role"
    return KanbanError(
        "missing_privilege",
        f"The role may not read {len(names)} tables and sequences: {', '.join(names[:SHOWN_NAMES])}.",
        "pg_dump writes down the whole schema and locks every table of it, so it would fail. Nothing was dumped.",
        f"{grant} (and USAGE on their schemas), then run the same command again.",
        unreadable=names[:SHOWN_NAMES],
    )


def _leaves(cursor: Cursor, tables: Sequence[Table]) -> tuple[list[Asked], KanbanError | None]:
    """Return where the rows of the tables are, and what hides some of them from this role; raises KanbanError."""
    found: dict[int, list[Leaf]] = {table.oid: [] for table in tables}
    foreign, hidden = [], []
    for root, oid, schema, name, kind, size, secured in cursor.rows(queries.LEAVES, {"tables": list(found)}):
        leaf = Leaf(oid, schema, name, size)
        found[root].append(leaf)
        if kind != "r":
            foreign.append(str(leaf))
        if secured:
            hidden.append(str(leaf))
    if foreign:
        raise KanbanError(
            "foreign_partition",
            f"Rows of the tables lie on another server: {', '.join(foreign[:SHOWN_NAMES])}.",
            "pg_dump does not dump them, and a dump without them is not whole. Nothing was dumped.",
            "Dump them where they are; name here the partitions that are on this server.",
        )
    policies = KanbanError(
        "row_level_security",
        f"Row-level security would hide rows of {', '.join(hidden[:SHOWN_NAMES])} from this role.",
        "A dump without them would be taken for a whole one. Nothing was dumped.",
        "Use a role that owns the tables or has BYPASSRLS.",
    )
    return [Asked(table, found[table.oid]) for table in tables], policies if hidden else None


@contextmanager
def blockers_named(watcher: Watcher, session: Session) -> Iterator[None]:
    """Turn a lock timeout on ``session`` inside the block into an error that names the session with the lock."""
    with watcher.watching(session.wire_pid) as seen:
        try:
            yield
        except Timeout as error:
            raise lock_error(error.what, list(seen.values())) from error


def lock_error(what: str, blockers: Sequence[Blocker], stderr: str = "") -> KanbanError:
    """Return the error for a lock that was not granted; ``blockers`` are the sessions that blocked it."""
    who = ", ".join(f"{blocker.pid} ({blocker.application_name or 'unnamed'})" for blocker in blockers[:5])
    return KanbanError(
        "lock_timeout",
        f"{what} In the way: {who or 'nobody was seen'}.",
        "Somebody holds, or waits for, an exclusive lock on a table (a migration?). Nothing was dumped.",
        "End or wait for the sessions in blocked, or give more lock_wait, then run the same command again.",
        blocked=[blocker.as_result() for blocker in blockers],
        **({"stderr": stderr} if stderr else {}),
    )


@contextmanager
def snapshot(
    keeper: Session, session: Session, source: Source, seconds: float, lock_wait: float, watcher: Watcher
) -> Iterator[Snapshot]:
    """Hold the asked tables still and export a snapshot until the block ends; raises KanbanError.

    :param keeper: the session that locks the tables before the snapshot is taken; see ``_sql.dump.LOCK``.
    :param session: the session whose snapshot it is; its ``cursor`` counts while pg_dump works.
    :param seconds: how long all of it may take.
    """
    with ExitStack() as stack:
        with keeper.transaction(READ_SECONDS + lock_wait, lock_wait, mode="READ ONLY") as kept:
            with blockers_named(watcher, keeper):
                _lock(kept, source)
            cursor = stack.enter_context(session.transaction(seconds, lock_wait, SNAPSHOT_MODE))
            with blockers_named(watcher, session):
                _lock(cursor, source)
        name, lsn, time = cursor.row(queries.SNAPSHOT, {})
        leaves = source.leaves
        others = [(row[1], row[2]) for row in cursor.rows(queries.RELATIONS, {}) if row[0] not in leaves]
        yield Snapshot(name, lsn, time, others, cursor, session.wire_pid)


def _lock(cursor: Cursor, source: Source) -> None:
    for one in source.asked:
        cursor.run(sql.SQL(queries.LOCK).format(table=identifier(one.table.schema, one.table.name)), {})


class Counter(threading.Thread):
    """Counts the rows of all asked tables in the snapshot, alongside pg_dump."""

    def __init__(self, cursor: Cursor, asked: Sequence[Asked]) -> None:
        super().__init__(daemon=True)
        self._cursor = cursor
        self._asked = asked
        self.rows: list[int] = []
        self.error: KanbanError | None = None

    def run(self) -> None:
        """Count, and keep an error for the thread that waits."""
        try:
            self.rows = [count_rows(self._cursor, one.table.schema, one.table.name) for one in self._asked]
        except KanbanError as error:
            self.error = error


def count_rows(cursor: Cursor, schema: str, name: str) -> int:
    """Return how many rows a table has, including those of its partitions."""
    return int(cursor.row(sql.SQL(queries.COUNT).format(table=identifier(schema, name)), {})[0])


def blockers_of(session: Session, name: str, holder: int) -> list[Blocker]:
    """Return who keeps the sessions with this application name waiting, or waits for what backend ``holder`` has."""
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        return [Blocker(*row) for row in cursor.rows(queries.BLOCKERS, {"name": name, "holder": holder})]


def cancel(session: Session, pid: int) -> None:
    """End what a backend of this role is doing."""
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        cursor.run(queries.CANCEL, {"pid": pid})
