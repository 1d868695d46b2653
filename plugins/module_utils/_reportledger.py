# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents are reported on, which one is closed, and what a report needs of a ledger's answer. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import ids_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleledger import told_by
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import DAY

# The most incidents of one run; each one queries every database once.
MOST = 20
_OVERRIDES = ("override", "validation overridden", "lease taken by force")
_LONGEST = 300
# Events of the phase that recovers: what somebody approved and was done.
APPROVED = ("repaired", "restored", "undone")


def moment_of(text: Any) -> float | None:
    """Return a moment of the ledger in seconds since 1970; None if there is none."""
    try:
        return datetime.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def incidents_to_report(
    answers: Sequence[Mapping[str, Any]], journals: Mapping[str, Any], given: str, days: float, now: float
) -> dict[str, Any]:
    """Return ``incidents``, the ids to report on, newest first, and ``left_out``, how many more there were.

    If a person named one, ``others`` has those that would otherwise have been reported on.

    Without a name they are those that are open in a ledger, and those that were closed or left a journal within
    ``days``; with one only that, however old it is.

    :param answers: answers of ``incident_info``, one per host; empty for hosts that gave none.
    :param journals: the answer of ``journal_info``.
    :param given: the id that a person gave, or an alias of it; may be empty.
    :param now: seconds since 1970.
    """
    rows = [row for answer in answers for row in answer.get("incidents") or []]
    found: dict[str, float] = {}
    for row in rows:
        closed = moment_of(row.get("closed_at"))
        if closed is None or (now - closed) / DAY <= days:
            _add(found, row["incident_id"], moment_of(row.get("opened_at")) or now)
    for one in journals.get("journals") or []:
        if one.get("incident_id") and (now - one["mtime"]) / DAY <= days:
            _add(found, one["incident_id"], one["mtime"])
    named = _known_as(rows, given) if given.strip() else []
    order = sorted(found, key=lambda name: -found[name])
    if named:
        return {"incidents": named, "left_out": 0, "others": [name for name in order if name not in named][:MOST]}
    return {"incidents": order[:MOST], "left_out": len(order[MOST:])}


def _add(found: dict[str, float], name: str, at: float) -> None:
    """Add an incident once; two ids that share a directory are one."""
    folder = incident_folder(name)
    same = next((known for known in found if incident_folder(known) == folder), name)
    found[same] = max(at, found.get(same, 0.0))


def _known_as(rows: Iterable[Mapping[str, Any]], given: str) -> list[str]:
    """Return the incidents that a name means: an alias in one ledger may be another one's own id in the next."""
    name = given.strip()
    names = (row["incident_id"] for row in rows if name in (row["incident_id"], *(row.get("aliases") or [])))
    return list(dict.fromkeys(names))[:MOST] or [name]


def incident_to_close(answers: Sequence[Mapping[str, Any]], given: str, silent: Sequence[str]) -> dict[str, Any]:
    """Return ``incident_id``, the incident to close, or ``why_not``; and ``here``, what it is in each ledger.

    While a ledger does not answer it is none. Without a name it is the open one; if several are open, a person has to
    name one. Each ledger closes its own incident of that name: an alias in one may be another's id in the next.
    """
    if silent:
        return _none("not every ledger answered, so it is not known what is open")
    rows = [row for answer in answers for row in answer.get("incidents") or []]
    still = {row["incident_id"] for row in rows if not row.get("closed_at")}
    if given.strip():
        name = _known_as(rows, given)[0]
        if name not in {row["incident_id"] for row in rows}:
            return _none(f"no ledger knows {name}")
        return {"incident_id": name, "why_not": "", "here": [_here(answer, given.strip()) for answer in answers]}
    if len(still) == 1:
        name = still.pop()
        return {"incident_id": name, "why_not": "", "here": [_here(answer, name) for answer in answers]}
    return _none(f"{len(still)} are open, so it has to be named by kanban_incident_id" if still else "none is open")


def _none(why: str) -> dict[str, Any]:
    return {"incident_id": "", "why_not": why, "here": []}


