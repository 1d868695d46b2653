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
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import pages_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, LostConnection, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Count, Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

PAGES_AT_FIRST = 512
PAGES_AT_LEAST = 16
BATCH_SECONDS = (0.15, 0.6)  # A batch is grown below the first and shrunk above the second.
TENANTS_PER_BATCH = 5000
WAITED_FOR = 1000  # Tenants of one round of waiting.
LOOK_AGAIN_SECONDS = 0.2
TURN_SECONDS = 0.25  # One wait for one row, where time allows.
VERIFY_SECONDS = 30.0  # The count that decides gets its own time: without it nobody knows what holds.
# A batch's rows fit in this memory.
BATCH_MEMORY = {"work_mem": "32MB"}


class Rows(Protocol):
    """How a store counts and switches: ServerRows or DocumentRows."""

    def count(self, cursor: Cursor, scope: Scope) -> Count: ...

    def to_switch(self, cursor: Cursor, scope: Scope, enabled: bool, limit: int) -> list[str]: ...

    def switch(self, cursor: Cursor, scope: Scope, enabled: bool, wait: bool) -> tuple[int, Change | None]: ...

    def switch_several(self, cursor: Cursor, enabled: bool) -> tuple[int, Change | None]: ...

    def switch_missing(
        self, cursor: Cursor, enabled: bool, tenants: Sequence[str] | None
    ) -> tuple[int, Change | None]: ...


