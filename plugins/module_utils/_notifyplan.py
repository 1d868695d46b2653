# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which messages are due at a point of a run, to whom each goes, and the figures that only messages have. Pure.

The profile's map ``kanban_notify_routes`` has the routes by scenario and kind. Keys of messages are made in
``_notifykey.py``.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import RESOLVE, TRIGGER
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifykey import key_of, stop_number

SEVERITIES = {"scenario1": "P0", "scenario2": "P1", "scenario3": "P0 critical"}
BEGIN, UPDATE, RESOLVED, RETURN = "begin", "update", "resolved", "return"
# What is told at each point, in the order in which people should read it.
KINDS: Mapping[str, Sequence[str]] = {
    BEGIN: ("announce", "initial_oncall", "initial_stakeholders", "user_notice"),
    UPDATE: ("update", "user_update"),
    RESOLVED: ("resolved", "user_resolved"),
    RETURN: ("return",),
}
# The route of this name gives an incident a channel of its own.
OWN_CHANNEL = "slack:incident"
_OWN = re.compile(r"slack:#incident-[0-9]{8}-[0-9]{4}")
# Only this one calls everybody in the channel.
CALLS_ALL = ("scenario3", "announce", "slack:#incidents")
_COMPONENT = {"scenario1": "major_outage", "scenario3": "under_maintenance"}
_STOPS = tuple(SEVERITIES)
# Verdicts that a beginning is reported with; a run that ends with any other had stopped what it was to stop.
_NOT_STOPPED = ("degraded", "failed")
_STOPPED = ("contained", "contained_not_well")
# Verdicts of a return that went as intended.
_BACK = ("restored", "reenabled")
# Those who were told that scenario 2 began wait to hear whether it was enough, so they get these of a graver one, too.
_HEARD = "scenario2-announce"
_GOES_ON = ("announce", "resolved")


def messages_planned(
    summary: Mapping[str, Any],
    routes: Mapping[str, Mapping[str, Sequence[str]]],
    scenario: str,
    point: str | Sequence[str],
    verdict: str = "contained",
    step: str = "",
    locale: str = "en",
    channel: bool = False,
    channels: Mapping[str, str] | None = None,
    began: str = "",
    kept: Sequence[Mapping[str, Any]] = (),
    started: float = 0.0,
    changed: bool = False,
    refused: bool = False,
    refuses: bool = True,
    all_off: bool = False,
) -> list[dict[str, Any]]:
    """Return the messages of a point without their text: options of ``notify``, and ``about``, figures for the text.

    :param summary: of the module ``incident_summary_info``.
    :param scenario: scenario1 to scenario3; anything else means the summary's.
    :param point: begin, update, resolved or return; a list for several.
    :param verdict: what the last screen says, for instance ``degraded``.
    :param step: what came back, for instance ``all`` or ``stage-50``.
    :param channel: whether the incident has a channel of its own.
    :param channels: other names for channels.
    :param began: what was said of the stop when it was made; ``verdict`` if left out.
    :param kept: what the outbox has, oldest first, from the module ``notify``: ``message``, ``at`` and ``routes``.
    :param started: when this run began, seconds since 1970.
    :param changed: whether this run switched anybody off.
    :param refused: whether it refused writes that had been let through.
    :param refuses: whether writes are refused by now, if the scenario refuses them.
    :param all_off: whether every database's flag is known to be off, also if another part of the stop is missing.
    """
    known = scenario if scenario in SEVERITIES else summary.get("scenario") or "scenario3"
    name = incident_channel(summary, kept) if channel else ""
    own = f"slack:{name}" if name else ""
    stop = stop_number(kept, started, changed, refused)
    found = []
    points = [point] if isinstance(point, str) else list(point)
    if RETURN in points and _all_back(summary, known, verdict, step):
        # If nothing was released before, nobody was told yet that it is over; if they were, the key is the same.
        points.append(RESOLVED)
    for one in points:
        place = RETURN if one == RETURN else known
        about = about_of(summary, known, _state_of(one, verdict, began), step)
        if one == UPDATE and known == "scenario3":
            about["verdict"] = _of_the_data(about["verdict"], summary, about["recovered_from"])
        about.update(channel=own.partition(":")[2], refused=refuses, off=all_off or about["verdict"] == "contained")
        for kind in KINDS[one]:
            if kind == "user_update" and known == "scenario2":
                # Its users got no notice that could be updated.
                continue
            named = [*((routes.get(place) or {}).get(kind) or ()), *_those_who_heard(routes, known, kind, kept)]
            ways = [own if route == OWN_CHANNEL else route for route in named]
            message = _message(kind, known, [way for way in dict.fromkeys(ways) if way], about, locale)
            names = {f"slack:{name}": f"slack:{other}" for name, other in (channels or {}).items()}
            message["routes"] = [names.get(route, route) for route in message["routes"]]
            message["mention"] = names.get(message["mention"], message["mention"])
            family, state = _family(message["kind"], known, one, about)
            message["key"] = key_of(family, state, stop, [str(row.get("message")) for row in kept])
            message["stop"] = stop
            found.append(message)
    return found


