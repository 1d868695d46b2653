# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the server and its catalog, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import (
    Column,
    Table,
    resolve_table,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import catalog as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.session import IDENTITY, NO_SYSTEM, SYSTEM

MOST_NAMESAKES = 8  # Tables of one name that are all switched, where nothing says which one is meant.


@dataclass(frozen=True)
class Server:
    """The server behind a session, as the first lines of a run name it."""

    database: str
    user: str
    version: str
    in_recovery: bool
    address: str
    cluster: str
    pooled: bool
    read_only_default: bool
    sees_all_sessions: bool
    now: str

    def as_result(self) -> dict[str, object]:
        """Return the module's ``database`` result."""
        return {
            "name": self.database,
            "user": self.user,
            "server_version": self.version,
            "writable": not self.in_recovery,
            "address": self.address,
            "cluster": self.cluster,
            "pooled": self.pooled,
            "now": self.now,
        }

    @property
    def warnings(self) -> list[str]:
        """What a reader should know about this connection."""
        found = []
        if self.pooled:
            found.append(
                "Connected through a pooler (the backend's pid is not the one of the handshake): it works, "
                "each step is one transaction."
            )
        if self.read_only_default:
            found.append("default_transaction_read_only is on; it was overridden for our transactions.")
        if not self.sees_all_sessions:
            found.append("The role cannot see other roles' sessions: grant pg_read_all_stats to name blockers in full.")
        return found


def identify(session: Session, seconds: float = 5.0) -> Server:
    """Return which server this is; raises ServerError."""
    try:
        found = _ask(session, seconds, SYSTEM)
    except ServerError as error:
        if error.code != "missing_privilege":
            raise
        found = _ask(session, seconds, NO_SYSTEM)
    (database, user, version, recovery, pid, address, port, oid, system, read_only, sees, now) = found
    place = f"{address or session.login.unix_socket or 'local socket'}:{port or session.login.port}"
    return Server(
        database=database,
        user=user,
        version=version,
        in_recovery=recovery,
        address=place,
        # The database is part of it: two databases of one server are two places where tenants live.
        cluster=f"{system or place}/{oid}",
        pooled=pid != session.wire_pid,
        read_only_default=read_only,
        sees_all_sessions=sees,
        now=now,
    )


def _ask(session: Session, seconds: float, system: str) -> tuple[Any, ...]:
    with session.transaction(seconds, mode="READ ONLY") as cursor:
        return cursor.row(IDENTITY.format(system=system), {})


@dataclass(frozen=True)
class Namesakes:
    """Tables of one name, the likeliest first, each with whether its schema may be used; ``total``: how many exist."""

    tables: list[tuple[Table, bool]]
    total: int


def namesakes(
    cursor: Cursor,
    wanted: str,
    columns: Sequence[str],
    named: Table | None = None,
    near: Any = (),
    most: int = MOST_NAMESAKES,
) -> Namesakes:
    """Return the tables that a name without a schema may mean: those that have these columns.

    :param named: the one that the search path finds. It is among them, if it has the columns, however many there are.
    :param near: without one, the tables in question, as ``schema.table``.
    :param most: how many are returned at most.
    """
    if named:
        names = {named.name} if named.name == wanted else {named.name, wanted}
    else:
        names = {wanted, wanted.lower(), *(place.partition(".")[2] for place in near)}
    if named and not cursor.row(queries.SEVERAL, {"names": sorted(names)})[0]:
        return Namesakes([(named, True)], 1)
    values = {
        "names": sorted(names),
        "columns": [column.lower() for column in columns],
        "named": named.oid if named else None,
        "most": most,
    }
    rows = cursor.rows(queries.NAMESAKES, values)
    return Namesakes([(Table(*row), usable) for *row, usable, _total in rows], rows[0][-1] if rows else 0)


def find_table(cursor: Cursor, wanted: str) -> tuple[Table, list[Column]]:
    """Return the table meant and its columns; raises BadInput with similar names."""
    table = resolve_table(wanted, [Table(*row) for row in cursor.rows(queries.TABLES, {})])
    return table, columns_of(cursor, table)


def columns_of(cursor: Cursor, table: Table) -> list[Column]:
    """Return the columns of a table."""
    # Types are named with their schema unless it is pg_catalog: the latch's function has no other schema in its path.
    path = cursor.row("SELECT current_setting('search_path')", {})[0]
    cursor.row(queries.SEARCH_PATH, {"path": "pg_catalog"})
    columns = [Column(*row) for row in cursor.rows(queries.COLUMNS, {"table": table.oid})]
    cursor.row(queries.SEARCH_PATH, {"path": path})
    return columns


def has_table(cursor: Cursor, wanted: str) -> bool:
    """Tell whether there is such a table, or more than one."""
    try:
        find_table(cursor, wanted)
    except BadInput as error:
        return error.code != "missing_table"
    return True


def pages_of(cursor: Cursor, table: Table) -> int:
    """Return the table's size in pages (of its largest partition)."""
    return int(cursor.row(queries.PAGES, {"table": table.oid})[0])


def is_unique_on(cursor: Cursor, table: Table, columns: list[str]) -> bool:
    """Tell whether an index guarantees one row per ``columns``."""
    return bool(cursor.row(queries.UNIQUE_ON, {"table": table.oid, "columns": columns})[0])
