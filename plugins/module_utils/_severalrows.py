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
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError, Timeout
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
AT_ONCE = 1000


class SeveralRows:
    """Switches and restores tenants that have more than one row."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def switch(self, cursor: Cursor, enabled: bool, refused: dict[str, str] | None = None) -> tuple[int, Change | None]:
        """Switch the next tenants that have several rows, none of them locked. Return how many, and their priors.

        :param refused: gets tenants whose rows the server refuses to write, and why; without it, one of these ends all.
        """
        target = self._sql.target
        statement = self._sql.format(
            queries.LOCK_SEVERAL,
            to_switch=sql.SQL("TRUE") if target.is_document else self._sql.to_switch(enabled),
            is_on=sql.SQL("NULL::boolean") if target.is_document else self._sql.fragments["is_on"],
        )
        written = target.written(enabled)
        values = {**self._sql.params, "written": written, "limit": AT_ONCE}
        tenants: list[str] = []
        priors: list[str] = []
        marks: list[str] = []
        for tenant, found in groupby(cursor.rows(statement, values), key=lambda row: row[0]):
            rows = list(found)
            if len(rows) != rows[0][5]:
                continue  # Somebody holds one of them; the first pass takes what is free.
            turned = [row for row in rows if self._is_on(row) is (not enabled)]
            if not turned:
                continue
            if refused is None:
                after = self._write(cursor, turned, enabled, values)
            elif tenant in refused:
                continue
            else:
                try:
                    with cursor.savepoint():
                        after = self._write(cursor, turned, enabled, values)
                except Timeout:
                    raise
                except ServerError as error:
                    if cursor.is_lost:
                        raise
                    refused[tenant] = error.what
                    continue
            tenants.append(tenant)
            priors.append(json.dumps([row[3] for row in rows]))
            marks.append(mark_of(json.dumps([after.get(row[2], row[3]) for row in rows])))
        if not tenants:
            return 0, None
        action = "enabled" if enabled else "disabled"
        lists = (array_text(tenants), array_text(priors), None, array_text(marks))
        return len(tenants), Change(action, written, SEVERAL, *lists)

    def restore(self, cursor: Cursor, tenant: str, prior: str | None, mark: str | None) -> str | None:
        """Put one tenant's rows back; return ``restored``, ``already`` or ``changed_since``, None if one is locked."""
        before = json.loads(prior or "[]")
        statement = self._sql.format(queries.LOCK_ALL_ROWS, queries.SCOPE_TENANTS)
        rows = cursor.rows(statement, {**self._sql.params, "tenants": [tenant]})
        now = [row[3] for row in rows]
        if now == before:
            return "already"
        if len(now) < len(before):
            return None
        if mark_of(json.dumps(now)) != mark:
            return "changed_since"
        self._write_texts(cursor, rows, before)
        return "restored"

    def _is_on(self, row: tuple[Any, ...]) -> bool | None:
        """Return whether a row is on; None for unreadable text, which is left alone."""
        if not self._sql.target.is_document:
            return bool(row[4])
        document = read_document(row[3], self._sql.target.flag)
        return document.on if document.readable else None

    def _write(
        self, cursor: Cursor, rows: Sequence[tuple[Any, ...]], enabled: bool, values: dict[str, Any]
    ) -> dict[str, str]:
        """Write the flag into rows of one tenant; return the columns' new text by place."""
        if self._sql.target.is_document:
            flag = self._sql.target.flag
            texts = [written_document(row[3], flag, enabled) for row in rows]
            self._write_texts(cursor, rows, texts)
            return {row[2]: text for row, text in zip(rows, texts)}
        new = {}
        for row in rows:
            place = {**values, "leaf": row[1], "place": row[2]}
            new[row[2]] = cursor.row(self._sql.format(queries.WRITE_ONE), place)[0]
        return new

    def _write_texts(self, cursor: Cursor, rows: Sequence[tuple[Any, ...]], texts: Sequence[str | None]) -> None:
        values = {"leaves": [row[1] for row in rows], "places": [row[2] for row in rows], "contents": list(texts)}
        cursor.run(self._sql.format(queries.WRITE_DOCUMENTS), {**self._sql.params, **values})
