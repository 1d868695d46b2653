# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as they may be shown: without colours, control characters and secrets, and alike if they mean the same."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logtext import (
    MOST_LINE,
    message_of,
    secrets_of,
    text_of,
)

# Without digits: a secret of which only the digits were taken out would not be found in any output.
SECRET = "troubador"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"\x1b[31mError\x1b[39m: boom\r", "Error: boom"),
        (b"\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        (b"\x00\x00Error\x00: b\x08oom", "Error: boom"),
        (b"a\xff\xfeb", "a��b"),
        ("erro na emissão ".encode() + b"\xe2\x80\xaeX", "erro na emissão X"),
        (b"\tat f  ", "\tat f"),
        (b"x" * 10_000_000, "x" * MOST_LINE),
    ],
)
def test_what_is_left_of_a_line(line: bytes, text: str) -> None:
    assert text_of(line) == text


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED 10.0.0.12:6432", "connect ECONNREFUSED <n>"),
        (
            "ticket 9b2c0d6e-1c2f-4a3b-8d9e-0a1b2c3d4e5f is gone",
            "ticket 00000000-1c2f-4a3b-8d9e-0a1b2c3d4e5f is gone",
            "ticket <uuid> is gone",
        ),
        ("job deadbeef01 failed", "job 0123456789abcdef failed", "job <hex> failed"),
        ("no user ana@empresa.com.br", "no user bob.b+c@x.io", "no user <address>"),
        ("took  1,5   ms", "took 22.25 ms", "took <n> ms"),
    ],
)
def test_messages_that_differ_in_numbers_are_one(one: str, other: str, both: str) -> None:
    assert message_of(one) == message_of(other) == both


@pytest.mark.parametrize(
    "text",
    [
        f"login failed: password={SECRET}",
        f"login failed: senha: {SECRET}, again",
        f'{{"token":"{SECRET}"}}',
        f"Authorization: Bearer {SECRET}xyz",
        f"sent Bearer {SECRET}xyz",
        f"connect postgres://app:{SECRET}@10.0.0.1/chatia failed",
        f"api_key={SECRET}&x=1",
        f"connect redis://:p@{SECRET}@cache failed",
        f"connect postgres://u:pa/{SECRET}@h/db failed",
        f'login failed: password "my long {SECRET}"',
        f"login failed: password='my long {SECRET}' for ana",
        f'login failed: password="my \\"long\\" {SECRET}',
        f'body {{\\"password\\":\\"{SECRET}\\"}}',
        f"GET /maps?key={SECRET}&x=1",
        f"GET /maps?x=1&apikey={SECRET}",
        f"GET /file?sig={SECRET}",
        f"GET /file?X-Amz-Signature={SECRET}",
    ],
)
def test_secrets_that_can_be_told_by_their_names_are_taken_out(text: str) -> None:
    assert SECRET not in message_of(text)
    assert "<secret>" in message_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deploy@app wrote to ana@empresa.com.br", "deploy@app wrote to <address>"),
        ("see https://docs.example/a: mail ops@app", "see https://docs.example/a: mail ops@app"),
        ('{"url":"https://app.example/x","by":"ops@app"}', '{"url":"https://app.example/x","by":"ops@app"}'),
        ("at file:///srv/.pnpm/pg@latest/index.js", "at file:///srv/.pnpm/pg@latest/index.js"),
        ("Unexpected token '<' in JSON", "Unexpected token '<' in JSON"),
        ('null value in column "password" of relation "users"', 'null value in column "password" of relation "users"'),
        ("duplicate key: monkey=brown", "duplicate key: monkey=brown"),
        ("password=my secret x", "password=<secret> secret x"),
    ],
)
def test_what_is_no_secret_stays(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("address", "logged"),
    [
        ("postgres://u:pa/ssw0rd@h/db", "pa/ssw0rd"),
        ("redis://:p@ssw0rd@h", "p@ssw0rd"),
        ("redis://:s3ntinel@h:1,redis://:4nother@h:2", "s3ntinel"),
        ("amqp://u:with%40sign@h", "with@sign"),
        ("https://ghp_0123456789abcdef@github.com/x", "ghp_0123456789abcdef"),
    ],
)
def test_the_password_in_an_address_of_the_environment_is_a_secret(address: str, logged: str) -> None:
    found = secrets_of([{"pm2_env": {"env": {"DATABASE_URL": address}}}])
    assert message_of(f"got {logged}!", found) == "got <secret>!"
    assert message_of(f"got {address.partition('://')[2].rpartition('@')[0]}!", found) == "got <secret>!"


def test_who_logs_in_without_a_password_is_no_secret() -> None:
    assert secrets_of([{"pm2_env": {"env": {"DATABASE_URL": "postgres://postgres@h/db"}}}]) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n"])
def test_a_secret_of_several_lines_is_taken_out_of_each(end: str) -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADAN", "Bgkqhkig9w0B", "-----END PRIVATE KEY-----"]
    found = secrets_of([{"pm2_env": {"env": {"SIGNING_KEY": end.join(lines)}}}])
    assert [message_of(line, found) for line in lines] == [lines[0], "<secret>", "<secret>", lines[-1]]


def test_values_of_the_environment_are_taken_out_wherever_they_stand() -> None:
    env = {"DB_PASSWORD": SECRET, "DATABASE_URL": "postgres://app:hunt3r22@db/x", "SSH_AUTH_SOCK": "/run/agent.1"}
    more = {"JWT_SECRET": "longer-" + SECRET, "API_KEY": "short", "NODE_ENV": "production", "KEY": 7}
    process = {
        "pm2_env": {
            "env": {**env, **more},
            "SMTP_PASS": "fl4t-one",
            "args": ["--token=4rgument", "-p", "x", "--key", "n3xtone"],
        }
    }
    found = secrets_of([process, {}, {"pm2_env": None}, {"pm2_env": {"env": [], "args": "x"}}])
    assert found == ["longer-" + SECRET, "app:hunt3r22", SECRET, "4rgument", "fl4t-one", "hunt3r22", "n3xtone"]
    assert (
        message_of(f"got longer-{SECRET} and {SECRET} and hunt3r22", found) == "got <secret> and <secret> and <secret>"
    )


@given(st.text(max_size=1000))
def test_a_message_is_short_one_line_and_settled(text: str) -> None:
    message = message_of(text_of(text.encode("utf-8", "replace")))
    assert len(message) <= 200
    assert "\n" not in message
    assert not any(letter.isdecimal() and letter.isascii() for letter in message)


@given(st.binary(max_size=3000))
def test_no_bytes_break_it(line: bytes) -> None:
    text = text_of(line)
    assert len(text) <= MOST_LINE
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "line", ["a" * 2000, "1" * 2000, "a.-" * 700, "a@" * 1000, "pass" * 500, "://" * 700, "f-" * 1000, "key='" * 400]
)
def test_long_lines_cost_little(line: str) -> None:
    started = time.monotonic()
    message_of(line)
    assert time.monotonic() - started < 0.2
