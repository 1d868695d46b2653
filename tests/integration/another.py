# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helpdesk of docs/another-application.md: its schema and its inventory as written there."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration import least, metrics, playbook
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.playbooks.runner import Run
from tests.support.binaries import postgres
from tests.support.servers import Postgres, Redis, workspace

DOCUMENT = ROOT / "docs/another-application.md"
ROLE = "kanban_rollback"


def blocks(language: str) -> list[str]:
    """Return the document's blocks of a language, verbatim."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    """Return the one block of a language."""
    (found,) = blocks(language)
    return found


def unsaid(runs: Sequence[Run]) -> list[str]:
    """Return lines that the document quotes but no run has said; ``…`` stands for what differs between runs."""
    said = "\n".join(run.text for run in runs).replace('\\"', '"')
    quoted = [line for text in blocks("text") for line in text.splitlines()]
    return [line for line in quoted if not re.search(".*?".join(map(re.escape, line.split("…"))), said)]


@dataclass
class Helpdesk:
    """Servers and an application as the document describes them, with the document's inventory."""

    db: Database
    cache: Redis
    app: metrics.Application
    directory: Path

    def __post_init__(self) -> None:
        """Make the tables, a place for their backup, and the application's answers."""
        self.password = secrets.token_hex(8)
        for name in ("logs", "backups"):
            (self.directory / name).mkdir()
        (self.directory / "inventory.yml").write_text(block("yaml"))
        self.db.rows(block("sql"))
        self.app.says("api-status", {"status": "up"})
        self.app.says("api-features-agenda", {"process": os.getpid(), "companies": 4})
        self.app.says("api-board", {"version": 1})
        self.app.says(
            "internal-metrics", 'http_requests_total{status="200"} 9000\nhttp_requests_total{status="500"} 2\n'
        )
        (self.directory / "logs/api.log").write_text("2026-11-27T03:00:00Z listening\n")

    def back_up(self) -> None:
        """Make the backup that the document's inventory names."""
        server = self.db.server
        command = [f"{postgres()}/pg_dump", "-Fc", "-h", server.host, "-p", str(server.port), "-U", server.user]
        environment = {**os.environ, "PGPASSWORD": server.password}
        file = str(self.directory / "backups/night.dump")
        subprocess.run([*command, "-f", file, self.db.name], env=environment, check=True, timeout=60)

    @property
    def places(self) -> dict[str, Any]:
        """What the document cannot know: addresses, passwords, directories, and that there is no SSH in between."""
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_async_dir": str(self.directory / "jobs"),
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_password": self.password,
            "kanban_redis_host": self.cache.host,
            "kanban_redis_port": self.cache.port,
            "kanban_redis_password": self.cache.password,
            "kanban_app_url": self.app.url,
            "kanban_app_process_urls": [self.app.url],
            "kanban_app_log_files": [str(self.directory / "logs/*.log")],
            "kanban_backup_sources": [{"kind": "pg_dump", "path": str(self.directory / "backups")}],
            "kanban_incidents_dir": str(self.directory / "incidents"),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_state_dir": str(self.directory / "state"),
            "kanban_operator": "rui",
        }

    def bootstrap(self) -> Run:
        """Do what bootstrap.yml does on a database, as a superuser; it would also install packages on the host."""
        owner = {
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_role_password": self.password,
            "bootstrap_memberships": ["pg_read_all_data", "pg_read_all_stats"],
            "result_file": str(self.directory / "result.json"),
            "state": "present",
        }
        return self._typed(playbook.written(self.directory, least.PLAY), {**self.places, **owner})

    def play(self, name: str, *options: str, **extra: Any) -> Run:
        """Run a playbook."""
        return self._typed(f"chatia.kanban_rollback.{name}", {**self.places, **extra}, *options)

    def _typed(self, what: str, extra: Mapping[str, Any], *options: str) -> Run:
        given = playbook.given(self.directory, extra)
        done = playbook.start(self.directory, what, "-i", "inventory.yml", *given, *options).wait(timeout=300)
        for secret in (self.password, self.db.server.password, self.cache.password):
            assert not secret or secret not in done.output
        return done


@contextmanager
def helpdesk() -> Iterator[Helpdesk]:
    """Yield a helpdesk on its own servers, because its role is known to all databases of a server."""
    settings = {"shared_preload_libraries": "pg_stat_statements", "log_min_messages": "fatal"}
    with (
        workspace() as directory,
        Postgres(directory / "own", settings, fsync=False) as server,
        Redis(directory / "redis") as cache,
        metrics.application(directory / "app") as app,
    ):
        db = Database(server, "helpdesk")
        server.create_database(db.name)
        yield Helpdesk(db, cache, app, directory)
