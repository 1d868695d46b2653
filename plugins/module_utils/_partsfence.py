# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a scenario that is the fence on every database. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import expected, together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import RAISED
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._holding import WAITS_FOR_STANDBY
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import CONTAIN, Part

# What a look calls a fence that lets writes pass.
_DOWN = ("absent", "dormant", "not_fenced")


def fence_part(
    names: Sequence[str],
    flags: Sequence[Answer],
    first: Sequence[Answer],
    later: Sequence[Answer],
    plan: bool = False,
    still: Sequence[Answer] = (),
) -> dict[str, Any]:
    """Judge the fence on every database.

    :param flags: the last answers about the flag, which say who is a replica by now, or silent.
    :param still: the answers of the last look at the fences, if there was one.
    """
    part, judged = Part(CONTAIN, "the fence is proven"), 0
    for name, flag, raised, drained, now in together(names, flags, first, later, still):
        # What was proven on another server says nothing about the one that has taken over.
        answer = drained if "status" in drained or flag.get("failover") else raised
        if not expected(flag) or (answer.get("skipped") and not answer.get("skip_reason")):
            continue  # Already counted as missing, or a replica.
        judged += 1
        status = answer.get("status")
        if status is None:
            part.bad.append(f"the fence on {name} is not known to be up")
            part.lines.append(why_line(f"{name}: fence NOT ACCOUNTED FOR", answer))
            continue
        part.began = part.began or status in RAISED
        if plan and not answer.get("failed"):
            would = "would be raised on" if answer.get("changed") else "is up on"
            tables = ", ".join(one_line(table["name"]) for table in answer.get("tables", []))
            part.lines.append(f"{name}: the fence {would} {tables}")
            continue
        if status in RAISED and now.get("status") in _DOWN:
            part.bad.append(f"the fence on {name} is not up any more")
            part.lines.append(
                f"{name}: since this run raised its fence, somebody has lowered it: Kanban's writes pass. Unless that "
                "was on purpose, type the same command again"
            )
            continue
        if status != "proven":
            part.bad.append(f"the fence on {name} is {status.replace('_', ' ')}")
        part.lines += _fence_lines(name, answer)
    if not judged:
        part.bad.append("no fence is up, for no primary answered")
    return part.as_result()


def _fence_lines(name: str, answer: Answer) -> Iterator[str]:
    tables = answer.get("tables", [])
    proven = [one_line(table["name"]) for table in tables if table.get("status") == "proven"]
    raised = f", raised in {answer['raised_ms']:.0f} ms" if answer.get("raised_ms") is not None else ""
    whose = one_line(answer.get("incident_id") or "nobody")
    line = f"{name}: fence {answer['status'].replace('_', ' ')} for {whose}{raised}"
    yield line + (f": {', '.join(proven)} refuse Kanban's writes" if proven else "")
    for table in tables:
        if table.get("status") not in ("proven", "draining"):
            yield (
                f"{name}: {one_line(table['name'])} is {one_line(table.get('status', 'unknown').replace('_', ' '))}: "
                f"{one_line(table.get('reason') or 'no reason given')}"
            )
    for row in answer.get("draining", [])[:SHOWN]:
        where = ", ".join(map(one_line, row.get("tables", [])))
        yield (
            f"{name}: {_session(row)} was writing to {where} when the fence was raised and may go on until it ends"
            f"{_ending(row)}"
        )
    for row in answer.get("blocked", [])[:SHOWN]:
        yield f"{name}: {one_line(row.get('table') or 'a table')} is held by {_session(row)}{_ending(row)}"


def _session(row: Answer) -> str:
    if not row.get("pid"):
        return f"prepared transaction {one_line(row.get('gid') or 'of unknown name')}"
    age = row.get("transaction_age")
    since = "" if age is None else f", {age:.0f} s old"
    waits = f", {WAITS_FOR_STANDBY}" if row.get("state") == WAITS_FOR_STANDBY else ""
    return f"pid {row['pid']} ({one_line(row.get('application_name') or 'no name')}{since}{waits})"


def _ending(row: Answer) -> str:
    return f"; to end it: {one_line(row['to_end_it'])}" if row.get("to_end_it") else ""
