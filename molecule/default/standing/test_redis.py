# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' master and its replica are the same as before, and Sentinel knows both."""

from __future__ import annotations

from typing import Any

from tests.rehearsal import estate
from tests.rehearsal.asked import redis

testinfra_hosts = ["ansible://redis", "ansible://sentinel"]


def test_master_and_replica_are_who_they_were(host: Any) -> None:
    name, fleet = host.check_output("hostname"), estate.find().fleet
    if name == "sentinel1":
        master = redis(host, "SENTINEL", "get-master-addr-by-name", "mymaster", port=26379).split()
        assert master == [fleet["redis1"].address, "6379"]
        assert fleet["redis2"].address in redis(host, "SENTINEL", "replicas", "mymaster", port=26379).split()
    else:
        role = redis(host, "ROLE").split()
        assert role[0] == {"redis1": "master", "redis2": "slave"}[name]
        # A replica that has lost its master is called one all the same.
        assert role[0] == "master" or role[3] == "connected", role
