# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may approve a repair, and what else speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approver import person, why_not_approved
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import recovery_part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import why_not_to_recover

PLAN = {"hash": "aa", "rows": 3, "refused": []}


def test_what_is_approved_by_somebody_else_is_done() -> None:
    assert why_not_to_recover(PLAN, "aa", "ana", "rui", {}, True) == []
    assert why_not_to_recover(PLAN, "", "ana", "rui", {}, False, recovery="undo") == []
    # The same command typed again after the repair is done.
    assert why_not_to_recover({"hash": "", "rows": 0}, "aa", "ana", "rui", {}, True) == []


@pytest.mark.parametrize(
    ("given", "approved", "glass", "dumped", "why"),
    [
        ("", "ana", {}, True, "kanban_plan_hash is not given"),
        ("bb", "ana", {}, True, "the plan is aa by now, and bb was approved"),
        ("aa", "", {}, True, "kanban_approved_by is not given"),
        ("aa", " \u200b", {}, True, "kanban_approved_by is not given"),
        ("aa", "<who has looked at it>", {}, True, "kanban_approved_by is not given"),
        ("aa", " RUI", {}, True, "rui may not approve what rui does"),
        ("aa", "ru\u200bi", {}, True, "rui may not approve what rui does"),
        ("aa", "\uff52ui", {}, True, "rui may not approve what rui does"),
        ("aa", "rui@corp.example", {}, True, "rui may not approve what rui does"),
        ("aa", "unknown", {}, True, "kanban_approved_by is not given"),
        ("aa", "@", {}, True, "kanban_approved_by is not given"),
        ("aa", "ana", {}, False, "no proven dump"),
        ("aa", "rui", {"what": ["approval"]}, True, "has no reason"),
    ],
)
def test_each_thing_that_speaks_against_it_is_said(
    given: str, approved: str, glass: dict[str, Any], dumped: bool, why: str
) -> None:
    found = why_not_to_recover(PLAN, given, approved, "rui", glass, dumped)
    assert len(found) == 1
    assert why in found[0]


def test_a_word_that_is_none_of_those_that_are_known_repairs_nothing_and_is_said() -> None:
    found = why_not_to_recover(PLAN, "aa", "ana", "rui", {}, True, "surgcal")
    assert found == ["kanban_recovery is surgcal, and may be surgical, restore, undo, none: correct the word"]
    part = recovery_part(["db1"], [{}], found, "surgcal", 3, [])
    assert part["bad"] == [f"the repair was not done: {found[0]}"]
    assert part["lines"][0].startswith(f"Not repaired: {found[0]}. See ")


def test_a_plan_that_repairs_nothing_has_no_hash_to_give() -> None:
    empty = {"hash": "", "rows": 0, "refused": []}
    assert why_not_to_recover(empty, "", "ana", "rui", {}, True) == []
    # A plan that could not be made is not an empty plan.
    assert why_not_to_recover({**empty, "refused": ["locked"]}, "", "ana", "rui", {}, True) != []


def test_where_awx_was_to_say_who_approved_it_is_said_why_it_did_not() -> None:
    assert why_not_to_recover(PLAN, "aa", "", "rui", {}, True, silence="AWX answered 403.") == ["AWX answered 403."]
    assert why_not_to_recover(PLAN, "aa", "ana", "rui", {}, True, silence="AWX answered 403.") == []


def test_a_name_that_was_given_as_nothing_is_none() -> None:
    nobody: Any = None
    assert "kanban_approved_by is not given" in why_not_to_recover(PLAN, "aa", nobody, "rui", {}, True)[0]
    assert "kanban_operator is not known" in why_not_to_recover(PLAN, "aa", "ana", nobody, {}, True)[0]


@pytest.mark.parametrize("operator", ["", " ", "unknown"])
def test_where_nobody_knows_who_types_nobody_else_approves(operator: str) -> None:
    found = why_not_to_recover(PLAN, "aa", "ana", operator, {}, True)
    assert len(found) == 1
    assert "kanban_operator is not known" in found[0]
    glass = {"what": ["approval"], "reason": "x"}
    assert why_not_to_recover(PLAN, "aa", "ana", operator, glass, True) == []


def test_an_override_with_a_reason_lets_it_through() -> None:
    glass = {"what": ["approval", "dump"], "reason": "nobody else is awake"}
    assert why_not_to_recover(PLAN, "aa", "rui", "rui", glass, False) == []
    assert len(why_not_to_recover(PLAN, "bb", "rui", "rui", glass, False)) == 1


# By their names, because on the screen these are one letter each.
SMALL_DOTTED_I, FULL_AT = "\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}", "\N{FULLWIDTH COMMERCIAL AT}"


@pytest.mark.parametrize(
    "twin",
    [
        "RUI.SILVA", "  rui   silva ", "Rui_Silva@corp.example", "CORP\\rui.silva", "@rui.silva", "r\u00fai-s\u00edlva",
        "ru\u0301i.silva", f"ru{SMALL_DOTTED_I}.silva", f"RU{SMALL_DOTTED_I.upper()}.SILVA", "\uff32\uff35\uff29 silva",
        "rui\u3164silva", "r\u200du\u2060i\u00adsilva", "rui\tsil\ufe0fva", f"rui.silva{FULL_AT}corp",
        "rui.silva\u202e",
    ],
)  # fmt: skip
def test_the_same_person_in_other_letters_is_the_same_and_may_not_approve(twin: str) -> None:
    assert person(twin) == person("rui.silva")
    (why,) = why_not_approved(twin, "rui.silva", {})
    assert "rui.silva may not approve what rui.silva does" in why
    (other,) = why_not_approved("rui.silva", twin, {})
    assert "may not approve" in other
    assert why_not_approved(twin, "rui.silva", {"what": ["approval"], "reason": "x"}) == []
    # An override of something else lets nobody approve.
    assert why_not_approved(twin, "rui.silva", {"what": ["dump"], "reason": "x"}) == [why]


@pytest.mark.parametrize(
    "other", ["ana", "rui.silveira", "rui.silva2", "\u0440\u0443\u0439", "\u5f20\u4f1f", "silva.rui"]
)
def test_another_person_may(other: str) -> None:
    assert why_not_approved(other, "rui.silva", {}) == []
    assert why_not_approved("rui.silva", other, {}) == []


def test_an_override_lets_the_operator_approve_and_nobody_not() -> None:
    glass = {"what": ["approval"], "reason": "nobody else is awake"}
    assert "kanban_approved_by is not given" in why_not_approved("", "rui", glass)[0]
    # An undo requires the same.
    assert why_not_to_recover(PLAN, "", "Rui", "rui", {}, True, recovery="undo") == why_not_approved("Rui", "rui", {})
    assert why_not_to_recover(PLAN, "", "Rui", "rui", glass, True, recovery="undo") == []
