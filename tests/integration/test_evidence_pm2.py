# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and logs of a real pm2, without their environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.crowd import wait_for
from tests.integration.test_evidence_application import SECRET, collector, content, everything, index_of, reasons
from tests.support import accounts, processes
from tests.support.servers import workspace

PM2 = "pm2@7.0.4"


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    """The program of a real pm2, installed for this run where every account reaches it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so there is no pm2 to try")
    with workspace() as place:
        command = [npm, "install", "--prefix", str(place), "--no-audit", "--no-fund", "--no-save", PM2]
        environment = {**os.environ, "HOME": str(place), "npm_config_cache": str(place / "cache")}
        try:
            done = subprocess.run(command, cwd=place, env=environment, check=False, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip("pm2 could not be installed within 120 s")
        if done.returncode:
            pytest.skip(f"pm2 could not be installed: {done.stderr.decode(errors='replace')[-200:]}")
        yield place / "node_modules/.bin/pm2"


@dataclass
class Running:
    """A pm2 daemon of the test's own, with two processes whose environment holds a secret."""

    program: Path
    home: Path

    def run(self, *arguments: str) -> None:
        environment = accounts.environment(
            {"PM2_HOME": str(self.home), "HOME": str(self.home), "PM2_DISCRETE_MODE": "true"}
        )
        account = accounts.drop(accounts.unprivileged())
        command = [str(self.program), *arguments]
        environment["DB_PASSWORD"] = SECRET
        subprocess.run(command, cwd=self.home, env=environment, check=True, capture_output=True, timeout=60, **account)

    @property
    def daemon(self) -> int:
        return int((self.home / "pm2.pid").read_text())


@pytest.fixture
def pm2(program: Path, directory: Path) -> Iterator[Running]:
    home = directory / "pm2"
    accounts.own_directory(home, accounts.unprivileged())
    script = home / "api.js"
    script.write_text("console.log('said this'); console.error('failed'); setInterval(() => {}, 1000)")
    running = Running(program, home)
    running.run("start", str(script), "--name", "api", "--", f"--token={SECRET}")
    family = [running.daemon, *processes.descendants(running.daemon)]
    try:
        yield running
    finally:
        running.run("kill")
        processes.end([pid for pid in family if processes.alive(pid)], (), 10)


def test_processes_and_logs_of_pm2_without_their_environment(pm2: Running, directory: Path) -> None:
    wait_for(lambda: "said" in (pm2.home / "logs/api-out.log").read_text(), "the log")
    done = collector(directory, pm2=str(pm2.program), pm2_home=str(pm2.home)).ok("evidence")
    assert done["missing"] == []
    (api,) = json.loads(content(done, "processes.json"))
    assert (api["name"], api["status"], api["restart_time"]) == ("api", "online", 0)
    assert processes.alive(api["pid"])
    assert api["pm_exec_path"] == str(pm2.home / "api.js")
    assert api["memory"] > 0
    logs = {entry["from"]: entry["name"] for entry in index_of(done)["files"] if "from" in entry}
    assert content(done, logs[str(pm2.home / "logs/api-out.log")]) == b"said this\n"
    assert content(done, logs[str(pm2.home / "logs/api-error.log")]) == b"failed\n"
    assert SECRET not in everything(directory / "evidence")
    assert SECRET not in json.dumps(done)
    owners = {path: path.owner() for path in pm2.home.rglob("*") if path.name != "api.js"}
    assert len(set(owners.values())) == 1, f"root left files of its own in pm2's home: {owners}"


def test_where_no_daemon_runs_none_is_started_and_its_logs_are_kept(pm2: Running, directory: Path) -> None:
    pm2.run("kill")
    wait_for(lambda: not (pm2.home / "pm2.pid").exists() or not processes.alive(pm2.daemon), "the daemon's end")
    done = collector(directory, pm2=str(pm2.program), pm2_home=str(pm2.home)).ok("evidence")
    assert "No pm2 daemon runs" in reasons(done)["processes"]
    assert {Path(entry["from"]).name for entry in index_of(done)["files"]} >= {"api-out.log", "api-error.log"}
    assert not processes.matching(lambda arguments: str(pm2.home) in " ".join(arguments)), "a daemon was started"


def test_a_pm2_that_hangs_costs_five_seconds(directory: Path) -> None:
    home = directory / "home"
    home.mkdir()
    (home / "pm2.pid").write_text(str(os.getpid()))
    hanging = directory / "pm2"
    hanging.write_text(f"#!/bin/sh\necho $$ > {directory}/pid\nsleep 60 & wait\n")
    hanging.chmod(0o755)
    log = directory / "app.log"
    log.write_text("x")
    started = time.monotonic()
    done = collector(directory, pm2=str(hanging), pm2_home=str(home), log_files=[str(log)]).ok("evidence")
    assert 5 <= time.monotonic() - started < 8
    assert "did not answer" in reasons(done)["processes"]
    assert [entry["name"] for entry in index_of(done)["files"]] == ["log-01-app.log"]
    assert processes.gone([int((directory / "pid").read_text())], 5)
