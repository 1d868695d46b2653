# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks through a real application over HTTP: what is sent, what counts as good, and that no secret comes out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.support.helpdesk import PASSWORD, SESSION, TICKET, TOKEN, Helpdesk, helpdesk
from tests.support.processes import free_port


@pytest.fixture
def desk(directory: Path) -> Iterator[Helpdesk]:
    with helpdesk(directory / "asked") as running:
        yield running


Step = dict[str, Any]
GIVEN: dict[str, Any] = {
    "variables": {"user": "oncall@chatia.com", "ticket": str(TICKET), "company": 7},
    "secrets": {"password": PASSWORD},
}
LOGIN: Step = {
    "name": "log in",
    "method": "POST",
    "path": "/auth/login",
    "json": {"email": "<user>", "password": "<password>", "company": "<company>"},
    "save": {"token": "token", "odd": "odd"},
}
BEARER = {"Authorization": "Bearer <token>"}
OPEN: Step = {"name": "open a ticket", "path": "/tickets/<ticket>", "headers": BEARER,
              "expect": [{"path": "id", "equals": "<ticket>"}, {"path": "contact", "exists": True}]}  # fmt: skip
BOARD: Step = {"name": "see the board", "path": "/kanban/board", "headers": BEARER,
               "expect": [{"path": "version", "equals": 1}, {"path": "lanes[1].id", "at_least": 2}]}  # fmt: skip


def walk(desk: Helpdesk, *steps: Step, check: bool = False, **options: Any) -> Result:
    done = Modules({"base_url": desk.url, **GIVEN, "_ansible_inject_invocation": True}).ok(
        "smoke_test", check, steps=list(steps), **options
    )
    # Whatever was walked: no given secret and nothing that an answer said comes out.
    for secret in (PASSWORD, TOKEN, SESSION, "Conceição"):
        assert secret not in json.dumps(done, ensure_ascii=False)
    assert done["changed"] is False
    return done


def why(done: Result) -> str:
    (row,) = [row for row in done["steps"] if row["passed"] is False]
    assert (done["passed"], done["failed_step"]) == (False, row["name"])
    return str(row["why"])


def test_a_walk_logs_in_opens_a_ticket_and_sees_the_board(desk: Helpdesk) -> None:
    done = walk(desk, LOGIN, OPEN, BOARD)
    assert (done["passed"], done["failed_step"]) == (True, None)
    assert [(row["name"], row["status"], row["passed"], row["why"]) for row in done["steps"]] == [
        ("log in", 200, True, None),
        ("open a ticket", 200, True, None),
        ("see the board", 200, True, None),
    ]
    assert all(0 <= row["ms"] < 5000 for row in done["steps"])
    assert desk.paths == ["POST /auth/login", f"GET /tickets/{TICKET}", "GET /kanban/board"]
    assert desk.asked[1][2]["Authorization"] == f"Bearer {TOKEN}"


def test_check_mode_sends_nothing_and_lists_the_steps(desk: Helpdesk) -> None:
    done = walk(desk, LOGIN, OPEN, check=True)
    assert done["passed"] is None
    assert [(row["name"], row["why"]) for row in done["steps"]] == [
        ("log in", "not sent in check mode"),
        ("open a ticket", "not sent in check mode"),
    ]
    assert desk.asked == []


