# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raising the fence: first what is installed, then the rest on demand, then the proof and the drain."""

from __future__ import annotations

import time
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    KanbanError,
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencecreate import (
    incomplete,
    make_functions,
    make_triggers,
    missing_triggers,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencedrain import Drain, holders, note_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceledger import names_of, record
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencelook import View, read_view
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import SETTINGS, FencePlace, call
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import (
    BEHIND,
    Verdict,
    failure,
    judge,
    together,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceresult import described
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import trigger_names
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import ON_DEMAND, Fence, Found
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.fencelook import ROW_TRIGGERS

PROOF_SECONDS, PROOF_LOCK_SECONDS = 5.0, 0.25


def refresh(place: FencePlace) -> None:
    """Read the catalog again; problems noted for a table are kept."""
    _adopt(place, place.patience.asking(lambda cursor: read_view(cursor, place.request.tables)))


def _adopt(place: FencePlace, view: View) -> None:
    problems = {found.table.oid: found.problem for found in place.view.found}
    place.view = view
    for found in place.view.found:
        found.problem = found.problem or problems.get(found.table.oid)


def row_trigger_warnings(place: FencePlace) -> list[str]:
    """Warn where the application's own triggers could change a fenced column that an UPDATE does not name."""
    partly = [found for found in place.view.found if found.scope.columns]
    if not partly:
        return []
    oids = sorted({oid for found in partly for oid in found.oids})
    rows = place.patience.asking(lambda cursor: cursor.rows(ROW_TRIGGERS, {"relations": oids}))
    texts = []
    for found in partly:
        own = trigger_names(found.own_function)[1]
        # Our row trigger sees what the triggers before it made of the row.
        names = sorted({name for oid, name in rows if oid in found.oids and (not found.scope.row_level or name > own)})
        if names:
            texts.append(
                f"{found.table} has triggers of its own ({', '.join(names[:5])}) that run for each updated row: should "
                f"one of them change {', '.join(found.scope.columns)}, the fence does not see it."
            )
    return texts


def try_canaries(place: FencePlace) -> tuple[dict[Any, str], dict[str, KanbanError]]:
    """Send the canaries; return what the server said per (relation's oid, operation), and what could not be tried."""
    fences = list({fence.name: fence for found in place.view.found for fence in found.raised}.values())
    if not fences:
        return {}, {}
    try:
        session = place.session()
        with session.transaction(PROOF_SECONDS, PROOF_LOCK_SECONDS, settings=SETTINGS) as cursor:
            tried, problems = call(cursor, place.view, "fence_try", fences, {})
    except ServerError as error:
        return {}, {fence.name: error for fence in fences}
    # A function answers for tables of another owner, too: that it does not try them.
    tried.sort(key=lambda answer: not answer[2].startswith(BEHIND))
    return {(oid, operation): said for oid, operation, said in tried}, problems


class Raising:
    """One raise in one database, step by step. What cannot be covered does not stop the rest."""

    def __init__(self, place: FencePlace) -> None:
        self._place = place
        self._started = time.monotonic()
        self._raised_ms: int | None = None
        self._raised_now: set[str] = set()
        self._at_raise: set[str] = set()
        self._changed = False
        self._problems: dict[str, KanbanError] = {}

    def run(self) -> tuple[dict[str, Any], KanbanError | None]:
        """Raise, prove, drain; return the result and the error that the module ends with, if any."""
        place, request = self._place, self._place.request
        self._raise_installed()
        self._create_the_rest()
        drain = Drain(place, self._raised_now, self._at_raise)
        try:
            refresh(place)
        except ServerError as error:
            # What is raised holds and must be reported, although it can no longer be looked at.
            unknown = {found.asked: Verdict("unproven", error.what, error.code) for found in place.view.found}
            return self._result(unknown, drain, None), error
        self._warn()
        self._record()
        tried, untried = try_canaries(place)
        try:
            drain.wait(place.deadline.left if request.drain is None else request.drain)
            verdicts = self._judge(tried, untried, drain)
            if not drain.left and any(verdict.status == "unproven" for verdict in verdicts.values()):
                # The transactions that kept the canary from the table have been drained.
                tried, untried = try_canaries(place)
                verdicts = self._judge(tried, untried, drain)
            # If writes may still go on, the recovery point does not count from here.
            proven = all(verdict.status == "proven" for verdict in verdicts.values())
            end = note_end(place) if proven and verdicts else None
        except ServerError as error:
            # What is raised holds and must be reported.
            verdicts, end = self._judge(tried, untried, None), None
            return self._result(verdicts, drain, end), error
        done = "What could be raised is raised, and holds."
        return self._result(verdicts, drain, end), failure(verdicts, done)

    def at_once(self) -> tuple[dict[str, Any], bool]:
        """Raise what nobody blocks, without proof or drain; return what was done, and whether a later try may do more.

        Both are for a caller that has to wait for something else, and calls this between two waits.
        """
        self._raise_installed()
        self._create_the_rest()
        if self._raised_ms is not None:
            refresh(self._place)
        self._record()
        problems = [*self._problems.values(), *[found.problem for found in self._place.view.found]]
        return self._done(), any(isinstance(problem, (Timeout, LostConnection)) for problem in problems)

    def _record(self) -> None:
        if self._raised_ms is not None:
            tables = [str(found.table) for found in self._place.view.found if found.raised]
            record(self._place, "fence_raised", {"tables": tables, "raised_ms": self._raised_ms})

    def _request(self) -> dict[str, Any]:
        return {"incident": self._place.request.incident_id, "by": self._place.request.by}

    def _raise_installed(self) -> None:
        """Raise every fence that stands on the tables, in one transaction that takes no table lock."""
        place = self._place
        ours = place.request.incident_id
        there = [fence for found in place.view.found for fence in found.fences]
        fences = {fence.name: fence for fence in there if not fence.raised or fence.body == "other"}
        # A fence that another incident raised is up already; joined by ours, it stays up when that incident lowers it.
        joining = [fence for found in place.view.found for fence in found.raised if ours not in fence.holders]
        if joining:
            names_of_ours = set(names_of(place, ours or ""))
            fences.update({fence.name: fence for fence in joining if not names_of_ours & set(fence.holders)})
        asked: Sequence[Fence] = [fence for fence in fences.values() if fence.triggers]
        if not asked:
            return
        view = place.view
        try:
            done, problems = place.insist(
                "kanban_rollback", lambda cursor: call(cursor, view, "fence_raise", asked, self._request())
            )
            self._problems.update(problems)
        except ServerError as error:
            self._problems.update({fence.name: error for fence in asked})
            return
        names = {name for name, how in done if how == "raised"}
        self._changed = self._changed or bool(done)
        if names:
            self._raised_ms = round((time.monotonic() - self._started) * 1000)
            self._remember_writers(names)
        if len(done) + len(problems) < len(asked):
            # Another operator raised or removed them while we waited.
            refresh(place)

    def _remember_writers(self, names: set[str]) -> None:
        """Note who is writing now: only they may still use the old body. Without this, their age has to decide."""
        oids = sorted({oid for found in self._place.view.found for oid in found.oids})
        try:
            found = self._place.patience.transact(lambda cursor: holders(cursor, oids), reading=True)
        except ServerError as error:
            self._place.warnings.append(f"Who was writing at the raise could not be read: {error.what}")
            return
        self._at_raise = {holder.transaction for holder in found}
        self._raised_now |= names

    def _create_the_rest(self) -> None:
        place = self._place
        tables = incomplete(place)
        if not tables:
            return

        def raise_new(cursor: Cursor) -> tuple[View, dict[str, KanbanError]]:
            view = read_view(cursor, place.request.tables)
            own = [found.own_fence() for found in view.found]
            new = [fence for fence in own if fence and not fence.raised]
            return view, call(cursor, view, "fence_raise", new, self._request())[1]

        try:
            view, failed = make_functions(place, tables, ON_DEMAND, raise_new)
            self._problems.update(failed)
        except ServerError as error:
            for found in tables:
                found.problem = found.problem or error
            return
        # It has the functions, and only triggers are added from here on.
        _adopt(place, view)
        self._changed = True
        made, problems = make_triggers(place, missing_triggers(place))
        self._problems.update(problems)
        if made:
            self._raised_ms = round((time.monotonic() - self._started) * 1000)

    def _judge(self, tried: Any, untried: dict[str, KanbanError], drain: Drain | None) -> dict[str, Verdict]:
        problems = {**self._problems, **untried}
        verdicts = {
            found.asked: judge(found, tried, problems, bool(drain and drain.of(found)))
            for found in self._place.view.found
        }
        for found in self._place.view.found:
            verdicts[found.asked] = self._alone(found) or verdicts[found.asked]
        for asked, error in self._place.view.unresolved:
            verdicts[asked.name] = Verdict("not_fenced", error.what, error.code)
        return verdicts

    def _alone(self, found: Found) -> Verdict | None:
        """Return what is wrong if a fence that is up could not be kept up for this incident as well."""
        for fence in found.raised:
            error = self._problems.get(fence.name)
            if error and self._place.request.incident_id not in fence.holders:
                reason = f"It is up for incident {fence.holder} alone, and goes down with that: {error.what}"
                return Verdict("unproven", reason, error.code)
        return None

    def _warn(self) -> None:
        place = self._place
        place.warnings += row_trigger_warnings(place)
        ours: list[str] = []
        for found in place.view.found:
            for fence in found.raised:
                if fence.holder != place.request.incident_id:
                    ours = ours or names_of(place, place.request.incident_id or "")
                if fence.holder not in (place.request.incident_id, *ours) and fence.name not in self._problems:
                    place.warnings.append(
                        f"The fence of {found.table} was raised by incident {fence.holder}, and holds for this one as "
                        "well: it is lowered when both have lowered it (or by force)."
                    )
            if found.raised and found.refuses_more:
                more = ", ".join(found.refuses_more)
                place.warnings.append(
                    f"The fence that was installed on {found.table} refuses more than was asked: {more}. bootstrap.yml "
                    "installs what is asked."
                )

    def _result(self, verdicts: dict[str, Verdict], drain: Drain, end: dict[str, Any] | None) -> dict[str, Any]:
        place = self._place
        if drain.left:
            pids = ", ".join(str(holder.pid) for holder in drain.left[:10])
            place.warnings.append(
                f"The fence is raised, but {len(drain.left)} transactions that were writing then are still open and "
                f"may write on (pids {pids}); run the same task again when they have ended."
            )
        return {
            **described(place, verdicts, drain.left, end),
            **together(
                self._done(), {"terminated": [holder.as_result(place.view.names()) for holder in drain.terminated]}
            ),
        }

    def _done(self) -> dict[str, Any]:
        ended = [blocker.as_result() for blocker in self._place.patience.terminated]
        return {"changed": self._changed, "raised_ms": self._raised_ms, "terminated": ended}