def _here(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a name means in one ledger, open incidents before closed ones; empty if it is unknown."""
    # Open incidents say how many tenants they have switched off, and come first.
    rows = [*(answer.get("open") or []), *(answer.get("incidents") or [])]
    found = [row for row in rows if name in ids_of(row)]
    if not found:
        return {}
    row, database = found[0], answer.get("database") or {}
    return {
        "incident_id": row["incident_id"],
        "place": str(database.get("cluster") or ""),
        "open": not row.get("closed_at"),
        "closes": bool(database.get("writable")),
        "switched_off": row.get("switched_off"),
    }


def ledgers_of(hosts: Sequence[str], answers: Sequence[Mapping[str, Any]], incident_id: str) -> list[dict[str, Any]]:
    """Return what each ledger says about one incident, each database once, in a bounded size.

    :param answers: one per host, with the ``results`` of ``incident_info`` for each incident by ``item``, or itself the
        result for this one.
    """
    found: dict[str, dict[str, Any]] = {}
    for host, answer in zip(hosts, answers):
        for result in answer.get("results") or [answer]:
            if result.get("item", incident_id) != incident_id or not result.get("known_as"):
                continue
            cluster = str((result.get("database") or {}).get("cluster") or "")
            found.setdefault(cluster or host, _of_ledger(host, cluster, result))
    return list(found.values())


def ledgers_unread(
    hosts: Sequence[str],
    infos: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    took: Sequence[Mapping[str, Any]],
    incident_id: str,
) -> list[str]:
    """Return a line for each database that did not say everything that a report on one incident needs.

    A report without it would overwrite one that has it.

    :param infos: their earlier answers of ``incident_info``.
    :param answers: as in ``ledgers_of``; ``took``: the answers of ``incident_timings_info``.
    """
    unread: dict[str, str] = {}
    read = set()
    for host, info, answer, times in zip(hosts, infos, answers, took):
        place = str((info.get("database") or {}).get("cluster") or host)
        told = [one for one in answer.get("results") or [] if one.get("item") == incident_id]
        result = told[0] if told else answer
        if "known_as" in result and not _is_lost(result) and "timings" in times and not _is_lost(times):
            read.add(place)
        else:
            why = result.get("msg") or times.get("msg") or "no answer"
            unread.setdefault(place, f"{one_line(host)}: {one_line(why)}")
    return [line for place, line in unread.items() if place not in read]


def _is_lost(result: Mapping[str, Any]) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _of_ledger(host: str, cluster: str, result: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[Mapping[str, Any]] = [one for one in result.get("incidents") or [] if _is(one, result)]
    row = rows[0] if rows else {}
    events = result.get("events") or []
    triages = [event["data"] for event in events if event.get("event") == "triage"]
    return {
        "host": host,
        "opened_at": row.get("opened_at"),
        "closed_at": row.get("closed_at"),
        "aliases": row.get("aliases") or [],
        "chain_broken_at": result.get("chain_broken_at") or [],
        "latched_writes": result.get("latched_writes") or 0,
        "events": len(events),
        "told": told_by(events, cluster),
        "triage": {"path": [_step(step) for step in triages[-1].get("path") or []][:20]} if triages else {},
        "overrides": [_override(event) for event in events if event.get("event") in _OVERRIDES][:20],
        "approvals": [_approval(event) for event in events if event.get("event") in APPROVED][:20],
    }


def _is(row: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    return bool(row["incident_id"] == result["known_as"])


def _step(step: Any) -> dict[str, str]:
    told = step if isinstance(step, Mapping) else {}
    return {name: str(told.get(name) or "")[:_LONGEST] for name in ("question", "answer", "because")}


def _override(event: Mapping[str, Any]) -> str:
    data = event.get("data") or {}
    what = data.get("what") or event.get("event")
    what = ", ".join(map(str, what)) if isinstance(what, list) else str(what)
    who = (
        f"{data.get('operator') or ''}{', approved by ' + str(data['approved_by']) if data.get('approved_by') else ''}"
    )
    return f"{event.get('at', '')[:19]} {what}: {data.get('reason') or ''} ({who})"[:_LONGEST]


def _approval(event: Mapping[str, Any]) -> dict[str, str]:
    data = event.get("data") or {}
    who = {name: str(data.get(name) or "")[:_LONGEST] for name in ("approved_by", "operator")}
    return {"at": str(event.get("at") or "")[:19], "what": str(event["event"]), **who}
