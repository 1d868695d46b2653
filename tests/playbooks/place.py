# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet with databases of a test's own, the inventory of a team that uses it, and independent looks at the rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from psycopg2.extensions import connection

from tests.hosts import files
from tests.hosts.fleet import Fleet
from tests.hosts.host import Host, until
from tests.hosts.machine import call
from tests.playbooks.runner import CHECKOUT, Run, Running, beside, extra_options, kept_in

TENANTS = 3_000
ON = 1_000
TICKETS = 6_000
# What bootstrap.yml lays down on hosts.
LAID_DOWN = ("/var/lib/kanban_rollback", "/var/lib/kanban_rollback.bootstrap", "/opt/chatia")
# What runs keep on hosts. Two tests within a minute and a half give their incidents the same name, in databases of
# their own but on the same hosts, so a test that left its evidence there would give it to the next one.
KEPT = ("/root/.local/state/kanban_rollback", "/var/lib/postgresql/.local/state/kanban_rollback")
BLOCK = "kanban:emergency:write-block"
# A run that is about the flag alone: no Redis, no fence, no dump. Patterns of hosts go on the command line.
FLAG_ALONE = {"kanban_fence": False, "kanban_dump_tables": []}
NO_OTHER_TIER = {"kanban_redis_hosts": "none", "kanban_app_hosts": "none"}
TEMPLATE = "kanban_template"
PRIMARIES = ("db1", "db3")
# Quoted camelCase, as an ORM makes it; a ticket's tag is its own company's. Every third tenant is on, in one of the
# ways that JavaScript takes for true.
SCHEMA = f"""
CREATE TABLE "Companies" (
  id serial PRIMARY KEY, name text NOT NULL, settings jsonb, "updatedAt" timestamptz NOT NULL DEFAULT now()
);
CREATE TYPE "enum_Tickets_status" AS ENUM ('open', 'pending', 'closed');
CREATE TABLE "Tickets" (
  id serial PRIMARY KEY, "companyId" int NOT NULL REFERENCES "Companies" (id) ON DELETE CASCADE,
  status "enum_Tickets_status", "lastMessage" text, "kanbanLane" int, "kanbanOrder" int
);
CREATE TABLE "Tags" (
  id serial PRIMARY KEY, name text, "companyId" int REFERENCES "Companies" (id) ON DELETE CASCADE
);
CREATE TABLE "TicketTags" (
  "ticketId" int REFERENCES "Tickets" (id) ON DELETE CASCADE, "tagId" int REFERENCES "Tags" (id) ON DELETE CASCADE
);
INSERT INTO "Companies" (name, settings) SELECT 'company ' || n,
  CASE n % 3
    WHEN 0 THEN jsonb_build_object('timezone', 'America/Sao_Paulo', 'kanbanV2Enabled',
      CASE n % 7 WHEN 0 THEN '"sim"'::jsonb WHEN 1 THEN '1' WHEN 2 THEN '"false"' ELSE 'true' END)
    WHEN 1 THEN CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '[]'::jsonb ELSE '{{"timezone": "UTC"}}' END
    ELSE CASE n % 2 WHEN 0 THEN '{{"kanbanV2Enabled": false}}'::jsonb ELSE '{{"kanbanV2Enabled": null}}' END
  END
FROM generate_series(1, {TENANTS}) AS n;
INSERT INTO "Tickets" ("companyId", status, "kanbanLane", "kanbanOrder")
  SELECT 1 + n % {TENANTS}, 'open', n % 4, n FROM generate_series(1, {TICKETS}) AS n;
INSERT INTO "Tags" (name, "companyId") SELECT 'tag ' || n, 1 + n % {TENANTS} FROM generate_series(1, 3000) AS n;
INSERT INTO "TicketTags" SELECT n, 1 + (n - 1) % 3000 FROM generate_series(1, {TICKETS}) AS n;
"""
# Written without any of the collection's own SQL: on is neither absent nor null nor false.
IS_ON = """COALESCE(jsonb_typeof(settings) = 'object' AND settings ? 'kanbanV2Enabled'
  AND settings -> 'kanbanV2Enabled' NOT IN ('null', 'false'), false)"""

_numbers = itertools.count(1)


def make_templates(fleet: Fleet) -> None:
    """Make the database that every test gets a copy of, on each primary."""
    for name in PRIMARIES:
        fleet[name].psql(f"CREATE DATABASE {TEMPLATE}")
        fleet[name].psql(SCHEMA, database=TEMPLATE, timeout=60)


