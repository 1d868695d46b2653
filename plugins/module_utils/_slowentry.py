# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``slow_queries_info`` does: read the statements' counters, once or twice, and who runs and waits at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    LostConnection,
    ServerError,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import CONNECT_SECONDS, Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._slowsessions import Sessions
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._slowsource import (
    Source,
    find_source,
    read_figures,
    read_texts,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statements import (
    ORDERS,
    Passed,
    between,
    share,
    since_the_beginning,
    worst,
)

APPLICATION = "chatia.kanban_rollback slow_queries"
MOST = 100
# The least time that is left for connecting and reading beside the interval.
LEAST_BESIDE = 2.0
# A step that takes longer than this is no help in an incident.
STEP_SECONDS = 5.0

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]


@dataclass(frozen=True)
class Question:
    """The request; see the module's options."""

    contains: Sequence[str] = ()
    top: int = 10
    order_by: str = "total"
    min_mean_ms: float = 0.0
    interval: float = 0.0
    running_ms: float = 1000.0
    texts: bool = False
    all_databases: bool = False
    deadline: float = 20.0

    def check(self) -> None:
        """Raise BadInput for invalid options; written so that no comparison with NaN passes."""
        problems = [
            *(["contains has an empty text, which is in every statement"] if "" in self.contains else []),
            *([f"top is {self.top}, not from 1 to {MOST}"] if not 1 <= self.top <= MOST else []),
            *([f"order_by is {self.order_by!r}"] if self.order_by not in ORDERS else []),
            *(
                f"{name} is {value:g}, less than 0 or no number"
                for name, value in (
                    ("min_mean_ms", self.min_mean_ms),
                    ("interval", self.interval),
                    ("running_ms", self.running_ms),
                )
                if not value >= 0
            ),
        ]
        if not problems and not self.deadline >= self.interval + LEAST_BESIDE:
            problems = [
                f"deadline is {self.deadline:g} s, less than the interval ({self.interval:g} s) and {LEAST_BESIDE:g} s"
            ]
        if problems:
            raise BadInput(
                "bad_option",
                f"{'; '.join(problems)}.",
                "Nothing was read.",
                "Leave the option out, or see ansible-doc chatia.kanban_rollback.slow_queries_info.",
            )


@dataclass
class _Found:
    """The result, as it grows."""

    result: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def find_slow(login: Login, question: Question) -> Outcome:
    """Return what the module shows; raises BadInput, or ServerError if the database does not answer."""
    question.check()
    deadline = Deadline(question.deadline)
    session = Session(login, APPLICATION, deadline.slice(CONNECT_SECONDS))
    try:
        server = identify(session, deadline.slice(STEP_SECONDS))
        found = _Found({"changed": False, "database": server.as_result()}, list(server.warnings))
        _add_statements(found, session, question, deadline, server.user)
        _add_sessions(found, session, question, deadline)
    finally:
        session.close()
    return {**found.result, "elapsed_ms": deadline.elapsed_ms, "warnings": found.warnings}, None


def _add_statements(found: _Found, session: Session, question: Question, deadline: Deadline, user: str) -> None:
    """Add the statements; without the extension the rest is still useful, so its absence is not a failure."""
    empty: dict[str, Any] = {"queries": [], "interval_seconds": None, "text_hidden_count": 0, "text_hidden_share": None}
    found.result.update(available=False, reason=None, source=None, **empty, restarted_count=0, gone_count=0)
    try:
        source = find_source(session, deadline.slice(STEP_SECONDS))
        found.result["source"] = source.as_result()
        source.check()
        passed, source = _read(session, source, question, deadline)
        found.result.update(_shown(session, source, question, deadline, passed))
    except LostConnection:
        raise
    except ServerError as error:
        found.result["reason"] = error.told()
        found.warnings.append(f"Which statements are slow is not known: {error}")
        return
    found.warnings += source.warnings
    if passed.hidden:
        quoted = user.replace('"', '""')
        part = share(passed.hidden_ms, passed.whole_ms)
        found.warnings.append(
            f"The texts of {passed.hidden} statements of other roles are hidden from this one"
            f"{'' if part is None else f', {part:.0%} of the time'}: they are not among those shown. "
            f'As a superuser: GRANT pg_read_all_stats TO "{quoted}";'
        )


def _read(session: Session, source: Source, question: Question, deadline: Deadline) -> tuple[Passed, Source]:
    """Return what was counted, and the source as it was at the end."""
    words, everywhere = question.contains, question.all_databases
    first = read_figures(session, source, words, everywhere, deadline.slice(STEP_SECONDS))
    if not question.interval:
        return since_the_beginning(first), source
    time.sleep(question.interval)
    second = read_figures(session, source, words, everywhere, deadline.slice(STEP_SECONDS))
    # Ask what happened to the counters meanwhile only after the second reading, so that nothing is missed.
    later = find_source(session, deadline.slice(STEP_SECONDS))
    return between(first, second), source.followed_by(later)


def _shown(session: Session, source: Source, question: Question, deadline: Deadline, passed: Passed) -> dict[str, Any]:
    chosen = worst(passed, question.order_by, question.top, question.min_mean_ms)
    texts = read_texts(session, source, [figures.key for figures in chosen], deadline.slice(STEP_SECONDS))
    queries = []
    for figures in chosen:
        row = {**figures.as_result(), "share": share(figures.total_ms, passed.whole_ms)}
        row.update(texts.get(figures.key, {"query": None, "database": None, "user": None}))
        row["calls_per_second"] = round(figures.calls / passed.seconds, 2) if passed.seconds else None
        queries.append(row)
    return {
        "available": True,
        "queries": queries,
        "source": source.as_result(),
        "interval_seconds": None if passed.seconds is None else round(passed.seconds, 3),
        "text_hidden_count": passed.hidden,
        "text_hidden_share": share(passed.hidden_ms, passed.whole_ms),
        "restarted_count": passed.restarted,
        "gone_count": passed.gone,
    }


def _add_sessions(found: _Found, session: Session, question: Question, deadline: Deadline) -> None:
    """Add who runs and who waits; None means that it cannot be read, which is not the same as nobody."""
    sessions = Sessions(session, question.all_databases, question.texts)
    empty: dict[str, Any] = {"running": None, "running_count": None, "sessions_hidden_count": None}
    found.result.update(empty, waiting=None)
    try:
        found.result.update(sessions.running(question.running_ms, deadline.slice(STEP_SECONDS)))
        found.result.update(sessions.waiting(deadline.slice(STEP_SECONDS)))
    except LostConnection:
        raise
    except ServerError as error:
        found.warnings.append(f"Who runs and who waits is not known in full: {error}")
