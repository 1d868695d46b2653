# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``pg_restore_tables`` does, from a login and a request to a result.

Like a repair, it is one REPEATABLE READ transaction: the backup's rows are loaded into its temporary tables, compared
with what its snapshot shows, and written if that was approved. Nothing from a backup is executed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import find_programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import python_encoding
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import Scope
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, checks_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import lacking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairapply import (
    add_repair,
    ensure_nothing_before,
    ensure_quarantine,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairentry import where_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairfence import Passage, look_at_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import Look, Work
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import (
    Repair,
    hash_error,
    refusal,
    refusals,
    refused_error,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplanner import Planner
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import BRINGS_BACK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrun import carry_out
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairundoentry import undo_repairs, without_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreapply import BringBack
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorecompare import compare, plan_changed
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreload import Clock, load, look_at_space
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import (
    asked_from,
    late_error,
    other_database,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorepoint import point_in_time
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorerequest import RestoreRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresequences import put_right
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import (
    Source,
    format_of,
    open_dump,
    open_file,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretable import Backed, find_backed, in_order
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorewords import (
    figures_text,
    shown,
    warnings_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import recoverypoint
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import restore as queries

SOURCE = "pg_restore_tables"


def restore_tables(
    login: Login, request: RestoreRequest, check_mode: bool
) -> tuple[dict[str, Any], KanbanError | None]:
    """Do what was requested; return the result and the error that it ends with. Raises KanbanError."""

    def restore(work: Work, only_look: bool) -> None:
        with ExitStack() as scratch:
            Restore(work, request, login, scratch).run(only_look)

    return carry_out(login, request, check_mode, SOURCE, restore if request.state == "restored" else undo_repairs)


@dataclass
class Restore:
    """One restore: what is compared, and the plan. ``scratch`` has what is needed only until the rows are loaded."""

    work: Work
    request: RestoreRequest
    login: Login
    scratch: ExitStack
    point: Source | None = None
    tables: list[Backed] = field(default_factory=list)
    timings: dict[str, int] = field(default_factory=dict)

    def run(self, only_look: bool) -> None:
        """Compare, and apply what was approved; raises KanbanError."""
        work = self.work
        checks = checks_from(self.request.checks) if self.request.checks else []
        if self.request.source["kind"] == "pgbackrest":
            self.point = self.scratch.enter_context(point_in_time(work, self.request))
            self._took("restore")
        with work.transaction() as cursor:
            planner = Planner(cursor, work.deadline, self.request.limit_samples, work.progress)
            source, space = self._compare(cursor, planner, checks)
            passage = self._judge(cursor, planner)
            self._report(cursor, planner, passage, source, space)
            self._end_here(planner, only_look)
            ensure_quarantine(cursor)
            ensure_nothing_before(cursor)
            self._apply(cursor, planner, passage, checks)
            work.result["changed"] = True
        if work.taken_back:
            # The server also counts what was rolled back; later measurements of writes have to know about it.
            with work.transaction() as cursor:
                work.event(cursor, "rolled back", work.taken_back)

    def _compare(
        self, cursor: Cursor, planner: Planner, checks: Sequence[Check]
    ) -> tuple[Source, Mapping[str, int | None]]:
        """Count the checks, load the backup's rows, compare, and plan; return the source and the space for it."""
        work, request = self.work, self.request
        asked = asked_from(request.tables)
        source = self._open(cursor, planner.not_over)
        planner.make(checks, {check.name: Repair() for check in checks})
        self._took("checks")
        tables = [find_backed(cursor, number, one) for number, one in enumerate(asked)]
        self.tables, waiting = in_order(cursor, tables)
        space = look_at_space(cursor, self.login, source, self.tables)
        load(cursor, source, self.tables, Clock(work.deadline, planner.in_time, planner.not_over), work.progress, space)
        self.scratch.close()
        self._refuse_source(source)
        self._took("load")
        reasons = compare(planner, self.tables, request.kinds, source.about.taken_at)
        for table in self.tables if "changed" in request.kinds else ():
            plan_changed(cursor, table)
        planner.look()
        self._took("compare")
        planner.plan.seconds = work.deadline.elapsed_ms / 1000
        self._plan(cursor, planner, reasons, waiting)
        return source, space.as_result()

    def _report(
        self, cursor: Cursor, planner: Planner, passage: Passage, source: Source, space: Mapping[str, int | None]
    ) -> None:
        request, plan, result = self.request, planner.plan, self.work.result
        result.update(
            plan=shown(plan, self.tables),
            plan_hash=plan.hash([request.essence()], where_of(cursor, self.work)),
            fenced=passage.fenced,
            source={**source.about.as_result(), **space},
            timings=self.timings,
            warnings=warnings_of(plan, self.tables, source.about, space),
            diff={"before": figures_text(self.tables), "after": figures_text(self.tables, request.kinds)},
            restored=0,
            repair_id=None,
            quarantined=0,
            sequences=[],
            superseded=[],
        )
        if request.allow_unfenced and passage.reasons:
            result["warnings"].append(without_fence(passage.reasons))

    def _end_here(self, planner: Planner, only_look: bool) -> None:
        """Raise Look if nothing is to be written, or nothing may be."""
        work, plan, given = self.work, planner.plan, self.request.plan_hash
        made = work.result["plan_hash"]
        unknown = [reason for reason in plan.refused if reason["code"] == "not_known"]
        if only_look or (not plan.total and not unknown):
            work.result["changed"] = bool(plan.total) and only_look
            # Whoever approved another plan has not approved that these rows stay away.
            work.error = hash_error(given, made) if given and given != made and plan.lost and not only_look else None
            raise Look
        if plan.refused or given != made:
            work.error = refused_error(plan.refused) if plan.refused else hash_error(given, made)
            raise Look

    def _took(self, step: str) -> None:
        self.timings[step] = self.work.deadline.elapsed_ms - sum(self.timings.values())

    def _open(self, cursor: Cursor, look: Callable[[], None]) -> Source:
        if self.point:
            return self.point
        path, session = Path(self.request.source["path"]), self.work.session
        encoding = python_encoding(cursor.row(recoverypoint.MOMENT, {})[3])
        kind = self.request.source["kind"]
        ours, program = kind == "dump", ""
        if ours or format_of(path) not in ("plain", "gzip"):
            major = session.server_version // 10000
            program = find_programs(self.request.bin_dir, major, self.work.facts.server.version).path("pg_restore")
        source: Source = open_dump(path, program, encoding, look) if ours else open_file(path, program, encoding)
        # A script says what it is from only after it has been read.
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
            plan.lost += table.compared.lost()
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
        passage = look_at_fence(cursor, self._scopes(planner), work.held_as or [request.who.incident_id])
        if not request.allow_unfenced:
            reasons += passage.reasons
        if work.incident is None:
            reasons.append(refusal("no_open_incident", f"No incident {request.who.incident_id!r} is open."))
        plan.refused = reasons if plan.total or not plan.refused else plan.refused
        return passage

    def _apply(self, cursor: Cursor, planner: Planner, passage: Passage, checks: Sequence[Check]) -> None:
        """Write what is planned in the caller's transaction; raises Look if that has to be rolled back."""
        work, request, result = self.work, self.request, self.work.result
        told = {
            "plan_hash": result["plan_hash"],
            "approved_by": request.approved_by,
            "operator": request.who.operator,
            "fenced": passage.fenced,
            "allow_unfenced": request.allow_unfenced,
            "allow_late": request.allow_late,
            "source": result["source"],
            **{name: result["plan"][name] for name in ("parts", "total_rows")},
        }
        counted = {check.name: check.count for check in planner.plan.checks}
        work.event(cursor, "planned", {**told, "counts": counted})
        values = {
            "incident": work.incident,
            "run": request.who.run_id,
            "operator": request.who.operator,
            "approved_by": request.approved_by,
            "plan_hash": result["plan_hash"],
        }
        repair = add_repair(cursor, values, {**request.essence(), "source": result["source"], "parts": told["parts"]})
        passage.open(cursor)
        written = Written(cursor)
        done = BringBack(planner, self.tables, checks, request.inserted, request.kinds, request.limit_samples)
        try:
            done.run(repair, written, request.skip_conflicts)
        except ServerError:
            raise
        except KanbanError as error:
            result["plan"], work.error = shown(planner.plan, self.tables), error
            work.taken_back = {**told, "why": error.what, "deleted": written.deletions()}
            raise Look from error
        changed = [part for part in planner.plan.parts if part.action == "update"]
        planner.plan.parts = [
            *changed,
            *(part for table in self.tables for part in table.compared.parts(request.inserted)),
        ]
        sequences, warnings = put_right(cursor, [table for table in self.tables if done.inserted(table)])
        self._took("apply")
        result.update(plan=shown(planner.plan, self.tables), repair_id=repair, sequences=sequences)
        result.update(restored=planner.plan.total, quarantined=planner.plan.total, superseded=done.in_conflict())
        result["warnings"] += [*done.told, *warnings]
        figures = {name: result["plan"][name] for name in ("parts", "total_rows")}
        counts = {check.name: {"before": check.count, "after": check.remaining} for check in planner.plan.checks}
        about = {"repair_id": repair, "counts": counts, "sequences": sequences, "superseded": result["superseded"]}
        work.event(cursor, "restored", {**told, **figures, **about})
        result["approved_by"] = request.approved_by

    def _scopes(self, planner: Planner) -> dict[str, Scope]:
        """Return what others must be kept from: deleting what comes back, and updating what is updated."""
        changed = {table.oid: table.columns for table in planner.touched}
        found = {}
        for table in self.tables:
            operations = ["DELETE"] if table.compared.count(*self.request.inserted) else []
            operations += ["UPDATE"] if table.oid in changed else []
            if operations:
                found[str(table)] = Scope(tuple(operations), tuple(changed.get(table.oid, ())))
        return found
