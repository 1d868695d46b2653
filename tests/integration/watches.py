# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The play in which the role ``observe`` watches, on local connections, and what it needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.metrics import Application
from tests.integration.place import Database
from tests.playbooks.runner import Running, one_line

INCIDENT = "INC-20261125-042"
PLAYBOOK = [
    {
        "name": "Watch",
        "hosts": "app:db:localhost",
        "strategy": "linear",
        "gather_facts": False,
        "ignore_unreachable": True,
        "tasks": [
            {"name": "Observe", "ansible.builtin.import_role": {"name": "chatia.kanban_rollback.observe"}},
            {"name": "After it", "ansible.builtin.debug": {"msg": "after the role"}},
        ],
    },
    {
        "name": "Say it",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Keep the result",
                "ansible.builtin.copy": {
                    "content": "{{ __observe | to_json }}",
                    "dest": "{{ playbook_dir }}/result.json",
                    "mode": "0600",
                },
                "check_mode": False,
            },
            {
                "name": "Judge the part",
                "ansible.builtin.debug": {
                    "msg": "{{ __observe.scenario1 | chatia.kanban_rollback.gate_part(ansible_check_mode) }}"
                },
            },
        ],
    },
]


class Watch:
    """An application, a database with an open incident, and the play that watches."""

    def __init__(self, db: Database, app: Application, directory: Path) -> None:
        self.db, self.app, self.directory = db, app, directory
        self.hosts: dict[str, dict[str, Any]] = {"db": {"db1": {}}, "app": {"app1": {}}}
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_connect_timeout": 5,
            "kanban_postgresql_host": db.server.host,
            "kanban_postgresql_port": db.server.port,
            "kanban_postgresql_db": db.name,
            "kanban_postgresql_password": db.server.password,
            "kanban_incident_id": INCIDENT,
            "observe_gate": "scenario1",
            "observe_interval": 1,
            "observe_seconds": 60,
            "observe_end": "first_ok",
            "observe_metrics": {
                "error_rate": {"url": f"{app.url}/metrics", "path": "errorRate"},
                "errors": {"where": "db", "source": "sql", "query": "SELECT 3"},
                "public": {"where": "controller", "url": f"{app.url}/health", "measure": "milliseconds"},
                "dnd_p95": {},
            },
            "observe_thresholds": {
                "error_rate": {"max": 0.1, "unit": "%", "consecutive": 2},
                "errors": {"max": 5, "consecutive": 2},
                "public": {"max": 5000, "unit": "ms", "consecutive": 2},
                "dnd_p95": {"max": 500},
            },
        }
        app.says("metrics", {"errorRate": 0.02})
        app.says("health", {"ok": True})
        db.modules().ok("incident", incident_id=INCIDENT, operator="ana")

    def start(self, *options: str) -> Running:
        """Start the play; what it says is in ``output``."""
        hosts = playbook.inventory(self.directory, self.variables, **self.hosts)
        play = playbook.written(self.directory, json.dumps(PLAYBOOK))
        self.running = playbook.start(self.directory, play, *hosts, *options)
        return self.running

    @property
    def output(self) -> str:
        """What the play said, on one line."""
        return one_line(self.running.output)

    def run(self, *options: str) -> dict[str, Any]:
        """Run the play, which must succeed, and return what the role left."""
        assert self.start(*options).wait(timeout=playbook.TIMEOUT_SECONDS).rc == 0, self.output
        assert self.output.count("after the role") == len(self.hosts["app"]) + len(self.hosts["db"]) + 1
        left: dict[str, Any] = playbook.kept(self.directory)["scenario1"]
        return left

    @property
    def events(self) -> list[Any]:
        """What the ledger keeps of the watch: number and verdict of each try."""
        statement = """SELECT (data ->> 'try')::int, data ->> 'verdict' FROM kanban_rollback.events
                       WHERE source = 'metric_gate' ORDER BY at"""
        return self.db.rows(statement)
