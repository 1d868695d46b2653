# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an incident was stopped, validated, repaired, released, brought back, and its state. Pure.

The clock starts with the first line of the first run, which is when a person starts to wait; it is the controller's.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import SCENARIOS, RunRecord, Step
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import is_stop, numbers, steps_of

SEVERITIES: Mapping[str, str] = {"scenario1": "P0", "scenario2": "P1", "scenario3": "P0 critical", "": ""}
# The playbook that runs a scenario's own playbook on a team's staging.
REHEARSAL = "rehearse"
# Mildest first: a run that goes on from one to another counts as the graver one.
_GRAVER = ("", "scenario2", "scenario1", "scenario3")
_REPAIRS = ("integrity_repair", "pg_restore_tables")
_STOPPING = ("feature_flag", "write_fence", "write_block")
# These look at the application for reasons of their own.
_LATER = ("release", "reenable")
_LOWERED = ("absent", "dormant", "lowered")
_TESTS = {"kill_proof_info": "proven", "smoke_test": "passed", "cache_purge": "complete", "pm2_info": "ok"}


def seconds_between(began: str | None, ended: str | None) -> float | None:
    """Return seconds between two moments, to a tenth; null if one is not known."""
    if not began or not ended:
        return None
    first, last = seen(began), seen(ended)
    return round(max(0.0, (last - first).total_seconds()), 1) if first and last else None


def seen(moment: str) -> datetime | None:
    """Return a journal's moment as a datetime; null if it is not one."""
    try:
        return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def scenario_of(run: RunRecord) -> str:
    """Return which scenario a run carried out; empty for one that stopped nobody."""
    if not any(step.role in ("contain", "selective") for step in run.steps):
        return ""
    if run.playbook == "scenario2":
        # It goes on with everybody if that was decided.
        return "scenario1" if run.exit.get("kanban_decision") == "escalate" else "scenario2"
    if run.playbook in SCENARIOS:
        return run.playbook
    decided = str(run.exit.get("kanban_scenario") or "")
    return decided if decided in SCENARIOS else _by_what_was_done(run)


def _by_what_was_done(run: RunRecord) -> str:
    """Return the scenario of a run that carries out one of them, as a rehearsal does, by what it did."""
    if any(step.source in ("write_fence", "write_block") and step.role == "contain" for step in run.steps):
        return "scenario3"
    if any(step.role == "selective" for step in run.steps):
        return "scenario2"
    return "scenario3" if run.of("pg_dump") else "scenario1" if any(map(is_stop, run.steps)) else ""


def stop_began(run: RunRecord) -> str:
    """Return when the clock of the objective began: a rehearsal prepares and breaks things before that."""
    kill = next((step.play for step in run.steps if is_stop(step)), None)
    if run.playbook == REHEARSAL and kill is not None:
        return next((play.began for play in run.plays if play.number == kill), run.reading.began_at)
    return run.reading.began_at


def graver(scenarios: Sequence[str]) -> str:
    """Return the gravest of some scenarios; empty if there is none."""
    return max(scenarios, key=_GRAVER.index, default="")


def contained_at(run: RunRecord) -> str | None:
    """Return when the last host had done its part of the stop; null if one never did."""
    stops = [step for step in run.steps if step.role == "contain" and step.source in _STOPPING]
    kills = [step for step in stops if step.source == "feature_flag"]
    if not kills:
        return None
    play = kills[0].play
    if run.playbook in ("scenario2", "triage"):
        play = max(step.play for step in kills if "sweep" not in step.details)
    asked: dict[tuple[str, str], str | None] = {}
    for step in stops:
        if step.play < play:
            continue
        key = (step.host, step.source)
        if step.play == play:
            asked[key] = step.at if _holds(step) else None
        elif asked.get(key, "") is None and _holds(step):
            # It failed at first, and a later task of the same run made up for it.
            asked[key] = step.at
    moments = [at for at in asked.values() if at]
    return max(moments) if moments and len(moments) == len(asked) else None


def _holds(step: Step) -> bool:
    if not step.ok:
        return False
    return not is_stop(step) or not any(left > 0 for left in numbers([step.figures.get("enabled_after")]))


def validated_at(run: RunRecord, contained: str | None) -> str | None:
    """Return when the application was found sound after the stop; null if it was not, or nobody looked."""
    tests = [step for step in run.steps if contained and step.at >= contained and step.role not in _LATER]
    gates = [step for step in tests if step.source == "metric_gate" and step.role == "observe"]
    if gates:
        # The first look is the validation; the half hour of watching comes after it.
        gates = [step for step in gates if step.play == min(gate.play for gate in gates)]
    until = max((step.at for step in gates), default=None)
    last: dict[tuple[str, str, str], Step] = {}
    for step in tests:
        if step.source in _TESTS and (until is None or step.at <= until):
            last[step.host, step.source, step.role] = step
    good = [step for step in last.values() if step.ok and step.figures.get(_TESTS[step.source]) is not False]
    settled = [step for step in gates if step.ok and step.figures.get("settled") is True]
    if len(good) != len(last) or len(settled) < bool(gates) or not (good or settled):
        return None
    return max([*(step.at for step in good), *(step.at for step in settled)])


def decided_at(run: RunRecord) -> str | None:
    """Return when the last decision was passed on; null if there was none."""
    return max((step.at for step in run.of("ansible.builtin.set_stats") if step.role == "selective"), default=None)


