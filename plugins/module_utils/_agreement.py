# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incident is meant, from what the ledgers of all hosts know. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import is_file_of

Answer = Mapping[str, Any]


def ids_of(row: Mapping[str, Any]) -> list[str]:
    """Return every id that an incident's records may carry: the ledger's, its aliases, and the one it was opened under.

    :param row: a row of ``incidents`` or ``open`` from ``incident_info``.
    """
    return [row["incident_id"], *row.get("aliases", []), row.get("opened_as", row["incident_id"])]


def incident_to_undo(answers: Sequence[Answer], asked: str = "") -> dict[str, Any]:
    """Return the one incident that all databases mean (``agreed``, ``incident_id``), or ``why`` there is none.

    ``nothing``: whether every database says that none is open, and that none was closed with tenants off.

    :param answers: what ``incident_info`` returned per host; a host without an answer has no say.
    :param asked: the id that a person named; it is taken as it is.
    """
    if asked:
        return _agreed(asked)
    todo = "Name the incident: -e kanban_incident_id=... Nothing was changed."
    # Per ledger and open incident, every name by which that incident is known there.
    known = [[set(ids_of(row)) for row in answer.get("open", [])] for answer in answers]
    known = [ledger for ledger in known if ledger]
    if not known:
        left_off = [one for answer in answers for one in answer.get("left_off", [])]
        closed = "".join(
            f" {one['incident_id']} was closed with {one['tenants']:,} tenants off." for one in left_off[:5]
        )
        nothing = bool(answers) and not left_off and all("open" in answer for answer in answers)
        return _not_agreed(f"No incident is open in any ledger that answered.{closed} {todo}", nothing)
    # An id that is only an alias everywhere was made by a run that met two different incidents: it does not join them.
    canonical = {row["incident_id"] for answer in answers for row in answer.get("open", [])}
    common = set.intersection(*(ledger[0] for ledger in known)) & canonical
    if all(len(ledger) == 1 for ledger in known) and common:
        return _agreed(min(common))
    names = sorted({name for ledger in known for incident in ledger for name in incident})
    return _not_agreed(f"Several incidents are open: {', '.join(names)}. {todo}")


def _agreed(incident_id: str) -> dict[str, Any]:
    return {"agreed": True, "incident_id": incident_id, "why": "", "nothing": False}


def _not_agreed(why: str, nothing: bool = False) -> dict[str, Any]:
    return {"agreed": False, "incident_id": "", "why": why, "nothing": nothing}


def is_known(answer: Answer, incident_id: str) -> bool:
    """Tell whether a host has anything recorded under an incident, in its ledger or in files."""
    rows = [*answer.get("incidents", []), *answer.get("open", [])]
    named = any(incident_id in ids_of(row) for row in rows)
    in_files = any(is_file_of(path, incident_id) for path in answer.get("prior_files", []))
    return named or bool(answer.get("known_as")) or in_files
