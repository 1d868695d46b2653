# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook that a person types, in the order of incidents, as the role that bootstrap.yml makes: it suffices.

The application, its PostgreSQL and its Redis are real, on this machine. PUBLIC's default rights are revoked.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration import least, playbook
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup
from tests.integration.test_recovery import hash_of
from tests.playbooks.runner import CHECKOUT, ZONE, Run
from tests.staging.local import Local
from tests.staging.settings import DATA, email, fill
from tests.support.binaries import postgres
from tests.support.redis_server import Redis
from tests.support.servers import Postgres, workspace

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]

ROLE = "kanban_rollback"
# What is not run as the role, and why.
OTHERS = {
    "bootstrap": "makes the role, the ledger, fence and latch: it takes who owns the tables and may make roles",
    "awx": "speaks to AWX and to no database",
    "tell": "tells people what jobs before it handed on, and speaks to no database",
    "triage_act": "the second half of triage.yml, which runs it",
    "triage_decide": "the second half of triage.yml, which runs it",
}
# How a run says that it may not do something. A message that something was done without a right is found as well.
LACKS = re.compile(r"permission denied|missing_privilege|row_level_security|role lacks|\bmay not\b|GRANT [A-Z]+ ")
TABLES = ('"Tags"', '"Tickets"', '"TicketTags"')
# Each is of a kind that a repair's undo brings back under valid keys.
CORRUPT = """
UPDATE "Tags" SET "companyId" = NULL WHERE id IN (5, 10);
UPDATE "Tickets" SET "kanbanLane" = (SELECT max(id) FROM "Lanes") WHERE id IN (3, 4);
INSERT INTO "TicketTags" ("ticketId", "tagId") SELECT "ticketId", "tagId" FROM "TicketTags" ORDER BY id LIMIT 5;
INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
SELECT 1 + g % 4, 'error', 'kanban', 'TypeError' FROM generate_series(1, 400) AS g
"""
LOST = """
DELETE FROM "TicketTags" WHERE id IN (SELECT id FROM "TicketTags" ORDER BY id LIMIT 7);
UPDATE "Tickets" SET "kanbanOrder" = "kanbanOrder" + 1 WHERE id = 9
"""
# Make a closed incident older than retention, a moment after it was closed.
AGED = "UPDATE kanban_rollback.incidents SET closed_at = closed_at - interval '200 days' WHERE closed_at IS NOT NULL"
OUT = ("socket_latency", "dnd_p95", "query_p95", "memory")


