# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going over all keys of a Redis in steps that keep nobody waiting, and removing those that may go."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import (
    Pace,
    Sorter,
    Wish,
    share_of,
    spent_ms,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeresult import Account
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Session, checked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import NotNow

_Removals = List[Tuple[int, List[bytes]]]


class Over(Exception):
    """The deadline has passed and keys are left. ``share``: what part was gone over, None if that is unknown."""

    def __init__(self, share: float | None) -> None:
        super().__init__()
        self.share = share


class Sweeper:
    """Keeps pace and account of one call, over as many sessions as it takes.

    ``clustered``: whether each key has to be removed on its own.
    """

    def __init__(self, wish: Wish, deadline: Deadline) -> None:
        self._wish = wish
        self._deadline = deadline
        self._session: Session | None = None
        self._way_ms = 0.0
        self.pace = Pace(wish.batch, wish.max_block_ms)
        self.account = Account()
        self.clustered = False

    def begin(self, session: Session) -> None:
        """Take a session, and measure how long an answer takes that costs Redis nothing; raises ServerError."""
        self._session = session
        started = time.monotonic()
        session.ask(("PING",))
        self._way_ms = (time.monotonic() - started) * 1000

    def ask(self, commands: Sequence[Sequence[Any]], removals: int = 0) -> list[Any]:
        """Ask, and note how long Redis took, by its own clock: time that it spent on others does not count.

        Raises ServerError.

        :param removals: how many keys this is to remove: without an answer nobody knows whether it did.
        """
        if self._session is None:
            raise RuntimeError("ask() comes after begin()")
        started = time.monotonic()
        try:
            first, *replies, last = self._session.ask(("TIME",), *commands, ("TIME",))
        except ServerError:
            self.account.unanswered += removals
            self.pace.took((time.monotonic() - started) * 1000)
            raise
        spent = spent_ms(first, last)
        if spent is None:  # The user may not ask.
            spent = max(0.0, (time.monotonic() - started) * 1000 - self._way_ms)
        rest = self.pace.took(spent)
        if rest:
            time.sleep(min(rest, self._deadline.left))
        return replies

    def go_over(self, sorter: Sorter, remove: bool, see: Callable[[Sequence[bytes]], None] | None = None) -> None:
        """Go over all keys once; raises Over, or ServerError.

        Removals go in one exchange with the next SCAN.

        :param see: given all keys that the server chose, in portions.
        """
        chosen = self._wish.wanted.server_side()
        choice = ("MATCH", chosen) if chosen else ()
        waiting: _Removals = []
        cursor, more = 0, True
        while more or waiting:
            if self._deadline.over:
                raise Over(None if self.clustered else share_of(cursor) if more else 1.0)
            commands: list[Sequence[Any]] = [("UNLINK", *keys) for _number, keys in waiting]
            if more:
                commands.append(("SCAN", cursor, *choice, "COUNT", self.pace.keys))
            replies = self.ask(commands, sum(len(keys) for _number, keys in waiting))
            waiting = self._noted(waiting, replies)
            if more:
                position, keys = checked(replies[-1])
                cursor = int(position)
                more = cursor != 0
                if see:
                    see(keys)
                for number, those in sorter.sort(keys).items():
                    waiting += self._parts(number, those) if remove else []

    def _parts(self, number: int, keys: list[bytes]) -> _Removals:
        """Return the removals of keys: as many at once as the pace allows, in a cluster one by one."""
        size = 1 if self.clustered else self.pace.keys
        return [(number, keys[at : at + size]) for at in range(0, len(keys), size)]

    def _noted(self, sent: _Removals, replies: Sequence[Any]) -> _Removals:
        """Note all answers to removals; return those to send again one by one. Raises what was refused."""
        again: _Removals = []
        refused = None
        for (number, keys), reply in zip(sent, replies):
            if not isinstance(reply, ServerError):
                self.account.note(number, len(keys), reply)
            elif reply.code != "cluster_redirect" or isinstance(reply, NotNow):
                refused = refused or reply
            elif len(keys) == 1:
                self.account.moved += 1
            else:
                # INFO did not say that this is a node of a cluster.
                self.clustered = True
                again += self._parts(number, keys)
        if refused:
            raise refused
        return again
