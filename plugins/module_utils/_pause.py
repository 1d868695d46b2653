# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pausing a roll-out: the latch is raised and nobody is switched, so those on stay on and nobody else gets it."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._beforehand import incident_result, open_incident
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import (
    Latch,
    latch_holder,
    latch_is_up,
    raise_latch,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place, Request, count, global_default
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS


class Pause:
    """One pause of one flag in one database; ``result`` is the module's."""

    def __init__(self, place: Place, request: Request) -> None:
        """Raise BadInput for a pause of some tenants: there is one latch per flag, for all of them."""
        if request.tenants is not None:
            raise BadInput(
                "pause_of_some",
                "tenants is given, and a roll-out is paused for all tenants or not at all.",
                "Nobody but those named would be thought to be paused. Nothing was changed.",
                "Leave tenants out; to keep some tenants off, say state: disabled for them.",
            )
        self._place = place
        self._request = request
        self.incident = request.who.incident_id
        self._joined: ledger.Joined | None = None
        self.result: dict[str, Any] = {}

    def run(self, check_mode: bool) -> KanbanError | None:
        """Raise the latch, then count; return the error that the module ends with, if any."""
        if check_mode:
            self._plan()
            return None
        self._joined = open_incident(self._place, self._request)
        latch, changed = Latch(False, "it needs the ledger, which could not be used"), False
        if self._joined:
            self.incident = self._joined.incident_id
            before = self._before(self.incident)
            latch = raise_latch(self._place.session(), self._place.target, self.incident)
            changed = latch.raised and not before["ours"]
            if latch.raised and before["holder"] not in (None, self.incident):
                self._place.warnings.append(
                    f"The latch was up for incident {before['holder']} and is {self.incident}'s now: undo or close "
                    f"{self.incident} before the undo of {before['holder']}."
                )
        self.result["latch"] = latch.as_result()
        self._count()
        self.result["changed"] = changed
        if changed:
            self._tell_ledger()
        return None if latch.raised else self._not_paused(latch.reason)

    def _plan(self) -> None:
        self._count()
        before = self._before(self._known_as())
        self.result["changed"] = not before["ours"]
        self.result["diff"] = {"before": {"latch_of": before["holder"]}, "after": {"latch_of": self.incident}}

    def _known_as(self) -> str:
        """Return the incident that this one would join; a plan opens none."""
        if not self._place.ledger_state.usable:
            return self.incident
        with self._place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
            self.incident = ledger.foresee_incident(cursor, self._request.who, self._request.adopt).incident_id
        return self.incident

    def _before(self, incident_id: str) -> dict[str, Any]:
        if not (self._place.ledger_state.usable or self._joined):
            return {"holder": None, "ours": False}
        with self._place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
            holder = latch_holder(cursor, self._place.target)[0]
            return {"holder": holder, "ours": latch_is_up(cursor, self._place.target, incident_id)}

    def _count(self) -> None:
        """Count after the latch is up: tenants switched on until then are among those that stay on."""
        with self._place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            now = count(cursor, self._place)
            default = global_default(cursor, self._place.target)
        self.result.update(
            total=now.total,
            enabled_before=now.on,
            enabled_after=now.on,
            changed_count=0,
            unreadable=now.unreadable_sample,
            unreadable_count=now.unreadable,
            global_default=default,
        )

    def _tell_ledger(self) -> None:
        who = self._request.who
        data: dict[str, Any] = {name: self.result[name] for name in ("total", "enabled_after")}
        data.update(flag=self._place.target.identity, operator=who.operator, reason=who.reason)
        try:
            with self._place.session().transaction(ledger.LEDGER_SECONDS) as cursor:
                # Not "disabled": an undo of a kill asks whether there was another kill since, and this is not one.
                ledger.add_event(cursor, self.incident, who.run_id, "contain", "feature_flag", "paused", data)
        except ServerError as error:
            self._place.warnings.append(f"The pause could not be written to the ledger's events: {error.what}")

    def incident_result(self) -> dict[str, Any]:
        """Return the module's ``incident`` result."""
        return incident_result(self.incident, self._request.who.incident_id, self._joined)

    def _not_paused(self, reason: str | None) -> KanbanError:
        return KanbanError(
            "not_paused",
            f"The latch on {self._place.target.table} is not up: {reason}",
            "The roll-out is not paused: tenants that are off can still be switched on. Nobody was switched.",
            "Mend that and run the same command again; bootstrap.yml installs ledger and latch ahead of time, and then "
            "no lock on the table is needed on the day.",
        )
