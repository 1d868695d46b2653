# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database as the fence's modules act on it: what is requested, what is there, and how its functions are called."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import View
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Asked
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import Patience
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    PASSAGE,
    Cursor,
    Login,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import fence as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.guards import PASS_HERE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import explain
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Blocker, Watcher

# Above deadlock_timeout (1 s): a shorter wait never makes autovacuum give way.
LOCK_SECONDS = 2.0
# Inbound messages queue behind a turn for their table.
TURN_SECONDS = 0.25
LEAST_TURN_SECONDS = 0.05
# Writers that queued behind our wait get through before the next one.
PAUSE_SECONDS = 0.3
# No passage, whatever the role's settings say. Row security may be on: a canary touches no row that it could hide.
SETTINGS = {PASSAGE: "", "row_security": "on"}


@dataclass(frozen=True)
class FenceRequest:
    """What is requested of the fence; the fields are the options of ``write_fence``."""

    tables: Sequence[Asked] | None
    state: str = "present"
    incident_id: str | None = None
    run_id: str = ""
    operator: str | None = None
    environment: str | None = None
    deadline: float = 20.0
    drain: float | None = None
    on_blocked: str = "report"
    on_replica: str = "fail"
    force: bool = False
    purge: bool = False
    grant_to: Sequence[str] = ()
    prove: bool = True

    @property
    def by(self) -> str | None:
        """Who raises it, for an application's log; None leaves it to the session's role."""
        return self.operator or None


@dataclass
class FencePlace:
    """A database, its catalog's entries for the request, and what went wrong so far.

    ``blocked``: per table, who held it at the end of its last turn.
    """

    login: Login
    server: Server
    ledger_state: LedgerState
    view: View
    request: FenceRequest
    deadline: Deadline
    warnings: list[str] = field(default_factory=list)
    blocked: dict[str, list[Blocker]] = field(default_factory=dict)
    _session: Session | None = None

    def __post_init__(self) -> None:
        """Prepare retries and the second session, which is opened when first needed."""
        self.watcher = Watcher(self.login, APPLICATION)
        terminate = self.request.on_blocked == "terminate"
        self.patience = Patience(self.session, self.watcher, self.deadline, terminate, SETTINGS)

    def session(self) -> Session:
        """Return the session of this module run; a broken one is reopened."""
        if self._session is None or not self._session.is_open:
            self._session = Session(self.login, APPLICATION)
        return self._session

    def close(self) -> None:
        """Close every session."""
        self.watcher.close()
        self.warnings += self.watcher.warnings
        if self._session:
            self._session.close()

    def _turn(self, most: float, others: int = 1) -> float:
        """Return how long one lock wait may take; less than the statement, so that the lock timeout fires first.

        :param others: how many waits share what is left of the time.
        """
        return max(LEAST_TURN_SECONDS, min(most, (self.deadline.left - 0.1) / others))

    def insist(self, what: str, work: Callable[[Cursor], Any]) -> Any:
        """Run one transaction, retrying until the deadline; raises ServerError.

        :param what: the name in ``blocked`` if the transaction has to wait.
        """
        turn, watch = TURN_SECONDS * 2, False
        while True:
            try:
                done = self.patience.transact(work, turn=turn, watch=watch)
            except LostConnection:
                if self.deadline.over:
                    raise
                self.patience.reconnect()
            except Timeout:
                self.blocked[what] = self.patience.seen
                if self.deadline.over:
                    raise
                turn, watch = self._turn(LOCK_SECONDS), True
            else:
                self.blocked.pop(what, None)
                return done

    def in_turns(self, tasks: Sequence[tuple[str, Callable[[Cursor], Any]]]) -> tuple[int, dict[str, KanbanError]]:
        """Run transactions that need table locks, each by itself, until all are done or the deadline is over.

        Writers queue behind a turn, so it is short unless only the server's own processes, such as autovacuum, are in
        its way; they get through between turns. Return how many were done, and what failed by the tasks' names.
        """
        pending, done = list(tasks), 0
        problems: dict[str, KanbanError] = {}
        watch = False
        while pending:
            for task in list(pending):
                name, work = task
                seen = self.blocked.get(name)
                gives_way = bool(seen) and all(blocker.is_of_server for blocker in seen or ())
                turn = self._turn(LOCK_SECONDS if gives_way else TURN_SECONDS, len(pending))
                try:
                    self.patience.transact(work, turn=turn, watch=watch)
                except Timeout as error:
                    self.blocked[name], problems[name] = self.patience.seen, error
                    continue
                except LostConnection as error:
                    problems[name] = error
                    if self.deadline.over:
                        break
                    self.patience.reconnect()
                    continue
                except ServerError as error:
                    problems[name] = error
                else:
                    done += 1
                    problems.pop(name, None)
                    self.blocked.pop(name, None)
                pending.remove(task)
            if self.deadline.over:
                break
            if pending:
                time.sleep(min(PAUSE_SECONDS, self.deadline.left))
            watch = True
        return done, problems


