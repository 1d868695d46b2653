# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines, PostgreSQL's array text, and errors that say what, why and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline, array_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    BadInput,
    KanbanError,
    LostConnection,
    ServerError,
    Timeout,
)


class Clock:
    """A clock that advances only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_deadline_runs_out_and_never_below_nothing() -> None:
    clock = Clock()
    deadline = Deadline(20, clock)
    assert (deadline.left, deadline.over, deadline.elapsed_ms) == (20, False, 0)
    clock.now += 19.5
    assert (deadline.left, deadline.over, deadline.elapsed_ms) == (0.5, False, 19_500)
    clock.now += 0.5
    assert (deadline.left, deadline.over) == (0, True)
    clock.now += 100
    assert (deadline.left, deadline.over, deadline.elapsed_ms) == (0, True, 120_000)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_of_nothing_is_over_at_once(seconds: float) -> None:
    assert Deadline(seconds, Clock()).over


@pytest.mark.parametrize(
    ("passed", "most", "least", "slice_"),
    [
        (0, 5, 0.05, 5),
        (18, 5, 0.05, 2),
        (19.99, 5, 0.05, 0.05),
        (30, 5, 0.05, 0.05),
        (30, 5, 1.0, 1.0),
        (0, 0.01, 0.05, 0.05),
    ],
)
def test_a_slice_is_what_is_left_but_never_too_little_to_succeed(
    passed: float, most: float, least: float, slice_: float
) -> None:
    clock = Clock()
    deadline = Deadline(20, clock)
    clock.now += passed
    assert deadline.slice(most, least) == pytest.approx(slice_)


def test_time_is_monotonic_by_default() -> None:
    deadline = Deadline(60)
    first = deadline.left
    assert 0 < deadline.left <= first <= 60
    assert not deadline.over


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], "{}"),
        (["a"], '{"a"}'),
        ([None, "NULL", "null", ""], '{NULL,"NULL","null",""}'),
        (['"', "\\", "{,}", " a\n"], '{"\\"","\\\\","{,}"," a\n"}'),
    ],
)
def test_an_array_is_spelled_as_postgresql_reads_it(items: list[str | None], text: str) -> None:
    assert array_text(items) == text


def read_array(text: str) -> list[str | None]:
    """Read PostgreSQL's array text by the rules of its manual, 8.15.6: quotes, backslashes, NULL without quotes."""
    assert text[0] + text[-1] == "{}"
    items: list[str | None] = []
    at = 1
    while at < len(text) - 1:
        if text[at] == '"':
            item, at = "", at + 1
            while text[at] != '"':
                at += text[at] == "\\"
                item += text[at]
                at += 1
            items.append(item)
            at += 1
        else:
            assert text.startswith("NULL", at)
            items.append(None)
            at += 4
        assert text[at] in ",}"
        at += 1
    return items


@given(st.lists(st.none() | st.text() | st.text(st.sampled_from('\\"{},NUL '), max_size=6)))
def test_any_list_comes_back_from_its_text(items: list[str | None]) -> None:
    assert read_array(array_text(items)) == items


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        (BadInput, {KanbanError}),
        (ServerError, {KanbanError}),
        (LostConnection, {KanbanError, ServerError}),
        (Timeout, {KanbanError, ServerError}),
    ],
)
def test_who_catches_what(kind: type[KanbanError], kinds: set[type[KanbanError]]) -> None:
    every = {KanbanError, BadInput, ServerError, LostConnection, Timeout}
    assert {other for other in every if other is not kind and issubclass(kind, other)} == kinds
