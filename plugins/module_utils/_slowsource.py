# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading pg_stat_statements: where it is, what it has, and the counters in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Session, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import slow as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqltext import hide_literals
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statements import (
    Figures,
    Key,
    Reading,
    columns_of,
)

VIEW, INFO_VIEW = "pg_stat_statements", "pg_stat_statements_info"
# The extension keeps 5000 statements by default; if there are more than this, those with the most time count.
ROWS = 50_000
BYTES = 8192
_UNKNOWN = "Which statements took the time is not known from it."
# Name and type of what is read of each statement, in the order of the fields of Key and Figures.
_READ: Mapping[str, str] = {
    "user_id": "bigint",
    "database_id": "bigint",
    "queryid": "bigint",
    "toplevel": "boolean",
    "calls": "bigint",
    "total_ms": "float8",
    "min_ms": "float8",
    "max_ms": "float8",
    "plan_ms": "float8",
    "rows": "bigint",
    "shared_blks_hit": "bigint",
    "shared_blks_read": "bigint",
    "temp_blks_written": "bigint",
    "read_ms": "float8",
    "since": "text",
}
_KEY_LENGTH = len(Key._fields)


@dataclass(frozen=True)
class Source:
    """The extension as it was found; ``schema`` is None if it is not installed.

    :param preloaded: whether the server has loaded its library, without which the view is an error.
    :param track: what is counted: none, top or all; None if the library is not loaded.
    :param query_ids: the setting compute_query_id; None before PostgreSQL 14.
    :param evicted: statements evicted for lack of room since ``reset_at``; None if unknown.
    """

    schema: str | None
    version: str | None
    view_columns: Sequence[str] = ()
    preloaded: bool = False
    track: str | None = None
    query_ids: str | None = None
    io_timed: bool = False
    has_info: bool = False
    evicted: int | None = None
    reset_at: str | None = None
    evicted_between: int | None = None
    reset_between: bool | None = None
    names: Mapping[str, str | None] = field(default_factory=dict)

    def as_result(self) -> dict[str, Any]:
        """Return the module's ``source``."""
        return {
            "installed": self.schema is not None,
            "schema": self.schema,
            "version": self.version,
            "preloaded": self.preloaded,
            "track": self.track,
            "io_timed": self.io_timed,
            "reset_at": self.reset_at,
            "evicted": self.evicted,
            "reset_between": self.reset_between,
            "evicted_between": self.evicted_between,
        }

    def check(self) -> None:
        """Raise ServerError if nothing can be read."""
        if self.schema is None:
            ready = "its library is loaded already" if self.preloaded else _LIBRARY
            raise ServerError(
                "not_installed",
                "The extension pg_stat_statements is not installed in this database.",
                _UNKNOWN,
                f"As a superuser: CREATE EXTENSION pg_stat_statements; {ready}.",
            )
        if not self.preloaded:
            raise not_preloaded()

    @property
    def warnings(self) -> list[str]:
        """What a reader of the figures should know."""
        told = []
        if self.track == "none":
            told.append("pg_stat_statements.track is none: no statement is counted. ALTER SYSTEM, or SET, it to top.")
        if self.query_ids == "off":
            told.append("compute_query_id is off: pg_stat_statements counts nothing. Set it to auto, the default.")
        if self.reset_between:
            told.append("All counters were set to zero between the two readings: the figures are those since then.")
        if self.evicted_between:
            told.append(
                f"{self.evicted_between} statements were evicted between the two readings for lack of room "
                "(pg_stat_statements.max): some of what took time may be missing."
            )
        return told

    def followed_by(self, later: Source) -> Source:
        """Return this source with what became of its counters until a later look."""
        if later.schema is None or not later.has_info or self.evicted is None or later.evicted is None:
            return self
        reset = self.reset_at != later.reset_at
        # A reset of everything sets this counter to zero as well.
        evicted = later.evicted if reset else later.evicted - self.evicted
        return replace(
            self, evicted=later.evicted, reset_at=later.reset_at, reset_between=reset, evicted_between=max(0, evicted)
        )


_LIBRARY = "its library belongs into shared_preload_libraries, which takes a restart of PostgreSQL"


def not_preloaded() -> ServerError:
    """Return the error for an extension whose library the server did not load at its start."""
    return ServerError(
        "not_preloaded",
        "The extension pg_stat_statements is installed, but the server has not loaded its library.",
        _UNKNOWN,
        f"To have it next time: {_LIBRARY}. No reason to restart it now.",
    )


