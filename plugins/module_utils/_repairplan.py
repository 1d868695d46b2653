# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair will do, whether it may, and whether it did. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError

# What is done if a check does not say; all other kinds are only looked at.
DEFAULT_ACTIONS = {
    "duplicate": "delete",
    "orphan": "delete",
    "invalid_reference": "set_null",
    "ordering": "renumber",
    "two_lanes": "delete",
}
# Kinds whose rows are found one by one, and so can be deleted, or have their column set, one by one.
ROWWISE = ("cross_tenant", "invalid_reference", "null_reference", "orphan")
_ON_ROWS = ("delete", "none", "set_null", "set_value")
ACTIONS = {
    "duplicate": ("delete", "none"),
    "ordering": ("none", "renumber"),
    "two_lanes": ("delete", "none"),
    **dict.fromkeys(ROWWISE, _ON_ROWS),
}
FORMAT = 2  # The version of what the plan's hash is made of.
# For the estimate: rows changed per second, and rows read per second where no index helps.
_ROWS_A_SECOND, _READ_A_SECOND = 10_000, 5_000_000


@dataclass(frozen=True)
class Repair:
    """How a check is repaired: ``delete``, ``set_null``, ``set_value``, ``renumber``, or ``none``: it is only
    judged."""

    action: str = "none"
    value: str | None = None
    order_by: str | None = None


def repair_of(check: Mapping[str, Any]) -> Repair:
    """Return how a check of the module's parameters is repaired; raises BadInput if its options do not fit together."""
    given = check.get("repair") or {}
    kind = check["kind"]
    action = given.get("action") or DEFAULT_ACTIONS.get(kind, "none")
    value = given.get("value")
    if action not in ACTIONS.get(kind, ("none",)):
        raise _bad(check["name"], f"its kind {kind} cannot be mended by {action}")
    if value is not None and not given.get("action") and action == "set_null":
        action = "set_value"
    if (action == "set_value") != (value is not None):
        raise _bad(check["name"], "the action set_value and repair.value are given together, or neither is")
    if action in ("set_null", "set_value") and not check.get("column"):
        raise _bad(check["name"], f"{action} needs the option column")
    return Repair(action, value, given.get("order_by"))


def _bad(name: str, what: str) -> BadInput:
    return BadInput(
        "bad_repair",
        f"The repair of the check {name!r} does not go together: {what}.",
        "A repair that is not clear would change the wrong rows. Nothing was changed.",
        "Correct it in kanban_integrity_checks (option checks, suboption repair).",
    )


@dataclass
class Part:
    """What a plan does to one table for one check; ``via`` is the foreign key by which rows go along, if any."""

    check: str
    table: str
    action: str
    rows: int
    via: str | None = None
    effect: str | None = None
    sums: tuple[str, str] = ("0", "0")

    def as_result(self) -> dict[str, Any]:
        """Return it as the result shows it."""
        return {name: getattr(self, name) for name in ("check", "table", "action", "rows", "via", "effect")}


@dataclass
class Planned:
    """One check: how it is repaired, what it found. ``status``: as in ``integrity_info``; ``count``: None if
    unknown."""

    name: str
    kind: str
    repair: Repair
    tolerate: int = 0
    status: str = "ok"
    count: int | None = None
    remaining: int | None = None
    why: str = ""
    code: str | None = None
    samples: list[dict[str, str]] = field(default_factory=list)

    @property
    def mends(self) -> bool:
        """Whether the plan changes rows for it."""
        return self.repair.action != "none" and bool(self.count) and self.status == "corrupt"

    def as_result(self) -> dict[str, Any]:
        """Return it as the result shows it."""
        told = {name: value for name, value in vars(self).items() if name != "repair"}
        return {**told, "action": self.repair.action}


class Where(NamedTuple):
    """The place that a plan is approved for: the same rows elsewhere, or again after an undo, are another plan.

    ``incident``: the ledger's own id of it; ``number``: how many repairs it had before, including undone ones.
    """

    cluster: str
    database: str
    incident: str
    number: int


