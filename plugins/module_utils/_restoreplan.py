# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore is asked for, the outcome of the comparison, and what comes back. Neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import moment_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoresource import About

# The kinds of rows, as results name them. Only the first three ever come back.
KINDS = (
    "missing",
    "changed",
    "deleted",
    "newer",
    "reused",
    "without_parent",
    "taken",
    "superseded",
)
# Rows that are gone and that no restore of these tables brings back. Rows that a check names had better stay away.
LOST = ("reused", "without_parent", "taken")
_ASKED = ("name", "tenant", "created")


@dataclass(frozen=True)
class Asked:
    """A requested table. ``created``: the column that distinguishes a row from another one that took its key."""

    name: str
    tenant: str | None = None
    created: str | None = None


def lost_rows(plan: Mapping[str, Any]) -> dict[str, int]:
    """Return how many rows of a backup each table has lost for good, from a plan as results show it.

    A repair's plan is not compared with a backup, and has none.
    """
    found = {table["table"]: sum(table.get(kind) or 0 for kind in LOST) for table in plan.get("tables") or []}
    return {table: rows for table, rows in found.items() if rows}


def asked_from(given: Sequence[Any]) -> list[Asked]:
    """Return the tables of the option ``tables``, names or maps; raises BadInput."""
    found = []
    for one in given:
        options = {"name": one} if isinstance(one, str) else one
        if not isinstance(options, Mapping) or set(options) - set(_ASKED) or not options.get("name"):
            raise BadInput(
                "bad_tables",
                f"An entry of tables is {one!r}.",
                "It is not clear which table is meant. Nothing was changed.",
                f"Give names, or maps of {', '.join(_ASKED)}.",
            )
        found.append(Asked(**{name: str(value) for name, value in options.items() if value}))
    names = [asked.name for asked in found]
    if not found or len(set(names)) < len(names):
        raise BadInput(
            "bad_tables",
            "A table is named twice." if found else "No table is named.",
            "Each is compared once, and what is not named stays as it is. Nothing was changed.",
            "Correct the option tables.",
        )
    return found


@dataclass
class Compared:
    """The outcome of a table's comparison. ``by``: key, or row: whole rows, as often as they occur.

    ``counts`` are rows by kind; ``sums``, by kind, tell whether what would come back is still the same.
    ``partitions_unknown``: the backup does not say which partitions the table had.
    """

    table: str
    by: str = "key"
    rows_in_backup: int = 0
    rows_now: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    columns: list[dict[str, Any]] = field(default_factory=list)
    tenants: list[dict[str, Any]] = field(default_factory=list)
    tenants_count: int | None = None
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    sums: dict[str, tuple[str, str]] = field(default_factory=dict)
    partitions_unknown: bool = False

    def count(self, *kinds: str) -> int:
        """Return how many rows are of these kinds."""
        return sum(self.counts.get(kind, 0) for kind in kinds)

    def parts(self, inserted: Collection[str]) -> list[Part]:
        """Return what an apply inserts; what it changes is in the repair's own plan."""
        return [
            Part(kind, self.table, "insert", self.counts[kind], sums=self.sums[kind])
            for kind in inserted
            if self.counts.get(kind)
        ]

    def lost(self) -> list[Part]:
        """Return what is gone and stays away: whoever approves a plan approves that too."""
        return [
            Part(kind, self.table, "none", self.counts[kind], sums=self.sums[kind]) for kind in LOST if self.count(kind)
        ]

    def as_result(self) -> dict[str, Any]:
        """Return it as results show it."""
        names = ("table", "by", "rows_in_backup", "rows_now")
        told = {name: getattr(self, name) for name in names}
        lists = ("columns", "tenants", "tenants_count", "samples")
        return {
            **told,
            **{kind: self.count(kind) for kind in KINDS},
            **{name: getattr(self, name) for name in lists},
            "dropped_columns": self.dropped,
            "added_columns": self.added,
        }


def late_error(about: About, corrupt_since: str | None) -> KanbanError | None:
    """Return why a backup may not be used: it shows the data after corruption began; None if it does not.

    Raises BadInput for an invalid time.
    """
    if not corrupt_since:
        return None
    since = _moment(corrupt_since)
    if about.taken_at is None:
        return KanbanError(
            "backup_time_unknown",
            f"{about.path} does not say when it was made, and the data is corrupt since {corrupt_since}.",
            "It may have what is wrong in it, and would bring that back. Nothing was changed.",
            "Use a backup that tells its time, or say that you know it: allow_late.",
        )
    taken = _moment(about.taken_at)
    if taken > since or (taken == since and not about.exclusive):
        return KanbanError(
            "backup_too_late",
            f"{about.path} shows the data at {about.taken_at}, and it is corrupt since {corrupt_since}.",
            "It has what is wrong in it, and would bring that back. Nothing was changed.",
            "Use an older backup; to use this one for what it still has: allow_late.",
        )
    return None


def _moment(text: str) -> float:
    moment = moment_of(text)
    if moment is not None:
        return moment
    raise BadInput(
        "bad_time",
        f"corrupt_since is {text!r}.",
        "Without the moment nobody can tell which backup is from before it. Nothing was changed.",
        "Give it with its zone, for instance 2026-11-25T02:45:00-03:00.",
    )


def other_database(about: About, name: str, cluster: str) -> BadInput | None:
    """Return why these rows are not from this database, as far as the source tells; None if nothing says so."""
    if about.cluster is not None and about.cluster != cluster:
        what = f"is a dump of the database {about.database!r} on another server, or of that name"
    elif about.cluster is None and about.database is not None and about.database != name:
        what = f"is of the database {about.database!r}, and this one is {name!r}"
    else:
        return None
    return BadInput(
        "other_database",
        f"{about.path} {what}.",
        "Compared with it everything would be another row. Nothing was changed.",
        "Name a backup of this database.",
    )