@dataclass
class Outcome:
    """What a switch came to.

    ``blocked`` maps a tenant that could not be switched to who holds it; ``counted`` is False when the table was held
    so that nobody knows how many are on.
    """

    switched: int = 0
    after: Count = field(default_factory=lambda: Count(0, 0))
    blocked: dict[str, list[Blocker]] = field(default_factory=dict)
    table_blockers: list[Blocker] = field(default_factory=list)
    terminated: list[Blocker] = field(default_factory=list)
    reconnects: int = 0
    counted: bool = True


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
        self._settings = {**BATCH_MEMORY, **(passage or {})}
        self._seen: list[Blocker] = []
        self.outcome = Outcome()

    def run(self, table: Table, tenants: Sequence[str] | None) -> Outcome:
        """Switch, wait for what is held, count. ``tenants`` None means every tenant of ``table``."""
        whole = Scope() if tenants is None else Scope.tenants(tenants)
        try:
            self._switch_several()
            self._first_pass(table, tenants)
            self._make_missing(tenants)
            self.outcome.after = self._count(whole)
            while not self._deadline.over and self._left_over(self.outcome.after):
                self._wait_for(whole)
                self._make_missing(tenants)
                self.outcome.after = self._count(whole)
            self._name_what_is_left(whole)
        except Timeout:
            # The table itself is held: not even a count was to be had.
            self.outcome.counted = False
        return self.outcome

    def _count(self, scope: Scope) -> Count:
        found: Count = self._asking(lambda cursor: self._rows.count(cursor, scope))
        return found

    def _left_over(self, count: Count) -> bool:
        return (count.total - count.on - count.unreadable > 0) if self._enabled else count.on > 0

    def _first_pass(self, table: Table, tenants: Sequence[str] | None) -> None:
        if tenants is not None:
            for start in range(0, len(tenants), TENANTS_PER_BATCH):
                scope = Scope.tenants(tenants[start : start + TENANTS_PER_BATCH])
                while self._batch(scope) is None and not self._deadline.over:
                    pass  # _batch has waited its turn.
            return
        # Not past the size at the start: behind it lie our own new versions. Rows that others put there meanwhile are
        # found by the count.
        pages = self._asking(lambda cursor: pages_of(cursor, table))
        first, step = 0, PAGES_AT_FIRST
        while first < pages and not self._deadline.over:
            took = self._batch(Scope.pages(first, min(first + step, pages)))
            if took is None:
                step = max(PAGES_AT_LEAST, step // 4)
                continue
            first += step
            if took < BATCH_SECONDS[0]:
                step *= 2
            elif took > BATCH_SECONDS[1]:
                step = max(PAGES_AT_LEAST, step // 2)

    def _batch(self, scope: Scope) -> float | None:
        """Switch what is free in a scope; return the seconds it took, None when it gave up and may be tried again."""
        started = time.monotonic()
        try:
            if not self._switch(scope):
                return None
        except Timeout:
            # Nobody's row: something holds the table itself, a migration perhaps. Wait in line once, and see who.
            self.outcome.table_blockers = self._wait_in_line(scope)
            return None
        self.outcome.table_blockers = []
        return time.monotonic() - started

    def _wait_for(self, whole: Scope) -> None:
        """One round: what has come free at once, then each tenant that is still held for a short turn."""
        free = self._held(whole)
        if not free:
            time.sleep(LOOK_AGAIN_SECONDS)  # Rows that are yet to be made, by whoever holds them up.
            return
        if self._batch(Scope.tenants(free)) is None:
            return
        held = self._held(whole)
        turn = self._deadline.slice(min(TURN_SECONDS, self._deadline.left / (2 * max(1, len(held)))))
        for tenant in held:
            if self._deadline.over:
                return
            blockers = self._wait_in_line(Scope.tenants([tenant]), turn)
            if blockers:
                self.outcome.blocked[tenant] = blockers
            else:
                self.outcome.blocked.pop(tenant, None)

    def _switch_several(self) -> None:
        """Tenants with several rows, together. Where somebody holds such a row, the first pass takes what is free."""
        before = -1
        while before != self.outcome.switched and not self._deadline.over:
            before = self.outcome.switched
            try:
                self._in_batch(lambda cursor: self._rows.switch_several(cursor, self._enabled))
            except Timeout:
                return

    def _make_missing(self, tenants: Sequence[str] | None) -> None:
        try:
            self._in_batch(lambda cursor: self._rows.switch_missing(cursor, self._enabled, tenants))
        except Timeout:
            return  # The count tells what is missing, and the next round tries again.

    def _held(self, whole: Scope) -> list[str]:
        return list(self._asking(lambda cursor: self._rows.to_switch(cursor, whole, self._enabled, WAITED_FOR)))

    def _switch(self, scope: Scope, wait: bool = False, turn: float = TURN_SECONDS) -> bool:
        return self._in_batch(lambda cursor: self._rows.switch(cursor, scope, self._enabled, wait), turn, watch=wait)

    def _wait_in_line(self, scope: Scope, turn: float = TURN_SECONDS) -> list[Blocker]:
        """Wait for the rows of a scope as everybody does; return who was in the way, empty when they were switched."""
        try:
            self._switch(scope, wait=True, turn=turn)
        except Timeout:
            return self._seen
        return []

    def _in_batch(
        self, switch: Callable[[Cursor], tuple[int, Change | None]], turn: float = TURN_SECONDS, watch: bool = False
    ) -> bool:
        """Switch and keep the priors in one transaction; False when the connection broke and was made again."""

        def work(cursor: Cursor) -> int:
            number, change = switch(cursor)
            if change:
                self._keeper.keep(cursor, change)
            return number

        try:
            self.outcome.switched += self._transact(work, turn=turn, watch=watch)
        except LostConnection:
            self._reconnect()
            return False
        return True

    def _asking(self, ask: Callable[[Cursor], Any]) -> Any:
        """Read, again and again until the deadline where something holds the table or the connection breaks."""
        watch = False
        while True:
            try:
                return self._transact(ask, watch=watch, reading=True)
            except LostConnection:
                if self._deadline.over:
                    raise
                self._reconnect()
            except Timeout:
                self.outcome.table_blockers = self._seen or self.outcome.table_blockers
                if self._deadline.over:
                    raise
                watch = True

    def _transact(
        self, work: Callable[[Cursor], Any], *, turn: float = TURN_SECONDS, watch: bool = False, reading: bool = False
    ) -> Any:
        """Run one transaction; where it is watched and times out, ``_seen`` has who was in the way."""
        seconds = VERIFY_SECONDS if reading else self._deadline.slice(10.0, 1.0)
        mode, settings = ("READ ONLY", None) if reading else ("READ WRITE", self._settings)
        seen: dict[int | str, Blocker] = {}
        try:
            with self._session.transaction(seconds, turn, mode, settings) as cursor:
                if not watch:
                    return work(cursor)
                pid = cursor.row("SELECT pg_backend_pid()", {})[0]
                with self._watcher.watching(pid) as seen:
                    return work(cursor)
        except Timeout:
            self._seen = list(seen.values())
            if self._terminate:
                self._end(self._seen)
            raise

    def _end(self, blockers: Iterable[Blocker]) -> None:
        ended = {blocker.pid for blocker in self.outcome.terminated}
        for blocker in blockers:
            if self._watcher.terminate(blocker) and blocker.pid not in ended:
                self.outcome.terminated.append(blocker)

    def _name_what_is_left(self, whole: Scope) -> None:
        left = self._held(whole) if self._left_over(self.outcome.after) else []
        seen = self.outcome.blocked
        self.outcome.blocked = {tenant: seen.get(tenant, self.outcome.table_blockers) for tenant in sorted(left)}

    def _reconnect(self) -> None:
        """Open a new session, trying until the deadline: a failover takes a few seconds."""
        self.outcome.reconnects += 1
        while True:
            try:
                self._session = self._connect()
                return
            except KanbanError as error:
                if self._deadline.over:
                    raise LostConnection(
                        "lost_connection",
                        f"The connection was lost, and until the deadline there was no other: {error.what}",
                        f"{self.outcome.switched} tenants had been switched before, with their prior values kept.",
                        "Run the same command again when the server answers: it goes on where this one stopped.",
                    ) from error
                time.sleep(LOOK_AGAIN_SECONDS)
