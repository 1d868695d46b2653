# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill: switch a flag for every tenant, or some, within a deadline, whoever holds rows.

First one pass over the whole table that waits for no row, committed in batches; what it had to pass over is then waited
for, tenant by tenant, in short turns until the deadline, with a second session looking who holds it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Protocol, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, LostConnection, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Count, Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

PAGES_AT_FIRST = 512
PAGES_AT_LEAST = 16
BATCH_SECONDS = (0.15, 0.6)  # A batch is grown below the first and shrunk above the second.
TENANTS_PER_BATCH = 5000
WAITED_FOR = 1000  # Tenants of one round of waiting.
TURN_SECONDS = 0.25  # One wait for one row, where time allows.
VERIFY_SECONDS = 30.0  # The count that decides gets its own time: without it nobody knows what holds.
# The batch joins by place: a hash join would read the whole table again for each batch. Its rows fit in this memory.
BY_PLACE = {"enable_hashjoin": "off", "enable_mergejoin": "off", "work_mem": "32MB"}


class Rows(Protocol):
    """How a store counts and switches: ServerRows or DocumentRows."""

    def count(self, cursor: Cursor, scope: Scope) -> Count: ...

    def to_switch(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]: ...

    def switch(self, cursor: Cursor, scope: Scope, enabled: bool, wait: bool) -> tuple[int, Change | None]: ...

    def switch_missing(
        self, cursor: Cursor, enabled: bool, tenants: Sequence[str] | None
    ) -> tuple[int, Change | None]: ...


@dataclass
class Outcome:
    """What a switch came to. ``blocked`` maps a tenant that could not be switched to who holds it."""

    switched: int = 0
    after: Count = field(default_factory=lambda: Count(0, 0))
    blocked: dict[str, list[Blocker]] = field(default_factory=dict)
    table_blockers: list[Blocker] = field(default_factory=list)
    terminated: list[Blocker] = field(default_factory=list)
    reconnects: int = 0


