# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a flag's prior values: from a request to a result, and to the error that it ends with, if any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper, take_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import latch_holder, lower_latches
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerclosing import switched_off
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgernames import kept_since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import (
    Place,
    Request,
    count,
    global_default,
    rows_of,
    shown,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import PASSAGE, READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    PriorFile,
    directories,
    file_name,
    find_files,
    in_hand,
    retire,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restore import PriorSource, Undone, put_back
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import WHOLE, stage_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._undokept import read_kept

# Base types whose values sort differently from their text.
NUMBERS = ("int2", "int4", "int8", "numeric")


class Restore:
    """One undo of one flag in one table; ``place`` is where."""

    def __init__(self, place: Place, request: Request) -> None:
        self.place = place
        self._request = request
        self._deadline = Deadline(request.deadline)
        self.result: dict[str, Any] = {}
        self._stopped: KanbanError | None = None
        self._unlowered: KanbanError | None = None
        self._elsewhere: KanbanError | None = None
        self.incident = request.who.incident_id
        self._in_ledger = False
        # By each name of the incident: since when a file of it is about this incident. A run without a ledger knew one.
        self._names = {self.incident: 0.0}
        without = f"{place.ledger_state.why_none}; only what files on this host kept is put back."
        if place.ledger_state.reason and without not in place.warnings:
            place.warnings.append(without)
        if place.ledger_state.usable:
            with place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
                found = ledger.find_incident(cursor, request.who.incident_id)
                if found:
                    names = [name for row in ledger.list_incidents(cursor, found) for name in ids_of(row)]
                    self._names = {name: kept_since(cursor, name, found) for name in (self.incident, *names)}
                    self.incident, self._in_ledger = found, True

    def narrow_to_stage(self) -> dict[str, int]:
        """Restrict the undo to the tenants of the requested stage; return its figures. Raises BadInput."""
        target, request = self.place.target, self._request
        sources = self._sources(target)
        if not sources:
            raise self._unknown_incident()
        with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            had_it = {tenant for source, _file in sources for tenant in source.had_it(cursor)}
        numbers = target.tenant.kind in NUMBERS
        stage = stage_of(had_it, request.share or WHOLE, request.share_above, request.share_first, numbers)
        self.place.tenants = stage.tenants
        return stage.as_result()

    def plan(self) -> dict[str, Any]:
        """Return what the undo would do; changes nothing."""
        total = 0
        with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            now = count(cursor, self.place)
            for target in self._targets():
                for source, _file in self._sources(target):
                    total += sum(len(batch) for batch in source.batches(cursor, self._asked(target)))
            known = {"switched_off": switched_off(cursor, self.incident)} if self._in_ledger else {}
        return {
            **known,
            "changed": total > 0,
            "total": now.total,
            "enabled_before": now.on,
            "enabled_after": now.on,
            "changed_count": total,
            "diff": {"before": {"tenants_to_restore": total}, "after": {"tenants_to_restore": 0}},
        }

    def run(self) -> KanbanError | None:
        """Put back, count, lower the latch if nothing is left to keep off; return the error to end with, if any."""
        with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            before = count(cursor, self.place)
        self._refuse_other_latch()
        undone, targets = Undone(), self._targets()
        for target in targets:
            self._take_over_file(target)
        # Before priors are read: what is switched off from now on is somebody else's stop.
        if self._in_ledger:
            with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                self.result["switched_off"] = switched_off(cursor, self.incident)
                kept = read_kept(cursor, self.incident, self.result["switched_off"])
            if kept and not any(self._files(target) for target in targets):
                kept.refuse_other_flag(self.incident, [target.identity for target in targets])
                # A stage is a part of what there is; the last one, and an undo of everybody, are to have all of it.
                self._elsewhere = kept.error() if self._whole else None
        try:
            for target in targets:
                self._put_back(target, undone)
        except ServerError as error:
            if not undone.restored and not undone.already:
                raise
            self._stopped = error  # What was put back before it stays so, and is reported.
        self.result.update(changed=undone.restored > 0, changed_count=undone.restored, already_count=undone.already)
        shown(self.result, "changed_since", sorted(undone.changed_since, key=str))
        shown(self.result, "missing", sorted(undone.gone, key=str))
        # The row without a tenant is None.
        held, refused = sorted(undone.held, key=str), sorted(undone.refused.items(), key=str)
        blocked: list[dict[str, Any]] = [{"tenant": tenant, "pid": None, "refused": why} for tenant, why in refused]
        shown(self.result, "blocked", blocked + [{"tenant": tenant, "pid": None} for tenant in held])
        try:
            with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                after = count(cursor, self.place)
                if self._whole and self.place.target.key:
                    everybody = self.place.rows.count(cursor, Scope())
                    self.result["without_row"] = everybody.without_row
                    self.result["global_default"] = global_default(cursor, self.place.target)
        except ServerError as error:
            return self._stopped or error
        self.result.update(total=after.total, enabled_before=before.on, enabled_after=after.on)
        self._afterwards(undone)
        return self._verdict(undone)

    def _refuse_other_latch(self) -> None:
        """Refuse if the latch of another incident would turn every row back; raises BadInput or ServerError."""
        if not self.place.ledger_state.usable:
            return
        with self.place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
            holder, may_pass, owner, grant = latch_holder(cursor, self.place.target)
        if holder and not may_pass and grant:
            raise ServerError(
                "missing_privilege",
                f"The latch of incident {holder} keeps this flag off, and this role may not call what raises it.",
                f"Only whoever may is let past it: undoing {self.incident} would be turned back. Nothing was changed.",
                f"Grant it: {grant} (bootstrap.yml does), or use another role.",
            )
        if holder and not may_pass:
            raise BadInput(
                "latch_of_another_role",
                f"The latch that keeps this flag off belongs to role {owner}, and this role is no member of it.",
                f"Undoing {self.incident} would be turned back row by row. Nothing was changed.",
                f"Run it as {owner}, or as a member of that role.",
            )
        if holder and holder != self.incident:
            raise BadInput(
                "other_latch",
                f"The latch of incident {holder} keeps this flag off.",
                f"Undoing {self.incident} would be turned back row by row. Nothing was changed.",
                f"Undo or close {holder} first.",
            )

    def _targets(self) -> list[Target]:
        main = self.place.target
        # The default of all tenants goes with the last stage, because tenants without a row of their own follow it.
        return [main, as_global_default(main)] if main.key and self._whole else [main]

    @property
    def _whole(self) -> bool:
        return self._request.tenants is None and self._request.share in (None, WHOLE)

    def _asked(self, target: Target) -> list[str] | None:
        return None if target.global_default else self.place.tenants

    def _file_of(self, target: Target, incident_id: str | None = None) -> PriorFile:
        name = file_name(incident_id or self._request.who.incident_id, self.place.server.cluster, target.identity)
        return PriorFile(name, directories(self._request.state_dir))

    def _files(self, target: Target) -> list[PriorFile]:
        """Return the files of this incident under each of its names: a run without a ledger knew only one of them."""
        found = []
        for name, since in self._names.items():
            file = self._file_of(target, name)
            found += [PriorFile(file.name, file.places, path) for path in find_files(file.name, file.places, since)]
        return found

    @property
    def has_priors(self) -> bool:
        """Whether the incident switched off anything in this table."""
        with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            sources = [source for target in self._targets() for source, _file in self._sources(target)]
            return any(True for source in sources for _tenant in source.had_it(cursor))

    def leaves_off(self, table: Table) -> bool:
        """Tell whether the ledger has prior values of another table that are yet to be put back."""
        if not self._in_ledger:
            return False
        with self.place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            kept = read_kept(cursor, self.incident, 0)
            flags = [flag for flag in kept.flags if flag.startswith(f"{table}.")] if kept else []
            sources = [PriorSource.ledger(self.incident, flag) for flag in flags]
            return any(batch for source in sources for batch in source.batches(cursor, None))

    def _sources(self, target: Target) -> list[tuple[PriorSource, PriorFile]]:
        """Return where priors are read from; what spends them is written to the same place."""
        in_ledger = PriorSource.ledger(self.incident, target.identity)
        sources = [(in_ledger, self._file_of(target))] if self._in_ledger else []
        sources += [(PriorSource.file(file.path), file) for file in self._files(target) if file.path]
        return [(replace(source, spent=self._request.spent), file) for source, file in sources]

    def _take_over_file(self, target: Target) -> None:
        """Move what a file kept into the ledger, once there is one, so that there is one place to ask."""
        if not self.place.ledger_state.usable:
            return
        for path in [file.path for file in self._files(target) if file.path]:
            try:
                with in_hand(path):
                    with self.place.session().transaction(READ_SECONDS) as cursor:
                        if not self._in_ledger:
                            self.incident = ledger.join_incident(cursor, self._request.who, adopt=False).incident_id
                        take_over(cursor, path, self.incident, self._request.who.run_id, target.identity)
                    self._in_ledger = True
                    retire(path)
            except (ServerError, OSError) as error:
                why = error.what if isinstance(error, ServerError) else error
                self.place.warnings.append(f"{path} stays a source of priors, the ledger did not take it over: {why}")

    def _put_back(self, target: Target, undone: Undone) -> None:
        sources = self._sources(target)
        if not sources and not target.global_default:
            raise self._unknown_incident()
        for source, file in sources:
            in_ledger = self._in_ledger and file.path is None
            keeper = Keeper(self.incident, self._request.who.run_id, target.identity, file, in_ledger)
            try:
                put_back(
                    self.place.connect,
                    rows_of(target),
                    source,
                    keeper,
                    self._deadline,
                    self._asked(target),
                    {PASSAGE: self.incident},
                    undone,
                )
            finally:
                self.place.warnings += keeper.warnings

    def _unknown_incident(self) -> BadInput:
        known: list[str] = []
        if self.place.ledger_state.usable:
            with self.place.session().transaction(ledger.LEDGER_SECONDS, mode="READ ONLY") as cursor:
                known = [row["incident_id"] for row in ledger.list_incidents(cursor, limit=10)]
        return BadInput(
            "unknown_incident",
            f"Nothing is recorded under incident {self._request.who.incident_id!r} in this database.",
            "Without its prior values nobody can tell who had the flag. Nothing was changed.",
            f"The newest incidents here are {known}."
            if known
            else f"{self.place.ledger_state.why_none}, and no file of prior values that this user can read.",
            known_incidents=known,
        )

    def _afterwards(self, undone: Undone) -> None:
        left = undone.held or undone.refused or self._stopped or self._elsewhere
        whole = self._request.tenants is None and self._request.share is None and not left
        try:
            if whole and self._in_ledger:
                self.result["latch_left"] = lower_latches(self.place.session(), self.place.target)
        except ServerError as error:
            self._unlowered = KanbanError(
                error.code,
                f"The prior values are back, but the latch could not be lowered: {error.what}",
                "It goes on to turn back whoever the application switches on.",
                error.todo,
            )
        try:
            if self._in_ledger and (undone.restored or undone.already):
                with self.place.session().transaction(ledger.LEDGER_SECONDS) as cursor:
                    names = ("changed_count", "already_count", "changed_since_count", "missing_count", "enabled_after")
                    data = {name: self.result[name] for name in names}
                    data.update(flag=self.place.target.identity, operator=self._request.who.operator)
                    if self._request.share is not None:
                        data.update(share=self._request.share, share_above=self._request.share_above)
                    ledger.add_event(
                        cursor, self.incident, self._request.who.run_id, "re-enable", "feature_flag", "restored", data
                    )
        except ServerError as error:
            self.place.warnings.append(f"After the undo its event could not be written: {error.what}")

    def incident_result(self) -> dict[str, Any]:
        """Return the module's ``incident`` result."""
        return {
            "incident_id": self.incident,
            "requested": self._request.who.incident_id,
            "opened_now": False,
            "in_ledger": self._in_ledger,
            "open_before": [],
        }

    def _verdict(self, undone: Undone) -> KanbanError | None:
        held, refused = sorted(undone.held, key=str), sorted(undone.refused.items(), key=str)
        if self._stopped or not (held or refused):
            return self._stopped or self._unlowered or self._elsewhere
        what, why, todo = [], [], ["Run the same command again: it goes on with these."]
        if refused:
            named = "; ".join(f"{tenant}: {reason.rstrip('.')}" for tenant, reason in refused[:5])
            what.append(f"{len(refused)} tenants could not be put back, because the server refuses it ({named}).")
            why.append("A constraint or a trigger of the application does not let them have it.")
            todo.insert(0, "Mend that rule, or the row.")
        if held:
            what.append(f"{len(held)} tenants could not be put back within {self._request.deadline:g} s: {held[:5]}.")
            why.append("Somebody holds their rows, or there was too little time.")
        why.append("All others are as they were before the incident.")
        return KanbanError("still_off", " ".join(what), " ".join(why), " ".join(todo))
