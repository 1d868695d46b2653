# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody has exactly what they had, on the primary and the replica; nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal import estate
from tests.rehearsal.asked import is_fenced, psql

testinfra_hosts = ["ansible://db"]


def test_every_company_has_its_settings_as_before(host: Any) -> None:
    assert psql(host, estate.SETTINGS) == estate.find().kept_settings


@pytest.mark.parametrize("table", ["Tags", "TicketTags", "Tickets"])
def test_no_write_is_refused(host: Any, table: str) -> None:
    if psql(host, "SELECT pg_is_in_recovery()") == "t":
        pytest.skip("a replica takes no writes anyway")
    assert not is_fenced(host, table)
