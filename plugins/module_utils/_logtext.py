# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a log as text that can be shown: no colours, no secrets; and what two messages have in common.

Pure: neither Ansible nor a driver.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping
from urllib.parse import unquote

# A line is examined up to this length; one of 10 MB must cost no more than others.
MOST_LINE = 2000
_MOST_MESSAGE = 200
_LEAST_SECRET = 6
# A user's name is no secret; a token in its place is longer than a name.
_MOST_USER = 15

_COLOUR = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[A-Za-z]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|auth|cred|dsn|cookie|session", re.IGNORECASE)
_ARGUMENT = re.compile(r"-{1,2}([A-Za-z0-9._-]{1,80})=(.+)", re.DOTALL)
# Quoted text is removed whole, and to the end if the line was cut; a quote within it comes with a backslash.
_QUOTED = r"\\{1,3}[\"'][^\"']{1,600}|\"(?:[^\"\\]|\\.){1,600}(?:\"|\\?$)|'(?:[^'\\]|\\.){1,600}(?:'|\\?$)"
_GIVEN = re.compile(
    r"(?is)((?:pass(?:word|wd)?|pwd|senha|secret|(?<!unexpected )token|api[_-]?key|authorization|cookie)"
    r"(?:\\{0,3}[\"']?\s{0,3}[=:]\s{0,3}(?:bearer\s|basic\s)?|\s{1,3}(?=[\"']))"
    r"|(?:\b|[_-])(?:key|sig|signature)=)"
    rf"(?:{_QUOTED}|[\"']?[^\s\"',;&}})\]]{{1,500}})"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s[A-Za-z0-9._~+/=-]{8,}")
# Up to the last @: a password may contain others, and slashes. An address without a host (file:///) has no password.
_IN_ADDRESS = re.compile(r"://[^\s/\"`][^\s\"`]{0,600}@")
_ADDRESS_GIVEN = re.compile(r"://(.+)@", re.DOTALL)
_ADDRESS_OF_SEVERAL = re.compile(r"://[^\s/:@]{0,200}:([^\s/@]{1,200})@")
_LINE_END = re.compile(r"\r?\n|(?:\\r)?\\n")
# In this order, so that the rest of one is not mistaken for another.
_ALIKE = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}"), "<address>"),
    (re.compile(r"\b(?=[a-fA-F]{0,40}[0-9])[0-9a-fA-F]{8,}\b|\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"[0-9]+(?:[.,:][0-9]+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def text_of(line: bytes) -> str:
    """Return a line without colours and control characters, cut to MOST_LINE characters."""
    # A character of UTF-8 has up to four bytes, and colours take some, too.
    text = line[: MOST_LINE * 5].decode("utf-8", "replace")
    return _CONTROL.sub("", _COLOUR.sub("", text))[:MOST_LINE].rstrip()


def message_of(text: str, secrets: Iterable[str] = ()) -> str:
    """Return what a line says, without secrets; equal for two lines that differ only in numbers and ids."""
    for secret in secrets:
        text = text.replace(secret, "<secret>")
    text = _GIVEN.sub(r"\1<secret>", text[: _MOST_MESSAGE * 3])
    text = _BEARER.sub(r"\1 <secret>", text)
    text = _IN_ADDRESS.sub("://<secret>@", text)
    for pattern, instead in _ALIKE:
        text = pattern.sub(instead, text)
    return text.strip()[:_MOST_MESSAGE]


def secrets_of(processes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the values that must not be shown, longest first, from the whole answer to ``pm2 jlist``.

    An application may log what it was given. In environment and arguments, names show which values are secret.
    """
    found = set()
    for process in processes:
        for name, value in _given(process):
            if not isinstance(value, str):
                continue
            if _SECRET_NAME.search(name) and not value.startswith("/"):
                found.add(value)
                # The log is examined line by line. The lines around a key are the same for all keys.
                found.update(line.strip() for line in _LINE_END.split(value) if not line.startswith("-----"))
            found.update(_in_address(value))
    return sorted((value for value in found if len(value) >= _LEAST_SECRET), key=lambda value: (-len(value), value))


def _given(process: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    state = process.get("pm2_env")
    if not isinstance(state, dict):
        return
    yield from state.items()
    env, arguments = state.get("env"), state.get("args")
    if isinstance(env, dict):
        yield from env.items()
    arguments = [one for one in arguments if isinstance(one, str)] if isinstance(arguments, list) else []
    for name, value in zip(arguments, arguments[1:]):
        if name.startswith("-") and not value.startswith("-"):
            yield name, value
    for argument in arguments:
        match = _ARGUMENT.fullmatch(argument)
        if match:
            yield match.group(1), match.group(2)


def _in_address(text: str) -> Iterator[str]:
    """Yield the login in an address, as written and as the application sees it, and the password alone."""
    for match in _ADDRESS_GIVEN.finditer(text):
        user, colon, password = match.group(1).partition(":")
        if colon or len(user) > _MOST_USER:
            yield from (match.group(1), unquote(match.group(1)))
        yield from (password, unquote(password))
    yield from _ADDRESS_OF_SEVERAL.findall(text)
