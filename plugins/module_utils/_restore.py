# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact undo: put prior values back batch by batch, leaving alone what was changed since."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Protocol, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline, array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change, read_file
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Prior, Restored
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ledger as ledger_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import is_of_one_row

BATCH = 5000
# Up to this many tenants are asked for by name. The server would search a longer list for each prior, and would plan a
# join with the list for a few rows, although there are many.
ASKED_BY_NAME = 1000
# What is locked is tried again after this pause, until the deadline.
PAUSE_SECONDS = 0.2


class Restorer(Protocol):
    """How a store puts values back, and which tenants it has: ServerRows or DocumentRows."""

    def there(self, cursor: Cursor, tenants: Sequence[str]) -> set[str]:
        """Return those of the tenants that exist."""

    def restore(self, cursor: Cursor, batch: Sequence[Prior]) -> Restored:
        """Put one batch back; locked rows are skipped."""


@dataclass
class Undone:
    """The outcome of an undo, of one flag or of several.

    ``held`` tenants were locked until the deadline, ``gone`` ones no longer exist; ``refused`` says by tenant why the
    server would not write it.
    """

    restored: int = 0
    already: int = 0
    changed_since: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PriorSource:
    """Where priors are read from, as a relation for ``PRIORS`` and its values; ``spent``: also what was put back."""

    relation: str
    values: Mapping[str, Any]
    spent: bool = False

    @classmethod
    def ledger(cls, incident_id: str, flag: str) -> PriorSource:
        """Return the source of the priors in the ledger."""
        return cls(ledger_queries.CHANGES, {"incident": incident_id, "flag": flag})

    @classmethod
    def file(cls, path: Path) -> PriorSource:
        """Return the source of the priors in the file that stood in for the ledger."""
        changes = read_file(path)
        columns = {
            "actions": [change.action for change in changes],
            "writtens_by_us": [change.written for change in changes],
            "full_depths": [change.full_depth for change in changes],
            "tenant_lists": [change.tenants for change in changes],
            "prior_lists": [change.priors for change in changes],
            "depth_lists": [change.depths for change in changes],
            "mark_lists": [change.marks for change in changes],
        }
        return cls(ledger_queries.CHANGES_FROM_FILE, {"seqs": list(range(1, len(changes) + 1)), **columns})

    def had_it(self, cursor: Cursor) -> Iterator[str]:
        """Yield the tenants that had the feature, whether they have it back or not."""
        statement = sql.SQL(flag_queries.HAD_IT).format(entries=sql.SQL(self.relation))
        for rows in cursor.stream(statement, dict(self.values), BATCH):
            yield from (row[0] for row in rows)

    def batches(self, cursor: Cursor, tenants: Sequence[str] | None) -> Iterator[list[Prior]]:
        """Yield what is still to be put back, in batches."""
        priors = flag_queries.PRIORS_AND_SPENT if self.spent else flag_queries.PRIORS
        statement = sql.SQL(priors).format(entries=sql.SQL(self.relation))
        by_name = tenants is not None and len(tenants) <= ASKED_BY_NAME
        asked = None if tenants is None or by_name else frozenset(tenants)
        values = {**self.values, "tenants": list(tenants or ()) if by_name else None}
        for rows in cursor.stream(statement, values, BATCH):
            yield [Prior(*row) for row in rows if asked is None or row[0] in asked]


def put_back(
    connect: Callable[[], Session],
    rows: Restorer,
    source: PriorSource,
    keeper: Keeper,
    deadline: Deadline,
    tenants: Sequence[str] | None,
    passage: Mapping[str, str],
    outcome: Undone,
) -> None:
    """Put every unspent prior back until all are done or the deadline is over; raises KanbanError.

    Each batch and the record that spends its priors are one transaction, so the same call again goes on where this one
    stopped, and ``outcome`` has what was put back before an error. A file gets that record after the commit: without it
    the next call finds them back already.
    """
    waiting: list[Prior] = []
    reader, writer = connect(), connect()
    batches = _Batches(writer, rows, keeper, deadline, passage, outcome)
    try:
        with reader.transaction(deadline.slice(600.0, 5.0), mode="ISOLATION LEVEL REPEATABLE READ READ ONLY") as cursor:
            for batch in source.batches(cursor, tenants):
                waiting += batches.put_back(batch)
        if waiting:
            with writer.transaction(deadline.slice(30.0, 1.0), mode="READ ONLY") as cursor:
                there = rows.there(cursor, [prior.tenant for prior in waiting])
            outcome.gone += [prior.tenant for prior in waiting if prior.tenant not in there]
            waiting = [prior for prior in waiting if prior.tenant in there]
        while waiting and not deadline.over:
            time.sleep(PAUSE_SECONDS)
            waiting = batches.put_back(waiting)
    finally:
        reader.close()
        writer.close()
    outcome.held += [prior.tenant for prior in waiting]


@dataclass(frozen=True)
class _Batches:
    """Puts one batch after the other back; ``outcome`` grows with each."""

    writer: Session
    rows: Restorer
    keeper: Keeper
    deadline: Deadline
    passage: Mapping[str, str]
    outcome: Undone

    def put_back(self, batch: Sequence[Prior]) -> list[Prior]:
        """Put back what is neither locked nor refused; return what may be tried again (locked, gone, no time left)."""
        if self.deadline.over:
            return list(batch)
        try:
            with self.writer.transaction(self.deadline.slice(30.0, 1.0), settings=self.passage) as cursor:
                found = self.rows.restore(cursor, batch)
                spent = [*found.restored, *found.already]
                change = Change("restored", None, 0, array_text(spent), None)
                recorded = not spent or self.keeper.in_ledger(cursor, change)
        except Timeout:
            return list(batch)
        except ServerError as error:
            if not is_of_one_row(error):
                raise
            return self._apart(batch, error)
        if not recorded:
            # A file knows no transaction: written before a commit that fails, this would spend what is not back.
            self.keeper.in_file(change)
        self.outcome.restored += len(found.restored)
        self.outcome.already += len(found.already)
        self.outcome.changed_since += found.changed_since
        seen = {*spent, *found.changed_since}
        return [prior for prior in batch if prior.tenant not in seen]

    def _apart(self, batch: Sequence[Prior], error: ServerError) -> list[Prior]:
        """Put back a batch in halves until each tenant that a constraint or trigger refuses is isolated and named."""
        if len(batch) == 1:
            self.outcome.refused[batch[0].tenant] = error.what
            return []
        middle = len(batch) // 2
        return [*self.put_back(batch[:middle]), *self.put_back(batch[middle:])]
