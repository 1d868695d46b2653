# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placeholders of a smoke test, and how an answer is judged: values are data, and texts are not repeated."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http, _smokefill
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import PathMissing, steps
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokefill import NotFilled, fill, names_in
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokejudge import judge, saved
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokerun import Walk, go
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokesteps import Expectation, Step, secret_values

SECRET = "tr0ub4dor"
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["<a>", "<b>", "<<a>>", "{{ a }}", "%2e", "a/b", "..", "\\1", "\\g<0>", "?x#y"]
)


@given(_texts, _texts)
def test_what_is_put_in_is_never_looked_at_again(a: str, b: str) -> None:
    values = {"a": a, "b": b}
    assert _smokefill.text("1<a>2<b>3<a>", values) == f"1{a}2{b}3{a}"
    assert fill({"x": ["<a>", {"y": "-<b>-"}], "z": 1}, values) == {"x": [a, {"y": f"-{b}-"}], "z": 1}


@given(_texts)
def test_a_value_stays_one_part_of_a_path(value: str) -> None:
    try:
        filled = _smokefill.path("/tickets/<id>/tags", {"id": value})
    except NotFilled:
        assert value in ("", ".", "..")
        return
    assert value not in ("", ".", ".."), "these lead elsewhere"
    root, tickets, part, tags = filled.split("/")
    assert (root, tickets, tags) == ("", "tickets", "tags")
    assert unquote(part) == value
    assert not set(part) & set("/?#\r\n \\")


@given(_texts)
def test_a_text_without_placeholders_stays_as_it_is(pattern: str) -> None:
    if not list(names_in(pattern)):
        assert fill(pattern, {}) == pattern == _smokefill.text(pattern, {})


@pytest.mark.parametrize("value", [7, 1.5, True, None, "7", [1], {"a": 1}])
def test_a_text_that_is_nothing_but_a_placeholder_becomes_the_value(value: Any) -> None:
    filled = fill({"id": "<id>"}, {"id": value})["id"]
    assert filled == value
    assert type(filled) is type(value)


@pytest.mark.parametrize(("value", "text"), [(7, "x7"), (True, "xtrue"), ("", "x")])
def test_within_a_text_a_value_is_written_as_json_does(value: Any, text: str) -> None:
    assert fill("x<id>", {"id": value}) == text


@pytest.mark.parametrize("value", [None, [1], {"a": SECRET}])
def test_what_is_no_text_cannot_stand_in_one_and_is_not_repeated(value: Any) -> None:
    with pytest.raises(NotFilled) as refused:
        fill("x<id>", {"id": value})
    assert SECRET not in str(refused.value)
    with pytest.raises(NotFilled, match="<other> was never saved"):
        fill("<other>", {"id": value})


def test_names_are_found_however_deep() -> None:
    assert list(names_in({"a": ["<x>", {"b": "<y>-<z>"}], "c": 1, "<k>": "<1>"})) == ["x", "y", "z"]


def told(document: Any, expect: Expectation, status: int = 200, values: Any = None, secrets: Any = ()) -> str | None:
    step = Step("x", "GET", "/", expect=[expect])
    return judge(step, status, json.dumps(document).encode(), values or {}, secrets)


