# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn hosts' answers into the facts that the decision tree and the matrix ask for. Pure: no Ansible, no driver.

What is missing stays missing: a host without an answer is counted as such and never as a good one.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import headless, together, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import OK, UNSTABLE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import beside, beside_text, spells_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import close_of

# Codes of samples without a value which say that the other side was there and refused.
_REFUSED = ("refused", "status")
# Codes which say that it was there, but was asked as a stranger or at another path: nobody knows how its users fare.
_UNCLEAR = ("not_allowed", "not_socketio")
# Why a request saw nothing of the other side: no name, no route, or a certificate that is not trusted here.
_BLIND = ("unresolved", "unreachable", "tls")
_WHY = 80  # Characters of a reason beside a host's name.


def affected_facts(names: Sequence[str], answers: Sequence[Answer]) -> dict[str, Any]:
    """Return who is affected over all databases: ``known``, ``applies``, ``affected_on``, ``on``, ``share``, ``why``.

    If the list is frozen, the figures are still the current ones, and ``note`` is what a reader has to know about them.

    :param names: the hosts that should have ranked; ``answers`` are those of ``affected_tenants_info``. Several hosts
        that lead to one database count once, and the primary's answer takes precedence over a replica's.
    """
    chosen: dict[str, Answer] = {}
    doubts, lacking, notes = [], [], []
    for name, answer in together(names, answers):
        if answer.get("skipped") and not answer.get("skip_reason"):
            continue  # A replica: its primary ranks.
        if answer.get("failed") or "measured" not in answer:
            doubts.append(f"{name}: {why_not(answer)}")
        elif not answer["measured"]:
            lacking.append(f"{name}: {one_line(answer.get('why_not') or 'nothing was measured')}")
        else:
            cluster = str(answer["database"]["cluster"])
            if cluster in chosen and not answer["database"]["writable"]:
                continue
            now = (answer.get("now") or {}) if answer.get("frozen") else answer
            chosen[cluster] = {**now, "tenants": answer.get("tenants", [])}
            if not now:
                doubts.append(f"{name}: the list is frozen, and who is affected now could not be counted")
            if now.get("doubt"):
                doubts.append(f"{name}: {one_line(now['doubt'])}")
            elif now.get("note"):
                notes.append(f"{name}: {one_line(now['note'])}")
    doubts += [f"{name}: a replica whose primary {primary}" for name, primary in headless(names, answers).items()]
    if not names:
        doubts.append("no host is in the group of databases")
    elif not chosen and not doubts and not lacking:
        doubts.append("no primary answered")
    affected = sum(int(answer.get("affected_on_count", 0)) for answer in chosen.values())
    on = sum(int(answer.get("on_count", 0)) for answer in chosen.values())
    return {
        "known": bool(chosen) and not doubts and not lacking,
        # If no database has a log of errors there is nothing to ask; if only some have one, that is a doubt.
        "applies": bool(chosen or doubts),
        "affected_on": affected,
        "on": on,
        "share": affected / on if on else None,
        "users": _sum(answer.get("users_count") for answer in chosen.values()),
        "tenants": [row for answer in chosen.values() for row in answer["tenants"]],
        "why": "; ".join([*doubts, *lacking]),
        "note": "; ".join(notes),
    }


def _sum(counts: Any) -> int | None:
    """Return a sum, or None if one of the figures is not known."""
    found = list(counts)
    return None if not found or None in found else sum(map(int, found))


def gate_facts(result: Answer | None) -> dict[str, Any]:
    """Return what a watch says, as the fact ``__observe`` of the role has it.

    ``verdict``; ``metrics``, those that count; ``why`` some gave no data; and ``beside``, in words: which do not count,
    and when a watch was not ok. A watch that was not steady at its end is unstable, whatever its last tries say.
    """
    if not result or "verdict" not in result:
        why = one_line((result or {}).get("problem") or "nothing was measured")
        return {"verdict": "no_data", "metrics": {}, "why": why}
    metrics = {
        metric["name"]: {
            "value": _rounded(metric.get("value")),
            "threshold": {name: metric["threshold"][name] for name in ("max", "min") if name in metric["threshold"]},
            "unit": metric["threshold"].get("unit", ""),
            "verdict": metric["verdict"],
        }
        for metric in result.get("metrics", [])
        if metric.get("threshold") and not metric.get("ignored")
    }
    silent = result.get("silent") or {}
    told = "; ".join(f"{one_line(host)}: {one_line(why)}" for host, why in silent.items())
    without = {**beside(result.get("metrics", [])), "unmeasured": result.get("unmeasured")}
    whole = result.get("end") == "whole"
    spells = spells_text(result.get("spells") or []) if whole else ""
    verdict = result["verdict"]
    shaken = whole and verdict == OK and not result.get("steady", True)
    return {
        "verdict": UNSTABLE if shaken else verdict,
        "metrics": metrics,
        "why": told,
        "beside": [*beside_text(without), *([spells] if spells else [])],
    }