@dataclass
class Plan:
    """A plan as figures; the rows themselves stay in the server.

    ``lost``: rows of a backup that are gone for good. ``rows_of``: the row count of each touched table. ``refused``:
    why it could not be applied, as results show it.
    """

    checks: list[Planned]
    parts: list[Part] = field(default_factory=list)
    lost: list[Part] = field(default_factory=list)
    rows_of: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    unindexed: list[dict[str, Any]] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """How many rows are deleted or changed, including those that go along."""
        return sum(part.rows for part in self.parts)

    def touched(self) -> dict[str, int]:
        """Return how many rows of each table are touched."""
        found: dict[str, int] = {}
        for part in self.parts:
            found[part.table] = found.get(part.table, 0) + part.rows
        return found

    @property
    def fraction(self) -> float:
        """The largest share of any table that is touched."""
        return max((rows / max(1, self.rows_of.get(table, 0)) for table, rows in self.touched().items()), default=0.0)

    def hash(self, checks: Sequence[Mapping[str, Any]], where: Where) -> str:
        """Return the plan's hash: of its place, of the checks as they were given, and of the content of every row."""
        lists = [
            sorted([part.check, part.table, part.action, part.via or "", part.rows, *part.sums] for part in parts)
            for parts in (self.parts, *([self.lost] if self.lost else []))
        ]
        body = json.dumps([FORMAT, list(where), _essence(checks), *lists], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()

    def as_result(self) -> dict[str, Any]:
        """Return it as the result shows it."""
        touched = self.touched()
        return {
            "checks": [check.as_result() for check in self.checks],
            "parts": [part.as_result() for part in self.parts],
            "cascades": [part.as_result() for part in self.parts if part.via],
            "tables": [
                {
                    "table": table,
                    "rows": self.rows_of.get(table, 0),
                    "touched": rows,
                    "fraction": round(rows / max(1, self.rows_of.get(table, 0)), 6),
                }
                for table, rows in touched.items()
            ],
            "total_rows": self.total,
            "fraction": round(self.fraction, 6),
            "estimate_seconds": self.estimate(),
            "unindexed": self.unindexed,
            "triggers": self.triggers,
            "refused": self.refused,
        }

    def estimate(self) -> float:
        """Return roughly how many seconds applying it takes: looking twice, changing, and reading without an index."""
        if not self.total:
            return 0.0
        reading = sum(row["parents"] * row["rows"] for row in self.unindexed) / _READ_A_SECOND
        return round(float(2 * self.seconds + self.total / _ROWS_A_SECOND + reading), 1)


def _essence(value: Any) -> Any:
    """Return options without those not given, so that options of later versions do not change an older plan's hash."""
    if isinstance(value, Mapping):
        return {str(name): _essence(inner) for name, inner in value.items() if inner is not None and name != "severity"}
    return [_essence(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def refusals(plan: Plan, max_rows: int, max_fraction: float) -> list[dict[str, Any]]:
    """Return why a plan may not be applied as it is: limits that it exceeds, and checks whose count is unknown."""
    found = list(plan.refused)
    if plan.total > max_rows:
        found.append(
            refusal("too_many_rows", f"It would touch {plan.total} rows; max_rows is {max_rows}.", rows=plan.total)
        )
    if plan.fraction > max_fraction:
        table = max(plan.touched(), key=lambda name: plan.touched()[name] / max(1, plan.rows_of.get(name, 0)))
        found.append(
            refusal(
                "too_large_fraction",
                f"It would touch {plan.fraction:.1%} of {table}; max_fraction is {max_fraction:.1%}.",
                table=table,
                fraction=round(plan.fraction, 6),
            )
        )
    unknown = [check for check in plan.checks if check.status in ("failed", "timeout")]
    if unknown:
        why = "; ".join(f"{check.name}: {check.why}" for check in unknown)
        found.append(refusal("not_known", f"Checks did not count, so nobody could say that nothing got worse. {why}"))
    return found


def refusal(code: str, what: str, **more: Any) -> dict[str, Any]:
    """Return one reason, as results show it."""
    return {"code": code, "what": what, **more}


# What a person does about each reason.
_TODO = {
    "too_many_rows": "Look whether the checks are right; then raise kanban_max_rows (max_rows).",
    "too_large_fraction": "Look whether the checks are right; then raise kanban_max_fraction (max_fraction).",
    "restricted": "Mend the rows that refer to them first, by a check of their own, or drop this repair.",
    "follows_update": "Mend the rows that refer to them by a check of their own, or delete them; or drop this repair.",
    "check_not_valid": "Mend such rows by hand with a copy of them, or drop that check until after this incident.",
    "circular": "Make one of these keys DEFERRABLE (ALTER TABLE ... ALTER CONSTRAINT), or leave these rows out.",
    "not_nullable": "Give repair.value (a lane that every tenant has), or drop this repair.",
    "missing_privilege": "Grant it (bootstrap.yml: kanban_role_repairs or kanban_role_restores), or take another role.",
    "not_fenced": "Raise the fence again (scenario3.yml does), or go on without: kanban_break_glass, what: [unfenced].",
    "inherited": "Mend the tables below it by checks of their own.",
    "not_known": "Give the checks more time, or see what stops them.",
}


def refused_error(reasons: Sequence[Mapping[str, Any]]) -> KanbanError:
    """Return the error of a plan that may not be applied, with the code of the first reason."""
    first = reasons[0]
    return KanbanError(
        str(first["code"]),
        " ".join(str(reason["what"]) for reason in reasons),
        "Nothing was changed: a repair either does what was approved, or nothing.",
        _TODO.get(str(first["code"]), "Read the reasons, then plan again."),
    )


def hash_error(given: str | None, present: str) -> KanbanError:
    """Return the error when no plan was approved, or another one."""
    return KanbanError(
        "plan_changed" if given else "plan_hash_missing",
        f"The plan is {present} by now, and {given} was approved." if given else "No plan_hash is given.",
        "Only what was looked at and approved is applied: rows, or the checks, may not be what they were. "
        "Nothing was changed.",
        f"Look at the plan in this result; to apply it: kanban_plan_hash={present}.",
    )


def worse(
    before: Sequence[Planned], touched: bool, emptied: Mapping[str, int], informs: Collection[str] = ()
) -> list[str]:
    """Return the reasons not to commit: a repaired check beyond what it tolerates, or any other check that grew.

    :param emptied: by how much a check may grow because the plan itself empties what the check looks for.
    :param informs: the names of checks whose growth is no reason; ``grown`` tells of it.
    """
    found = [
        f"{check.name} still counts {check.remaining}"
        for check in before
        if check.mends and touched and check.remaining is not None and check.remaining > check.tolerate
    ]
    return found + [text for name, text in grown(before, emptied) if name not in informs]


def grown(before: Sequence[Planned], emptied: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the checks without a repair that count more than before: name, and both figures."""
    return [
        (check.name, f"{check.name} counts {check.remaining} after {check.count}")
        for check in before
        if not (check.mends or check.remaining is None or check.count is None)
        and check.remaining > check.count + emptied.get(check.name, 0)
    ]
