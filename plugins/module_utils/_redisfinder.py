# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the Redis that is meant, until it answers: the one of the login, or the master that most Sentinels name."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator, Tuple, TypeVar, Union

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import STEP_SECONDS, Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import Elsewhere, NotNow, unreachable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import (
    Address,
    Vote,
    disagreement,
    elect,
    is_decided,
    vote_from,
)

# When one Sentinel has answered, the others may take this much longer: containment does not wait for one that hangs.
PATIENCE_SECONDS = 1.0
# Between two tries.
PAUSE_SECONDS = 0.1
# With less than this left, another try is not begun.
LEAST_SECONDS = 0.2

_Answer = TypeVar("_Answer")
_Heard = Tuple[Address, Union[Vote, BaseException]]


class Finder:
    """Connects to the server that is meant. Sentinels, if there are any, are asked again for each session."""

    def __init__(self, login: Login, deadline: Deadline) -> None:
        self._login = login
        self._deadline = deadline
        # What Sentinels disagreed about the last time, in words.
        self.doubts: list[str] = []
        # How often ``until_answered`` has tried.
        self.tries = 0

    @property
    def has_sentinels(self) -> bool:
        """Whether another server may take the place of this one."""
        return bool(self._login.sentinels)

    def may_mend(self, problem: ServerError) -> bool:
        """Tell whether another try may succeed: in a moment, or at the master that the Sentinels name next."""
        return isinstance(problem, NotNow) or (isinstance(problem, Elsewhere) and self.has_sentinels)

    def until_answered(
        self,
        attempt: Callable[[Session], _Answer],
        beside: float = 0.0,
        in_vain: Callable[[], bool] = lambda: False,
    ) -> _Answer:
        """Return what ``attempt`` does, tried in one session after another until the deadline; raises ServerError.

        :param beside: seconds that a try takes in addition to its exchanges.
        :param in_vain: whether to give up before the deadline; asked after each failure that another try may mend.
        """
        while True:
            self.tries += 1
            try:
                with self.session() as session:
                    return attempt(session)
            except ServerError as problem:
                if not self.may_mend(problem) or self._deadline.left < beside + LEAST_SECONDS or in_vain():
                    raise
            time.sleep(PAUSE_SECONDS)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session and close it at the end; raises ServerError."""
        login, sentinel = self._login, None
        if self._login.sentinels:
            chosen = self._ask_sentinels()
            login, sentinel = self._login.at(chosen.master), str(chosen.sentinel)
        session = Session(login, self._deadline, sentinel)
        try:
            yield session
        finally:
            session.close()

    def _ask_sentinels(self) -> Vote:
        """Return what most Sentinels say, asking all at once: one alone may be stale, or hang."""
        votes, problems = self._hear()
        if votes:
            self.doubts = disagreement(votes)
            return elect(votes)
        # What another try cannot mend (a password, a name) is reported at once, if it is the same everywhere.
        again = any(isinstance(error, NotNow) for error in problems)
        raise (NotNow if again else ServerError)(
            problems[0].code,
            "No Sentinel named the master. " + " ".join(error.what for error in problems[:5]),
            "Without one it is not known which Redis to act on.",
            "Check kanban_redis_sentinels and the Sentinels, or name the master in kanban_redis_host without them.",
        )

    def _hear(self) -> tuple[list[Vote], list[ServerError]]:
        """Return votes and problems in the order of the list; stop when those still missing can change nothing."""
        addresses = list(dict.fromkeys(self._login.sentinels))
        heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
        for address in addresses:
            threading.Thread(target=self._listen, args=(address, heard), daemon=True).start()
        found: dict[Address, Vote | ServerError] = {}
        patience = Deadline(self._deadline.slice(2 * STEP_SECONDS))
        while len(found) < len(addresses):
            try:
                address, answer = heard.get(timeout=patience.slice(STEP_SECONDS))
            except queue.Empty:
                if patience.over:
                    break
                continue
            if not isinstance(answer, (Vote, ServerError)):
                raise answer
            found[address] = answer
            votes = [each for each in found.values() if isinstance(each, Vote)]
            if is_decided(votes, len(addresses)):
                break
            if isinstance(answer, Vote) and len(votes) == 1:
                patience = Deadline(min(patience.left, PATIENCE_SECONDS))
        ordered = [found.get(address) or unreachable("no answer in time", str(address)) for address in addresses]
        return (
            [each for each in ordered if isinstance(each, Vote)],
            [each for each in ordered if isinstance(each, ServerError)],
        )

    def _listen(self, address: Address, heard: queue.SimpleQueue[_Heard]) -> None:
        try:
            heard.put((address, self._ask_sentinel(address)))
        except BaseException as error:
            heard.put((address, error))

    def _ask_sentinel(self, address: Address) -> Vote:
        name = self._login.sentinel_name
        session = Session(self._login.at_sentinel(address), self._deadline)
        try:
            # In a failover the first reply is newer; only the second has the epoch, and it may be forbidden.
            found, known = session.ask(
                ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
                ("SENTINEL", "MASTER", name),
            )
        finally:
            session.close()
        return vote_from(address, name, found, known)