def pass_ddl_guards(cursor: Cursor, request: FenceRequest) -> None:
    """Keep event triggers from refusing DDL in the caller's transaction, if the role may; an installation does not."""
    if request.state != "dormant":
        cursor.run(PASS_HERE, {})


def call(
    cursor: Cursor, view: View, block: str, fences: Sequence[Fence], request: Mapping[str, Any]
) -> tuple[list[Any], dict[str, KanbanError]]:
    """Run a block on fences in the caller's transaction, which must not rely on its search_path afterwards.

    The block runs directly where the role owns the function, else through the function that an owner left for it.
    Return the block's answers, pairs of a fence's name and what was done (for ``fence_try`` see there), and per fence
    why it could not be done. Raises ServerError.
    """
    own = [fence for fence in fences if fence.mine and view.may_create]
    others = [fence for fence in fences if fence not in own]
    answers: list[Any] = []
    problems: dict[str, KanbanError] = {}
    if own:
        cursor.row(queries.REQUEST, {"request": _text(request, own)})
        cursor.run(queries.DO, {"body": queries.BLOCKS[block]})
        answers += _list(cursor.row(queries.ANSWER, {})[0])
    helper = view.helpers.get(block)
    for fence in others if helper is None or not helper.callable else ():
        problems[fence.name] = ServerError(
            "missing_privilege",
            f"The fence {fence.name} belongs to {fence.owner}; {view.role} may not call kanban_rollback.{block}(), "
            "which bootstrap.yml grants.",
            "A fence is raised, tried and lowered by its owner, or by a role that the owner let do so.",
            "Run bootstrap.yml with this role (write_fence with state dormant and grant_to), or act as that owner.",
        )
    calls: list[tuple[str, Sequence[Fence]]] = [(block, others)] if others and not problems else []
    if block == queries.TRY and not problems:
        # Tables of other owners are tried by functions of theirs.
        tries = sorted(name for name, one in view.helpers.items() if name.startswith(queries.TRY_AS) and one.callable)
        calls += [(name, fences) for name in tries]
    for name, asked in calls:
        statement = sql.SQL(queries.CALL).format(function=identifier(name))
        try:
            with cursor.savepoint():
                answers += _list(cursor.row(statement, {"request": _text(request, asked)})[0])
        except ServerError as error:
            if isinstance(error, (Timeout, LostConnection)):
                raise
            problems.update({fence.name: error for fence in others})
            break
    done = []
    for answer in answers:
        if answer[1] == "failed":
            problems[answer[0]] = explain(answer[2], answer[3])
        else:
            done.append(answer)
    return done, problems


def _text(request: Mapping[str, Any], fences: Sequence[Fence]) -> str:
    return json.dumps({**request, "fences": [fence.name for fence in fences]})


def _list(answer: str) -> list[Any]:
    found = json.loads(answer)
    return list(found.get("fences") or found.get("tried") or [])
