# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and logs of a real pm2, without their environment."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from tests.integration.crowd import wait_for
from tests.integration.test_evidence_application import collector, content, everything, index_of, reasons
from tests.support import processes
from tests.support.pm2 import SECRET, Daemon


@pytest.fixture
def pm2(pm2_daemon: Daemon) -> Daemon:
    """One process, whose environment and arguments hold a secret."""
    script = "console.log('said this'); console.error('failed'); setInterval(() => {}, 1000)"
    pm2_daemon.start(script, "api", "--", f"--token={SECRET}")
    return pm2_daemon


def test_processes_and_logs_of_pm2_without_their_environment(pm2: Daemon, directory: Path) -> None:
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


def test_where_no_daemon_runs_none_is_started_and_its_logs_are_kept(pm2: Daemon, directory: Path) -> None:
    pm2.run("kill")
    wait_for(lambda: not (pm2.home / "pm2.pid").exists() or not processes.alive(pm2.pid), "the daemon's end")
    done = collector(directory, pm2=str(pm2.program), pm2_home=str(pm2.home)).ok("evidence")
    assert "No pm2 daemon runs" in reasons(done)["processes"]
    assert {Path(entry["from"]).name for entry in index_of(done)["files"]} >= {"api-out.log", "api-error.log"}
    assert not processes.matching(lambda arguments: str(pm2.home) in " ".join(arguments)), "a daemon was started"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a file that the home's owner may not read")
@pytest.mark.parametrize("answers", [True, False])
def test_a_link_in_place_of_a_log_takes_no_more_rights_than_its_owners(
    pm2: Daemon, directory: Path, answers: bool
) -> None:
    out, error = pm2.log("api-out"), pm2.log("api-error")
    wait_for(lambda: "said" in out.read_text() and "failed" in error.read_text(), "the logs")
    if not answers:
        pm2.run("kill")
    (directory / "secret").write_text("root's own\n")
    (directory / "secret").chmod(0o600)
    error.unlink()
    error.symlink_to(directory / "secret")
    # A link of theirs to what they may read is followed.
    out.rename(pm2.home / "moved")
    out.symlink_to(pm2.home / "moved")
    done = collector(directory, pm2=str(pm2.program), pm2_home=str(pm2.home)).ok("evidence")
    assert "root's own" not in everything(directory / "evidence")
    assert f"{error}: Permission denied" in reasons(done).values()
    assert {entry["from"] for entry in index_of(done)["files"] if entry.get("from", "").endswith("out.log")} == {
        str(out)
    }
    assert "said this" in everything(directory / "evidence")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a directory of another account")
def test_a_home_that_is_somebodys_link_has_no_logs(pm2: Daemon, directory: Path) -> None:
    (directory / "elsewhere/logs").mkdir(parents=True)
    (directory / "elsewhere/logs/api.log").write_text("root's own\n")
    link = pm2.home / "link"
    link.symlink_to(directory / "elsewhere")
    os.chown(link, pm2.home.stat().st_uid, -1, follow_symlinks=False)
    log = directory / "app.log"
    log.write_text("x")
    options = {"pm2": str(pm2.program), "pm2_home": str(link), "log_files": [str(log)]}
    done = collector(directory, **options).ok("evidence")
    assert "root's own" not in everything(directory / "evidence")
    assert [entry["from"] for entry in index_of(done)["files"]] == [str(log)]
    assert any(f"{link}/logs/api.log: " in reason for reason in reasons(done).values())


def test_a_pm2_that_hangs_costs_five_seconds(directory: Path) -> None:
    home = directory / "home"
    home.mkdir()
    (home / "pm2.pid").write_text(str(os.getpid()))
    hanging = directory / "pm2"
    hanging.write_text(f"#!/bin/sh\necho $$ > {directory}/pid\nsleep 60 & wait\n")
    hanging.chmod(0o755)
    log = directory / "app.log"
    log.write_text("x")
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(home / "rpc.sock"))
        daemon.listen()
        started = time.monotonic()
        done = collector(directory, pm2=str(hanging), pm2_home=str(home), log_files=[str(log)]).ok("evidence")
    assert 5 <= time.monotonic() - started < 8
    assert "did not answer" in reasons(done)["processes"]
    assert [entry["name"] for entry in index_of(done)["files"]] == ["log-01-app.log"]
    assert processes.gone([int((directory / "pid").read_text())], 5)
