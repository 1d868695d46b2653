# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of the data, and what it finds. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityspec import SEVERITIES

# The code of a check whose own table does not exist.
OWN_TABLE = "missing_own_table"
# Only checks of this severity decide whether data is corrupt or sound: in triage, and after a repair.
DECIDES = "critical"
# Codes for something the schema lacks; any other error is a failure of the check.
_LACKING = ("missing_table", "missing_column", "other_schema", "too_little_history")


@dataclass(frozen=True)
class Reference:
    """The rows that a column points to: their table, their key, and their tenant column if that matters."""

    table: str
    column: str
    tenant: str | None = None


@dataclass(frozen=True)
class Lanes:
    """The table whose rows are lanes: all of them, or those whose ``mark`` is ``mark_value``.

    ``through`` is the column of a card that leads to its lane.
    """

    table: str
    column: str
    tenant: str | None = None
    mark: str | None = None
    mark_value: str = "1"
    through: str | None = None


@dataclass(frozen=True)
class Against:
    """What was there: ``rows`` rows at the time ``at``, or rows with these ``ids``; ``manifest`` is a dump's path."""

    manifest: str | None = None
    rows: int | None = None
    at: str | None = None
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Check:
    """One check; its fields are its options, with names exactly as the user gave them."""

    name: str
    kind: str
    table: str = ""
    unless: str | None = None
    column: str | None = None
    columns: tuple[str, ...] = ()
    references: Reference | None = None
    other_column: str | None = None
    other_references: Reference | None = None
    tenant: str | None = None
    null_is: str = "orphan"
    position: str | None = None
    lane: tuple[str, ...] = ()
    gaps: str = "corrupt"
    lanes: Lanes | None = None
    share: float = 0.95
    time: str | None = None
    time_zone: str = "UTC"
    window_hours: int = 24
    baseline_days: int = 28
    threshold: float = 5.0
    departure: str | None = None
    against: Against | None = None
    query: str | None = None
    severity: str = "critical"
    tolerate: int = 0

    def needed(self, option: str) -> Any:
        """Return an option that this kind of check needs; raises BadInput if it is missing."""
        value = getattr(self, option)
        if not value:
            raise self.wrong("incomplete_check", f"lacks the option {option}, which its kind {self.kind} needs")
        return value

    def wrong(self, code: str, what: str) -> BadInput:
        """Return the error for an invalid option."""
        return BadInput(
            code,
            f"The check {self.name!r} {what}.",
            "It looked at nothing.",
            "Correct it in kanban_integrity_checks (option checks).",
        )


# Conversions of options that are more than text. Numbers may arrive as text, from a template.
_MADE: Mapping[str, Callable[[Any], Any]] = {
    "references": lambda given: Reference(**_given(given)),
    "other_references": lambda given: Reference(**_given(given)),
    "lanes": lambda given: Lanes(**_given(given)),
    "against": lambda given: Against(**_given(given)),
    "share": float,
    "window_hours": int,
    "baseline_days": int,
    "threshold": float,
    "tolerate": int,
}


def check_from(given: Mapping[str, Any]) -> Check:
    """Return the check that a module's parameter describes; anything that is not a field of ``Check`` is ignored."""
    known = {field.name for field in fields(Check)}
    named: dict[str, Any] = {}
    for name, value in given.items():
        # A share of 0 is a value; an empty name is not.
        if name in known and value is not None and value != "":
            named[name] = _MADE[name](value) if name in _MADE else _fixed(value)
    return Check(**{"name": given["name"], "kind": given["kind"], **named})


def _given(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fixed(each) for name, each in value.items() if each is not None}


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def checks_from(given: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return the checks of a module's parameters; raises BadInput for none, or for two with the same name."""
    checks = [check_from(one) for one in given]
    names = [check.name for check in checks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not checks:
        raise BadInput(
            "bad_checks",
            f"Two checks have the same name: {', '.join(twice)}." if twice else "No check is given.",
            "Results go by a check's name, and no check is no proof. Nothing was looked at.",
            "Give each check a name of its own (kanban_integrity_checks, option checks).",
        )
    return checks


@dataclass
class Finding:
    """The outcome of one check.

    ``status``: ok, corrupt, not_applicable, timeout or failed; ``why`` says why, also for ok if rows were tolerated.
    ``count`` is None if it is unknown, and a lower bound if ``exact`` is False. ``code`` is that of the error, if any.
    """

    check: Check
    status: str = "failed"
    count: int | None = None
    exact: bool = True
    groups: int | None = None
    first_at: str | None = None
    last_at: str | None = None
    affected_tenants: int | None = None
    samples: list[dict[str, str]] = field(default_factory=list)
    elapsed_ms: int = 0
    why: str = ""
    code: str | None = None

    @property
    def urgency(self) -> int:
        """The rank for the order of checks: those that decide run before those that only inform."""
        return SEVERITIES.index(self.check.severity)

    def judge(self) -> None:
        """Decide whether what was counted is corruption."""
        found = self.count or 0
        self.status = "corrupt" if found > self.check.tolerate else "ok"
        if found and self.status == "ok":
            self.why = f"{found} found, and up to {self.check.tolerate} are tolerated"

    def fail(self, error: KanbanError, about: str = "") -> None:
        """Record why there is no count; ``about`` is what else is known."""
        self.status = "timeout" if isinstance(error, Timeout) else "failed"
        if error.code in _LACKING:
            self.status = "not_applicable"
        self.code = error.code
        if error.code == "missing_table" and error.details.get("wanted") == self.check.table:
            # The table it checks, not one that it refers to: the name is wrong, or somebody has dropped the table.
            self.code = OWN_TABLE
        # Only this advice, a grant, is added; that of other errors is about the check's options, or the server.
        todo = error.todo if error.code == "missing_privilege" else ""
        self.why = " ".join(text for text in (error.what, about, todo) if text)

    def as_result(self) -> dict[str, Any]:
        """Return the check's part of the module's result."""
        result = {name: value for name, value in vars(self).items() if name != "check"}
        told = {name: getattr(self.check, name) for name in ("name", "kind", "severity")}
        return {**told, **result}


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what all checks say together.

    ``status`` is corrupt as soon as one check is; ok only if all that apply have counted, and at least one does; else
    unknown, because a check that does not apply has not passed.
    """
    by = {
        status: [finding.check.name for finding in findings if finding.status == status]
        for status in ("ok", "corrupt", "not_applicable", "timeout", "failed")
    }
    complete = not by["timeout"] and not by["failed"]
    status = "corrupt" if by["corrupt"] else "ok" if complete and by["ok"] else "unknown"
    return {
        "checks": [finding.as_result() for finding in findings],
        "status": status,
        "corrupt": bool(by["corrupt"]),
        "complete": complete,
        "total_count": sum(finding.count or 0 for finding in findings if finding.status == "corrupt"),
        "counts": {finding.check.name: finding.count for finding in findings if finding.count is not None},
        "not_applicable": by["not_applicable"],
        "not_known": by["timeout"] + by["failed"],
    }


def is_lacking(check: Mapping[str, Any]) -> bool:
    """Return whether a check says nothing here; a missing table of a check that decides does say something."""
    decides_without_table = check.get("code") == OWN_TABLE and check["severity"] == DECIDES
    return check["status"] == "not_applicable" and not decides_without_table
