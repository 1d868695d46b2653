# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A master with its replica, and a Sentinel that watches them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.blocks import Place
from tests.support import processes
from tests.support.redis_server import Redis
from tests.support.sentinel import Sentinel


@dataclass
class Pair:
    """A master with one replica and, if one was asked for, a Sentinel that watches them."""

    master: Redis
    replica: Redis
    sentinel: Sentinel | None = None

    @property
    def found(self) -> dict[str, Any]:
        """Options by which the master is found through the Sentinel, and in no other way."""
        assert self.sentinel
        sentinels = {"sentinels": [self.sentinel.address], "sentinel_password": self.sentinel.password}
        return {**sentinels, "login_host": "no-such-host.invalid"}

    @property
    def through_sentinel(self) -> Place:
        """The master, found through the Sentinel."""
        return Place(self.master, self.found)


def pair(stack: ExitStack, directory: Path, **config: Any) -> Pair:
    """Start a master and its replica, which follows by the time this returns."""
    master = stack.enter_context(Redis(directory / "master", {"appendonly": "yes", **config}))
    config = {"appendonly": "yes", "replicaof": f"{master.host} {master.port}", **config}
    replica = stack.enter_context(Redis(directory / "replica", config, password=master.password))
    assert processes.wait_until(lambda: linked(replica), 45)
    return Pair(master, replica)


def linked(replica: Redis) -> bool:
    """Tell whether a replica follows its master."""
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


@contextlib.contextmanager
def watched_pair(directory: Path) -> Iterator[Pair]:
    """Start a pair with a Sentinel that is ready to fail over."""
    with ExitStack() as stack:
        made = pair(stack, directory)
        made.sentinel = stack.enter_context(Sentinel(directory / "sentinel", made.master))
        with made.sentinel.client() as client:
            assert processes.wait_until(lambda: _knows_a_replica(client), 20)
        yield made


def _knows_a_replica(sentinel: Any) -> bool:
    # Versions of the driver parse SENTINEL REPLICAS differently, but this alike.
    found = sentinel.info("sentinel")["master0"]
    return bool(found["status"] == "ok" and found["slaves"] == 1)
