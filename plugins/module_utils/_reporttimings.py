# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an incident or a rehearsal took, step by step, with nobody's name in it. Pure.

docs/report.md describes the file. It outlives the retention, so it has the number of hosts but not their names.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number, numbers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import (
    REHEARSAL,
    scenario_of,
    seen,
)

SCHEMA = 1
STEPS = (
    "kill", "fence", "block", "sweep", "evidence", "dump", "check", "plan", "repair", "restore", "point", "cache",
    "proof", "walk",
)  # fmt: skip
# The states that mean that the stop held, so that a rehearsal counts.
GREEN_STATES = ("contained", "recovered", "released", "reenabled")
_SOURCES = {
    "feature_flag": "kill",
    "write_fence": "fence",
    "integrity_repair": "repair",
    "pg_restore_tables": "restore",
    "write_block": "block",
    "evidence": "evidence",
    "pg_dump": "dump",
    "integrity_info": "check",
    "recovery_point_info": "point",
    "cache_purge": "cache",
    "kill_proof_info": "proof",
    "smoke_test": "walk",
}


def timings(summary: Mapping[str, Any], runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the timings of an incident; None means not measured."""
    seconds = summary["seconds"]
    contain, validate = seconds["contain"], seconds["validate"]
    verify = round(validate - contain, 1) if number(contain) and number(validate) and validate >= contain else None
    done = [run for run in runs if not run.is_plan]
    return {
        "schema": SCHEMA,
        "incident_id": summary["incident_id"],
        "rehearsal": summary["rehearsal"],
        "began": summary["moments"]["began"],
        "scenario": summary["scenario"],
        "severity": summary["severity"],
        "environment": summary["environment"],
        "version": summary["version"],
        "state": summary["state"],
        "green": summary["state"] in GREEN_STATES and summary["objective"]["met"] is True and _came_to_its_end(done),
        "objective": {name: summary["objective"][name] for name in ("seconds", "took", "met")},
        "seconds": {"disable": contain, "verify": verify, "total": seconds["whole"]},
        "steps": steps_of_runs(done),
        "hosts": max(numbers(run.hosts for run in done), default=None),
        # Runs that only a ledger knows have no times.
        "runs": len([run for run in done if run.file]),
        "companies": summary["companies"]["switched_off"],
    }


def _came_to_its_end(runs: Sequence[RunRecord]) -> bool:
    """Return whether the last stop reached its last screen, and each rehearsal its own green one.

    The scenario's verdict comes before a rehearsal is verified and put back, and stays if the run is killed then.
    """
    stops = [run for run in runs if scenario_of(run)]
    rehearsed = [run.exit.get("kanban_rehearsed") for run in stops if run.playbook == REHEARSAL]
    return bool(stops) and bool(stops[-1].verdict) and all(end == "rehearsed" for end in rehearsed)


def steps_of_runs(runs: Sequence[RunRecord]) -> dict[str, float]:
    """Return the seconds of each step in the first run that did it, on the host that took longest."""
    found: dict[str, float] = {}
    for run in sorted(runs, key=lambda run: run.reading.began_at):
        here: dict[str, float] = {}
        for step in run.steps:
            name, took = step_name(step), _took(step)
            if name and took is not None and step.ok:
                here[name] = max(took, here.get(name, 0.0))
        for name, took in here.items():
            found.setdefault(name, took)
    return {name: round(found[name], 3) for name in STEPS if name in found}


def step_name(step: Step) -> str:
    """Return which of ``STEPS`` it is; empty for a step without a time of its own."""
    name = _SOURCES.get(step.source, "")
    if step.source == "feature_flag" and "sweep" in step.details:
        name = "sweep"
    elif name in ("repair", "restore") and step.role != "recover":
        name = "plan"
    # The task that begins a job says nothing yet, and lowering a fence is not part of raising it.
    ended = {"dump": "toc_entries", "repair": "elapsed_ms", "restore": "elapsed_ms"}
    begun = name in ended and not number(step.figures.get(ended[name]))
    lowered = name == "fence" and step.figures.get("status") in ("absent", "lowered", "dormant")
    return "" if begun or lowered or step.role in ("release", "reenable", "triage", "selective") else name


def _took(step: Step) -> float | None:
    """Return seconds; a step that ran beside other tasks reports its own time."""
    own = step.figures.get("elapsed_ms")
    if step.source in ("pg_dump", "feature_flag", "write_fence") and number(own):
        return float(own) / 1000
    started = step.started
    if not started:
        return None
    first, last = seen(started), seen(step.at)
    return max(0.0, (last - first).total_seconds()) if first and last else None


def is_timings(found: Any) -> bool:
    """Return whether it is one of our files, of a known schema, with the fields that are read."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return False
    texts = ("incident_id", "scenario", "severity", "environment", "version", "state")
    maps = ("objective", "seconds", "steps")
    return (
        all(isinstance(found.get(name), str) for name in texts)
        and all(isinstance(found.get(name), dict) for name in maps)
        and isinstance(found.get("rehearsal"), bool)
        and isinstance(found.get("green"), bool)
        and (found.get("began") is None or isinstance(found.get("began"), str))
    )
