# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal plants: what is asked for, and what the ledger says about it. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

SOURCE = "rehearsal_data"
PLANTED, REMOVED = "rehearsal data planted", "rehearsal data removed"
DUPLICATE, ORPHAN, ERRORS = "duplicate", "orphan", "errors"
# What each kind cannot do without, by the names of the options.
NEEDS: Mapping[str, tuple[str, ...]] = {
    DUPLICATE: ("columns",),
    ORPHAN: ("column", "references"),
    ERRORS: ("column", "tenants"),
}
# Their keys are in one event of the ledger, and more rows than this show nothing that fewer do not.
MOST_ROWS = 10_000
# What an environment is called in which nothing is broken on purpose: a word begins like this, as in prod-br or
# EU_PRD1. One that is refused only for its name has to be renamed.
_PRODUCTION = re.compile(r"(?<![^\W\d_])(prod|prd|live)", re.IGNORECASE)


@dataclass(frozen=True)
class Planting:
    """What is asked for on one table; the fields are the suboptions of ``kinds``."""

    kind: str
    table: str
    columns: tuple[str, ...] = ()
    column: str = ""
    references: Mapping[str, Any] | None = None
    time: str = ""
    text_column: str = ""
    text: str = ""
    tenants: tuple[str, ...] = ()
    rows: int = 50

    @property
    def each(self) -> int:
        """How many errors each tenant gets, at least one."""
        return max(1, self.rows // max(1, len(self.tenants)))


@dataclass(frozen=True)
class Planted:
    """Rows of one table that are there because of a rehearsal, as the ledger has them.

    ``keys``: one list per column of ``key``; without a key ``texts``, the whole content of each row, with how many of
    these were planted and how many there were before.
    """

    kind: str
    schema: str
    table: str
    rows: int
    key: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    texts: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    before: tuple[int, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return it as an event's data."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def as_result(self) -> dict[str, Any]:
        """Return what a result shows: no row, and no key."""
        return {"kind": self.kind, "table": f"{self.schema}.{self.table}", "rows": self.rows, "why": ""}


def is_production(environment: str | None) -> bool:
    """Tell whether this is what people call production, in any case and with anything beside it."""
    return _PRODUCTION.search(environment or "") is not None


def refuse_production(environment: str | None, ledger_environment: str | None) -> None:
    """Refuse to plant in production, or if nobody says that it is something else; raises BadInput."""
    named = [name for name in (environment, ledger_environment) if is_production(name)]
    if named:
        raise BadInput(
            "production",
            f"This is {named[0]!r}: rows are planted on rehearsal hosts only.",
            "They are wrong on purpose, and customers work with what is here. Nothing was changed.",
            "Rehearse on hosts like production; check -i and kanban_environment.",
        )
    if not (environment or ledger_environment or "").strip():
        raise BadInput(
            "no_environment",
            "Neither the command nor the ledger says which environment this is.",
            "It could be production, where nothing is broken on purpose. Nothing was changed.",
            "Say it: kanban_environment (option environment), for instance staging.",
        )


def asked(kinds: Sequence[Mapping[str, Any]], rows: int) -> list[Planting]:
    """Return what is asked for; raises BadInput if something is missing, or it is too much."""
    if not 1 <= rows <= MOST_ROWS:
        raise _bad(f"rows is {rows}; it is from 1 to {MOST_ROWS}.")
    found = []
    for given in kinds:
        known = {name: value for name, value in given.items() if value not in (None, "", [])}
        lacking = [name for name in NEEDS[known["kind"]] if name not in known]
        if lacking:
            raise _bad(f"The kind {known['kind']} of table {known['table']!r} lacks {' and '.join(lacking)}.")
        lists: dict[str, Any] = {name: tuple(map(str, known[name])) for name in ("columns", "tenants") if name in known}
        options: dict[str, Any] = {"rows": rows, **known, **lists}
        planting = Planting(**options)
        if not 1 <= planting.rows <= MOST_ROWS or len(planting.tenants) > MOST_ROWS:
            raise _bad(f"The kind {planting.kind} asks for more than {MOST_ROWS} rows, or for none.")
        found.append(planting)
    return found


def _bad(what: str) -> BadInput:
    return BadInput(
        "bad_kinds",
        what,
        "What a rehearsal breaks has to be known before anything is broken. Nothing was changed.",
        "See the options kinds and rows of rehearsal_data (kanban_rehearse_rows).",
    )


def still_planted(events: Sequence[tuple[str, str]]) -> list[Planted]:
    """Return what is on record as planted and not as removed completely.

    :param events: of one incident, oldest first, each with its data as JSON.
    """
    found: list[Planted] = []
    for event, data in events:
        told = json.loads(data)
        if event == PLANTED:
            found.append(_read(told))
        elif event == REMOVED and not told.get("left"):
            found = []
    return found


def _read(told: Mapping[str, Any]) -> Planted:
    lists = {name: tuple(told[name]) for name in ("key", "texts", "counts", "before")}
    keys = tuple(tuple(values) for values in told["keys"])
    return Planted(told["kind"], told["schema"], told["table"], told["rows"], keys=keys, **lists)