def find_source(session: Session, seconds: float) -> Source:
    """Return the extension as it is; raises ServerError."""
    with session.transaction(seconds, mode="READ ONLY") as cursor:
        (schema, version, columns, has_info, preloaded, track, query_ids, io_timed) = cursor.row(queries.SOURCE, {})
        source = Source(
            schema, version, tuple(columns or ()), preloaded, track, query_ids, io_timed, bool(schema and has_info)
        )
        if schema is None or not preloaded:
            return source
        source = replace(source, names=columns_of(source.view_columns))
        if source.has_info:
            statement = sql.SQL(queries.INFO).format(info=identifier(schema, INFO_VIEW))
            try:
                with cursor.savepoint():
                    evicted, reset_at = cursor.row(statement, {})
                source = replace(source, evicted=evicted, reset_at=reset_at)
            except ServerError:
                # Closed to this role: then only how far back the counters go is unknown.
                source = replace(source, has_info=False)
    return source


def read_figures(session: Session, source: Source, words: Sequence[str], everywhere: bool, seconds: float) -> Reading:
    """Return the counters of every statement that has one of the words in its text; raises ServerError."""
    columns = [
        sql.SQL("{}::{} AS {}").format(_column(source, ours), sql.SQL(kind), identifier(ours))
        for ours, kind in _READ.items()
    ]
    needed = {name: identifier(str(source.names[name])) for name in ("query", "queryid", "database_id")}
    statement = sql.SQL(queries.FIGURES).format(
        columns=sql.SQL(", ").join(columns),
        names=sql.SQL(", ").join(sql.SQL("s.{}").format(identifier(name)) for name in _READ),
        view=identifier(str(source.schema), VIEW),
        **needed,
    )
    values = {"words": list(words), "everywhere": everywhere, "rows": ROWS}
    rows = _rows(session, statement, values, seconds)
    at, whole, hidden, hidden_ms = rows[0][:4]
    figures = {}
    for row in rows:
        key, counters = Key(*row[4 : 4 + _KEY_LENGTH]), row[4 + _KEY_LENGTH :]
        if key.queryid is not None:
            figures[key] = Figures(key, *counters)
    return Reading(at, figures, whole, hidden, hidden_ms)


def read_texts(
    session: Session, source: Source, keys: Sequence[Key], seconds: float
) -> dict[Key, dict[str, str | None]]:
    """Return text, database and user of these statements, without those that no longer exist; raises ServerError."""
    if not keys:
        return {}
    names = {name: identifier(str(source.names[name])) for name in ("user_id", "database_id", "queryid", "query")}
    statement = sql.SQL(queries.TEXTS).format(
        toplevel=_column(source, "toplevel"), view=identifier(str(source.schema), VIEW), **names
    )
    values = {"ids": [key.queryid for key in keys], "bytes": BYTES, "rows": ROWS}
    found = {}
    for row in _rows(session, statement, values, seconds):
        text, database, user = row[_KEY_LENGTH:]
        found[Key(*row[:_KEY_LENGTH])] = {"query": plain(text), "database": database, "user": user}
    return {key: found[key] for key in keys if key in found}


def plain(text: Any, whole: bool = False) -> str | None:
    """Return a statement's text from bytes, without literals unless ``whole``."""
    if text is None:
        return None
    decoded = bytes(text).decode("utf-8", "replace").replace("\x00", "")
    return decoded if whole else hide_literals(decoded)


def _column(source: Source, ours: str) -> sql.Composable:
    theirs = source.names[ours]
    return sql.SQL("NULL") if theirs is None else sql.SQL("v.{}").format(identifier(theirs))


def _rows(
    session: Session, statement: sql.Composable, values: Mapping[str, Any], seconds: float
) -> list[tuple[Any, ...]]:
    try:
        with session.transaction(seconds, mode="READ ONLY") as cursor:
            return cursor.rows(statement, values)
    except ServerError as error:
        if error.details.get("sqlstate") == "55000":
            raise not_preloaded() from error
        if error.code == "missing_privilege":
            raise ServerError(
                "no_privilege",
                error.what,
                _UNKNOWN,
                "As a superuser: GRANT USAGE on the schema and SELECT on the view pg_stat_statements to this role, "
                "and pg_read_all_stats for other roles' texts.",
            ) from error
        raise
