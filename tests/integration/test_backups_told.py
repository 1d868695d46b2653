# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups as the last screens of triage.yml and report.yml report them, on a real server without SSH."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.place import Database
from tests.integration.preflightplace import SCHEMA
from tests.integration.restores import backup
from tests.integration.test_integrity_past import grow, past
from tests.playbooks.runner import Run

HOUR = 3600
# Backups are asked for once somebody has been told what to do, so this may take so long and no longer.
BRIEF = 3


class Told:
    """The inventory of a team that says where its backups are."""

    def __init__(self, db: Database, directory: Path, *sources: dict[str, Any]) -> None:
        self.directory = directory
        self.hosts: dict[str, dict[str, Any]] = {"db1": {}}
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_environment": "staging",
            "kanban_incidents_dir": str(directory / "incidents"),
            "kanban_dump_dir": str(directory / "dumps"),
            "kanban_postgresql_host": db.server.host,
            "kanban_postgresql_port": db.server.port,
            "kanban_postgresql_db": db.name,
            "kanban_postgresql_password": db.server.password,
            "kanban_backup_sources": list(sources),
            "kanban_backup_max_age": 2 * HOUR,
            "kanban_triage_backup_seconds": BRIEF,
            "kanban_triage_watch_seconds": 1,
            # None, as in a place without an application.
            "kanban_metrics": dict.fromkeys(("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")),
        }

    def run(self, name: str, *options: str) -> Run:
        """Run a playbook with the database tier only."""
        named = playbook.inventory(self.directory, self.variables, db=self.hosts)
        none = ["-e", "kanban_redis_hosts=none", "-e", "kanban_app_hosts=none"]
        return playbook.run(self.directory, f"chatia.kanban_rollback.{name}", *named, *none, *options)


def hours_old(path: str, hours: float) -> None:
    """Date a file back, as if it had been written so many hours ago."""
    moment = time.time() - hours * HOUR
    os.utime(path, (moment, moment))


@pytest.fixture
def told(db: Database, directory: Path) -> Told:
    """A database whose tags have departed from what is usual for three hours, with a file of pg_dump of it."""
    past(db)
    db.rows("".join(line for line in SCHEMA.splitlines(keepends=True) if 'TABLE "Tags"' not in line))
    grow(db, 3, 5000)
    (directory / "files").mkdir()
    made = backup(db, directory / "files", "custom")
    hanging = directory / "hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 300\n")
    hanging.chmod(0o755)
    hours_old(made["path"], 5)
    return Told(
        db,
        directory,
        {"kind": "pg_dump", "path": made["path"], "name": "nightly"},
        {"kind": "pgbackrest", "stanza": "main", "program": str(hanging)},
    )


def test_triage_says_what_there_is_to_come_back_to_and_is_kept_by_nothing(told: Told) -> None:
    began = datetime.fromtimestamp(time.time() // HOUR * HOUR - 3 * HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    label = Path(told.variables["kanban_backup_sources"][0]["path"]).name
    # Another host of the same database, with a list that nobody has tried.
    told.hosts["db2"] = {"kanban_backup_sources": [{"kind": "tape"}]}
    found = told.run("triage")
    for line in (
        f"db1: NO BACKUP THAT IS YOUNG ENOUGH. The newest usable backup is {label} (pg_dump), whose data is 5.0 h old;"
        " at most 2.0 h are allowed.",
        "db1: Backups: pgbackrest main gave no answer: ",
        "db1: The log is not archived as it should be: archive_mode is off",
        f"db1: The data from before {began}, when it began as tags_per_hour tells, comes back from {label} (pg_dump),"
        " less the last ",
    ):
        assert line in found.screen, found.output
    assert "db2: It is not known what backups there are: value of kind must be one of" in found.screen
    assert found.recap("db2")["failed"] == 0
    # The decision is reported first; only then are backups asked for.
    assert found.screen.index("1. Has a person declared") < found.screen.index("db1: NO BACKUP")
    assert found.text.index("Walk the decision tree") < found.text.index("Ask the backups")


@pytest.mark.drill
def test_the_report_says_what_precedes_each_incident(db: Database, told: Told) -> None:
    modules = db.modules()
    modules.ok("ledger", environment="staging")
    db.rows("""INSERT INTO kanban_rollback.incidents (incident_id, environment, opened_at, closed_at) VALUES
        ('INC-OPEN', 'staging', now() - interval '210 minutes', NULL),
        ('INC-CLOSED', 'staging', now() - interval '6 hours', now() - interval '1 hour'),
        ('INC-PAST', 'staging', now() - interval '9 days', now() - interval '8 days')""")
    told.variables["kanban_backup_sources"].pop()
    told.hosts["db2"] = {"kanban_backup_sources": [{"kind": "tape"}]}
    found = told.run("report", "--check")
    assert found.rc == 0, found.output
    label = Path(told.variables["kanban_backup_sources"][0]["path"]).name
    assert "whose data is 5.0 h old; at most 2.0 h are allowed." in found.screen, found.output
    assert f": the data from before it comes back from {label} (pg_dump), less the last 1.5 h." in found.screen
    assert ": the data from before it DOES NOT COME BACK: There is no usable backup that had ended" in found.screen
    order = [
        "PLAN",
        "NO BACKUP THAT IS YOUNG ENOUGH",
        "db1: INC-OPEN, opened ",
        "db1: INC-CLOSED, opened ",
        "and closed",
    ]
    places = [found.screen.find(text) for text in order]
    assert places == sorted(places)
    assert -1 not in places, (order, places)
    assert "INC-PAST" not in found.screen
    assert found.screen.count("The newest usable backup is") == 1
    assert "db2: It is not known what backups there are: value of kind must be one of" in found.screen
    assert found.recap("db2")["failed"] == 0
