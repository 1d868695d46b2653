# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants with several rows of the flag, if no index forbids it: a key/value table without a primary key.

Their rows are switched and put back together, as an ordered list, because one prior per tenant could not tell them
apart. They are ordered by everything else in the row, so the order holds when rows move; rows that are equal in all
else are interchangeable.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import (
    mark_of,
    read_document,
    written_document,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries

SEVERAL = -2  # The depth of a prior that is a list of whole columns, one per row.


class SeveralRows:
    """Switches and restores tenants that have more than one row."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        # What a document says is found out here.
        self._is_document = {"is_on": sql.SQL("NULL::boolean")} if statements.target.is_document else {}

    def find(self, cursor: Cursor, enabled: bool, scope: str, params: Mapping[str, Any]) -> dict[str, bool]:
        """Return the tenants with several rows, each with whether it is not yet as wanted (True for a document)."""
        if self._sql.target.one_row:
            return {}
        to_switch = sql.SQL("TRUE") if self._is_document else self._sql.to_switch(enabled)
        statement = self._sql.format(queries.SEVERAL, scope, to_switch=to_switch)
        return dict(cursor.rows(statement, {**self._sql.params, **params}))

    def switch(self, cursor: Cursor, names: Sequence[str], enabled: bool, wait: bool) -> tuple[int, Change | None]:
        """Switch tenants, of one that somebody holds what is free, or wait for it. Return how many, and their priors.

        A prior is all rows of a tenant, those that are held as they are before whoever holds them commits.
        """
        locked = {row[1:3] for row in self._rows(cursor, names, queries.LOCK_ALL_ROWS, wait)}
        values = {**self._sql.params, "written": self._sql.target.written(enabled)}
        tenants: list[str] = []
        priors: list[str] = []
        marks: list[str] = []
        whole = 0
        for tenant, found in groupby(self._rows(cursor, names, queries.ALL_ROWS), key=lambda row: row[0]):
            rows = list(found)
            lacking = [row for row in rows if self._is_on(row) is (not enabled)]
            turned = [row for row in lacking if row[1:3] in locked]
            if not turned:
                continue
            after = self._write(cursor, turned, enabled, values)
            # One of whom a row that must be switched is held counts once that is switched as well.
            whole += len(turned) == len(lacking)
            tenants.append(tenant)
            priors.append(_list_text([row[3] for row in rows]))
            marks.append(mark_of(_list_text([after.get(row[1:3], row[3]) for row in rows])))
        if not tenants:
            return 0, None
        action = "enabled" if enabled else "disabled"
        lists = (array_text(tenants), array_text(priors), None, array_text(marks))
        return whole, Change(action, self._sql.target.written(enabled), SEVERAL, *lists)

    def restore(self, cursor: Cursor, tenant: str, prior: str | None, mark: str | None) -> str | None:
        """Put one tenant's rows back; return ``restored``, ``already`` or ``changed_since``, None if one is locked."""
        before = json.loads(prior or "[]")
        locked = self._rows(cursor, [tenant], queries.LOCK_ALL_ROWS)
        rows = self._rows(cursor, [tenant], queries.ALL_ROWS)
        now = [row[3] for row in rows]
        if now == before:
            return "already"
        if {row[1:3] for row in rows} != {row[1:3] for row in locked}:
            return None
        if mark_of(_list_text(now)) != mark:
            return "changed_since"
        self._write_texts(cursor, rows, before)
        return "restored"

    def _rows(self, cursor: Cursor, names: Sequence[str], statement: str, wait: bool = False) -> list[tuple[Any, ...]]:
        waiting = {"waiting": sql.SQL("" if wait else "SKIP LOCKED")}
        composed = self._sql.format(statement, queries.SCOPE_TENANTS, **self._is_document, **waiting)
        return cursor.rows(composed, {**self._sql.params, "tenants": list(names)})

    def _is_on(self, row: tuple[Any, ...]) -> bool | None:
        """Return whether a row is on; None for unreadable text, which is left alone."""
        if not self._sql.target.is_document:
            return bool(row[4])
        document = read_document(row[3], self._sql.target.flag)
        return document.on if document.readable else None

    def _write(
        self, cursor: Cursor, rows: Sequence[tuple[Any, ...]], enabled: bool, values: dict[str, Any]
    ) -> dict[tuple[Any, ...], str]:
        """Write the flag into rows of one tenant; return the columns' new text by leaf and place."""
        if self._sql.target.is_document:
            flag = self._sql.target.flag
            texts = [written_document(row[3], flag, enabled) for row in rows]
            self._write_texts(cursor, rows, texts)
            return {row[1:3]: text for row, text in zip(rows, texts)}
        new = {}
        for row in rows:
            place = {**values, "leaf": row[1], "place": row[2]}
            new[row[1:3]] = cursor.row(self._sql.format(queries.WRITE_ONE), place)[0]
        return new

    def _write_texts(self, cursor: Cursor, rows: Sequence[tuple[Any, ...]], texts: Sequence[str | None]) -> None:
        values = {"leaves": [row[1] for row in rows], "places": [row[2] for row in rows], "contents": list(texts)}
        cursor.run(self._sql.format(queries.WRITE_DOCUMENTS), {**self._sql.params, **values})


def _list_text(texts: Sequence[str | None]) -> str:
    """Return a list to the letter as jsonb shows it: break-glass.sql makes the same marks."""
    return json.dumps(list(texts), ensure_ascii=False)
