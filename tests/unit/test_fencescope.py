# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the option ``tables`` to what is refused, and whether what is installed covers what is asked for."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (
    OPERATIONS,
    Scope,
    asked_tables,
    check_incident,
    covers,
    function_name,
    goes_beyond,
    merged,
    scope_from,
    trigger_names,
    trigger_types,
)

COLUMNS = ("lane", "order")
SCOPES = st.builds(
    lambda operations, columns, when: Scope(
        tuple(name for name in OPERATIONS if name in operations),
        tuple(sorted(columns)) if "UPDATE" in operations else (),
        when and bool(columns) and "UPDATE" in operations,
    ),
    st.sets(st.sampled_from(OPERATIONS), min_size=1),
    st.sets(st.sampled_from(COLUMNS)),
    st.booleans(),
)


def refuses(scope: Scope) -> set[tuple[str, ...]]:
    """Return all that a fence refuses: an UPDATE names some of three columns, and changes some of those or none."""
    found: set[tuple[str, ...]] = {(name,) for name in scope.operations if name != "UPDATE"}
    columns = (*COLUMNS, "text")
    for named in product((False, True), repeat=3):
        for changed in product((False, True), repeat=3):
            beyond = any(is_changed > is_named for is_changed, is_named in zip(changed, named, strict=True))
            if "UPDATE" not in scope.operations or not any(named) or beyond:
                continue
            judged = changed if scope.when_changed else named
            hit = not scope.columns or any(
                on and name in scope.columns for on, name in zip(judged, columns, strict=True)
            )
            if hit:
                found.add(("UPDATE", str(named), str(changed)))
    return found


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        ("Tags", Scope(OPERATIONS)),
        ({"name": "Tags"}, Scope(OPERATIONS)),
        ({"name": "Tags", "operations": ["truncate", "Delete"]}, Scope(("DELETE", "TRUNCATE"))),
        ({"name": "Tags", "operations": "UPDATE", "columns": "lane"}, Scope(("UPDATE",), ("lane",))),
        ({"name": "Tags", "columns": ["lane", "order", "lane"]}, Scope(OPERATIONS, ("lane", "order"))),
        ({"name": "Tags", "columns": ["lane"], "when_changed": "yes"}, Scope(OPERATIONS, ("lane",), True)),
        ({"name": "Tags", "operations": None, "columns": None, "when_changed": False}, Scope(OPERATIONS)),
    ],
)
def test_an_entry_is_a_name_or_a_map(entry: Any, scope: Scope) -> None:
    (asked,) = asked_tables([entry])
    assert (asked.name, asked.scope) == ("Tags", scope)
    assert scope_from(scope.as_result()) == scope


@pytest.mark.parametrize(
    "entry",
    [
        "",
        None,
        7,
        ["Tags"],
        {},
        {"name": ""},
        {"name": 7},
        {"name": "Tags", "column": ["lane"]},
        {"name": "Tags", "operations": ["SELECT"]},
        {"name": "Tags", "operations": [1]},
        {"name": "Tags", "operations": {"UPDATE": 1}},
        {"name": "Tags", "columns": [""]},
        {"name": "Tags", "operations": ["DELETE"], "columns": ["lane"]},
        {"name": "Tags", "when_changed": True},
        {"name": "Tags", "columns": ["lane"], "when_changed": "perhaps"},
    ],
)
def test_what_makes_no_sense_is_refused(entry: Any) -> None:
    with pytest.raises(BadInput) as caught:
        asked_tables(["Tickets", entry])
    assert caught.value.code == "bad_tables"


@given(SCOPES, SCOPES)
def test_a_fence_covers_what_it_refuses(installed: Scope, asked: Scope) -> None:
    if covers([installed], asked):
        assert refuses(installed) >= refuses(asked)
    if not goes_beyond(installed, asked):
        assert refuses(installed) <= refuses(asked)
    assert covers([installed], installed)
    assert not goes_beyond(installed, installed)


