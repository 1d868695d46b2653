# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of an incident, from what its runs did. Pure: neither Ansible nor a driver.

Null means not measured, never 0. Two hosts that lead to one database count once, by the identity of the database.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Step

if TYPE_CHECKING:
    # Hosts may have Python 3.8, which does not have it.
    from typing import TypeGuard


def number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a number, which True and False are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(values: Iterable[Any]) -> list[Any]:
    """Return those of some values that are numbers."""
    return [value for value in values if number(value)]


def steps_of(runs: Iterable[RunRecord], *sources: str) -> list[Step]:
    """Return the steps of some modules over all runs that were not plans, oldest first."""
    return sorted((step for run in runs if not run.is_plan for step in run.of(*sources)), key=lambda step: step.at)


def by_place(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """Return steps by the database that they acted on, in their order."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.place, []).append(step)
    return found


def sum_of(values: Iterable[Any]) -> Any:
    """Return the sum; null if there are no values, or one of them is not known."""
    known = list(values)
    return sum(known) if known and all(number(value) for value in known) else None


def first_figure(steps: Sequence[Step], name: str) -> Any:
    """Return the first figure of that name that is a number; null if there is none."""
    return next((step.figures[name] for step in steps if number(step.figures.get(name))), None)


def last_figure(steps: Sequence[Step], name: str) -> Any:
    """Return the last figure of that name that is a number; null if there is none."""
    return first_figure(list(reversed(steps)), name)


def is_stop(step: Step) -> bool:
    """Tell whether a step switched off for the stop itself: a replica has nothing to switch."""
    return step.source == "feature_flag" and step.role == "contain" and step.details.get("writable") is not False


def approvals(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    """Return what was done with an approval: ``at``, ``what``, ``approved_by`` and ``operator``."""
    return [
        {
            "at": step.at[:19],
            "what": "undone"
            if step.details.get("undone")
            else "restored"
            if step.source == "pg_restore_tables"
            else "repaired",
            "approved_by": str(step.details["approved_by"]),
            "operator": str(run.facts.get("operator") or ""),
        }
        for run in runs
        for step in run.of("integrity_repair", "pg_restore_tables", role="recover")
        if step.ok and step.changed and step.details.get("approved_by")
    ]


def records(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return rows by table: ``repaired`` in place, ``deleted`` into quarantine, ``restored`` from a backup."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps_of(runs, "integrity_repair", "pg_restore_tables"):
        if not _repairs(step):
            continue
        undone = bool(step.details.get("undone"))
        for row in step.details.get("tables") or []:
            table = found.setdefault(row["table"], {"repaired": 0, "deleted": 0, "restored": 0})
            changed, deleted, inserted = (row.get(name) or 0 for name in ("changed", "deleted", "inserted"))
            if undone:
                # What an undo brings back had been repaired, and no longer is.
                table["repaired"] = max(0, table["repaired"] - changed)
                table["deleted"] = max(0, table["deleted"] - deleted)
                table["restored"] = max(0, table["restored"] - inserted)
            else:
                table["repaired"] += changed
                table["deleted"] += deleted
                table["restored"] += inserted
    return [{"table": name, **counts} for name, counts in sorted(found.items())]


def integrity(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return how many rows were corrupt at first and by the last count, and what each check found."""
    counted = [step for step in steps_of(runs, "integrity_info") if step.role in ("assess", "validate", "triage")]
    whole = [step for step in counted if step.ok and step.figures.get("complete")]
    places = by_place(whole)
    repaired = by_place(step for step in steps_of(runs, "integrity_repair", "pg_restore_tables") if _repairs(step))
    validated = any(step.details.get("recorded") == "data validated" for step in steps_of(runs, "incident"))
    after = None
    if whole and (validated or any(step.role == "validate" for step in whole)):
        after = sum_of(_corrupt_after(steps[-1], repaired.get(place, [])) for place, steps in places.items())
    return {
        "before": sum_of(_corrupt(steps[0]) for steps in places.values()),
        "after": after,
        "checks": _checks(places, after is not None),
    }


def _corrupt(step: Step) -> Any:
    return step.figures.get("total_count")


def _repairs(step: Step) -> bool:
    return step.role == "recover" and step.ok and step.changed


def _corrupt_after(last: Step, repaired: Sequence[Step]) -> Any:
    """Return the last count; null if data was repaired since, as it is where only a ledger tells of the repair."""
    return None if any(step.at > last.at for step in repaired) else _corrupt(last)


def _checks(places: Mapping[str, Sequence[Step]], has_after: bool) -> list[dict[str, Any]]:
    before: dict[str, list[Any]] = {}
    after: dict[str, list[Any]] = {}
    status: dict[str, str] = {}
    for steps in places.values():
        for row in steps[0].details.get("checks") or []:
            before.setdefault(row["name"], []).append(row.get("count"))
            status.setdefault(row["name"], row["status"])
        for row in (steps[-1].details.get("checks") or []) if has_after else []:
            after.setdefault(row["name"], []).append(row.get("count"))
            status[row["name"]] = row["status"]
    return [
        {"name": name, "status": status[name], "before": sum_of(counts), "after": sum_of(after.get(name, []))}
        for name, counts in before.items()
    ]


def recovery_point(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return whether what was written after the fence is measured, and how many rows that is."""
    last = [steps[-1] for steps in by_place(steps_of(runs, "recovery_point_info")).values()]
    points = [step.details.get("point") or {} for step in last]
    measured = bool(points) and all(point.get("measured") is True for point in points)
    return {"measured": measured, "writes_after": sum_of(p.get("writes") for p in points) if measured else None}


def metrics(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the last judgement of the metrics with their values and limits.

    ``watched_seconds`` is that of the longest watch with this verdict since another verdict was given.
    """
    judged = [step for step in steps_of(runs, "metric_gate") if step.details.get("metrics")]
    if not judged:
        return {"verdict": None, "settled": None, "watched_seconds": None, "at": None, "rows": []}
    last = judged[-1]
    rows = [
        {name: row.get(name) for name in ("name", "verdict", "value", "max", "min", "critical", "unit", "growth")}
        for row in last.details["metrics"]
    ]
    figures = last.figures
    same = list(takewhile(lambda step: step.figures.get("verdict") == figures.get("verdict"), reversed(judged)))
    return {
        "verdict": figures.get("verdict"),
        "settled": figures.get("settled"),
        "watched_seconds": max(numbers(step.figures.get("watched_seconds") for step in same), default=None),
        "at": last.at,
        "rows": rows,
    }


def stages(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return what came back: for each switch of a return how many it switched, and how many had the feature."""
    found = []
    for step in steps_of(runs, "feature_flag"):
        figures = step.figures
        if step.role != "reenable" or not step.ok or not step.changed or not number(figures.get("changed_count")):
            continue
        stage = step.details.get("stage") or {}
        found.append(
            {
                "at": step.at,
                "host": step.host,
                "switched": figures["changed_count"],
                "on_after": figures.get("enabled_after"),
                "had_it": stage.get("had_it"),
                # A stage counts only its own; this many belong to those before it.
                "before": stage.get("before"),
                "tenants": stage.get("tenants"),
                "back": (figures.get("enabled_after") or 0) >= (figures.get("enabled_before") or 0),
            }
        )
    return found


def preserved(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what was kept: proven dumps with rows and bytes, and the hosts' evidence and whether it is whole."""
    dumps = [step for step in steps_of(runs, "pg_dump") if step.ok and number(step.figures.get("toc_entries"))]
    last = [steps[-1] for steps in by_place(dumps).values()]
    evidence = [step for step in steps_of(runs, "evidence") if step.ok]
    told = [*evidence, *steps_of(runs, "incident")]
    elsewhere = {(step.host, str(path)) for step in told for path in step.details.get("elsewhere", [])}
    return {
        "dumps": len(last) if steps_of(runs, "pg_dump") else None,
        "dump_hosts": sorted({step.host for step in last}),
        "rows": sum_of(step.figures.get("rows") for step in last),
        "bytes": sum_of(step.figures.get("bytes") for step in last),
        "evidence_hosts": sorted({step.host for step in evidence}),
        # The places that were used if a host's directory of incidents could not be written.
        "evidence_elsewhere": [{"host": host, "path": path} for host, path in sorted(elsewhere)],
        "evidence_complete": all(step.figures.get("complete") is True for step in evidence) if evidence else None,
    }


def backup(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return how many seconds of data the newest backup lacked, by the first answer; null if nobody asked."""
    asked = steps_of(runs, "backup_info")
    lost = numbers(step.figures.get("lost_seconds") for step in asked)
    recent = [step.figures["recent"] for step in asked if isinstance(step.figures.get("recent"), bool)]
    return {"lost_seconds": lost[0] if lost else None, "recent": recent[0] if recent else None}


def looks(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what was looked at after the stop: whether all hosts were well at their last look; null without one."""
    kinds = {
        "cache": ("cache_purge", "complete", ""),
        "proof": ("kill_proof_info", "proven", ""),
        "health": ("smoke_test", "passed", "healthy"),
        "walk": ("smoke_test", "passed", "through"),
        "processes": ("pm2_info", "ok", ""),
    }
    return {name: _look(steps_of(runs, source), figure, word) for name, (source, figure, word) in kinds.items()}


def _look(steps: Sequence[Step], figure: str, word: str) -> bool | None:
    last = {step.host: step for step in steps if word in step.task and step.role != "release"}
    if not last:
        return None
    return all(step.ok and step.figures.get(figure) is not False for step in last.values())
