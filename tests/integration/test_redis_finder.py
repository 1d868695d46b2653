# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retrying a Redis that is not there: with pauses, until the deadline or until the caller gives up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import Login, Session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisfinder import Finder
from tests.support import processes


def _never(_session: Session) -> None:
    raise AssertionError("There is no session with a server that is not there.")


def _tried(seconds: float, **how: Any) -> tuple[int, int]:
    """Return how often a port without a listener was tried, and for how many milliseconds."""
    deadline = Deadline(seconds)
    finder = Finder(Login(host="127.0.0.1", port=processes.free_port()), deadline)
    with pytest.raises(ServerError) as error:
        finder.until_answered(_never, **how)
    assert error.value.code == "unreachable"
    return finder.tries, deadline.elapsed_ms


def test_it_is_tried_with_pauses_until_the_deadline() -> None:
    tries, milliseconds = _tried(1.0)
    assert 2 < tries <= 10
    assert 700 < milliseconds < 1200


def test_no_try_is_begun_that_could_not_end() -> None:
    assert _tried(5.0, beside=4.9)[0] == 1
    assert 300 < _tried(1.5, beside=0.9)[1] < 900


def _after(tries: int) -> Callable[[], bool]:
    answers = iter([*[False] * (tries - 1), True])
    return lambda: next(answers)


def test_who_asks_may_give_up_before() -> None:
    tries, milliseconds = _tried(60.0, in_vain=_after(3))
    assert tries == 3
    assert milliseconds < 10_000
