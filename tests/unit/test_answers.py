# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which earlier stop left a write block."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import names_left

OURS, LEFT = "INC-20261129-101500-600", "INC-20261129-101500-599"
REPLICA: dict[str, Any] = {"database": {"cluster": "1", "writable": False}}


def killed(**incident: Any) -> dict[str, Any]:
    there = {"incident_id": OURS, "requested": OURS, "in_ledger": True, "noted": True, "open_before": [], **incident}
    return {"database": {"cluster": "1", "writable": True}, "incident": there}


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ({"held": True, "owner": LEFT}, [LEFT]),
        ({"held": True, "owner": OURS}, []),
        ({"held": True, "owner": "INC-42"}, []),
        ({"held": True, "owner": "release freeze"}, []),
        ({"held": True, "owner": f"{LEFT}-2"}, []),
        ({"held": True, "owner": None}, []),
        ({"held": False, "owner": LEFT}, []),
        ({"unreachable": True}, []),
        ({}, []),
    ],
)
def test_what_a_run_made_up_and_no_ledger_has_is_found(block: dict[str, Any], found: list[str]) -> None:
    assert names_left([block, {"held": True, "owner": OURS}], [killed(), REPLICA]) == found


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ([killed(requested=LEFT)], []),
        ([killed(requested=LEFT, noted=False)], [LEFT]),
        ([killed(incident_id=LEFT)], []),
        ([killed(open_before=[{"incident_id": LEFT}])], []),
        ([killed(open_before=[{"incident_id": OURS, "aliases": [LEFT]}])], []),
        ([killed(open_before=[{"incident_id": OURS, "opened_as": LEFT}])], []),
        ([killed(), {"unreachable": True}], []),
        ([killed(), {**killed(), "database": {"cluster": "2", "writable": True}}], []),
        ([REPLICA], []),
        ([], []),
    ],
    ids=[
        "noted", "not noted", "ours", "open", "its alias", "opened as",
        "silent", "two primaries", "no primary", "nobody",
    ],
)  # fmt: skip
def test_what_a_ledger_may_know_is_left_to_it(flags: list[dict[str, Any]], found: list[str]) -> None:
    assert names_left([{"held": True, "owner": LEFT}], flags) == found


def test_each_is_named_once() -> None:
    blocks = [{"held": True, "owner": f"INC-20261129-101500-59{digit}"} for digit in (7, 5, 7)]
    assert names_left(blocks, [killed()]) == ["INC-20261129-101500-595", "INC-20261129-101500-597"]
