# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of ``break-glass.sql``: the kill and its exact undo for psql alone. Builds statements, runs none."""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import NO_ROW
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import SEVERAL
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglass as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglassmissing as missing_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglassseveral as several_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import preflight as trial_queries

KEEP_TABLE = "kanban_rollback_break_glass"
LEDGER_TABLE = "kanban_rollback.flag_changes"
_INSERT_KEPT = re.compile(r"INSERT INTO \{keep\} \([^)]*\)")
# The script's own statements stand in for the modules', with the same expressions in them.
_INSTEAD = {
    flag_queries.SWITCH: queries.SWITCH,
    flag_queries.RESTORE: queries.RESTORE,
    flag_queries.DELETE_MADE: queries.DELETE_MADE,
}


# What switches a document's text off, and what reads its flag.
_FUNCTIONS = ("pg_temp.kanban_off", "pg_temp.kanban_flag")


class Script(Statements):
    """The statements of one target.

    :param keep: the table of priors, as SQL (a psql variable in the script); None if it is not there yet.
    :param trying: build statements that are only planned: they match no row, and need neither psql nor our functions.
    """

    def __init__(self, target: Target, keep: sql.Composable | None, trying: bool) -> None:
        self._has_keep = keep is not None
        # A function of PostgreSQL's own with the same types stands in, because a plan cannot make ours.
        self._off_of, flag_of = (sql.SQL("pg_catalog.lower" if trying else name) for name in _FUNCTIONS)
        super().__init__(target)
        text = sql.SQL("{}::text").format(self.fragments["column"])
        can_write: sql.Composable = sql.SQL("")
        if target.is_document:
            off = sql.SQL("{}({})").format(self._off_of, text)
            self.fragments["is_on"] = sql.SQL("({}({}) <> 'off')").format(flag_of, text)
            # The cast would cut a text that is too long for its column, so such a text is left alone.
            can_write = sql.SQL("AND ({0}::{1})::text = {0}").format(off, self._type)
        self.params.update(flag=target.identity, written=target.written(False), tenants=None)
        self.params.update(keep_place(target))
        self.fragments.update(
            keep=keep or sql.SQL(trial_queries.NO_KEEP),
            incident=sql.SQL(queries.INCIDENT),
            nothing=sql.SQL("AND false" if trying else ""),
            one=sql.SQL("NULL" if trying else "$1"),
            can_write=can_write,
            mark=_mark("content") if target.is_document else sql.SQL("NULL::text"),
            several=sql.Literal(SEVERAL),
            one_mark=sql.SQL(several_queries.ONE_MARK),
            no_row=sql.Literal(NO_ROW),
            to_switch=self.to_switch(False),
        )
        single = sql.SQL("") if target.one_row else sql.SQL(queries.SINGLE).format(**self.fragments)
        wanted = sql.SQL(flag_queries.PRIORS).format(entries=sql.SQL(queries.KEPT).format(**self.fragments))
        self.fragments.update(single=single, wanted=wanted)

    def format(self, statement: str, scope: str = flag_queries.SCOPE_ALL, **more: sql.Composable) -> sql.Composed:
        """Return a statement with this target's names, in the script's own form if it has one."""
        statement = _INSTEAD.get(statement, statement)
        if not self._has_keep:
            statement = _INSERT_KEPT.sub("", statement)
        return super().format(statement, scope, **more)

    @property
    def makes_rows(self) -> bool:
        """True if tenants without a row are on."""
        return self.target.owners is not None and self.target.flag.absent_is_on

    def _written(self) -> sql.Composable:
        if self.target.is_document:
            return sql.SQL("{}({}::text)::{}").format(self._off_of, self._column, self._type)
        return super()._written()

    def off(self, one: bool) -> list[sql.Composed]:
        """Return what switches every tenant whose row is free, or (``one``) a single tenant, waiting for its row."""
        scope = queries.ONE_TENANT if one and not self.target.global_default else queries.ALL_ROWS
        found = [self.switch(scope, False, wait=one)]
        if not self.target.one_row:
            more = {"waiting": sql.SQL("" if one else "SKIP LOCKED"), "written": self._written(), **_mark_of_several()}
            found.append(self.format(several_queries.SWITCH_SEVERAL, scope, **more))
        return found

    def off_missing(self) -> sql.Composed:
        """Return what makes the rows of tenants that have none, where that means on."""
        return self._make_missing("TRUE", "TRUE")

    def off_missing_some(self) -> sql.Composed:
        """Return the same for the tenants of one parameter."""
        return self._make_missing(missing_queries.OWNERS_OF_CHUNK, missing_queries.ROWS_OF_CHUNK)

    def each_chunk(self, name: str, size: int) -> sql.Composed:
        """Return what runs the prepared statement ``name`` for all that are on without a row, ``size`` at a time."""
        return self._of_missing(missing_queries.EACH_CHUNK, name=sql.SQL(name), size=sql.Literal(size))

    def who_is_still_on(self) -> sql.Composed:
        """Return what shows some of the tenants that are on, with or without a row."""
        with_rows = self.format(queries.WHO_IS_STILL_ON)
        if not self.makes_rows:
            return with_rows
        return self._of_missing(missing_queries.WHO_IS_ON_WITH_OR_WITHOUT, with_rows=with_rows)

    def _make_missing(self, owners: str, rows: str) -> sql.Composed:
        owners_meant, rows_meant = self._of_missing(owners), self._of_missing(rows)
        return self._of_missing(missing_queries.INSERT_MISSING, owners_meant=owners_meant, rows_meant=rows_meant)

    def _of_missing(self, statement: str, **more: sql.Composable) -> sql.Composed:
        owner = self.target.owner_id
        kind = sql.SQL(owner.cast_name.replace("%", "%%") if owner else "text")
        return self.of_missing(statement, listed=False, owner_type=kind, **more)

    def back(self) -> list[sql.Composed]:
        """Return what puts back everything that was kept."""
        found = [self._restore_documents() if self.target.is_document else self.restore()]
        if not self.target.one_row:
            found.append(self.format(several_queries.RESTORE_SEVERAL, flag_queries.SCOPE_ALL, **_mark_of_several()))
        if self.makes_rows:
            found.append(self.delete_made())
        return found

    def _restore_documents(self) -> sql.Composed:
        """Restore the exact document if nothing else was saved into it since; the modules' undo can do more."""
        content = sql.SQL("{}::text").format(self.fragments["column"])
        ours = sql.SQL("(COALESCE({} = w.mark, false) AND w.last IS NOT DISTINCT FROM w.prior)")
        return self.format(
            queries.RESTORE,
            already=sql.SQL("({} IS NOT DISTINCT FROM w.prior)").format(content),
            unchanged=ours.format(_mark(content)),
            put_back=sql.SQL("w.prior::{}").format(self._type),
        )

    def count_statement(self) -> sql.Composed:
        """Return the count that decides: all tenants, how many are on, whether none is; with tenants without a row."""
        count = self.format(flag_queries.COUNT)
        if self.makes_rows:
            missing = self.of_missing(flag_queries.MISSING_COUNT, listed=False)
            whole = "SELECT c.total + m.n, c.enabled + m.n FROM ({}) AS c (total, enabled), ({}) AS m (n)"
            count = sql.SQL(whole).format(count, missing)
        return self.format(queries.STILL_ON, count_all=count)

    def functions(self) -> list[tuple[str, sql.Composed]]:
        """Return the functions that read and edit a document, and their bodies, which go in as literals."""
        if not self.target.is_document:
            return []
        read = Statements(self.target, as_jsonb=True)
        path = self.target.flag.path
        off: sql.Composable = sql.SQL(queries.OFF_WHOLE_DOCUMENT_BODY)
        if path:
            value = read._set_json(1, len(path), sql.SQL("%(written)s::jsonb"))
            member = sql.SQL("to_json(%(path_0)s::text)::text || ': ' || ({})::text").format(value)
            off = read.format(queries.OFF_DOCUMENT_BODY, member=member)
        return [
            (queries.READ_DOCUMENT, sql.SQL(queries.READ_DOCUMENT_BODY).format()),
            (queries.FLAG_OF_DOCUMENT, read.format(queries.FLAG_OF_DOCUMENT_BODY)),
            (queries.OFF_DOCUMENT, sql.Composed([off])),
        ]

    def text(self, cursor: Cursor, statement: str | sql.Composable) -> str:
        """Return a statement as text, with every value in it as a literal."""
        return cursor.filled(statement, self.params).strip()

    def function_texts(self, cursor: Cursor) -> list[str]:
        """Return the statements that make the functions."""
        found = []
        for statement, body in self.functions():
            made = sql.SQL(statement).format(body=sql.SQL("%(body)s"))
            found.append(cursor.filled(made, {"body": self.text(cursor, body)}).strip())
        return found