def _all_back(summary: Mapping[str, Any], scenario: str, verdict: str, step: str) -> bool:
    """Return whether everybody who had it before a stop has it again: then nothing is left of the incident."""
    about = about_of(summary, scenario, verdict, step)
    everybody = about["on_now"] == about["of"] if about["on_now"] is not None and about["of"] else step == "all"
    return bool(summary.get("scenario")) and verdict in _BACK and everybody


def _those_who_heard(
    routes: Mapping[str, Mapping[str, Sequence[str]]], scenario: str, kind: str, kept: Sequence[Mapping[str, Any]]
) -> Sequence[str]:
    """Return the routes by which scenario 2 was announced, if it turned into a graver one."""
    if scenario == "scenario2" or kind not in _GOES_ON:
        return ()
    heard = any(str(row.get("message")).startswith(_HEARD) for row in kept)
    return (routes.get("scenario2") or {}).get("announce") or () if heard else ()


def ending_of(verdict: Mapping[str, Any], what: str, scenario: str, stops: bool = True, goes_on: bool = False) -> str:
    """Return the message at the end of a run: resolved, update or return; empty if there is none.

    :param verdict: of the last screen: ``failed``, ``validated``.
    :param what: contain or restore.
    :param stops: whether anybody was to be switched off.
    :param goes_on: whether something is still to come: a watch left to another run, or what a pause waits for.
    """
    if what == "restore":
        return RETURN
    if not stops:
        return ""
    # It is not over while anything is left to do, even if that is only the watch.
    over = scenario == "scenario2" or (scenario == "scenario1" and verdict.get("validated"))
    return RESOLVED if over and not goes_on and not verdict.get("failed") else UPDATE


