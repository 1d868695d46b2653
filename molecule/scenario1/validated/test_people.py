# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People work on their boards again, on V1."""

from __future__ import annotations

from tests.rehearsal import estate
from tests.rehearsal.people import WORK

testinfra_hosts = ["local://"]


def test_people_write_to_their_boards_again() -> None:
    for crowd in estate.find().crowds:
        crowd.expect(*WORK)