def _mark(content: str | sql.Composable) -> sql.Composed:
    """Return the expression of the modules' mark for a document's text."""
    return sql.SQL(queries.MARK).format(content=sql.SQL(content) if isinstance(content, str) else content)


def _mark_of_several() -> dict[str, sql.Composable]:
    """Return the two parts of the mark of several rows, and what the second is made of."""
    told_apart = sql.SQL(several_queries.TOLD_APART)
    return {"told_apart": told_apart, "mark": _mark("content"), "mark_of_rows": _mark("told_apart")}


def keep_place(target: Target) -> dict[str, str]:
    """Return where to look for the table that stands in for the ledger, beside the flag's own, and its usual name."""
    return {"keep_schema": target.table.schema, "keep_name": KEEP_TABLE}


def trials(cursor: Cursor, targets: Sequence[Target], has_ledger: bool, has_fence: bool) -> list[str]:
    """Return every statement of the script that reads or writes rows, in a form that can be planned."""
    keep = sql.SQL(LEDGER_TABLE) if has_ledger else None
    first = Script(targets[0], keep, trying=True)
    found = []
    if has_ledger:
        found += [first.text(cursor, queries.OPEN_OR_NEW), first.text(cursor, first.format(queries.LAST_OF_FLAG))]
        found.append(first.text(cursor, first.format(queries.OPEN_INCIDENT)))
    if has_fence:
        found.append(trial_queries.TRY_FENCE)
    for target in targets:
        script = Script(target, keep, trying=True)
        statements = [*script.off(one=False), *script.off(one=True), *script.back()]
        if script.makes_rows:
            statements += [script.off_missing(), script.off_missing_some(), script.each_chunk("kanban_make_1", 1)]
        statements.append(script.who_is_still_on())
        statements.append(script.format(queries.LEFT_OVER, name=sql.SQL("kanban_off_1")))
        found += [script.text(cursor, statement) for statement in statements]
    return found


