# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of an inventory that are not numbers: the plan's own count instead, and that is reported."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triage import triage_decision
from tests.unit.measured import facts


@pytest.mark.parametrize("odd", [None, "three", {}])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("tries", "kanban_triage_tries is "),
        ("places", "kanban_triage_places is "),
        ("share", "kanban_share_limit is "),
    ],
)
def test_what_a_person_declares_is_acted_on_whatever_a_limit_is(option: str, said: str, odd: Any) -> None:
    declared = facts(declared={"what": "down", "reason": "a customer called"})
    result = triage_decision(declared, act=True, **{option: odd})
    assert result["acts"] == "scenario1"
    assert [line for line in result["lines"] if line.startswith(said)], result["lines"]
    text: dict[str, Any] = {option: "3"}
    assert triage_decision(declared, act=True, **text)["lines"] == triage_decision(declared, act=True)["lines"]
