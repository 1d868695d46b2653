# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn what PostgreSQL or libpq says into what a person needs to read. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    LostConnection,
    ServerError,
    Timeout,
)

# Classes of SQLSTATE that one row's content does not cause. All others may be: an application's trigger raises whatever
# its authors chose (45000, A0001), and one in another language 38000.
NOT_OF_A_ROW = (
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "20", "24", "25", "26", "28", "2B", "2D", "34",
    "3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "72", "F0", "HV",
)  # fmt: skip
# SQLSTATE -> (code, why it matters, what to do). The server's own message is the "what".
_STATES = {
    "28P01": (
        "wrong_password",
        "Nothing was read or changed: the flag is as it was.",
        "Give the right password in kanban_postgresql_password (login_password), or check the role's name.",
    ),
    "28000": (
        "login_refused",
        "Nothing was read or changed: the flag is as it was.",
        "Check the role and pg_hba.conf; for peer authentication run as that operating system user (become_user).",
    ),
    "3D000": (
        "no_database",
        "Nothing was read or changed: the flag is as it was.",
        "Give the application's database in kanban_postgresql_db (login_db).",
    ),
    "42501": (
        "missing_privilege",
        "The role cannot do its part of the rollback; the statement was rolled back.",
        # The server names a table or a function, but no privilege.
        "Run bootstrap.yml for this role again, which grants all that it needs on what is named, or use another role.",
    ),
    "25006": (
        "read_only_server",
        "A read-only server cannot switch anything off, so its tenants stay as they are.",
        "Act on the primary: put it in the db group, or find out why this one is read-only.",
    ),
    "53100": (
        "disk_full",
        "The server could not write, so the transaction was rolled back and its tenants stay as they were.",
        "Free space on the database's disk, then run the same command again.",
    ),
    "53300": (
        "too_many_connections",
        "Without a connection nothing can be switched off.",
        "Free connections, or use a role with reserved ones; then run the same command again.",
    ),
    "57P03": (
        "starting_up",
        "The server is starting, stopping or recovering and takes no commands yet.",
        "Run the same command again in a few seconds.",
    ),
}
TIMEOUTS = {
    "55P03": "lock_timeout",  # lock_not_available
    "57014": "statement_timeout",  # query_canceled
    "40P01": "deadlock",
    "40001": "serialization",
}
_LOST = {"57P01", "57P02", "57P05", "08000", "08003", "08006", "25P03", "25P04"}

# A failed connection has no SQLSTATE, only libpq's text, which quotes the server's. A server that uses another language
# than English is reported in its own words.
_LIBPQ = (
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
    ("not yet accepting connections", "57P03"),
    ("in recovery mode", "57P03"),
    ("permission denied for database", "42501"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("pg_hba.conf", "28000"),
    ("authentication failed", "28000"),
    # The plan's teams run servers that speak Portuguese.
    ("muitos clientes conectados", "53300"),
    ("autenticação do tipo senha falhou", "28P01"),
    ('banco de dados "', "3D000"),
    ('role "', "28000"),
    ('database "', "3D000"),
)
_NO_ANSWER = ("refused", "could not translate host", "timeout", "timed out", "no answer", "No such file", "No route")
_SEVERITY = re.compile(r"^(?:connection to server .*? failed: )?(?:ERROR|FATAL|PANIC):\s*")


def first_line(message: str | None) -> str:
    """Return the first line of a server's message without its severity, ending in a full stop."""
    lines = [line.strip() for line in (message or "").splitlines() if line.strip()]
    text = _SEVERITY.sub("", lines[0]) if lines else "No message"
    return text if text.endswith((".", "!", "?")) else text + "."


def explain(sqlstate: str | None, message: str, hint: str | None = None) -> ServerError:
    """Return the typed error for what the server said on an open connection.

    :param sqlstate: the five characters, or None when the connection itself broke.
    :param message: the server's primary message.
    :param hint: the server's hint, appended to what is wrong.
    """
    what = first_line(message)
    if hint:
        what = f"{what} {first_line(hint)}"
    if sqlstate is None or sqlstate in _LOST:
        return LostConnection(
            "lost_connection",
            f"The connection to PostgreSQL was lost: {what}",
            "What had been committed holds; the rest is as it was.",
            "Run the same command again: it goes on where this one stopped.",
            sqlstate=sqlstate,
        )
    if sqlstate in TIMEOUTS:
        return Timeout(
            TIMEOUTS[sqlstate],
            f"PostgreSQL gave up waiting: {what}",
            "The statement was rolled back; what had been committed before holds.",
            "See who blocks (the result lists them), then run the same command again.",
            sqlstate=sqlstate,
        )
    if sqlstate == "42501" and "row-level security" in message:
        return ServerError(
            "row_level_security",
            what,
            "Row-level security would hide tenants, and a hidden tenant reads as 'off'.",
            "Use a role that owns the table or has BYPASSRLS.",
            sqlstate=sqlstate,
        )
    code, why, todo = _STATES.get(
        sqlstate,
        (
            "server_error",
            "The statement was rolled back.",
            "Read the message; if it is unclear, report it with this output.",
        ),
    )
    return ServerError(code, what, why, todo, sqlstate=sqlstate)


def explain_connect(message: str, where: str) -> ServerError:
    """Return the typed error for a connection that could not be made.

    :param message: libpq's text, possibly of several lines (one per address tried).
    :param where: host, port and database, for the reader.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for words, state in _LIBPQ:
        # There is one line per address that was tried: show the one that has the words.
        for number, line in enumerate(lines):
            if words in line:
                detail = [text.partition("DETAIL:")[2].strip() for text in lines[number + 1 :] if "DETAIL:" in text]
                error = explain(state, line, detail[0] if detail else None)
                return ServerError(error.code, f"{where}: {error.what}", error.why, error.todo, sqlstate=state)
    if lines and not any(words in message for words in _NO_ANSWER):
        return ServerError(
            "connection_failed",
            f"{where}: {first_line(message)}",
            "Nothing was read or changed on this database: its tenants are as they were.",
            "The server, or the network, says why; mend that and run the same command again.",
            sqlstate=None,
        )
    return ServerError(
        "unreachable",
        f"{where}: {first_line(message)}",
        "Nothing was read or changed on this database: its tenants are as they were.",
        "Check kanban_postgresql_host and _port and that the server runs; the other hosts were not kept waiting.",
        sqlstate=None,
    )


def is_of_one_row(error: ServerError) -> bool:
    """Tell whether a constraint, a trigger or the like refuses one row: the others can be written without it."""
    state = error.details.get("sqlstate")
    return bool(state) and not str(state).startswith(NOT_OF_A_ROW)
