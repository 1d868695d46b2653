# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of an incident: the steps that a person wants to read, in a bounded number. Pure.

``what`` is a word of ours for which the report and the messages have a text in each language.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import phase_of

MOST_LINES = 200
# Up to so many hosts that did the same thing in one run have a line each; more than that share one.
MOST_HOSTS = 4
_FIGURES = (
    "total",
    "enabled_after",
    "changed_count",
    "status",
    "rows",
    "quarantined",
    "restored",
    "total_count",
    "verdict",
    "lost_bytes",
    "lost_priors",
)


def _flag(step: Step) -> str:
    if step.role == "reenable":
        back = (step.figures.get("enabled_after") or 0) >= (step.figures.get("enabled_before") or 0)
        return ("returned" if back else "withdrawn") if step.changed else ""
    if "failover" in step.details:
        return "failover"
    return "sweep" if "sweep" in step.details else "kill"


def _fence(step: Step) -> str:
    lowered = step.figures.get("status") == "absent"
    if step.role in ("release", "reenable"):
        return ("fence_lowered" if step.changed else "") if lowered else "fence"
    return "fence" if step.changed or not step.ok else ""


def _block(step: Step) -> str:
    if step.figures.get("held") is False:
        return "block_released" if step.changed else ""
    return "block" if step.changed or not step.ok else ""


def _repair(step: Step) -> str:
    if step.role != "recover":
        return "plan"
    if step.details.get("undone"):
        return "undone"
    return ("restored" if step.source == "pg_restore_tables" else "repaired") if step.changed or not step.ok else ""


def _incident(step: Step) -> str:
    recorded = str(step.details.get("recorded") or "")
    words = {
        "data validated": "data_validated",
        "data not validated": "data_not_validated",
        "released": "released",
        "raised again": "raised_again",
        "override": "override",
        "validation overridden": "override",
        "lease taken by force": "override",
        "triage": "triage",
        "ranking frozen": "ranking",
    }
    return words.get(recorded, "")


def _dump(step: Step) -> str:
    if not step.ok:
        return "dump"
    # The task that only starts the job says nothing yet, and a run that finds an earlier run's dump has made none.
    return ("dump" if step.changed else "dump_found") if number(step.figures.get("toc_entries")) else ""


_WHAT: Mapping[str, Callable[[Step], str]] = {
    "feature_flag": _flag,
    "write_fence": _fence,
    "write_block": _block,
    "integrity_repair": _repair,
    "pg_restore_tables": _repair,
    "incident": _incident,
    "pg_dump": _dump,
    "evidence": lambda step: "evidence",
    "cache_purge": lambda step: "cache",
    "kill_proof_info": lambda step: "proof",
    "integrity_info": lambda step: "checked",
    "recovery_point_info": lambda step: "point",
    "smoke_test": lambda step: "walked",
    "metric_gate": lambda step: "metrics",
    "affected_tenants_info": lambda step: "ranked",
}
# For lines about something that no host did.
_NOBODY_S: Mapping[str, Any] = {"host": "", "hosts": 0, "failed": False}
# Every word that a line can have.
WORDS = (
    "detected", "began", "ended", "returned", "withdrawn", "sweep", "failover", "kill", "fence", "fence_lowered",
    "block", "block_released", "plan", "undone", "restored", "repaired", "data_validated", "data_not_validated",
    "released", "raised_again", "override", "triage", "ranking", "dump", "dump_found", "evidence", "cache",
    "proof", "checked", "point", "walked", "metrics", "ranked",
)  # fmt: skip


def timeline(runs: Sequence[RunRecord], detected: str | None = None) -> tuple[list[dict[str, Any]], int]:
    """Return at most ``MOST_LINES`` lines, oldest first, and how many were left out.

    Each has ``at``, ``phase``, ``host`` (empty for several), ``hosts``, ``what``, ``failed``, ``figures``, ``run_id``.

    :param detected: the moment that people wrote down, which no run can know; it has no phase.
    """
    lines = [line for run in runs if not run.is_plan for line in _of_run(run)]
    if detected and lines:
        lines.append({**_NOBODY_S, "at": detected, "phase": "", "what": "detected", "figures": {}, "run_id": ""})
    lines.sort(key=lambda line: str(line["at"]))
    if len(lines) <= MOST_LINES:
        return lines, 0
    # The beginning tells what was stopped, the end tells the current state.
    half = MOST_LINES // 2
    return lines[:half] + lines[-half:], len(lines) - MOST_LINES


def _of_run(run: RunRecord) -> list[dict[str, Any]]:
    run_id = run.reading.run_id
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in run.steps:
        what = _WHAT[step.source](step) if step.source in _WHAT else ""
        if what:
            groups.setdefault((step.play, what, step.ok, step.task), []).append(step)
    lines = [_edge(run, "began", run.reading.began_at)] if run.file else []
    for (_play, what, _ok, _task), steps in groups.items():
        if len(steps) > MOST_HOSTS:
            last = max(steps, key=lambda step: step.at)
            lines.append(_line(run_id, what, last, "", len({step.host for step in steps}), _summed(steps)))
        else:
            lines += [_line(run_id, what, step, step.host, 1, _figures(step)) for step in steps]
    if run.ended_at:
        lines.append(_edge(run, "ended", run.ended_at))
    return lines


def _figures(step: Step) -> Mapping[str, Any]:
    """Return a step's figures, including what a failover has cost."""
    return {**step.figures, **step.details.get("failover", {})}


def _edge(run: RunRecord, what: str, at: str) -> dict[str, Any]:
    figures = {"playbook": run.playbook, "verdict": run.verdict if what == "ended" else ""}
    phase = "report" if what == "ended" else phase_of("", run.playbook)
    return {**_NOBODY_S, "at": at, "phase": phase, "what": what, "figures": figures, "run_id": run.reading.run_id}


def _line(run_id: str, what: str, step: Step, host: str, hosts: int, figures: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: figures[name] for name in _FIGURES if name in figures}
    return {
        "at": step.at,
        "phase": step.phase,
        "host": host,
        "hosts": hosts,
        "what": what,
        "failed": not step.ok,
        "figures": kept,
        "run_id": run_id,
    }


def _summed(steps: Sequence[Step]) -> dict[str, Any]:
    """Return figures of several hosts together: each database once, by its last answer; words only if all agree."""
    last = {step.place: _figures(step) for step in steps}.values()
    found: dict[str, Any] = {}
    for name in _FIGURES:
        values = [figures[name] for figures in last if name in figures]
        if values and all(number(value) for value in values):
            found[name] = sum(values)
        elif values and len(set(map(str, values))) == 1:
            found[name] = values[0]
    return found
