# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is tested on, and SQL for what gets in its way: an application that forgets, a second operator."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.integration import playbook
from tests.integration.fences import TABLES
from tests.integration.module import Modules
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.staging.local import Local
from tests.staging.settings import email
from tests.support.servers import Redis

# Accepts a write and keeps nothing, which only a look afterwards finds.
FORGETS = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER forget BEFORE INSERT ON "TicketTags" FOR EACH ROW WHEN (NEW."tagId" > 1000) EXECUTE FUNCTION forget();
"""
REMEMBERS = 'DROP TRIGGER IF EXISTS forget ON "TicketTags"; DROP FUNCTION IF EXISTS forget'
# A second operator's kill: before the fence is lowered, and while it is.
KILLED = """
CREATE FUNCTION kill_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO kanban_rollback.events (incident_id, run_id, seq, at, phase, source, event, data, previous, hash)
    VALUES (NEW.incident_id, 'another run', 1 + (SELECT count(*) FROM kanban_rollback.events),
            '2026-11-25T00:00:00.000000Z', 'contain', 'feature_flag', 'disabled',
            '{}', '', 'x');
  RETURN NULL;
END $$;
"""
BEFORE = """
CREATE TRIGGER kill_again AFTER UPDATE ON kanban_rollback.leases FOR EACH ROW EXECUTE FUNCTION kill_again();
"""
MEANWHILE = """
CREATE TRIGGER kill_again AFTER INSERT ON kanban_rollback.events FOR EACH ROW
  WHEN (NEW.event = 'fence_lowered') EXECUTE FUNCTION kill_again();
"""

# As after a failover since the last step of the incident.
ON_AN_EARLIER_TIMELINE = """
UPDATE kanban_rollback.events SET data = jsonb_set(data, '{timeline}', '"00000000"') WHERE data ? 'timeline'
"""

RELEASE = "chatia.kanban_rollback.release"
BLOCK = "kanban:emergency:write-block"
# The run that stopped it gave the incident a name of its own, under which the block is held.
INCIDENT, ALIAS = "INC-20261125-042", "INC-20261125-041"
FLAG: dict[str, Any] = {
    "table": "Companies", "tenant_column": "id", "column": "settings", "path": ["kanbanV2Enabled"],
}  # fmt: skip


@dataclass
class Stopped:
    """The application, stopped by scenario 3's modules: flag off, fence proven, block held."""

    directory: Path
    db: Database
    redis: Redis
    app: Local

    @property
    def modules(self) -> Modules:
        return self.db.modules(incident_id=INCIDENT)

    def stop(self) -> None:
        """Stop as scenario3.yml does, in a run whose own name for the incident is its alias."""
        self.modules.ok("feature_flag", **FLAG, state="disabled")
        self.modules.ok("incident", aliases=[ALIAS])
        assert self.modules.ok("write_fence", tables=TABLES)["status"] == "proven"
        self.block("SET", BLOCK, "true")
        self.block("SET", f"{{{BLOCK}}}:owner", ALIAS)

    def validate(self, event: str = "data validated") -> None:
        """Record the validation, as the role that validates the data does."""
        self.modules.ok("incident", event={"phase": "validate", "event": event, "data": {"rows": 0}})

    def block(self, *command: Any) -> Any:
        with self.redis.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    @property
    def refuses(self) -> tuple[bool, bool]:
        """Whether the database refuses Kanban's writes, and whether the application does."""
        try:
            with self.db.connect() as session, session.cursor() as cursor:
                cursor.execute('DELETE FROM "TicketTags" WHERE false')
            fenced = False
        except psycopg2.Error as error:
            if error.pgcode != "KB001":
                raise
            fenced = True
        return fenced, self.block("GET", BLOCK) == "true"

    def events(self) -> list[tuple[str, str]]:
        """What release.yml wrote into the ledger, and for which reason."""
        return self.db.rows("""SELECT event, coalesce(data ->> 'reason', data ->> 'why') FROM kanban_rollback.events
                               WHERE phase = 'release' ORDER BY at, seq""")

    def leases(self) -> int:
        return int(self.db.value("SELECT count(*) FROM kanban_rollback.leases"))

    def board(self) -> Any:
        """Which tags there are, and which card has which."""
        return self.db.rows('SELECT id, name FROM "Tags" ORDER BY id'), self.db.rows(
            'SELECT "ticketId", "tagId", count(*) FROM "TicketTags" GROUP BY 1, 2 ORDER BY 1, 2'
        )

    def options(self, **more: Any) -> list[str]:
        """Return the options of a command to release; the hosts are this machine."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        variables = {
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_redis_host": self.redis.host,
            "kanban_redis_port": self.redis.port,
            "kanban_redis_password": self.redis.password,
            "kanban_app_user": email(1),
            "kanban_app_password": self.app.secrets.password,
            "kanban_operator": "ana",
            "kanban_state_dir": str(self.directory / "state"),
            "kanban_connect_timeout": 5,
        }
        apps = {f"app{number}": {**local, "kanban_app_url": url} for number, url in enumerate(self.app.urls, 1)}
        apps.update(more.pop("apps", {}))
        others = {name: {**local, **more.pop(name, {})} for name in ("db1", "redis1")}
        hosts = playbook.inventory(
            self.directory,
            variables,
            ungrouped={"localhost": local},
            db={"db1": others["db1"]},
            redis={"redis1": others["redis1"]},
            app=apps,
        )
        return [*hosts, *playbook.given(self.directory, more)]

    def release(self, *options: str, **more: Any) -> Run:
        done = playbook.run(self.directory, RELEASE, *self.options(**more), *options)
        assert self.app.secrets.password not in done.output
        return done
