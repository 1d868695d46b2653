# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody said which scenario it is: the run found out, and recorded why."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.asked import psql

testinfra_hosts = ["ansible://db1"]


def test_scenario_3_was_chosen_because_data_is_corrupt(host: Any) -> None:
    [kept] = psql(host, "SELECT data FROM kanban_rollback.events WHERE event = 'triage'").splitlines()
    event = json.loads(kept)
    assert event["scenario"] == event["recommended"] == "scenario3"
    assert "duplicate_ticket_tags" in event["path"][1]["because"]
