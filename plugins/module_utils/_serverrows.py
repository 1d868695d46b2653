# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag that the server itself can read and write: jsonb documents, key/value rows, columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Collection, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import (
    SEVERAL,
    SeveralRows,
    is_of_several,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries

SAMPLE = 20
NO_ROW = -1  # The depth of a prior that says: this tenant had no row.


@dataclass(frozen=True)
class Scope:
    """Which rows: one of our SQL conditions and its parameters."""

    condition: str = queries.SCOPE_ALL
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def tenants(cls, names: Sequence[str]) -> Scope:
        """Return the scope of these tenants' rows; None is the row without a tenant."""
        condition = queries.SCOPE_TENANTS_AND_NOBODY if None in names else queries.SCOPE_TENANTS
        return cls(condition, {"tenants": list(names)})

    @classmethod
    def pages(cls, first: int, last: int) -> Scope:
        """Return the scope of the rows in pages ``first`` up to, but not including, ``last``."""
        return cls(queries.SCOPE_PAGES, {"first": f"({first},0)", "last": f"({last},0)"})

    def without(self, names: Collection[str]) -> Scope:
        """Return the same scope without these tenants' rows."""
        if not names:
            return self
        condition = queries.SCOPE_WITHOUT.replace("{scope}", self.condition)
        return Scope(condition, {**self.params, "without": sorted(names)})


@dataclass(frozen=True)
class Count:
    """Tenants in a scope, those that are on, and those whose settings cannot be read (with a few names).

    ``without_row``: those that have no row in a key/value store, None if nobody knows which there are; ``by_default``:
    those of them that are on only because the default of all is.
    """

    total: int
    on: int
    unreadable: int = 0
    unreadable_sample: list[str] = field(default_factory=list)
    without_row: int | None = None
    by_default: int = 0


def together(counts: Sequence[Count]) -> Count:
    """Return counts of several tables as one."""
    without_row = [count.without_row for count in counts if count.without_row is not None]
    return Count(
        total=sum(count.total for count in counts),
        on=sum(count.on for count in counts),
        unreadable=sum(count.unreadable for count in counts),
        unreadable_sample=[name for count in counts for name in count.unreadable_sample],
        without_row=sum(without_row) if len(without_row) == len(counts) else None,
        by_default=sum(count.by_default for count in counts),
    )


@dataclass(frozen=True)
class Prior:
    """What to put back for one tenant, or for the row without one (None); see ``_sql/flag.PRIORS``."""

    tenant: str
    prior: str | None
    depth: int
    written: str | None
    mark: str | None
    last: str | None


@dataclass
class Restored:
    """Tenants by their outcome in one batch; a tenant in none of the lists was locked, or is gone."""

    restored: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    changed_since: list[str] = field(default_factory=list)


def whose(tenants: Sequence[str]) -> list[str]:
    """Return how the rows of tenants are found in a join, one scope per statement."""
    return [queries.OF_TENANT, queries.OF_NOBODY] if None in tenants else [queries.OF_TENANT]


def those_there(statements: Statements, cursor: Cursor, tenants: Sequence[str]) -> set[str]:
    """Return those of the tenants that have a row."""
    values = {**statements.params, "tenants": list(tenants)}
    composed = [statements.format(queries.KNOWN, scope) for scope in whose(tenants)]
    return {row[0] for statement in composed for row in cursor.rows(statement, values)}


def apart(
    several: SeveralRows, cursor: Cursor, batch: Sequence[Prior]
) -> tuple[dict[str, tuple[str | None, str | None]], list[Prior], list[str]]:
    """Return the priors of tenants with several rows (list and mark), those of others, and who is changed since.

    The last had one row, and several when they were switched again: nobody knows whose the prior is. It is the same if
    several rows have no tenant.
    """
    nobody = any(prior.tenant is None for prior in batch) and several.without_tenant(cursor)
    lists = {prior.tenant: (prior.prior, prior.mark) for prior in batch if prior.depth == SEVERAL}
    others = [prior for prior in batch if prior.depth != SEVERAL]
    grown = {prior.tenant for prior in others if is_of_several(prior.mark) or (nobody and prior.tenant is None)}
    return lists, [prior for prior in others if prior.tenant not in grown], list(grown)


def restore_several(several: SeveralRows, cursor: Cursor, batch: Sequence[Prior]) -> tuple[Restored, Sequence[Prior]]:
    """Put back the tenants of a batch that have several rows; return their outcome, and the others."""
    lists, others, grown = apart(several, cursor, batch)
    outcome = Restored(changed_since=grown)
    if lists:
        for tenant, what in several.restore(cursor, lists).items():
            getattr(outcome, what).append(tenant)
    return outcome, others


