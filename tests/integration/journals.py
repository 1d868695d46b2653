# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small database that a playbook stops, and the journals of its runs, read without any code of the collection."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from tests.integration import playbook
from tests.integration.place import Database
from tests.playbooks.runner import CHECKOUT, Run, Running

Line = dict[str, Any]
SCHEMA = json.loads((CHECKOUT / "docs/journal.schema.json").read_text(encoding="utf-8"))


@dataclass
class Place:
    """One database, one directory of incidents, and what a person types."""

    db: Database
    directory: Path

    @property
    def incidents(self) -> Path:
        """The directory of incidents."""
        return self.directory / "incidents"

    def start(self, name: str, *options: str, prefix: Sequence[str] = (), **extra: Any) -> Running:
        """Start a playbook by its full name; ``extra`` goes into the inventory."""
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_incidents_dir": str(self.incidents),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_dump_tables": [],
            "kanban_fence": False,
            "kanban_redis_hosts": "none",
            "kanban_app_hosts": "none",
            "kanban_operator": "rui",
            "kanban_sweep_seconds": 5,
            "kanban_flag": {"table": "companies"},
            **extra,
        }
        hosts = playbook.inventory(self.directory, variables, db={"db1": {}})
        return playbook.start(self.directory, f"chatia.kanban_rollback.{name}", *hosts, *options, prefix=prefix)

    def run(self, name: str, *options: str, prefix: Sequence[str] = (), **extra: Any) -> Run:
        """Run it to its end."""
        return self.start(name, *options, prefix=prefix, **extra).wait(timeout=playbook.TIMEOUT_SECONDS)

    def journals(self, incident: str) -> list[Path]:
        """Return an incident's journals, oldest first."""
        return sorted((self.incidents / incident).glob("journal-*.jsonl"), key=lambda path: path.stat().st_mtime)


def lines(path: Path) -> list[Line]:
    """Return a journal's lines, each checked against the schema."""
    found = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in found:
        validator.validate(line)
    return found


def tasks(found: Sequence[Line], module: str) -> list[dict[str, Any]]:
    """Return what was recorded about a module's tasks."""
    return [line["data"] for line in found if line["event"] == "task ended" and line["source"] == module]
