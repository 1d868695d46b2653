# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incident holds the write block, on the master and on its replica."""

from __future__ import annotations

from typing import Any

from tests.playbooks.place import BLOCK
from tests.rehearsal import estate, record
from tests.rehearsal.asked import redis

testinfra_hosts = ["ansible://redis"]


def test_the_block_is_held_by_the_incident_until_it_is_released(host: Any) -> None:
    held, owner = redis(host, "MGET", BLOCK, f"{{{BLOCK}}}:owner").split()
    assert held == "true"
    assert owner == record.journals(estate.find())[0].parent.name
    assert redis(host, "TTL", BLOCK) == "-1"
