# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching a flag off or on: from a request to a result, and to the error that it ends with, if any."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._beforehand import (
    incident_result,
    keeper_for,
    open_incident,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlook import look_after
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import Latch, raise_latch, standing_latch
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import TURN_SECONDS, Patience
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import (
    Other,
    Place,
    Request,
    global_default,
    rows_of,
    shown,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    PASSAGE,
    READ_SECONDS,
    Cursor,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import priors_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sweep import settle
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._switch import Switcher, switch_each
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._switchoutcome import Outcome, blocked_rows, joined
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._switchverdict import Ended, error_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._wal import position_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._watch import Watcher

SWEEP_SECONDS = 10.0
# What a kill has at least, if it was asked for so much, however long it took to connect.
KILL_SECONDS = 10.0
# How long a question may take that only serves the reader, not the kill.
_ASK_SECONDS = 1.0


@dataclass
class _OfTable:
    """What switches one table, and keeps its priors; ``default``: what came of the default of all tenants in it."""

    name: str
    keeper: Keeper
    default_keeper: Keeper | None = None
    default: Outcome = field(default_factory=Outcome)
    switcher: Switcher = field(init=False)

    @property
    def outcomes(self) -> list[Outcome]:
        """What came of the tenants' own rows, and of the default of all."""
        return [self.switcher.outcome, self.default]


class Switch:
    """One switch of one flag in one database, step by step; ``result`` grows with each step."""

    def __init__(self, place: Place, request: Request, beside: Callable[[Place, str], None] | None = None) -> None:
        """``beside`` is called with the place and the incident's id between waits for locks; it must not raise."""
        self._place = place
        self._request = request
        self._beside = beside
        self._enabled = request.state == "enabled"
        # Connecting may have taken nearly all of the time, and the flag is to be switched nonetheless.
        self._deadline = Deadline(max(place.deadline.left, min(request.deadline, KILL_SECONDS)))
        self._joined = open_incident(place, request)
        self._watcher = Watcher(place.login, APPLICATION)
        self.incident = self._joined.incident_id if self._joined else request.who.incident_id
        self.result: dict[str, Any] = {}
        self._switched = 0
        self._switched_ago: float | None = None
        self._counted = True
        # By table: who could not be had, and whether it is the default of all.
        self._held: dict[str, list[set[str]]] = {}
        self._late = 0
        self._default = Outcome()
        self._same_name: dict[str, dict[str, Any]] = {}
        self._by_default = 0
        self._latch = Latch(False, "not everybody was off in time")

    def run(self) -> KanbanError | None:
        """Switch, prove, then latch and sweep if requested; return the error that the module ends with, if any."""
        try:
            latch = partial(self._raise_latch, TURN_SECONDS) if self._request.latch and not self._enabled else None
            beside = partial(self._beside, self._place, self.incident) if self._beside else None
            outcome = self._switch(self._deadline, latch, beside)
            self._tell(outcome)
            self._counted = outcome.counted
            if outcome.counted:
                self._read_default()
                self._after_the_kill(outcome.kept)
            self._close()
        except ServerError as error:
            # What was switched before stays switched and must be reported.
            self.result.setdefault("changed_count", self._switched)
            self.result["changed"] = self.result["changed_count"] > 0
            return error
        finally:
            self._watcher.close()
            self._place.warnings += self._watcher.warnings
        how = Ended(self._counted, self._by_default, outcome.after.unreadable, outcome.after.unreadable_sample)
        if self._enabled:
            how = replace(how, off=outcome.after.total - outcome.after.on - outcome.after.unreadable)
        return error_of(self._place, self._request, self.result, how)

    def _switch(
        self,
        deadline: Deadline,
        latch: Callable[[], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Outcome:
        """Switch the default of all tenants, if it is meant, and the tenants' own rows; return what came of these."""
        main = self._place.target
        patience = Patience(
            self._place.session,
            self._watcher,
            deadline,
            terminate=self._request.on_blocked == "terminate",
            passage={PASSAGE: self.incident} if self._enabled else None,
            meanwhile=meanwhile,
        )
        others = self._place.others
        # Where several are meant no latch is raised: it would guard one of them.
        tables = [self._of_table(patience, deadline, Other(main, self._place.tenants), None if others else latch)]
        tables += [self._of_table(patience, deadline, other) for other in others]
        try:
            if others:
                switch_each([table.switcher for table in tables], deadline)
            else:
                tables[0].switcher.run()
        finally:
            self._default = joined([table.default for table in tables])
            outcome = joined([table.switcher.outcome for table in tables])
            self._switched += outcome.switched + self._default.switched
            self._held = {table.name: [set(one.blocked) for one in table.outcomes] for table in tables}
            self._late = sum(len(one.late) for table in tables for one in table.outcomes)
            self._tell_tables(tables)
        return outcome

    def _of_table(
        self, patience: Patience, deadline: Deadline, meant: Other, latch: Callable[[], None] | None = None
    ) -> _OfTable:
        target = meant.target
        found = _OfTable(str(target.table), keeper_for(self._place, self._request, target, self._joined))
        own, of_default = self._held.get(found.name, [set(), set()])
        default = None
        if target.key and self._request.global_default:
            of_all = as_global_default(target)
            found.default_keeper = keeper_for(self._place, self._request, of_all, self._joined)
            default = Switcher(
                patience, rows_of(of_all), found.default_keeper, deadline, enabled=self._enabled, awaited=of_default
            )
            found.default = default.outcome
        found.switcher = Switcher(
            patience,
            rows_of(target),
            found.keeper,
            deadline,
            table=target.table,
            tenants=meant.tenants,
            enabled=self._enabled,
            latch=latch,
            default=default,
            awaited=own,
        )
        return found

    def _tell_tables(self, tables: Sequence[_OfTable]) -> None:
        """Say what became of each table's priors, and, of several tables, of each one's tenants."""
        for table in tables:
            # The first table's priors stand in the result itself.
            told = self.result if table is tables[0] else self._same_name.setdefault(table.name, {"table": table.name})
            self._tell_priors(told, "priors", table.keeper, table.switcher.outcome)
            if table.default_keeper:
                self._tell_priors(told, "priors_of_default", table.default_keeper, table.default)
            if len(tables) > 1:
                outcome = table.switcher.outcome
                of_table = self._same_name.setdefault(table.name, {"table": table.name})
                before = of_table.get("changed_count", 0)
                of_table.update(changed_count=before + outcome.switched + table.default.switched)
                of_table.update(total=outcome.after.total, enabled_after=outcome.after.on, counted=outcome.counted)
        if len(tables) > 1 or self._place.refused:
            out_of_reach = [{"table": None, "what": why.what, "todo": why.todo} for _table, why in self._place.refused]
            self.result["same_name"] = [*self._same_name.values(), *out_of_reach]

    def _tell_priors(self, told: dict[str, Any], name: str, keeper: Keeper, outcome: Outcome) -> None:
        self._place.warnings += keeper.warnings
        if keeper.kept_in != "nothing yet" or name not in told:
            told[name] = keeper.as_result(outcome.switched > 0, told.get(name, {}).get("unsaved", []))

    def _read_default(self) -> None:
        self.result["global_default"] = None
        if self._place.target.key:
            with self._place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                self.result["global_default"] = global_default(cursor, *self._place.meant)

    def _tell(self, outcome: Outcome) -> None:
        switched = outcome.switched + self._default.switched
        self.result.update(changed_count=switched, contained_ms=self._deadline.elapsed_ms)
        if not outcome.counted:
            self._tell_table_blocked(outcome)
            return
        # Whoever has no row was switched with the default.
        without_row = outcome.after.without_row or 0
        followed = 0 if self._place.target.flag.absent_is_on or not self._default.switched else without_row
        of_these = outcome.switched + followed
        self.result.update(
            total=outcome.after.total,
            enabled_before=outcome.after.on - of_these if self._enabled else outcome.after.on + of_these,
            enabled_after=outcome.after.on,
            without_row=outcome.after.without_row,
            unreadable=outcome.after.unreadable_sample,
            unreadable_count=outcome.after.unreadable,
            reconnects=outcome.reconnects,
        )
        self._by_default = outcome.after.by_default
        self._tell_blocked(outcome)

    def _tell_table_blocked(self, outcome: Outcome) -> None:
        rows = [{"tenant": None, **blocker.as_result()} for blocker in outcome.table_blockers]
        shown(self.result, "blocked", rows)
        terminated = [*self.result.get("terminated", []), *[blocker.as_result() for blocker in outcome.terminated]]
        shown(self.result, "terminated", terminated)

    def _tell_blocked(self, outcome: Outcome) -> None:
        default = [{**row, "tenant": None, "default_of_all": True} for row in blocked_rows(self._default)]
        shown(self.result, "blocked", [*default, *blocked_rows(outcome)])
        terminated = [*self.result.get("terminated", []), *[blocker.as_result() for blocker in outcome.terminated]]
        shown(self.result, "terminated", terminated)

    def _raise_latch(self, wait: float) -> None:
        """Raise the latch unless others keep it from the table for ``wait`` seconds, so that who is off stays off."""
        try:
            if self._place.others:
                self._latch = Latch(False, "it would guard one of several tables of this name, and none is named yet")
            elif self._joined:
                self._latch = raise_latch(self._place.session(), self._place.target, self.incident, wait)
            else:
                self._latch = standing_latch(self._place.session(), self._place.target)
        except ServerError as error:
            # No new connection could be made, which the kill says by itself if it lasts.
            self._latch = Latch(False, error.what)

    def _after_the_kill(self, kept: bool) -> None:
        """Keep the flag off: latch first, so that the sweep need not race with writes that the latch turns back.

        :param kept: whether nobody is on whom the latch could turn off without a prior value.
        """
        if self._enabled:
            return
        wait = self._request.latch_wait if self._request.latch else 0
        if kept and wait and not self._latch.raised:
            self._raise_latch(wait)
        if self._request.settle:
            settled = settle(self._place.session(), partial(self._sweep, wait), Deadline(self._request.settle))
            self.result["sweep"] = settled.as_result()
            self._read_default()
        if self._request.latch:
            self.result["latch"] = self._latch.as_result()
            if wait and not self._latch.raised:
                self._place.warnings.append(f"The latch is not up: {self._latch.reason}")

    def _sweep(self, latch_wait: float) -> int:
        """Switch again; return how many had been switched before. Who was held is switched late, and not again."""
        latch = partial(self._raise_latch, latch_wait) if latch_wait and not self._latch.raised else None
        outcome = self._switch(Deadline(SWEEP_SECONDS), latch)
        switched = outcome.switched + self._default.switched
        self.result["changed_count"] += switched
        self._counted = outcome.counted
        if not outcome.counted:
            # Nobody knows how many are on: what was counted before stands, and is not the last word.
            self._tell_table_blocked(outcome)
            return switched - self._late
        self.result["enabled_after"] = outcome.after.on
        self.result["without_row"], self._by_default = outcome.after.without_row, outcome.after.by_default
        self._tell_blocked(outcome)
        return switched - self._late

    def _close(self) -> None:
        """Write the event and read what else the reader wants to know; nothing here can undo what was done."""
        self.result["changed"] = self.result["changed_count"] > 0
        try:
            # A kill is recorded even if nothing was left to switch: an undo of an earlier one must see it.
            is_kill = not self._enabled and not self._request.settle and not self._request.killed_on
            with self._place.session().transaction(ledger.LEDGER_SECONDS) as cursor:
                self.result["position"] = position_of(cursor)
                if self._joined and (is_kill or self.result["changed"] or self._joined.opened_now):
                    self._add_event(cursor)
            if self._joined and is_kill and not self.result["changed"]:
                with self._place.session().transaction(_ASK_SECONDS, mode="READ ONLY") as cursor:
                    ago = ledger.switched_ago(cursor, self.incident, self._place.target.identity)
                    self._switched_ago = None if ago is None else round(ago, 3)
        except ServerError as error:
            self._place.warnings.append(f"The ledger's events could not be written or read: {error.what}")
        if (self._request.settle or self._request.killed_on) and not self._enabled and "position" in self.result:
            known_as = self._joined.incident_id if self._joined else None
            told = look_after(
                self._place, self._request, self.result["position"], known_as, self.result["priors"]["kept_in"]
            )
            self.result.update(told)

    def _add_event(self, cursor: Cursor) -> None:
        counts = ("total", "enabled_before", "enabled_after", "changed_count", "blocked_count", "without_row")
        data: dict[str, Any] = {name: self.result.get(name) for name in (*counts, "contained_ms")}
        data.update(self.result["position"], flag=self._place.target.identity)
        data["operator"] = self._request.who.operator
        data["reason"] = self._request.who.reason
        for priors in priors_of(self.result):
            if priors.get("kept_in") in ("file", "result"):
                # An undo that does not find them has to say where they are.
                data.setdefault("priors", {"kept_in": priors["kept_in"], "path": priors["path"]})
        phase, event = "re-enable" if self._enabled else "contain", self._request.state
        if self._request.withdrawn:
            # Not a kill: a run that waits for somebody else's kill must not mistake a stage's own end for it.
            phase, event = "re-enable", "withdrawn"
            data.update(share=self._request.share, share_above=self._request.share_above)
        ledger.add_event(cursor, self.incident, self._request.who.run_id, phase, "feature_flag", event, data)

    def incident_result(self) -> dict[str, Any]:
        """Return the module's ``incident`` result: the one that this run belongs to, and those open before."""
        found = incident_result(self.incident, self._request.who.incident_id, self._joined)
        return {**found, "switched_seconds_ago": self._switched_ago}
