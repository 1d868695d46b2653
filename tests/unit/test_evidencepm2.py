# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of pm2's answer, and of an address: never what could be secret."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencehttp import shown, split
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencepm2 import Pm2, log_paths, processes_of

SECRET = "tr0ub4dor"
PROCESS: dict[str, Any] = {
    "name": "api",
    "pid": 17,
    "pm_id": 0,
    "pm2_env": {
        "status": "online",
        "restart_time": 3,
        "unstable_restarts": 0,
        "pm_uptime": 1_700_000_000_000,
        "pm_exec_path": "/srv/api/server.js",
        "pm_out_log_path": "/home/deploy/.pm2/logs/api-out.log",
        "pm_err_log_path": "/home/deploy/.pm2/logs/api-error.log",
        "DB_PASSWORD": SECRET,
        "env": {"DB_PASSWORD": SECRET},
        "args": [f"--token={SECRET}"],
        "axm_monitor": {"note": SECRET},
        "version": {"unexpected": SECRET},
    },
    "monit": {"memory": 1000, "cpu": 0.5, "note": SECRET},
    "PASSWORD": SECRET,
}


def test_environment_and_arguments_are_not_kept() -> None:
    (kept,) = processes_of(json.dumps([PROCESS]))
    assert kept == {
        "name": "api",
        "pid": 17,
        "pm_id": 0,
        "status": "online",
        "restart_time": 3,
        "unstable_restarts": 0,
        "pm_uptime": 1_700_000_000_000,
        "version": None,
        "pm_exec_path": "/srv/api/server.js",
        "pm_out_log_path": "/home/deploy/.pm2/logs/api-out.log",
        "pm_err_log_path": "/home/deploy/.pm2/logs/api-error.log",
        "memory": 1000,
        "cpu": 0.5,
    }


@pytest.mark.parametrize(
    "before", ["", "\n", ">>>> In-memory PM2 is out-of-date, do:\n>>>> $ pm2 update\n", "[PM2] Spawning PM2 daemon\n"]
)
@pytest.mark.parametrize("after", ["", "\n", "\n[PM2] done\n"])
def test_notices_around_the_list_are_passed_over(before: str, after: str) -> None:
    assert len(processes_of(before + json.dumps([PROCESS]) + after)) == 1


@pytest.mark.parametrize("text", ["", "{}", "null", "[", "[1]", f"[PM2][ERROR] {SECRET}", '"[]"'])
def test_what_is_no_list_is_an_error_that_repeats_nothing(text: str) -> None:
    with pytest.raises(KanbanError) as refused:
        processes_of(text)
    assert SECRET not in str(refused.value)


def test_no_process_is_an_answer() -> None:
    assert processes_of("[]") == []


@pytest.mark.parametrize("odd", [{}, {"pm2_env": None, "monit": "x"}, {"name": {"a": SECRET}, "pid": [SECRET]}])
def test_odd_processes_are_kept_as_far_as_they_are_plain(odd: dict[str, Any]) -> None:
    (kept,) = processes_of(json.dumps([odd]))
    assert SECRET not in json.dumps(kept)


def test_log_files_are_named_once_and_whole() -> None:
    kept = processes_of(
        json.dumps([PROCESS, PROCESS, {"pm2_env": {"pm_out_log_path": "relative", "pm_err_log_path": 3}}])
    )
    assert log_paths(kept) == ["/home/deploy/.pm2/logs/api-out.log", "/home/deploy/.pm2/logs/api-error.log"]


def test_pm2_is_run_as_the_owner_of_its_home_with_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    program = tmp_path / "bin" / "pm2"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command, environment = Pm2(str(program), str(tmp_path)).command("jlist")
    assert command == [str(program), "jlist"]
    assert environment["PATH"].startswith(f"{program.parent}:")
    assert (environment["PM2_HOME"], environment["PM2_DISCRETE_MODE"]) == (str(tmp_path), "true")
    assert "DB_PASSWORD" not in environment
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
        command, environment = Pm2(str(program), str(tmp_path)).command("jlist")
        assert command[:3] == ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
        assert command[-2:] == [str(program), "jlist"]
        assert environment["HOME"] == nobody.pw_dir


@pytest.mark.parametrize("pid", [None, "", "x", "4194305"])
def test_a_daemon_that_does_not_run_is_not_asked(tmp_path: Path, pid: str | None) -> None:
    if pid is not None:
        (tmp_path / "pm2.pid").write_text(pid)
    with pytest.raises(KanbanError, match="No pm2 daemon runs"):
        Pm2("/bin/false", str(tmp_path)).processes(1)


def test_a_program_that_is_not_there_or_fails_is_named_without_its_words(tmp_path: Path) -> None:
    (tmp_path / "pm2.pid").write_text(str(os.getpid()))
    with pytest.raises(KanbanError, match="There is no program no-such-pm2"):
        Pm2("no-such-pm2", str(tmp_path)).processes(5)
    failing = tmp_path / "pm2"
    failing.write_text(f"#!/bin/sh\necho {SECRET}; echo {SECRET} >&2; exit 3\n")
    failing.chmod(0o755)
    with pytest.raises(KanbanError, match="ended with status 3") as refused:
        Pm2(str(failing), str(tmp_path)).processes(5)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1:3000/metrics", "http://127.0.0.1:3000/metrics"),
        (f"https://me:{SECRET}@app.internal/a/b?key={SECRET}#x", "https://app.internal/a/b"),
        (f"http://{SECRET}@[::1]:80/", "http://[::1]:80/"),
        ("HTTP://HOST", "http://host"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, seen: str) -> None:
    assert shown(split(url)) == seen


@pytest.mark.parametrize(
    "url", ["", "{}", "file:///{}", "ftp://{}/", "http://", "http://{}:99999/", "http://{}:x/", "//{}/", "http://[{}/"]
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        split(url.format(SECRET))
    assert SECRET not in str(refused.value)
