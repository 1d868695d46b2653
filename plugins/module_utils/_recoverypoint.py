# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a recovery point: what became of each table's rows, and overall. Neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import OPERATIONS, Scope

WHOLE, PART, NONE = "whole", "part", "none"
KEY, ROW, COUNT = "key", "row", "count"


def kind_of(scope: Scope | None) -> str:
    """Return whether a table is fenced whole, in part, or not at all."""
    if scope is None:
        return NONE
    return WHOLE if scope.operations == OPERATIONS and not scope.columns else PART


@dataclass(frozen=True)
class Since:
    """What was written to a table fenced whole since the end of the drain, without what our repairs did.

    ``stamped``: rows that a later transaction left. ``deleted``: deletions by the counters, which also count what was
    rolled back and what a session from before the fence reported late (an idle one does so for ten seconds).
    ``untouched``: nobody has touched the fence since, so that only these can be behind such a count.
    """

    stamped: int
    deleted: int
    untouched: bool


@dataclass
class Point:
    """One table. ``new``: rows that are not in the dump; ``gone``: only in it; ``changed``: in what is fenced.

    ``lacking``: why its writes are not known; ``after_drain``: whether the dump is younger than the end of the drain.
    """

    name: str
    scope: Scope | None = None
    compared_by: str | None = None
    rows_then: int | None = None
    rows_now: int | None = None
    quarantined: int = 0
    restored: int = 0
    back: int = 0
    new: int = 0
    gone: int = 0
    changed: int = 0
    since: Since | None = None
    after_drain: bool = True
    lacking: list[str] = field(default_factory=list)
    samples: Sequence[Mapping[str, Any]] = ()

    @property
    def fenced(self) -> str:
        """How much of it is fenced."""
        return kind_of(self.scope)

    @property
    def accounted(self) -> bool:
        """Whether every row of the dump is there, or in quarantine."""
        if self.rows_then is None or self.rows_now is None or self.compared_by is None or self.gone:
            return False
        return self.rows_then - self.quarantined + self.back + self.new == self.rows_now

    @property
    def differing(self) -> int:
        """Rows that differ from the dump in what the fence refuses."""
        operations = self.scope.operations if self.scope else ()
        gone = self.gone if "DELETE" in operations or "TRUNCATE" in operations else 0
        new = self.new if "INSERT" in operations else 0
        return self.changed + gone + new

    def judge(self) -> None:
        """Add to ``lacking`` what the figures themselves leave open."""
        if self.fenced == NONE or self.lacking:
            return
        if self.compared_by not in (KEY, ROW):
            self.lacking.append("It has no key, so its rows cannot be told from each other.")
        elif self.fenced == PART and self.differing and not self.after_drain:
            self.lacking.append(
                f"{self.differing} rows differ from the dump, which is older than the end of the drain: they may have "
                "been written before."
            )
        elif self.unseen and not (self.since and self.since.untouched):
            self.lacking.append(
                f"The counters say that {self.unseen} rows were deleted, no row of the dump is missing, and the fence "
                "was touched since the end of the drain: they may have been deleted past it before the dump."
            )

    @property
    def unseen(self) -> int:
        """Deletions that the counters report and no row shows."""
        return max(0, self.since.deleted) if self.fenced == WHOLE and self.since and not self.writes else 0

    @property
    def measured(self) -> bool:
        """Whether its writes are known."""
        return self.fenced != NONE and not self.lacking

    @property
    def writes(self) -> int | None:
        """Rows written against the fence; None if that is unknown, or nothing is refused."""
        if not self.measured:
            return None
        differing = self.differing if self.after_drain else 0
        return max(differing, self.since.stamped) if self.since else differing

    def as_result(self) -> dict[str, Any]:
        """Return it as the module shows it."""
        names = ("name", "fenced", "compared_by", "rows_then", "rows_now", "quarantined", "restored", "new", "gone")
        shown = {name: getattr(self, name) for name in (*names, "changed", "accounted", "measured", "writes")}
        late = self.unseen if self.measured else 0
        return {**shown, "reported_late": late, "why": " ".join(self.lacking), "samples": list(self.samples)}


def overall(points: Sequence[Point], lsn: str | None, at: str) -> dict[str, Any]:
    """Return the recovery point over all fenced tables: known only if it is known for each."""
    fenced = [point for point in points if point.fenced != NONE]
    why = [f"{point.name}: {' '.join(point.lacking)}" for point in fenced if point.lacking]
    if not fenced:
        why = ["No fenced table was named, so nothing was refused."]
    measured = bool(fenced) and all(point.measured for point in fenced)
    writes = sum(point.writes or 0 for point in fenced) if measured else None
    return {"measured": measured, "writes": writes, "why": " ".join(why), "lsn": lsn, "at": at}
