# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arbitrary JSON texts with known positions of their values, found without parsing; and ways to compare texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

# Few names, so that paths meet members and members meet their own duplicates; odd ones, because applications are odd.
NAMES = ("kanbanV2Enabled", "a", "", 'ção "x"\n', "\x00", "\ud83d", "😀")
# None of our documents has it, so it is a setting that somebody adds later.
OTHER = "somebody else's"


@dataclass(frozen=True)
class Node:
    """A JSON value as text, with the members of an object: name, where the value begins in the text, the value."""

    text: str
    is_object: bool = False
    members: tuple[tuple[str, int, Node], ...] = ()


def find(node: Node, path: tuple[str, ...]) -> tuple[int, int] | None:
    """Return where the value at ``path`` is: in each object the last member of that name is taken, as in JavaScript."""
    at = 0
    for name in path:
        hits = [(offset, child) for known, offset, child in node.members if known == name]
        if not hits:
            return None
        at, node = at + hits[-1][0], hits[-1][1]
    return at, at + len(node.text)


def deepest(node: Node, path: tuple[str, ...]) -> Node:
    """Return the last value on the way along ``path`` that exists."""
    for name in path:
        hits = [child for known, _offset, child in node.members if known == name]
        if not hits:
            return node
        node = hits[-1]
    return node


class Pairs(list[tuple[str, Any]]):
    """An object's members in order, with duplicates; a type of its own, because a list is not an object."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pairs) and super().__eq__(other)

    __hash__ = None


def tree(text: str) -> Any:
    """Return what a text says apart from white space and the spelling of strings; order, duplicates and digits stay."""
    number: dict[str, Any] = {
        "parse_int": lambda digits: ("number", digits),
        "parse_float": lambda digits: ("number", digits),
    }
    return json.loads(text, object_pairs_hook=Pairs, **number)


_spaces = st.sampled_from(["", "", " ", "\n  ", "\t", "\r\n"])


@st.composite
def _strings(draw: st.DrawFn, contents: st.SearchStrategy[str]) -> tuple[str, str]:
    """A string and its text in one of the spellings that JSON allows."""
    value = draw(contents)
    way = draw(st.sampled_from(["plain", "ascii", "escaped"]))
    if way == "escaped":
        data = value.encode("utf-16-be", "surrogatepass")
        return value, '"' + "".join(f"\\u{data[i]:02X}{data[i + 1]:02x}" for i in range(0, len(data), 2)) + '"'
    # Half a surrogate pair can only be written as an escape, because UTF-8 has no form for it.
    lone = any("\ud800" <= sign <= "\udfff" for sign in value)
    return value, json.dumps(value, ensure_ascii=lone or way == "ascii")


_numbers = st.one_of(
    st.sampled_from(["0", "-0", "1", "1.0", "1.00", "1e5", "1E-999", "-1e999", "9" * 400]),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["false", "{", "\ud83d", "}"])
_scalars = st.one_of(
    st.sampled_from(["true", "false", "null"]).map(Node),
    _numbers.map(Node),
    _strings(_texts).map(lambda pair: Node(pair[1])),
)


@st.composite
def _objects(draw: st.DrawFn, values: st.SearchStrategy[Node], names: st.SearchStrategy[str]) -> Node:
    text, members = "{" + draw(_spaces), []
    for i in range(draw(st.integers(0, 4))):
        name, spelled = draw(_strings(names))
        text += ("," + draw(_spaces) if i else "") + spelled + draw(_spaces) + ":" + draw(_spaces)
        value = draw(values)
        members.append((name, len(text), value))
        text += value.text + draw(_spaces)
    return Node(text + "}", True, tuple(members))


@st.composite
def _arrays(draw: st.DrawFn, values: st.SearchStrategy[Node]) -> Node:
    inside = [draw(_spaces) + value.text + draw(_spaces) for value in draw(st.lists(values, max_size=3))]
    return Node("[" + (",".join(inside) or draw(_spaces)) + "]")


names = st.sampled_from(NAMES)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)
nodes: st.SearchStrategy[Node] = st.recursive(
    _scalars, lambda inner: _objects(inner, names) | _objects(inner, names) | _arrays(inner), max_leaves=8
)
objects = _objects(nodes, names)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Node, str, int]:
    """A value, the text of a column that holds it, and where it begins there: white space surrounds it."""
    node, before, after = draw(objects | nodes), draw(_spaces), draw(_spaces)
    return node, before + node.text + after, len(before)


def nest(kind: str, depth: int) -> str:
    """Return a valid JSON text of ``depth`` levels."""
    return {"array": "[" * depth + "]" * depth, "object": '{"a":' * depth + "1" + "}" * depth}[kind]
