# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both flag modules need before they act: the server, the flag's place, the ledger's state, the tenants meant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server, identify
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documentrows import DocumentRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    READ_SECONDS,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import (
    Count,
    Scope,
    ServerRows,
    together,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import (
    Targets,
    as_global_default,
    find_targets,
    known_tenants,
)

SHOWN = 100  # Most names that a result carries per list; the counts beside them are complete.


@dataclass(frozen=True)
class Request:
    """What is asked of a flag; the fields are the options of ``feature_flag``."""

    flag: Flag
    state: str
    who: ledger.Who
    tenants: Sequence[str] | None = None
    adopt: bool = False
    deadline: float = 20.0
    on_blocked: str = "report"
    settle: float = 0.0
    latch: bool = False
    latch_wait: float = 2.0
    global_default: bool = True
    on_replica: str = "fail"
    state_dir: str | None = None
    share: float | None = None
    share_above: float = 0.0
    share_first: str | None = None
    withdrawn: bool = False
    spent: bool = False
    killed_on: Sequence[Mapping[str, Any]] = ()
    fence: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Other:
    """A further table of the flag's name, and the tenants meant in it, None for all."""

    target: Target
    tenants: list[str] | None

    @property
    def scope(self) -> Scope:
        """The tenants meant."""
        return Scope() if self.tenants is None else Scope.tenants(self.tenants)


@dataclass
class Place:
    """A flag found in a database, and which of the tenants asked for exist there.

    ``others``: further tables of the flag's name, where it does not say which one is meant (it is not ``named``), and
    for an undo; ``refused``: those that this role cannot switch, each with its error.
    """

    login: Login
    server: Server
    target: Target
    ledger_state: LedgerState
    tenants: list[str] | None
    unknown: list[str]
    deadline: Deadline
    warnings: list[str] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    refused: list[tuple[Table | None, KanbanError]] = field(default_factory=list)
    named: bool = True
    _session: Session | None = None

    @property
    def meant(self) -> list[Target]:
        """Every place that the flag's name may mean, the likeliest first."""
        return [self.target, *([] if self.named else [other.target for other in self.others])]

    @property
    def rows(self) -> ServerRows | DocumentRows:
        """How this flag is read and written."""
        return rows_of(self.target)

    @property
    def scope(self) -> Scope:
        """The tenants meant."""
        return Scope() if self.tenants is None else Scope.tenants(self.tenants)

    def connect(self) -> Session:
        """Open a further session on the same database."""
        return Session(self.login, APPLICATION)

    def session(self) -> Session:
        """Return the session of this module run; a broken one is opened again."""
        if self._session is None or not self._session.is_open:
            self._session = self.connect()
        return self._session

    def keep(self, session: Session) -> None:
        """Go on with a session that is open."""
        self._session = session

    def close(self) -> None:
        """Close the session of this module run."""
        if self._session:
            self._session.close()


def rows_of(target: Target) -> ServerRows | DocumentRows:
    """Return how a flag is read and written."""
    statements = Statements(target)
    return DocumentRows(statements) if target.is_document else ServerRows(statements)


def look(login: Login, request: Request, connected: Callable[[], None] = lambda: None) -> Place:
    """Find out everything, read-only; raises BadInput or ServerError before anything is changed.

    :param connected: called as soon as there is a connection.
    """
    deadline = Deadline(request.deadline)
    session = open_session(login, APPLICATION, deadline)
    connected()
    server = identify(session)
    with session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        found = find_targets(
            cursor,
            request.flag,
            writing=request.state not in ("read", "paused"),
            every=request.state == "restored",
        )
        target = found.main
        state = _ledger_state(cursor, needed=request.state not in ("disabled", "enabled", "paused", "read"))
        ledger.check_environment(state, request.who.environment)
        known = None if request.tenants is None else known_tenants(cursor, target, request.tenants)
        guessed = (
            {} if known is None else _without_row(cursor, target, request, set(request.tenants or []) - set(known))
        )
        known = known if known is None else {**known, **guessed}
        spelled = set(known.values()) if known else set()
        if known and target.owners and request.state == "restored":
            # The ledger spells them as their rows do, and not as the tenants' table.
            spelled.update(known_tenants(cursor, replace(target, owners=None), list(known)).values())
        others, refused = _others(cursor, found, request)
    tenants = None if known is None else sorted(spelled)
    unknown = sorted(set(request.tenants or []) - set(known or []))
    warnings = list(server.warnings)
    if guessed:
        warnings.append(
            f"{len(guessed)} of the tenants asked for have no row ({', '.join(sorted(guessed)[:5])}) and are on by the "
            "default of all. No table of tenants (tenants_table) says whether they exist. Each gets a row that is off."
        )
    place = Place(login, server, target, state, tenants, unknown, deadline, warnings, others, refused, found.named)
    place.keep(session)
    return place


def _others(
    cursor: Cursor, found: Targets, request: Request
) -> tuple[list[Other], list[tuple[Table | None, KanbanError]]]:
    """Return the further tables that are acted on, and those that cannot be, with the reason; raises BadInput."""
    if not found.named and (request.state in ("enabled", "paused") or request.share is not None):
        names = [str(target.table) for target in (found.main, *found.others)]
        raise BadInput(
            "ambiguous_table",
            f"Table {request.flag.table!r} does not say which one is meant: there are {', '.join(names)}.",
            "Nobody was switched.",
            "Name it with its schema (kanban_tables, or the option table).",
            near=names,
        )
    others, refused = [], list(found.refused)
    for target in found.others:
        try:
            named = request.tenants
            with cursor.savepoint():
                known = None if named is None else sorted(known_tenants(cursor, target, named).values())
            others.append(Other(target, known))
        except KanbanError as error:
            # Its tenants' ids are of another type, or somebody holds the table.
            if cursor.is_lost:
                raise
            refused.append((target.table, error))
    return others, refused


def _without_row(cursor: Cursor, target: Target, request: Request, tenants: Collection[str]) -> dict[str, str]:
    """Return tenants that are on by the default of all alone, where no table says which there are, with their spelling.

    A stop of those needs a row for each. It is not made in a document, of which the server reads no flag.
    """
    if not tenants or request.state != "disabled" or target.owners or target.is_document:
        return {}
    if request.share is not None or global_default(cursor, target) != "on":
        return {}
    return known_tenants(cursor, target, sorted(tenants), flag_queries.SPELLED)


def _ledger_state(cursor: Cursor, needed: bool) -> LedgerState:
    """Read the ledger's state; if it cannot be read, a switch or a count goes on without it."""
    try:
        with cursor.savepoint():
            state = ledger.ledger_state(cursor)
        ledger.check_version(state)
        return state
    except KanbanError as error:
        if needed or cursor.is_lost:
            raise
        return LedgerState(present=True, usable=False, creatable=False, reason=error.what)


def count(cursor: Cursor, place: Place) -> Count:
    """Count the tenants meant, and those that are on, in every table that the flag's name may mean."""
    others = [] if place.named else place.others
    return together(
        [place.rows.count(cursor, place.scope), *(rows_of(one.target).count(cursor, one.scope) for one in others)]
    )


def global_default(cursor: Cursor, *targets: Target) -> str | None:
    """Return ``on``, ``off`` or ``absent`` for the row without tenant of a key/value store, None for other stores.

    Of several tables of the flag's name, one that is on counts.
    """
    found = set()
    for target in (as_global_default(target) for target in targets if target.key):
        there = rows_of(target).count(cursor, Scope())
        found.add("absent" if not there.total else "on" if there.on else "off")
    return next((state for state in ("on", "off", "absent") if state in found), None)


def shown(result: dict[str, Any], name: str, names: Sequence[Any]) -> None:
    """Put a list into a result, cut to what a reader can use, with its full length beside it."""
    result[name] = list(names[:SHOWN])
    result[f"{name}_count"] = len(names)
