# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill: switch a flag for every tenant, or some, within a deadline, even if rows are locked.

First, one pass over the whole table, committed in batches, waits for no row. The rows that it skips are then waited
for, tenant by tenant, in short turns until the deadline, while a second session watches who locks them. The latch, with
which the pass would take twice as long, comes once nobody is on, and the last count after it. The default of all
tenants is switched before anything else, and waited for first in each round: it decides for the most of them.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Collection, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import pages_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import (
    LOOK_AGAIN_SECONDS,
    TURN_SECONDS,
    Patience,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Count, Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import is_of_one_row
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._switchoutcome import Outcome, Rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker

PAGES_AT_FIRST = 512
PAGES_AT_LEAST = 16
BATCH_SECONDS = (0.15, 0.6)  # A batch is grown below the first and shrunk above the second.
TENANTS_PER_BATCH = 5000
SEVERAL_PER_BATCH = 1000
WAITED_FOR = 1000  # Tenants of one round of waiting.
IN_LINE = 20  # How many of these are waited for in line before all are looked at again.
IN_LINE_OF_SEVERAL = 2  # The same where further tables wait for their turn.


class Switcher:
    """Switches one flag in one table, with the given patience."""

    def __init__(
        self,
        patience: Patience,
        rows: Rows,
        keeper: Keeper,
        deadline: Deadline,
        *,
        table: Table | None = None,
        tenants: Sequence[str] | None = None,
        enabled: bool = False,
        latch: Callable[[], None] | None = None,
        default: Switcher | None = None,
        awaited: Collection[str] = (),
    ) -> None:
        """``latch`` is called once nobody is on whom it could turn off without a prior value; it must not raise.

        :param table: what is read page by page; None for the rows without a tenant, which are few.
        :param tenants: those that are meant; None means every one.
        :param default: switches the default of all tenants, with the same patience and deadline.
        :param awaited: whom an earlier switch could not have; the outcome's ``late`` has those that this one had.
        """
        self._patience = patience
        self._rows = rows
        self._keeper = keeper
        self._deadline = deadline
        self._table = table
        self._tenants = tenants
        self._whole = Scope() if tenants is None else Scope.tenants(tenants)
        self._enabled = enabled
        self._latch = latch
        self._default = default
        self._awaited = frozenset(awaited)
        self._asks_again = True
        self._late = False
        self._several: set[str] = set()
        self._begun = False
        self._pages: int | None = None
        self._next_page, self._step = 0, PAGES_AT_FIRST
        self.error: ServerError | None = None
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Switch, wait for what is held, count."""
        try:
            self.begin()
            self._make_missing()
            self._until_nobody_is_left()
            self.name_left()
        except Timeout:
            # The table itself is held: not even counting was possible.
            self.outcome.counted = False
            self.outcome.table_blockers = self._patience.table_blockers
        finally:
            self.outcome.terminated = self._patience.terminated
            self.outcome.reconnects = self._patience.reconnects
        return self.outcome

    def begin(self) -> None:
        """Switch what is free; goes on where it was left."""
        if self._default:
            self._default.begin()
        if self._next_page == 0:
            self._take_several()
        self._begun = self._first_pass()

    def take_turn(self, step: Callable[[], Any]) -> bool:
        """Take a step that waits for a held table once only; return whether anybody may be left to switch.

        ``error`` is why the server would not go on with this table, which ends its turns and no other's.
        """
        if self.error:
            return False
        self._ask_once()
        try:
            left = bool(step())
        except Timeout:
            left = True
            self.outcome.counted, self.outcome.kept = False, False
            self.outcome.table_blockers = self._patience.table_blockers
        except LostConnection:
            raise
        except ServerError as error:
            left, self.error = False, error
            self.outcome.counted, self.outcome.kept = False, False
        finally:
            self.outcome.terminated, self.outcome.reconnects = self._patience.terminated, self._patience.reconnects
        return left

    def _ask_once(self) -> None:
        self._asks_again = False
        if self._default:
            self._default._ask_once()

    def is_left(self) -> bool:
        """Wait a turn for what is held; return whether any is left to be waited for."""
        if not self._begun:
            # Until then nobody knows whose several rows want a prior value each.
            self.begin()
        left = self._default is not None and self._default.is_left()
        if not self._deadline.over and self._is_wanted():
            self._wait_for()
            if self._table:
                self._make_missing()
        left = self._is_wanted() or left
        self.outcome.counted, self.outcome.kept = True, not left
        return left

    def _is_wanted(self) -> bool:
        return self._count_left() > len(self.outcome.refused)

    def name_left(self) -> None:
        """Name the sessions that lock what is left."""
        left = [*self._held(), *self._missing(self._tenants)] if self._left_over(self.outcome.after) else []
        left.sort(key=str)  # The row without a tenant is None.
        seen = self.outcome.blocked
        self.outcome.blocked = {tenant: seen.get(tenant, self.outcome.table_blockers) for tenant in left}
        if self._default:
            self._default.name_left()

    def _count_left(self) -> int:
        self.outcome.after = self._count(self._whole)
        # Whoever follows the default is off with it, unless only some are meant.
        by_default = 0 if self._enabled or self._tenants is not None else self.outcome.after.by_default
        return self._left_over(self.outcome.after) - by_default

    def _until_nobody_is_left(self) -> None:
        all_switched = False
        while True:
            default_left = self._default is not None and self._default.is_left()
            left = self._count_left()
            # Whoever is on although all were switched has been written back since.
            self.outcome.kept = not default_left and (all_switched or left <= len(self.outcome.refused))
            if self._latch and self.outcome.kept and not self._deadline.over:
                latch, self._latch = self._latch, None
                latch()
                continue
            if self._deadline.over:
                return
            if left <= len(self.outcome.refused):
                if not default_left:
                    return
                continue
            all_switched = self._wait_for()
            all_switched = self._make_missing() and all_switched

    def _ask(self, question: Callable[[Cursor], Any]) -> Any:
        return self._patience.asking(question, again=self._asks_again)

    def _count(self, scope: Scope) -> Count:
        found: Count = self._ask(lambda cursor: self._rows.count(cursor, scope))
        return found

    def _left_over(self, count: Count) -> int:
        return count.total - count.on - count.unreadable if self._enabled else count.on

    def _first_pass(self) -> bool:
        """Switch what is free; return False if a held table has ended this turn, and there is more to go through."""
        table, tenants = self._table, self._tenants
        if table is None:
            self._batch(self._whole)
            return True
        if tenants is not None:
            for start in range(0, len(tenants), TENANTS_PER_BATCH):
                scope = Scope.tenants(tenants[start : start + TENANTS_PER_BATCH]).without(self._several)
                while self._batch(scope) is None and not self._deadline.over:
                    # _batch has waited its turn.
                    if not self._asks_again:
                        return False
            return True
        # Stop at the initial size: beyond it are our own new row versions. Rows that others add there meanwhile are
        # found by the count.
        if self._pages is None:
            self._pages = self._ask(lambda cursor: pages_of(cursor, table))
        while self._next_page < self._pages and not self._deadline.over:
            last = min(self._next_page + self._step, self._pages)
            took = self._batch(Scope.pages(self._next_page, last).without(self._several))
            if took is None:
                self._step = max(PAGES_AT_LEAST, self._step // 4)
                if not self._asks_again:
                    return False
                continue
            self._next_page = last
            if took < BATCH_SECONDS[0]:
                self._step *= 2
            elif took > BATCH_SECONDS[1]:
                self._step = max(PAGES_AT_LEAST, self._step // 2)
        self._next_page, self._pages = 0, None
        return True

    def _batch(self, scope: Scope) -> float | None:
        """Switch what is free in a scope; return the seconds it took, None when it gave up and may be tried again."""
        started = time.monotonic()
        try:
            if not self._switch(scope):
                return None
        except Timeout:
            # Not a row: something holds the table itself, perhaps a migration. Wait in line once, and see who it is.
            self.outcome.table_blockers = self._wait_in_line(scope) or []
            return None
        except ServerError as error:
            if not is_of_one_row(error):
                raise
            # A constraint or trigger refuses some row; the others of the batch must not stay on because of it.
            found = [name for name in self._held(scope) if name not in self._several]
            self._apart(found, lambda names: self._switch(Scope.tenants(names)))
            return None if found else time.monotonic() - started
        self.outcome.table_blockers = []
        return time.monotonic() - started

    def _apart(self, tenants: Sequence[str], switch: Callable[[Sequence[str]], bool], waits: bool = False) -> None:
        """Switch tenants in halves until each one that the server refuses, or that has to be waited for, is named."""
        if not tenants or self._deadline.over:
            return
        try:
            switch(tenants)
            return
        except Timeout:
            if not waits:
                return
            if len(tenants) == 1:
                self._is_blocked(tenants[0], self._patience.seen)
        except ServerError as error:
            if not is_of_one_row(error):
                raise
            # Whose row somebody has made meanwhile is not refused: the next round switches it.
            if len(tenants) == 1 and not (waits and not self._missing(tenants)):
                self.outcome.refused[tenants[0]] = error.what
        if len(tenants) > 1:
            middle = len(tenants) // 2
            self._apart(tenants[:middle], switch, waits)
            self._apart(tenants[middle:], switch, waits)

    def _wait_for(self) -> bool:
        """Run one round: switch at once what has come free, then wait a short turn for each tenant still held.

        Return whether each tenant that was on has been switched.
        """
        free = self._held()
        if len(free) >= WAITED_FOR and self._tenants is None:
            self._first_pass()  # More are held than a list should name: what came free may not be on it.
        if not free:
            time.sleep(LOOK_AGAIN_SECONDS)  # Rows have yet to be made, and somebody holds that up.
            return False
        self._switch_several([name for name in free if name in self._several])
        single = [name for name in free if name not in self._several]
        if single and self._batch(Scope.tenants(single)) is None:
            return False
        held = self._held()
        most = IN_LINE if self._asks_again else IN_LINE_OF_SEVERAL
        turn = self._deadline.slice(min(TURN_SECONDS, self._deadline.left / (2 * max(1, min(most, len(held))))))
        for tenant in held[:most]:
            if self._deadline.over:
                return False
            blockers = self._wait_in_line(Scope.tenants([tenant]), turn, tenant in self._several)
            if blockers is None:
                self.outcome.blocked.pop(tenant, None)
            else:
                self._is_blocked(tenant, blockers)
        return len(held) <= most and not set(held) & set(self.outcome.blocked) and not self.outcome.refused

    def _is_blocked(self, tenant: str, blockers: list[Blocker]) -> None:
        """Note who blocks a tenant. A short turn near the deadline may see nobody, and takes no name away."""
        self.outcome.blocked[tenant] = blockers or self.outcome.blocked.get(tenant, [])

    def _take_several(self) -> None:
        """Switch tenants with several rows, and leave them out from then on: one prior per row would not do."""
        find = self._rows.several.find
        found = self._ask(lambda cursor: find(cursor, self._enabled, self._whole.condition, self._whole.params))
        self._several = set(found)
        self._switch_several([name for name, lacks in found.items() if lacks])

    def _switch_several(self, tenants: Sequence[str]) -> None:
        """Switch what is free of tenants with several rows."""
        for start in range(0, len(tenants), SEVERAL_PER_BATCH):
            if self._deadline.over:
                return
            names = tenants[start : start + SEVERAL_PER_BATCH]
            try:
                self._switch_named(names)
            except Timeout:
                return
            except ServerError as error:
                if not is_of_one_row(error):
                    raise
                self._apart(names, self._switch_named)

    def _switch_named(self, tenants: Sequence[str], wait: bool = False, turn: float = TURN_SECONDS) -> bool:
        work = partial(self._rows.several.switch, names=tenants, enabled=self._enabled, wait=wait)
        return self._in_batch(work, turn, watch=wait)

    def _make_missing(self) -> bool:
        """Make the rows of tenants that have none; return whether that is done."""
        try:
            return self._make(self._tenants)
        except Timeout:
            self._late = True
        except ServerError as error:
            if not is_of_one_row(error):
                raise
        # Somebody makes one of them, has made it meanwhile, or the server refuses one: the others are made.
        self._apart(self._missing(self._tenants), self._make, waits=True)
        return False

    def _make(self, tenants: Sequence[str] | None) -> bool:
        work = partial(self._rows.switch_missing, enabled=self._enabled, tenants=tenants)
        return self._in_batch(work, watch=self._late)

    def _missing(self, tenants: Sequence[str] | None) -> list[str]:
        limit = WAITED_FOR + len(self.outcome.refused)
        names = self._ask(lambda cursor: self._rows.missing(cursor, tenants, self._enabled, limit))
        return [name for name in names if name not in self.outcome.refused]

    def _held(self, scope: Scope | None = None) -> list[str]:
        """Return tenants that are not as wanted, except those that the server refuses to write."""
        limit = WAITED_FOR + len(self.outcome.refused)
        whole = scope or self._whole
        found = self._ask(lambda cursor: self._rows.to_switch(cursor, whole, self._enabled, limit))
        return [tenant for tenant in found if tenant not in self.outcome.refused]

    def _switch(self, scope: Scope, wait: bool = False, turn: float = TURN_SECONDS) -> bool:
        return self._in_batch(lambda cursor: self._rows.switch(cursor, scope, self._enabled, wait), turn, watch=wait)

    def _wait_in_line(self, scope: Scope, turn: float = TURN_SECONDS, several: bool = False) -> list[Blocker] | None:
        """Wait for the rows of a scope as everybody does; return who was seen to block them, None once switched."""
        try:
            if several:
                done = self._switch_named(scope.params["tenants"], wait=True, turn=turn)
            else:
                done = self._switch(scope, wait=True, turn=turn)
        except Timeout:
            return self._patience.seen
        except ServerError as error:
            if not is_of_one_row(error):
                raise
            # Nobody holds it any more, and the server refuses it. A batch finds out by itself which row that is.
            names = scope.params.get("tenants", ())
            self.outcome.refused.update(dict.fromkeys(names, error.what) if len(names) == 1 else {})
            return None
        return None if done else []

    def _in_batch(
        self, switch: Callable[[Cursor], tuple[int, Change | None]], turn: float = TURN_SECONDS, watch: bool = False
    ) -> bool:
        """Switch and keep the priors in one transaction; return False if the connection broke and was made again."""

        late: set[str] = set()

        def work(cursor: Cursor) -> int:
            number, change = switch(cursor)
            if change:
                self._keeper.keep(cursor, change)
                if self._awaited:
                    late.update(cursor.row(queries.LIST, {"tenants": change.tenants})[0])
            return number

        try:
            self.outcome.switched += self._patience.transact(work, turn=turn, watch=watch)
        except LostConnection:
            self._patience.reconnect()
            return False
        self.outcome.late |= late & self._awaited
        return True


def switch_each(switchers: Sequence[Switcher], deadline: Deadline) -> None:
    """Switch several tables of the flag's name: each has its pass before a row is waited for, and a turn in each round.

    A table that is held, or that the server will not have written, keeps no other one waiting; the first such error is
    raised at the end.
    """
    for switcher in switchers:
        switcher.take_turn(switcher.begin)
    while True:
        turns = [switcher.take_turn(switcher.is_left) for switcher in switchers]
        if deadline.over or not any(turns):
            break
    for switcher in switchers:
        if switcher.outcome.counted:
            switcher.take_turn(switcher.name_left)
    for switcher in switchers:
        if switcher.error:
            raise switcher.error
