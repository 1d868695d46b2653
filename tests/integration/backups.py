# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real backup tools for tests: pgBackRest and Barman, each with its files in one directory and a server to back up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support import accounts, processes
from tests.support.servers import Postgres

SECONDS = 60


def needs(program: str) -> None:
    """Skip the test if a program is not installed; the reason is shown at the end of the run."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")


def run(command: list[str], account: accounts.Account | None) -> str:
    """Run a tool as the account of servers and return what it writes; it must succeed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        cwd="/",
        env=accounts.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **accounts.drop(account),
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def owned(path: Path, account: accounts.Account | None) -> Path:
    """Make a directory that the account owns."""
    accounts.own_directory(path, account)
    return path


class PgBackRest:
    """A repository with one stanza, ``main``, of a server that archives its log into it."""

    def __init__(self, directory: Path) -> None:
        """Describe server and repository; leaving the context stops the server."""
        self.account = accounts.unprivileged()
        self.place = owned(directory / "backrest", self.account)
        self.config = self.place / "pgbackrest.conf"
        self.push = f"pgbackrest --config={self.config} --stanza=main archive-push %p"
        settings = {"archive_mode": "on", "archive_command": self.push, "log_min_messages": "fatal"}
        self.server = Postgres(directory / "archived", settings, fsync=False, unix_auth="trust")

    def __enter__(self) -> Self:
        """Start the server and make the stanza."""
        self.server.start()
        parts = {
            "global": {
                "repo1-path": self.place / "repo",
                "lock-path": self.place / "lock",
                "spool-path": self.place / "spool",
                "log-level-file": "off",
                "log-level-console": "warn",
                "start-fast": "y",
                "compress-type": "none",
                "repo1-retention-full": "9",
            },
            "main": {
                "pg1-path": self.server.data,
                "pg1-port": self.server.port,
                "pg1-socket-path": self.server.socket_directory,
                "pg1-user": "postgres",
            },
        }
        lines = [
            f"[{part}]\n" + "".join(f"{name}={value}\n" for name, value in some.items()) for part, some in parts.items()
        ]
        accounts.write_private(self.config, "".join(lines), self.account)
        try:
            self.tool("--stanza=main", "stanza-create")
        except BaseException:
            self.server.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the server."""
        self.server.stop()

    def tool(self, *words: str) -> str:
        """Run pgbackrest."""
        return run(["pgbackrest", f"--config={self.config}", *words], self.account)

    def back_up(self, kind: str = "full") -> str:
        """Make a backup and return its label, as pgBackRest itself reports it."""
        self.tool("--stanza=main", f"--type={kind}", "backup")
        return str(self.info()["backup"][-1]["label"])

    def info(self) -> dict[str, Any]:
        """Return what pgBackRest says about the stanza."""
        found: dict[str, Any] = json.loads(self.tool("--stanza=main", "--output=json", "info"))[0]
        return found

    def archived(self) -> str:
        """Close the current file of the log, wait until it is archived, and return its name."""
        return archived(self.server)


def archived(server: Postgres) -> str:
    """Close the current file of a server's log, wait until it is archived, and return its name."""
    server.query("CREATE TABLE IF NOT EXISTS written (at timestamptz)")
    server.query("INSERT INTO written VALUES (now())")
    (name,) = server.query("SELECT pg_walfile_name(pg_switch_wal())")[0]

    def done() -> bool:
        return bool(server.query("SELECT last_archived_wal >= %s FROM pg_stat_archiver", (name,))[0][0])

    assert processes.wait_until(done, SECONDS), f"{name} was not archived"
    return str(name)


class Barman:
    """A Barman with one server, ``crm``, whose log it streams."""

    def __init__(self, directory: Path, server: Postgres) -> None:
        """Write the configuration."""
        self.account, self.server = server.account, server
        place = owned(directory / "barman", self.account)
        self.home, self.config = owned(place / "home", self.account), place / "barman.conf"
        name = self.account.name if self.account else os.environ.get("USER", "nobody")
        login = f"host={server.socket_directory} port={server.port} user=postgres"
        accounts.write_private(
            self.config,
            f"""[barman]
barman_user = {name}
barman_home = {self.home}
log_file = {place}/barman.log
[crm]
description = crm
conninfo = {login} dbname=postgres
streaming_conninfo = {login}
backup_method = postgres
streaming_archiver = on
slot_name = barman
create_slot = auto
archiver = off
immediate_checkpoint = true
path_prefix = {server.programs}
""",
            self.account,
        )

    def tool(self, *words: str) -> str:
        """Run barman."""
        return run(["barman", "-c", str(self.config), *words], self.account)

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Stream the log while the block runs."""
        self.tool("receive-wal", "--create-slot", "crm")
        process = subprocess.Popen(
            ["barman", "-c", str(self.config), "receive-wal", "crm"],
            cwd="/",
            env=accounts.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **accounts.drop(self.account),
        )
        try:
            assert processes.wait_until(lambda: bool(self._receivers()), SECONDS), "nobody streams the log"
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(SECONDS)

    def _receivers(self) -> list[Any]:
        return self.server.query("SELECT pid FROM pg_stat_replication WHERE state = 'streaming'")

    def take_in(self) -> None:
        """Close the current file of the log, wait until it is received, and have Barman file it."""
        self.server.query("CREATE TABLE IF NOT EXISTS written (at timestamptz)")
        self.server.query("INSERT INTO written VALUES (now())")
        (name,) = self.server.query("SELECT pg_walfile_name(pg_switch_wal())")[0]
        # Barman considers a file complete once there is a part of the next.
        self.server.query("INSERT INTO written VALUES (now())")
        streamed = self.home / "crm" / "streaming"

        def received() -> bool:
            return any(path.stem > name for path in streamed.glob("*.partial"))

        assert processes.wait_until(received, SECONDS), f"{name} was not received"
        self.tool("archive-wal", "crm")

    def settle(self) -> None:
        """Take in the log and have Barman check whether its newest backup has all of it."""
        self.take_in()
        self.tool("check-backup", "crm", "latest")
