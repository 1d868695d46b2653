# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Half of all keys purged by a pattern, against what a person would type, and how long Redis kept others waiting."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.redis_server import Redis
from tests.support.servers import workspace

from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module

# Of each thousand keys that the pattern matches, this many are protected. The typed command does not know them.
PROTECTED_OF_1000 = 2
_FILL = """
for i = 1, tonumber(ARGV[1]) do
  local kind = i % 1000 < tonumber(ARGV[2]) and 'cache:locks:' or 'cache:board:'
  redis.call('SET', kind .. i, string.rep('x', 40))
  redis.call('SET', 'bull:inbound:' .. i, string.rep('x', 40))
end
"""


class Pings:
    """A second connection that pings once a millisecond; ``longest``: seconds of the slowest answer."""

    def __init__(self, server: Redis) -> None:
        self.longest = 0.0
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Pings:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._server.client() as client:
            client.ping()
            while not self._ended.wait(0.001):
                started = time.monotonic()
                client.ping()
                self.longest = max(self.longest, time.monotonic() - started)


def _fill(server: Redis, half: int) -> None:
    with server.client(socket_timeout=120) as given:
        client: Any = given
        client.flushall()
        client.execute_command("EVAL", _FILL, 0, half, PROTECTED_OF_1000)
        client.config_set("slowlog-log-slower-than", 500)
        client.config_set("slowlog-max-len", 10_000)
        client.slowlog_reset()


def _slowest(server: Redis) -> float:
    """Return how many seconds the longest command took, by Redis' own clock; commands under 0.5 ms are not kept."""
    with server.client(decode_responses=False) as given:
        client: Any = given
        return max([row["duration"] for row in client.slowlog_get(10_000)], default=500) / 1e6


def _left(server: Redis) -> int:
    with server.client() as client:
        return int(client.dbsize())


def _typed(server: Redis, program: str, half: int, count: int) -> Sample:
    _fill(server, half)
    client = [program, "-h", server.host, "-p", str(server.port)]
    environment = {**os.environ, "REDISCLI_AUTH": server.password}
    with Pings(server) as pings:
        started = time.monotonic()
        scan = [*client, "--scan", "--pattern", "cache:*", *(["--count", str(count)] if count else [])]
        with subprocess.Popen(scan, stdout=subprocess.PIPE, env=environment) as keys:
            unlink = ["xargs", "-n1000", *client, "unlink"]
            done = subprocess.run(unlink, stdin=keys.stdout, stdout=subprocess.DEVNULL, env=environment, check=False)
        seconds = time.monotonic() - started
    if done.returncode or keys.returncode or _left(server) != half:
        raise CannotMeasure(f"what is typed left {_left(server):,} keys instead of {half:,}")
    return {"seconds": seconds, "longest": pings.longest, "slowest": _slowest(server)}


def _module(server: Redis, half: int) -> Sample:
    _fill(server, half)
    options = {
        "login_host": server.host,
        "login_port": server.port,
        "login_password": server.password,
        "patterns": ["cache:*"],
        "protected": ["bull:*", "cache:locks:*", "sessions:*"],
        "write_block_key": "kanban:emergency:write-block",
        "deadline": 300,
    }
    with Pings(server) as pings:
        done = run_module("cache_purge", options)
    kept = half // 1000 * PROTECTED_OF_1000
    if done.result["protected_kept"] != kept or _left(server) != half + kept:
        raise CannotMeasure(f"the module left {_left(server):,} keys and kept {done.result['protected_kept']:,}")
    return {
        "seconds": done.seconds,
        "elapsed": done.result["elapsed_ms"] / 1000,
        "longest": pings.longest,
        "slowest": _slowest(server),
        "exchange": done.result["longest_ms"] / 1000,
        "peak": done.peak_mb,
    }


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    program = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if not program:
        raise CannotMeasure("there is no redis-cli to compare with: install redis-tools")
    half = settings.tenants // 2000 * 1000
    with workspace("kanban-bench-") as directory, Redis(directory / "redis") as server:
        yield {
            "module": lambda _number: _module(server, half),
            "typed": lambda _number: _typed(server, program, half, 0),
            "typed_by_1000": lambda _number: _typed(server, program, half, 1000),
        }


ENTRY = Entry(
    "purge",
    "Half of all keys purged, protected ones among them, against redis-cli --scan | xargs -n1000 redis-cli unlink",
    _arms,
    (
        Line("cache_purge, its process from start to end", ("module", "seconds"), "s", 1.2, ("typed", "seconds")),
        Line("  connect to done", ("module", "elapsed"), "s", None, ("typed", "seconds")),
        Line("  against redis-cli --scan --count 1000", ("module", "seconds"), "s", None, ("typed_by_1000", "seconds")),
        Line("longest PING of others meanwhile", ("module", "longest"), "s", 0.05, statistic="p95"),
        Line("  while it is typed", ("typed", "longest"), "s", None, statistic="p95"),
        Line("longest command, by Redis' own clock", ("module", "slowest"), "s", None, statistic="p95"),
        Line("slowest exchange, as the module tells", ("module", "exchange"), "s", None, statistic="p95"),
        Line("peak memory of the module", ("module", "peak"), "MB", None, statistic="p95"),
    ),
    runs=5,
)
