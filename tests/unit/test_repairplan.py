# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair does by default, what its hash covers, and what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplan import (
    Part,
    Plan,
    Planned,
    Repair,
    Where,
    grown,
    hash_error,
    refusals,
    refused_error,
    repair_of,
    worse,
)

HERE = Where("77/5", "chatia", "INC-1", 0)
CHECKS = [{"name": "a", "kind": "orphan", "column": "b", "severity": "high", "repair": None}]


def plan(*parts: Part, **checks: int | None) -> Plan:
    """Return a plan of parts and of checks by name with their counts; each would be mended by a delete."""
    planned = [
        Planned(name, "orphan", Repair("delete"), status="corrupt" if count else "ok", count=count)
        for name, count in checks.items()
    ]
    return Plan(planned, list(parts), rows_of={"public.t": 100, "public.u": 10})


T = Part("a", "public.t", "delete", 10, sums=("1", "2"))
U = Part("a", "public.u", "update", 4, via="u_fkey", effect="SET NULL")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("duplicate", "delete"),
        ("orphan", "delete"),
        ("two_lanes", "delete"),
        ("invalid_reference", "set_null"),
        ("ordering", "renumber"),
        ("null_reference", "none"),
        ("cross_tenant", "none"),
        ("timeline", "none"),
        ("sql", "none"),
    ],
)
def test_what_is_done_where_nothing_is_said(kind: str, action: str) -> None:
    assert repair_of({"name": "a", "kind": kind, "column": "c"}).action == action


def test_a_value_makes_it_a_set_value() -> None:
    check = {"name": "a", "kind": "invalid_reference", "column": "c"}
    assert repair_of({**check, "repair": {"value": "7"}}) == Repair("set_value", "7")
    assert repair_of({**check, "repair": {"action": "set_value", "value": ""}}) == Repair("set_value", "")


@pytest.mark.parametrize(
    ("kind", "repair"),
    [
        ("duplicate", {"action": "set_null"}),
        ("ordering", {"action": "delete"}),
        ("timeline", {"action": "delete"}),
        ("sql", {"action": "delete"}),
        ("orphan", {"action": "renumber"}),
        ("orphan", {"action": "set_value"}),
        ("orphan", {"action": "delete", "value": "1"}),
    ],
)
def test_what_does_not_go_together(kind: str, repair: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="'a'"):
        repair_of({"name": "a", "kind": kind, "column": "c", "repair": repair})
    with pytest.raises(BadInput):
        repair_of({"name": "a", "kind": "null_reference", "repair": {"action": "set_null"}})


def test_the_hash_is_of_rows_and_checks_and_of_nothing_else() -> None:
    first = plan(T, U, a=14).hash(CHECKS, HERE)
    assert len(first) == 64
    assert plan(U, T, a=99).hash(CHECKS, HERE) == first
    # Options that another version adds, and how bad somebody thinks it is, change no row.
    assert (
        plan(T, U).hash([{"name": "a", "kind": "orphan", "column": "b", "severity": "low", "new": None}], HERE) == first
    )
    others = [
        plan(T, U).hash([{**CHECKS[0], "tolerate": 1}], HERE),
        plan(T).hash(CHECKS, HERE),
        plan(replace(T, rows=11), U).hash(CHECKS, HERE),
        plan(replace(T, sums=("1", "3")), U).hash(CHECKS, HERE),
        plan(replace(T, action="update"), U).hash(CHECKS, HERE),
        plan(T, replace(U, via="other")).hash(CHECKS, HERE),
        *(
            plan(T, U).hash(CHECKS, HERE._replace(**other))
            for other in ({"cluster": "78/5"}, {"database": "copy"}, {"incident": "INC-2"}, {"number": 1})
        ),
    ]
    assert len({first, *others}) == 11


def test_bounds_are_of_all_rows_and_of_the_worst_table() -> None:
    made = plan(T, U, a=10)
    assert (made.total, made.fraction) == (14, 0.4)
    assert refusals(made, 14, 0.4) == []
    assert [reason["code"] for reason in refusals(made, 13, 0.39)] == ["too_many_rows", "too_large_fraction"]
    assert refusals(made, 14, 0.39)[0]["table"] == "public.u"


def test_a_check_that_nobody_knows_is_a_reason_and_one_that_does_not_apply_is_none() -> None:
    made = plan(a=None, b=None)
    made.checks[0].status, made.checks[1].status = "timeout", "not_applicable"
    (reason,) = refusals(made, 1, 1)
    assert reason["code"] == "not_known"
    assert "a:" in reason["what"]
    assert "b:" not in reason["what"]
    assert refused_error([reason]).code == "not_known"


def test_the_error_tells_a_missing_hash_from_another_one() -> None:
    assert hash_error(None, "1" * 64).code == "plan_hash_missing"
    error = hash_error("0" * 64, "1" * 64)
    assert error.code == "plan_changed"
    assert "1" * 64 in error.todo


def test_what_decides_between_commit_and_rollback() -> None:
    made = plan(a=5, b=0, c=None)
    judged = Planned("d", "null_reference", Repair("none"), status="corrupt", count=3)
    made.checks.append(judged)
    for check, remaining in zip(made.checks, (0, 0, None, 3), strict=True):
        check.remaining = remaining
    assert worse(made.checks, True, {}) == []
    made.checks[0].remaining = 1
    assert worse(made.checks, True, {}) == ["a still counts 1"]
    made.checks[0].tolerate = 1
    assert worse(made.checks, True, {}) == []
    made.checks[1].remaining = 1
    judged.remaining = 4
    assert worse(made.checks, True, {}) == ["b counts 1 after 0", "d counts 4 after 3"]
    assert worse(made.checks, True, {"b": 1}) == ["d counts 4 after 3"]
    # What only informs is told, and takes nothing back.
    assert worse(made.checks, True, {"b": 1}, {"d"}) == []
    assert grown(made.checks, {"b": 1}) == [("d", "d counts 4 after 3")]
    judged.remaining = 2
    assert worse(made.checks, True, {}) == ["b counts 1 after 0"]


def test_the_estimate_knows_tables_that_have_to_be_read_for_each_row() -> None:
    made = plan(T, a=10)
    made.seconds = 2.0
    assert made.estimate() == 4.0
    made.unindexed = [{"table": "public.u", "via": "u_fkey", "parents": 10, "rows": 5_000_000}]
    assert made.estimate() == 14.0
    assert plan(a=0).estimate() == 0.0
