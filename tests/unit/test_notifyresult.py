# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last screen and report.yml say about messages, and a subject that is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import DRY, FAILED, SENT, UNKNOWN, Route
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyresult import (
    messages_again,
    messages_lines,
    result_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import line_of
from tests.unit.test_notify import message


def screen(*routes: Route, bad: tuple[str, ...] = (), check: bool = False) -> list[str]:
    after = [message("one", *routes)]
    planned = [message("one", *routes)] if check else []
    return messages_lines(result_of([], after, planned, [], bad, [], Path("/o"), True), check)


def test_the_last_screen_says_what_was_told_and_what_was_not() -> None:
    slack = Route("slack:#incidents", FAILED, error="429, too many requests")
    assert screen(Route("pagerduty", SENT), slack) == [
        "Messages: 1 sent, 1 not (slack #incidents: 429, too many requests); report.yml sends what is missing again"
    ]
    (first, second) = screen(Route("mail:executives", UNKNOWN, error="no answer in time"))
    assert first == "Messages: 0 sent"
    assert "1 it is not known whether they arrived (mail executives: no answer in time)" in second
    assert "kanban_notify_again=true" in second
    # A message that may be sent twice is sent again by itself.
    (pager,) = screen(Route("pagerduty", UNKNOWN, error="no answer in time"))
    assert pager.startswith("Messages: 0 sent, 1 not (pagerduty: no answer in time); report.yml")
    # A channel that may not be made does not count as missing, but is reported all the same.
    made = Route("slack:#new", FAILED, error="the channel could not be made: missing_scope", final=True)
    assert screen(made) == [
        "Messages: 0 sent",
        "Messages: slack #new: the channel could not be made: missing_scope",
    ]
    refused = Route("mail:users", SENT, error="not taken for 1 of 9 addresses: gone@x.example (550)")
    assert screen(refused)[1:] == ["Messages: mail users: not taken for 1 of 9 addresses: gone@x.example (550)"]
    assert screen(Route("pagerduty", DRY))[0].startswith("Messages: 1 written and none sent (dry run), in /o")
    assert screen() == ["Messages: nobody was told: no route is configured; what would have been told is in /o"]
    assert screen(Route("status_page"), check=True) == ["Messages: would send 1: one to status page"]
    dry = "Messages: would write 1 and send none (dry run): one to status page"
    assert screen(Route("status_page", DRY), check=True) == [dry]
    failed = {"failed": True, "msg": "the disk\nis full"}
    assert messages_lines(failed) == ["Messages: nobody was told: the disk is full"]


def test_the_last_screen_names_a_route_that_is_none() -> None:
    said = "Messages: nobody is told by slack:@oncall, mail:a b: no such route. See "
    for check, route in (
        (False, Route("pagerduty", SENT)),
        (False, Route("pagerduty", DRY)),
        (True, Route("pagerduty")),
    ):
        assert screen(route, bad=("slack:@oncall", "mail:a b"), check=check)[-1].startswith(said)


def test_what_report_says_of_messages() -> None:
    whole: dict[str, Any] = {"sent": [], "not_sent": [], "unknown": []}
    one = {"message": "m", "route": "slack:#a", "why": "429"}
    results = [
        {**whole, "__communicate_incident": "A"},
        {**whole, "__communicate_incident": "B", "sent": [one], "not_sent": [one], "unknown": [one]},
        {"__communicate_incident": "C", "msg": "no disk"},
    ]
    results[1]["partly"] = [{**one, "route": "mail:b", "why": "not taken for 1"}, {**one, "why": "of an earlier call"}]
    results[1]["sent"].append(results[1]["partly"][0])
    results[1]["partly"][1]["message"] = "earlier"
    b, c = messages_again(results)
    assert b.endswith("; mail b: not taken for 1")
    assert b.startswith("Messages of B: 2 sent now; 1 not sent (slack #a: 429); 1 of which it is not known")
    assert c == "Messages of C: not sent: no disk"


def test_a_subject_is_one_line() -> None:
    assert line_of("**a**\nb\x1b[2J") == "a b�[2J"
