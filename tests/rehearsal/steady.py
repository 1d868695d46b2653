# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds before anything is broken, and what hurts after that: asserted, or the rehearsal would show nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from tests.hosts.host import until
from tests.playbooks.place import BLOCK, IS_ON
from tests.rehearsal.estate import Estate
from tests.staging.account import ACKNOWLEDGED
from tests.staging.local import ask
from tests.staging.settings import DATA

SECONDS = 60
# The product's own targets: percent, milliseconds.
ERROR_RATE, SOCKET_MS, DND_MS = 0.1, 1000, 500
_WATCHED = 5
# Each kind of corruption that the plan names, counted without anything of the collection.
CORRUPT = {
    "orphan tags": 'SELECT count(*) FROM "Tags" WHERE "companyId" IS NULL',
    "duplicates": 'SELECT count(*) - count(DISTINCT ("ticketId", "tagId")) FROM "TicketTags"',
    "invalid lanes": 'SELECT count(*) FROM "Tickets" t JOIN "Lanes" l ON l.id = t."kanbanLane" '
    'WHERE l."companyId" <> t."companyId"',
}
_CAUGHT_UP = """
SELECT count(*) = 1 AND bool_and(state = 'streaming' AND pg_wal_lsn_diff(sent_lsn, replay_lsn) < 16e6)
  FROM pg_stat_replication
"""
_UNTOUCHED = "SELECT to_regnamespace('kanban_rollback') IS NULL"
_METRICS = {"errorRate": "/metrics"}


def metric(estate: Estate, name: str) -> list[float]:
    """Return the value of one figure from each process; nothing from one that has none, or that does not answer."""
    path, found = _METRICS.get(name, "/metrics/performance"), []
    for url in estate.application.urls:
        with contextlib.suppress(OSError):
            found.append(ask(f"{url}{path}", timeout=5))
    return [body[name] for status, body in found if status == 200 and body.get(name) is not None]


def corruption(estate: Estate, host: str = "db1") -> dict[str, int]:
    """Count what is corrupt, by kind."""
    return {name: int(estate.site.psql(host, sql)) for name, sql in CORRUPT.items()}


def on(estate: Estate, host: str) -> int:
    """Count the companies that have V2 according to a database."""
    return int(estate.site.psql(host, f'SELECT count(*) FROM "Companies" WHERE {IS_ON}'))


def sentinel(estate: Estate, *command: str) -> list[str]:
    """Ask the Sentinel."""
    argv = ["redis-cli", "--raw", "-p", "26379", "SENTINEL", *command]
    return estate.fleet["sentinel1"].run(argv).stdout.split()


def writes(estate: Estate) -> tuple[int, int]:
    """Return how many writes of people were answered in the last seconds, and how many of them were not done."""
    since = time.time() - _WATCHED
    answered = [entry for crowd in estate.crowds for entry in crowd.answered(since)]
    return len(answered), sum(entry.outcome != ACKNOWLEDGED for entry in answered)


def assert_steady(estate: Estate) -> list[str]:
    """Wait until everything is as it should be, and return the figures. Raises HostsError with what never became so."""
    application, site, fleet = estate.application, estate.site, estate.fleet
    application.wait()
    until(lambda: all(crowd.at_work for crowd in estate.crowds), "people to be at work", timeout=10)
    until(lambda: _works(estate), "people to be served without an error", timeout=SECONDS, pause=0.5)
    for name, most in (("errorRate", ERROR_RATE), ("socketLatencyMs", SOCKET_MS), ("dndP95Ms", DND_MS)):
        below = _below(estate, name, most)
        until(below, f"{name} to be below {most} at each process", timeout=SECONDS, pause=0.5)
    until(lambda: fleet["db1"].psql(_CAUGHT_UP) == "t", "the replica to stream", timeout=SECONDS)
    until(lambda: on(estate, "db2") == DATA.expected_on(), "30 % to have V2 on the replica, too", timeout=SECONDS)
    master = [fleet["redis1"].address, "6379"]
    knows = ("replicas", "mymaster")
    until(lambda: sentinel(estate, "get-master-addr-by-name", "mymaster") == master, "Sentinel", timeout=SECONDS)
    until(lambda: fleet["redis2"].address in sentinel(estate, *knows), "Sentinel to know redis2", timeout=SECONDS)
    corrupt = sum(corruption(estate).values())
    clean = (on(estate, "db1"), site.psql("db1", _UNTOUCHED), site.redis("EXISTS", BLOCK), corrupt)
    if clean != (DATA.expected_on(), "t", "0", 0):
        raise AssertionError(f"companies on, no ledger, write block, corrupt rows: {clean}")
    estate.keep_settings()
    answered, failed = writes(estate)
    return [
        f"{clean[0]} of {DATA.tenants} companies have V2 on primary and replica",
        f"{len(application.urls)} processes healthy; error rate {max(metric(estate, 'errorRate')):g} %, "
        f"drag and drop p95 {max(metric(estate, 'dndP95Ms'), default=0):g} ms",
        f"{answered} writes of people answered in {_WATCHED} s, {failed} of them not done",
        f"db2 streams, redis2 follows, Sentinel knows {':'.join(master)}; nothing is corrupt, nothing is refused",
    ]


def _works(estate: Estate) -> bool:
    answered, failed = writes(estate)
    return answered >= _WATCHED and not failed


def _below(estate: Estate, name: str, most: float) -> Callable[[], bool]:
    def below() -> bool:
        found = metric(estate, name)
        return len(found) == len(estate.application.urls) and max(found) <= most

    return below


def assert_hurts(estate: Estate, name: str, above: float) -> list[str]:
    """Wait until a figure of the application is above what is allowed. Raises HostsError if it never is."""
    worst: list[Any] = [None]

    def hurts() -> bool:
        # One that has crashed does not answer meanwhile, and all of a busy machine's are seldom up at once.
        worst[0] = max(metric(estate, name), default=None)
        return worst[0] is not None and worst[0] > above

    until(hurts, f"{name} to be above {above:g}", timeout=SECONDS, pause=0.2)
    return [f"{name} is {worst[0]:g} at the worst process"]


def assert_corrupt(estate: Estate) -> list[str]:
    """Wait until the application has corrupted something of each kind. Raises HostsError if it does not."""
    until(lambda: min(corruption(estate).values()) > 0, "something of each kind to be corrupt", timeout=SECONDS)
    return [f"{number} {name}" for name, number in corruption(estate).items()]
