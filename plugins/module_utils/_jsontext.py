# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value inside a JSON text: where it is, and the text with it replaced. Pure: neither Ansible nor a driver.

A json or text column is edited as text, not parsed and written back: key order, white space, duplicate keys,
numbers of any length and escapes that jsonb refuses (``\\u0000``) all stay as the application wrote them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined, unused-ignore]
from typing import NoReturn, Sequence

_SPACE = " \t\n\r"


class NotJson(ValueError):
    """The text is not JSON."""


def _refuse(constant: str) -> NoReturn:
    raise NotJson(constant)  # NaN and Infinity: Python accepts them, JSON does not have them.


def _number(text: str) -> tuple[str, str]:
    return ("number", text)  # Kept as text: it may be too long for a float. No JSON value becomes a tuple.


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_number, parse_int=_number)


@dataclass(frozen=True)
class Place:
    """Where a path leads in a text.

    ``depth`` counts the path's steps that exist before the point of change: the point is the first step that is absent
    or whose container is not an object. ``start`` and ``end`` enclose the value at the point; if there is none
    (``present`` is False), both are the place for a new member.
    """

    depth: int
    start: int
    end: int
    present: bool
    first_member: bool = False


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _end_of_value(text: str, at: int) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def _member(text: str, at: int, name: str) -> tuple[int, int] | None:
    """Return start and end of the last member ``name`` of the object at ``at``: JavaScript takes the last one."""
    found = None
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = scanstring(text, at + 1, True)
        at = _skip(text, _skip(text, at) + 1)  # past the colon
        end = _end_of_value(text, at)
        if key == name:
            found = (at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def locate(text: str, path: Sequence[str]) -> Place:
    """Return where ``path`` leads in ``text``; raises NotJson."""
    start = _skip(text, 0)
    end = _end_of_value(text, start)
    if _skip(text, end) != len(text):
        raise NotJson("something follows the value")
    for depth, name in enumerate(path):
        if text[start] != "{":
            return Place(depth, start, end, True)
        member = _member(text, start, name)
        if member is None:
            inside = _skip(text, start + 1)
            return Place(depth + 1, start + 1, start + 1, False, first_member=text[inside] == "}")
        start, end = member
    return Place(len(path), start, end, True)


def leaf(text: str, path: Sequence[str]) -> str | None:
    """Return the JSON text of the value at ``path``, None if it is absent; raises NotJson."""
    place = locate(text, path)
    return text[place.start : place.end] if place.present and place.depth == len(path) else None


def nested(path: Sequence[str], value: str) -> str:
    """Return ``value`` wrapped in an object per step of ``path``, to be written where a container is missing."""
    for name in reversed(path):
        value = f"{{{json.dumps(name)}: {value}}}"
    return value


def replaced(text: str, path: Sequence[str], value: str) -> str:
    """Return ``text`` with the JSON text ``value`` at ``path``, making or replacing containers as needed."""
    place = locate(text, path)
    if place.present:
        return text[: place.start] + nested(path[place.depth :], value) + text[place.end :]
    member = f"{json.dumps(path[place.depth - 1])}: {nested(path[place.depth :], value)}"
    return text[: place.start] + member + ("" if place.first_member else ", ") + text[place.end :]


def removed(text: str, path: Sequence[str]) -> str:
    """Return ``text`` without the member at ``path`` (without all of them, if a name occurs more than once)."""
    while True:
        place = locate(text, path)
        if not path or not place.present or place.depth < len(path):
            return text
        name_start = _name_start(text, path)
        after = _skip(text, place.end)
        if text[after] == ",":
            text = text[:name_start] + text[_skip(text, after + 1) :]
        else:
            before = name_start - 1
            while text[before] in _SPACE:
                before -= 1
            text = text[: before if text[before] == "," else before + 1] + text[place.end :]


def _name_start(text: str, path: Sequence[str]) -> int:
    """Return where the quoted name of the last member at ``path`` begins."""
    container = locate(text, path[:-1]).start
    at, found = _skip(text, container + 1), -1
    while text[at] != "}":
        key, end = scanstring(text, at + 1, True)
        found = at if key == path[-1] else found
        at = _skip(text, _end_of_value(text, _skip(text, _skip(text, end) + 1)))
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def same_value(left: str, right: str) -> bool:
    """Return whether two JSON texts mean the same value (``1`` and ``1.0`` differ, as an exact undo requires)."""
    try:
        return bool(_DECODER.decode(left) == _DECODER.decode(right))
    except RecursionError as error:
        raise NotJson("nested too deeply to be compared") from error
