# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who suffered are off, and nobody else, on the primary and the replica; nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbooks.place import IS_ON
from tests.rehearsal import estate
from tests.rehearsal.asked import assert_evidence_is_whole, is_fenced, psql
from tests.staging.settings import DATA

testinfra_hosts = ["ansible://db"]
SUFFERED = [4, 7, 10, 14, 17, 20]


def test_the_six_are_off_and_nobody_else(host: Any) -> None:
    on = {int(number) for number in psql(host, f'SELECT id FROM "Companies" WHERE {IS_ON}').split()}
    before = [line.split("|")[0] for line in estate.find().kept_settings.splitlines()]
    assert len(before) == DATA.tenants
    assert on.isdisjoint(SUFFERED)
    assert len(on) == DATA.expected_on() - len(SUFFERED)


def test_people_go_on_and_what_is_kept_is_for_its_owner_alone(host: Any) -> None:
    if psql(host, "SELECT pg_is_in_recovery()") == "t":
        pytest.skip("nothing is refused by a replica, or kept of it")
    assert not any(is_fenced(host, table) for table in ("Tags", "TicketTags", "Tickets"))
    assert_evidence_is_whole(host)