@dataclass
class Site:
    """One test's databases, of the same name on each primary, and how its playbooks are run."""

    fleet: Fleet
    directory: Path
    database: str = field(default_factory=lambda: f"kanban_{next(_numbers)}")
    running: list[Running] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def make(self) -> None:
        """Make the databases."""

        def create(name: str) -> str:
            create = f"CREATE DATABASE {self.database} TEMPLATE {TEMPLATE}; SELECT pg_current_wal_lsn()"
            return self.fleet[name].psql(create)

        with ThreadPoolExecutor() as pool:
            at, _done = pool.map(create, PRIMARIES)
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn"
        until(lambda: self.fleet["db2"].psql(replayed) == "t", "the replica to catch up", timeout=30)

    def clear(self) -> None:
        """Mend what was broken, end what was started, drop the databases."""
        for run in self.running:
            run.clear()
        for name in self.broken:
            self.mend(name)
        if self.broken:
            # A connection that was open during the fault goes on only when TCP retries, maybe a minute later.
            self.disconnect()
        gone = f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE); DROP ROLE IF EXISTS kanban_rollback"
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.fleet[name].psql(gone), PRIMARIES))
        self.redis("DEL", BLOCK, f"{{{BLOCK}}}:owner")
        if self.running:
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda host: host.run(["rm", "-rf", *LAID_DOWN, *KEPT]), self.fleet.hosts))

    def redis(self, *command: str) -> str:
        """Run a Redis command on the master, past the network."""
        return self.fleet["redis1"].run(["redis-cli", "--raw", *command]).stdout.strip()

    def fault(self, name: str, fault: Callable[[Host], None]) -> None:
        """Inflict a fault on a host, which is mended after the test."""
        self.broken.add(name)
        fault(self.fleet[name])

    def mend(self, name: str) -> None:
        """Undo whatever was done to a host."""
        host = self.fleet[name]
        if host.state == "exited":
            host.start()
            host.wait_until_ready()
        if host.state == "paused":
            host.unpause()
        host.mend()

    def disconnect(self) -> None:
        """End the SSH connections that Ansible keeps open: during an incident the first command finds none."""
        for path in files.control_directory(self.fleet.state).glob("*"):
            call(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "nobody"], timeout=10, check=False)

    def inventory(self, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]) -> Path:
        """Write an inventory whose group db has these hosts (an entry may name another host by ``same_as``)."""
        tree = yaml.safe_load(self.fleet.inventory.read_text(encoding="utf-8"))
        group = tree["all"]["children"]["db"]
        known = group["hosts"]
        group["hosts"] = {
            name: {**known[str(more.get("same_as", name))], **{key: more[key] for key in more if key != "same_as"}}
            for name, more in hosts.items()
        }
        tree["all"]["vars"].update(
            {
                "kanban_postgresql_db": self.database,
                "kanban_environment": "staging",
                # Messages have tests of their own.
                "kanban_notify": False,
                # The application itself is not there: one file stands for its logs.
                "kanban_app_log_files": ["/etc/os-release"],
                **variables,
            }
        )
        path = self.directory / f"inventory-{next(_numbers)}.yml"
        files.write(path, json.dumps(tree))
        return path

    def start(
        self,
        playbook: str,
        *options: str,
        hosts: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("db1", "db2"),
        variables: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        whole: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        """Type a playbook's command: ``variables`` go into the inventory, ``extra`` on the command line.

        ``whole``: with every tier; without it, the run is about the flag alone. ``environment``: added to its own.
        """
        given = hosts if isinstance(hosts, Mapping) else {name: {} for name in hosts}
        inventory = self.inventory(given, {**({} if whole else FLAG_ALONE), **(variables or {})})
        argv = [beside("ansible-playbook"), "-i", str(inventory), *options]
        log = self._log(playbook)
        argv += extra_options({**({} if whole else NO_OTHER_TIER), **(extra or {})}, log.with_suffix(".json"))
        path = str(CHECKOUT / "playbooks" / f"{playbook}.yml")
        around = {**kept_in(self.directory), **(environment or {})}
        running = Running([*argv, path], log, variables=around)
        self.running.append(running)
        return running

    def run(self, playbook: str, *options: str, timeout: float = 200, **how: Any) -> Run:
        """Run a playbook to its end; see ``start``."""
        return self.start(playbook, *options, **how).wait(timeout=timeout)

    def _log(self, playbook: str) -> Path:
        return self.directory / f"{playbook}-{next(_numbers)}.log"

    def psql(self, host: str, sql: str) -> str:
        """Run SQL in the test's database as the superuser, past the network."""
        return self.fleet[host].psql(sql, database=self.database)

    def on(self, host: str = "db1") -> int:
        """Count the tenants that are on."""
        return int(self.psql(host, f'SELECT count(*) FROM "Companies" WHERE {IS_ON}'))

    def rows(self, host: str = "db1") -> str:
        """Return all that the application's tables hold, as text."""
        return self.psql(host, 'SELECT * FROM "Companies" ORDER BY id; SELECT * FROM "Tickets" ORDER BY id')

    def places(self, host: str = "db1") -> str:
        """Return where each tenant's row is stored, which changes whenever it is written or locked."""
        return self.psql(host, 'SELECT id, ctid, xmin, xmax FROM "Companies" ORDER BY id')

    def incidents(self, host: str = "db1") -> list[str]:
        """Return the incidents of a ledger, oldest first."""
        return self.psql(host, "SELECT incident_id FROM kanban_rollback.incidents ORDER BY opened_at").split()

    def connect(self, host: str = "db1", application: str = "crm") -> connection:
        """Open a session like the application's, over TCP; the caller closes it."""
        session: connection = psycopg2.connect(
            host=self.fleet[host].address,
            user="postgres",
            password=self.fleet.postgres_password,
            dbname=self.database,
            application_name=application,
            connect_timeout=5,
        )
        return session
