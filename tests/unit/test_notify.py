# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is bold and what is foreign in a message, and what is due in an outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    DRY,
    FAILED,
    PENDING,
    RESOLVE,
    SENT,
    UNKNOWN,
    Message,
    Route,
    bad_routes,
    due_by_route,
    merged,
    message_of,
    overtaken,
    wanted,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyknown import (
    documents_of,
    known_from,
    recalled,
    with_known,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifymail import mail_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifypager import event_of, page_incident
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyslack import payload
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import (
    foreign,
    foreign_lines,
    plain,
    runs,
    split_message,
)

HOSTILE = "<!here> @channel <https://x|y> **bold** \\** {{ 7*7 }} <script>\r\nBcc: all@example.com\u202e\x00 🙂"


def message(key: str = "one", *routes: Route, **more: Any) -> Message:
    given: dict[str, Any] = {"kind": "announce", "incident": "INC-1", "at": "2026-11-25T03:00:00.000000Z"}
    return Message(key, **{**given, "subject": "Off", "text": "**Why:** unknown", **more}, routes=routes)


def options(**more: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("text", "locale", "severity", "mention", "component_status"), "")
    routes = ["slack:#incidents", "mail:executives", "pagerduty", "status_page"]
    return {"key": "one", "kind": "announce", "subject": "Off", **texts, "pager": "trigger", "resolves": False,
            "stop": 1, "routes": routes, **more}  # fmt: skip


def test_what_is_foreign_is_read_to_the_letter_and_is_never_bold() -> None:
    shown = "<!here> @channel <https://x|y> **bold** \\** {{ 7*7 }} <script>"
    assert plain(foreign(HOSTILE)) == f"{shown} Bcc: all@example.com�� 🙂"
    assert plain(foreign_lines(HOSTILE)) == f"{shown}\nBcc: all@example.com�� 🙂"
    assert not any(bold for _text, bold in runs(f"- {foreign(HOSTILE)} -"))
    assert len(plain(foreign("x" * 10_000))) == 200
    assert foreign("👩‍💻 \ud800") == "👩‍💻 �"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**Issue:** a *b* c", [("Issue:", True), (" a *b* c", False)]),
        ("a ** b", [("a ** b", False)]),
        ("**a** **b", [("a", True), (" **b", False)]),
        ("\\*\\*a\\*\\* \\\\", [("**a** \\", False)]),
        ("", []),
    ],
)
def test_bold_is_what_stands_between_two_marks(text: str, found: list[tuple[str, bool]]) -> None:
    assert runs(text) == found


def test_the_first_line_of_a_template_is_the_subject() -> None:
    assert split_message("\n Off \n\n\n\n**a**\n\n\n\nb \n") == ("Off", "**a**\n\nb")
    assert split_message("Off") == ("Off", "")


def test_slack_reads_nothing_out_of_what_is_foreign() -> None:
    given = payload(message(subject=f"Off {foreign(HOSTILE)}", text=foreign_lines(HOSTILE)), mention=False)
    assert "<" not in given["text"]
    assert "@channel" not in given["text"]
    assert "&lt;!here&gt; @\u2060channel" in given["text"]
    (block,) = given["blocks"]
    elements = block["elements"][0]["elements"]
    assert {one["type"] for one in elements} == {"text"}
    assert [one["text"] for one in elements if one.get("style")] == [f"Off {plain(foreign(HOSTILE))}"]
    assert (given["parse"], given["link_names"], given["mrkdwn"]) == ("none", False, False)


def test_slack_calls_everybody_where_that_is_asked_for_and_cuts_what_is_too_long() -> None:
    given = payload(message(text=foreign_lines("y" * 9_000 + "<" * 9_000, 18_000)), mention=True)
    elements = given["blocks"][0]["elements"][0]["elements"]
    assert elements[0] == {"type": "broadcast", "range": "channel"}
    assert given["text"].startswith("<!channel> Off\n")
    assert max(len(one.get("text", "")) for one in elements) == 3_000
    assert sum(len(one.get("text", "")) for one in elements) <= 12_001
    assert elements[-1]["text"].endswith("[…]")
    assert len(given["text"]) <= 40_000


