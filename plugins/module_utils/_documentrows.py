# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag inside JSON that is stored as json or text: read and written as text, so that every other letter stays."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import (
    mark_of,
    put_back_document,
    read_document,
    written_document,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson, leaf
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import (
    SAMPLE,
    Count,
    Prior,
    Restored,
    Scope,
    restore_several,
    those_there,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import SeveralRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries

# Documents in memory at once while reading; a tenant's settings are a few kilobytes.
FETCH = 1000


class DocumentRows:
    """The same work as ServerRows, with the documents taken apart here."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        self.several = SeveralRows(statements)
        self._flag = statements.target.flag

    def count(self, cursor: Cursor, scope: Scope, names_on: list[str] | None = None) -> Count:
        """Count tenants, those that are on and those whose text is not JSON; takes no row locks.

        :param names_on: collects the tenants that are on, if the caller needs all of them: one read gives both.
        """
        total = cursor.row(self._sql.format(queries.COUNT, scope.condition), self._values(scope))[0]
        on, unreadable = 0, 0
        sample: list[str] = []
        # If nothing guarantees one row per tenant, rows are not tenants.
        counted: set[str] | None = None if self._sql.target.one_row else set()
        for tenant, text in self._read(cursor, scope):
            document = read_document(text, self._flag)
            if document.on and (counted is None or tenant not in counted):
                on += 1
                if counted is not None:
                    counted.add(tenant)
                if names_on is not None:
                    names_on.append(tenant)
            if not document.readable:
                unreadable += 1
                sample += [tenant] if len(sample) < SAMPLE else []
        return Count(total, on, unreadable, sample)

    def to_switch(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]:
        """Return the first ``limit`` tenants that are not yet as wanted."""
        documents = ((tenant, read_document(text, self._flag)) for tenant, text in self._read(cursor, scope, enabled))
        wanted = (tenant for tenant, document in documents if document.readable and document.on != enabled)
        return heapq.nsmallest(limit, wanted if self._sql.target.one_row else set(wanted), key=str)

    # A document is a column of the tenant's own row.
    named = to_switch

    def values(self, cursor: Cursor, scope: Scope) -> list[dict[str, Any]]:
        """Return the most frequent values of the flag with their number of tenants."""
        seen: Counter[str | None] = Counter()
        for _tenant, text in self._read(cursor, scope, every=True):
            try:
                value = leaf(text, self._flag.path) if text and text.strip() else None
            except NotJson:
                value = "(no JSON)"
            key = value if value is None else value[:60]
            if key in seen or len(seen) < 10 * SAMPLE:
                seen[key] += 1
        return [{"value": value, "tenants": number} for value, number in seen.most_common(SAMPLE)]

    def switch(self, cursor: Cursor, scope: Scope, enabled: bool, wait: bool) -> tuple[int, Change | None]:
        """Switch one batch; return how many tenants, and their whole documents for the ledger."""
        fragments = {"waiting": sql.SQL("" if wait else "SKIP LOCKED")}
        if enabled:  # A tenant that never had the flag has no mention of it in its text.
            fragments["may_matter"] = sql.SQL("TRUE")
        statement = self._sql.format(queries.LOCK_DOCUMENTS, scope.condition, **fragments)
        leaves, places, tenants, priors, contents = [], [], [], [], []
        for at_leaf, place, tenant, text in cursor.rows(statement, self._values(scope)):
            document = read_document(text, self._flag)
            if document.readable and document.on != enabled:
                leaves.append(at_leaf)
                places.append(place)
                tenants.append(tenant)
                priors.append(text)
                contents.append(written_document(text, self._flag, enabled))
        if not tenants:
            return 0, None
        self._write(cursor, leaves, places, contents)
        change = Change(
            "enabled" if enabled else "disabled",
            self._sql.target.written(enabled),
            0,
            array_text(tenants),
            array_text(priors),
            marks=array_text([mark_of(content) for content in contents]),
        )
        return len(tenants), change

    def there(self, cursor: Cursor, tenants: Sequence[str]) -> set[str]:
        """Return those of the tenants that have a row."""
        return those_there(self._sql, cursor, tenants)

    def switch_missing(self, cursor: Cursor, enabled: bool, tenants: Sequence[str] | None) -> tuple[int, Change | None]:
        """Switch nothing: a document is a column of the tenant's own row, so none is missing."""
        return 0, None

    def missing(self, cursor: Cursor, tenants: Sequence[str] | None, enabled: bool, limit: int) -> list[str]:
        """Return nobody, for the same reason."""
        return []

    def restore(self, cursor: Cursor, batch: Sequence[Prior]) -> Restored:
        """Put one batch of priors back; rows that are locked are skipped."""
        outcome, others = restore_several(self.several, cursor, batch)
        wanted = {prior.tenant: prior for prior in others}
        if not wanted:
            return outcome
        scope = Scope.tenants(list(wanted))
        statement = self._sql.format(
            queries.LOCK_DOCUMENTS, scope.condition, waiting=sql.SQL("SKIP LOCKED"), may_matter=sql.SQL("TRUE")
        )
        leaves, places, contents = [], [], []
        for at_leaf, place, tenant, text in cursor.rows(statement, self._values(scope)):
            prior = wanted[tenant]
            again = None if prior.last == prior.prior else prior.last
            back = put_back_document(text, prior.prior, prior.mark or "", prior.written or "", self._flag, again)
            getattr(outcome, back.outcome).append(tenant)
            if back.outcome == "restored":
                leaves.append(at_leaf)
                places.append(place)
                contents.append(back.text)
        if leaves:
            self._write(cursor, leaves, places, contents)
        return outcome

    def _write(self, cursor: Cursor, leaves: list[str], places: list[str], contents: Sequence[str | None]) -> None:
        values = {**self._sql.params, "leaves": leaves, "places": places, "contents": list(contents)}
        cursor.run(self._sql.format(queries.WRITE_DOCUMENTS), values)

    def _read(self, cursor: Cursor, scope: Scope, every: bool = False) -> Iterator[tuple[str, str | None]]:
        fragments = {"may_matter": sql.SQL("TRUE")} if every else {}
        statement = self._sql.format(queries.READ_DOCUMENTS, scope.condition, **fragments)
        for rows in cursor.stream(statement, self._values(scope), FETCH):
            yield from rows

    def _values(self, scope: Scope) -> dict[str, Any]:
        return {**self._sql.params, **scope.params}
