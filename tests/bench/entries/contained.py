# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command to contained (flag, fence, write block) under load, on four hosts over SSH, against pings."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..four_hosts import FourHosts, four_hosts
from ..playbooks import SCENARIO, Run, run_playbook, tasks_of, write_pings

TENANTS = 10_000
WRITES_A_SECOND = 200
# The plays from naming the incident to the report of what holds now.
PLAYS = 3
STOPPED = "CONTAINED: Kanban V2 is off for all"
_INBOUND = """INSERT INTO "Tickets" ("companyId", "lastMessage") VALUES (%s, 'Mensagem')"""
_MOVE = """UPDATE "Tickets" SET "kanbanLane" = NULL, "kanbanOrder" = %s WHERE "id" = %s"""


class Load:
    """Inbound messages, with every fifth write a move of a card; counts what was refused."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        self.inbound = self.moved = self.refused = self.inbound_refused = 0
        self.ended = threading.Event()

    def run(self, hosts: FourHosts, tenants: int) -> None:
        """Write until ``ended`` is set, each write in its own transaction."""
        session = psycopg2.connect(hosts.dsn())
        session.autocommit = True
        number, started = 0, time.monotonic()
        with session.cursor() as cur:
            while not self.ended.wait(max(0.0, started + number / WRITES_A_SECOND - time.monotonic())):
                number += 1
                is_move = number % 5 == 0
                try:
                    cur.execute(*((_MOVE, (number, number % 100)) if is_move else (_INBOUND, (number % tenants + 1,))))
                    self.moved += is_move
                    self.inbound += not is_move
                except psycopg2.Error:
                    self.refused += is_move
                    self.inbound_refused += not is_move
        session.close()


@contextmanager
def _loaded(hosts: FourHosts, tenants: int) -> Iterator[Load]:
    load = Load()
    thread = threading.Thread(target=load.run, args=(hosts, tenants), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.ended.set()
        thread.join(30)


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    tenants = min(settings.tenants, TENANTS)
    with (
        four_hosts(tenants, ("redis1", "app1"), armed=True) as hosts,
        tempfile.TemporaryDirectory() as directory,
    ):

        def contain(incident: str) -> Run:
            hosts.fresh()
            hosts.fleet["redis1"].run(["redis-cli", "FLUSHALL"])
            with _loaded(hosts, tenants) as load:
                done = run_playbook(hosts, SCENARIO, incident=incident, extra={"kanban_app_hosts": "none"})
            if load.inbound_refused or not load.refused:
                raise CannotMeasure(
                    f"{load.inbound_refused} inbound messages and {load.refused} moves of cards were refused"
                )
            return done

        pings = Path(directory, "pings.yml")
        write_pings(pings, tasks_of(contain("INC-BENCH-0").output), until=PLAYS)

        def scenario(number: int) -> Sample:
            return {"seconds": contain(f"INC-BENCH-{number + 1}").said(STOPPED)}

        def ping(_number: int) -> Sample:
            hosts.fresh()
            with _loaded(hosts, tenants):
                return {"seconds": run_playbook(hosts, pings, incident="none").seconds}

        yield {"scenario": scenario, "ping": ping}


ENTRY = Entry(
    "contained",
    f"scenario3.yml on four hosts over SSH under {WRITES_A_SECOND} writes/s, connections yet to be made, fence dormant",
    _arms,
    (
        Line("command to contained, every task a ping", ("scenario", "seconds"), "s", 2.0, ("ping", "seconds")),
        Line("  p95", ("scenario", "seconds"), "s", 15.0, statistic="p95"),
    ),
    runs=10,
)
