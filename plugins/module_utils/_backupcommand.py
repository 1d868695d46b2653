# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the programs of backup tools: as whom, with what environment, for how long. Neither Ansible nor a driver."""

from __future__ import annotations

import os
import pwd
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuperrors import out_of_time, source_error
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumprun import Said, child
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

MOST_OUTPUT_BYTES = 64 << 20
_PIECE_BYTES = 1 << 16
_WAIT_SECONDS = 0.1
_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/bin")
# What a tool may learn from its environment; nothing else of ours is passed on.
_PREFIXES = ("PGBACKREST_", "BARMAN_", "WALG_", "AWS_", "AZURE_", "GOOGLE_", "GCS_", "SSH_AUTH_", "PG")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
_MOST_VARIABLES = 200
_MOST_VARIABLE_BYTES = 64 << 10


class Tool:
    """One tool of a source: its program, the account it runs as, and what its environment says.

    :param user: another account to run it as, if this is root; None is the current one.
    :param env_dir: a directory of files that are each a variable of that name, as envdir reads them.
    """

    def __init__(self, program: str, user: str | None, env_dir: str | None = None) -> None:
        """Look up program and account; raises KanbanError."""
        self.account = _account(user)
        path = os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *_DIRECTORIES]))
        found = shutil.which(os.path.expanduser(program), path=path)
        if found is None:
            raise source_error(
                "no_program",
                f"There is no program {program} here.",
                "Install it on this host, run this on the host that has it, or give its whole path as program.",
            )
        self.program = found
        self.environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(_PREFIXES) or name == "TZ"},
            **(_variables(env_dir) if env_dir else {}),
            "PATH": path,
            "HOME": self.account.pw_dir,
            "USER": self.account.pw_name,
            "LC_ALL": "C",
        }

    def ask(self, argv: Sequence[str], deadline: Deadline, seconds: float) -> str:
        """Return what a command prints; raises KanbanError if it fails, or does not finish in time.

        :param seconds: the whole time of the source, for the message.
        """
        try:
            return self._ask([*self._prefix(), *argv], deadline, seconds)
        except KanbanError as error:
            if error.code != "client_not_started":
                raise
            todo = "Check program, and that setpriv (of util-linux) is there where user is given."
            raise source_error("not_started", error.what, todo) from error

    def _ask(self, command: Sequence[str], deadline: Deadline, seconds: float) -> str:
        output: list[bytes] = []
        size = 0
        with child(command, self.environment, None, signal.SIGTERM, subprocess.PIPE) as process:
            said = Said(process.stderr)
            stream = process.stdout.fileno() if process.stdout else -1
            while True:
                said.read(0)
                if deadline.over:
                    raise out_of_time(seconds)
                if select.select([stream], [], [], min(_WAIT_SECONDS, deadline.left))[0]:
                    piece = os.read(stream, _PIECE_BYTES)
                    output.append(piece)
                    size += len(piece)
                    if not piece:
                        break
                    if size > MOST_OUTPUT_BYTES:
                        raise source_error(
                            "too_much", f"{self.program} printed too much.", "Run it by hand to see what."
                        )
            while process.poll() is None:
                if deadline.over:
                    raise out_of_time(seconds)
                said.read(min(_WAIT_SECONDS, deadline.left))
            said.read(0)
            text = b"".join(output).decode("utf-8", "replace")
            # Barman says in its JSON what is wrong; the code that parses it recognizes that.
            if process.returncode and not text.lstrip().startswith('{"_E'):
                raise self._failed(process.returncode, said.text)
        return text

    def _prefix(self) -> list[str]:
        if os.geteuid() != 0 or self.account.pw_uid == 0:
            return []
        given = [f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--init-groups"]
        return ["setpriv", *given]

    def _failed(self, status: int, text: str) -> KanbanError:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = f": {self.without_secrets(lines[-1])[:300]}" if lines else ""
        name = os.path.basename(self.program)
        return source_error(
            "tool_failed",
            f"{name} ended with status {status}{last}.",
            f"Run {name} by hand as {self.account.pw_name}; perhaps it needs another user or configuration.",
        )

    def without_secrets(self, text: str) -> str:
        """Return what a tool said without the secrets of its environment."""
        for name, value in self.environment.items():
            if len(value) >= 6 and re.search("KEY|SECRET|PASS|TOKEN|CRED", name):
                text = text.replace(value, "***")
        return text


def _account(user: str | None) -> pwd.struct_passwd:
    me = os.geteuid()
    try:
        account = pwd.getpwnam(user) if user else pwd.getpwuid(me)
    except KeyError:
        raise source_error("no_account", f"There is no account {user or me} here.", "Name another user.") from None
    if me not in (0, account.pw_uid):
        raise source_error(
            "other_user",
            f"It is to run as {user}, and this runs as uid {me}.",
            f"Run the task as {user} (become_user), or as root, which becomes that user for it.",
        )
    return account


def _variables(directory: str) -> Mapping[str, str]:
    found = {}
    try:
        for path in sorted(Path(directory).iterdir())[:_MOST_VARIABLES]:
            if _NAME.fullmatch(path.name) and path.is_file():
                with path.open("rb") as file:
                    # As in envdir: the first line, without trailing blanks.
                    first = file.read(_MOST_VARIABLE_BYTES).split(b"\n")[0]
                found[path.name] = first.decode("utf-8", "replace").rstrip().replace("\0", "\n")
    except OSError as error:
        raise source_error(
            "unreadable",
            f"{directory} cannot be read: {error.strerror or error}.",
            "Check env_dir, and that the user that this runs as may read it.",
        ) from error
    return found
