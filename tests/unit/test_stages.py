# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages of the return: every tenant in exactly one, always in the same, and the first is never empty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import (
    check_share,
    in_order,
    shares_from,
    stage_of,
    upto,
)

SHARES = st.lists(st.floats(0.001, 99.999), max_size=6, unique=True).map(lambda found: [*sorted(found), 100.0])


@given(st.integers(0, 3000), SHARES)
def test_every_tenant_is_in_exactly_one_stage(number: int, shares: list[float]) -> None:
    tenants = [str(i) for i in range(number)]
    stages = [stage_of(tenants, share, above) for above, share in zip([0.0, *shares], shares, strict=False)]
    assert sorted(tenant for stage in stages for tenant in stage.tenants) == sorted(tenants)
    assert [stage.before for stage in stages] == [
        sum(len(before.tenants) for before in stages[:i]) for i in range(len(stages))
    ]
    assert all(stage.had_it == number for stage in stages)
    assert not tenants or stages[0].tenants


@given(st.sets(st.integers(0, 10**12), min_size=1, max_size=200), SHARES, st.randoms())
def test_the_same_stage_whatever_order_the_tenants_come_in(numbers: set[int], shares: list[float], chance: Any) -> None:
    tenants = [str(number) for number in numbers]
    shuffled = tenants[:]
    chance.shuffle(shuffled)
    first = tenants[-1]
    for share in shares:
        stage = stage_of(tenants, share, 0.0, first, True)
        assert stage == stage_of(shuffled, share, 0.0, first, True)
        assert stage.tenants[0] == first


def test_numbers_stand_as_numbers_and_text_by_its_code_points() -> None:
    assert in_order(["10", "9", "-1"], numbers=True) == ["-1", "9", "10"]
    assert in_order(["1.5", "10.25", "1.45"], numbers=True) == ["1.45", "1.5", "10.25"]
    assert in_order(["b", "á", "a", "B", "10", "9"]) == ["10", "9", "B", "a", "b", "á"]


def test_the_test_tenant_comes_first_where_it_had_the_feature_however_it_is_spelled() -> None:
    assert in_order(["2", "1", "7"], " 7 ", numbers=True) == ["7", "1", "2"]
    assert in_order(["ab", "cd"], "CD") == ["cd", "ab"]
    assert in_order(["2", "1"], "8", numbers=True) == ["1", "2"]


@pytest.mark.parametrize("numbers", [False, True])
def test_the_row_without_a_tenant_comes_last(numbers: bool) -> None:
    tenants: list[Any] = ["2", None, "1", "-1"]
    assert in_order(tenants, numbers=numbers) == ["-1", "1", "2", None]
    assert in_order(tenants, "2", numbers=numbers) == ["2", "-1", "1", None]


@pytest.mark.parametrize(
    ("number", "share", "expected"),
    [
        (1284, 10, 129),
        (1284, 50, 642),
        (3, 10, 1),
        (1, 0.01, 1),
        (0, 10, 0),
        (100, 29, 29),
        (1000, 0.7, 7),
        (7, 100, 7),
    ],
)
def test_how_many_are_in_the_stages_up_to_a_share(number: int, share: float, expected: int) -> None:
    assert upto(number, share) == expected


@pytest.mark.parametrize("given", [[], [10, 50], [50, 10, 100], [0, 100], [10, 10, 100], [10, "x", 100], [100, 101], 5])
def test_stages_that_would_leave_somebody_out_are_refused(given: Any) -> None:
    with pytest.raises(BadInput) as refused:
        shares_from(given)
    assert refused.value.code == "bad_stages"
    assert str(given) in refused.value.what


def test_stages_may_come_as_text_from_a_command_line() -> None:
    assert shares_from(["12.5", 100]) == [12.5, 100.0]


@pytest.mark.parametrize(
    ("share", "above", "state", "withdrawn"),
    [
        (0, 0, "restored", False), (101, 0, "restored", False), (10, 10, "restored", False),
        (10, -1, "restored", False),
        (10, 0, "enabled", False), (None, 0, "restored", True), (10, 0, "restored", True),
    ],
)  # fmt: skip
def test_a_share_that_names_no_stage_is_refused(share: Any, above: float, state: str, withdrawn: bool) -> None:
    with pytest.raises(BadInput) as refused:
        check_share(share, above, state, withdrawn)
    assert refused.value.code == "bad_share"


def test_a_share_that_names_one_is_not() -> None:
    check_share(None, 0, "restored", False)
    check_share(10, 0, "restored", False)
    check_share(100, 50, "disabled", True)
    check_share(None, 0, "disabled", True)
