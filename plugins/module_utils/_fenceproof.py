# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What catalog and canaries prove about a fence. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencestate import Fence, Found

# What a raised fence is called, whatever is proven of it; the worst first.
RAISED = ("unproven", "draining", "proven")
# The whole fence has the status of its worst table.
WORST_FIRST = ("not_fenced", "not_refused", *RAISED)
ASLEEP = ("lowered", "dormant", "absent")
CANARY, CATALOG = "canary", "catalog"
# No canary is sent where a trigger of the application would run before ours; its name follows this word.
BEHIND = "behind "
SHOWN = 20


@dataclass
class Verdict:
    """What is known of one table. ``proof``: operation -> how it was proven; ``code``: of an error, if any."""

    status: str
    reason: str | None = None
    code: str | None = None
    proof: dict[str, str] = field(default_factory=dict)


Tried = Mapping[Any, str]


def judge(found: Found, tried: Tried | None, problems: Mapping[str, KanbanError], draining: bool) -> Verdict:
    """Return the verdict on a table whose fence was to be raised.

    :param tried: (relation's oid, operation) -> ``refused``, ``passed`` or what else the server said; None if no
        canary was sent.
    :param problems: relation's or fence's name -> why it could not be made, raised or tried.
    :param draining: whether a transaction may still use the old body.
    """
    hole = _gap(found, problems) or replicated(found)
    if hole:
        return hole
    passed = sorted({operation for (oid, operation), said in _of(found, tried).items() if said == "passed"})
    if passed:
        return Verdict("not_refused", f"A canary was not refused: {', '.join(passed)}.", "not_refused")
    proof, reason = ({}, "No canary was sent.") if tried is None else _proof(found, tried, problems)
    if draining or tried is None:
        return Verdict("draining" if draining else "unproven", reason, proof=proof)
    if reason:
        return Verdict("unproven", reason, "not_proven", proof)
    return Verdict("proven", proof=proof)


def replicated(found: Found) -> Verdict | None:
    """Return what is wrong if logical replication writes a table: its apply workers fire no statement triggers."""
    if not found.subscriptions or not found.scope.statement_operations:
        return None
    return Verdict(
        "not_fenced",
        f"It is written by logical replication (subscription {', '.join(found.subscriptions)}), whose apply workers "
        "fire no statement's trigger. ALTER SUBSCRIPTION ... DISABLE stops them.",
        "logical_replication",
    )


def _gap(found: Found, problems: Mapping[str, KanbanError]) -> Verdict | None:
    gaps = found.gaps(found.raised)
    if not gaps:
        return None
    names = [str(relation) for relation in gaps] + [fence.name for fence in found.fences]
    said = [problems[name] for name in names if name in problems]
    error = said[0] if said else found.problem
    where = "Nothing" if len(gaps) == len(found.relations) else "Not all"
    reason = f"{where} of what was asked is refused on {', '.join(str(gap) for gap in gaps[:3])}"
    reason += f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return Verdict(
        "not_fenced", f"{reason}: {error.what}" if error else f"{reason}.", error.code if error else "not_fenced"
    )


def _of(found: Found, tried: Tried | None) -> dict[Any, str]:
    return {key: said for key, said in (tried or {}).items() if key[0] in found.oids}


def _proof(found: Found, tried: Tried, problems: Mapping[str, KanbanError]) -> tuple[dict[str, str], str | None]:
    """Return per operation how it was proven, and why one was not."""
    proof: dict[str, str] = {}
    reason = None
    strange = [fence.name for fence in found.raised if fence.body != "refusing"]
    for operation in found.scope.operations:
        said = [tried.get((relation.oid, operation)) for relation in found.relations]
        earlier = sorted({text[len(BEHIND) :] for text in said if text and text.startswith(BEHIND)})
        if operation == "TRUNCATE" or (operation == "UPDATE" and _by_row(found)) or earlier:
            # No canary can tell, so the body must be exactly ours.
            proof[operation] = CATALOG
            if strange:
                reason = reason or f"{operation} cannot be tried, and {strange[0]} was raised by another version."
            continue
        if all(text == "refused" for text in said):
            proof[operation] = CANARY
            continue
        others = [text for text in said if text not in (None, "refused")]
        error = next((problems[fence.name] for fence in found.fences if fence.name in problems), None)
        why = others[0] if others else error.what if error else "no canary reached it."
        reason = reason or f"{operation} could not be tried: {why}"
    return proof, reason


def _by_row(found: Found) -> bool:
    """Tell whether UPDATE is refused only by a row trigger, which takes an actual row to try."""
    updates = [fence.scope for fence in found.raised if "UPDATE" in fence.scope.operations]
    return all(scope.when_changed for scope in updates)


def lowered_status(found: Found, was_raised: bool) -> str:
    """Return the status of a table that lets everything pass: ``absent``, ``dormant`` or, if just now, ``lowered``."""
    there = [fence for fence in found.fences if fence.triggers]
    return "absent" if not there else "lowered" if was_raised else "dormant"


def left_out(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Return verdicts on tables that were asked for by name: what passes where others are refused is a gap."""
    if not any(verdict.status in RAISED for verdict in verdicts.values()):
        return dict(verdicts)
    gap = Verdict("not_fenced", "Writes pass here, while other tables refuse them.", "not_fenced")
    return {name: gap if verdict.status in ASLEEP else verdict for name, verdict in verdicts.items()}


def overall(statuses: Sequence[str]) -> str:
    """Return the status of the whole fence."""
    for status in WORST_FIRST:
        if status in statuses:
            return "not_fenced" if status == "not_refused" else status
    return next((status for status in ASLEEP if status in statuses), "absent")


def kind_of(fences: Sequence[Fence]) -> str | None:
    """Return ``dormant``, ``on_demand`` or ``mixed``; None without any."""
    kinds = sorted({fence.kind for fence in fences})
    return kinds[0] if len(kinds) == 1 else "mixed" if kinds else None


def failure(verdicts: Mapping[str, Verdict], done: str) -> KanbanError | None:
    """Return the error that the module ends with, None if every table is as requested (or only draining).

    :param done: what holds nevertheless, one sentence.
    """
    bad = {name: verdict for name, verdict in verdicts.items() if verdict.code}
    if not bad:
        return None
    codes = {verdict.code for verdict in bad.values()}
    told = " ".join(f"{name}: {verdict.reason}" for name, verdict in list(bad.items())[:SHOWN])
    return ServerError(
        str(codes.pop()) if len(codes) == 1 else "not_fenced",
        f"The fence does not hold on {len(bad)} of {len(verdicts)} tables. {told}",
        f"{done} On these, writes that are meant to be refused may go on.",
        "See the reason of each table; run bootstrap.yml for what this role may not do, end who is in blocked, then "
        "run the same command again.",
    )


def together(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two tries to raise one fence have done, the later one having the last word on when it was raised."""
    raised_ms = after.get("raised_ms")
    return {
        "changed": bool(before.get("changed") or after.get("changed")),
        "raised_ms": before.get("raised_ms") if raised_ms is None else raised_ms,
        "terminated": [*(before.get("terminated") or []), *(after.get("terminated") or [])],
    }
