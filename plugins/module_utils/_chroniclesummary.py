# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of an incident, which messages and reports are filled from. Pure: neither Ansible nor a driver.

docs/report.md describes its fields. Null means not measured. Names of hosts and operators are left as they are:
the code that shows them makes them harmless.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _chroniclefacts as facts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _chronicleimpact as impact
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _chroniclemoments as when
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclelines import timeline

MOST_RUNS = 200


def summary_of(
    incident_id: str,
    runs: Sequence[RunRecord],
    objectives: Mapping[str, Any],
    detected: str | None = None,
    notes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the summary of one incident.

    :param runs: the runs of all its journals, in any order; they hold only what precedes a break in a chain.
    :param objectives: seconds by scenario.
    :param detected: the moment that people wrote down, UTC as in a journal; null if they wrote none.
    :param notes: what else a reader has to know.
    """
    ordered = sorted(runs, key=lambda run: run.reading.began_at)
    done = [run for run in ordered if not run.is_plan]
    scenario = when.graver([when.scenario_of(run) for run in done])
    moments = when.moments(done, detected)
    seconds, objective = when.objective_of(scenario, done, moments, objectives)
    lines, left_out = timeline(done, detected)
    told = done or ordered
    return {
        "incident_id": incident_id,
        "aliases": sorted({alias for run in ordered for alias in run.aliases}),
        "environment": _last(told, "environment"),
        "operators": list(dict.fromkeys(str(run.facts["operator"]) for run in done if run.facts.get("operator"))),
        "version": _last(told, "version"),
        "rehearsal": any(run.facts.get("rehearsal") is True for run in told),
        "severity": when.SEVERITIES[scenario],
        "scenario": scenario,
        "state": when.state_of(done, moments),
        "moments": moments,
        "seconds": seconds,
        "objective": objective,
        "companies": impact.companies(done),
        "users": impact.users(done),
        "errors": impact.errors(done),
        "records": facts.records(done),
        "integrity": facts.integrity(done),
        "recovery_point": facts.recovery_point(done),
        "metrics": facts.metrics(done),
        "stages": facts.stages(done),
        "preserved": facts.preserved(done),
        "backup": facts.backup(done),
        "looks": facts.looks(done),
        "decision": _decision(done, scenario),
        "approvals": facts.approvals(done),
        "timeline": lines,
        "timeline_left_out": left_out,
        "runs": [_run(run) for run in ordered[-MOST_RUNS:]],
        "runs_left_out": len(ordered[:-MOST_RUNS]),
        "notes": [*notes, *_notes(ordered)],
    }


def _last(runs: Sequence[RunRecord], name: str) -> str:
    return next((str(run.facts[name]) for run in reversed(runs) if run.facts.get(name)), "")


def _decision(runs: Sequence[RunRecord], scenario: str) -> dict[str, Any]:
    """Return what was decided, in the words that the roles pass on, and the playbooks in their order."""
    exits = dict.fromkeys(("kanban_decision", "kanban_scenario", "kanban_severity"), "")
    for run in runs:
        exits.update({name: str(run.exit[name]) for name in exits if run.exit.get(name)})
    return {
        "scenario": scenario,
        "triage": exits["kanban_scenario"],
        "severity": exits["kanban_severity"],
        "matrix": exits["kanban_decision"],
        "path": [run.playbook for run in runs][:50],
    }


def _run(run: RunRecord) -> dict[str, Any]:
    reading = run.reading
    return {
        "run_id": reading.run_id,
        "playbook": run.playbook,
        "operator": str(run.facts.get("operator") or ""),
        "host": str(run.facts.get("host") or ""),
        "began": reading.began_at or None,
        "ended": run.ended_at,
        "verdict": run.verdict,
        "plan": run.is_plan,
        "journal": run.file,
        "holds": reading.holds,
        "broken_at": reading.broken_at,
        "cut": reading.cut,
        "lines": reading.lines,
        "hosts": run.hosts,
        "troubled": int(run.recap.get("failed") or 0) + int(run.recap.get("unreachable") or 0),
    }


def _notes(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return what a reader has to know about the journals, as words with the file concerned."""
    found = []
    for run in runs:
        if not run.file:
            where = str(run.reading.lines)
            found.append({"what": "journal_missing", "journal": run.reading.run_id, "where": where})
        elif not run.reading.holds:
            found.append({"what": "journal_broken", "journal": run.file, "where": run.reading.broken_at})
        elif run.reading.cut:
            found.append({"what": "journal_cut", "journal": run.file, "where": ""})
        elif not run.reading.ended:
            what = "journal_to_screen" if run.ended_at else "journal_unended"
            found.append({"what": what, "journal": run.file, "where": ""})
        if run.from_ledger:
            found.append({"what": "ledger_tells", "journal": run.file, "where": str(run.from_ledger)})
        if run.left_out:
            found.append({"what": "steps_left_out", "journal": run.file, "where": str(run.left_out)})
    return found[:100]
