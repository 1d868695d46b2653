# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People open their boards, and get V1, whatever they had before."""

from __future__ import annotations

import pytest

from tests.rehearsal import estate
from tests.rehearsal.boards import versions

testinfra_hosts = ["local://"]


@pytest.mark.parametrize(("tenant", "version"), [(4, 1), (34, 1), (31, 1)])
def test_a_board_opens_in_its_version_at_each_process(tenant: int, version: int) -> None:
    assert set(versions(estate.find(), tenant)) == {version}
