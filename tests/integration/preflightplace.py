# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database, a Redis and an application made ready for an incident, and preflight.yml run there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.place import Database
from tests.support.redis_server import Redis
from tests.support.web import Running

SCHEMA = """
CREATE TABLE "Companies" (id serial PRIMARY KEY, name text, settings jsonb);
CREATE TABLE "Tags" (id serial PRIMARY KEY, "companyId" int, "createdAt" timestamptz);
CREATE TABLE "Tickets" (id serial PRIMARY KEY, "companyId" int, "kanbanLane" text, "kanbanOrder" int);
CREATE TABLE "TicketTags" (id serial PRIMARY KEY, "ticketId" int, "tagId" int);
CREATE TABLE "Lanes" (id serial PRIMARY KEY, "companyId" int);
CREATE TABLE "ErrorLogs" (id serial PRIMARY KEY, "companyId" int, context text, "createdAt" timestamptz);
CREATE TABLE "Users" (id serial PRIMARY KEY, "companyId" int);
INSERT INTO "Companies" (settings) SELECT jsonb_build_object('kanbanV2Enabled', g % 3 = 0) FROM generate_series(1, 30) g
"""
FENCED = [
    "TicketTags",
    "Tags",
    {"name": "Tickets", "columns": ["kanbanLane", "kanbanOrder"], "operations": ["UPDATE", "DELETE", "TRUNCATE"]},
]
KEY = "kanban:emergency:write-block"


class Place:
    """A database and a Redis, made ready for an incident, and the inventory of a team that has them."""

    def __init__(self, db: Database, cache: Redis, application: Running, directory: Path) -> None:
        self.db, self.cache, self.directory = db, cache, directory
        self.hosts: dict[str, dict[str, Any]] = {"db": {"db1": {}}, "redis": {"redis1": {}}, "app": {"app1": {}}}
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_environment": "staging",
            "kanban_contacts": [{"role": "dba", "primary": "Ana", "secondary": "Rui", "phone": "+55 11 0000"}],
            "kanban_incidents_dir": str(directory / "incidents"),
            "kanban_dump_dir": str(directory / "dumps"),
            "kanban_postgresql_host": db.server.host,
            "kanban_postgresql_port": db.server.port,
            "kanban_postgresql_db": db.name,
            "kanban_postgresql_password": db.server.password,
            "kanban_redis_host": cache.host,
            "kanban_redis_port": cache.port,
            "kanban_redis_password": cache.password,
            # Its two processes serve V2; every path of the profile leads to the one answer that they have.
            "kanban_app_pm2": "",
            "kanban_app_url": application.url,
            "kanban_app_process_urls": [application.url],
            "kanban_app_health_path": "/flag",
            "kanban_app_flag_path": "/flag",
            "kanban_app_metrics_path": "/flag",
            "kanban_app_user": "oncall@chatia.com",
            "kanban_app_password": "tr0ub4dor-and-3",
            "kanban_metrics": {
                "error_rate": {"path": "on"},
                "waiting": {"source": "sql", "where": "db", "query": 'SELECT count(*) FROM "Tickets"'},
                "public": {"url": f"{application.url}/flag", "path": "on", "where": "controller"},
                **dict.fromkeys(("socket_latency", "dnd_p95", "query_p95", "memory")),
            },
        }

    def prepare(self) -> None:
        """Make the tables and whatever a scenario needs."""
        self.db.rows(SCHEMA)
        self.db.rows("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # Before PostgreSQL 15 everybody has it.
        modules = self.db.modules()
        modules.ok("ledger", environment="staging")
        modules.ok("write_fence", state="dormant", tables=FENCED)
        (self.directory / "dumps").mkdir()
        tables = ["Tags", "Tickets", "TicketTags"]
        modules.ok("pg_dump", tables=tables, dest=str(self.directory / "dumps/first"), incident_id="INC-0")

    def run(
        self, *options: str, programs: Path | None = None, whole: bool = False, **around: str
    ) -> tuple[int, str, str]:
        """Run the playbook; return its status, its whole output and its last screen on one line.

        ``whole``: with the application's hosts.
        ``programs``: a directory that the hosts look for programs in first; ``around`` goes to the environment.
        """
        options += () if whole else ("-e", "kanban_app_hosts=none")
        done = playbook.run(
            self.directory,
            "chatia.kanban_rollback.preflight",
            *playbook.inventory(self.directory, self.variables, **self.hosts),
            *options,
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}" if programs else os.environ["PATH"],
            **around,
        )
        return done.rc, done.output, done.screen
