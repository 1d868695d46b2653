# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking the decision tree: from what was measured to one outcome. Pure: neither Ansible nor a driver.

Facts come from many sources, so each may be missing or of an odd type; then it counts as unknown, never as good.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import figure
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._tree import OUTCOMES, START, TREE, Way
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagedown import judge_down
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import (
    PLACES,
    SHARE,
    SHOWN,
    TRIES,
    Facts,
    Limits,
    is_true,
    limit_of,
    names_of,
    number_of,
    part,
    several,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

# What an incident's record keeps; all of it is bounded, because figures are reported in bounded lines.
_RECORDED = ("scenario", "recommended", "severity", "headline", "path", "command")


def triage_decision(
    facts: Facts,
    *,
    tries: int = 3,
    places: int = 2,
    share: float = 0.5,
    act: bool = False,
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the one outcome of the tree, and how it was reached.

    :param facts: ``declared``, ``integrity``, ``health``, ``performance``, ``affected``.
    :param tries: how often a host must have been asked before it counts as down.
    :param places: from how many places, if it cannot be reached.
    :param share: the share of the tenants that are on from which scenario 2 is not enough.
    :param act: whether the caller goes on with the scenario that was decided on, which a P2 or doubt never is.
    :param arguments: what the next command needs, for instance ``["-i", "production"]``.
    """
    read = [
        limit_of("kanban_triage_tries", tries, TRIES),
        limit_of("kanban_triage_places", places, PLACES),
        limit_of("kanban_share_limit", share, SHARE),
    ]
    (most, _said), (wide, _said), (part_of_all, _said) = read
    misread = [line for _value, said in read for line in said]
    limits, name = Limits(int(most), int(wide), part_of_all), START
    taken: list[tuple[str, Way, str]] = []
    path = []
    while name in TREE:
        fork = TREE[name]
        label, because = _JUDGES[name](part(facts, _SOURCES.get(name, name)), limits, taken)
        way = fork.ways[label]
        taken.append((label, way, because))
        path.append({"question": fork.question, "answer": way.answer, "because": because})
        name = way.to
    p2 = any(label == "p2" for label, _way, _because in taken)
    severity, headline, playbook = OUTCOMES[name]
    if name == "none":
        # Only what was looked at is good.
        headline = "; ".join([headline, *map(one_line, names_of(part(facts, "performance").get("beside")))])
    if name not in ("none", "unknown"):
        headline = f"{headline}. Why: {taken[-1][2]}"
    if p2:
        headline = f"P2, recorded; nothing is switched. What was measured says: {headline}"
    command = command_of(playbook, arguments)
    already = _nobody_has_it(name, facts)
    acts = playbook.split()[0] if is_true(act) and not p2 and name not in ("none", "unknown") else ""
    found = {
        "scenario": "p2" if p2 else name,
        "recommended": name,
        "severity": "P2" if p2 else severity,
        "path": path,
        "unknown": [step["question"] for step in path if step["answer"] == "unknown"],
        "command": command,
        "headline": headline,
        "reason": one_line(taken[-1][2]),
        "acts": acts,
        "lines": [
            *_path_lines(path),
            *misread,
            headline,
            *already,
            *_next_lines(name, taken, command, acts, bool(already)),
        ],
        "failed": name != "none",
    }
    return {**found, "record": {key: found[key] for key in _RECORDED}}


def _path_lines(path: Sequence[Mapping[str, str]]) -> list[str]:
    # An unknown answer says so itself.
    said = {"yes": "YES: ", "no": "no: ", "unknown": ""}
    return [f"{i}. {step['question']} {said[step['answer']]}{step['because']}" for i, step in enumerate(path, 1)]


def _nobody_has_it(outcome: str, facts: Facts) -> list[str]:
    """Say if switching off would change nothing: it was done before, and the same line again leads nowhere."""
    affected = part(facts, "affected")
    if outcome not in ("scenario1", "scenario2") or not is_true(affected.get("known")) or number_of(affected.get("on")):
        return []
    return [
        "Kanban V2 is off for everybody already, so what is wrong now is not what a rollback mends: look elsewhere."
    ]


def _next_lines(
    outcome: str, taken: Sequence[tuple[str, Way, str]], command: str, acts: str, already: bool
) -> list[str]:
    look = [f"Look at: {way.look}" for _label, way, _because in taken if way.look]
    if outcome == "none":
        return []
    if outcome == "unknown":
        return [
            *look,
            f"Then: {command}",
            "What a person knows and no probe can: -e kanban_declared=down (or corruption, or security).",
        ]
    # Nobody needs again what was done before, except to prove it.
    then = f"To have it proven off all the same: {command}" if already else f"Next: {command}"
    return [f"Going on with {acts}." if acts else then, *look]


# The question of each fork. Each function returns the name of a way and the figures that decided.


def _declared(facts: Facts, _limits: Limits, _taken: Any) -> tuple[str, str]:
    what, reason = one_line(facts.get("what") or ""), one_line(facts.get("reason") or "no reason is given")
    if not what:
        return "nothing", "nothing is declared"
    if what in ("corruption", "down", "security", "p2"):
        return what, f"{what} is declared: {reason}"
    return "other", f"not known: {what!r} is declared, and that is none of corruption, down, security, p2"


def _data(facts: Facts, _limits: Limits, _taken: Any) -> tuple[str, str]:
    numbers = {one_line(name): number_of(count) for name, count in part(facts, "counts").items()}
    counts = {name: count for name, count in numbers.items() if count is not None}
    bad = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    told = ", ".join(f"{name} {counts[name]:,.0f}" for name in bad[:SHOWN])
    lacking = [one_line(name) for name in names_of(facts.get("not_applicable"))]
    beside = _noted(facts) + (f"; does not apply here: {', '.join(lacking[:SHOWN])}" if lacking else "")
    if facts.get("status") == "corrupt":
        return "corrupt", (told or one_line(facts.get("why") or "a check found corruption")) + beside
    if facts.get("status") == "ok" and counts:
        tolerated = f", within what is tolerated: {told}" if told else ""
        return "whole", f"{several(len(counts), 'check')} counted, none too much{tolerated}{beside}"
    why = one_line(facts.get("why") or ("no check applies" if facts.get("status") == "ok" else "no answer"))
    return "unknown", f"not known: {why}{beside}"


def _noted(facts: Facts) -> str:
    """Return what checks that do not decide found, most first; checks that did not count come before those."""
    found = {one_line(name): number_of(count) for name, count in part(facts, "noted").items()}
    names = sorted(found, key=lambda name: (found[name] is not None, -(found[name] or 0)))
    told = [f"{name} {'not counted' if found[name] is None else format(found[name], ',.0f')}" for name in names]
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return f"; noted, and does not decide: {', '.join(told[:SHOWN])}{more}" if told else ""


def _performance(facts: Facts, _limits: Limits, _taken: Any) -> tuple[str, str]:
    verdict, metrics = facts.get("verdict"), part(facts, "metrics")
    label = {"ok": "good", "degraded": "degraded", "unstable": "unstable"}.get(str(verdict), "unknown")
    if not metrics and label == "good":
        label = "unknown"
    told = gate_line(facts)
    if label == "unknown":
        return label, f"not known: {told or 'no metric has data'}"
    return label, told or f"the metrics are {one_line(verdict)}"


def gate_line(facts: Facts) -> str:
    """Return what a watch says in one line: the metrics that decided, why some gave no data, and what did not count."""
    verdict = str(facts.get("verdict"))
    told = [metric_lines(part(facts, "metrics"), verdict)]
    if verdict not in ("ok", "degraded", "unstable"):
        told.append(one_line(facts.get("why") or ""))
    return "; ".join([one for one in told if one] + [one_line(text) for text in names_of(facts.get("beside"))])


def metric_lines(metrics: Facts, verdict: str) -> str:
    """Return the metrics that have this verdict with value and threshold, or else all of them, in one line."""
    named = [(one_line(name), part(metrics, name)) for name in metrics]
    decided = [(name, metric) for name, metric in named if metric.get("verdict") == verdict] or named
    told = []
    for name, metric in decided[:SHOWN]:
        value, unit = metric.get("value"), one_line(metric.get("unit") or "")
        shown = "no data" if value is None else _figure(value, unit)
        if value is not None and metric.get("verdict") == "no_data":
            shown += ", not enough data"
        told.append(f"{name} {shown}{_threshold(metric.get('threshold'), unit)}")
    more = len(decided) - SHOWN
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _threshold(given: Any, unit: str) -> str:
    limits = {"max": "at most", "min": "at least"}
    if isinstance(given, Mapping):
        told = [f"{words} {_figure(given[name], unit)}" for name, words in limits.items() if name in given]
        return f" ({', '.join(told)})" if told else ""
    return "" if given is None else f" (threshold {_figure(given, unit)})"


def _figure(given: Any, unit: str) -> str:
    number = number_of(given)
    return f"{one_line(given)} {unit}".strip() if number is None else figure(number, unit)


def share_of(facts: Facts) -> tuple[float | None, str]:
    """Return which share of the tenants that are on is affected, None if nobody knows, and the same in words."""
    if not is_true(facts.get("known")):
        return None, f"not known: {one_line(facts.get('why') or 'nobody counted who is affected')}"
    affected, on, share = (number_of(facts.get(name)) for name in ("affected_on", "on", "share"))
    if on == 0:
        return 0.0, "no tenant is on"
    if share is None and affected is not None and on:
        share = affected / on
    if share is None:
        return None, "not known: the share of affected tenants is missing"
    percent = f"{share * 100:.3g} %"
    note = f" ({one_line(facts['note'])})" if facts.get("note") else ""
    if affected is None or on is None:
        return share, f"{percent} of the tenants that are on{note}"
    return share, f"{affected:,.0f} of {on:,.0f} tenants that are on, {percent}{note}"


def _share(facts: Facts, limits: Limits, _taken: Any) -> tuple[str, str]:
    share, told = share_of(facts)
    if share is None:
        return "unknown", told
    if number_of(facts.get("on")) == 0:
        return "nobody", told
    return ("most" if share >= limits.share else "some"), f"{told}; the limit is {limits.share * 100:.3g} %"


def _errors(facts: Facts, limits: Limits, taken: Any) -> tuple[str, str]:
    if "applies" in facts and not is_true(facts["applies"]):
        return "nothing", f"does not apply: {one_line(facts.get('why') or 'there is no log of errors')}"
    label, told = _share(facts, limits, taken)
    return {"some": "few", "nobody": "few"}.get(label, label), told


def _whole(_facts: Facts, _limits: Limits, taken: Sequence[tuple[str, Way, str]]) -> tuple[str, str]:
    doubts = [str(number) for number, (_label, way, _because) in enumerate(taken, 1) if way.look]
    if doubts:
        return "no", f"see {', '.join(doubts)} above"
    return "yes", "every question above has its answer"


_JUDGES: Mapping[str, Callable[[Facts, Limits, Any], tuple[str, str]]] = {
    "declared": _declared,
    "data": _data,
    "down": judge_down,
    "performance": _performance,
    "share": _share,
    "errors": _errors,
    "whole": _whole,
}
# Which part of the facts a fork looks at, if it has another name than the fork.
_SOURCES = {"data": "integrity", "down": "health", "share": "affected", "errors": "affected"}