def not_allowed(cursor: Cursor, targets: Sequence[Target], has_ledger: bool) -> ServerError | None:
    """Return the error if this role may not make what the script makes: the table of priors, and functions."""
    if not has_ledger and not cursor.row(trial_queries.MAY_KEEP, keep_place(targets[0]))[0]:
        place = f"{targets[0].table.schema}.{KEEP_TABLE}"
        return _lacking(f"permission denied: the table {place} cannot be made or used by this role.")
    if targets[0].is_document and not cursor.row(trial_queries.MAY_MAKE_FUNCTIONS, {})[0]:
        return _lacking("permission denied: this role may not make temporary functions in this database.")
    return None


def not_used(cursor: Cursor, target: Target, has_ledger: bool) -> str:
    """Return a sentence about tables of that name that the script leaves alone; empty if there are none."""
    others = None if has_ledger else cursor.row(trial_queries.MAY_KEEP, keep_place(target))[1]
    return f" For prior values it makes a table of its own, for this is somebody else's: {others}." if others else ""


def _lacking(what: str) -> ServerError:
    return ServerError(
        "missing_privilege",
        what,
        "On the day that Ansible is broken the script would stop there.",
        "Run bootstrap.yml, which makes the ledger; a document's flag needs TEMPORARY on the database and USAGE on the "
        "languages sql and plpgsql as well.",
    )
