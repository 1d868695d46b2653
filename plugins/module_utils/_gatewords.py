# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate in words: one line per try, and what a metric says. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import DEGRADED, NO_DATA, NOT_JUDGED, OK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import FIRST, clean

Metric = Mapping[str, Any]

# Most hosts and metrics that one line names.
MOST_NAMED = 5
_WORDS = {NO_DATA: "no data"}
_SPELLS = {NO_DATA: "without data"}


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, ``01:10``."""
    whole = max(0, round(seconds))
    return f"{whole // 60:02}:{whole % 60:02}"


def figure(value: float | None, unit: str = "") -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "no value"
    text = f"{value:,.0f}" if abs(value) >= 1000 else re.sub(r"\.?0+$", "", f"{value:.3f}")
    if value and text in ("0", "-0"):
        text = f"{value:.1e}"
    return f"{text} {unit}".rstrip()


def metric_text(metric: Metric) -> str:
    """Return what one metric says: ``error rate 0.02 % ok``."""
    name = clean(metric["name"]).replace("_", " ")
    threshold = metric.get("threshold") or {}
    unit = clean(threshold.get("unit", ""))
    if threshold.get("growth"):
        name += " growth"
    verdict = metric["verdict"]
    if verdict == NOT_JUDGED:
        return f"{name} {figure(metric['value'], unit)}"
    hosts = [host for host in metric["hosts"] if host["verdict"] == verdict]
    if verdict == NO_DATA and hosts and all(host["code"] == FIRST for host in hosts):
        return f"{name} not yet"
    if verdict == NO_DATA and hosts and all(host["value"] is not None for host in hosts):
        return f"{name} {figure(metric['value'], unit)} not counted yet"
    if verdict == NO_DATA:
        return f"{name} NO DATA ({_silent(hosts)})"
    shown = figure(metric["value"], unit)
    if verdict == OK:
        silent = [host for host in metric["hosts"] if host["value"] is None]
        return f"{name} {shown} ok" + (f" ({_silent(silent)})" if silent else "")
    # A figure with a reason beside it is the time that was waited in vain.
    where = ", ".join(
        clean(host["host"]) + (f": {clean(host['error'])}" if host["value"] is not None and host.get("error") else "")
        for host in hosts[:MOST_NAMED]
    )
    word = verdict.upper() if verdict == DEGRADED else verdict
    return f"{name} {shown} {word} ({limit_text(threshold)}; {where})"


def limit_text(threshold: Mapping[str, Any]) -> str:
    """Return a threshold in words: ``at most 0.1 %``."""
    unit = clean(threshold.get("unit", ""))
    limits = [("max", "at most"), ("min", "at least")]
    return ", ".join(f"{word} {figure(threshold[name], unit)}" for name, word in limits if name in threshold)


def beside(metrics: Sequence[Metric]) -> dict[str, list[str]]:
    """Return what no verdict counts: ``ignored``, which may have no figure and has none; ``pending``, not yet judged.

    The hosts are named if other hosts of the metric do count.
    """
    found: dict[str, list[str]] = {"ignored": [], "pending": []}
    for metric in metrics:
        if metric["verdict"] == NOT_JUDGED:
            continue
        name = clean(metric["name"]).replace("_", " ")
        kinds: dict[str, list[Mapping[str, Any]]] = {"ignored": [], "pending": []}
        hosts = metric.get("hosts") or []
        for host in hosts:
            if host["ignored"]:
                kinds["pending" if host["code"] == FIRST else "ignored"].append(host)
        for kind, some in kinds.items():
            growth = " growth" if kind == "pending" and metric["threshold"].get("growth") else ""
            where = (
                f" of {', '.join(clean(host['host']) for host in some[:MOST_NAMED])}" if len(some) < len(hosts) else ""
            )
            found[kind] += [f"{name}{growth}{where}"] if some else []
    return found


def beside_text(found: Mapping[str, Any]) -> list[str]:
    """Return the same in words, with ``unmeasured``, the names of metrics that have a threshold and no source."""
    words = (
        ("ignored", "without a figure, which is no fault"),
        ("pending", "not judged yet, which takes longer"),
        ("unmeasured", "NOT MEASURED, for no source is given"),
    )
    return [f"{text}: {', '.join(map(clean, found[name]))}" for name, text in words if found.get(name)]


def spells_text(spells: Sequence[Mapping[str, Any]]) -> str:
    """Return when a watch was not ok: ``was unstable from 02:00 to 05:10``; empty if it always was ok."""
    told = [
        f"{_SPELLS.get(one['verdict'], clean(one['verdict']))} from {clock(one['from'])} to {clock(one['to'])}"
        for one in spells[-MOST_NAMED:]
    ]
    more = f", and {len(spells) - MOST_NAMED} times before" if len(spells) > MOST_NAMED else ""
    return f"was {', '.join(told)}{more}" if told else ""


def _silent(hosts: Sequence[Mapping[str, Any]]) -> str:
    if not hosts:
        return "nobody was asked"
    rows = [f"{clean(host['host'])}: {clean(host['error'] or 'no value')}" for host in hosts[:MOST_NAMED]]
    return "; ".join(rows) + (f"; and {len(hosts) - MOST_NAMED} more" if len(hosts) > MOST_NAMED else "")


def progress(result: Mapping[str, Any], seconds: float, interval: float) -> str:
    """Return the line of one try: ``try 7 of 30, 01:10 of 05:00: error rate 0.02 % ok, …``."""
    last = max(int(result["try"]), int(seconds // max(interval, 0.1)) + 1)
    watched = min(float(result["watched_seconds"]), seconds)
    metrics = ", ".join(metric_text(metric) for metric in result["metrics"])
    kept = "" if result.get("ledger_kept") else " (not in the ledger: another run could not go on with this)"
    return f"try {result['try']} of {last}, {clock(watched)} of {clock(seconds)}: {metrics or 'no metric'}{kept}"


def headline(result: Mapping[str, Any]) -> str:
    """Return what is wrong, or that all is well."""
    wrong = [one for one in result["metrics"] if one["verdict"] not in (OK, NOT_JUDGED) and not one["ignored"]]
    chosen = [metric for metric in wrong if metric["verdict"] == result["verdict"]] or wrong or result["metrics"]
    more = f", and {len(chosen) - MOST_NAMED} more" if len(chosen) > MOST_NAMED else ""
    texts = ", ".join(metric_text(metric) for metric in chosen[:MOST_NAMED]) + more
    return f"{_WORDS.get(result['verdict'], result['verdict'])}: {texts or 'no metric was judged'}"
