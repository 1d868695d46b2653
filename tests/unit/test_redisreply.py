# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the exact words of Redis, its driver and the network become the error that a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import (
    Elsewhere,
    NotNow,
    acl_line,
    explain,
    is_of_key,
    is_of_user,
    not_redis,
    one_line,
    tls_failed,
    unreachable,
)

WHERE = "redis-1:6379"
# Kind and text as redis-py gives them: it removes the first word of the replies that it knows.
REPLIES = [
    ("AuthenticationError", "Authentication required.", "wrong_password", ServerError),
    ("AuthenticationError", "invalid username-password pair or user is disabled.", "wrong_password", ServerError),
    ("ResponseError", "WRONGPASS invalid username-password pair or user is disabled.", "wrong_password", ServerError),
    ("ResponseError", "DENIED Redis is running in protected mode", "login_refused", ServerError),
    ("NoPermissionError", "User app has no permissions to run the 'eval' command", "missing_privilege", ServerError),
    ("NoPermissionError", "No permissions to access a key", "missing_privilege", ServerError),
    ("ReadOnlyError", "You can't write against a read only replica.", "read_only_server", Elsewhere),
    ("ResponseError", "NOREPLICAS Not enough good replicas to write.", "too_few_replicas", Elsewhere),
    ("OutOfMemoryError", "command not allowed when used memory > 'maxmemory'.", "out_of_memory", ServerError),
    ("ResponseError", "MISCONF Redis is configured to save RDB snapshots, but", "disk_refused", ServerError),
    ("ResponseError", "WRONGTYPE Operation against a key holding the wrong kind of", "wrong_type", ServerError),
    ("BusyLoadingError", "Redis is loading the dataset in memory", "loading", NotNow),
    ("ResponseError", "MASTERDOWN Link with MASTER is down and", "master_down", NotNow),
    ("MasterDownError", "Link with MASTER is down and", "master_down", NotNow),
    ("ResponseError", "BUSY Redis is busy running a script.", "busy", NotNow),
    ("ResponseError", "UNKILLABLE Sorry the script already executed write commands", "busy", NotNow),
    ("ResponseError", "MOVED 5649 10.0.0.7:6379", "cluster_redirect", ServerError),
    ("MovedError", "5649 10.0.0.7:6379", "cluster_redirect", ServerError),
    ("AskError", "5649 10.0.0.7:6379", "cluster_redirect", ServerError),
    ("ClusterDownError", "Hash slot not served", "cluster_redirect", NotNow),
    ("ResponseError", "CROSSSLOT Keys in request don't hash to the same slot", "cluster_redirect", ServerError),
    ("ConnectionError", "max number of clients reached", "too_many_connections", NotNow),
    ("ResponseError", "unknown command 'EVAL', with args beginning with: ", "unknown_command", ServerError),
    ("ExecAbortError", "Transaction discarded because of: NOPERM User a has no", "missing_privilege", ServerError),
    ("ExecAbortError", "Transaction discarded because of previous errors.", "server_error", ServerError),
    ("ResponseError", "The user executing the script can't run this command", "missing_privilege", ServerError),
    ("ResponseError", "DB index is out of range", "no_database", ServerError),
    ("ResponseError", "value is not an integer or out of range", "server_error", ServerError),
    ("SomethingNew", "", "server_error", ServerError),
]


@pytest.mark.parametrize(("kind", "text", "code", "error"), REPLIES)
def test_each_reply_has_its_code(kind: str, text: str, code: str, error: type[ServerError]) -> None:
    told = explain(kind, text, WHERE)
    assert (told.code, told.__class__) == (code, error)
    assert told.what.startswith(f"{WHERE}: ")
    assert len(told.why) > 10
    assert len(told.todo) > 10


@pytest.mark.parametrize(
    ("kind", "text", "code", "what"),
    [
        (
            "OutOfMemoryError",
            "command not allowed when used memory > 'maxmemory'. script: a1b2, on @user_script:22.",
            "out_of_memory",
            "command not allowed when used memory > 'maxmemory'.",
        ),
        (
            "ResponseError",
            "ACL failure in script: User app has no permissions to run the 'set' command script: a, on @user_script:2.",
            "missing_privilege",
            "ACL failure in script: User app has no permissions to run the 'set' command.",
        ),
        # Redis before 7 wraps it.
        (
            "ResponseError",
            "Error running script (call to f_a1b2): @user_script:8: @user_script: 8: "
            "-READONLY You can't write against a read only replica.",
            "read_only_server",
            "You can't write against a read only replica.",
        ),
        (
            "ResponseError",
            "Error running script (call to f_a1b2): @user_script:8: -OOM command not allowed when used memory.",
            "out_of_memory",
            "command not allowed when used memory.",
        ),
    ],
)
def test_what_a_script_ran_into(kind: str, text: str, code: str, what: str) -> None:
    told = explain(kind, text, WHERE)
    assert (told.code, told.what) == (code, f"{WHERE}: {what}")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("User app has no permissions to run the 'eval' command", "eval"),
        ("this user has no permissions to run the 'EVAL' command or its subcommand", "eval"),
        ("User app has no permissions to run the 'config|get' command", "config|get"),
        ("No permissions to access a key", None),
    ],
)
def test_the_command_that_is_not_allowed_is_in_the_details(text: str, command: str | None) -> None:
    assert explain("NoPermissionError", text, WHERE).details.get("command") == command


def test_a_command_that_is_not_there_is_in_the_details() -> None:
    assert explain("ResponseError", "unknown command 'EVAL', with args", WHERE).details == {"command": "eval"}
    assert explain("ResponseError", "syntax error near 'x'", WHERE).details == {}


def test_what_a_user_is_refused_for() -> None:
    key = explain("NoPermissionError", "No permissions to access a key", WHERE)
    command = explain("NoPermissionError", "User app has no permissions to run the 'eval' command", WHERE)
    unknown = explain("ResponseError", "unknown command 'EVAL', with args", WHERE)
    full = explain("OutOfMemoryError", "command not allowed when used memory > 'maxmemory'.", WHERE)
    assert [is_of_user(reply) for reply in (key, command, unknown, full, b"OK", 1, None)] == [True] * 3 + [False] * 4
    assert [is_of_key(refusal) for refusal in (key, command, unknown, full)] == [True, False, False, False]


def test_the_line_that_grants_keeps_the_order_and_quotes_patterns() -> None:
    assert acl_line("app", ["+scan", "~it's:*", "~a b"]) == "ACL SETUSER app +scan '~it\\'s:*' '~a b'"
    assert acl_line(None, ["+info"]) == acl_line("", ["+info"]) == "ACL SETUSER default +info"


@given(st.text(), st.text())
def test_it_is_one_short_line_whatever_comes(kind: str, text: str) -> None:
    for error in (
        explain(kind, text, WHERE),
        unreachable(text, WHERE),
        tls_failed(text, WHERE),
        not_redis(text, WHERE),
    ):
        assert len(error.what.splitlines()) == 1
        assert len(error.what) < 400


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\nb", "a."), ("", "No message."), (" \n ", "No message."), ("why?", "why?"), ("x" * 400, "x" * 300 + "…")],
)
def test_the_first_line_is_a_sentence(text: str, line: str) -> None:
    assert one_line(text) == line


def test_what_may_be_tried_again() -> None:
    assert isinstance(unreachable("refused", WHERE), NotNow)
    assert not isinstance(unreachable("no such name", WHERE, final=True), NotNow)
    assert unreachable("no such name", WHERE, final=True).code == "unreachable"
    assert not isinstance(tls_failed("bad certificate", WHERE), NotNow)