def test_a_mail_has_one_line_for_each_header_and_nobodys_address() -> None:
    route = Route("mail:executives")
    hostile = message(subject=f"Off\nBcc: x@example.com {HOSTILE}")
    mail = mail_of(hostile, route, "Kanban <k@example.com>", "k@example.com")
    text = mail.as_bytes().decode("ascii")
    head = text.partition("\n\n")[0] if "\r" not in text else text.partition("\r\n\r\n")[0]
    assert not [line for line in head.splitlines() if line.lower().startswith("bcc")]
    assert mail["To"] == "executives:;"
    assert str(mail["Subject"]).startswith("Off Bcc: x@example.com <!here>")
    assert mail.get_content() == "Why: unknown\n"
    again = mail_of(message(subject="Other words"), route, "k@example.com", "k@example.com")
    assert (
        mail["Message-ID"] == again["Message-ID"] != mail_of(message("two"), route, "k", "k@example.com")["Message-ID"]
    )


def test_alarms_of_an_incident_are_one_and_end_by_their_key() -> None:
    event = event_of(
        message(severity="P0 critical", subject="**Off** " + "x" * 2000), {"routing_key": "k", "link": "https://g"}
    )
    assert (event["event_action"], event["dedup_key"]) == ("trigger", "INC-1")
    assert event["payload"]["severity"] == "critical"
    assert (len(event["payload"]["summary"]), event["payload"]["summary"][:5]) == (1024, "Off x")
    assert event["links"][0]["href"] == "https://g"
    assert event_of(message(severity="P1"), {"routing_key": "k"})["payload"]["severity"] == "warning"
    assert event_of(message(pager=RESOLVE), {"routing_key": "k"}) == {
        "routing_key": "k", "event_action": "resolve", "dedup_key": "INC-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ({}, "INC-1"),
        ({"INC-1": False}, "INC-1"),
        ({"INC-1": True}, "INC-1 (3)"),
        ({"INC-1": True, "INC-1 (2)": False}, "INC-1 (2)"),
        ({"INC-1": True, "INC-1 (3)": True}, "INC-1 (3)"),
    ],
)
def test_a_later_stop_goes_on_with_what_is_open_on_the_page_or_has_its_own(there: dict[str, bool], name: str) -> None:
    asked: list[Sequence[str]] = []
    assert page_incident(message(stop=3), lambda names: asked.append(names) or there) == name  # type: ignore[func-returns-value]
    assert asked == [["INC-1", "INC-1 (2)", "INC-1 (3)"]]


def test_what_a_ledger_tells_of_a_message_goes_beside_what_is_here() -> None:
    early, late = "2026-11-25T03:00:00.000000Z", "2026-11-25T04:00:00.000000Z"
    ways = [
        # The status here, the one in the ledger, and the one that counts.
        ((SENT, early), (FAILED, late), SENT),
        ((FAILED, late), (SENT, early), SENT),
        ((FAILED, early), (UNKNOWN, late), UNKNOWN),
        ((UNKNOWN, late), (FAILED, early), UNKNOWN),
        ((DRY, late), (FAILED, early), FAILED),
        ((PENDING, None), (FAILED, early), FAILED),
    ]
    for (here, at), (there, when), counts in ways:
        one = message("a", Route("slack:#a", here, at), Route("slack:#here", PENDING), text="here")
        other = message("a", Route("slack:#a", there, when), Route("slack:#there", SENT), text="there")
        found = recalled(one, other)
        assert {route.route: route.status for route in found.routes} == {
            "slack:#a": counts, "slack:#here": PENDING, "slack:#there": SENT,
        }  # fmt: skip
        assert found.text == ("here" if here in (SENT, UNKNOWN) else "there")
    assert recalled(None, other) == other
    # What a ledger gives is read only if it is a message, and told in order.
    documents = documents_of([message("b", Route("slack:#a", SENT)), message("dry", Route("slack:#a", DRY))], [])
    assert [one["name"] for one in documents] == ["messages/b"]
    given: list[dict[str, Any]] = [{**documents[0], "at": "1", "earlier": []}, {**documents[0], "name": "messages/c"}]
    given += [{"name": "messages/d", "text": "[]"}, {"name": "words.md", "text": "x"}, {"text": "{}"}]
    known = known_from(given)
    assert [one.key for one in known] == ["b"]
    assert documents_of(known, given) == []
    first = replace(message("z"), at="2025")
    assert [one.key for one in with_known([message("a"), first], known)] == ["z", "a", "b"]


