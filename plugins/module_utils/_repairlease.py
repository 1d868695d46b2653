# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a repair and a restore: one run at a time, and of that run one module at a time.

The recovery lease is a run's, which may hold it over several modules. Who works holds another beside it, its turn, for
two hosts of a run may lead to one database. How far the work is stands in that. A turn names the session that works, so
that the one of a module that was killed ends with its session, and another module of the run goes on at once.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Iterator

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import LEASE, WORK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Cursor,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progressteller import Turn, telling
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Work
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import session as queries

GRACE_SECONDS = 30.0  # The lease outlives the deadline: by then the transaction has ended either way.
LOOK_SECONDS = 1.0


@contextmanager
def lease(work: Work) -> Iterator[None]:
    """Hold the lease, and tell through it how far the work is; one that this run held before stays its own afterwards.

    Raises KanbanError (``lease_held``) where another has it for longer than is to be waited.
    """
    who = ledger.Who(str(work.incident), work.request.who.run_id, operator=work.request.who.operator)
    turn = replace(who, run_id=f"{who.run_id}/{_session_of(work)}/{secrets.token_hex(6)}")
    before = _wait_for(work, who, turn)
    # What was waited for it is no time of the work.
    work.deadline = Deadline(work.request.deadline)
    try:
        with telling(work.session.login, Turn(WORK, turn.run_id, LEASE, who.run_id)) as work.progress:
            yield
    finally:
        mine = [(WORK, turn.run_id)]
        if (before or {}).get("run_id") != who.run_id:
            mine.append((LEASE, who.run_id))
        _give_back(work, mine)


def _wait_for(work: Work, who: ledger.Who, turn: ledger.Who) -> dict[str, Any] | None:
    """Take both leases, and return who had the run's before."""
    seconds = work.request.deadline + GRACE_SECONDS
    ours, others = Deadline(seconds), Deadline(work.request.lease_wait)
    while True:
        try:
            return _take(work, who, turn, seconds)
        except KanbanError as error:
            holder: Any = error.details.get("lease", {})
            # A module of this run that repairs the same database is waited for until it has ended.
            waits = ours if _is_turn_of(who, holder) else others
            if error.code != "lease_held" or waits.over:
                raise
        time.sleep(LOOK_SECONDS)


def _take(work: Work, who: ledger.Who, turn: ledger.Who, seconds: float) -> dict[str, Any] | None:
    by_force = work.request.lease_by_force
    with work.session.transaction(READ_SECONDS) as cursor:
        before = ledger.read_lease(cursor, LEASE)
        ledger.take_lease(cursor, LEASE, who, seconds, by_force)
        holder = ledger.read_lease(cursor, WORK) or {}
        if _is_turn_of(who, holder):
            by_force = not _works(cursor, who, holder["run_id"])
        ledger.take_lease(cursor, WORK, turn, seconds, by_force)
    return before


def _session_of(work: Work) -> str:
    """Name the session that will work: a pid alone may come again. Empty where a pooler is in between: it gives each
    transaction to whichever session is free, and ends those that are not, at work or not being no question of ours.
    """
    if work.facts.server.pooled:
        return ""
    with work.session.transaction(READ_SECONDS) as cursor:
        return str(cursor.row(queries.THIS_SESSION, {})[0])


def _works(cursor: Cursor, who: ledger.Who, turn: str) -> bool:
    """Tell whether the session of a turn of this run is still there, and with it perhaps its transaction.

    A turn that names none has to be waited for.
    """
    session = turn[len(who.run_id) + 1 :].partition("/")[0]
    return "@" not in session or bool(cursor.row(queries.SESSION_IS_THERE, {"session": session})[0])


def _is_turn_of(who: ledger.Who, holder: dict[str, Any]) -> bool:
    return str(holder.get("run_id", "")).startswith(f"{who.run_id}/")


def _give_back(work: Work, leases: list[tuple[str, str]]) -> None:
    """Give leases back, all at once: in between, a module of this run would take the run's own for one to be kept."""
    session = work.session
    try:
        if not session.is_open:
            session = Session(session.login, APPLICATION)
        with session.transaction(READ_SECONDS) as cursor:
            for name, run_id in leases:
                if not ledger.drop_lease(cursor, name, run_id):
                    # The turn is another module's of this run by now, which works under the run's lease.
                    break
    except KanbanError as error:
        work.facts.warnings.append(f"The lease could not be given back and ends by itself: {error.what}")
    finally:
        if session is not work.session:
            session.close()
