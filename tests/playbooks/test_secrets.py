# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords reach the database and nobody else: not the terminal, not a process list, not the hosts' journals."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from tests.playbooks.place import Site
from tests.playbooks.runner import Running


def command_line(pid: str) -> str:
    """Return the arguments of a process of the machine, also of one in a container."""
    with contextlib.suppress(OSError):
        return Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def watched(running: Running) -> str:
    """Return all command lines that were seen while a playbook ran.

    Looks every few milliseconds for processes that are new; they have another command line before they call exec.
    Older ones are looked at now and then: to look at all of them each time would keep a core busy.
    """
    seen: set[str] = set()
    looks: dict[str, int] = {}
    while running.alive:
        looks = {pid: looks.get(pid, 0) + 1 for pid in os.listdir("/proc") if pid.isdigit()}
        seen.update(command_line(pid) for pid, count in looks.items() if count < 50 or count % 50 == 0)
        time.sleep(0.003)
    return "\n".join(seen)


def test_passwords_appear_nowhere(site: Site) -> None:
    given = secrets.token_hex(16)
    over_tcp = {
        "ansible_become": False,
        "kanban_postgresql_host": "127.0.0.1",
        "kanban_postgresql_password": site.fleet.postgres_password,
        "kanban_role_password": given,
    }
    least = {**over_tcp, "kanban_postgresql_user": "kanban_rollback", "kanban_postgresql_password": given}
    wrong = {**least, "kanban_postgresql_password": secrets.token_hex(16)}
    steps = (
        ("bootstrap", over_tcp, True),
        ("scenario3", wrong, False),
        ("scenario3", least, True),
        ("reenable", least, True),
    )
    for playbook, variables, succeeds in steps:
        running = site.start(playbook, "-vvv", "--diff", hosts={"db1": variables}, extra={"kanban_reenable": "all"})
        lines = watched(running)
        run = running.wait()
        assert (run.rc == 0) is succeeds, run.output
        # Proves that the command lines of the hosts are seen: otherwise the test could not fail.
        assert "sshd" in lines
        journal = site.fleet["db1"].run(["journalctl", "--no-pager", "--output=cat"], timeout=60).stdout
        for password in (variables["kanban_postgresql_password"], given, site.fleet.postgres_password):
            for place, text in (("output", run.output), ("process list", lines), ("journal", journal)):
                assert str(password) not in text, f"{playbook}: a password is in the {place}"