def stop_state(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the present state of a stop: contained, degraded or failed.

    :param answers: of the module ``feature_flag``, one for each database; an empty one if there was none.
    """
    asked = [answer for answer in answers if not _needs_nothing(answer)]
    off = [answer for answer in asked if _is_off(answer)]
    if asked and len(off) == len(asked):
        return "contained"
    return "degraded" if off else "failed"


def _needs_nothing(answer: Mapping[str, Any]) -> bool:
    """Return whether it is the answer of a replica, which has its primary's data."""
    written = (answer.get("database") or {}).get("writable")
    return not answer.get("failed") and not answer.get("unreachable") and written is False


def _is_off(answer: Mapping[str, Any]) -> bool:
    wrong = answer.get("failed") or answer.get("unreachable") or answer.get("unreadable_count")
    return not wrong and answer.get("enabled_after") == 0


def _state_of(point: str, verdict: str, began: str) -> str:
    """Return the state that the messages of a point report."""
    if point != BEGIN:
        return verdict
    state = began or verdict
    return state if state in _NOT_STOPPED else "contained"


def _of_the_data(verdict: str, summary: Mapping[str, Any], recovered_from: str) -> str:
    """Return how far the data is once all is stopped: data validated since is news, even if nothing else changed."""
    if not (summary.get("moments") or {}).get("data_validated") or verdict not in _STOPPED:
        return verdict
    return verdict.replace("contained", "recovered" if recovered_from else "validated", 1)


def _message(kind: str, scenario: str, routes: Sequence[str], about: Mapping[str, Any], locale: str) -> dict[str, Any]:
    calls = [route for route in routes if (scenario, kind, route) == CALLS_ALL]
    return {
        "kind": scenario if kind == RESOLVED else kind,
        "severity": SEVERITIES[scenario],
        "locale": locale,
        "routes": list(routes),
        "mention": calls[0] if calls else "",
        "pager": RESOLVE if kind == RESOLVED else TRIGGER,
        "component_status": _COMPONENT.get(scenario, "") if kind == "user_notice" else "",
        "resolves": kind == "user_resolved",
        "about": dict(about),
    }


def _family(template: str, scenario: str, point: str, about: Mapping[str, Any]) -> tuple[str, str]:
    """Return the family of a message, and the state that it reports."""
    if point == RETURN:
        return RETURN, f"{about['step'] or 'all'} {about['verdict'] or 'done'}"
    # A stop that does not hold has a message of its own, so that one that holds is reported at once.
    quiet = point == RESOLVED or (point == BEGIN and about["verdict"] == "contained")
    return f"{scenario} {template}", "" if quiet else about["verdict"]


def incident_channel(summary: Mapping[str, Any], kept: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the name of an incident's own channel: the one it has, else one made from its beginning; empty for none.

    The beginning is in UTC, or that of the first run's events if it has no journal. Another controller has other
    journals, and so another beginning.
    """
    had = [route for row in kept for route in row.get("routes") or () if _OWN.fullmatch(str(route))]
    if had:
        return str(had[0]).partition(":")[2]
    began = str((summary.get("moments") or {}).get("began") or _first(summary).get("began") or "")
    digits = began[:10].replace("-", ""), began[11:16].replace(":", "")
    return f"#incident-{digits[0]}-{digits[1]}" if all(part.isdigit() for part in digits) else ""


def _first(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first run that was not a plan."""
    return next((run for run in summary.get("runs") or [] if not run.get("plan")), {})


def about_of(summary: Mapping[str, Any], scenario: str, verdict: str, step: str) -> dict[str, Any]:
    """Return the figures for the text: numbers, words of ours or null, never text of others."""
    moments = summary.get("moments") or {}
    companies, errors = summary.get("companies") or {}, summary.get("errors") or {}
    runs = [run for run in summary.get("runs") or [] if not run.get("plan")]
    had_it = companies.get("on_before")
    affected = errors.get("affected_companies") if scenario == "scenario2" else had_it
    over = moments.get("validated") or moments.get("released") or moments.get("data_validated")
    return {
        "scenario": scenario,
        "severity": SEVERITIES[scenario],
        "verdict": verdict,
        "step": step,
        "stops": len([run for run in runs if run.get("playbook") in _STOPS]),
        "returns": len([run for run in runs if run.get("playbook") == "reenable"]),
        "affected": affected if affected is not None or scenario == "scenario2" else companies.get("switched_off"),
        "affected_seconds": seconds_between(moments.get("detected") or moments.get("began"), over),
        "normalised": _normalised(had_it, errors.get("affected_after")),
        "rows": _rows(summary.get("records"), (summary.get("integrity") or {}).get("before")),
        "recovered_from": _recovered_from(summary.get("records") or []),
        **_returned(summary.get("stages") or [], had_it),
    }


def _returned(stages: Sequence[Mapping[str, Any]], had_it: Any) -> dict[str, Any]:
    """Return ``on_now``, how many have it now, and ``of``, how many had it; null if that is not known."""
    last = {str(row.get("host")): row for row in stages}.values()
    on = [row["on_after"] for row in last if row.get("on_after") is not None]
    had = [row["had_it"] for row in last if row.get("had_it") is not None]
    return {
        "on_now": sum(on) + sum(row.get("before") or 0 for row in last) if on and len(on) == len(last) else None,
        "of": sum(had) if had and len(had) == len(last) else had_it,
    }


def _normalised(had_it: Any, affected: Any) -> float | None:
    """Return the part of those who had V2 that had no errors after the stop; null if that was not measured."""
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (had_it, affected))
    return max(0.0, 1 - affected / had_it) if numbers and had_it else None


def _rows(records: Any, corrupt: Any) -> int | None:
    if not records:
        # If nothing was corrupt, there was nothing to repair.
        return 0 if corrupt == 0 and not isinstance(corrupt, bool) else None
    return sum(int(row.get(name) or 0) for row in records for name in ("repaired", "deleted", "restored"))


def _recovered_from(records: Sequence[Mapping[str, Any]]) -> str:
    restored = any(row.get("restored") for row in records)
    cleaned = any(row.get("repaired") or row.get("deleted") for row in records)
    return "both" if restored and cleaned else "backup" if restored else "cleanup" if cleaned else ""


def incidents_to_tell(answers: Sequence[Mapping[str, Any]], now: float | None = None) -> list[str]:
    """Return the incidents whose unsent messages are worth sending: open ones, and those closed a day ago at most.

    :param answers: of the module ``incident_info``, one for each database.
    :param now: seconds since 1970; the present if left out.
    """
    moment = datetime.now(timezone.utc) if now is None else datetime.fromtimestamp(now, timezone.utc)
    yesterday = (moment - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [row for answer in answers for row in [*(answer.get("open") or []), *(answer.get("incidents") or [])]]
    return list(
        dict.fromkeys(row["incident_id"] for row in rows if not row.get("closed_at") or row["closed_at"] >= yesterday)
    )
