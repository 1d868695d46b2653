# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead host may cost a run its connect timeout once, and never twice."""

from __future__ import annotations

import pytest

from tests.drills.deadhost import CONNECT_SECONDS, too_much

WHOLE = 62.7


def test_one_wait_is_allowed_whether_others_work_meanwhile_or_not() -> None:
    assert too_much(WHOLE, WHOLE - 0.4, [CONNECT_SECONDS + 1.4]) == []
    # The others had nothing to do meanwhile, and the machine became slower by a fifth.
    assert too_much(WHOLE, WHOLE * 1.2 + CONNECT_SECONDS, [CONNECT_SECONDS + 1.4]) == []


@pytest.mark.parametrize("waited", [[CONNECT_SECONDS, CONNECT_SECONDS], [2 * CONNECT_SECONDS]])
def test_a_second_wait_is_too_much_though_others_work_meanwhile(waited: list[float]) -> None:
    assert too_much(WHOLE, WHOLE, waited) == ["it was waited for 40.0 s, of 20 and 5 s"]


def test_a_run_that_waits_twice_takes_too_long_whatever_its_tasks_say() -> None:
    assert too_much(WHOLE, WHOLE + 2 * CONNECT_SECONDS, [CONNECT_SECONDS]) == [
        "the run took longer by 40.0 s, of 20 and 15 s"
    ]