class ServerRows:
    """Reads, switches and restores with one statement per batch."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        self.several = SeveralRows(statements)

    def count(self, cursor: Cursor, scope: Scope) -> Count:
        """Count tenants and those that are on; takes no row locks."""
        total, on = cursor.row(self._sql.format(queries.COUNT, scope.condition), self._values(scope))
        listed = "tenants" in scope.params
        if not self._may_miss(listed):
            return Count(total, on)
        are_on, known = self._missing_are_on(cursor), self._sql.target.owners is not None
        if not (known or are_on):
            return Count(total, on)
        missing = cursor.row(self._sql.of_missing(queries.MISSING_COUNT, listed), self._values(scope))[0]
        missing_on = missing if are_on else 0
        by_default = 0 if self._sql.target.flag.absent_is_on else missing_on
        return Count(total + missing, on + missing_on, without_row=missing if known else None, by_default=by_default)

    def to_switch(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]:
        """Return the first ``limit`` tenants that are not yet as wanted."""
        statement = self._sql.format(queries.TENANTS, scope.condition, to_switch=self._sql.to_switch(enabled))
        return [row[0] for row in cursor.rows(statement, {**self._values(scope), "limit": limit})]

    def named(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]:
        """Return the first ``limit`` tenants that are not yet as wanted, with or without a row; only for a reader."""
        listed, to_switch = "tenants" in scope.params, self._sql.to_switch(enabled)
        if not self._may_miss(listed) or self._missing_are_on(cursor) is enabled:
            return self.to_switch(cursor, scope, enabled, limit)
        statement = self._sql.of_missing(queries.TENANTS_OR_MISSING, listed, to_switch=to_switch)
        return [row[0] for row in cursor.rows(statement, {**self._values(scope), "limit": limit})]

    def values(self, cursor: Cursor, scope: Scope) -> list[dict[str, Any]]:
        """Return the most frequent values of the flag with their number of tenants."""
        statement = self._sql.format(queries.VALUES, scope.condition)
        rows = cursor.rows(statement, {**self._values(scope), "limit": SAMPLE})
        return [{"value": value, "tenants": number} for value, number in rows]

    def switch(self, cursor: Cursor, scope: Scope, enabled: bool, wait: bool) -> tuple[int, Change | None]:
        """Switch one batch; return how many tenants, and their prior values for the ledger."""
        written = self._sql.target.written(enabled)
        statement = self._sql.switch(scope.condition, enabled, wait)
        values = {**self._values(scope), "written": written}
        number, locked, tenants, priors, depths = cursor.row(statement, values)
        if number != locked:
            raise Timeout(
                "moved",
                f"{locked - number} rows were rewritten by others just before they were locked.",
                "The batch was rolled back.",
                "It is tried again.",
            )
        if not number:
            return 0, None
        action = "enabled" if enabled else "disabled"
        return number, Change(action, written, self._sql.target.full_depth, tenants, priors, depths)

    def there(self, cursor: Cursor, tenants: Sequence[str]) -> set[str]:
        """Return those of the tenants that have a row."""
        return those_there(self._sql, cursor, tenants)

    def switch_missing(self, cursor: Cursor, enabled: bool, tenants: Sequence[str] | None) -> tuple[int, Change | None]:
        """Create the rows of tenants that have none in a key/value store; their prior is that there was no row."""
        if not self._lacks_rows(cursor, enabled, tenants is not None):
            return 0, None
        written = self._sql.target.written(enabled)
        values = {**self._sql.params, "written": written, "tenants": list(tenants or [])}
        number, made = cursor.row(self._sql.of_missing(queries.INSERT_MISSING, tenants is not None), values)
        if not number:
            return 0, None
        return number, Change("enabled" if enabled else "disabled", written, NO_ROW, made, None)

    def missing(self, cursor: Cursor, tenants: Sequence[str] | None, enabled: bool, limit: int) -> list[str]:
        """Return the first ``limit`` tenants that have no row in a key/value store and should have one."""
        if not self._lacks_rows(cursor, enabled, tenants is not None):
            return []
        statement = self._sql.of_missing(queries.MISSING_NAMES, tenants is not None)
        values = {**self._sql.params, "tenants": list(tenants or []), "limit": limit}
        return [row[0] for row in cursor.rows(statement, values)]

    def restore(self, cursor: Cursor, batch: Sequence[Prior]) -> Restored:
        """Put one batch of priors back; locked rows are skipped."""
        outcome, others = restore_several(self.several, cursor, batch)
        made = [prior for prior in others if prior.depth == NO_ROW]
        kept = [prior for prior in others if prior.depth >= 0]
        put_back = [(self._sql.restore(scope), kept) for scope in whose([prior.tenant for prior in kept])]
        for statement, priors in (*put_back, (self._sql.delete_made(), made)):
            if priors:
                found = cursor.row(statement, self._of_priors(priors))
                outcome.restored += found[0] or []
                outcome.already += found[1] or []
                outcome.changed_since += found[2] or []
        return outcome

    def _may_miss(self, listed: bool) -> bool:
        """Tell whether tenants without a row can be named: by their table, or from a list if a default may apply."""
        target = self._sql.target
        if target.global_default or target.key is None:
            return False
        return target.owners is not None or (listed and not target.flag.absent_is_on)

    def _missing_are_on(self, cursor: Cursor) -> bool:
        """Tell whether tenants without a row are on."""
        if self._sql.target.flag.absent_is_on:
            return True
        default = Statements(replace(self._sql.target, global_default=True))
        return bool(cursor.row(default.format(queries.DEFAULT_IS_ON), default.params)[0])

    def _lacks_rows(self, cursor: Cursor, enabled: bool, listed: bool) -> bool:
        """Tell whether tenants without a row are not as wanted, so that each needs a row of its own.

        All of them are switched off with their default, and only those that are listed without it.
        """
        if not self._may_miss(listed) or not (enabled or listed or self._sql.target.flag.absent_is_on):
            return False
        return self._missing_are_on(cursor) is not enabled

    def _of_priors(self, batch: Sequence[Prior]) -> dict[str, Any]:
        values = {
            **self._sql.params,
            "tenants": [prior.tenant for prior in batch],
            "priors": [prior.prior for prior in batch],
            "depths": [prior.depth for prior in batch],
            "writtens": [prior.written for prior in batch],
        }
        return values

    def _values(self, scope: Scope) -> dict[str, Any]:
        return {**self._sql.params, **scope.params}
