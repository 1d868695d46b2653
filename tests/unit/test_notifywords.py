# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message lacked when it was sent is told later, to those who got the message, and once."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    DRY,
    SENT,
    Message,
    Route,
    merged,
    message_of,
    wanted,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifykey import key_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifywords import left_words, without

AT, LATER = "2026-11-25T02:10:00.000000Z", "2026-11-25T03:10:00.000000Z"
ROUTES = tuple(Route(name, SENT) for name in ("slack:#incidents", "mail:executives", "pagerduty", "status_page"))
TOLD = Message(
    "scenario3-update-contained", "update", "INC-1", AT, "Off", "text", locale="pt_BR", routes=ROUTES,
    without=("words.root_cause", "words.eta", "figures"),
)  # fmt: skip
WORDS = {"root_cause": "**Ana** forgot an index", "eta": " ", "prevention": "for nobody here"}


def test_words_that_were_left_out_go_by_the_same_channels_and_lists_and_nothing_else_does() -> None:
    (more,) = left_words([TOLD], WORDS, LATER, False)
    assert (more.key, more.kind, more.at) == ("scenario3-update-contained.words", "words", LATER)
    assert more.subject == "O que as pessoas escreveram: Off"
    assert more.text == r"**Causa raiz:** \*\*Ana\*\* forgot an index"
    assert [(route.route, route.status) for route in more.routes] == [
        ("slack:#incidents", "pending"),
        ("mail:executives", "pending"),
    ]
    # Once; and nothing if nothing was written, if all have been told since, or if nobody was told.
    assert left_words([TOLD, more], WORDS, LATER, False) == []
    assert left_words([TOLD], {"prevention": "x"}, LATER, False) == []
    since = replace(TOLD, key="scenario3-scenario3", at=LATER, text=f"{more.text} and more", without=())
    assert left_words([TOLD, since], WORDS, LATER, False) == []
    assert left_words([replace(since, text="other"), TOLD], WORDS, LATER, False) == [more]
    # A channel hears the same thing once, however many messages lack it.
    channels = (Route("slack:#incidents", SENT), Route("slack:#engineering", SENT))
    two = [TOLD, replace(TOLD, key="other", routes=channels)]
    assert [[route.route for route in one.routes] for one in left_words(two, WORDS, LATER, False)] == [
        ["slack:#incidents", "mail:executives"],
        ["slack:#engineering"],
    ]
    dry = replace(TOLD, routes=(Route("slack:#incidents", DRY),))
    assert left_words([dry], WORDS, LATER, False) == []
    assert [route.status for route in left_words([dry], WORDS, LATER, True)[0].routes] == [DRY]


def test_a_dry_run_and_a_run_without_a_service_take_nothing_from_one_that_tells() -> None:
    (dry,) = left_words([TOLD], WORDS, LATER, True)
    assert without([TOLD, dry])["words"] == [TOLD.key]
    assert left_words([TOLD, dry], WORDS, LATER, True) == []
    (more,) = left_words([TOLD, dry], WORDS, LATER, False)
    assert [route.status for route in more.routes] == ["pending", "pending"]
    assert [route.status for route in merged(dry, more).routes] == ["pending", "pending"]
    # If a message was only a dry run, its words are told by a dry run, too.
    rehearsed = replace(TOLD, routes=tuple(replace(route, status=DRY) for route in TOLD.routes))
    assert without([rehearsed, dry])["words"] == []
    # At first no service has a route, and then mail has one.
    nowhere, by_mail = replace(more, routes=()), replace(more, routes=(Route("mail:executives", SENT),))
    assert without([TOLD, nowhere])["words"] == [TOLD.key]
    assert left_words([TOLD, nowhere], WORDS, LATER, False) == [more]
    (rest,) = left_words([TOLD, by_mail], WORDS, LATER, False)
    assert [route.route for route in rest.routes] == ["slack:#incidents"]
    assert [route.status for route in merged(by_mail, rest).routes] == ["pending", "sent"]
    assert without([TOLD, by_mail])["words"] == []


def test_what_was_told_later_is_no_other_telling_and_what_is_left_out_is_known() -> None:
    (more,) = left_words([TOLD], WORDS, LATER, False)
    assert key_of("scenario3 update", "contained", 1, [TOLD.key, more.key]) == TOLD.key
    assert without([TOLD]) == {"words": [TOLD.key], "figures": [TOLD.key]}
    assert without([TOLD, more]) == {"words": [], "figures": [TOLD.key]}
    # A status page gets no words later, so they do not count as missing there.
    assert without([replace(TOLD, routes=(Route("status_page", SENT),))]) == {"words": [], "figures": [TOLD.key]}


def test_what_it_lacks_stands_in_its_record() -> None:
    assert message_of(TOLD.as_json()) == TOLD
    old = {name: value for name, value in TOLD.as_json().items() if name != "without"}
    assert message_of(old).without == ()
    given = {**old, "mention": "", "component_status": "", "resolves": False, "routes": ["pagerduty"]}
    assert wanted({**given, "without": ["figures"]}, "INC-1", AT, False).without == ("figures",)
