# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario 1 lets people work on V1 at once, has purged the cache, and is validated within five minutes."""

from __future__ import annotations

from typing import Any

from tests.playbooks.place import BLOCK
from tests.rehearsal import estate, record
from tests.rehearsal.asked import is_fenced, redis

testinfra_hosts = ["ansible://db1", "ansible://redis1", "local://"]


def test_nothing_of_the_board_is_refused_nor_cached_and_it_was_in_time(host: Any) -> None:
    kind = host.backend.get_connection_type()
    if kind == "local":
        timings = record.stopped(estate.find())
        assert timings.scenario == "scenario1"
        print(f"off after {timings.disabled} s, validated after {timings.verified} s")
        assert timings.verified is not None
        assert timings.verified <= 300
    elif host.check_output("hostname") == "redis1":
        assert redis(host, "EXISTS", BLOCK) == "0"
        assert redis(host, "KEYS", "kanban:v2:*") == ""
    else:
        assert not any(is_fenced(host, table) for table in ("Tags", "TicketTags", "Tickets"))
