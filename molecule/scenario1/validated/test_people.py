# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People work on their boards again, on V1."""

from __future__ import annotations

from tests.rehearsal import estate, record
from tests.staging.account import MESSAGE, acknowledged

testinfra_hosts = ["local://"]


def test_people_write_to_their_boards_again() -> None:
    here = estate.find()
    [journal] = record.journals(here)
    for crowd in here.crowds:
        since = {entry.operation for entry in acknowledged(crowd.path, since=journal.stat().st_mtime)}
        assert since >= {"attach", "move", MESSAGE}, crowd.name
