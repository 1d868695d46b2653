# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary that dies in the middle of a run, and its replica that takes over; hosts of a test's own.

An application writes meanwhile, follows to the new primary, and keeps an account of what it was told was saved.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg2

from tests.hosts.composition import DEFAULT_STATE, STANDARD
from tests.hosts.files import fleet_id
from tests.hosts.fleet import up
from tests.hosts.host import until
from tests.hosts.machine import locked
from tests.playbooks.place import SCHEMA, Site
from tests.playbooks.runner import Running

# Seconds after which nobody is waited for any more. A host without power is known to be gone at once.
HASTY = {"kanban_connect_timeout": 60, "kanban_drain_seconds": 2, "kanban_sweep_seconds": 2, "kanban_deadline": 180}
# What is shown here is about databases alone.
EXTRA = {"kanban_app_hosts": "none", "kanban_redis_hosts": "none"}
STOP_LISTENING = "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()"


@dataclass
class Estate(Site):
    """A primary db1 with its replica db2; what was done to them is not mended."""

    def make(self) -> None:
        """Make the database, and see that the replica has it."""
        self.fleet["db1"].psql(f"CREATE DATABASE {self.database}")
        self.psql("db1", SCHEMA)
        self.caught_up()

    def caught_up(self) -> None:
        """Wait until the replica has all of it."""
        at = self.psql("db1", "SELECT pg_current_wal_lsn()")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn"
        until(lambda: self.fleet["db2"].psql(replayed) == "t", "the replica to catch up", timeout=30)

    def clear(self) -> None:
        """End what was started; the hosts go as a whole."""
        for run in self.running:
            run.clear()

    def cut_replication(self) -> None:
        """Let the replica hear nothing from here on; the primary is not told, and waits for nobody."""
        self.fleet["db2"].psql(STOP_LISTENING)
        listening = "SELECT count(*) FROM pg_stat_wal_receiver"
        until(lambda: self.fleet["db2"].psql(listening) == "0", "the replica to stop listening", timeout=30)

    def fail_over(self) -> None:
        """Pull the primary's power, and promote the replica."""
        self.fleet["db1"].kill()
        assert self.fleet["db2"].psql("SELECT pg_promote(true, 120)", timeout=130) == "t"

    def old_primary(self, sql: str) -> str:
        """Ask the old primary's disk, started alone: no network, no replication."""
        db1 = self.fleet["db1"]
        db1.start()
        db1.wait_until_ready()
        db1.cut()
        return self.psql("db1", sql)


@contextlib.contextmanager
def hosts(directory: Path, *, synchronous: bool = False) -> Iterator[Estate]:
    """Bring up hosts of the test's own, and take them away."""
    state = DEFAULT_STATE.with_name("hosts-failover")
    with locked(Path("/run") / f"kanban-hosts-{fleet_id(state)}.tests.lock", timeout=280):
        fleet = up(state, [spec for spec in STANDARD if spec.group == "db"], timeout=480)
        estate = Estate(fleet, directory)
        try:
            estate.make()
            if synchronous:
                fleet["db1"].psql("ALTER SYSTEM SET synchronous_standby_names = 'db2'; SELECT pg_reload_conf()")
                sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
                until(lambda: fleet["db1"].psql(sync) == "1", "the replica to be synchronous", timeout=30)
            yield estate
        finally:
            estate.clear()
            fleet.down()


@contextlib.contextmanager
def stopped_at(estate: Estate, running: Running, words: str) -> Iterator[None]:
    """Let the controller stand still, as of these words, for as long as the block takes: the moment is then certain."""
    running.says(words, timeout=600)
    os.kill(running.pid, signal.SIGSTOP)
    try:
        yield
        # A connection that is open would be waited for until TCP gives up.
        estate.disconnect()
    finally:
        os.kill(running.pid, signal.SIGCONT)


@dataclass
class People:
    """People whose messages come in all the time; they find the primary by themselves.

    ``acknowledged``: what they were told is saved, in their order. Use it as a context manager.
    """

    estate: Estate
    acknowledged: list[int] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.estate.psql(
            "db1", "CREATE TABLE inbox (id int PRIMARY KEY, said_at timestamptz DEFAULT clock_timestamp())"
        )
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.have(20)
        return self

    def __exit__(self, *_why: object) -> None:
        self._over.set()
        self._thread.join(30)

    def have(self, more: int) -> None:
        """Wait until so many more messages were acknowledged."""
        goal = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= goal, f"{more} more messages", timeout=240)

    def missing(self) -> set[int]:
        """Return which acknowledged messages the new primary has not."""
        told = set(self.acknowledged)
        there = self.estate.psql("db2", "SELECT id FROM inbox").split()
        return told - set(map(int, there))

    def _work(self) -> None:
        number = 0
        while not self._over.is_set():
            try:
                with contextlib.closing(self._connect()) as session:
                    session.autocommit = True
                    while not self._over.is_set():
                        number += 1
                        with session.cursor() as cursor:
                            cursor.execute("INSERT INTO inbox (id) VALUES (%s)", (number,))
                        self.acknowledged.append(number)
                        time.sleep(0.02)
            except psycopg2.Error:
                # What was on its way is neither said to be there nor not.
                time.sleep(0.2)

    def _connect(self) -> Any:
        fleet = self.estate.fleet
        return psycopg2.connect(
            host=f"{fleet['db1'].address},{fleet['db2'].address}",
            target_session_attrs="read-write",
            user="postgres",
            password=fleet.postgres_password,
            dbname=self.estate.database,
            connect_timeout=10,
            # A server that is gone is noticed by the first where something was sent to it, else by the others.
            tcp_user_timeout=5000,
            keepalives_idle=1,
            keepalives_interval=1,
            keepalives_count=5,
            application_name="people",
        )
