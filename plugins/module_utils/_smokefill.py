# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placeholders such as ``<ticket>`` and what is put in their place. Pure: neither Ansible nor a driver.

A text is filled in one pass, and what was put in is never looked at again: a value from an answer is data, whatever
it looks like.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator, Mapping
from urllib.parse import quote

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLACEHOLDER = re.compile(f"<({NAME.pattern})>")
# In a path these lead elsewhere, however they are quoted; an empty part would make another path.
_NO_PART_OF_A_PATH = ("", ".", "..")


class NotFilled(Exception):
    """A placeholder has no value, or one that cannot stand where it is; the text says why and repeats no value."""


class NeverSaved(NotFilled):
    """No step got far enough to save the value."""


def names_in(value: Any) -> Iterator[str]:
    """Yield the names of the placeholders in a value, however deep."""
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a value with its placeholders filled; a text that is only a placeholder becomes the value itself."""
    if isinstance(value, dict):
        return {name: fill(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    return _value(whole[1], values) if whole else text(value, values)


def text(pattern: str, values: Mapping[str, Any], put: Callable[[str, str], str] | None = None) -> str:
    """Return a text with its placeholders filled; ``put`` makes the replacement from name and value."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        value = _value(name, values)
        if isinstance(value, (dict, list)) or value is None:
            raise NotFilled(f"the value of <{name}> is no text and no number")
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return put(name, written) if put else written

    return _PLACEHOLDER.sub(one, pattern)


def path(pattern: str, values: Mapping[str, Any]) -> str:
    """Return a path with its placeholders filled, each value quoted so that it stays one part of the path."""

    def part(name: str, value: str) -> str:
        if value in _NO_PART_OF_A_PATH:
            raise NotFilled(f"the value of <{name}> is no part of a path")
        return quote(value, safe="")

    return text(pattern, values, part)


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise NeverSaved(f"<{name}> was never saved")
    return values[name]
