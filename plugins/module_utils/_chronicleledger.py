# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that have no journal left, or only a part of one, as the ledger's events describe them. Pure.

A journal is lost with its controller; what a module changed is an event of the ledger, written in the same transaction.
So for such a run it is known what was done and when, by the database's clock, but not what was only looked at, what
failed, how long it took, or when the run began: that is not measured. A job goes on when its controller has died, so
a journal without an end says nothing about what was done after its last line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _journal as journal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journaldetails import details

# How many events of one ledger are passed on, and how long their texts may be.
MOST, LONGEST = 1000, 200
_ROLES = {"re-enable": "reenable"}
# A plan is not a repair, a pause is not a stop, and a gate's look is one of hundreds.
_NO_STEP = ("planned", "paused", "rolled back", "fence_drained")
_SOURCES = ("feature_flag", "write_fence", "incident", "integrity_repair", "pg_restore_tables")
_DONE = ("repaired", "restored", "undone")
_LOWERED = ("absent", "dormant", "lowered")
# Playbooks whose steps all have their role.
_RETURNS = ("release", "reenable")

Told = Tuple[str, Mapping[str, Any]]


def told_by(events: Sequence[Mapping[str, Any]], cluster: str = "") -> list[dict[str, Any]]:
    """Return what a report needs of one ledger's events, in a bounded size.

    :param events: as ``incident_info`` returns them.
    :param cluster: the identity of the ledger's database, by which journals count it once; may be empty.
    """
    told = []
    for event in events:
        data = event.get("data")
        source, name = str(event.get("source")), str(event.get("event"))
        if (
            source not in _SOURCES
            or name in _NO_STEP
            or not isinstance(data, Mapping)
            or event.get("phase") == "report"
        ):
            continue
        told.append(
            {
                **{key: str(event.get(key) or "")[:LONGEST] for key in ("run_id", "at", "phase", "source", "event")},
                "operator": str(data.get("operator") or "")[:LONGEST],
                "figures": journal.figures(source, _figures(source, name, data)),
                "details": _details(source, name, data, cluster),
            }
        )
    return told[:MOST]


def _figures(source: str, event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"status": "absent" if event == "fence_lowered" else "proven"} if source == "write_fence" else data


def _details(source: str, event: str, data: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    """Return what a journal would have about it."""
    result: dict[str, Any] = dict(data)
    if source == "incident":
        result = {"event": event, "elsewhere": data.get("elsewhere")}
    elif event == "failover":
        result = {"failover": data}
    elif event == "undone":
        result["undone"] = [data.get("repair_id")]
    elif event in _DONE:
        result["plan"] = {"parts": data.get("parts")}
    return details(source, {**result, "database": {"cluster": cluster}})


def with_ledgers(incident_id: str, runs: Sequence[RunRecord], ledgers: Sequence[Mapping[str, Any]]) -> list[RunRecord]:
    """Return the runs, with what their journals lack, and a record of each run that only a ledger has events of.

    :param runs: those that have a journal. One that holds and reached its run's last screen lacks nothing.
    :param ledgers: each with ``host`` and ``told``, from ``told_by``.
    """
    found: dict[str, list[Told]] = {}
    for row in ledgers:
        for one in row.get("told") or []:
            if one["run_id"]:
                found.setdefault(one["run_id"], []).append((str(row.get("host") or ""), one))
    for run in runs:
        if run.reading.holds and run.ended_at:
            found.pop(run.reading.run_id, None)
    completed = [_completed(run, found.pop(run.reading.run_id, [])) for run in runs]
    return completed + [_run(incident_id, run_id, told) for run_id, told in found.items()]


def _completed(run: RunRecord, told: Sequence[Told]) -> RunRecord:
    """Return a run with those steps of a ledger that its journal does not have, after all that it has."""
    known = {done for step in run.steps for done in _done(step)}
    playbook = run.playbook if run.playbook in _RETURNS else ""
    play = run.plays[-1].number if run.plays else 0
    steps = [_step(host, one, playbook, play) for host, one in _in_order(told)]
    lacking = [step for step in steps if not _done(step) <= known]
    return replace(run, steps=[*run.steps, *lacking], from_ledger=len(lacking)) if lacking else run


def _done(step: Step) -> set[tuple[Any, ...]]:
    """Return what a step is known to have done, the same whether a journal tells it or a ledger.

    A job's first task, and one that failed without an answer, tell nothing.
    """
    figures, details = step.figures, step.details
    done: list[Any] = []
    if step.source == "feature_flag":
        # The sweep and each stage of a return have other figures than the switch before them.
        done += [(figures["changed_count"], figures.get("enabled_after"))] if "changed_count" in figures else []
        done += ["failover"] if "failover" in details else []
    elif step.source == "write_fence":
        done += [figures["status"] in _LOWERED] if "status" in figures else []
    elif step.source == "incident":
        done += [details["recorded"]] if "recorded" in details else []
    elif step.ok and step.changed and "tables" in details:
        done.append(bool(details.get("undone")))
    return {(step.place, step.source, one) for one in done}


def _in_order(told: Sequence[Told]) -> list[Told]:
    return sorted(told, key=lambda one: str(one[1]["at"]))


def _run(incident_id: str, run_id: str, told: Sequence[Told]) -> RunRecord:
    told = _in_order(told)
    phases = {str(one["phase"]) for _host, one in told}
    playbook = "release" if "release" in phases else "reenable" if "re-enable" in phases else ""
    if phases == {"assess"} and any(one["event"] == "triage" for _host, one in told):
        playbook = "triage"
    reading = journal.Reading(
        lines=len(told), incident_id=incident_id, run_id=run_id, began_at=told[0][1]["at"], last_at=told[-1][1]["at"]
    )
    operator = next((one["operator"] for _host, one in told if one["operator"]), "")
    facts = {"playbook": playbook, "operator": operator}
    steps = [_step(host, one, playbook) for host, one in told]
    return RunRecord("", reading, facts, steps=steps, hosts=len({host for host, _one in told}))


def _step(host: str, one: Mapping[str, Any], playbook: str, play: int = 0) -> Step:
    return Step(
        at=one["at"],
        started=None,
        phase=one["phase"],
        source=one["source"],
        host=host,
        task="",
        # Writes that a release refuses again are not a new stop.
        role=playbook or _ROLES.get(one["phase"], one["phase"]),
        play=play,
        changed=True,
        failed=False,
        unreachable=False,
        error="",
        figures=one["figures"],
        details=one["details"],
    )
