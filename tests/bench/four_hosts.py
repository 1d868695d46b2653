# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four hosts reached over SSH that all act on one database: a primary, its replica, and two that reach it over TCP."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from tests.hosts import files
from tests.hosts.composition import STANDARD
from tests.hosts.fleet import Fleet, up
from tests.hosts.host import until
from tests.hosts.machine import HostsError, call

from .copies import COPY, ORIGINAL
from .entry import RESULTS, CannotMeasure
from .module import run_module
from .tenants import fill

PRIMARY, REPLICA, OTHERS = "db1", "db2", ("app1", "app2")
# What the profile fences by default.
FENCED = [
    "TicketTags",
    "Tags",
    {"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["kanbanLane", "kanbanOrder"]},
]


@dataclass(frozen=True)
class FourHosts:
    """The hosts, and the inventories that put all four into the group ``db``."""

    fleet: Fleet
    inventories: tuple[Path, ...]

    def dsn(self, database: str = COPY) -> str:
        """Return the superuser's connection string on the primary, password included: never for a command line."""
        login = {"host": self.fleet[PRIMARY].address, "user": "postgres", "password": self.fleet.postgres_password}
        return str(make_dsn(**login, dbname=database, connect_timeout=5))

    def login(self, database: str) -> dict[str, object]:
        """Return the modules' connection options, over TCP."""
        login = {"login_host": self.fleet[PRIMARY].address, "login_password": self.fleet.postgres_password}
        return {**login, "login_db": database}

    def fresh(self) -> None:
        """Replace the database with a copy of the filled one, on primary and replica."""
        self.run(
            "postgres", f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)", f"CREATE DATABASE {COPY} TEMPLATE {ORIGINAL}"
        )
        at = self.fleet[PRIMARY].psql("CHECKPOINT; SELECT pg_current_wal_lsn()")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn"
        until(lambda: self.fleet[REPLICA].psql(replayed) == "t", "the replica to catch up", timeout=60)

    def run(self, database: str, *statements: str) -> None:
        """Run statements on the primary, each in its own transaction."""
        session = psycopg2.connect(self.dsn(database))
        try:
            session.autocommit = True
            for statement in statements:
                session.cursor().execute(statement)
        finally:
            session.close()

    def disconnect(self) -> None:
        """End the SSH connections that Ansible keeps open: in an incident the first command finds none."""
        for path in files.control_directory(self.fleet.state).glob("*"):
            call(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "nobody"], timeout=10, check=False)


@contextmanager
def four_hosts(tenants: int, others: Sequence[str] = OTHERS, armed: bool = False) -> Iterator[FourHosts]:
    """Bring up the hosts with a filled database on the primary; remove them and their files at the end.

    ``others``: besides primary and replica; application hosts serve as further routes to the primary. ``armed``:
    whether the fence is installed, dormant.

    Raises CannotMeasure if this machine cannot run hosts.
    """
    try:
        specs = tuple(spec for spec in STANDARD if spec.name in (PRIMARY, REPLICA, *others))
        fleet = up(RESULTS / "hosts", specs)
    except HostsError as error:
        raise CannotMeasure(str(error)) from error
    try:
        with tempfile.TemporaryDirectory(prefix="kanban-bench-") as directory:
            hosts = FourHosts(fleet, (fleet.inventory, _inventory(fleet, Path(directory), others)))
            hosts.run("postgres", f"CREATE DATABASE {ORIGINAL}")
            session = psycopg2.connect(hosts.dsn(ORIGINAL))
            try:
                session.autocommit = True
                fill(session, tenants)
                session.cursor().execute("VACUUM ANALYZE")
            finally:
                session.close()
            # As after bootstrap.yml: nobody makes a ledger in the middle of an incident.
            run_module("ledger", hosts.login(ORIGINAL))
            if armed:
                run_module("write_fence", {**hosts.login(ORIGINAL), "state": "dormant", "tables": FENCED})
            yield hosts
    finally:
        fleet.down()


def _inventory(fleet: Fleet, directory: Path, others: Sequence[str]) -> Path:
    """Write the inventory that adds application hosts to the group ``db``, as further routes to the primary."""
    over_tcp: dict[str, Any] = {
        "kanban_postgresql_host": fleet[PRIMARY].address,
        "kanban_postgresql_password": fleet.postgres_password,
    }
    members = {name: over_tcp for name in others if name in OTHERS}
    path = directory / "four.yml"
    # JSON is YAML; the file holds a password.
    files.write(path, json.dumps({"db": {"hosts": members, "vars": {"kanban_postgresql_db": COPY}}}))
    return path
