# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An undo: writes are given back everywhere and the incident is closed, or the screen says where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrelease import (
    block_released_part,
    closed_part,
    fence_lowered_part,
)
from tests.unit.answers import UNREACHABLE, Answer, answer
from tests.unit.test_parts import FAILED, REDIS_REPLICA, whole


def test_writes_are_given_back_everywhere_or_it_is_said_where_not() -> None:
    lowered = {"changed": True, "status": "lowered"}
    released = {"changed": True, "held": False, "server": {"cluster": "abc"}}
    assert fence_lowered_part(["db1"], [answer()], [lowered])["holds"]
    assert not fence_lowered_part(["db1"], [answer()], [FAILED])["holds"]
    # If no database knows the incident, nobody has looked at a fence, which may be up for another incident.
    assert fence_lowered_part(["db1"], [{"database": answer()["database"]}], [{}])["good"] == ""
    assert block_released_part(["r1", "r2"], [released, REDIS_REPLICA], "redis")["holds"]
    assert not block_released_part(["r1"], [{"changed": False, "held": True}], "redis")["holds"]
    assert block_released_part(["r2"], [REDIS_REPLICA], "redis")["bad"] == ["the master of r2 was not asked"]
    assert not block_released_part(["r1"], [UNREACHABLE], "redis")["holds"]
    # If Redis says too little about a replica, that is no reason to count its master as asked.
    assert not block_released_part(["r2"], [{**REDIS_REPLICA, "server": {"cluster": None}}], "redis")["holds"]


@pytest.mark.parametrize("answer", [{"skipped": True, "skip_reason": "Conditional result was False"}, {}, UNREACHABLE])
def test_a_redis_that_was_not_asked_is_no_replica_and_is_said(answer: Answer) -> None:
    part = block_released_part(["r1"], [answer], "redis")
    assert (part["holds"], part["bad"]) == (False, ["the write block on r1 is not known to be released"])
    assert "r1: write block NOT ACCOUNTED FOR: " in whole(part)


def test_whether_a_block_is_held_in_no_redis_at_all_is_not_known_unless_there_is_none_on_purpose() -> None:
    part = block_released_part([], [], "redis_eu")
    assert not part["holds"]
    assert part["bad"] == ["no write block is known to be released, for the group 'redis_eu' has no hosts"]
    assert "say kanban_redis_hosts=none" in whole(part)
    assert block_released_part([], [], "none")["holds"]


def test_an_incident_that_could_not_be_closed_is_still_open_and_that_is_said() -> None:
    assert closed_part(["db1", "db2"], [{"changed": True}, {}])["holds"]
    part = closed_part(["db1", "db2"], [FAILED, UNREACHABLE])
    assert part["bad"] == [f"the incident is still open in the ledger of {name}" for name in ("db1", "db2")]
    assert [line.partition(": ")[2].partition(":")[0] for line in part["lines"]] == ["incident NOT CLOSED"] * 2


@pytest.mark.parametrize("validation", [None, {"passed": False}, {"passed": True}])
def test_an_undo_over_data_that_is_not_validated_says_so_and_how_to_stop_again(validation: Any) -> None:
    lowered = {"changed": True, "status": "lowered"}
    part = fence_lowered_part(["db1"], [answer()], [lowered], False, [{"validation": validation}], ["-i", "hosts"])
    sound = bool(validation) and validation["passed"]
    assert part["holds"], "it is what was asked for"
    assert ("NOT VALIDATED" in whole(part)) is not sound
    assert ("ansible-playbook chatia.kanban_rollback.scenario3 -i hosts" in part.get("next", [])) is not sound
    # If no fence was up, there was nothing to validate.
    assert "next" not in fence_lowered_part(["db1"], [answer()], [{**lowered, "changed": False}], False, [{"x": 1}])


def test_a_database_that_the_incident_never_touched_owes_no_lowered_fence() -> None:
    stranger = {key: value for key, value in answer().items() if key != "enabled_after"}
    assert fence_lowered_part(["db1"], [stranger], [{}])["holds"]
    assert not fence_lowered_part(["db1"], [answer()], [{}])["holds"]
