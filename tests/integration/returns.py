# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reenable.yml is tested on, over local connections."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.crowd import FLAG, population
from tests.integration.metrics import Application
from tests.integration.place import Database
from tests.playbooks.runner import Run, Running

CHECKS = [
    {"name": "lost_tickets", "kind": "null_reference", "table": "tickets", "column": "companyId"},
    {"name": "odd_tickets", "kind": "sql", "severity": "high", "query": "SELECT id FROM tickets WHERE id < 0"},
]
# Metrics of the profile that this application does not have.
OTHERS = ("socket_latency", "dnd_p95", "query_p95", "memory")
# Each stage has a watch, tasks run one after the other, and the machine is shared.
SECONDS = 500
ALL = list(range(1, 21))


class Return:
    """Twenty tenants that a kill has switched off, an application, and the command that brings V2 back."""

    def __init__(self, db: Database, app: Application, directory: Path) -> None:
        self.db, self.app, self.directory = db, app, directory
        self.flag = population(db, len(ALL))
        self.before = db.snapshot("companies").texts
        self.flag.disable(latch=True)
        app.says("metrics", {"errorRate": 0.02})
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_connect_timeout": 5,
            "kanban_postgresql_host": db.server.host,
            "kanban_postgresql_port": db.server.port,
            "kanban_postgresql_db": db.name,
            "kanban_postgresql_user": db.server.user,
            "kanban_postgresql_password": db.server.password,
            "kanban_operator": "ana",
            "kanban_state_dir": str(directory / "state"),
            "kanban_flag": FLAG,
            "kanban_app_pm2": "",
            "kanban_metrics": {
                "error_rate": {"url": f"{app.url}/metrics"},
                **dict.fromkeys(OTHERS),
            },
            "kanban_thresholds": {
                "error_rate": {"consecutive": 2},
                **dict.fromkeys(OTHERS),
            },
            "kanban_gate_interval": 1,
            "kanban_watch_minutes": {"test": 0.05, "stage": 0.05},
            "kanban_sweep_seconds": 2,
            "kanban_stages": [10, 100],
        }

    def start(self, *options: str, db: Mapping[str, Any] | None = None, redis: bool = False, **extra: Any) -> Running:
        """Start the command; ``db`` are variables of the database's host, ``redis``: whether there is a Redis host."""
        others: dict[str, dict[str, Any]] = {"redis": {"redis1": {}}} if redis else {}
        hosts = playbook.inventory(self.directory, self.variables, db={"db1": db or {}}, app={"app1": {}}, **others)
        given = {"kanban_redis_hosts": "none", "__kanban_integrity_checks": CHECKS, **extra}
        return playbook.start(
            self.directory, "chatia.kanban_rollback.reenable", *hosts, *options, *playbook.given(self.directory, given)
        )

    def run(self, *options: str, **extra: Any) -> Run:
        return self.start(*options, **extra).wait(timeout=SECONDS)

    @property
    def stages(self) -> list[tuple[str, str]]:
        """The stages in the ledger since the last kill."""
        told = self.db.modules().ok("incident_info", incident_id="INC-1", events=0)
        return [(row["event"], row["name"]) for row in told["stages"]]

    @property
    def samples(self) -> int:
        """How many tries of a watch the ledger has."""
        number: int = self.db.value("SELECT count(*) FROM kanban_rollback.events WHERE source = 'metric_gate'")
        return number

    def is_free(self) -> bool:
        """Whether nobody holds the lease."""
        return not self.db.rows("SELECT name FROM kanban_rollback.leases")