def _rounded(value: Any) -> Any:
    """Return a figure as a person reads it; anything else stays as it is."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def health_facts(
    names: Sequence[str],
    answers: Sequence[Answer],
    tries: Sequence[int],
    askers: Sequence[str],
    asked: Sequence[Answer],
    gate: Answer | None,
    sockets: str = "socket_latency",
    controller: str = "localhost",
) -> dict[str, Any]:
    """Return whether the application is up, host by host and from how many places.

    :param names: the application's hosts; ``answers`` are those of ``smoke_test`` there, asking the host's own address.
    :param tries: how often each was asked.
    :param askers: hosts that asked the users' address, none if there is no such address; ``asked`` are their answers.
    :param gate: what the role ``observe`` left; its samples of ``sockets`` say who can connect.
    :param controller: the host whose second request comes from the same place as its SSH.
    """
    found: dict[str, list[str]] = {"healthy": [], "unhealthy": [], "unreachable": [], "silent": []}
    bad_tries = []
    for name, answer, row in together(names, answers, [{"tries": number} for number in tries]):
        kind = _health(answer)
        found[kind].append(name if kind in ("healthy", "unreachable") else f"{name}: {_why(answer)}")
        if kind != "healthy":
            bad_tries.append(int(row.get("tries", 0)))
    outside = [(name, answer, _health(answer)) for name, answer in together(askers, asked)]
    answered = [(name, answer, kind) for name, answer, kind in outside if kind in ("unhealthy", "healthy")]
    # This does not count as down, yet nobody saw that users are served.
    unserved = [(name, answer) for name, answer, kind in outside if kind == "unhealthy" or _blind(answer)]
    return {
        "hosts": list(names),
        **found,
        "tries": min(bad_tries, default=max(tries, default=0)),
        # The controller is a place of its own, because it is what cannot reach a host over SSH.
        "places": 1 + sum(name != controller for name, _answer, _kind in answered),
        "users": {
            "asked": bool(answered or unserved),
            # Users who are served from anywhere are served, even if some host cannot be reached over SSH.
            "served": any(kind == "healthy" for _name, _answer, kind in answered),
            "why": [f"{name}: {_why(answer)}" for name, answer in unserved],
        },
        "sockets": _sockets(gate, sockets, names),
    }


def _health(answer: Answer) -> str:
    """Return how a host is; ``silent`` if nobody knows."""
    # A host that freezes behind an already open connection is given up by the task's own time limit.
    if answer.get("unreachable") or answer.get("timedout"):
        return "unreachable"
    if answer.get("failed") or not answer.get("steps") or _blind(answer):
        return "silent"
    return "healthy" if answer.get("passed") is True else "unhealthy"


def _blind(answer: Answer) -> bool:
    return any(step.get("code") in _BLIND for step in answer.get("steps") or [])


def _why(answer: Answer) -> str:
    steps = answer.get("steps") or []
    return one_line(next((step["why"] for step in steps if step.get("why")), None) or why_not(answer))[:_WHY]


def _sockets(gate: Answer | None, metric: str, names: Sequence[str]) -> dict[str, int]:
    """Return how sockets were in the last try, and in how many of the last tries in a row all were refused."""
    series: Sequence[Mapping[str, Any]] = (gate or {}).get("series") or []
    tries = [[sample for sample in row["samples"] if sample.get("metric") == metric] for row in series]
    last = tries[-1] if tries else []
    connected = sum(sample.get("value") is not None for sample in last)
    refused = sum(_refuses(sample) for sample in last)
    unclear = sum(sample.get("code") in _UNCLEAR for sample in last)
    who = {sample.get("host") for sample in last}
    # Hosts that are asked directly, but were not because they are out of reach: nobody knows about their sockets.
    lacking = sum(name not in who for name in names) if who.intersection(names) else 0
    in_a_row = takewhile(lambda samples: samples and all(map(_refuses, samples)), reversed(tries))
    return {
        "asked": len(last) + lacking,
        "connected": connected,
        "refused": refused,
        "unclear": unclear,
        "unreachable": len(last) + lacking - connected - refused - unclear,
        "tries": sum(1 for _samples in in_a_row),
    }


def _refuses(sample: Answer) -> bool:
    return sample.get("code") in _REFUSED


def triage_records(
    names: Sequence[str], answers: Sequence[Answer], needed: bool = False, arguments: Sequence[str] = ()
) -> dict[str, Any]:
    """Return where the decision was recorded: ``lines``, ``incidents``, and ``bad`` if it had to be and was not.

    :param names: the database hosts; ``answers`` are those of ``incident`` there, empty or skipped if no incident is
        open, or the host is a replica.
    :param needed: whether it is a P2, which is an incident of its own if none is open.
    :param arguments: what the line that closes that incident needs.
    """
    lines, incidents, failures = [], [], []
    own: dict[str, None] = {}
    for name, answer in together(names, answers):
        if "incident_id" in answer and not answer.get("failed"):
            incident = one_line(answer["incident_id"])
            incidents.append(incident)
            if needed and _is_p2s(answer):
                own[incident] = None
            lines.append(
                f"Recorded on {name} in incident {incident}" + (", opened for it" if answer["opened_now"] else "")
            )
        elif answer.get("failed") or answer.get("unreachable"):
            failures.append(f"Not recorded on {name}: {why_not(answer)}")
    for incident in own:
        # Nothing was switched for it, so nothing later would show the line.
        lines += [f"Incident {incident} is the P2's own; when it is over, close it:", close_of(incident, arguments)]
    bad = [*failures, *([] if failures else ["it was not recorded, for no primary answered"])]
    return {
        "lines": [*lines, *failures],
        "incidents": sorted(set(incidents)),
        "bad": [] if incidents or not needed else bad,
    }


def _is_p2s(answer: Answer) -> bool:
    before = [row for row in answer.get("open_before") or [] if row.get("incident_id") == answer["incident_id"]]
    return bool(answer["opened_now"]) or any(row.get("scenario") == "p2" for row in before)
