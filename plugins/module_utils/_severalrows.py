# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants with several rows of the flag, if no index forbids it: a key/value table without a primary key.

Their rows are switched and put back together, as an ordered list, because one prior per tenant could not tell them
apart. They are ordered by what lasts (``_rowkey``); rows that are equal in all else are interchangeable. The mark has
two parts, the rows' contents and what told them apart, so that no value goes back into another row.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

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


class Row(NamedTuple):
    """A row of a tenant; ``on`` is None for a document, which is read here. For ``key`` and ``rest`` see _rowkey."""

    tenant: str
    leaf: str
    place: str
    text: str | None
    on: bool | None
    key: str
    rest: str

    @property
    def at(self) -> tuple[str, str]:
        """Where the row is; once it is locked, it stays there until we write it."""
        return self.leaf, self.place


class SeveralRows:
    """Switches and restores tenants that have more than one row, many with one statement."""

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
        """Switch tenants; of a locked one, switch the free rows, or wait. Return how many, and their priors.

        A prior is all rows of a tenant, locked ones as they are before the locking session commits.
        """
        locked = self._lock(cursor, names, wait)
        found = dict(self._by_tenant(cursor, names))
        lacking = {tenant: [row for row in rows if self._is_on(row) is (not enabled)] for tenant, rows in found.items()}
        turned = {tenant: [row for row in rows if row.at in locked] for tenant, rows in lacking.items()}
        tenants = [tenant for tenant in found if turned[tenant]]
        if not tenants:
            return 0, None
        after = self._switch_rows(cursor, [row for tenant in tenants for row in turned[tenant]], enabled)
        priors = [_list_text(row.text for row in found[tenant]) for tenant in tenants]
        marks = [_mark([after.get(row.at, row) for row in found[tenant]]) for tenant in tenants]
        # One of whom a row that must be switched is held counts once that is switched as well.
        whole = sum(len(turned[tenant]) == len(lacking[tenant]) for tenant in tenants)
        action = "enabled" if enabled else "disabled"
        lists = (array_text(tenants), array_text(priors), None, array_text(marks))
        return whole, Change(action, self._sql.target.written(enabled), SEVERAL, *lists)

    def without_tenant(self, cursor: Cursor) -> bool:
        """Tell whether several rows have no tenant."""
        found: int = cursor.row(self._sql.format(queries.WITHOUT_TENANT), self._sql.params)[0]
        return found > 1

    def changed(self, cursor: Cursor, priors: Mapping[str, tuple[str | None, str | None]]) -> set[str]:
        """Return the tenants that ``restore`` would call changed since, given the same; reads only."""
        return {
            tenant
            for tenant, rows in self._by_tenant(cursor, list(priors))
            if not _are_as_left(rows, json.loads(priors[tenant][0] or "[]"), priors[tenant][1] or "")
        }

    def restore(self, cursor: Cursor, priors: Mapping[str, tuple[str | None, str | None]]) -> dict[str, str]:
        """Put tenants' rows back, given lists and marks; return each as ``restored``, ``already`` or ``changed_since``.

        One of whom a row is held, or turned back by a trigger, is not among them, nor is one that is gone.
        """
        names = list(priors)
        locked = self._lock(cursor, names)
        outcome: dict[str, str] = {}
        back: list[tuple[Row, str | None]] = []
        for tenant, rows in self._by_tenant(cursor, names):
            prior, mark = priors[tenant]
            before = json.loads(prior or "[]")
            if [row.text for row in rows] == before:
                outcome[tenant] = "already"
            elif not locked.issuperset(row.at for row in rows):
                continue
            elif not _are_as_left(rows, before, mark or ""):
                outcome[tenant] = "changed_since"
            else:
                outcome[tenant] = "restored"
                back += [(row, text) for row, text in zip(rows, before) if row.text != text]
        after = self._write(cursor, queries.WRITE_TEXTS, [row for row, _text in back], [text for _row, text in back])
        for row, text in back:
            if row.at not in after or after[row.at].text != text:
                outcome.pop(row.tenant, None)
        return outcome

    def _lock(self, cursor: Cursor, names: Sequence[str], wait: bool = False) -> set[tuple[str, str]]:
        """Lock the rows of tenants that are free, or wait for all; return where they are."""
        return {row.at for row in self._rows(cursor, names, queries.LOCK_ALL_ROWS, wait)}

    def _by_tenant(self, cursor: Cursor, names: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
        for tenant, rows in groupby(self._rows(cursor, names, queries.ALL_ROWS), key=lambda row: row.tenant):
            yield tenant, list(rows)

    def _rows(self, cursor: Cursor, names: Sequence[str], statement: str, wait: bool = False) -> list[Row]:
        waiting = {"waiting": sql.SQL("" if wait else "SKIP LOCKED")}
        composed = self._sql.format(statement, queries.SCOPE_TENANTS, **self._is_document, **waiting)
        return [Row(*row) for row in cursor.rows(composed, {**self._sql.params, "tenants": list(names)})]

    def _is_on(self, row: Row) -> bool | None:
        """Return whether a row is on; None for unreadable text, which is left alone."""
        if not self._sql.target.is_document:
            return bool(row.on)
        document = read_document(row.text, self._sql.target.flag)
        return document.on if document.readable else None

    def _switch_rows(self, cursor: Cursor, rows: Sequence[Row], enabled: bool) -> dict[tuple[str, str], Row]:
        """Write the flag into rows; return them as they are then, by where they were."""
        target = self._sql.target
        if target.is_document:
            texts = [written_document(row.text, target.flag, enabled) for row in rows]
            return self._write(cursor, queries.WRITE_TEXTS, rows, texts)
        return self._write(cursor, queries.WRITE_FLAG, rows, [None] * len(rows), written=target.written(enabled))

    def _write(
        self, cursor: Cursor, statement: str, rows: Sequence[Row], texts: Sequence[str | None], **values: Any
    ) -> dict[tuple[str, str], Row]:
        """Write locked rows; return them as they are then, by where they were."""
        if not rows:
            return {}
        places = {"leaves": [row.leaf for row in rows], "places": [row.place for row in rows], "contents": list(texts)}
        found = cursor.rows(self._sql.format(statement), {**self._sql.params, **values, **places})
        were = {row.at: row for row in rows}
        return {
            (leaf, place): were[leaf, place]._replace(text=text, key=key, rest=rest)
            for leaf, place, text, key, rest in found
        }


def is_of_several(mark: str | None) -> bool:
    """Tell whether a mark is that of several rows: only those have two parts."""
    return "." in (mark or "")


def _mark(rows: Sequence[Row]) -> str:
    """Return the mark of a tenant's rows; break-glass.sql makes the same (``MARK_OF_SEVERAL``)."""
    keys = [row.key for row in rows]
    told_apart = keys if len(set(keys)) == len(keys) else [row.rest for row in rows]
    return f"{mark_of(_list_text(row.text for row in rows))}.{mark_of(_list_text(told_apart))}"


def _are_as_left(rows: Sequence[Row], before: Sequence[str | None], mark: str) -> bool:
    """Tell whether rows hold what we wrote, and whether each value can go back into the row that it came from."""
    if len(rows) != len(before) or _mark(rows).partition(".")[0] != mark.partition(".")[0]:
        return False
    return len(set(before)) == 1 or len({row.rest for row in rows}) == 1 or _mark(rows) == mark


def _list_text(texts: Iterable[str | None]) -> str:
    """Return a list exactly as jsonb shows it."""
    return json.dumps(list(texts), ensure_ascii=False)
