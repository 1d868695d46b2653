# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the exact words of PostgreSQL and libpq become the error that a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    LostConnection,
    ServerError,
    Timeout,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import (
    explain,
    explain_connect,
    first_line,
)

STATES = ["28P01", "28000", "3D000", "42501", "25006", "53100", "53300", "57P03"]
TIMEOUTS = ["55P03", "57014", "40P01", "40001"]
LOST = ["57P01", "57P02", "57P05", "08000", "08003", "08006", "25P03", "25P04"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('relation "companies" does not exist', 'relation "companies" does not exist.'),
        ("ERROR:  deadlock detected\nDETAIL:  Process 1 waits", "deadlock detected."),
        ("FATAL:  sorry, too many clients already\n", "sorry, too many clients already."),
        ("already a sentence.", "already a sentence."),
        ("what?", "what?"),
        ("\n\n  first\nsecond", "first."),
        ("", "No message."),
        ("  \n ", "No message."),
        (None, "No message."),
    ],
)
def test_the_first_line_is_a_sentence_without_its_severity(message: str | None, line: str) -> None:
    assert first_line(message) == line


@given(st.text())
def test_the_first_line_is_one_line_whatever_comes(message: str) -> None:
    line = first_line(message)
    assert len(line.splitlines()) == 1
    assert line[-1] in ".!?"


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("28P01", "wrong_password"),
        ("28000", "login_refused"),
        ("3D000", "no_database"),
        ("42501", "missing_privilege"),
        ("25006", "read_only_server"),
        ("53100", "disk_full"),
        ("53300", "too_many_connections"),
        ("57P03", "starting_up"),
        ("42P01", "server_error"),
        ("XX000", "server_error"),
    ],
)
def test_what_the_server_said_is_a_server_error(sqlstate: str, code: str) -> None:
    error = explain(sqlstate, "permission denied for table Companies")
    assert error.__class__ is ServerError
    assert error.code == code
    assert error.what == "permission denied for table Companies."
    assert error.details == {"sqlstate": sqlstate}


def test_what_to_grant_is_not_said_to_be_in_a_message_that_names_a_table_alone() -> None:
    told = explain("42501", "permission denied for table leases")
    assert "named in the message" not in told.todo
    assert told.todo.startswith("Run bootstrap.yml for this role again")


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("55P03", "lock_timeout"),
        ("57014", "statement_timeout"),
        ("40P01", "deadlock"),
        ("40001", "serialization"),
    ],
)
def test_what_may_be_tried_again_is_a_timeout(sqlstate: str, code: str) -> None:
    error = explain(sqlstate, "canceling statement due to lock timeout")
    assert error.__class__ is Timeout
    assert error.code == code
    assert error.details == {"sqlstate": sqlstate}


@pytest.mark.parametrize("sqlstate", [*LOST, None])
def test_a_broken_connection_is_told_apart(sqlstate: str | None) -> None:
    error = explain(sqlstate, "terminating connection due to administrator command")
    assert error.__class__ is LostConnection
    assert error.code == "lost_connection"
    assert "administrator command" in error.what


def test_row_level_security_is_named_for_it_reads_as_all_off() -> None:
    error = explain("42501", 'query would be affected by row-level security policy for table "Companies"')
    assert error.code == "row_level_security"
    assert "BYPASSRLS" in error.todo


def test_the_servers_hint_is_passed_on() -> None:
    assert explain("42883", "no such function", "Add casts").what == "no such function. Add casts."


@pytest.mark.parametrize("sqlstate", [*STATES, *TIMEOUTS, *LOST, "42P01", None])
def test_every_error_is_sentences_that_say_what_why_and_what_to_do(sqlstate: str | None) -> None:
    error = explain(sqlstate, 'name "{{ x }}"\nis odd')
    for text in (error.what, error.why, error.todo):
        assert text.endswith(".")
        assert "\n" not in text
        assert len(text) > 10
    assert "{{ x }}" in error.what


AT = 'connection to server at "db1" (192.0.2.1), port 5432 failed: '


@pytest.mark.parametrize(
    ("message", "code", "sqlstate"),
    [
        (AT + 'FATAL:  password authentication failed for user "app"', "wrong_password", "28P01"),
        (AT + "fe_sendauth: no password supplied", "wrong_password", "28P01"),
        ('connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: FATAL:  Peer authentication failed for'
         ' user "postgres"', "login_refused", "28000"),
        (AT + 'FATAL:  no pg_hba.conf entry for host "192.0.2.7", user "app", database "crm", no encryption',
         "login_refused", "28000"),
        (AT + 'FATAL:  role "app" does not exist', "login_refused", "28000"),
        (AT + 'FATAL:  role "app" is not permitted to log in', "login_refused", "28000"),
        (AT + 'FATAL:  database "crm" does not exist', "no_database", "3D000"),
        (AT + 'FATAL:  permission denied for database "crm"', "missing_privilege", "42501"),
        (AT + "FATAL:  sorry, too many clients already", "too_many_connections", "53300"),
        (AT + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
         "too_many_connections", "53300"),
        (AT + "FATAL:  the database system is starting up", "starting_up", "57P03"),
        (AT + "FATAL:  the database system is shutting down", "starting_up", "57P03"),
        (AT + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
         "unreachable", None),
        (AT + "timeout expired", "unreachable", None),
        ('could not translate host name "db1" to address: Name or service not known', "unreachable", None),
        ("", "unreachable", None),
    ],
)  # fmt: skip
def test_why_no_connection_was_made(message: str, code: str, sqlstate: str | None) -> None:
    error = explain_connect(message, "db1:5432/crm")
    assert error.__class__ is ServerError
    assert error.code == code
    assert error.details == {"sqlstate": sqlstate}
    assert error.what.startswith("db1:5432/crm: ")
    assert "\n" not in error.what


def test_the_privilege_that_is_missing_is_named() -> None:
    said = AT + 'FATAL:  permission denied for database "crm"\nDETAIL:  User does not have CONNECT privilege.\n'
    error = explain_connect(said, "db1:5432/crm")
    assert error.what == 'db1:5432/crm: permission denied for database "crm". User does not have CONNECT privilege.'


def test_where_no_connection_was_made_the_reader_is_told_that_nothing_was_changed() -> None:
    for message in ("timeout expired", 'FATAL:  password authentication failed for user "app"'):
        assert "Nothing was read or changed" in explain_connect(message, "db1:5432/crm").why
