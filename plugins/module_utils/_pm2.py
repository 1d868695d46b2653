# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program pm2, run as the owner of its home and only if its daemon runs. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pathowners import foreign_link, not_roots_own
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2list import WHY, processes_of

# Where node and pm2 usually are, for a PATH as short as sudo's.
_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/bin")
# Exit codes of env when there is no node; the second when a directory of PATH may not be entered.
_NO_NODE = (127, 126)
# The title of a daemon's process, with its home.
_DAEMON = re.compile(r"PM2 v\S+: God Daemon \((/[^\x00-\x1f]{1,200})\)")
_SOCKET_SECONDS = 1.0
_PID_BYTES = 64


class Pm2:
    """One pm2, by its home directory; root runs it as the owner of that directory."""

    def __init__(self, program: str, home: str | None) -> None:
        given = home or os.environ.get("PM2_HOME") or "~/.pm2"
        self.home = Path(os.path.abspath(os.path.expanduser(given)))
        self._program = program

    @property
    def owner(self) -> pwd.struct_passwd:
        """The account that owns pm2's home; raises KanbanError."""
        try:
            uid = self.home.stat().st_uid
            owner = pwd.getpwuid(uid)
            link = foreign_link(str(self.home), uid) if os.geteuid() == 0 else None
        except FileNotFoundError:
            raise _no("no_home", f"There is no directory {self.home}.", _elsewhere()) from None
        except KeyError:
            raise _no("no_account", f"{self.home} belongs to uid {uid}, which has no account here.") from None
        except OSError as error:
            raise _no("other_user", f"{self.home} cannot be entered: {error.strerror}.", _BECOME) from None
        if os.geteuid() not in (0, owner.pw_uid):
            me = f"uid {os.geteuid()}"
            raise _no("other_user", f"{self.home} belongs to {owner.pw_name}, and this runs as {me}.", _BECOME)
        if link:
            # Whoever made it would have pm2 run as an account of their choice.
            what = f"{link} is a link that belongs neither to root nor to {owner.pw_name}, to whom it leads."
            raise _no("other_user", what, "Give as pm2's home the directory itself.")
        return owner

    @property
    def daemon(self) -> int | None:
        """The daemon's pid from its own file; None if no daemon runs."""
        try:
            # A pipe in its place does not hold this up, nor does a file without end.
            handle = open_own(str(self.home / "pm2.pid"))
            try:
                pid = int(os.read(handle, _PID_BYTES))
            finally:
                os.close(handle)
            os.kill(pid, 0)
        except PermissionError:
            return pid
        except (OSError, ValueError, OverflowError):
            return None
        return pid

    def processes(self, seconds: float) -> list[dict[str, Any]]:
        """Return the processes; raises KanbanError or OSError. ``seconds`` is how long pm2 may take."""
        return processes_of(self.listing(seconds))

    def listing(self, seconds: float) -> str:
        """Return what ``pm2 jlist`` prints, including secrets; raises KanbanError or OSError."""
        command, environment = self.command("jlist")
        # Without a daemon pm2 would start one, and with it whatever that user's environment says.
        if not self._listens():
            raise _no("no_daemon", f"No pm2 daemon runs for {self.home}.", _elsewhere())
        return _run(command, environment, seconds)

    def _listens(self) -> bool:
        """Return whether pm2 will find its daemon: by the socket, because its pid may now be another process's."""
        if self.daemon is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_SOCKET_SECONDS)
            try:
                probe.connect(str(self.home / "rpc.sock"))
            except socket.timeout:
                return True  # The daemon listens but is busy; the call of pm2 has its own time limit.
            except OSError:
                return False
        return True

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return the argument list and the whole environment of one call; raises KanbanError."""
        owner = self.owner
        path = os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *_DIRECTORIES]))
        beside = self._beside_node(owner)
        program = shutil.which(os.path.expanduser(self._program), path=os.pathsep.join((path, *beside)))
        if program is None:
            raise _no(
                "no_program",
                f"There is no program {self._program}.",
                "Give pm2's whole path (which pm2, as the application's user); nvm keeps it out of PATH.",
            )
        program = os.path.abspath(program)
        changed = _changed_by_others(owner, program)
        if changed:
            what = f"{self.home} is root's, and {changed} on the way to {program} may be changed by others."
            raise _no("other_user", what, "Give a pm2 that only root can change, or the application's own home of pm2.")
        environment = {
            # pm2 starts with "env node", and nvm keeps node beside it.
            "PATH": os.pathsep.join((os.path.dirname(program), path, *beside)),
            "HOME": owner.pw_dir,
            "USER": owner.pw_name,
            "LC_ALL": "C.UTF-8",
            "PM2_HOME": str(self.home),
            # Otherwise its first use prints a banner and phones home.
            "PM2_DISCRETE_MODE": "true",
        }
        # Not one that lies beside pm2, where the owner may have put it: this is still root.
        setpriv = shutil.which("setpriv", path=path) or "/usr/bin/setpriv"
        as_owner = [setpriv, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--init-groups"]
        prefix = as_owner if os.geteuid() == 0 and owner.pw_uid != 0 else []
        return [*prefix, program, *arguments], environment

    def _beside_node(self, owner: pwd.struct_passwd) -> list[str]:
        """Return the directory of the node that the daemon runs with: nvm keeps pm2 there, and out of PATH."""
        if self.daemon is None:
            return []
        try:
            node = os.readlink(f"/proc/{self.daemon}/exe")
        except OSError:
            return []
        if os.path.basename(node) != "node" or _changed_by_others(owner, node):
            return []
        return [os.path.dirname(node)]


def _changed_by_others(owner: pwd.struct_passwd, program: str) -> str | None:
    """Return what others than root may change on the way to a program that would run as root."""
    if os.geteuid() != 0 or owner.pw_uid != 0:
        return None
    try:
        return not_roots_own(program)
    except OSError:
        return program


def _run(command: list[str], environment: dict[str, str], seconds: float) -> str:
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
        raise _no("pm2_timeout", f"pm2 did not answer within {seconds:.1f} s.", _BY_HAND) from None
    if process.returncode in _NO_NODE:
        raise _no("no_node", "pm2 cannot run: there is no node on its path, or its user may not run it.", _NODE)
    if process.returncode != 0:
        # Its own words are not repeated: they may quote the environment.
        raise _no("pm2_failed", f"pm2 {command[-1]} ended with status {process.returncode}.", _BY_HAND)
    return output.decode(errors="replace")


_BECOME = "Run it as that user, or as root, which becomes that user for it."
_BY_HAND = "Run pm2 list by hand as the owner of pm2's home."
_NODE = "Give the whole path of the pm2 that lies beside node, for instance below ~/.nvm of the application's user."
_CHECK = "Check pm2 and its home, and that this runs as pm2's user or as root."


def _no(code: str, what: str, todo: str = _CHECK) -> KanbanError:
    return KanbanError(code, what, WHY, todo)


def _elsewhere() -> str:
    """Return what to do if this home has no daemon, naming the homes of the daemons that run."""
    homes = daemon_homes()
    if homes:
        return f"Give as pm2's home the right one; daemons run for {', '.join(homes)}."
    return (
        "Give as pm2's home what PM2_HOME is for the application's user; no daemon of pm2 is to be seen on this host."
    )


def daemon_homes(most: int = 5) -> list[str]:
    """Return the homes of the pm2 daemons that run on this host, as their titles have them."""
    found: set[str] = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and len(found) < most:
            try:
                title = Path(f"/proc/{entry}/cmdline").read_bytes()[:300].decode(errors="replace")
            except OSError:
                continue  # It has ended since.
            match = _DAEMON.match(title)
            if match:
                found.add(match.group(1))
    return sorted(found)
