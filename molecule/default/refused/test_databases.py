# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary refuses what a board does and nothing else; the dump is complete and only its owner can read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.asked import is_fenced, kept, psql

testinfra_hosts = ["ansible://db1"]
DUMPED = {"public.Tags", "public.TicketTags", "public.Tickets"}


@pytest.mark.parametrize("table", ["Tags", "TicketTags", "Tickets"])
def test_the_fence_refuses(host: Any, table: str) -> None:
    assert is_fenced(host, table)


def test_inbound_messages_are_let_through(host: Any) -> None:
    psql(host, """BEGIN; UPDATE "Tickets" SET "lastMessage" = 'Bom dia' WHERE id = 1; ROLLBACK""")


def test_the_dump_is_whole_and_for_its_owner_alone(host: Any) -> None:
    dumps = kept(host, "dumps")
    assert {mode for mode, _path in dumps} <= {"d700", "f600"}
    [manifest] = [path for _mode, path in dumps if path.endswith("/manifest.json")]
    said = json.loads(host.check_output("cat %s", manifest))
    assert {table["name"] for table in said["tables"]} == DUMPED
    listed = host.check_output("pg_restore --list %s", manifest.rpartition("/")[0])
    for name in DUMPED:
        assert f"TABLE DATA public {name.removeprefix('public.')} " in listed
