# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a repair works: its one transaction, and the incident that it belongs to."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import Facts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgernames import known_as
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Cursor, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._progress import Progress
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import quarantine

SOURCE = "integrity_repair"
MODE = "ISOLATION LEVEL REPEATABLE READ READ WRITE"
LOCK_SECONDS = 5.0
# What a row's text depends on, set to the same values whatever the role's own settings are.
SETTINGS = {
    "work_mem": "64MB",
    "jit": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
}


@dataclass(frozen=True)
class Request:
    """The request, by the options that a repair and a restore share."""

    who: ledger.Who
    state: str
    checks: Sequence[Mapping[str, Any]] = ()
    plan_hash: str | None = None
    approved_by: str | None = None
    max_rows: int = 100_000
    max_fraction: float = 0.5
    allow_unfenced: bool = False
    lease_by_force: bool = False
    lease_wait: float = 0.0
    deadline: float = 600.0
    limit_samples: int = 10


class Look(Exception):
    """Ends a transaction that only had to look."""


@dataclass
class Work:
    """A session, what the ledger knows about the incident, and the outcome.

    ``names``: its ids; ``held_as``: those and the id it was opened as, under which its fence may be up. That id is not
    used to find repairs, because it also finds those of a closed incident.
    """

    session: Session
    facts: Facts
    request: Request
    deadline: Deadline
    source: str = SOURCE
    incident: str | None = None
    known: str | None = None
    names: list[str] = field(default_factory=list)
    held_as: list[str] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    error: KanbanError | None = None
    taken_back: dict[str, Any] | None = None
    progress: Progress = field(default_factory=Progress)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Open the one transaction of the work; Look rolls it back and is not an error."""
        try:
            seconds = self.deadline.slice(self.request.deadline, 1.0)
            with ExitStack() as stack:
                yield stack.enter_context(self.session.transaction(seconds, LOCK_SECONDS, MODE, SETTINGS))
        except Look:
            pass
        except Timeout as error:
            if error.code != "serialization":
                raise
            raise KanbanError(
                "row_changed",
                "A row that the plan touches was changed by somebody else meanwhile.",
                "It was not what was looked at any more, so everything was rolled back: the data is as it was.",
                "Run it again: where the plan is still the same it is applied, else its new hash is shown.",
            ) from error

    def event(self, cursor: Cursor, name: str, data: Mapping[str, Any]) -> None:
        """Append an event to the incident's chain, in the same transaction."""
        ledger.add_event(cursor, str(self.incident), self.request.who.run_id, "recover", self.source, name, data)


def find_incident_of(work: Work) -> None:
    """Set the open incident that is meant and its other ids; raises ServerError."""
    if not work.facts.state.usable:
        return
    with work.session.transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        work.known = ledger.find_incident(cursor, work.request.who.incident_id)
        rows = ledger.list_incidents(cursor, work.known, only_open=True) if work.known else []
    if rows:
        work.incident = rows[0]["incident_id"]
        work.names = list(dict.fromkeys([rows[0]["incident_id"], *rows[0]["aliases"], work.request.who.incident_id]))
        work.held_as = list(dict.fromkeys([*work.names, *ids_of(rows[0])]))


def count_repairs(cursor: Cursor, incident_id: str) -> int:
    """Return how many repairs an incident has had, including undone ones; raises ServerError."""
    if not cursor.row(quarantine.COUNTABLE, {})[0]:
        return 0
    return int(cursor.row(quarantine.COUNT_REPAIRS, {"incident": incident_id})[0])


def namesakes_of(work: Work, cursor: Cursor) -> list[str]:
    """Return other incidents that an id of this one stood for before, newest first; raises ServerError."""
    found = [name for one in work.names for name in known_as(cursor, one)]
    return [name for name in reversed(dict.fromkeys(found)) if name != work.incident]


def not_undone(cursor: Cursor) -> list[str]:
    """Return the newest incidents with repairs that are not undone; raises ServerError."""
    if not cursor.row(quarantine.COUNTABLE, {})[0]:
        return []
    return [row[0] for row in cursor.rows(quarantine.NOT_UNDONE, {})]


def purged_error(incident_id: str, repairs: Sequence[int]) -> KanbanError:
    """Return the error of repairs whose rows are gone from quarantine."""
    return KanbanError(
        "purged",
        f"What the repairs {', '.join(map(str, repairs))} of {incident_id} took away is in quarantine no more.",
        "The incident was closed longer ago than kanban_retention_days, so report.yml removed it. Nothing changed.",
        "Bring rows back from a dump or a backup; kanban_rollback.repairs still says what was done.",
        repairs=list(repairs),
    )


def no_incident(wanted: str) -> BadInput:
    """Return the error of an incident that is not open."""
    return BadInput(
        "no_open_incident",
        f"The ledger has no open incident {wanted!r}.",
        "What a repair takes away is kept under the incident; without one it could not be brought back. "
        "Nothing was changed.",
        "Give the id of the open incident (incident_info lists them), or open one (module incident).",
    )