@dataclass
class Incident:
    """An application, and the person on call for it, who has no more than the role."""

    db: Database
    redis: Redis
    app: Local
    directory: Path
    ran: list[str]

    def __post_init__(self) -> None:
        """Choose the role's password."""
        self.password = secrets.token_hex(12)

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the inventory."""
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_async_dir": str(self.directory / "jobs"),
            "kanban_environment": "staging",
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": ROLE,
            "kanban_postgresql_password": self.password,
            "kanban_postgresql_bin_dir": str(postgres()),
            "kanban_redis_host": self.redis.host,
            "kanban_redis_port": self.redis.port,
            "kanban_redis_password": self.redis.password,
            "kanban_app_url": self.app.urls[0],
            "kanban_app_process_urls": self.app.urls,
            "kanban_app_pm2": "",
            "kanban_app_log_files": [str(self.directory / "chatia-*.log")],
            "kanban_app_user": email(1),
            "kanban_app_password": self.app.secrets.password,
            "kanban_incidents_dir": str(self.directory / "incidents"),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_state_dir": str(self.directory / "state"),
            "kanban_dump_min_free": "10M",
            "kanban_backup_max_age": 0,
            "kanban_operator": "rui",
            "kanban_contacts": [{"role": "dba", "primary": "Ana", "secondary": "Rui", "phone": "+55 11 0000"}],
            "kanban_on_blocked": "terminate",
            "kanban_users_query": least.USERS,
            "kanban_role_restores": True,
            "kanban_role_rehearses": True,
            "kanban_restore_changed": "restore",
            "kanban_metrics": {
                "error_rate": {
                    "source": "sql",
                    "where": "db",
                    "query": """SELECT count(*) FROM "ErrorLogs" WHERE severity = 'fatal'""",
                },
                **dict.fromkeys(OUT),
            },
            "kanban_thresholds": {"error_rate": {"consecutive": 2}, **dict.fromkeys(OUT)},
            "kanban_gate_interval": 1,
            "kanban_gate_initial_delay": 0,
            "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.05, "test": 0.05, "stage": 0.05},
            "kanban_triage_watch_seconds": 1,
            "kanban_sweep_seconds": 2,
            "kanban_evidence_seconds": 2,
            "kanban_stages": [50, 100],
        }

    def bootstrap(self) -> None:
        """Do what bootstrap.yml does on a database, as a superuser; it would also install packages on this machine."""
        owner = {
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_role_password": self.password,
            "result_file": str(self.directory / "result.json"),
            "state": "present",
        }
        self._typed(playbook.written(self.directory, least.PLAY), owner)
        assert playbook.kept(self.directory)["left_out"] == []

    def play(self, name: str, ends: int = 0, **extra: Any) -> Run:
        """Type a playbook, which must end with that status and lack no right."""
        self.ran.append(name)
        done = self._typed(f"chatia.kanban_rollback.{name}", extra, ends)
        lacks = [line for line in done.output.splitlines() if LACKS.search(line)]
        assert lacks == [], done.output
        return done

    def _typed(self, what: str, extra: Mapping[str, Any], ends: int = 0) -> Run:
        hosts = playbook.inventory(
            self.directory, self.variables, db={"db1": {}}, redis={"redis1": {}}, app={"app1": {}}
        )
        given = playbook.given(self.directory, extra) if extra else []
        done = playbook.start(self.directory, what, *hosts, *given).wait(timeout=900)
        assert done.rc == ends, done.output
        return done


@pytest.fixture
def incident() -> Iterator[Incident]:
    settings = {"shared_preload_libraries": "pg_stat_statements", "log_min_messages": "fatal", "autovacuum": False}
    with (
        workspace() as directory,
        Postgres(directory / "own", settings, fsync=False) as server,
        Redis(directory / "redis") as cache,
    ):
        server.create_database("chatia")
        db = Database(server, "chatia")
        with db.connect() as session:
            fill(session)
        db.rows("CREATE EXTENSION pg_stat_statements")
        db.rows("REVOKE ALL ON DATABASE chatia FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        where = {"host": cache.host, "port": cache.port, "password": cache.password}
        with Local(directory, server.parameters("chatia"), where) as app:
            yield Incident(db, cache, app, directory, [])


def test_every_playbook_runs_as_the_role_that_bootstrap_makes(incident: Incident) -> None:
    db, play = incident.db, incident.play
    incident.bootstrap()
    attributes = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    assert db.rows(f"SELECT {attributes} FROM pg_roles WHERE rolname = %s", (ROLE,)) == [(False,)]
    play("status")
    play("preflight")
    play("rehearse", kanban_rehearse="scenario3", kanban_rehearse_share=0.5, kanban_rehearse_rows=5)
    with db.connect() as session:
        on = DATA.count_on(session)

    # Something is wrong with the board: an alert, a few companies off, then everybody, and back.
    db.rows(CORRUPT)
    damaged = whole(db, *TABLES)
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    alert: dict[str, Any] = {
        "name": "KanbanDown",
        "scenario": "scenario1",
        "began_at": began,
        "environment": "staging",
        "triages": True,
    }
    # It acts on nothing that kanban_auto_contain does not name, and fails with the scenario that applies.
    play("alert", ends=2, **{f"kanban_alert_{name}": value for name, value in alert.items()})
    play("scenario2")
    play("triage", kanban_triage_act=True, kanban_declared="down")
    play("scenario1")
    play("reenable", kanban_reenable="all", kanban_close=True)

    # The data is at fault: stop, repair, undo that and repair again, release, return in stages, close.
    stopped = play("scenario3")
    assert "Not known" not in play("status", ends=3).output
    approved: dict[str, Any] = {
        "kanban_recovery": "surgical",
        "kanban_plan_hash": hash_of(stopped),
        "kanban_approved_by": "ana",
    }
    assert "rows repaired" in play("scenario3", **approved).screen
    assert whole(db, *TABLES) != damaged
    play("scenario3", kanban_recovery="undo", kanban_approved_by="ana")
    assert whole(db, *TABLES) == damaged
    play("scenario3", **{**approved, "kanban_plan_hash": hash_of(play("scenario3"))})
    play("release")
    play("reenable", kanban_reenable="test", kanban_test_tenant="4")
    play("reenable", kanban_reenable="staged")
    play("report", kanban_close=True)

    # Another day rows are lost, and come back from the night's backup. The trials on the board before have given rows
    # new keys, so an older backup would bring those rows back twice.
    night = backup(db, incident.directory, "custom", "Tags", "Tickets", "TicketTags", zone=ZONE)
    mended = whole(db, *TABLES)
    db.rows(LOST)
    source: dict[str, Any] = {"kanban_recovery": "restore", "kanban_restore_source": night}
    compared = play("scenario3", **source)
    play("scenario3", **source, kanban_plan_hash=hash_of(compared), kanban_approved_by="ana")
    assert set(mended[TABLES[2]]) <= set(whole(db, *TABLES)[TABLES[2]])
    play("release")
    play("reenable", kanban_reenable="staged", kanban_close=True)
    with db.connect() as session:
        assert DATA.count_on(session) == on
    db.rows(AGED)
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") > 0
    play("report")
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0

    every = {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert every - set(OTHERS) == set(incident.ran), "a playbook that nobody has run as the role, or that is gone"
