# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``pg_restore_tables`` does, from a login and a request to a result.

As a repair, it is one REPEATABLE READ transaction: the backup's rows are taken into temporary tables of it, compared
with what is there at its one moment, and written where that was approved. Nothing of a backup is run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import checks_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairentry import where_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairfence import Passage, look_at_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Look, Request, Work
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import (
    Repair,
    hash_error,
    refusal,
    refusals,
    refused_error,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import BRINGS_BACK, lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrun import carry_out
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairundoentry import undo_repairs, without_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorecompare import compare, plan_changed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreload import Clock, load, look_at_space
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import (
    asked_from,
    late_error,
    no_order,
    other_database,
    parents_first,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import (
    Source,
    format_of,
    open_dump,
    open_file,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed, find_backed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

SOURCE = "pg_restore_tables"


@dataclass(frozen=True)
class RestoreRequest(Request):
    """What is asked for; the fields are the options of ``pg_restore_tables``."""

    tables: Sequence[Any] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    changed: str = "report"
    deleted: str = "report"
    skip_conflicts: bool = False
    corrupt_since: str | None = None
    allow_late: bool = False
    bin_dir: str | None = None

    @property
    def inserted(self) -> list[str]:
        """Kinds of rows that come back."""
        return ["missing", *(["deleted"] if self.deleted == "restore" else [])]

    @property
    def kinds(self) -> list[str]:
        """The same with those that get their old values back."""
        return [*self.inserted, *(["changed"] if self.changed == "restore" else [])]

    def essence(self) -> dict[str, Any]:
        """Return what the plan's hash is made of, besides rows. Not the source: the same rows are the same plan."""
        names = ("tables", "changed", "deleted", "skip_conflicts", "checks")
        return {name: getattr(self, name) for name in names}


def restore_tables(
    login: Login, request: RestoreRequest, check_mode: bool
) -> tuple[dict[str, Any], KanbanError | None]:
    """Do what was asked for; return the result and the error that it ends with. Raises KanbanError."""

    def restore(work: Work, only_look: bool) -> None:
        Restore(work, request, login).run(only_look)

    return carry_out(login, request, check_mode, SOURCE, restore if request.state == "restored" else undo_repairs)


@dataclass
class Restore:
    """One restore: what is compared, and what the plan is."""

    work: Work
    request: RestoreRequest
    login: Login
    tables: list[Backed] = field(default_factory=list)
    timings: dict[str, int] = field(default_factory=dict)

    def run(self, only_look: bool) -> None:
        """Compare, and apply what was approved; raises KanbanError."""
        work, request = self.work, self.request
        asked = asked_from(request.tables)
        checks = checks_from(request.checks) if request.checks else []
        with work.transaction() as cursor:
            source = self._open(cursor)
            planner = Planner(cursor, work.deadline, request.limit_samples)
            plan = planner.make(checks, {check.name: Repair() for check in checks})
            self._took("checks")
            tables = [find_backed(cursor, number, one) for number, one in enumerate(asked)]
            self.tables, waiting = _ordered(cursor, tables)
            space = look_at_space(cursor, self.login, source, self.tables)
            load(cursor, source, self.tables, Clock(work.deadline, planner.in_time, planner.not_over))
            self._took("load")
            self._refuse_source(source)
            reasons = compare(cursor, self.tables, request.kinds, request.limit_samples, planner.in_time)
            if "changed" in request.kinds:
                for table in self.tables:
                    plan_changed(cursor, table)
            planner.look()
            self._took("compare")
            self._plan(cursor, planner, reasons, waiting)
            plan_hash = plan.hash([request.essence()], where_of(cursor, work))
            passage = self._judge(cursor, planner)
            work.result = {
                "plan": self._shown(planner),
                "plan_hash": plan_hash,
                "fenced": passage.fenced,
                "source": {**source.about.as_result(), **space},
                "timings": self.timings,
                "warnings": self._warnings(planner, passage, source, space),
                "diff": {"before": self._figures(), "after": self._figures(planned=True)},
            }
            work.result.update(restored=0, repair_id=None, quarantined=0, sequences=[], superseded=[])
            unknown = [reason for reason in plan.refused if reason["code"] == "not_known"]
            if only_look or (not plan.total and not unknown):
                work.result["changed"] = bool(plan.total) and only_look
                raise Look
            if plan.refused:
                work.error = refused_error(plan.refused)
                raise Look
            if request.plan_hash != plan_hash:
                work.error = hash_error(request.plan_hash, plan_hash)
                raise Look
            work.error = _not_yet()
            raise Look

    def _took(self, step: str) -> None:
        self.timings[step] = self.work.deadline.elapsed_ms - sum(self.timings.values())

    def _open(self, cursor: Cursor) -> Source:
        path, session = Path(self.request.source["path"]), self.work.session
        encoding = python_encoding(cursor.row(recoverypoint.MOMENT, {})[3])
        kind = self.request.source["kind"]
        program = ""
        if kind == "dump" or format_of(path) not in ("plain", "gzip"):
            major = session.server_version // 10000
            program = find_programs(self.request.bin_dir, major, self.work.facts.server.version).path("pg_restore")
        source: Source = open_dump(path, program, encoding) if kind == "dump" else open_file(path, program, encoding)
        # A script tells who it is only when it has been read.
        if source.about.taken_at or source.about.database:
            self._refuse_source(source)
        return source

    def _refuse_source(self, source: Source) -> None:
        server = self.work.facts.server
        late = None if self.request.allow_late else late_error(source.about, self.request.corrupt_since)
        for error in (other_database(source.about, server.database, server.cluster), late):
            if error:
                raise error

    def _plan(
        self, cursor: Cursor, planner: Planner, reasons: Sequence[dict[str, Any]], waiting: Sequence[dict[str, Any]]
    ) -> None:
        plan, inserted = planner.plan, self.request.inserted
        plan.refused += reasons
        coming = {str(table) for table in self.tables if table.compared.count(*inserted)}
        plan.refused += [
            reason for reason in waiting if reason.pop("child") in coming and reason.pop("parent") in coming
        ]
        for table in self.tables:
            plan.parts += table.compared.parts(inserted)
            plan.rows_of[str(table)] = max(table.compared.rows_now, table.compared.rows_in_backup)
            if str(table) in coming:
                missing, grant = lacking(cursor, table.oid, BRINGS_BACK)
                if missing:
                    what = f"This role lacks {' and '.join(missing)} on {table}: {grant}"
                    plan.refused.append(refusal("missing_privilege", what, table=str(table), missing=missing))
        oids = [table.oid for table in self.tables if str(table) in coming]
        fired = [row[0] for row in cursor.rows(queries.TRIGGERS, {"tables": oids})] if oids else []
        plan.triggers = list(dict.fromkeys([*fired, *plan.triggers]))

    def _judge(self, cursor: Cursor, planner: Planner) -> Passage:
        work, request, plan = self.work, self.request, planner.plan
        reasons = refusals(plan, request.max_rows, request.max_fraction)
        passage = look_at_fence(cursor, self._scopes(planner), work.names or [request.who.incident_id])
        if not request.allow_unfenced:
            reasons += passage.reasons
        if work.incident is None:
            reasons.append(refusal("no_open_incident", f"No incident {request.who.incident_id!r} is open."))
        plan.refused = reasons if plan.total or not plan.refused else plan.refused
        return passage

    def _scopes(self, planner: Planner) -> dict[str, Scope]:
        """Return what others are to be kept from: to take away again what comes back, and to write what is written."""
        changed = {table.oid: table.columns for table in planner.touched}
        found = {}
        for table in self.tables:
            operations = ["DELETE"] if table.compared.count(*self.request.inserted) else []
            operations += ["UPDATE"] if table.oid in changed else []
            if operations:
                found[str(table)] = Scope(tuple(operations), tuple(changed.get(table.oid, ())))
        return found

    def _shown(self, planner: Planner) -> dict[str, Any]:
        told = planner.plan.as_result()
        names = ("checks", "parts", "total_rows", "fraction", "estimate_seconds", "triggers", "refused")
        shares = {row["table"]: row for row in told["tables"]}
        tables = []
        for table in self.tables:
            share = shares.get(str(table), {"touched": 0, "fraction": 0.0})
            tables.append({**table.compared.as_result(), "touched": share["touched"], "fraction": share["fraction"]})
        return {**{name: told[name] for name in names}, "tables": tables}

    def _warnings(
        self, planner: Planner, passage: Passage, source: Source, space: Mapping[str, int | None]
    ) -> list[str]:
        found = []
        if self.request.allow_unfenced and passage.reasons:
            found.append(without_fence(passage.reasons))
        if planner.plan.triggers:
            found.append(f"Triggers of the application fire: {', '.join(planner.plan.triggers)}.")
        if space["free_bytes"] is None:
            found.append("How much space the server has for temporary tables is not known from here.")
        for table in self.tables:
            if table.compared.dropped:
                found.append(f"{table} has no {', '.join(table.compared.dropped)} any more: that stays in the backup.")
            if table.compared.added:
                found.append(
                    f"The backup does not have {', '.join(table.compared.added)} of {table} yet: rows that come back "
                    "take the default, others keep what they have."
                )
        if source.about.database is None:
            found.append("The backup does not say of which database it is; only its tables' names were compared.")
        return found

    def _figures(self, planned: bool = False) -> str:
        lines = []
        for table in self.tables:
            compared = table.compared
            told = [f"{kind} {compared.count(kind)}" for kind in ("missing", "changed", "deleted", "newer")]
            if planned:
                told = [
                    f"{kind} {0 if kind in self.request.kinds else compared.count(kind)}"
                    for kind in ("missing", "changed", "deleted", "newer")
                ]
            lines.append(f"{table}: {', '.join(told)}")
        return "\n".join(lines) + "\n"


def _ordered(cursor: Cursor, tables: Sequence[Backed]) -> tuple[list[Backed], list[dict[str, Any]]]:
    """Return tables, those that are referred to first, and what to say of circles that cannot wait for the end."""
    by_oid = {table.oid: table for table in tables}
    keys = cursor.rows(queries.AMONG, {"tables": list(by_oid)})
    order, left = parents_first(list(by_oid), {(child, parent) for _name, child, parent, _waits in keys})
    reasons = []
    for name, child, parent, waits in keys:
        if (child, parent) in left and not waits:
            reasons.append({**no_order([name]), "child": str(by_oid[child]), "parent": str(by_oid[parent])})
    return [by_oid[oid] for oid in order], reasons


def _not_yet() -> KanbanError:
    return KanbanError(
        "not_yet",
        "This version compares, and brings nothing back.",
        "Nothing was changed.",
        "Run it in check mode.",
    )