class Switcher:
    """Switches one flag on one database.

    :param connect: opens a session; called again when one breaks, for instance in a failover.
    :param passage: settings by which the latch knows our own writes.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        rows: Rows,
        keeper: Keeper,
        watcher: Watcher,
        deadline: Deadline,
        *,
        enabled: bool = False,
        terminate: bool = False,
        passage: Mapping[str, str] | None = None,
    ) -> None:
        self._connect = connect
        self._session = connect()
        self._rows = rows
        self._keeper = keeper
        self._watcher = watcher
        self._deadline = deadline
        self._enabled = enabled
        self._terminate = terminate
        self._settings = {**BY_PLACE, **(passage or {})}
        self.outcome = Outcome()

    def run(self, pages: int, tenants: Sequence[str] | None) -> Outcome:
        """Switch, wait for what is held, count. ``tenants`` None means every tenant; ``pages`` is the table's size."""
        whole = Scope() if tenants is None else Scope.tenants(tenants)
        self._first_pass(pages, tenants)
        self._in_batch(lambda cursor: self._rows.switch_missing(cursor, self._enabled, tenants))
        self.outcome.after = self.count(whole)
        while not self._deadline.over and self._left_over(self.outcome.after):
            self._wait_for(whole)
            self.outcome.after = self.count(whole)
        if self._left_over(self.outcome.after):
            self._name_what_is_left(whole)
        else:
            self.outcome.blocked.clear()
        return self.outcome

    def count(self, scope: Scope) -> Count:
        """Count in a fresh snapshot; a lost connection is made again once."""
        found: Count = self._asking(lambda cursor: self._rows.count(cursor, scope))
        return found

    def _left_over(self, count: Count) -> bool:
        return (count.total - count.on - count.unreadable > 0) if self._enabled else count.on > 0

    def _first_pass(self, pages: int, tenants: Sequence[str] | None) -> None:
        if tenants is not None:
            for start in range(0, len(tenants), TENANTS_PER_BATCH):
                self._batch(Scope.tenants(tenants[start : start + TENANTS_PER_BATCH]))
            return
        # Not past the size at the start: behind it lie our own new versions. Rows that others put there meanwhile are
        # found by the count.
        first, step = 0, PAGES_AT_FIRST
        while first < pages and not self._deadline.over:
            took = self._batch(Scope.pages(first, min(first + step, pages)))
            if took is None:
                step = max(PAGES_AT_LEAST, step // 4)
                continue
            first += step
            step = (
                step * 2
                if took < BATCH_SECONDS[0]
                else max(PAGES_AT_LEAST, step // 2)
                if took > BATCH_SECONDS[1]
                else step
            )

    def _batch(self, scope: Scope) -> float | None:
        """Switch what is free in a scope; return the seconds it took, None when it gave up and may be tried again."""
        started = time.monotonic()
        try:
            if not self._switch_free(scope):
                return None
        except Timeout:
            # Nobody's row: something holds the table itself, a migration perhaps.
            self.outcome.table_blockers = self._try_waiting(scope) or self.outcome.table_blockers
            return None
        return time.monotonic() - started

    def _switch_free(self, scope: Scope) -> bool:
        """Switch the rows of a scope that nobody holds; False when the connection broke and was made again."""
        return self._in_batch(lambda cursor: self._rows.switch(cursor, scope, self._enabled, wait=False))

    def _in_batch(self, switch: Callable[[Cursor], tuple[int, Change | None]]) -> bool:
        try:
            with self._session.transaction(
                self._deadline.slice(10.0, 1.0), TURN_SECONDS, settings=self._settings
            ) as cursor:
                number, change = switch(cursor)
                if change:
                    self._keeper.keep(cursor, change)
        except LostConnection:
            self._reconnect()
            return False
        self.outcome.switched += number
        return True

    def _wait_for(self, whole: Scope) -> None:
        """One round: what has come free at once, then each tenant that is still held for a short turn."""
        free = self._held(whole)
        if not free or not self._switch_free(Scope.tenants(free)):
            return
        held = self._held(whole)
        turn = self._deadline.slice(min(TURN_SECONDS, self._deadline.left / (2 * max(1, len(held)))))
        for tenant in held:
            if self._deadline.over:
                return
            blockers = self._try_waiting(Scope.tenants([tenant]), turn)
            if blockers:
                self.outcome.blocked[tenant] = blockers
            else:
                self.outcome.blocked.pop(tenant, None)

    def _held(self, whole: Scope) -> list[str]:
        return list(self._asking(lambda cursor: self._rows.to_switch(cursor, whole, self._enabled, WAITED_FOR)))

    def _try_waiting(self, scope: Scope, turn: float = TURN_SECONDS) -> list[Blocker]:
        """Wait in line for the rows of a scope; return who was in the way, empty when they were switched."""
        seen: dict[int | str, Blocker] = {}
        try:
            with self._session.transaction(self._deadline.slice(10.0, 1.0), turn, settings=self._settings) as cursor:
                pid = cursor.row("SELECT pg_backend_pid()", {})[0]
                with self._watcher.watching(pid) as seen:
                    number, change = self._rows.switch(cursor, scope, self._enabled, wait=True)
                if change:
                    self._keeper.keep(cursor, change)
            self.outcome.switched += number
            return []
        except Timeout:
            if self._terminate:
                self._end(seen.values())
            return list(seen.values())
        except LostConnection:
            self._reconnect()
            return []

    def _end(self, blockers: Iterable[Blocker]) -> None:
        ended = {blocker.pid for blocker in self.outcome.terminated}
        for blocker in blockers:
            if self._watcher.terminate(blocker) and blocker.pid not in ended:
                self.outcome.terminated.append(blocker)

    def _name_what_is_left(self, whole: Scope) -> None:
        left = set(self._held(whole))
        self.outcome.blocked = {
            tenant: self.outcome.blocked.get(tenant, self.outcome.table_blockers) for tenant in sorted(left)
        }

    def _asking(self, ask: Callable[[Cursor], Any]) -> Any:
        for last_try in (False, True):
            try:
                with self._session.transaction(VERIFY_SECONDS, mode="READ ONLY") as cursor:
                    return ask(cursor)
            except LostConnection:
                if last_try:
                    raise
                self._reconnect()
        raise AssertionError("not reached")

    def _reconnect(self) -> None:
        """Open a new session, trying until the deadline: a failover takes a few seconds."""
        self.outcome.reconnects += 1
        while True:
            try:
                self._session = self._connect()
                return
            except KanbanError:
                if self._deadline.over:
                    raise
                time.sleep(0.2)
