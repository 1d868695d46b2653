# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a write block is that another stop has left."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import names_left

OURS = ["INC-20261129-600", "INC-20261129-598"]


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ({"held": True, "owner": "INC-20261129-599"}, ["INC-20261129-599"]),
        ({"held": True, "owner": "INC-20261129-600"}, []),
        ({"held": True, "owner": "INC-20261129-598"}, []),
        ({"held": True, "owner": "INC-42"}, []),
        ({"held": True, "owner": "release freeze"}, []),
        ({"held": True, "owner": "INC-20261129-599-2"}, []),
        ({"held": True, "owner": None}, []),
        ({"held": False, "owner": "INC-20261129-599"}, []),
        ({"unreachable": True}, []),
        ({}, []),
    ],
)
def test_what_a_run_made_up_and_no_ledger_has_is_found(block: dict[str, Any], found: list[str]) -> None:
    assert names_left([block, {"held": True, "owner": "INC-20261129-600"}], OURS) == found


def test_each_is_named_once() -> None:
    blocks = [{"held": True, "owner": f"INC-20261129-59{digit}"} for digit in (7, 5, 7)]
    assert names_left(blocks, OURS) == ["INC-20261129-595", "INC-20261129-597"]
