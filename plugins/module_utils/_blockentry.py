# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``write_block`` and ``write_block_info`` do: find the server, look, plan, change, read back; try again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import (
    NONE,
    STRING,
    Seen,
    Wish,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockplan import Step, not_as_asked, plan, to_mend
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockproof import grant, prove
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockscript import (
    aside_names,
    looks,
    seen_from,
    swap,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    ServerError,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import (
    LEFT_ALONE,
    Elsewhere,
    NotNow,
    at_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import (
    Server,
    info_from,
    not_told,
    risks,
    server_from,
)

LEAST_DEADLINE = 1.0
ACK_MS = 200
# Each round means that somebody else changed the block in the milliseconds since it was looked at.
MOST_ROUNDS = 20
# INFO does not tell them, and CONFIG is often forbidden; then they are unknown.
SAVE_POINTS = ("CONFIG", "GET", "save")

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]


def change_block(login: Login, wish: Wish, seconds: float, on_replica: str, check_mode: bool) -> Outcome:
    """Do what ``write_block`` was asked for; return its result and the error that it ends with. Raises BadInput."""
    call = _Call(login, wish, seconds, on_replica)
    return call.run(lambda session: call.change(session, check_mode))


def read_block(login: Login, wish: Wish, seconds: float, proof: bool = False) -> Outcome:
    """Return what ``write_block_info`` shows, for any kind of server, and perhaps an error. Raises BadInput."""
    call = _Call(login, wish, seconds)
    return call.run(lambda session: call.read(session, proof))


class _Call:
    """One call of a module: everything ends by its deadline."""

    def __init__(self, login: Login, wish: Wish, seconds: float, on_replica: str = "fail") -> None:
        if not seconds >= LEAST_DEADLINE:
            raise BadInput(
                "bad_option",
                f"deadline is {seconds:g} s, the least is {LEAST_DEADLINE:g} s.",
                "Without time nothing can be held or released. Nothing was changed.",
                "Leave deadline out, or give seconds; the default is meant for an incident.",
            )
        self._login = login
        self._wish = wish
        self._on_replica = on_replica
        self._deadline = Deadline(seconds)
        self._finder = Finder(login, self._deadline)
        # The change that was sent last, with what was there before, and whether it was answered. A connection can be
        # lost before the answer, or after it but before the read-back.
        self._sent: tuple[Seen, Step] | None = None
        self._answered = False

    def run(self, attempt: Callable[[Session], Outcome]) -> Outcome:
        """Try until it is answered or the deadline is over; return the result and the error that it ends with."""
        try:
            result, error = self._finder.until_answered(attempt)
        except ServerError as problem:
            problem.details.update(tries=self._finder.tries, elapsed_ms=self._deadline.elapsed_ms)
            changed = self._answered and self._sent is not None and self._sent[1].changed
            return {"changed": changed}, self._told(problem)
        return {**result, "elapsed_ms": self._deadline.elapsed_ms}, error

    def _told(self, problem: ServerError) -> ServerError:
        """Return the error with what is known only here."""
        if problem.code == "missing_privilege":
            problem.todo = f"Grant it: {grant(self._login.user, self._wish)}"
        uncertain = self._sent is not None and not self._answered
        if uncertain:
            problem.why = (
                "The change was sent and not answered, so it may have been made, or may yet be when Redis goes on."
            )
            problem.todo = "Run the same command again: it finds out, and completes it."
        made = type(problem)(problem.code, problem.what, problem.why, problem.todo, **problem.details)
        made.details["uncertain"] = uncertain
        return made

    def _look(self, session: Session) -> tuple[Server, Seen]:
        role, info, *replies = session.ask(("ROLE",), ("INFO",), *looks(self._wish))
        # Without ROLE and INFO the role and the risks are unknown, which is no reason not to set the block.
        return server_from(session.where, session.sentinel, info_from(info), role), seen_from(replies)

    def read(self, session: Session, proof: bool) -> Outcome:
        """Return what is there and, if a proof is wanted, whether it could be changed."""
        server, seen = self._look(session)
        (save,) = session.ask(SAVE_POINTS)
        server = _with_save_points(server, save)
        told = risks(server, seen.expires) if seen.kind == STRING else []
        told = [*self._doubts(server), *told, *to_mend(seen)]
        proven = prove(session, self._wish, server, self._login.user) if proof else {}
        return {"changed": False, **self._facts(server, seen), **proven, "warnings": told}, None

    def change(self, session: Session, check_mode: bool) -> Outcome:
        """Look, plan, change and read back, once."""
        server, before = self._look(session)
        if server.role == "replica":
            return self._at_replica(server, before)
        try:
            before, step, aside = self._apply(session, before, check_mode)
        except Elsewhere as error:
            if error.code == "read_only_server" and self._on_replica == "skip" and not self._finder.has_sentinels:
                return self._at_replica(server, before)
            raise
        if step.refusal:
            return self._outcome(server, before, before, step), step.refusal
        if check_mode:
            (save,) = session.ask(SAVE_POINTS)
            server, after = _with_save_points(server, save), step.after(before, self._wish)
            return self._outcome(server, before, after, step, self._risks(server, after)), None
        acked, after, server = self._read_back(session, server, waited=step.write != "")
        result = self._outcome(server, before, after, step, self._risks(server, after))
        result["replicas_acked"] = acked
        result["set_aside"] = aside[0].decode(errors="backslashreplace") if aside else None
        if acked == 0:
            result["warnings"].append(
                f"None of {server.replicas} replicas acknowledged within {ACK_MS} ms: a failover now could lose this."
            )
        return result, not_as_asked(after, self._wish)

    def _apply(self, session: Session, seen: Seen, check_mode: bool) -> tuple[Seen, Step, list[bytes]]:
        """Do what has to be done; return what was there before, what was done and where things were set aside."""
        for _round in range(MOST_ROUNDS):
            step = plan(seen, self._wish)
            # If an earlier try did it and only its answer or read-back was lost, this call did it.
            told = self._sent if self._sent and self._is_done(seen, *self._sent) else (seen, step)
            if check_mode or step.refusal or not step.write:
                self._sent, self._answered = told, True
                return (*told, [])
            aside = aside_names(self._wish) if step.set_aside else []
            self._sent, self._answered = told, False
            try:
                swapped = swap(session, seen, step, self._wish, aside)
            except ServerError as error:
                # A refusal is an answer.
                self._sent = self._sent if isinstance(error, NotNow) else None
                raise
            self._answered = True
            if swapped:
                return (*told, aside)
            self._sent = None
            seen = seen_from(session.ask(*looks(self._wish)))
        raise NotNow(
            "contended",
            f"{session.where}: somebody else changed the block {MOST_ROUNDS} times while it was being changed.",
            "It is not certain what the application does now.",
            "Find out who else sets the key, then run the same command again.",
        )

    def _at_replica(self, server: Server, seen: Seen) -> Outcome:
        error = at_replica(
            server.address,
            "A block on a replica holds nothing for the application, and is lost at its next resync. "
            "Nothing was changed here.",
        )
        if self._finder.has_sentinels:
            raise error  # The Sentinel's information was outdated.
        result = self._outcome(server, seen, seen, Step())
        if self._on_replica != "skip":
            return result, error
        return {**result, **LEFT_ALONE}, None

    def _is_done(self, seen: Seen, before: Seen, step: Step) -> bool:
        return seen.is_like(step.after(before, self._wish))

    def _read_back(self, session: Session, server: Server, waited: bool) -> tuple[int | None, Seen, Server]:
        """Return how many replicas have the change (None: there are none, or unknown), the block, and the server."""
        wait = ("WAIT", 1, ACK_MS) if waited and server.replicas else ("PING",)
        acked, save, *replies = session.ask(wait, SAVE_POINTS, *looks(self._wish))
        number = acked if isinstance(acked, int) else None
        return number, seen_from(replies), _with_save_points(server, save)

    def _facts(self, server: Server, seen: Seen) -> dict[str, Any]:
        return {
            "held": seen.is_held(self._wish.value),
            "ours": seen.is_of(self._wish.owner),
            **seen.as_result(),
            "owner_ttl_seconds": seen.owner_ttl_seconds,
            "server": server.as_result(),
        }

    def _doubts(self, server: Server) -> list[str]:
        return [*self._finder.doubts, *not_told(server)]

    def _risks(self, server: Server, after: Seen) -> list[str]:
        return risks(server, after.expires) if self._wish.present else []

    def _outcome(
        self, server: Server, before: Seen, after: Seen, step: Step, warnings: Sequence[str] = ()
    ) -> dict[str, Any]:
        refused = step.refusal is not None
        return {
            "changed": step.changed and not refused,
            "renewed": step.renewed,
            "prolonged": step.prolonged,
            "taken_over": step.taken_over,
            "previous": before.as_result() if before.kind != NONE else None,
            "set_aside": None,
            "skipped": False,
            "replicas_acked": None,
            **self._facts(server, after),
            "diff": {"before": _side(self._wish, before), "after": _side(self._wish, after)},
            "warnings": [*step.warnings, *self._doubts(server), *warnings],
        }


def _side(wish: Wish, seen: Seen) -> dict[str, Any]:
    """Return one side of a diff; passing seconds are not a difference."""
    shown = seen.as_result()
    return {"key": wish.key, "value": shown["value"], "owner": shown["owner"], "expires": seen.expires}


def _with_save_points(server: Server, reply: Any) -> Server:
    """Add what INFO does not say: whether there is an RDB to come back from."""
    if server.persistence == "aof" or isinstance(reply, ServerError) or not reply:
        return server
    return replace(server, persistence="rdb" if reply[1] else "none")
