# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pg_dump ended, as a person needs to read it. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

STDERR_CHARACTERS = 2000
_OWN = re.compile(r"(pg_\w+|createdb|dropdb|initdb): ")

# Words of the programs, which run in English here, and of a server that speaks English; (code, why, what to do).
_READ = "Grant SELECT on every table and sequence (from version 14 on: GRANT pg_read_all_data), then run it again."
_CAUSES = (
    (
        ("No space left on device", "Disk quota exceeded", "File too large"),
        "disk_full",
        "The dump is not whole; what had been written was removed.",
        "Free space there, or give dest on another disk, then run the same command again.",
    ),
    (
        ("LOCK TABLE", "could not obtain lock on relation"),
        "lock_timeout",
        "Somebody holds, or waits for, an exclusive lock on a table (a migration?), and nothing was dumped.",
        "End or wait for the sessions in blocked, or give more lock_wait, then run the same command again.",
    ),
    (
        ("row-level security",),
        "row_level_security",
        "Policies would hide rows, and a dump without them is no dump. Nothing was kept.",
        "Use a role that owns the tables or has BYPASSRLS.",
    ),
    (("permission denied",), "missing_privilege", "pg_dump reads the whole schema. Nothing was kept.", _READ),
    (
        ("server version mismatch",),
        "client_too_old",
        "An older pg_dump does not know what a newer server has. Nothing was dumped.",
        "Install the server's version of the client, or name its directory in bin_dir.",
    ),
    (
        ("conflict with recovery",),
        "recovery_conflict",
        "The replica had to apply a change that took away rows the dump still read. Nothing was kept.",
        "Run it again, on the primary, or with hot_standby_feedback on.",
    ),
    (
        ("invalid snapshot identifier", "could not import the requested snapshot"),
        "another_server",
        "pg_dump was led to another server, or our session there has ended. Nothing was kept.",
        "Give the address of one server (login_host), not a list of them or a pooler.",
    ),
    (
        ("server closed the connection", "connection to server", "terminating connection", "could not connect"),
        "lost_connection",
        "The dump is not whole; what had been written was removed.",
        "See whether the server runs, then run the same command again.",
    ),
)


def last_line(stderr: str) -> str:
    """Return the line that says most: the last error of the program, else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if ": error: " in line and "worker process died" not in line]
    line = (errors or lines or ["it said nothing"])[-1]
    return line if line.endswith(".") else line + "."


def without_rows(stderr: str) -> str:
    """Return what the program says itself: on further lines the server quotes rows, which are people's data."""
    lines = stderr.splitlines()
    own = [line for line in lines if _OWN.match(line)]
    return "\n".join(own or lines)


def explain_end(program: str, status: int, stderr: str) -> KanbanError:
    """Return the typed error for a client program that ended with a status other than 0.

    :param status: the exit status; a negative one is the number of the signal that ended it.
    :param stderr: the end of what it said, without secrets.
    """
    kept = without_rows(stderr)[-STDERR_CHARACTERS:]
    if status < 0:
        return KanbanError(
            "killed",
            f"{program} was ended by signal {-status}. {last_line(kept)}",
            "The dump is not whole; what had been written was removed.",
            "Find out who ended it (the kernel, when memory ran out?), then run the same command again.",
            stderr=kept,
        )
    for words, code, why, todo in _CAUSES:
        if any(word in kept for word in words):
            return KanbanError(code, f"{program}: {last_line(kept)}", why, todo, stderr=kept)
    return KanbanError(
        "dump_failed",
        f"{program} ended with status {status}: {last_line(kept)}",
        "The dump is not whole; what had been written was removed.",
        "Read stderr in the result, mend what it says, then run the same command again.",
        stderr=kept,
    )