def test_the_first_step_that_is_not_good_ends_the_walk(desk: Helpdesk) -> None:
    done = walk(desk, LOGIN, {**OPEN, "path": "/tickets/1"}, BOARD)
    assert why(done) == "it answered 404, not 200"
    assert done["steps"][2] == {
        "name": "see the board", "status": None, "ms": None, "passed": None,
        "why": "not sent, for a step before it failed", "code": None,
    }  # fmt: skip
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"expect": [{"path": "version", "equals": 2}]}, "version is 1, and should be 2"),
        ({"expect": [{"path": "version", "equals": "1"}]}, "version is 1, and should be '1'"),
        ({"expect": [{"path": "version", "equals": True}]}, "version is 1, and should be true"),
        ({"expect": [{"path": "version", "equals": "<ticket>"}]},
         "version is 1, and should be what was given or saved before"),
        ({"expect": [{"path": "board.version", "equals": 1}]}, "nothing at board.version: the document has no board"),
        ({"expect": [{"path": "lanes[2]", "exists": True}]}, "lanes is a list of 2 and has no [2]"),
        ({"expect": [{"path": "version", "exists": False}]}, "version is 1, and it should not be there"),
        ({"expect": [{"path": "lanes", "at_least": 1}]}, "lanes is a list of 2, and should be at least 1"),
        ({"expect": [{"path": "version", "at_most": 0.5}]}, "version is 1, and should be at most 0.5"),
        ({"expect": [{"path": "lanes", "contains": {"id": "<ticket>"}}]},
         "lanes is a list of 2, and should be a list that has what the step names"),
        ({"expect": [{"path": "version", "lacks": 1}]},
         "version is 1, and should be a list that lacks what the step names"),
        ({"expect": [{"path": "secret", "equals": "x"}]}, "secret is a text of 22 letters, and should be 'x'"),
        ({"expect": [{"path": "secret", "matches": "^x"}]},
         "secret is a text of 22 letters, and should be a text that matches the pattern"),
        ({"save": {"id": "lanes[0].name"}}, "nothing at lanes[0].name: lanes[0] has no name"),
        ({"path": "/odd", "expect": [{"path": "version", "equals": 1}]}, "its answer cannot be read: it is no JSON"),
        ({"path": "/moved"}, "it answered 302, not 200"),
        ({"path": "/moved", "follow": True, "query": {"http://127.0.0.2:1/": ""}},
         "it was redirected to another server, which is not followed"),
        ({"path": "/around", "follow": True}, "it was redirected more than 5 times"),
        ({"path": "/slow/0.3", "max_ms": 200}, "ms, and 200 ms are allowed"),
        ({"path": "/labels/<odd>", "headers": {"X-Odd": "<nothing>"}}, "the value of <nothing> is no text"),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_said_without_repeating_texts(desk: Helpdesk, step: Step, told: str) -> None:
    variables = {**GIVEN["variables"], "nothing": None}
    assert told in why(walk(desk, LOGIN, {**BOARD, "expect": [], **step}, variables=variables))


def test_what_was_made_is_taken_away_after_a_failure_too(desk: Helpdesk) -> None:
    make: Step = {"name": "make a tag", "method": "POST", "path": "/labels", "headers": BEARER, "status": [201],
                  "save": {"tag": "id"}}  # fmt: skip
    drop: Step = {"name": "drop it", "method": "DELETE", "path": "/labels/<tag>", "headers": BEARER, "always": True}
    assert walk(desk, LOGIN, make, BOARD, drop)["passed"] is True
    broken = {**BOARD, "expect": [{"path": "version", "equals": 2}]}
    done = walk(desk, LOGIN, make, broken, OPEN, drop)
    assert [row["passed"] for row in done["steps"]] == [True, True, False, None, True]
    assert desk.paths[-1] == "DELETE /labels/41"
    # Never made, so there is nothing to take away, and no /labels/<tag> is asked for.
    never = walk(desk, LOGIN, broken, make, drop)
    assert never["steps"][3]["why"] == "not needed, for no step came so far as to save <tag>"
    assert [row["passed"] for row in never["steps"]] == [True, False, None, None]
    # A clean-up that does not succeed is a failure.
    assert walk(desk, LOGIN, make, {**drop, "path": "/labels/99"})["failed_step"] == "drop it"
    # A deadline that is over does not leave a tag behind.
    slow: Step = {"name": "dawdle", "path": "/slow/0.7"}
    late = walk(desk, LOGIN, make, slow, BOARD, drop, deadline=0.6, timeout=2)
    assert late["failed_step"] in ("dawdle", "see the board")
    assert desk.paths[-1].startswith("DELETE /labels/4")


