# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pm2_info on a real pm2: what runs, what only seems to, and nothing that is secret."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsprocesses import processes_part
from tests.integration.crowd import wait_for
from tests.integration.module import ROOT, Modules, Result, failed
from tests.support import processes
from tests.support.pm2 import SECRET, Daemon

IDLE = "setInterval(() => {}, 1000);"
# It logs what it was given, as applications do when they cannot connect.
LEAKING = """
console.log('listening');
const password = process.env.DB_PASSWORD;
console.error('Error: login as app failed, DB_PASSWORD is ' + password + '\\n    at error (/srv/a.js:1:2)');
console.error('cannot reach error service with ' + process.argv.join(' '));
setInterval(() => {}, 1000);
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's files")


def info(daemon: Daemon, **options: Any) -> Modules:
    quick = {"samples": 1, "trend_seconds": 0, "min_uptime": 0}
    return Modules({"pm2": str(daemon.program), "home": str(daemon.home), **quick, **options})


def by_name(result: Result) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in result["processes"]}


def written(path: Path, text: str) -> None:
    wait_for(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")


def test_processes_that_run_and_what_they_log(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(LEAKING, "api", "--time", "--", f"--token={SECRET}", "--key", SECRET)
    pm2_daemon.start(IDLE, "worker", "-i", "2")
    written(pm2_daemon.log("api-error"), "service")
    done = info(pm2_daemon, samples=3, trend_seconds=1.2, min_uptime=0.1).ok("pm2_info")
    assert (done["changed"], done["ok"], done["problems"], done["missing"]) == (False, True, [], [])
    assert (done["online"], done["alive"], done["restarts"]) == (3, 3, 0)
    assert [one["name"] for one in done["processes"]] == ["api", "worker", "worker"]
    for one in done["processes"]:
        assert processes.alive(one["pid"])
        assert 0.1 <= one["uptime_seconds"] < 60
        status = Path(f"/proc/{one['pid']}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0]) * 1024
        assert abs(one["memory_bytes"] - resident) < 20e6
        assert len(one["memory_samples"]) == 3
        assert one["memory_slope_bytes_per_minute"] is not None
    api = by_name(done)["api"]
    assert (api["exec_mode"], by_name(done)["worker"]["exec_mode"]) == ("fork_mode", "cluster_mode")
    assert (api["error_lines_in_last"], api["error_lines_since"], api["last_lines_read"]) == (2, 2, 4)
    assert (done["error_lines_in_last"], done["distinct_count"], done["logs_read"]) == (2, 2, True)
    assert {log["since_by"] for log in api["log_files"]} == {"timestamps"}
    assert "Error: login as app failed, DB_PASSWORD is <secret>" in [one["message"] for one in done["messages"]]
    said = json.dumps(done)
    assert SECRET not in said
    assert 'DB_PASSWORD"' not in said


def test_the_count_is_the_plans_but_it_ends(pm2_daemon: Daemon) -> None:
    lines = ["Error: one", "fine", "socket ERROR", "TypeError: x", "warn"] * 40
    pm2_daemon.start(f"console.error({json.dumps(chr(10).join(lines))}); console.log('no error'); {IDLE}", "api")
    written(pm2_daemon.log("api-out"), "no error")
    wait_for(lambda: len(pm2_daemon.log("api-error").read_text().splitlines()) == 200, "the log")
    done = info(pm2_daemon).ok("pm2_info")
    # What the plan's pipeline would have counted if it had ended, and had left out pm2's own lines.
    plan = pm2_daemon.run("logs", "--nostream", "--lines", "100").splitlines()
    counted = [line for line in plan if re.match(r"\S*[0-9]+\|api", line) and "error" in line.lower()]
    assert done["error_lines_in_last"] == len(counted) == 61
    assert done["error_lines_since"] == 121


def test_online_is_not_believed(pm2_daemon: Daemon) -> None:
    gone = pm2_daemon.home / "gone"
    gone.mkdir()
    if os.geteuid() == 0:
        os.chown(gone, pm2_daemon.home.stat().st_uid, -1)
    script = pm2_daemon.home / "lost.js"
    script.write_text(IDLE)
    # As a task does that sets no working directory, and whose current one is removed afterwards.
    pm2_daemon.run("start", str(script), "--name", "lost", cwd=gone)
    looping = "setTimeout(() => process.exit(1), 400)"
    # By default pm2 gives up after 16 restarts of less than a second each. On a loaded machine a start alone takes
    # longer, and then it never gives up.
    gives_up = {"crashed": {"max_restarts": 2, "min_uptime": "1h"}}
    pm2_daemon.start_all(gives_up, frozen=IDLE, stopped=IDLE, crashed="throw new Error('once')", looping=looping)
    pm2_daemon.run("stop", "stopped")
    pm2_daemon.run("save")
    pm2_daemon.run("kill")
    gone.rmdir()
    pm2_daemon.run("resurrect")
    wait_for(lambda: by_name(info(pm2_daemon).ok("pm2_info"))["crashed"]["status"] == "errored", "the end", 60)
    frozen = by_name(info(pm2_daemon).ok("pm2_info"))["frozen"]["pid"]
    os.kill(frozen, signal.SIGSTOP)
    try:
        done = info(pm2_daemon, min_uptime=5, expected=1).ok("pm2_info")
    finally:
        os.kill(frozen, signal.SIGCONT)
    found = by_name(done)
    assert not any(one["ok"] for one in done["processes"])
    assert (found["lost"]["status"], found["lost"]["online"], found["lost"]["pid"]) == ("online", True, None)
    assert "lost (0): pm2 says online, but it has no process" in done["problems"]
    assert found["crashed"]["why_not"] == "pm2 says errored"
    assert found["stopped"]["why_not"] == "pm2 says stopped"
    assert found["frozen"]["why_not"] == f"its process {frozen} is stopped by a signal"
    # Seen while it is up, or while pm2 waits to start it again.
    assert "s only, after" in found["looping"]["why_not"] or "pm2 says" in found["looping"]["why_not"]
    assert "0 processes are up, 1 are expected" in done["problems"]
    assert (done["ok"], done["changed"]) == (False, False)


def test_which_processes_and_how_many(pm2_daemon: Daemon) -> None:
    pm2_daemon.start_all(api=IDLE, other=IDLE)
    pm2_daemon.run("stop", "other")
    assert info(pm2_daemon, names=["api"], expected=1).ok("pm2_info")["ok"] is True
    assert info(pm2_daemon, names=["api"], expected=2).ok("pm2_info")["problems"] == [
        "1 processes are up, 2 are expected"
    ]
    done = info(pm2_daemon, names=["api", "cron"]).ok("pm2_info", check=True)
    assert (done["ok"], done["missing"], done["problems"]) == (False, ["cron"], ["pm2 has no process cron"])
    pm2_daemon.run("delete", "all")
    none = info(pm2_daemon).ok("pm2_info")
    assert (none["ok"], none["problems"]) == (False, ["pm2 has no process of the application"])
    assert (none["error_lines_in_last"], none["logs_read"]) == (None, False)


def test_trend_restarts_and_new_errors_since_an_earlier_look(pm2_daemon: Daemon) -> None:
    leaking = "const kept = []; setInterval(() => kept.push(Buffer.alloc(2e6, 1)), 50);"
    pm2_daemon.start_all(leaking=f"console.error('Error: old');{leaking}", idle=IDLE)
    written(pm2_daemon.log("leaking-error"), "old")
    first = info(pm2_daemon).ok("pm2_info")
    assert first["error_lines_since"] == 1
    pm2_daemon.run("restart", "idle")
    with pm2_daemon.log("leaking-error").open("a") as log:
        log.write("Error: new\nError: new\n")
    time.sleep(1.2)
    later = info(pm2_daemon, previous=first["processes"]).ok("pm2_info")
    found = by_name(later)
    assert found["leaking"]["memory_slope_bytes_per_minute"] > 600e6
    assert (found["leaking"]["restarts_since_previous"], found["idle"]["restarts_since_previous"]) == (0, 1)
    assert found["idle"]["memory_slope_bytes_per_minute"] is None
    assert (later["error_lines_in_last"], later["error_lines_since"], later["error_lines_recent"]) == (3, 2, 2)
    assert {log["since_by"] for log in found["leaking"]["log_files"]} == {"position", "mtime"}


def test_a_log_that_processes_share_counts_once_in_the_sum(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(f"console.error('Error: both'); {IDLE}", "api", "-i", "2", "--merge-logs")
    shared = pm2_daemon.log("api-error")
    wait_for(lambda: shared.exists() and shared.read_text().count("both") == 2, "both")
    done = info(pm2_daemon).ok("pm2_info")
    assert [one["error_lines_in_last"] for one in done["processes"]] == [2, 2]
    assert (done["error_lines_in_last"], done["messages"][0]["count"]) == (2, 2)


def test_a_log_that_cannot_be_read_is_not_one_without_errors(pm2_daemon: Daemon, directory: Path) -> None:
    pm2_daemon.start(f"console.error('Error: x'); {IDLE}", "api")
    pm2_daemon.start(IDLE, "silent", "--output", "/dev/null", "--error", "/dev/null")
    written(pm2_daemon.log("api-error"), "x")
    pm2_daemon.log("api-error").unlink()
    secret = directory / "secret"
    secret.write_text("error: root's own\n")
    secret.chmod(0o600)
    pm2_daemon.log("api-out").unlink()
    pm2_daemon.log("api-out").symlink_to(secret)
    done = info(pm2_daemon).ok("pm2_info")
    api, silent = done["processes"]
    assert (api["ok"], api["logs_read"], done["logs_read"]) == (True, False, False)
    assert {log["path"]: log["state"] for log in api["log_files"]}[str(pm2_daemon.log("api-error"))] == "missing"
    assert (silent["log_files"], silent["error_lines_in_last"], silent["logs_read"]) == ([], None, False)
    assert any("writes no log" in warning for warning in done["warnings"])
    assert any("api-error.log: there is no such file" in warning for warning in done["warnings"])
    if os.geteuid() == 0:
        assert api["error_lines_in_last"] is None
        assert "root's own" not in json.dumps(done)


def test_fresh_errors_of_an_application_in_another_zone_count(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(f"console.error('started'); {IDLE}", "api")
    written(pm2_daemon.log("api-error"), "started")
    # Its clock is three hours behind the host's, and what was written last has no timestamp.
    there = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + time.localtime().tm_gmtoff - 3 * 3600 - 20))
    with pm2_daemon.log("api-error").open("a") as log:
        log.write(f"[{there}] Error: boom\n" * 10 + "(node:7) Warning: something\n")
    done = info(pm2_daemon, since=600).ok("pm2_info")
    assert (done["error_lines_recent"], done["recent_known"]) == (10, True)
    assert "local_timestamps" in {log["since_by"] for log in done["processes"][0]["log_files"]}
    assert any("name no zone" in warning for warning in done["warnings"])
    part = processes_part(["app1"], [done], {"error_lines_recent": 5})
    assert part["bad"][0].startswith("up to 10 error lines since ")


def test_an_archive_that_could_hold_new_errors_and_cannot_be_read_is_no_log_without_errors(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(f"console.error('Error: x'); {IDLE}", "api")
    written(pm2_daemon.log("api-error"), "x")
    log = pm2_daemon.log("api-error")
    os.truncate(log, 0)
    archive = log.with_name(log.name + ".1.gz")
    archive.write_bytes(b"no archive")
    shutil.chown(archive, log.owner())
    done = info(pm2_daemon, since=600).ok("pm2_info")
    assert (done["logs_read"], done["error_lines_recent"]) == (True, 0)
    assert (done["recent_known"], done["processes"][0]["recent_known"]) == (False, False)
    part = processes_part(["app1"], [done], {"error_lines_recent": 5})
    (bad,) = part["bad"]
    assert bad == "the errors on app1 are not all known, for a log could not be read as far back as they count"
    assert "api-error.log.1.gz: the archive is damaged" in "\n".join(part["lines"])
    # An archive that was written before the moment from which errors count hides none.
    os.utime(archive, (time.time() - 900, time.time() - 900))
    assert info(pm2_daemon, since=600).ok("pm2_info")["recent_known"] is True


def test_a_pattern_without_end_costs_its_time_and_no_more(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(f"console.error('{'a' * 60}b'); {IDLE}", "api")
    written(pm2_daemon.log("api-error"), "aab")
    started = time.monotonic()
    done = info(pm2_daemon, error_pattern="(a+)+$", deadline=2).ok("pm2_info")
    assert 1 < time.monotonic() - started < 5
    assert (done["logs_read"], done["processes"][0]["ok"]) == (False, True)
    assert "slow" in {log["state"] for log in done["processes"][0]["log_files"]}


def test_no_daemon_is_started_where_none_runs(pm2_daemon: Daemon) -> None:
    pm2_daemon.start(IDLE, "api")
    (pm2_daemon.home / "pm2.pid").rename(pm2_daemon.home / "kept")
    failed(info(pm2_daemon).run("pm2_info"), "no_daemon")
    (pm2_daemon.home / "kept").rename(pm2_daemon.home / "pm2.pid")
    pm2_daemon.run("kill")
    # What a crash leaves: the file and the socket; the pid belongs to another process by now.
    (pm2_daemon.home / "pm2.pid").write_text(str(os.getpid()))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(pm2_daemon.home / "rpc.sock"))
    done = info(pm2_daemon).fails("no_daemon", "pm2_info")
    assert "processes" not in done
    (pm2_daemon.home / "pm2.pid").unlink()
    home = str(pm2_daemon.home)
    assert not processes.matching(lambda arguments: home in " ".join(arguments)), "a daemon was started"


@as_root
def test_what_is_missing_is_said(pm2_daemon: Daemon, directory: Path) -> None:
    pm2_daemon.start(IDLE, "api")
    here = info(pm2_daemon)
    told = here.fails("no_home", "pm2_info", home=str(directory / "other"))
    assert str(pm2_daemon.home) in told["error"]["todo"], "the home that has a daemon is named"
    (directory / "empty").mkdir()
    here.fails("no_daemon", "pm2_info", home=str(directory / "empty"))
    here.fails("no_program", "pm2_info", pm2="/nonexistent/pm2")
    here.fails("bad_pattern", "pm2_info", error_pattern="(")
    here.fails("bad_option", "pm2_info", deadline=0)
    here.fails("bad_option", "pm2_info", samples=1000)
    noisy = directory / "noisy"
    noisy.write_text(f"#!/bin/sh\necho 'no list, but {SECRET}'\n")
    noisy.chmod(0o755)
    assert SECRET not in json.dumps(here.fails("bad_answer", "pm2_info", pm2=str(noisy)))
    noisy.write_text("#!/usr/bin/env no-such-node\n")
    here.fails("no_node", "pm2_info", pm2=str(noisy))
    skipped = here.ok("pm2_info", pm2="")
    assert (skipped["skipped"], skipped["processes"]) == (True, [])


@as_root
def test_another_user_is_told_to_become_the_owner(pm2_daemon: Daemon) -> None:
    other = next(one for one in pwd.getpwall() if one.pw_uid not in (0, pm2_daemon.home.stat().st_uid))
    pm2_daemon.home.chmod(0o755)
    setpriv = shutil.which("setpriv") or ""
    prefix = [setpriv, f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups"]
    probe = [*prefix, sys.executable, "-c", "import ansible"]
    if subprocess.run(probe, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("the checkout cannot be entered by other users")
    result = Modules(info(pm2_daemon).options, prefix=prefix).fails("other_user", "pm2_info")
    assert "belongs to" in result["error"]["what"]


@as_root
def test_the_owners_files_stay_the_owners(pm2_daemon: Daemon) -> None:
    script = pm2_daemon.start(IDLE, "api")
    info(pm2_daemon).ok("pm2_info")
    owners = {path.owner() for path in pm2_daemon.home.rglob("*") if path != script}
    assert len(owners) == 1, "root left files of its own in pm2's home"