def at(path: str, **wanted: Any) -> Expectation:
    return Expectation(steps(path), **wanted)


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        ({"equals": 1}, [1, 1.0], [2, True, "1", None, [1]]),
        ({"equals": "v1"}, ["v1"], ["V1", "v", None, 1]),
        ({"equals": False}, [False], [0, None, "false"]),
        ({"equals": [1, 2]}, [[1, 2]], [[2, 1], "12"]),
        ({"equals": "<id>"}, [7, "7"], [8, "8", True, None, [7]]),
        ({"equals": "<no>"}, [False], [0, "False", "false", None]),
        ({"exists": True}, [0, False, "", []], [None]),
        ({"exists": False}, [None], [0, False, ""]),
        ({"at_least": 2}, [2, 2.5], [1, True, "3", None]),
        ({"at_most": 2}, [2, -1], [2.1, False, "1", None]),
        ({"at_least": 1, "at_most": 2}, [1, 2], [0, 3]),
        ({"contains": 2}, [[1, 2]], [[], [1, "2", True], "2", {"2": 2}, None]),
        ({"contains": "<id>"}, [["7"], [1, 7]], [[8], [True], 7]),
        ({"contains": {"id": "<id>", "on": True}}, [[{"id": 7, "on": True, "x": 1}]], [[{"id": 7}], [7], {"id": 7}]),
        ({"lacks": {"id": "<id>"}}, [[], [{"id": 8}, 7]], [[{"id": 8}, {"id": 7}], {"id": 8}, "", None]),
    ],
)
def test_an_expectation_takes_what_it_names_and_nothing_else(wanted: Any, good: list[Any], bad: list[Any]) -> None:
    values = {"id": 7, "no": False}
    for value in good:
        assert told({"a": value}, at("a", **wanted), values=values) is None, value
    for value in bad:
        assert told({"a": value}, at("a", **wanted), values=values), value
    assert (told({}, at("a", **wanted), values=values) is None) is (wanted == {"exists": False})


def test_any_status_but_the_right_one_is_said() -> None:
    assert told({"a": 1}, at("a", equals=1), status=500) == "it answered 500, not 200"
    assert judge(Step("x", "GET", "/", status=[200, 204]), 201, b"", {}, ()) == "it answered 201, not 200 or 204"
    assert judge(Step("x", "GET", "/", status=[200, 204]), 204, b"", {}, ()) is None


@given(
    st.sampled_from(["equals", "at_least", "exists"]), st.lists(st.just(SECRET) | st.just({"x": SECRET}), max_size=2)
)
def test_what_is_said_repeats_no_text_of_an_answer(kind: str, inner: list[Any]) -> None:
    wanted: Any = {"equals": 5, "at_least": 5, "exists": False}[kind]
    for value in (SECRET, inner, {SECRET: SECRET}):
        text = told({"a": value}, at("a", **{kind: wanted}))
        assert text
        assert SECRET not in text


def test_a_figure_that_is_a_secret_is_not_shown_either() -> None:
    assert told({"pin": 493817}, at("pin", equals=1)) == "pin is 493817, and should be 1"
    assert "493817" not in str(told({"pin": 493817}, at("pin", equals=1), secrets={"493817"}))


def test_what_is_saved_is_there_and_not_null() -> None:
    step = Step("x", "GET", "/", save={"id": steps("data.id")})
    assert saved(step, b'{"data": {"id": {"a": 1}}}') == {"id": {"a": 1}}
    for body in (b'{"data": {"id": null}}', b'{"data": {}}', b"[]"):
        with pytest.raises(PathMissing):
            saved(step, body)


def test_all_that_lies_in_a_secret_is_one() -> None:
    assert set(secret_values([{"a": ["x", {"b": 5}], "c": None}, True])) == {"x", "5", "True"}


def test_why_there_was_no_answer_is_said_for_machines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_request: _http.Request, _seconds: float) -> _http.Reply:
        raise _http.NoAnswer("its name could not be resolved", "unresolved")

    walk = Walk(_http.base("http://app.example", "base_url"), [Step("x", "GET", "/"), Step("y", "GET", "/")], {}, {})
    monkeypatch.setattr(_http, "ask", ask)
    done = go(walk)
    assert (done["passed"], done["failed_step"]) == (False, "x")
    assert [(row["code"], row["why"]) for row in done["steps"]] == [
        ("unresolved", "its name could not be resolved"),
        (None, "not sent, for a step before it failed"),
    ]
    monkeypatch.setattr(_http, "ask", lambda *_given: _http.Reply(503, Message(), b""))
    assert go(walk)["steps"][0]["code"] is None
