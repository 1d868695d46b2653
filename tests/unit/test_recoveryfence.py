# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a table's writes since the fence from being known."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoveryfence import look_at
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recoverypoint import Point
from tests.unit.test_fenceproof import fence, found

END = {"drained_at": "2026-11-28T03:00:00.000000Z", "xid": "700", "timeline": 1}
TAKEN = "2026-11-28T03:00:01.000000Z"


def lacking(**changes: Any) -> list[str]:
    raised = fence()
    point = Point("public.t1")
    there = found(fence(state={**raised.state, "drained": END}), **changes)
    assert (look_at(point, there, ["INC-1"], TAKEN) is None) == bool(point.lacking)
    return point.lacking


def test_what_was_noted_at_the_end_of_the_drain_holds() -> None:
    assert lacking() == []


def test_what_logical_replication_deletes_is_not_said_to_be_from_before_the_fence() -> None:
    """A subscription was enabled since: its apply workers touch no part of the fence, and pass it."""
    (why,) = lacking(subscriptions=["moved"])
    assert why.startswith("It is written by logical replication (subscription moved)")
