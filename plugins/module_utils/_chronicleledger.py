# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that have no journal left, as the ledger's events describe them. Pure.

A journal is lost with its controller; what a module changed is an event of the ledger, written in the same transaction.
So for such a run it is known what was done and when, by the database's clock, but not what was only looked at, what
failed, how long it took, or when the run began: that is not measured.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

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


def runs_without_journal(
    incident_id: str, runs: Sequence[RunRecord], ledgers: Sequence[Mapping[str, Any]]
) -> list[RunRecord]:
    """Return a record of each run that a ledger has events of and that has no journal.

    :param runs: the runs that have one.
    :param ledgers: each with ``host`` and ``told``, from ``told_by``.
    """
    known = {run.reading.run_id for run in runs}
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for row in ledgers:
        for one in row.get("told") or []:
            if one["run_id"] and one["run_id"] not in known:
                found.setdefault(one["run_id"], []).append((str(row.get("host") or ""), one))
    return [_run(incident_id, run_id, told) for run_id, told in found.items()]


def _run(incident_id: str, run_id: str, told: Sequence[tuple[str, Mapping[str, Any]]]) -> RunRecord:
    told = sorted(told, key=lambda one: str(one[1]["at"]))
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


def _step(host: str, one: Mapping[str, Any], playbook: str) -> Step:
    return Step(
        at=one["at"],
        started=None,
        phase=one["phase"],
        source=one["source"],
        host=host,
        task="",
        # Writes that a release refuses again are not a new stop.
        role=playbook or _ROLES.get(one["phase"], one["phase"]),
        play=0,
        changed=True,
        failed=False,
        unreachable=False,
        error="",
        figures=one["figures"],
        details=one["details"],
    )
