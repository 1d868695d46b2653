# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of pm2's answer, and how pm2 is run: nothing that could be secret, and no daemon is started by it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2list import processes_of

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
        assert command[:3] == [shutil.which("setpriv"), f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
        assert command[-2:] == [str(program), "jlist"]
        assert environment["HOME"] == nobody.pw_dir


@pytest.fixture
def home() -> Iterator[Path]:
    """Yield a home of pm2 whose daemon is this test: it listens, and has a pid."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kanban-") as name, socket.socket(socket.AF_UNIX) as server:
        (Path(name) / "pm2.pid").write_text(str(os.getpid()))
        server.bind(f"{name}/rpc.sock")
        server.listen()
        yield Path(name)


def program(place: Path, text: str) -> str:
    path = place / "pm2"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("pid", [None, "", "x", "4194305", "9" * 30])
def test_a_daemon_whose_process_is_gone_is_not_asked(home: Path, pid: str | None) -> None:
    (home / "pm2.pid").unlink()
    if pid is not None:
        (home / "pm2.pid").write_text(pid)
    with pytest.raises(KanbanError, match="No pm2 daemon runs") as refused:
        Pm2("/bin/false", str(home)).processes(1)
    assert refused.value.code == "no_daemon"


def test_a_pid_that_is_another_process_by_now_is_no_daemon(home: Path) -> None:
    assert Pm2(program(home, "#!/bin/sh\necho '[]'\n"), str(home)).processes(5) == []
    (home / "rpc.sock").unlink()
    with pytest.raises(KanbanError, match="No pm2 daemon runs"):
        Pm2(program(home, "#!/bin/sh\necho '[]'\n"), str(home)).processes(5)


def test_a_program_that_is_not_there_or_fails_is_named_without_its_words(home: Path) -> None:
    with pytest.raises(KanbanError, match="There is no program no-such-pm2") as refused:
        Pm2("no-such-pm2", str(home)).processes(5)
    assert refused.value.code == "no_program"
    failing = program(home, f"#!/bin/sh\necho {SECRET}; echo {SECRET} >&2; exit 3\n")
    with pytest.raises(KanbanError, match="ended with status 3") as refused:
        Pm2(failing, str(home)).processes(5)
    assert (refused.value.code, SECRET in str(refused.value)) == ("pm2_failed", False)


def test_where_node_is_missing_that_is_said(home: Path) -> None:
    without = program(home, "#!/usr/bin/env no-such-node\n")
    with pytest.raises(KanbanError, match="no node") as refused:
        Pm2(without, str(home)).processes(5)
    assert refused.value.code == "no_node"


def test_a_program_that_lies_beside_the_node_of_the_daemon_is_found(home: Path) -> None:
    """With nvm, pm2 is on nobody's PATH; here node is a copy of sleep."""
    bin_directory = home / "nvm"
    bin_directory.mkdir()
    shutil.copy("/bin/sleep", bin_directory / "node")
    program(bin_directory, "#!/bin/sh\nnode 0 && echo '[]'\n")
    with subprocess.Popen([str(bin_directory / "node"), "60"]) as daemon:
        try:
            (home / "pm2.pid").write_text(str(daemon.pid))
            command, environment = Pm2("pm2", str(home)).command("jlist")
            assert command[-2:] == [str(bin_directory / "pm2"), "jlist"]
            assert environment["PATH"].startswith(f"{bin_directory}:")
            assert Pm2("pm2", str(home)).processes(5) == []
        finally:
            daemon.kill()


def test_another_home_is_an_error_that_names_those_with_a_daemon(tmp_path: Path) -> None:
    # Several daemons of one home, as in containers on this host, count as one home.
    homes = [*["/home/app/.pm2"] * 6, "/home/deploy/.pm2"]
    commands = [["bash", "-c", f'exec -a "PM2 v7.0.4: God Daemon ({each})" sleep 60'] for each in homes]
    with contextlib.ExitStack() as stack:
        daemons = [stack.enter_context(subprocess.Popen(command)) for command in commands]
        try:
            for daemon in daemons:
                title = Path(f"/proc/{daemon.pid}/cmdline")
                wait_for(partial(_says_daemon, title))
            with pytest.raises(KanbanError, match="There is no directory") as refused:
                Pm2("pm2", str(tmp_path / "none")).processes(1)
            assert refused.value.code == "no_home"
            assert "/home/deploy/.pm2" in refused.value.todo
        finally:
            for daemon in daemons:
                daemon.kill()


def _says_daemon(title: Path) -> bool:
    # At the beginning: until bash has become it, the title is bash's, which has these words further on.
    return title.read_bytes().startswith(b"PM2 v")


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_the_home_of_another_user_is_refused(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    code = (
        "import sys; from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2\n"
        "try: Pm2('pm2', sys.argv[1]).processes(5)\nexcept Exception as error: print(error.code, error.what)"
    )
    home.chmod(0o755)
    for mode, what in ((0o755, "belongs to root"), (0o700, "belongs to root")):
        home.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", code, str(home)], env={"PYTHONPATH": os.pathsep.join(sys.path)}, cwd="/",
            user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.stdout.startswith("other_user"), done.stderr
        assert what in done.stdout
