# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``rehearsal_data`` does: plant rows with a record of each, and take exactly those away again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _rehearsaldata as data
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import find_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    look_at_ledger,
    refuse_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    Cursor,
    Login,
    Session,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsalremove import remove, standing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rehearsalshape import Shape
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import SETTINGS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import lacking_to_rehearse
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairwritten import Written
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import rehearsal as queries

PHASE = "report"  # An exercise is not one of an incident's own phases.
LOCK_SECONDS = 2.0
_INTEGRITY = "23"  # The SQLSTATE class of constraints.
_TOO_LONG = "22"  # And of values that do not fit.


@dataclass(frozen=True)
class Request:
    """What is asked for; the fields are the options of ``rehearsal_data``."""

    who: ledger.Who
    state: str
    kinds: Sequence[data.Planting] = ()
    deadline: float = 60.0
    zone: str = "UTC"


@dataclass
class Told:
    """What a result is made of."""

    planted: list[dict[str, Any]] = field(default_factory=list)
    removed: int = 0
    gone: int = 0
    left: int = 0
    warnings: list[str] = field(default_factory=list)

    def as_result(self, changed: bool) -> dict[str, Any]:
        """Return it as a result."""
        rows = sum(row["rows"] for row in self.planted)
        return {**vars(self), "rows": rows, "changed": changed}


def set_rehearsal_data(login: Login, request: Request, check_mode: bool) -> dict[str, Any]:
    """Plant rows, or take them away again; raises KanbanError."""
    session = Session(login, APPLICATION)
    try:
        facts = look_at_ledger(session, request.who.environment)
        refuse_replica(facts.server)
        if request.state == "present":
            data.refuse_production(request.who.environment, facts.state.environment)
        there, incident = _on_record(session, request, facts.state.usable)
        if request.state == "absent":
            told, changed = _absent(session, request, incident, there, check_mode)
        elif there:
            told, changed = Told([one.as_result() for one in there]), False
        else:
            told, changed = _present(session, request, incident, check_mode)
        warnings = [*facts.warnings, *told.warnings]
        return {**told.as_result(changed), **facts.as_result(), "warnings": warnings}
    finally:
        session.close()


def _on_record(session: Session, request: Request, usable: bool) -> tuple[list[data.Planted], str | None]:
    """Return what is planted under the incident, and its id; None if the ledger does not know it."""
    if not usable:
        return [], None
    with session.transaction(request.deadline, mode="READ ONLY") as cursor:
        incident = ledger.find_incident(cursor, request.who.incident_id)
        values = {"incident": incident, "source": data.SOURCE}
        return data.still_planted(cursor.rows(queries.EVENTS, values) if incident else []), incident


def _present(session: Session, request: Request, incident: str | None, check_mode: bool) -> tuple[Told, bool]:
    told, mode = Told(), "READ ONLY" if check_mode else "READ WRITE"
    if incident is None and not check_mode:
        raise BadInput(
            "unknown_incident",
            f"The ledger has no incident {request.who.incident_id!r}.",
            "What is planted is recorded under it; without a record nobody could take it away. Nothing was changed.",
            "Open it first, with the module incident.",
        )
    for planting in request.kinds:
        try:
            # One transaction per kind: one that the schema does not take leaves the others whole.
            with session.transaction(request.deadline, LOCK_SECONDS, mode, SETTINGS) as cursor:
                _may(cursor, find_table(cursor, planting.table)[0])
                shape = Shape(cursor, planting, request.zone)
                told.planted.append(
                    _plan(cursor, shape)
                    if check_mode or shape.why_not
                    else _plant(cursor, shape, request, incident or "", told)
                )
        except KanbanError as error:
            if not _forbidden(error):
                raise
            row = {"kind": planting.kind, "table": planting.table, "rows": 0, "why": error.what}
            told.planted.append(row)
    return told, any(row["rows"] for row in told.planted)


def _forbidden(error: KanbanError) -> bool:
    """Tell whether it is the schema that does not take such rows, or does not have the table."""
    state = str(error.details.get("sqlstate") or "")
    return error.code in ("not_planned", "missing_table", "missing_column") or state[:2] in (_INTEGRITY, _TOO_LONG)


def _may(cursor: Cursor, table: Table) -> None:
    """Refuse, before anything is planted, a role that could not take it away again; raises ServerError."""
    missing, grants = lacking_to_rehearse(cursor, table.oid)
    if missing:
        raise ServerError(
            "missing_privilege",
            f"This role lacks {' and '.join(missing)} on {table}, or on its sequences.",
            "What is planted has to be taken away again. Nothing was changed.",
            f"Grant it: {' '.join(grants)} (bootstrap.yml does, by kanban_role_rehearses), or use another role.",
            missing=missing,
        )


def _plan(cursor: Cursor, shape: Shape) -> dict[str, Any]:
    rows = 0 if shape.why_not else shape.available(cursor)
    return {"kind": shape.planting.kind, "table": str(shape.table), "rows": rows, "why": shape.why_not}


def _plant(cursor: Cursor, shape: Shape, request: Request, incident: str, told: Told) -> dict[str, Any]:
    """Plant and record in one transaction, so that there are never rows that nobody knows of."""
    written = Written(cursor)
    rows = shape.plant(cursor)
    written.expect(shape.table.oid, inserted=len(rows))
    told.warnings += written.judge()
    names: dict[str, Any] = {"keys": tuple(zip(*rows))} if shape.key else _alike(cursor, shape, rows)
    planted = data.Planted(shape.planting.kind, shape.table.schema, shape.table.name, len(rows), shape.key, **names)
    ledger.add_event(cursor, incident, request.who.run_id, PHASE, data.SOURCE, data.PLANTED, planted.as_data())
    return planted.as_result()


def _alike(cursor: Cursor, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Return what identifies rows without a key, and how many that look the same there were before."""
    ours = Counter(str(row[0]) for row in rows)
    there = dict(cursor.rows(sql.SQL(queries.ALIKE).format(table=shape.name), {"texts": list(ours)}))
    before = tuple(int(there.get(text, 0)) - number for text, number in ours.items())
    return {"texts": tuple(ours), "counts": tuple(ours.values()), "before": before}


def _absent(
    session: Session, request: Request, incident: str | None, there: Sequence[data.Planted], check_mode: bool
) -> tuple[Told, bool]:
    told, mode = Told([one.as_result() for one in there]), "READ ONLY" if check_mode else "READ WRITE"
    if not there or incident is None:
        return told, False
    with session.transaction(request.deadline, LOCK_SECONDS, mode, SETTINGS) as cursor:
        written = None if check_mode else Written(cursor)
        for one in there:
            before = standing(cursor, one)
            removed = before if written is None else remove(cursor, one, written)
            told.removed += removed
            told.gone += one.rows - before
            told.left += before - removed
        if written is not None:
            told.warnings += written.judge()
            figures = {"removed": told.removed, "gone": told.gone, "left": told.left}
            ledger.add_event(cursor, incident, request.who.run_id, PHASE, data.SOURCE, data.REMOVED, figures)
    return told, bool(told.removed)
