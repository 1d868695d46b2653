# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of repairs and restores: one run at a time, and one module of that run at a time.

The recovery lease belongs to a run, which may hold it across several modules. A working module also has a second lease,
its turn, because two hosts of a run may lead to one database. The turn records how far the work is. It names the
working session, so the turn of a killed module ends with its session, and another module of the run goes on at once.
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
    """Hold the lease and report progress through it; a lease that this run held before stays with the run afterwards.

    Raises KanbanError (``lease_held``) if another run holds it for longer than the permitted wait.
    """
    who = ledger.Who(str(work.incident), work.request.who.run_id, operator=work.request.who.operator)
    turn = replace(who, run_id=f"{who.run_id}/{_session_of(work)}/{secrets.token_hex(6)}")
    before = _wait_for(work, who, turn)
    # Waiting for the lease does not count as time of the work.
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
    """Take both leases; return who held the run's lease before."""
    seconds = work.request.deadline + GRACE_SECONDS
    ours, others = Deadline(seconds), Deadline(work.request.lease_wait)
    while True:
        try:
            return _take(work, who, turn, seconds)
        except KanbanError as error:
            holder: Any = error.details.get("lease", {})
            # Wait for another module of this run that repairs the same database until it has ended.
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
    """Return what identifies the session that will work, as a pid alone may be reused; empty behind a pooler.

    A pooler uses any free session per transaction and ends others, so a session there says nothing about the work.
    """
    if work.facts.server.pooled:
        return ""
    with work.session.transaction(READ_SECONDS) as cursor:
        return str(cursor.row(queries.THIS_SESSION, {})[0])


def _works(cursor: Cursor, who: ledger.Who, turn: str) -> bool:
    """Return whether the session of a turn of this run still exists, and so perhaps its transaction.

    A turn that names no session has to be waited for.
    """
    session = turn[len(who.run_id) + 1 :].partition("/")[0]
    return "@" not in session or bool(cursor.row(queries.SESSION_IS_THERE, {"session": session})[0])


def _is_turn_of(who: ledger.Who, holder: dict[str, Any]) -> bool:
    return str(holder.get("run_id", "")).startswith(f"{who.run_id}/")


def _give_back(work: Work, leases: list[tuple[str, str]]) -> None:
    """Give leases back in one transaction: in between, a module of this run would take the run's for one to keep."""
    session = work.session
    try:
        if not session.is_open:
            session = Session(session.login, APPLICATION)
        with session.transaction(READ_SECONDS) as cursor:
            for name, run_id in leases:
                if not ledger.drop_lease(cursor, name, run_id):
                    # By now the turn belongs to another module of this run, which works under the run's lease.
                    break
    except KanbanError as error:
        work.facts.warnings.append(f"The lease could not be given back and ends by itself: {error.what}")
    finally:
        if session is not work.session:
            session.close()
