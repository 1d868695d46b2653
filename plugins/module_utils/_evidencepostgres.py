# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the evidence that PostgreSQL has, each read in a short transaction of its own."""

from __future__ import annotations

import json
from functools import partial
from typing import ContextManager, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencefolder import Folder, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import safe_name, short_hash
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    CONNECT_SECONDS,
    Cursor,
    Login,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import evidence as queries

APPLICATION = "chatia.kanban_rollback evidence"
PART_SECONDS = 2.0
LOCK_SECONDS = 1.0
ROWS = 20_000
FETCH = 200
LETTERS = 1000
STATEMENTS = 50
# With fewer connections free than this, only the first parts are read and the connection is given back.
ROOM = 5
_VIEWS = (
    ("locks", queries.LOCKS),
    ("prepared_xacts", queries.PREPARED),
    ("replication", queries.REPLICATION),
    ("replication_slots", queries.SLOTS),
    ("databases", queries.DATABASES),
    ("tables", queries.TABLES),
    ("settings", queries.SETTINGS),
)


def source_name(login: Login) -> str:
    """Return the directory's name for one database; the same login gives the same name."""
    params = login.as_params("")
    where = f"{params.get('host', '')}:{params['port']}/{params['dbname']}"
    return f"postgresql-{safe_name(str(params['dbname']), 40)}-{short_hash(where)}"


class PostgresSource:
    """Reads on a connection of its own; if that cannot be opened or is lost, it is not tried again."""

    name = "postgresql"

    def __init__(self, login: Login) -> None:
        self.directory_name = source_name(login)
        self._login = login
        self._session: Session | None = None
        self._no_session: KanbanError | None = None

    @property
    def parts(self) -> list[Part]:
        """The parts by name; what a kill is about to change comes first."""
        views: list[Part] = [(name, partial(self._view, name, statement)) for name, statement in _VIEWS]
        activity: Part = ("activity", partial(self._view, "activity", queries.ACTIVITY))
        return [activity, views[0], ("server", self._server), *views[1:], ("statements", self._statements)]

    def _open(self, folder: Folder) -> Session:
        if self._no_session:
            raise self._no_session
        try:
            if self._session is None:
                self._session = Session(self._login, APPLICATION, folder.deadline.slice(CONNECT_SECONDS))
        except KanbanError as error:
            self._no_session = error
            raise
        return self._session

    def _reading(self, folder: Folder) -> ContextManager[Cursor]:
        """Return a transaction that ends soon, whatever locks others hold."""
        seconds = folder.deadline.slice(PART_SECONDS)
        return self._open(folder).transaction(seconds, min(LOCK_SECONDS, seconds), "READ ONLY")

    def _view(self, name: str, statement: str, folder: Folder) -> None:
        with self._reading(folder) as cursor:
            folder.write(f"{name}.jsonl", _lines(cursor, statement))
        if name == "locks":
            self._give_way(folder)

    def _give_way(self, folder: Folder) -> None:
        """Give the connection back if few are free: containment may need one."""
        with self._reading(folder) as cursor:
            room = cursor.row(queries.ROOM, {})[0]
        if room is not None and room < ROOM:
            self.close()
            self._no_session = ServerError(
                "few_connections",
                f"Only {room} connections were free, and containment may need one, so this one was given back.",
                "Parts of the evidence are missing.",
                "Collect again when connections are free; it goes to a new directory beside this one.",
            )

    def _server(self, folder: Folder) -> None:
        server = identify(self._open(folder), folder.deadline.slice(PART_SECONDS))
        folder.notes += server.warnings
        with self._reading(folder) as cursor:
            (line,) = _lines(cursor, queries.SERVER)
        found = {**server.as_result(), **json.loads(line)}
        folder.write("server.json", [json.dumps(found, indent=1).encode() + b"\n"])

    def _statements(self, folder: Folder) -> None:
        with self._reading(folder) as cursor:
            found = cursor.rows(queries.STATEMENTS_PLACE, {})
            if not found or not found[0][1]:
                raise ServerError(
                    "no_statements",
                    "The extension pg_stat_statements is not installed in this database.",
                    "Which statements took the time is not known from it.",
                    "CREATE EXTENSION pg_stat_statements, with the library in shared_preload_libraries.",
                )
            schema, column = found[0]
            statement = sql.SQL(queries.STATEMENTS).format(
                view=identifier(schema, "pg_stat_statements"), time=identifier(column)
            )
            folder.write("statements.jsonl", _lines(cursor, statement, most=STATEMENTS))

    def close(self) -> None:
        """Close the connection without waiting for anything."""
        if self._session:
            self._session.close()


def _lines(cursor: Cursor, statement: str | sql.Composable, **more: int) -> Iterator[bytes]:
    """Yield each row as a line of JSON."""
    for rows in cursor.stream(statement, {"rows": ROWS, "letters": LETTERS, **more}, FETCH):
        for (row,) in rows:
            yield bytes(row).decode("utf-8", "replace").encode() + b"\n"