def test_values_of_answers_are_data(desk: Helpdesk) -> None:
    odd = {"name": "odd", "path": "/echo/<odd>/<bad>/x", "query": {"q": "<bad>"}, "method": "POST",
           "json": {"text": "as <bad>", "id": "<company>", "list": ["<bad>"]},
           "save": {"path": "path", "raw": "raw", "body": "body", "query": "query.q[0]"}}  # fmt: skip
    back = {
        "name": "back",
        "path": "/echo/",
        "method": "POST",
        "json": {"all": ["<path>", "<raw>", "<body>", "<query>"]},
    }
    bad = "{{ lookup('pipe', 'id') }} <user> <password>?a=b&c#d/é"
    done = walk(desk, LOGIN, odd, back, variables={**GIVEN["variables"], "bad": bad})
    assert done["passed"] is True
    path, raw, body, query = json.loads(desk.asked[-1][3])["all"]
    assert path == f"../tags/{bad}/x"
    assert "/" not in raw.replace("/", "", 2), "each value is one part of the path"
    assert json.loads(body) == {"text": f"as {bad}", "id": 7, "list": [bad]}
    assert query == bad
    for part in ("..", ".", ""):
        assert "is no part of a path" in why(walk(desk, LOGIN, odd, variables={**GIVEN["variables"], "bad": part}))
    header = {"name": "header", "path": "/echo/", "headers": {"X-Odd": "<bad>"}}
    given = {**GIVEN["variables"], "bad": "a\r\nX-More: b"}
    assert why(walk(desk, header, variables=given)) == "a saved value cannot stand in a header"


def test_a_form_a_cookie_and_a_redirect_that_is_followed(desk: Helpdesk) -> None:
    form = {"name": "sign in", "method": "POST", "path": "/signin", "follow": True,
            "form": {"email": "<user>", "password": "<password>"},
            "expect": [{"path": "version", "equals": 1}]}  # fmt: skip
    done = walk(desk, form, {"name": "open", "path": f"/tickets/{TICKET}"})
    assert done["passed"] is True
    assert desk.paths == ["POST /signin", "GET /kanban/board", f"GET /tickets/{TICKET}"]
    assert [f"sid={SESSION}" in headers.get("Cookie", "") for _m, _p, headers, _b in desk.asked] == [False, True, True]
    assert desk.asked[1][3] == ""
    kept = {"name": "kept", "method": "POST", "path": "/moved", "follow": True, "json": {"a": 1},
            "expect": [{"path": "body", "equals": '{"a": 1}'}]}  # fmt: skip
    assert walk(desk, kept)["passed"] is True


def test_where_nobody_answers_is_said_in_time(desk: Helpdesk) -> None:
    nowhere = Helpdesk(f"http://127.0.0.1:{free_port()}", desk.record)
    assert why(walk(nowhere, LOGIN)) == "connection refused"
    started = time.monotonic()
    hanging = walk(desk, {"name": "hang", "path": "/slow/20"}, BOARD | {"headers": {}}, timeout=0.5)
    assert why(hanging) == "no whole answer within 0.5 s"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("code", "step", "options"),
    [
        ("bad_steps", {"path": "/x/<tokn>"}, {}),
        ("bad_steps", {"json": {"a": ["<token>"]}}, {}),
        ("bad_steps", {"path": "http://elsewhere/"}, {}),
        ("bad_steps", {"json": {}, "form": {"a": 1}}, {}),
        ("bad_steps", {"query": {"a": [1]}}, {}),
        ("bad_steps", {"save": {"a b": "x"}}, {}),
        ("bad_steps", {"expect": [{"path": "x"}]}, {}),
        ("bad_steps", {"expect": [{"path": "x", "matches": "("}]}, {}),
        ("bad_steps", {}, {"steps": []}),
        ("bad_steps", {}, {"variables": {"a-b": 1}}),
        ("bad_json_path", {"save": {"a": "x["}}, {}),
        ("bad_header", {"headers": {"A B": "x"}}, {}),
        ("bad_variables", {}, {"secrets": {"user": "x"}}),
        ("url_with_more", {}, {"base_url": f"http://u:{PASSWORD}@127.0.0.1/"}),
        ("bad_url", {}, {"base_url": "ftp://127.0.0.1/"}),
        ("bad_deadline", {}, {"timeout": 0}),
    ],
)
def test_bad_input_fails_before_anything_is_sent(desk: Helpdesk, code: str, step: Step, options: Any) -> None:
    given = {"base_url": desk.url, **GIVEN, "steps": [{"name": "x", "path": "/echo/", **step}], **options}
    failed = Modules({}).fails(code, "smoke_test", **given)
    assert PASSWORD not in json.dumps(failed)
    assert desk.asked == []
