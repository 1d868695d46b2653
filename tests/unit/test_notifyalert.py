# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message about what a triage started by an alert has found: to whom, once, and in no other message's way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyalert import alert_message, alert_outbox
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifykey import key_of, stop_number

ROUTES = {"alert": {"triaged": ["slack:#incidents", "slack:incident", "mail:tech_leads"]}}
FOUND = {"scenario": "scenario1", "severity": "P0", "headline": "SCENARIO 1", "command": "ansible-playbook x"}
BEGAN = "2026-11-27T03:12:00.123Z"


def message(**more: Any) -> dict[str, Any]:
    given = {"routes": ROUTES, "decision": FOUND, "name": "KanbanDown", "began_at": BEGAN, **more}
    return alert_message(**given)


def test_it_goes_to_the_incidents_own_channel_where_it_has_one() -> None:
    assert message()["routes"] == ["slack:#incidents", "mail:tech_leads"]
    kept = [{"message": "scenario1-announce", "at": BEGAN, "routes": ["mail:x", "slack:#incident-20261127-0310"]}]
    routes = message(kept=kept, channels={"#incidents": "#inc"})["routes"]
    assert routes == ["slack:#inc", "slack:#incident-20261127-0310", "mail:tech_leads"]
    assert message(routes={})["routes"] == []


def test_the_same_finding_of_an_alert_is_told_once_and_another_one_at_once() -> None:
    assert message()["key"] == message()["key"]
    others = [
        message(decision={**FOUND, "scenario": "scenario3"}),
        message(name="KanbanTicketsCrash"),
        message(began_at="2026-11-27T04:00:00Z"),
    ]
    assert len({one["key"] for one in [message(), *others]}) == 4
    assert alert_outbox("KanbanDown", BEGAN) == "alert-KanbanDown-20261127031200"


@pytest.mark.parametrize("name", ["Announce", "x_announce_2", "scenario1_scenario1", "scenario3_update_again2"])
def test_its_key_is_no_part_of_what_a_stop_tells(name: str) -> None:
    key = message(name=name)["key"]
    assert stop_number([{"message": key, "at": BEGAN}], 4e9, changed=True, refused=True) == 1
    assert key_of("scenario1 announce", "", 1, [key]) == "scenario1-announce"
    assert key_of("scenario3 update", "contained", 1, [key]) == "scenario3-update-contained"


def test_what_was_found_is_bounded() -> None:
    about = message(decision={**FOUND, "headline": "x\n" * 5000, "command": None})["about"]
    assert len(about["headline"]) == 300
    assert (about["command"], about["incident_id"], about["severity"]) == ("", "", "P0")
    assert message(decision={})["about"]["scenario"] == "unknown"
