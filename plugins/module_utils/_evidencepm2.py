# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pm2 knows of its processes, without their environment. Neither Ansible nor a driver."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

# Nothing else of ``pm2 jlist`` is kept: it prints the whole environment, passwords included, and the arguments.
_PROCESS = ("name", "pid", "pm_id")
_STATE = (
    "status",
    "restart_time",
    "unstable_restarts",
    "pm_uptime",
    "created_at",
    "exec_mode",
    "instances",
    "node_version",
    "version",
    "pm_exec_path",
    "pm_out_log_path",
    "pm_err_log_path",
)
_USE = ("memory", "cpu")
_LOGS = ("pm_out_log_path", "pm_err_log_path")
# Where node and pm2 are wont to lie, for a PATH as short as sudo's.
_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/bin")


def processes_of(text: str) -> list[dict[str, Any]]:
    """Return what may be kept of the answer to ``pm2 jlist``; raises KanbanError when it is no list.

    Notices (a newer pm2 than the daemon's) come before the list, on lines of their own.
    """
    for start in [0, *(place + 1 for place, letter in enumerate(text) if letter == "\n")]:
        if text[start : start + 1] != "[":
            continue
        try:
            found, _end = json.JSONDecoder().raw_decode(text[start:])
        except ValueError:
            continue
        if all(isinstance(one, dict) for one in found):
            return [_kept(one) for one in found]
    raise _no_answer("pm2 jlist printed no list of processes.")


def _kept(process: Mapping[str, Any]) -> dict[str, Any]:
    state, use = _map(process.get("pm2_env")), _map(process.get("monit"))
    kept = {name: _plain(process.get(name)) for name in _PROCESS}
    kept.update({name: _plain(state[name]) for name in _STATE if name in state})
    kept.update({name: _plain(use[name]) for name in _USE if name in use})
    return kept


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    """Return a number or text; anything else could hold what was not meant to be kept."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else None


def log_paths(processes: list[dict[str, Any]]) -> list[str]:
    """Return the log files that the processes name, each once, in their order."""
    named = [process.get(name) for process in processes for name in _LOGS]
    return list(dict.fromkeys(path for path in named if isinstance(path, str) and path.startswith("/")))


class Pm2:
    """One pm2, by its home directory; as root it is run as the owner of that."""

    def __init__(self, program: str, home: str | None) -> None:
        given = home or os.environ.get("PM2_HOME") or "~/.pm2"
        self.home = Path(os.path.abspath(os.path.expanduser(given)))
        self._program = program

    def processes(self, seconds: float) -> list[dict[str, Any]]:
        """Return the processes; raises KanbanError or OSError. ``seconds`` is what pm2 may take."""
        # Without a daemon pm2 would start one, and with it whatever that user's environment says.
        if not self._has_daemon():
            raise _no_answer(f"No pm2 daemon runs for {self.home}.")
        return processes_of(self._run("jlist", seconds))

    def _has_daemon(self) -> bool:
        try:
            os.kill(int((self.home / "pm2.pid").read_text()), 0)
        except PermissionError:
            return True
        except (OSError, ValueError):
            return False
        return True

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return the argument list and the whole environment of one call; raises KanbanError."""
        owner = pwd.getpwuid(self.home.stat().st_uid)
        path = os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *_DIRECTORIES]))
        program = shutil.which(os.path.expanduser(self._program), path=path)
        if program is None:
            raise _no_answer(f"There is no program {self._program}.")
        environment = {
            # pm2 starts with "env node", and nvm keeps node beside it.
            "PATH": os.pathsep.join((os.path.dirname(os.path.abspath(program)), path)),
            "HOME": owner.pw_dir,
            "USER": owner.pw_name,
            "LC_ALL": "C.UTF-8",
            "PM2_HOME": str(self.home),
            # Or its first use prints a banner and phones home.
            "PM2_DISCRETE_MODE": "true",
        }
        as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--init-groups"]
        prefix = as_owner if os.geteuid() == 0 and owner.pw_uid != 0 else []
        return [*prefix, program, *arguments], environment

    def _run(self, argument: str, seconds: float) -> str:
        command, environment = self.command(argument)
        process = subprocess.Popen(  # noqa: S603 - a list, no shell  # pylint: disable=ansible-bad-function
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            output, _none = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise _no_answer(f"pm2 did not answer within {seconds:.1f} s.") from None
        if process.returncode != 0:
            # Its own words are not repeated: they may quote the environment.
            raise _no_answer(f"pm2 {argument} ended with status {process.returncode}.")
        return output.decode(errors="replace")


def _no_answer(what: str) -> KanbanError:
    return KanbanError(
        "no_pm2",
        what,
        "The list of processes is missing from the evidence.",
        "Check pm2 and pm2_home, and that this runs as pm2's user or as root.",
    )
