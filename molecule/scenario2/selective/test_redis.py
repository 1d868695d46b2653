# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis refuses no writes: performance alone is no reason for that."""

from __future__ import annotations

from typing import Any

from tests.playbooks.place import BLOCK
from tests.rehearsal.asked import redis

testinfra_hosts = ["ansible://redis"]


def test_no_write_block_is_held(host: Any) -> None:
    assert redis(host, "EXISTS", BLOCK, f"{{{BLOCK}}}:owner") == "0"