@pytest.mark.parametrize("key", ["../x", "A"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(BadInput):
        wanted(options(key=key), "INC-1", "2026", False)


WRONG = {"https://hooks.example.com/x": "https:…", "mail:a b": "mail:a b", "slack:@oncall": "slack:@oncall", "": ""}


@pytest.mark.parametrize(("wrong", "shown"), WRONG.items())
def test_a_route_that_is_none_keeps_nobody_else_from_being_told(wrong: str, shown: str) -> None:
    some, alone = options(routes=[wrong, "pagerduty", wrong]), options(key="two", routes=[wrong])
    assert [route.route for route in wanted(some, "INC-1", "2026", False).routes] == ["pagerduty"]
    assert wanted(alone, "INC-1", "2026", False).routes == ()
    assert bad_routes([alone, some]) == [shown]
    assert bad_routes([options(), options(routes=[])]) == bad_routes([]) == []
    # Then nobody at all would be told.
    with pytest.raises(BadInput, match="is no route"):
        bad_routes([alone, options(routes=[])])


def test_the_outbox_keeps_what_it_was_given_and_nothing_else_is_taken_for_a_message() -> None:
    new = wanted(options(), "INC-1", "2026", False)
    assert message_of(json.loads(json.dumps(new.as_json()))) == new
    assert {route.status for route in wanted(options(), "INC-1", "2026", True).routes} == {DRY}
    found = new.as_json()
    gone = [{"route": "pagerduty", "status": "gone"}]
    changes: list[dict[str, Any]] = [
        {"schema": 2}, {"routes": [{"route": "x"}]}, {"subject": 1}, {"resolves": "yes"}, {"key": "../x"},
        {"routes": gone},
    ]  # fmt: skip
    wrong: list[Any] = [[], {}, *({**found, **change} for change in changes)]
    for broken in wrong:
        with pytest.raises(ValueError):
            message_of(broken)


def test_only_what_was_not_taken_is_due_and_silence_only_where_a_second_one_does_no_harm() -> None:
    routes = [Route("slack:#a", status) for status in (PENDING, SENT, FAILED, UNKNOWN, DRY)]
    assert [route.due(False) for route in routes] == [True, False, True, False, False]
    assert [route.due(True) for route in routes] == [True, False, True, True, False]
    assert Route("pagerduty", UNKNOWN).due(False)
    assert not Route("slack:#a", FAILED, final=True).due(True)


def test_a_route_is_told_in_order_and_a_pager_does_not_ring_after_the_end() -> None:
    first = message("b", Route("pagerduty", FAILED), at="2026-1")
    last = message("a", Route("pagerduty"), at="2026-2", pager=RESOLVE)
    assert due_by_route([last, first], False) == {"pagerduty": ["b", "a"]}
    assert not overtaken(first, first.routes[0], [first, last])
    over = last.with_route(Route("pagerduty", SENT))
    assert overtaken(first, first.routes[0], [first, over])
    # An alarm from after that end is a new one.
    assert not overtaken(replace(first, at="2026-3"), first.routes[0], [first, over])


def test_who_has_it_is_not_told_again_and_what_is_old_is_not_told() -> None:
    some = message("some", Route("mail:executives", FAILED, left=("b@x.example",)))
    again = message_of(json.loads(json.dumps(some.as_json())))
    assert again == some
    # Those who have the message got that text, so the others get the same.
    assert merged(some, message("some", Route("mail:executives"), text="Another")).text == some.text
    assert due_by_route([some], False, "2026-11-25T03:00:00.000000Z") == {"mail:executives": ["some"]}
    assert due_by_route([some], False, "2026-11-25T03:00:00.000001Z") == {}
    with pytest.raises(ValueError, match="route"):
        message_of({**some.as_json(), "routes": [{"route": "mail:executives", "left": [1]}]})


def test_what_was_told_stays_as_it_was_told() -> None:
    told = message("one", Route("slack:#a", SENT), Route("slack:#b", FAILED, tries=3))
    new = message("one", Route("slack:#a"), Route("slack:#c"), subject="Other", at="2027")
    both = merged(told, new)
    assert (both.subject, [(route.route, route.status) for route in both.routes]) == (
        "Off", [("slack:#a", SENT), ("slack:#c", PENDING), ("slack:#b", FAILED)],
    )  # fmt: skip
    # Nobody has it yet: it gets the newer words, and keeps the place of the older ones.
    fresh = merged(replace(told, routes=told.routes[1:]), new)
    assert (fresh.subject, fresh.at) == ("Other", told.at)
    # A real message after a dry run.
    dry = message("one", Route("slack:#a", DRY))
    assert merged(dry, new).routes[0].status == PENDING
    assert merged(dry, dry).routes[0].status == DRY
