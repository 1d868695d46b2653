# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``cache_purge`` does: find the server, look, purge or flush; try again, until a deadline."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import Prefixes, Sorter, Wish
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeresult import (
    acknowledged,
    counts,
    grant,
    loss,
    not_complete,
    refusal,
    told_of,
    warnings_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgesweep import Over, Sweeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, Session, checked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import (
    LEFT_ALONE,
    Elsewhere,
    at_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import Server, info_from, server_from

LEAST_DEADLINE = 1.0
# After this long in vain it gives up, whatever the deadline: the run has more to do.
GIVE_UP_SECONDS = 15.0
ACK_MS = 200
# Keys are in the order of their hashes, so the first ones are a fair sample.
TYPED_KEYS, TYPED_AT_ONCE = 1000, 100

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]


def purge(login: Login, wish: Wish, seconds: float, on_replica: str, check_mode: bool) -> Outcome:
    """Do what ``cache_purge`` was asked for; return its result and the error that it ends with. Raises BadInput."""
    if not seconds >= LEAST_DEADLINE:
        raise BadInput(
            "bad_option",
            f"deadline is {seconds:g} s, the least is {LEAST_DEADLINE:g} s.",
            "Without time nothing can be purged. Nothing was changed.",
            "Leave deadline out, or give seconds.",
        )
    call = _Call(login, wish, seconds, on_replica, check_mode)
    if not wish.wanted.patterns:
        told = "patterns is empty and flush is not given, so there was nothing to purge."
        return {**call.result(), "complete": True, "msg": told}, None
    return call.run()


class _Call:
    """One call of the module: everything ends by its deadline."""

    def __init__(self, login: Login, wish: Wish, seconds: float, on_replica: str, check_mode: bool) -> None:
        self._login = login
        self._wish = wish
        self._seconds = seconds
        self._on_replica = on_replica
        self._check_mode = check_mode
        self._deadline = Deadline(seconds)
        self._finder = Finder(login, self._deadline)
        self._sweeper = Sweeper(wish, self._deadline)
        self._account = self._sweeper.account
        self._sorter = Sorter(wish)
        self._server: Server | None = None
        self._total: int | None = None
        self._lost: dict[str, Any] | None = None
        self._refused = False
        # Begun at the last progress, and how many keys had been purged by then.
        self._patience: Deadline | None = None
        self._purged = 0

    def run(self) -> Outcome:
        """Try until it is done or the deadline has passed; return the result and the error that it ends with."""
        try:
            return self._finder.until_answered(self._attempt, in_vain=self._in_vain)
        except Over as end:
            where = self._server.address if self._server else self._login.where
            error = not_complete(where, self._seconds, self._account, end.share, self._check_mode)
            return self.result(), error
        except ServerError as problem:
            problem.details["tries"] = self._finder.tries
            line, again = grant(self._login.user, self._wish), self._finder.may_mend(problem)
            return self.result(), told_of(problem, self._account, line, again)

    def _in_vain(self) -> bool:
        """Tell whether it has been tried for long without progress."""
        if self._patience is None or self._account.total > self._purged:
            self._patience = Deadline(GIVE_UP_SECONDS)
            self._purged = self._account.total
        return self._patience.over

    def _attempt(self, session: Session) -> Outcome:
        """Look, and purge what is there, going over all keys once."""
        server = self._look(session)
        if server.role == "replica":
            return self._at_replica(server)
        try:
            error = self._act(session)
        except Elsewhere as refused:
            silent = refused.code == "read_only_server" and not self._account.changed
            if silent and self._on_replica == "skip" and not self._finder.has_sentinels:
                return self._at_replica(server)
            raise
        if error:
            return self.result(), error
        acked: int | None = None
        told: list[str] = []
        if self._account.total and server.replicas:
            acked, told = acknowledged(session.ask(("WAIT", 1, ACK_MS)), server.replicas)
        return {**self.result(told), "replicas_acked": acked, "complete": True}, None

    def _look(self, session: Session) -> Server:
        self._sweeper.begin(session)
        role, said, size = session.ask(("ROLE",), ("INFO",), ("DBSIZE",))
        # Without the answers role and total are unknown, which is no reason to leave a wrong cache.
        info = info_from(said)
        self._sweeper.clustered = info.get("cluster_enabled") == "1"
        server = server_from(session.where, session.sentinel, info, role)
        if self._account.places[-1:] != [server.address]:
            self._account.places.append(server.address)
            self._total = size if isinstance(size, int) else None
        self._server = server
        return server

    def _act(self, session: Session) -> KanbanError | None:
        """Purge, or empty the database, protected keys only if forced; return the refusal if there is one."""
        remove = not self._check_mode
        if not self._wish.flush:
            self._sweeper.go_over(self._sorter, remove)
            return None
        self._lost = self._survey()
        self._refused = bool(self._lost["protected"]) and not self._wish.force
        if self._refused:
            return refusal(session.where, self._lost)
        known = self._sorter.matched
        if not remove or not known:
            return None
        if self._wish.force:
            size, done = self._sweeper.ask([("DBSIZE",), ("FLUSHDB", "ASYNC")], known)
            checked(done)
            self._account.flushed = size if isinstance(size, int) else known
        else:
            # Key by key: a protected key that appears between the look and FLUSHDB would be lost.
            self._sorter = Sorter(self._wish)
            self._sweeper.go_over(self._sorter, remove)
        return None

    def _survey(self) -> dict[str, Any]:
        """Return what a flush would lose."""
        self._sorter, prefixes = Sorter(self._wish), Prefixes()
        sample: list[bytes] = []

        def see(keys: Sequence[bytes]) -> None:
            prefixes.add(keys)
            sample.extend(keys[: TYPED_KEYS - len(sample)])

        self._sweeper.go_over(self._sorter, False, see)
        types: dict[str, int] = {}
        for at in range(0, len(sample), TYPED_AT_ONCE):
            for reply in self._sweeper.ask([("TYPE", key) for key in sample[at : at + TYPED_AT_ONCE]]):
                if isinstance(reply, ServerError):
                    return loss(self._sorter, prefixes, None)  # The user may not ask; the figures hold without it.
                name = reply.decode(errors="backslashreplace")
                if name != "none":  # Gone since.
                    types[name] = types.get(name, 0) + 1
        return loss(self._sorter, prefixes, types)

    def _at_replica(self, server: Server) -> Outcome:
        error = at_replica(
            server.address,
            "What is removed on a replica is there again after its next resync, and the application's master keeps it. "
            "Nothing was changed here.",
        )
        if self._finder.has_sentinels:
            raise error  # The Sentinel's answer was out of date.
        if self._on_replica != "skip":
            return self.result(), error
        return {**self.result(), **LEFT_ALONE, "complete": True}, None

    def result(self, warnings: Sequence[str] = ()) -> dict[str, Any]:
        """Return what is known so far; a caller that knows it is complete sets ``complete``."""
        told = [*self._finder.doubts, *warnings]
        if self._server:
            came = self._sorter.protected if self._wish.flush and not self._wish.force and not self._refused else 0
            clustered = self._sweeper.clustered
            told += warnings_of(self._wish, self._server, self._account, clustered, self._lost, came)
        return {
            **counts(self._wish, self._sorter, self._account, self._check_mode and not self._refused),
            "complete": False,
            "skipped": False,
            "total": self._total,
            "would_lose": self._lost,
            "server": self._server.as_result() if self._server else None,
            "replicas_acked": None,
            "elapsed_ms": self._deadline.elapsed_ms,
            "longest_ms": round(self._sweeper.pace.longest_ms, 3),
            "warnings": told,
        }
