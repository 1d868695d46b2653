# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of an application process says about the flag: V1 is only what was named as V1."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import (
    UNKNOWN,
    V1,
    V2,
    Said,
    reading_from,
    same,
    spread,
)

SECRET = "tr0ub4dor"


def options(**given: Any) -> dict[str, Any]:
    plain = {"serves_path": "v2", "off_when": [False], "pid_path": "pid", "tenants": [], "tenant_parameter": None}
    return {**plain, "most_tenants": 10, **given}


def said(document: Any, status: int = 200, tenant: str | None = None, **given: Any) -> Said:
    return reading_from(options(**given)).of(status, json.dumps(document).encode(), tenant)


@pytest.mark.parametrize(
    ("value", "off_when", "serves"),
    [
        (False, [False], V1),
        (True, [False], V2),
        (0, [False], UNKNOWN),
        (None, [False], UNKNOWN),
        ("false", [False], UNKNOWN),
        ("", [False], UNKNOWN),
        ([], [False], UNKNOWN),
        ({}, [False], UNKNOWN),
        (0, [0], V1),
        (0.0, [0], V1),
        (-0.0, [0], V1),
        (False, [0], UNKNOWN),
        (12, [0], V2),
        (True, [1], UNKNOWN),
        (1, [1], V1),
        (2, [1], V2),
        ("1", [1], UNKNOWN),
        ("v1", ["v1", "off"], V1),
        ("off", ["v1", "off"], V1),
        ("v2", ["v1", "off"], V2),
        ("V1", ["v1"], V2),
        (None, [None, False], V1),
        (True, [None, False], V2),
        (None, ["v1"], UNKNOWN),
    ],
)
def test_v1_is_what_was_named_for_it_and_nothing_is_guessed(value: Any, off_when: list[Any], serves: str) -> None:
    assert said({"v2": value, "pid": 7}, off_when=off_when).serves == serves


@given(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["0", "1", "", "false", 0.0, 1.0, 0.5]), st.data()
)
def test_only_the_same_value_of_the_same_kind_is_v1(value: Any, data: st.DataObject) -> None:
    off = data.draw(st.lists(st.booleans() | st.integers(-2, 2) | st.sampled_from(["0", ""]), min_size=1, max_size=3))
    is_off = any(json.dumps(value).replace(".0", "") == json.dumps(one) for one in off)
    assert (said({"v2": value, "pid": 7}, off_when=off).serves == V1) is is_off
    assert same(value, value)


@pytest.mark.parametrize("pid", [None, True, 0, -1, 1.5, "", "abc", "7 8", [7], 2**31, "9" * 12, "²"])
def test_an_answer_without_a_process_id_counts_for_nothing(pid: Any) -> None:
    assert said({"v2": False, "pid": pid})[:2] == (UNKNOWN, None)
    assert said({"v2": False}).serves == UNKNOWN
    assert said({"v2": False, "pid": pid}, pid_path="").serves == V1


def test_a_process_id_may_be_a_text() -> None:
    assert said({"v2": False, "pid": "4711"}) == (V1, 4711, None)


@pytest.mark.parametrize("status", [201, 204, 301, 401, 404, 500, 503])
def test_any_other_status_than_200_is_unknown(status: int) -> None:
    assert said({"v2": False, "pid": 7}, status=status) == (UNKNOWN, None, f"it answered {status}")


def test_what_an_answer_says_is_not_repeated() -> None:
    for document in ({"v2": SECRET, "pid": 7}, {"v2": False, "pid": SECRET}, SECRET, [SECRET], {SECRET: SECRET}):
        for off_when in ([False], ["v1"]):
            assert SECRET not in str(said(document, off_when=off_when))
    assert SECRET not in str(reading_from(options()).of(200, f"<html>{SECRET}".encode()))


def test_a_tenant_in_the_path_is_a_step_and_never_a_path() -> None:
    given: Any = {"serves_path": "t.<tenant>", "tenants": ["a.b", "7"], "off_when": [0]}
    assert said({"t": {"a.b": 0, "7": 0}, "pid": 7}, **given).serves == V1
    assert said({"t": {"a.b": 0, "7": 3}, "pid": 7}, **given).why == "it serves V2 for tenant 7"
    assert said({"t": {"a.b": 0}, "pid": 7}, **given).serves == UNKNOWN
    # A tenant that is on outweighs one that is not known.
    assert said({"t": {"7": 3}, "pid": 7}, **given).serves == V2


@pytest.mark.parametrize("listed", [[True], [None], [{}], ["4", 1.5], "712", {"7": 1}, 7])
def test_a_list_of_tenants_must_be_one(listed: Any) -> None:
    assert said({"on": listed, "pid": 7}, serves_path="on", tenants=["7"]).serves == UNKNOWN


@pytest.mark.parametrize(
    ("given", "code"),
    [({"off_when": []}, "bad_off_when"), ({"off_when": [[False]]}, "bad_off_when"),
     ({"serves_path": "x[", "tenants": ["7"]}, "bad_json_path"), ({"pid_path": 7}, "bad_json_path"),
     ({"serves_path": ["t", "<tenant>"]}, "no_tenants")],
)  # fmt: skip
def test_a_reading_that_could_prove_nothing_is_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        reading_from(options(**given))
    assert refused.value.code == code


@given(st.lists(st.sampled_from([str(number) for number in range(50)])), st.integers(1, 12))
def test_a_sample_has_the_first_the_last_and_nobody_twice(tenants: list[str], most: int) -> None:
    taken = spread(tenants, most)
    each = list(dict.fromkeys(tenants))
    assert len(taken) == len(set(taken)) == min(most, len(each))
    assert taken[:1] == each[:1]
    assert most == 1 or taken[-1:] == each[-1:]
    assert [one for one in each if one in taken] == taken


def test_who_is_not_asked_for_is_not_said_to_be_proven() -> None:
    many = [str(number) for number in range(20)]
    assert reading_from(options(tenants=many, most_tenants=3)).warnings == [
        "Asked for 3 of 20 tenants named (most_tenants), the others are not proven."
    ]
    assert reading_from(options(tenants=["7", "7"], most_tenants=1)).warnings == []
    assert reading_from(options()).warnings == []