@given(SCOPES, SCOPES, SCOPES)
def test_several_fences_cover_together(one: Scope, other: Scope, asked: Scope) -> None:
    if covers([one, other], asked):
        # By operation: for UPDATE, a fence that judges by rows covers nothing that is asked for by statements.
        assert refuses(one) | refuses(other) >= {row for row in refuses(asked) if len(row) == 1}
    assert covers([one, other], one)
    assert covers([], asked) is False


@pytest.mark.parametrize(
    ("installed", "asked", "is_covered"),
    [
        ([Scope(("UPDATE",))], Scope(("UPDATE",), ("lane",)), True),
        ([Scope(("UPDATE",), ("lane",))], Scope(("UPDATE",)), False),
        ([Scope(("UPDATE",), ("lane",)), Scope(("UPDATE",), ("order",))], Scope(("UPDATE",), ("order", "lane")), True),
        ([Scope(("UPDATE",), ("lane",), True)], Scope(("UPDATE",), ("lane",)), False),
        ([Scope(("UPDATE",), ("lane",))], Scope(("UPDATE",), ("lane",), True), True),
        ([Scope(("DELETE",)), Scope(("INSERT",))], Scope(("INSERT", "DELETE")), True),
        ([Scope(("INSERT",))], Scope(("INSERT", "TRUNCATE")), False),
    ],
)
def test_cover(installed: list[Scope], asked: Scope, is_covered: bool) -> None:
    assert covers(installed, asked) is is_covered


@given(SCOPES, SCOPES)
def test_two_entries_refuse_what_each_does(first: Scope, second: Scope) -> None:
    both = ("UPDATE" in first.operations) + ("UPDATE" in second.operations) == 2
    if both and first.when_changed != second.when_changed:
        with pytest.raises(BadInput):
            merged(first, second)
        return
    assert refuses(merged(first, second)) == refuses(first) | refuses(second)
    assert merged(first, second).same_as(merged(second, first))


def test_what_goes_beyond_is_said_in_words() -> None:
    asked = Scope(("UPDATE",), ("lane",), True)
    assert goes_beyond(Scope(("INSERT", "UPDATE")), asked) == [
        "INSERT",
        "UPDATE of other columns",
        "UPDATE that names a column and leaves it as it was",
    ]
    assert goes_beyond(Scope(("UPDATE",), ("lane", "order"), True), asked) == ["UPDATE of order"]


def test_names_are_short_stable_and_told_apart() -> None:
    name = function_name("public.Tickets", Scope(OPERATIONS, ("lane", "order")))
    assert name == function_name("public.Tickets", Scope(OPERATIONS, ("order", "lane")))
    assert name.startswith("fence_")
    assert len(name) == len("fence_") + 12
    others = [
        function_name("app.Tickets", Scope(OPERATIONS, ("lane", "order"))),
        function_name("public.Tickets", Scope(OPERATIONS, ("lane",))),
        function_name("public.Tickets", Scope(OPERATIONS, ("lane", "order"), True)),
        function_name("public.Tickets", Scope(("UPDATE",), ("lane", "order"))),
    ]
    assert len({name, *others}) == 5
    first, last = trigger_names(name)
    assert first < "app_trigger" < last
    assert len(last) < 64


@pytest.mark.parametrize(
    ("scope", "types"),
    [
        # As pg_trigger has them: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
        (Scope(OPERATIONS), (62, 0)),
        (Scope(("UPDATE", "DELETE", "TRUNCATE"), ("lane",)), (58, 0)),
        (Scope(("UPDATE", "DELETE"), ("lane",), True), (10, 19)),
        (Scope(("UPDATE",), ("lane",), True), (0, 19)),
    ],
)
def test_trigger_types(scope: Scope, types: tuple[int, int]) -> None:
    assert trigger_types(scope) == types


def test_an_incident_is_needed_where_it_says_whose_fence_it_is() -> None:
    assert check_incident(" INC-1 ", "present", False) == "INC-1"
    assert check_incident(None, "dormant", False) is None
    assert check_incident("", "absent", True) is None
    for state, force in (("present", False), ("present", True), ("absent", False)):
        with pytest.raises(BadInput) as caught:
            check_incident(" ", state, force)
        assert caught.value.code == "no_incident"
