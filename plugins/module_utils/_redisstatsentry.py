# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``redis_stats_info`` does: find the server, ask it once or twice, and say what it would not tell."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, Session, checked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import acl_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import info_from, server_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisstats import (
    LETTERS,
    Readings,
    dangers,
    figures,
    latency_events,
    slow_commands,
    text_of,
    whole,
)

# What connecting and asking may take in addition to the interval.
LEAST_BESIDE = 1.0
MOST_SLOW = 128
PINGS = 5

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]


@dataclass(frozen=True)
class Question:
    """What is asked; see the module's options."""

    interval: float = 1.0
    slowlog: int = 10
    deadline: float = 10.0

    def check(self) -> None:
        """Raise BadInput for what cannot be asked; written so that no comparison with NaN passes."""
        problem = ""
        if not self.interval >= 0:
            problem = f"interval is {self.interval:g}, less than 0 or no number"
        elif not self.deadline >= self.interval + LEAST_BESIDE:
            problem = (
                f"deadline is {self.deadline:g} s, less than the interval ({self.interval:g} s) and {LEAST_BESIDE:g} s"
            )
        elif not 0 <= self.slowlog <= MOST_SLOW:
            problem = f"slowlog is {self.slowlog}, not from 0 to {MOST_SLOW}"
        if problem:
            raise BadInput(
                "bad_option",
                f"{problem}.",
                "Nothing was read.",
                "Leave the option out, or see ansible-doc chatia.kanban_rollback.redis_stats_info.",
            )


def read_stats(login: Login, question: Question) -> Outcome:
    """Return what the module shows; raises BadInput, or ServerError if Redis does not answer."""
    question.check()
    deadline = Deadline(question.deadline)
    finder = Finder(login, deadline)
    try:
        result = finder.until_answered(lambda session: _ask(session, login, question), beside=question.interval)
    except ServerError as problem:
        problem.details.update(tries=finder.tries, elapsed_ms=deadline.elapsed_ms)
        raise
    warnings = [*finder.doubts, *result.pop("warnings")]
    return {**result, "elapsed_ms": deadline.elapsed_ms, "warnings": warnings}, None


def _ask(session: Session, login: Login, question: Question) -> dict[str, Any]:
    role, reply = session.ask(("ROLE",), ("INFO", "ALL"))
    started = time.monotonic()
    try:
        first = _info(reply)
    except ServerError as error:
        if error.code == "missing_privilege":
            error.why = "Without INFO nothing is known of this Redis."
            error.todo = f"Grant it: {acl_line(login.user, ['+info'])}"
        raise
    second, seconds = None, None
    if question.interval:
        time.sleep(question.interval)
        second = _info(session.one("INFO", "ALL"))
        seconds = time.monotonic() - started
    readings = Readings(first, second, seconds)
    found = figures(readings, login.database)
    asides = _Asides(session, login.user)
    found["slowlog"] = asides.ask("slowlog", "+slowlog|get", slow_commands, "SLOWLOG", "GET", question.slowlog)
    found["latency"] = asides.ask("latency", "+latency|latest", latency_events, "LATENCY", "LATEST")
    for name, setting in (
        ("slowlog_threshold_us", "slowlog-log-slower-than"),
        ("latency_threshold_ms", "latency-monitor-threshold"),
        ("max_clients", "maxclients"),
    ):
        found[name] = asides.ask("config", "+config|get", _number, "CONFIG", "GET", setting)
    # Older servers report it in CONFIG only.
    most = found.pop("max_clients")
    found["clients"]["max"] = most if found["clients"]["max"] is None else found["clients"]["max"]
    server = server_from(session.where, session.sentinel, readings.last, role)
    return {
        "changed": False,
        "server": server.as_result(),
        "interval_seconds": None if readings.seconds is None else round(readings.seconds, 3),
        "ping_ms": _ping_ms(session),
        **found,
        "notes": asides.notes,
        "warnings": dangers(readings, found, session.where),
    }


class _Asides:
    """Asks what a user with few rights may not ask: a refusal is a note, not a failure."""

    def __init__(self, session: Session, user: str | None) -> None:
        self._session = session
        self._user = user
        self.notes: list[dict[str, Any]] = []

    def ask(self, what: str, right: str, convert: Callable[[Any], Any], *command: Any) -> Any:
        """Return the converted reply, or None with a note, which is made once for each ``what``."""
        (reply,) = self._session.ask(command)
        if isinstance(reply, ServerError):
            if what not in [note["what"] for note in self.notes]:
                grant = acl_line(self._user, [right]) if reply.code == "missing_privilege" else None
                self.notes.append({"what": what, "why": reply.what, "code": reply.code, "grant": grant})
            return None
        return convert(reply)


def _info(reply: Any) -> dict[str, str]:
    return info_from(checked(reply), LETTERS)


def _number(reply: Any) -> int | None:
    return whole(text_of(reply[1])) if isinstance(reply, list) and len(reply) > 1 else None


def _ping_ms(session: Session) -> float:
    """Return the shortest of a few round trips: anything longer is due to this machine."""
    found = []
    for _number_of_try in range(PINGS):
        started = time.monotonic()
        # Even a refusal makes the round trip.
        session.ask(("PING",))
        found.append(time.monotonic() - started)
    return round(min(found) * 1000, 3)
