# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an incident affected: companies, users, errors, before the stop and after it. Pure: no Ansible, no driver.

A reading after the stop sees what the stop has already cured: the outcome, not the impact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import (
    by_place,
    first_figure,
    is_stop,
    last_figure,
    number,
    numbers,
    steps_of,
    sum_of,
)

_LOOK = "affected_tenants_info"


def companies(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return how many companies there are, had the feature, and were switched off.

    ``complete`` is false if a host that was to be switched never answered, or none was asked: then only
    ``switched_off`` has a number, and it is at least that many. ``silent`` is how many hosts never answered.
    """
    told = steps_of(runs, "feature_flag", _LOOK)
    answered = [step for step in told if _answered(step)]
    hosts = {step.host for step in answered if step.source == "feature_flag"}
    silent = {step.host for step in told if is_stop(step) and step.host not in hosts}
    places = [_of_place(_together(steps)) for steps in by_place(answered).values()]
    places = [place for place in places if place]
    complete = bool(places) and not silent
    names = ("total", "on_before", "on_after")
    summed = {name: sum_of(place[name] for place in places) if complete else None for name in names}
    off = sum_of(place["switched_off"] for place in places)
    share = round(off / summed["on_before"], 4) if number(off) and summed["on_before"] else None
    return {**summed, "switched_off": off, "share": share, "complete": complete, "silent": len(silent)}


def _answered(step: Step) -> bool:
    return step.ok or "enabled_after" in step.figures


def _together(steps: Sequence[Step]) -> list[Step]:
    """Return steps of one database, with simultaneous stops by two hosts as one stop: each host switched a part of it,
    and counts as on before what it switched itself plus what was left when it ended.
    """
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else step
        at_once = is_stop(step) and is_stop(last) and step.host != last.host and (step.started or step.at) < last.at
        known = [one.figures.get(name) for one in (step, last) for name in ("changed_count", "enabled_after")]
        if not at_once or len(numbers(known)) < len(known):
            found.append(step)
            continue
        count = last.figures["changed_count"] + step.figures["changed_count"]
        before = count + step.figures["enabled_after"]
        found[-1] = replace(step, figures={**step.figures, "changed_count": count, "enabled_before": before})
    return found


def _of_place(steps: Sequence[Step]) -> dict[str, Any]:
    """Return the figures of one database; empty if nothing was stopped there."""
    stops = [step for step in steps if is_stop(step)]
    if not stops:
        return {}
    asked = [step for step in steps if step.source == _LOOK]
    meant = max(numbers(step.figures.get("total") for step in stops), default=None)
    total = last_figure(asked, "total")
    # For a list of named tenants, a kill tells no more than their number.
    whole = total is None or (meant is not None and meant >= total)
    after = stops[-1].figures.get("enabled_after") if whole else None
    if not whole:
        after = last_figure([step for step in asked if step.at > stops[-1].at], "on_count")
    on_before = _on_before(stops, _before(asked, stops))
    return {
        "total": total if total is not None else meant,
        "on_before": on_before,
        "on_after": after if number(after) else None,
        "switched_off": _switched(steps, on_before),
    }


def _before(looks: Sequence[Step], stops: Sequence[Step]) -> list[Step]:
    """Return the looks before the first stop; all of them if nothing was stopped."""
    return [look for look in looks if not stops or look.at <= stops[0].at]


def _on_before(stops: Sequence[Step], looks: Sequence[Step]) -> Any:
    """Return how many had the feature: a stop of everybody counted them itself, one of a list only those on it.

    :param looks: those before the first stop.
    """
    seen, meant = last_figure(looks, "total"), stops[0].figures.get("total")
    listed = seen is not None and number(meant) and meant < seen
    return last_figure(looks, "on_count") if listed else first_figure(stops, "enabled_before")


def _switched(steps: Sequence[Step], on_before: Any) -> Any:
    """Return how many different tenants were switched off; a second stop after a return switches the same ones again.

    Tenants that are written back and switched again, by the sweep or by the same command again, are counted a second
    time by the stop. So of those that are meant (all, or a list, which has its own id) no more count than were on.
    """
    most: float = 0
    seen = False
    changed: dict[Any, float] = {}
    were_on: dict[Any, float] = {}
    for step in steps:
        figures = step.figures
        if step.source != "feature_flag" or not number(figures.get("changed_count")):
            continue
        if is_stop(step):
            # By their number if the journal is from before lists had an id.
            seen, meant = True, step.details.get("list") or figures.get("total")
            changed[meant] = changed.get(meant, 0) + figures["changed_count"]
            on = figures.get("enabled_before")
            were_on[meant] = max(were_on.get(meant, 0), on) if number(on) else changed[meant]
        elif step.role == "reenable" and figures["changed_count"]:
            changed, were_on = {}, {}
        most = max(most, sum(min(count, were_on[meant]) for meant, count in changed.items()))
    if not seen:
        return None
    return min(most, on_before) if number(on_before) else most


def users(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return how many users are affected: those of the companies that were switched off, else by the last ranking
    before the stop. A count from before more companies were switched off does not include theirs.
    """
    steps = sorted((step for run in runs if not run.is_plan for step in run.steps), key=lambda step: step.at)
    stops = by_place(step for step in steps if is_stop(step) and _answered(step))
    found = []
    for place, counted in by_place(step for step in steps if number(step.figures.get("users_count"))).items():
        looks = [step for step in counted if step.source == _LOOK]
        of_those_off = [step for step in counted if step.source != _LOOK]
        changed = max((step.at for step in stops.get(place, []) if step.figures.get("changed_count")), default="")
        new = [step for step in of_those_off if step.at > changed]
        found.append(last_figure(new if of_those_off else _before(looks, stops.get(place, [])), "users_count"))
    return {"affected": sum_of(found)}


def errors(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return errors and companies that have them, by the last ranking before the stop; error lines in the logs.

    ``affected_after`` are companies that have errors by the last look after the last stop, null if not every
    database was looked at again; ``log_lines`` are those of the last look.
    """
    ranked = by_place(steps_of(runs, _LOOK))
    stops = by_place(step for step in steps_of(runs, "feature_flag") if is_stop(step) and _answered(step))
    before = [_before(looks, stops.get(place, [])) for place, looks in ranked.items()]
    logged: dict[str, Step] = {step.host: step for step in steps_of(runs, "pm2_info")}
    return {
        "by_tenants": sum_of(last_figure(looks, "errors_total") for looks in before),
        "affected_companies": sum_of(last_figure(looks, "affected_count") for looks in before),
        "affected_after": sum_of(_affected_after(ranked.get(place, []), last[-1].at) for place, last in stops.items()),
        "log_lines": sum_of(step.figures.get("error_lines_recent") for step in logged.values()),
    }


def _affected_after(looks: Sequence[Step], stopped: str) -> Any:
    """Return the last count after a moment; a frozen list still has its earlier figures."""
    later = [look for look in looks if look.at > stopped and look.figures.get("frozen") is not True]
    return last_figure(later, "affected_count")
