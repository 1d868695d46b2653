# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt name in a list of hosts leaves out a host that nobody would miss."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsnames import names_parts, unmatched
from tests.unit.answers import answer, judge

GROUPS = {"all": ["db1", "db2", "redis1"], "db": ["db1", "db2"], "empty": [], "ungrouped": []}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("db1,dbb2", ["dbb2"]),
        (" db1 , db2 ,", []),
        ("db1:dbb2", ["dbb2"]),
        ("db,typo,empty", ["typo", "empty"]),
        (["db1", "dbb2"], ["dbb2"]),
        # Ansible decides which hosts a pattern means, and an address has colons of its own.
        ("db1,dbx*,~dbx.,!dbx,&dbx,db[7:9]", []),
        ("db1,fd00::7", ["fd00::7"]),
        ("db1,localhost", []),
        # If a tier has no hosts, each of its parts says so.
        ("typo", []),
        ("none", []),
        (None, []),
    ],
)
def test_which_names_lead_to_no_host(pattern: Any, found: list[str]) -> None:
    assert unmatched(pattern, GROUPS) == found


def test_nobody_is_said_to_be_stopped_where_a_name_leads_nowhere() -> None:
    parts = names_parts({"kanban_db_hosts": "db1,dbb2", "kanban_redis_hosts": "redis1"}, GROUPS)
    result = judge({"db1": answer()}, parts=parts)
    assert (result["verdict"], result["failed"], result["contained"]) == ("degraded", True, False)
    assert result["headline"].startswith("CONTAINED IN PART: ")
    assert "NOT WELL: dbb2 of kanban_db_hosts is no host, so nothing was done there" in result["headline"]
    assert "dbb2: NOT ACCOUNTED FOR: no host, and no group with hosts, has that name" in result["lines"]
    # A host of the application has no part in the stop.
    of_application = judge({"db1": answer()}, parts=names_parts({"kanban_app_hosts": "db2,appp1"}, GROUPS))
    assert (of_application["verdict"], of_application["contained"]) == ("degraded", True)
    assert names_parts({"kanban_db_hosts": "db", "kanban_redis_hosts": "none", "kanban_app_hosts": "app"}, GROUPS) == []
