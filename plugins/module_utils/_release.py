# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether writes may be released, and whether they stay released. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import is_known
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    headless,
    together,
    why_and_todo,
    why_not,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approver import override_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlines import earlier_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line, paged

NO_GROUP = "none"
# The override for data that is not validated.
VALIDATION = "validation"
# How a host stands: something failed, it says nothing, it is not one of the incident's, or it is, validated or not.
FAILED, SILENT, APART, VALIDATED, UNVALIDATED = "failed", "silent", "apart", "validated", "unvalidated"


def release_decision(
    names: Sequence[str],
    infos: Sequence[Answer],
    failures: Sequence[str],
    *,
    incident: Mapping[str, Any],
    group: str = "db",
    tiers: Sequence[Mapping[str, Any]] = (),
    break_glass: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return whether the run may give writes back: all of it or nothing.

    ``goes``; ``acts``, the databases of the incident; ``refused``, why it may not; ``unvalidated``, what is not known
    to be validated; ``overridden``, whether that is overridden; ``lines``, what else is to be said.

    :param infos: of ``incident_info``, in the order of the names.
    :param incident: which one is meant, as ``incident_to_undo`` agrees on it.
    :param failures: what went wrong on each, for instance somebody else's lease; empty if nothing did.
    :param tiers: the other tiers that it takes, each with its ``group``, the ``variable`` that names it, and ``names``.
    :param break_glass: ``what`` and ``reason`` of an override.
    """
    incident_id, lost = incident["incident_id"], headless(names, infos)
    told = dict(zip(names, failures))
    taken_from = {failover["host"]: name for name, info in together(names, infos) for failover in _failovers(info)}
    hosts = [
        (name, APART, f"{name}: no answer, and none is expected: {taken_from[name]} has taken over from it")
        if "database" not in info and taken_from.get(name, name) != name
        else (name, *_standing(name, info, told.get(name, ""), lost.get(name, ""), incident_id))
        for name, info in together(names, infos)
    ]
    acts = [name for name, kind, _text in hosts if kind in (VALIDATED, UNVALIDATED)]
    unvalidated = [text for _name, kind, text in hosts if kind in (SILENT, UNVALIDATED)]
    refused = [text for _name, kind, text in hosts if kind == FAILED]
    # If a host could not be asked, that is what is wrong.
    if names and not refused and not incident["agreed"]:
        refused.append(one_line(incident["why"]))
    if not acts and not refused:
        refused.append(f"no database that answered knows incident {one_line(incident_id)}" if names else _empty(group))
    refused += [
        f"{_empty(tier['group'])}; where there are none on purpose, say {tier['variable']}=none"
        for tier in tiers
        if tier["group"] != NO_GROUP and not tier["names"]
    ]
    glass, misread = override_of(break_glass, VALIDATION)
    wanted = bool(unvalidated) and VALIDATION in (glass.get("what") or [])
    overridden = wanted and bool(str(glass.get("reason") or "").strip())
    if wanted and not overridden:
        refused.append("kanban_break_glass has no reason, which is recorded with the override")
    refused += misread if unvalidated else []
    refused += [] if overridden else unvalidated
    return {
        "goes": not refused,
        "incident_id": incident_id,
        "acts": acts,
        "refused": refused,
        "unvalidated": unvalidated,
        "overridden": overridden and not refused,
        "lines": [
            *(text for _name, kind, text in hosts if kind in (VALIDATED, APART)),
            *(line for name, info in together(names, infos) for line in earlier_lines(name, info)),
        ],
    }


def _failovers(info: Answer) -> Sequence[Mapping[str, Any]]:
    return (info.get("failovers") or []) if (info.get("database") or {}).get("writable") else []


def _standing(name: str, info: Answer, failure: str, primary: str, incident_id: str) -> tuple[str, str]:
    """Return how a host stands, and one line about it. ``primary``: what is known of a headless replica's primary."""
    if failure:
        return FAILED, f"{name}: {one_line(failure)}"
    if "database" not in info or primary:
        why = f"its primary {primary}" if primary else why_not(info)
        return SILENT, f"whether the data of {name} is validated is not known: {why}"
    if not info["database"]["writable"]:
        return APART, f"{name}: a replica, nothing to do"
    if not is_known(info, incident_id):
        return APART, f"{name}: nothing is recorded here under this incident, and nothing is done"
    found = info.get("validation") or {}
    if found.get("passed"):
        return VALIDATED, f"{name}: data validated at {one_line(found.get('at'))[:19]}Z"
    return UNVALIDATED, f"the data of {name} is not validated: {_lacking(info, found)}"


def _lacking(info: Answer, found: Mapping[str, Any]) -> str:
    if found:
        return f"the last validation, at {one_line(found.get('at'))[:19]}Z, did not pass"
    if not info.get("ledger", {}).get("usable"):
        return "it has no ledger that could say so"
    return "there was no validation since the last stop, or the last repair"


def _empty(group: str) -> str:
    return f"the group {group!r} has no hosts"


def release_outcome(
    decision: Mapping[str, Any],
    tests: Sequence[Mapping[str, Any]],
    before: Sequence[Answer],
    after: Sequence[Answer],
    check_mode: bool = False,
    kept: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return whether released writes have to be refused again (``raise``), and ``why``.

    Also ``tested``, whether somebody moved a card and saw it moved; ``stopped``, whether it was stopped meanwhile;
    ``unknown``, where that is not known; ``kept``, lines about where writes could not be given back; ``never``, whether
    that was everywhere, before anything was lowered, and nobody stopped it.

    :param tests: each with ``what`` it is called, whether it is ``wanted``, whether it ``writes`` (the walk through V1
        only reads, so it tests nothing of what was given back), and ``answers`` of ``smoke_test``.
    :param before: of ``incident_info`` at the beginning, for each database that acts; ``after``: the same as of now.
    :param kept: databases where writes could not be given back, so that nothing is tested: each one's ``host``, the
        ``answer`` that failed, and that of lowering its ``fence``, empty if nobody tried.
    """
    made = [test for test in tests if test["wanted"]]
    results = [(str(test["what"]), *_passed(test["answers"])) for test in made]
    # Tests after one that failed were not tried.
    failed = [f"the {what} {wrong}" for what, _passed_it, wrong in results if wrong][:1]
    why, unknown = [], []
    for name, first, last in together(decision["acts"], before, after):
        if first.get("kills") is None:
            continue  # Without a ledger nothing counts them.
        if last.get("kills") is None or last.get("failed"):
            unknown.append(f"whether somebody stopped it again on {name} is not known: {why_not(last)}")
        elif last["kills"] != first["kills"]:
            why.append(f"somebody stopped it again on {name}, and the later stop wins")
    stopped = bool(why)
    why += [f"writes could not be given back on {one_line(one['host'])}" for one in kept]
    why = why or failed
    untouched = {one["host"] for one in kept if _never_lowered(one["fence"])}
    if check_mode or not decision["goes"]:
        return {"raise": False, "why": [], "tested": False, "stopped": False, "unknown": [], "kept": [], "never": False}
    return {
        "raise": bool(why),
        "why": why,
        "tested": any(test["writes"] and result[1] for test, result in zip(made, results)) and not why,
        "stopped": stopped,
        "unknown": unknown,
        "kept": [_kept_line(one, one["host"] in untouched) for one in kept],
        "never": bool(untouched) and untouched >= {*decision["acts"]} and not stopped,
    }


def _never_lowered(fence: Answer) -> bool:
    """Tell whether a fence is known to be as it was: nobody tried, or a try changed nothing and looked again."""
    tried = bool(fence) and not fence.get("skip_reason")
    return not tried or bool(fence.get("failed") and "status" in fence and not fence.get("changed"))


def _kept_line(one: Mapping[str, Any], never: bool) -> str:
    answer = one["answer"]
    what = "the fence was never lowered there" if never else "writes could not be given back"
    return paged(f"{one_line(one['host'])}: {what}: {why_and_todo(answer)}", answer)


def _passed(answers: Sequence[Answer]) -> tuple[bool, str]:
    """Return whether a test passed somewhere and failed nowhere, and what is wrong; lost hosts tell nothing."""
    told = [answer for answer in answers if answer and not answer.get("unreachable")]
    if any(answer.get("failed") or answer.get("passed") is False for answer in told):
        return False, "failed"
    passed = any(answer.get("passed") is True for answer in told)
    return passed, "" if passed else "could be made on no application host"
