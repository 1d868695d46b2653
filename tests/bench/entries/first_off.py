# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Enter to the first tenant that is off, on four hosts over SSH."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from psycopg2.extensions import cursor

from ..entry import Arm, Entry, Line, Sample, Settings
from ..four_hosts import four_hosts
from ..playbooks import SCENARIO, run_playbook
from ..tenants import ON
from ..watch import watching

TENANTS = 10_000


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    tenants = min(settings.tenants, TENANTS)
    with four_hosts(tenants) as hosts:
        # Looking at all tenants every 20 ms would keep a processor busy that the playbook needs. A batch of the kill is
        # hundreds of adjacent tenants, so one in thirty of those that were on is enough.
        were_on = list(range(10, tenants, 100))

        def anyone_off(cur: cursor) -> float | None:
            cur.execute(f'SELECT bool_and({ON}) FROM "Companies" WHERE "id" = ANY (%s)', (were_on,))
            found = cur.fetchone()
            return time.monotonic() if found and not found[0] else None

        def scenario(number: int) -> Sample:
            hosts.fresh()
            with watching(hosts.dsn(), anyone_off) as watch:
                done = run_playbook(hosts, SCENARIO, incident=f"INC-BENCH-{number}")
            return {"seconds": watch.since(done.started), "screen": done.seconds}

        yield {"scenario": scenario}


ENTRY = Entry(
    "first",
    "scenario3.yml on four hosts over SSH, connections yet to be made, ledger there",
    _arms,
    (
        Line("first tenant off after Enter, p95", ("scenario", "seconds"), "s", 5.0, statistic="p95"),
        Line("  median", ("scenario", "seconds"), "s"),
        Line("last screen after Enter, p95", ("scenario", "screen"), "s", statistic="p95"),
    ),
    runs=20,
)
