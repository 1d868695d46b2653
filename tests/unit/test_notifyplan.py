# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told what at which point of a run, once; and figures in the words of two languages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyformat import (
    message_clock,
    message_day,
    message_duration,
    message_number,
    message_percent,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import (
    incidents_to_tell,
    messages_planned,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyresult import messages_again

ROUTES: dict[str, dict[str, list[str]]] = {
    "scenario2": {"announce": ["slack:#kanban-v2-rollout"]},
    "scenario3": {
        "announce": ["slack:#incidents"],
        "initial_oncall": ["slack:incident", "pagerduty", "pagerduty"],
        "user_notice": ["status_page"],
        "resolved": ["slack:#incidents", "pagerduty"],
        "user_resolved": ["status_page"],
    },
    "return": {"return": ["slack:#kanban-v2-rollout"]},
}


def run(playbook: str, plan: bool = False) -> dict[str, Any]:
    return {"playbook": playbook, "plan": plan}


def summary(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    moments = {"began": "2026-11-25T23:58:59.000000Z", "released": "2026-11-26T00:58:59.000000Z"}
    companies = {"total": 200, "on_before": 50, "switched_off": 49}
    return {"scenario": "scenario3", "moments": moments, "companies": companies, "runs": list(runs), **more}


def planned(given: dict[str, Any], scenario: str, point: Any, **more: Any) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in messages_planned(given, ROUTES, scenario, point, **more)}


def test_the_beginning_of_scenario_3_calls_everybody_once_and_in_one_channel() -> None:
    found = planned(summary(run("scenario3")), "scenario3", "begin", channel=True, channels={"#incidents": "#ops"})
    assert list(found) == [f"scenario3-{kind}" for kind in (
        "announce", "initial-oncall", "initial-stakeholders", "user-notice")]  # fmt: skip
    announce, oncall = found["scenario3-announce"], found["scenario3-initial-oncall"]
    assert (announce["routes"], announce["mention"], announce["severity"]) == (
        ["slack:#ops"],
        "slack:#ops",
        "P0 critical",
    )
    assert oncall["routes"] == ["slack:#incident-20261125-2358", "pagerduty"]
    assert (oncall["mention"], oncall["pager"]) == ("", "trigger")
    assert found["scenario3-user-notice"]["component_status"] == "under_maintenance"
    assert found["scenario3-initial-stakeholders"]["routes"] == []
    # Nobody else calls everybody, and without a channel of its own nothing is said there.
    assert planned(summary(), "scenario2", "begin")["scenario2-announce"]["mention"] == ""
    assert planned(summary(), "scenario3", "begin")["scenario3-initial-oncall"]["routes"] == ["pagerduty"]


def test_the_end_is_the_plans_own_text_and_ends_pager_and_page() -> None:
    found = planned(summary(run("scenario3"), run("release")), "", "resolved")
    end = found["scenario3-scenario3"]
    assert (end["kind"], end["pager"], end["mention"]) == ("scenario3", "resolve", "")
    assert found["scenario3-user-resolved"]["resolves"]
    assert (end["about"]["affected"], end["about"]["affected_seconds"]) == (50, 3600.0)


def test_a_key_is_told_once_and_another_stop_is_another() -> None:
    one = planned(summary(run("scenario3")), "scenario3", "begin")
    assert list(planned(summary(run("scenario3"), run("scenario3")), "scenario3", "begin")) == list(one)
    assert list(planned(summary(run("reenable", plan=True)), "scenario3", "begin")) == list(one)
    assert "scenario3-announce-2" in planned(summary(run("scenario3"), run("reenable")), "scenario3", "begin")
    # What does not hold is told, and when it does, too.
    assert "scenario3-announce-degraded" in planned(summary(), "scenario3", "begin", verdict="degraded")
    assert list(planned(summary(), "scenario3", "update", verdict="failed")) == ["scenario3-update-failed"]
    assert list(planned(summary(run("scenario1")), "", "return", step="stage 50")) == ["return-stage-50-1"]


def test_figures_that_only_messages_have_and_none_that_was_not_measured() -> None:
    rows = [{"table": "Tags", "deleted": 2, "restored": 3}, {"table": "Tickets", "repaired": 4}]
    given = summary(errors={"affected_companies": 1, "affected_after": 2}, records=rows)
    about = planned(given, "scenario2", "begin")["scenario2-announce"]["about"]
    assert (about["affected"], about["normalised"], about["rows"], about["recovered_from"]) == (1, 0.96, 9, "both")
    # What was counted before the stop says nothing of what it made good.
    early = summary(errors={"affected_companies": 0, "affected_after": None})
    assert planned(early, "scenario2", "begin")["scenario2-announce"]["about"]["normalised"] is None
    nothing = planned({}, "scenario1", "begin")["scenario1-announce"]["about"]
    names = ("affected", "affected_seconds", "normalised", "rows")
    assert [nothing[name] for name in names] == [None] * 4
    assert planned({}, "", "begin", channel=True)["scenario3-initial-oncall"]["routes"] == ["pagerduty"]


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (message_number(1284, "pt_BR"), "1.284"),
        (message_number(1284.5, "en", 1), "1,284.5"),
        (message_number(0, "pt_BR"), "0"),
        (message_number(None, "pt_BR"), "não medido"),
        (message_number(True), "not measured"),
        (message_percent(0.995, "pt_BR"), "99,5%"),
        (message_percent(0.99999), "99.9%"),
        (message_percent(1), "100%"),
        (message_percent("1"), "not measured"),
        (message_duration(1, "pt_BR"), "1 segundo"),
        (message_duration(59.6), "1 minute"),
        (message_duration(252, "pt_BR"), "4,2 minutos"),
        (message_duration(7200), "2 hours"),
        (message_duration(None, "es"), "not measured"),
        (message_clock("2026-11-25T03:04:05.000000Z"), "03:04"),
        (message_clock("2026-11-26T03:04:05.000000Z", "en", "2026-11-25T23:00:00.000000Z"), "2026-11-26 03:04"),
        (message_clock(None, "pt_BR"), "não medido"),
        (message_clock("{{ 7*7 }}"), "not measured"),
        (message_day("2026-11-25T03:04:05.000000Z"), "2026-11-25"),
    ],
)
def test_figures_in_the_words_of_a_language(done: str, text: str) -> None:
    assert done == text


def test_who_is_worth_telling_still() -> None:
    closed = {"incident_id": "B", "closed_at": "2026-11-25T00:00:00Z"}
    answers: list[dict[str, Any]] = [
        {"open": [{"incident_id": "A", "closed_at": None}], "incidents": [closed]},
        {"msg": "unreachable"},
    ]
    at = 1795654800.0  # 2026-11-26 01:00 UTC
    assert incidents_to_tell(answers, at) == ["A"]
    assert incidents_to_tell(answers, at - 7200) == ["A", "B"]


def test_what_report_says_of_messages() -> None:
    whole: dict[str, Any] = {"sent": [], "not_sent": [], "unknown": []}
    one = {"message": "m", "route": "slack:#a", "why": "429"}
    results = [
        {**whole, "__communicate_incident": "A"},
        {**whole, "__communicate_incident": "B", "sent": [one], "not_sent": [one], "unknown": [one]},
        {"__communicate_incident": "C", "msg": "no disk"},
    ]
    b, c = messages_again(results)
    assert b.startswith("Messages of B: 1 sent now; 1 not sent (slack #a: 429); 1 of which it is not known")
    assert c == "Messages of C: not sent: no disk"
