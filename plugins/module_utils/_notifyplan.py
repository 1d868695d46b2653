# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which messages are due at a point of a run, to whom each goes, and the figures that only messages have. Pure.

Who is told what is the profile's map ``kanban_notify_routes``, by scenario and kind. A key tells one telling from the
next: the same command again has the same keys, and another stop after a return has others.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import RESOLVE, TRIGGER

SEVERITIES = {"scenario1": "P0", "scenario2": "P1", "scenario3": "P0 critical"}
BEGIN, UPDATE, RESOLVED, RETURN = "begin", "update", "resolved", "return"
# What is told at each point, in the order in which people should read it.
KINDS: Mapping[str, Sequence[str]] = {
    BEGIN: ("announce", "initial_oncall", "initial_stakeholders", "user_notice"),
    UPDATE: ("update",),
    RESOLVED: ("resolved", "user_resolved"),
    RETURN: ("return",),
}
# By the route of this name an incident has a channel of its own.
OWN_CHANNEL = "slack:incident"
# Everybody in the channel is called by this alone.
CALLS_ALL = ("scenario3", "announce", "slack:#incidents")
_COMPONENT = {"scenario1": "major_outage", "scenario3": "under_maintenance"}
_STOPS = tuple(SEVERITIES)


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
) -> list[dict[str, Any]]:
    """Return the messages of a point without their words: what ``notify`` takes, and ``about``, figures for them.

    :param summary: of the module ``incident_summary_info``.
    :param scenario: scenario1 to scenario3; anything else is the summary's.
    :param point: begin, update, resolved or return; a list for several.
    :param verdict: what the last screen says, for instance ``degraded``.
    :param step: what came back, for instance ``all`` or ``stage-50``.
    :param channel: whether the incident has a channel of its own.
    :param channels: other names for channels.
    """
    known = scenario if scenario in SEVERITIES else summary.get("scenario") or "scenario3"
    own = f"slack:{incident_channel(summary)}" if channel and incident_channel(summary) else ""
    found = []
    for one in [point] if isinstance(point, str) else point:
        place = RETURN if one == RETURN else known
        for kind in KINDS[one]:
            ways = [own if route == OWN_CHANNEL else route for route in (routes.get(place) or {}).get(kind) or ()]
            about = about_of(summary, known, verdict, step)
            message = _message(kind, known, one, [way for way in dict.fromkeys(ways) if way], about, locale)
            names = {f"slack:{name}": f"slack:{other}" for name, other in (channels or {}).items()}
            message["routes"] = [names.get(route, route) for route in message["routes"]]
            message["mention"] = names.get(message["mention"], message["mention"])
            found.append(message)
    return found


def _message(
    kind: str, scenario: str, point: str, routes: Sequence[str], about: Mapping[str, Any], locale: str
) -> dict[str, Any]:
    template = scenario if kind == RESOLVED else kind
    calls = [route for route in routes if (scenario, kind, route) == CALLS_ALL]
    return {
        "key": _key(template, scenario, point, about),
        "kind": template,
        "severity": SEVERITIES[scenario],
        "locale": locale,
        "routes": list(routes),
        "mention": calls[0] if calls else "",
        "pager": RESOLVE if kind == RESOLVED else TRIGGER,
        "component_status": _COMPONENT.get(scenario, "") if kind == "user_notice" else "",
        "resolves": kind == "user_resolved",
        "about": dict(about),
    }


def _key(template: str, scenario: str, point: str, about: Mapping[str, Any]) -> str:
    if point == RETURN:
        words = [RETURN, str(about["step"] or "all"), str(about["stops"])]
    else:
        # What does not hold is another message than what holds, and is told at once when it does.
        state = about["verdict"] if point == UPDATE or (point == BEGIN and about["verdict"] != "contained") else ""
        words = [scenario, template, state, str(about["returns"] + 1) if about["returns"] else ""]
    return "-".join(word for word in words if word).replace("_", "-").replace(" ", "-").lower()[:100]


def incident_channel(summary: Mapping[str, Any]) -> str:
    """Return the name of an incident's own channel, by when it began, UTC; empty where that is not known."""
    began = str((summary.get("moments") or {}).get("began") or "")
    digits = began[:10].replace("-", ""), began[11:16].replace(":", "")
    return f"#incident-{digits[0]}-{digits[1]}" if all(part.isdigit() for part in digits) else ""


def about_of(summary: Mapping[str, Any], scenario: str, verdict: str, step: str) -> dict[str, Any]:
    """Return figures for the words: all are numbers, words of ours or null, and none is text of others."""
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
        "rows": _rows(summary.get("records")),
        "recovered_from": _recovered_from(summary.get("records") or []),
    }


def _normalised(had_it: Any, affected: Any) -> float | None:
    """Return the part of those who had V2 that has no trouble by a look after the stop; null where nobody looked."""
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (had_it, affected))
    return max(0.0, 1 - affected / had_it) if numbers and had_it else None


def _rows(records: Any) -> int | None:
    if not records:
        return None
    return sum(int(row.get(name) or 0) for row in records for name in ("repaired", "deleted", "restored"))


def _recovered_from(records: Sequence[Mapping[str, Any]]) -> str:
    restored = any(row.get("restored") for row in records)
    cleaned = any(row.get("repaired") or row.get("deleted") for row in records)
    return "both" if restored and cleaned else "backup" if restored else "cleanup" if cleaned else ""


def incidents_to_tell(answers: Sequence[Mapping[str, Any]], now: float | None = None) -> list[str]:
    """Return the incidents of which what was not sent is worth sending: open ones, and those closed a day ago at most.

    :param answers: of the module ``incident_info``, one for each database.
    :param now: seconds since 1970; left out, the present.
    """
    moment = datetime.now(timezone.utc) if now is None else datetime.fromtimestamp(now, timezone.utc)
    yesterday = (moment - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [row for answer in answers for row in [*(answer.get("open") or []), *(answer.get("incidents") or [])]]
    return list(
        dict.fromkeys(row["incident_id"] for row in rows if not row.get("closed_at") or row["closed_at"] >= yesterday)
    )
