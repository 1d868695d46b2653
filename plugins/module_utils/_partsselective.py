# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of scenarios 1 and 2 that decide and watch: the list, the decision, the pause, the watch.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    headless,
    together,
    why_line,
    why_not,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import OK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import DECIDE, NOTHING, SELECT, WATCH, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsgate import gate_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankwords import ranking_lines


def ranking_part(
    names: Sequence[str],
    ranked: Sequence[Answer],
    not_frozen: Sequence[str],
    verified: Sequence[Answer],
    not_verified: Sequence[str],
    plan: bool = False,
) -> dict[str, Any]:
    """Judge the list: ranked on every primary, and the same ids found off when they were asked for again.

    :param ranked: as ``affected_tenants_info`` gives them; ``not_frozen``: why a list is not frozen, empty if it is.
    :param verified: as ``feature_flag_info`` gives them for these ids; ``not_verified``: why that did not hold.
    """
    part, off = Part(SELECT, "each of the list was asked for again and is off"), 0
    reasons = [[{"why": text} for text in texts] for texts in (not_frozen, not_verified)]
    for name, answer, frozen, later, wrong in together(names, ranked, reasons[0], verified, reasons[1]):
        if answer.get("skipped") and not answer.get("skip_reason"):
            continue  # A replica: its primary ranks.
        part.lines += ranking_lines(answer, name, str(frozen.get("why") or ""))
        if answer.get("failed") or "tenants" not in answer:
            part.bad.append(f"the tenants on {name} are not ranked")
        elif plan or not (there := len(answer["tenants"]) - len(answer.get("gone", []))):
            continue
        elif wrong.get("why") or later.get("failed") or later.get("enabled") != 0:
            part.bad.append(f"the list on {name} is not known to be off")
            reason = one_line(wrong.get("why") or why_not(later))
            part.lines.append(f"{name}: {reason}")
        else:
            off += there
    part.bad += [f"the tenants on the primary of {name} are not ranked" for name in headless(names, ranked)]
    if plan or not off:
        part.good = "the list is ranked"
    return part.as_result()


def decision_part(decision: Answer | None) -> dict[str, Any]:
    """Judge what the matrix decided, as ``scenario2_decision`` gives it."""
    part = Part(DECIDE, "")
    if not decision:
        part.bad.append("nothing was decided")
        return part.as_result()
    part.good = one_line(decision["headline"]).rstrip(".")
    if decision.get("failed"):
        part.bad.append(part.good)
    part.lines += [one_line(line) for line in decision.get("about") or decision.get("lines", [])]
    part.next += [one_line(line) for line in decision.get("next", [])]
    return part.as_result()


def pause_part(names: Sequence[str], answers: Sequence[Answer], plan: bool = False) -> dict[str, Any]:
    """Judge the pause of the roll-out on every primary, as ``feature_flag`` gives it for ``state: paused``."""
    part, judged = Part(SELECT, "the roll-out is paused"), 0
    for name, answer in together(names, answers):
        if answer.get("database", {}).get("writable") is False:
            continue
        judged += 1
        if answer.get("failed") or "enabled_after" not in answer:
            part.bad.append(f"the roll-out on {name} is not paused")
            part.lines.append(why_line(f"{name}: pause NOT ACCOUNTED FOR", answer))
        else:
            would = "would be paused" if plan else "is paused"
            part.lines.append(
                f"{name}: the roll-out {would}: {answer['enabled_after']:,} of {answer['total']:,} tenants have it and "
                "keep it, nobody else gets it"
            )
    part.bad += [f"the roll-out on the primary of {name} is not paused" for name in headless(names, answers)]
    if not judged:
        part.bad.append("the roll-out is not paused, for no primary answered")
    return part.as_result()


def watch_part(
    result: Answer | None,
    minutes: float,
    detached: bool = False,
    plan: bool = False,
    decided: bool = False,
    why: str = "",
) -> dict[str, Any]:
    """Judge a watch, as the role ``observe`` left it; one left out on purpose is reported and is not a failure.

    :param minutes: how long it was to last; 0 for none.
    :param detached: whether it is left to another run of the same command.
    :param decided: whether a decision was made on what it found: then it is the decision that holds or not.
    :param why: why a watch that was due did not take place.
    """
    part = Part(WATCH, "")
    if result and not why:
        judged = {**gate_part(result, plan), "kind": WATCH}
        # A decision does not know of a watch that was good but too short to be sure, or of none at all; it does know of
        # one that was not steady.
        short = result.get("verdict", OK) == OK and result.get("steady", True)
        if not decided or judged["holds"] or short:
            return judged
        return {**judged, "holds": True, "bad": [], "good": "the metrics were watched"}
    if why:
        part.bad.append("the metrics were not watched")
        part.lines.append(f"No watch: {one_line(why)}")
    elif float(minutes) <= 0:
        part.kind, part.good = NOTHING, "no watch (kanban_watch_minutes)"
    elif plan:
        part.kind, part.good = NOTHING, "a watch would follow"
        part.lines.append(f"The metrics would be watched for {float(minutes):g} minutes.")
    elif detached:
        part.kind, part.good = NOTHING, "the watch is left to another run"
        part.next.append(
            f"NOT WATCHED YET: type the same command without kanban_watch_detach, here or elsewhere, for the "
            f"{float(minutes):g} minutes of watching."
        )
    else:
        part.bad.append("nothing was watched, for what is above does not hold")
    return part.as_result()
