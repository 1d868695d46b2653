# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of what ranks, counts and measures: tables, rights and statements, planned and never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightscenarios as checks
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrity import KINDS, rows_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check, check_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightchecks import Check as Said
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighttrials import LOCK_SECONDS, planned
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import RankRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranklook import (
    find_logs,
    find_owners,
    look_for_index,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranksql import Ranking, given_query, users_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairrights import (
    find_mends,
    lacking_in_quarantine,
    lacking_temporary,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import gate as gate_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import ranking as queries

# Keys of a map whose values may have come as text.
_TYPES = {"window": float, "more_than": int, "top": int, "deadline": float}
_TEXTS = ("error_logs", "companies", "users", "users_query", "contains", "naive_timezone")


@dataclass(frozen=True)
class Wish:
    """What the scenarios will ask of the database; see the options of ``preflight_info`` of these names.

    ``application``: whether there is a tier of the application, which these scenarios need.
    """

    ranking: Mapping[str, Any] | None
    integrity_checks: Sequence[Mapping[str, Any]] | None
    queries: Mapping[str, str]
    application: bool
    repairs: Sequence[Mapping[str, Any]] | None = None


def look_ahead(session: Session, wish: Wish, flag: Flag, target: Target | None) -> list[Said]:
    """Return a check for each thing that triage, scenarios 1 and 2 and repairs need; raises ServerError."""
    found: list[Said] = []
    if wish.ranking is not None and target is not None:
        found += _ranking(session, wish.ranking, flag, target)
    if wish.integrity_checks is not None:
        found += checks.integrity_check(dict(_integrity(session, wish.integrity_checks)))
    for name, query in wish.queries.items():
        # As the gate itself does it: one statement, which only reads.
        statement = gate_queries.FIGURE.format(query=query)
        found.append(checks.figure_check(name, planned(session, [statement])))
    if wish.repairs is not None:
        found.append(_repair(session, wish.repairs))
    return found if wish.application else [checks.as_advice(check) for check in found]


def _repair(session: Session, repairs: Sequence[Mapping[str, Any]]) -> Said:
    try:
        with session.transaction(READ_SECONDS, LOCK_SECONDS, mode="READ ONLY") as cursor:
            tables = [*find_mends(cursor, repairs).lacking(cursor), *lacking_in_quarantine(cursor)]
            temporary = lacking_temporary(cursor)
    except KanbanError as error:
        return checks.repair_check([], [], error)
    lacks = [f"{' and '.join(missing)} on {name}" for name, missing, _grant in tables]
    lacks += ["TEMPORARY on the database"] if temporary else []
    return checks.repair_check(lacks, [*(grant for _name, _missing, grant in tables), *temporary])


def _request(flag: Flag, given: Mapping[str, Any]) -> RankRequest:
    made: dict[str, Any] = {name: str(given[name]) for name in _TEXTS if given.get(name)}
    try:
        made.update({name: kind(given[name]) for name, kind in _TYPES.items() if given.get(name) is not None})
        return RankRequest(flag, columns=given["columns"], ignore_case=bool(given.get("ignore_case", True)), **made)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            "bad_ranking",
            f"kanban_ranking cannot be read: {error}.",
            "Nobody could be ranked by it. Nothing was read.",
            "Correct kanban_ranking; see the options of affected_tenants_info.",
        ) from error


def _ranking(session: Session, given: Mapping[str, Any], flag: Flag, target: Target) -> list[Said]:
    if not given.get("error_logs"):
        return [checks.no_errors_check()]
    warnings: list[str] = []
    hint: str | None = None
    try:
        request = _request(flag, given)
        with session.transaction(READ_SECONDS, LOCK_SECONDS, mode="READ ONLY") as cursor:
            logs = find_logs(cursor, request)
            companies = find_owners(cursor, request.companies, request, "companies", warnings)
            users = None if request.users_query else find_owners(cursor, request.users, request, "users", warnings)
            hint = look_for_index(cursor, logs)["index_hint"]
            ranking = Ranking(logs, request.match, target, companies)
            nobody: dict[str, Any] = {"tenants": [], "tenants_on": [], "named": False}
            limits = {"more_than": request.more_than, "top": request.limit, "listed": [], **ranking.params}
            values = {**limits, **_window(cursor, ranking, request), **nobody}
            statements = [cursor.filled(ranking.rank(False), values)]
            if users:
                statements.append(cursor.filled(users_of(users, target), nobody))
        problem: KanbanError | None = planned(session, statements)
    except KanbanError as error:
        return [checks.errors_check(error, str(given["error_logs"]))]
    found = [checks.errors_check(problem, str(logs.table)), checks.index_check(hint), checks.beside_check(warnings)]
    if request.users_query:
        found.append(checks.figure_check("kanban_users_query", _users(session, request.users_query)))
    return found


def _window(cursor: Cursor, ranking: Ranking, request: RankRequest) -> dict[str, Any]:
    values = {"window": request.window, "zone": request.naive_timezone}
    now, since, _shown = cursor.row(ranking.format(queries.SINCE), values)
    return {**values, "now": now, "since": since}


def _users(session: Session, query: str) -> KanbanError | None:
    try:
        with session.transaction(READ_SECONDS, LOCK_SECONDS, mode="READ ONLY") as cursor:
            statement = cursor.filled(given_query(query), {"tenants": ["0"]})
    except KanbanError as error:
        return error
    return planned(session, [statement])


def _integrity(session: Session, given: Sequence[Mapping[str, Any]]) -> list[tuple[str, KanbanError | None]]:
    found: list[tuple[str, KanbanError | None]] = []
    for number, one in enumerate(given, 1):
        name = str(one.get("name") or number)
        try:
            found.append((name, _one_check(session, check_from(one))))
        except (KeyError, TypeError) as error:
            found.append((name, BadInput("bad_checks", f"It lacks {error}.", "", "Complete kanban_integrity_checks.")))
        except KanbanError as error:
            found.append((name, error))
    return found


def _one_check(session: Session, check: Check) -> KanbanError | None:
    if check.kind not in KINDS:
        kinds = f"Its kind is one of {', '.join(sorted(KINDS))}."
        return BadInput("bad_checks", f"Its kind is {check.kind!r}.", "It looks at nothing.", kinds)
    with session.transaction(READ_SECONDS, LOCK_SECONDS, mode="READ ONLY") as cursor:
        relations = Relations(cursor)
        rows = rows_of(check, relations)
        text = cursor.filled(rows.statement, {**relations.values, "most": 1, "samples": 1})
    return planned(session, [text])
