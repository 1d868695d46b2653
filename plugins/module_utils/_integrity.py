# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that data is intact: all checks in one snapshot, each bounded, none able to spoil the others."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, Finding, summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.cardless_ticket import (
    cardless_ticket,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.cross_tenant import cross_tenant
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.departures import (
    mass_delete,
    timeline,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.duplicate import duplicate
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.given_query import given_query
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.invalid_reference import (
    invalid_reference,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.missing_since import missing_since
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.null_reference import (
    null_reference,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.ordering import ordering
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.orphan import orphan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritykinds.two_lanes import two_lanes
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, Rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import APPLICATION, Cursor, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries

# A new kind needs one file, and one line here.
KINDS: Mapping[str, Callable[[Check, Relations], Rows]] = {
    "cardless_ticket": cardless_ticket,
    "cross_tenant": cross_tenant,
    "duplicate": duplicate,
    "invalid_reference": invalid_reference,
    "mass_delete": mass_delete,
    "missing_since": missing_since,
    "null_reference": null_reference,
    "ordering": ordering,
    "orphan": orphan,
    "sql": given_query,
    "timeline": timeline,
    "two_lanes": two_lanes,
}
LOCK_SECONDS = 1.0
# Hash tables have millions of rows; compiling such statements takes longer than it saves.
# Hours are in UTC, and a backslash in a string means nothing special in any statement.
SETTINGS = {"work_mem": "64MB", "jit": "off", "TimeZone": "UTC", "standard_conforming_strings": "on"}


@dataclass(frozen=True)
class Look:
    """What is asked for; the fields are the module's options."""

    checks: Sequence[Check]
    deadline: float
    check_seconds: float
    limit_samples: int
    quick: bool

    @property
    def most(self) -> int | None:
        """Rows after which a quick check stops counting; None to count all of them."""
        return max(1, self.limit_samples) if self.quick else None


def look_at_data(login: Login, look: Look) -> dict[str, Any]:
    """Return what ``integrity_info`` shows; raises KanbanError if the database itself cannot be asked."""
    deadline = Deadline(look.deadline)
    session = open_session(login, APPLICATION, deadline)
    findings = [Finding(check) for check in look.checks]
    untold: list[str] = []
    try:
        server = identify(session)
        with session.transaction(
            min(look.check_seconds, deadline.slice(look.deadline)),
            LOCK_SECONDS,
            mode="ISOLATION LEVEL REPEATABLE READ READ ONLY",
            settings=SETTINGS,
        ) as cursor:
            snapshot = _snapshot(cursor)
            relations = Relations(cursor)
            for turn, finding in enumerate(sorted(findings, key=lambda finding: finding.urgency), 1):
                progress = f"{APPLICATION} check {turn} of {len(findings)}: {finding.check.name}"
                _run(cursor, finding, relations, look, deadline, progress)
            untold = relations.untold
            if cursor.is_lost:
                raise _Lost
    except _Lost:
        pass
    finally:
        session.close()
    return {
        "changed": False,
        **summary(findings),
        "snapshot": snapshot,
        "database": server.as_result(),
        "elapsed_ms": deadline.elapsed_ms,
        "warnings": [*server.warnings, *untold],
    }


class _Lost(Exception):
    """The connection broke midway; what was counted before is kept."""


def _snapshot(cursor: Cursor) -> dict[str, Any]:
    at, is_replica, behind = cursor.row(queries.SNAPSHOT, {})
    try:
        with cursor.savepoint():
            position = cursor.row(queries.POSITION, {})[0]
    except ServerError:
        if cursor.is_lost:
            raise
        position = None
    return {"at": at, "lsn": position, "replica": is_replica, "replayed_seconds_ago": behind if is_replica else None}


def _run(cursor: Cursor, finding: Finding, relations: Relations, look: Look, deadline: Deadline, progress: str) -> None:
    """Run one check. An error is not raised, but becomes the check's finding."""
    own = Deadline(look.check_seconds)
    relations.begin()
    try:
        if cursor.is_lost:
            raise ServerError("lost_connection", "The connection was lost before its turn.", "", "")
        if deadline.over:
            raise Timeout("deadline", f"The deadline of {look.deadline:g} s was over before its turn.", "", "")
        _count(cursor, finding, relations, look, deadline, progress)
        finding.judge()
    except KanbanError as error:
        finding.fail(error, _about(cursor, error, relations, min(look.check_seconds, look.deadline)))
    finding.elapsed_ms = own.elapsed_ms


def _count(
    cursor: Cursor, finding: Finding, relations: Relations, look: Look, deadline: Deadline, progress: str
) -> None:
    cursor.run("SAVEPOINT kanban_check", {})
    try:
        # Rounded up: otherwise part of a millisecond would be left, and the next check would still get its turn.
        timeout = f"{max(1, ceil(min(look.check_seconds, deadline.left) * 1000))}ms"
        cursor.row(queries.TIMEOUT, {"timeout": timeout})
        cursor.row(queries.PROGRESS, {"name": progress})
        rows = rows_of(finding.check, relations)
        if rows.applies and rows.lacking and not cursor.row(rows.applies, relations.values)[0]:
            raise rows.lacking
        limits = {"most": look.most, "samples": look.limit_samples}
        found = cursor.row(rows.statement, {**relations.values, **limits})
    finally:
        if not cursor.is_lost:
            # After a success, too: this releases the check's locks on the tables, and a migration that waits for one of
            # them holds up everybody.
            cursor.run("ROLLBACK TO SAVEPOINT kanban_check; RELEASE SAVEPOINT kanban_check", {})
    finding.count, number, finding.affected_tenants, keys, finding.first_at, finding.last_at = found
    finding.groups = number if rows.grouped else None
    finding.exact = rows.exact and (look.most is None or number < look.most)
    finding.samples = [dict(zip(rows.key_names, key)) for key in keys]


def refuse_other_schema(check: Check, relations: Relations) -> None:
    """Raise BadInput for a check that is meant for databases without a table that exists here."""
    if check.unless and relations.has(check.unless):
        raise BadInput(
            "other_schema",
            f"There is a table {check.unless!r}, and the check is for databases without.",
            "Nothing was counted.",
            "Drop the check, or the table's name in it (kanban_integrity_checks, option unless).",
        )


def rows_of(check: Check, relations: Relations) -> Rows:
    """Return what a check counts; raises KanbanError if it does not apply, or its data may not be read."""
    refuse_other_schema(check, relations)
    rows = KINDS[check.kind](check, relations)
    relations.refuse_unreadable()
    return rows


def _about(cursor: Cursor, error: KanbanError, relations: Relations, seconds: float) -> str:
    """Return what else is known about a check that ran out of time: how long it had, or who locks the table."""
    if error.code == "statement_timeout":
        return f"It had {seconds:g} s at most."
    if error.code != "lock_timeout" or cursor.is_lost:
        return ""
    try:
        with cursor.savepoint():
            holders = cursor.rows(queries.HOLDERS, {"tables": relations.used})
    except ServerError:
        return ""
    held = [
        f"pid {pid} ({name or 'no name'}" + (f", in its transaction for {age:.0f} s)" if age is not None else ")")
        for pid, name, age in holders
    ]
    return f"Held by {', '.join(held)}." if held else ""