def moments(runs: Sequence[RunRecord], detected: str | None) -> dict[str, str | None]:
    """Return the moments of an incident, null for any that did not occur.

    :param runs: those that were not plans, oldest first.
    :param detected: as people wrote it, if that is a moment.
    """
    found: dict[str, str | None] = dict.fromkeys(
        ("detected", "began", "contained", "decided", "validated", "recovery_began", "data_validated", "released"), None
    )
    found.update({"reenabled": None, "ended": None, "detected": detected})
    stopping = [run for run in runs if scenario_of(run)]
    if runs:
        first = (stopping or runs)[0]
        # A ledger knows when something was done, but not since when a person waited for it.
        found["began"] = stop_began(first) if first.file else None
        found["ended"] = runs[-1].ended_at
    noticed = [run.reading.began_at for run in runs if run.playbook in ("alert", "triage")]
    if not detected and noticed:
        found["detected"] = noticed[0]
    for run in stopping:
        contained = contained_at(run)
        found["contained"] = found["contained"] or contained
        found["validated"] = found["validated"] or validated_at(run, contained)
        found["decided"] = found["decided"] or decided_at(run)
    repairs = [step for step in steps_of(runs, *_REPAIRS) if step.role == "recover"]
    found["recovery_began"] = next((step.started or step.at for step in repairs), None)
    for run in runs:
        for step in run.steps:
            if _voids_validation(step):
                found["data_validated"] = None
            elif step.source == "incident":
                _recorded(step, found)
        if run.playbook == "reenable":
            if is_whole_return(run, runs):
                # When the last tenants had it again; telling people and closing the incident come after that.
                found["reenabled"] = _returned_at(run) or found["reenabled"] or run.reading.last_at
                found["released"] = found["released"] or _given_back_at(run)
        elif scenario_of(run) and found["reenabled"]:
            # Stopped again after it was back.
            found["reenabled"] = found["released"] = None
    return found


def _voids_validation(step: Step) -> bool:
    """Tell whether validated data is no longer known to be valid: as in the ledger, after a stop, a repair, an undo."""
    if is_stop(step):
        return step.ok and ("sweep" not in step.details or bool(step.figures.get("changed_count")))
    return step.source in _REPAIRS and step.role == "recover" and step.ok and step.changed


def _recorded(step: Step, found: dict[str, str | None]) -> None:
    """Take what a run put into the ledger; a later event takes back an earlier one."""
    event = step.details.get("recorded")
    if event == "data validated":
        found["data_validated"] = step.at
    elif event == "data not validated":
        found["data_validated"] = None
    elif event == "released":
        found["released"] = step.at
    elif event == "raised again":
        found["released"] = None


def _returned_at(run: RunRecord) -> str | None:
    back = [step.at for step in run.of("feature_flag", role="reenable") if step.ok and step.changed]
    return max(back, default=None)


def _given_back_at(run: RunRecord) -> str | None:
    """Return when a return of everybody gave the writes back, as a release does; null if none were refused."""
    lowered = [step for step in run.of("write_fence", role="reenable") if step.figures.get("status") in _LOWERED]
    freed = [step for step in run.of("write_block", role="reenable") if step.figures.get("held") is False]
    return max((step.at for step in (*lowered, *freed) if step.ok and step.changed), default=None)


def is_whole_return(run: RunRecord, runs: Sequence[RunRecord]) -> bool:
    """Tell whether a return brought everybody back, and not just a stage or the one that tries it."""
    if run.verdict != "restored" or run.is_plan:
        return False
    if any(step.details.get("latch") is False for step in run.of("incident")):
        return True
    stops = [step for step in steps_of(runs, "feature_flag") if is_stop(step)]
    meant = max(numbers(step.figures.get("total") for step in stops), default=0)
    back = [step for step in run.of("feature_flag", role="reenable") if "stage" not in step.details]
    return any(total >= meant > 0 for total in numbers(step.figures.get("total") for step in back))


def state_of(runs: Sequence[RunRecord], found: Mapping[str, str | None]) -> str:
    """Return the state of the incident, by what its runs said last."""
    state = "open"
    for run in runs:
        events = [step.details.get("recorded") for step in run.of("incident")]
        if run.playbook == "release":
            state = "released" if "released" in events else "contained" if "raised again" in events else state
        elif run.playbook == "reenable":
            state = "reenabled" if is_whole_return(run, runs) else state
        elif scenario_of(run):
            done = "contained" if contained_at(run) else "open"
            state = {"contained": "contained", "degraded": "degraded", "failed": "failed"}.get(run.verdict, done)
            if "data validated" in events and state == "contained":
                state = "recovered"
    return state


def objective_of(
    scenario: str, runs: Sequence[RunRecord], found: Mapping[str, str | None], objectives: Mapping[str, Any]
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Return ``seconds`` and ``objective``: what counts is the stop, in 1 the validation, in 2 the decision.

    The objective is that of the gravest scenario, and counts from that scenario's first run.
    """
    began = found["began"]
    its = moments([run for run in runs if scenario_of(run) == scenario], None) if scenario else found
    ends = {"scenario1": its["validated"], "scenario2": its["decided"] or its["contained"]}
    whole = max((at for at in (found["validated"], found["data_validated"], found["released"]) if at), default=None)
    seconds = {
        "contain": seconds_between(began, found["contained"]),
        "validate": seconds_between(began, found["validated"] or found["data_validated"]),
        "whole": seconds_between(began, whole),
    }
    limit = next((float(given) for given in numbers([objectives.get(scenario)])), None)
    took = seconds_between(its["began"], ends.get(scenario, its["contained"])) if scenario else None
    met = took <= limit if took is not None and limit is not None else None
    return seconds, {"scenario": scenario, "seconds": limit, "took": took, "met": met}
