# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of one database: everything that a scenario will need, seen or planned, nothing run or changed.

Every transaction here is READ ONLY: the server itself refuses what would change anything.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightchecks as checks
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflighthost as host
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightothers as others
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglass import not_allowed, not_used, trials
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglasspsql import Surroundings, break_glass
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import (
    Server,
    find_table,
    identify,
    namesakes,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import Source
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fence import row_trigger_warnings
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceentry import look as look_at_fence
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceplace import FenceRequest
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import asked_tables
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._installed import older_parts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latch import latch_problem
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._latchshut import open_latches
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState, refuse_foreign
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Login,
    Session,
    identifier,
    sql,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightdecide import Wish, look_ahead
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightforecast import (
    flag_statements,
    foretell,
    orm_saves,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighttrials import planned
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._privileges import lacking_sequences
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglass as script_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import guards as guard_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import preflight as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql.dump import ABOUT
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default, find_target


@dataclass(frozen=True)
class Request:
    """What is asked; the fields are the options of ``preflight_info``."""

    flag: Flag
    environment: str | None = None
    tenants: Sequence[str] | None = None
    global_default: bool = True
    deadline: float = 20.0
    on_blocked: str = "report"
    dump_tables: Sequence[str] = ()
    dump_dir: str | None = None
    bin_dir: str | None = None
    dump_compress: str = "auto"
    dump_verify: str = "toc"
    disk_spare: float = 1.2
    backup_max_age: float = 86400.0
    fence_tables: Sequence[Any] = ()
    write_block_key: str | None = None
    redis_hosts: Sequence[Mapping[str, Any]] = ()
    ranking: Mapping[str, Any] | None = None
    integrity_checks: Sequence[Mapping[str, Any]] | None = None
    queries: Mapping[str, str] = field(default_factory=dict)
    application: bool = True
    repairs: Sequence[Mapping[str, Any]] | None = None


def preflight(login: Login, request: Request) -> dict[str, Any]:
    """Return what ``preflight_info`` shows. Raises KanbanError when the database cannot be asked at all."""
    started = time.monotonic()
    session = Session(login, APPLICATION)
    try:
        server = identify(session)
        look = Look(session, server, request)
        look.run()
    finally:
        session.close()
    return {
        "changed": False,
        "checks": [check.as_result() for check in look.checks],
        "ready": not any(check.ok is False and check.severity == checks.MUST for check in look.checks),
        "database": server.as_result(),
        "clock": server.now,
        **look.result,
        "elapsed_ms": round((time.monotonic() - started) * 1000),
    }


@dataclass
class Look:
    """One look; ``checks`` in the order in which the scenarios act, ``result`` the figures beside them."""

    session: Session
    server: Server
    request: Request
    checks: list[checks.Check] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Run all checks; one that fails to run is reported as such, and the others continue."""
        if self.server.in_recovery:
            self.checks.append(checks.replica_check())
            self._tools()
            return
        self.checks.append(checks.server_check(self.server.user, self.server.version, self.server.warnings))
        target = self._flag()
        has_ledger = self._ledger()
        if target:
            self._names(target)
            self._stop(target, has_ledger)
        needed, dumped = self._dump()
        self._tools()
        self._host(needed, dumped)
        self._orm()
        self._fence_triggers()
        self._others(target)
        asked = self.request
        wish = Wish(asked.ranking, asked.integrity_checks, asked.queries, asked.application, asked.repairs)
        self.checks += look_ahead(self.session, wish, asked.flag, target)

    def _flag(self) -> Target | None:
        """Find the flag's place; a role that may only read it can still say how many are on."""
        found: Target | None = None
        problem: KanbanError | None = None
        for writing in (True, False):
            try:
                with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                    found = find_target(cursor, self.request.flag, writing=writing)
                break
            except KanbanError as error:
                problem = problem or error
        good = f"{found.identity} is there, and this role may read and write it." if found else ""
        self.checks.append(checks.of_error("flag", checks.MUST, problem, good))
        return found

    def _names(self, target: Target) -> None:
        """Look for tables that exist in more than one schema and are named without one."""
        flag = self.request.flag
        asked = {flag.table: [target.column.name, target.tenant.name]}
        fenced = [entry.name for entry in asked_tables(self.request.fence_tables)]
        asked.update({name: [] for name in (flag.tenants_table, *self.request.dump_tables, *fenced) if name})
        several: dict[str, list[str]] = {}
        with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            for name, columns in asked.items():
                found = namesakes(cursor, name, columns)
                if found.total > 1:
                    several[name] = [str(table) for table, _usable in found.tables]
        self.checks.append(checks.same_name_check(several, flag.table))

    def _ledger(self) -> bool:
        """Look at the ledger, and have its statements planned; return whether it can be used."""
        problem: KanbanError | None = None
        state, creatable = LedgerState(present=True, usable=False, creatable=False), False
        try:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                state = ledger.ledger_state(cursor)
                creatable = bool(cursor.row(queries.CAN_MAKE_LEDGER, {})[0])
            ledger.check_version(state)
            ledger.check_environment(state, self.request.environment)
            refuse_foreign(state)
        except KanbanError as error:
            problem = error
        if problem is None and state.usable:
            problem = planned(self.session, queries.LEDGER)
        self.checks.append(checks.ledger_check(state.present, state.usable or state.foreign, creatable, problem))
        self.checks += others.ledger_owner_checks(state)
        return state.usable and problem is None

    def _stop(self, target: Target, has_ledger: bool) -> None:
        """Look at what the kill, the latch and the script need."""
        with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            kill = flag_statements(cursor, target)
            latch = latch_problem(cursor, target)
            guards = cursor.rows(guard_queries.EVENT_TRIGGERS, {})
            raisers = cursor.rows(guard_queries.RAISERS[self.session.server_version >= guard_queries.GRANTED_FROM], {})
            triggers = [row[0] for row in cursor.rows(queries.OWN_TRIGGERS, {"table": target.table.oid})]
            may_end = cursor.row(queries.CAN_TERMINATE, {})[0]
            # A plan asks for no right on a sequence.
            drawn = lacking_sequences(cursor, target.table.oid) if target.owners else []
        self.checks.append(checks.kill_check(planned(self.session, kill), triggers, drawn))
        problem = planned(self.session, [queries.BLOCKING_PIDS])
        self.checks.append(checks.of_error("blockers", checks.MUST, problem, "Who blocks can be asked."))
        self.checks.append(checks.terminate_check(self.request.on_blocked == "terminate", may_end))
        # Without a ledger there is no latch, and the check of the ledger has said what to do.
        if latch != "":
            self.checks.append(checks.latch_check(latch))
        if guards:
            self.checks.append(checks.ddl_guard_check(guards, raisers))
        self._forecast(target)
        self._script(target, has_ledger)

    def _forecast(self, target: Target) -> None:
        try:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                forecast = foretell(cursor, target, self.request.tenants)
        except KanbanError as error:
            self.checks.append(checks.of_error("forecast", checks.SHOULD, error, ""))
            return
        self.result["forecast"] = forecast
        self.checks.append(checks.forecast_check(forecast, self.request.deadline))
        if forecast["global_default"]:
            self.checks.append(checks.default_check(forecast["global_default"], self.request.global_default))
        number, sample = forecast["unreadable_count"], forecast["unreadable"]
        self.checks.append(checks.unreadable_settings_check(number, sample))

    def _script(self, target: Target, has_ledger: bool) -> None:
        targets = [target, as_global_default(target)] if target.key and self.request.global_default else [target]
        around = Surroundings(self.request.write_block_key, self.request.redis_hosts)
        with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            has_fence = cursor.row(script_queries.HAS_FENCE, {})[0]
            statements = trials(cursor, targets, has_ledger, has_fence)
            refused = not_allowed(cursor, targets, has_ledger)
            strange = not_used(cursor, target, has_ledger)
            self.result["break_glass"] = break_glass(cursor, self.session.login, targets, around)
        problem = planned(self.session, statements) or refused
        good = f"The server planned each of the {len(statements)} statements of break-glass.sql; none was run.{strange}"
        self.checks.append(checks.of_error("break_glass", checks.MUST, problem, good))

    def _dump(self) -> tuple[int, list[str]]:
        """Look at what a dump reads; return the bytes that it may need, and the tables found, as ``schema.name``."""
        problem, size, statements, found = None, 0, [], []
        for name in self.request.dump_tables:
            try:
                with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                    table, _columns = find_table(cursor, name)
                    found.append(str(table))
                    size += cursor.row(queries.SIZE, {"table": table.oid})[0]
                    statements.append(cursor.filled(sql.SQL(queries.CAN_READ).format(table=_name(table)), {}))
            except KanbanError as error:
                problem = problem or error
        problem = problem or planned(self.session, statements)
        good = f"{len(statements)} tables of the dump can be read."
        self.checks.append(checks.of_error("dump_tables", checks.MUST, problem, good))
        problem = planned(self.session, [queries.EXPORT_SNAPSHOT])
        self.checks.append(checks.of_error("snapshot", checks.MUST, problem, "A snapshot can be exported."))
        if self.request.dump_tables:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                self.checks.append(checks.unreadable_check([row[0] for row in cursor.rows(queries.UNREADABLE, {})]))
        return host.room_for(size, self.request.disk_spare), found

    def _tools(self) -> None:
        asked, major = self.request, self.session.server_version // 10000
        found, problem = host.tools(asked.bin_dir, major, self.server.version, asked.dump_compress)
        self.result["tools"] = asdict(found) if found else None
        self.checks.append(host.tools_check(found, problem))
        if found and asked.dump_verify == "restore" and not self.server.in_recovery:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                encoding, may_create = cursor.row(ABOUT, {})
            self.checks.append(host.proof_check(found, Source(self.server, major, encoding, bool(may_create), ())))

    def _host(self, needed: int, dumped: Sequence[str]) -> None:
        self.result["disk"] = host.disk(self.request.dump_dir, needed)
        self.checks.append(host.place_check(self.result["disk"]) or checks.disk_check(self.result["disk"]))
        dump, archiver = host.newest_dump(self.request.dump_dir, self.server.cluster, dumped), self._archiver()
        self.result["backup"] = {"dump": dump, "archiver": archiver}
        self.checks.append(checks.backup_check(dump, archiver, self.request.backup_max_age))

    def _archiver(self) -> dict[str, Any] | None:
        try:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                enabled, age, at, failing, wal = cursor.row(queries.ARCHIVER, {})
        except ServerError:
            return None
        names = {"enabled": enabled, "age_seconds": age, "last_archived_time": at}
        return {**names, "failing": failing, "last_failed_wal": wal}

    def _orm(self) -> None:
        found = orm_saves(self.session, self.request.fence_tables)
        self.result["orm_saves"] = found
        self.checks.append(checks.orm_check(found))

    def _fence_triggers(self) -> None:
        """Look for triggers of the application that get around the fence; write_fence_info says whether it is armed."""
        if not self.request.fence_tables:
            return
        try:
            request = FenceRequest(asked_tables(self.request.fence_tables), deadline=READ_SECONDS)
            place = look_at_fence(self.session.login, request)
            try:
                texts = row_trigger_warnings(place)
            finally:
                place.close()
        except KanbanError as error:
            self.checks.append(checks.of_error("fence_triggers", checks.SHOULD, error, ""))
            return
        self.checks.append(checks.fence_triggers_check(texts))

    def _others(self, target: Target | None) -> None:
        """Look for what other roles could have run with rights that are not theirs, and what is of another version."""
        try:
            with self.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
                latches = open_latches(cursor)
                schemas = cursor.rows(queries.SEARCH_PATH, {})
                older = older_parts(cursor, target)
        except KanbanError as error:
            self.checks.append(checks.of_error("search_path", checks.SHOULD, error, ""))
            return
        self.checks.append(others.installed_check(older))
        self.checks += [others.latch_shut_check(latches), others.search_path_check(schemas)]


def _name(table: Table) -> sql.Identifier:
    return identifier(table.schema, table.name)
