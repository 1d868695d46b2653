# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value inside a JSON text is found and replaced, and every other letter stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import (
    NotJson,
    leaf,
    locate,
    nested,
    removed,
    replaced,
    same_value,
)
from tests.unit.strategies import OTHER, Node, Pairs, deepest, documents, find, nest, nodes, paths, tree

Document = tuple[Node, str, int]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ('{"a": true}', ["a"], "true"),
        (' { "a" : "x,}" , "b":1}\n', ["a"], '"x,}"'),
        ('{"a": 1, "a": 2}', ["a"], "2"),
        ('{"a": {"b": 1}, "a": {"c": 2}}', ["a", "b"], None),
        ('{"\\u0061": 1}', ["a"], "1"),
        ('{"a": "\\u0000"}', ["a"], '"\\u0000"'),
        ('{"a": "\\ud83d"}', ["a"], '"\\ud83d"'),
        ('{"\\ud83d\\ude00": [ ]}', ["😀"], "[ ]"),
        ('{"a": null}', ["a"], "null"),
        ('{"a": {"b": {"c": 1.00}}}', ["a", "b", "c"], "1.00"),
        ('{"a": [{"b": 1}]}', ["a", "b"], None),
        ('{"b": {"a": 1}}', ["a"], None),
        ("{}", ["a"], None),
        ("[]", ["a"], None),
        ('"a"', ["a"], None),
        ("null", ["a"], None),
    ],
)
def test_leaf_is_the_text_at_the_path(text: str, path: list[str], value: str | None) -> None:
    assert leaf(text, path) == value


@pytest.mark.parametrize(
    ("text", "path", "written"),
    [
        ('{"b": 1.00, "a" : true }', ["a"], '{"b": 1.00, "a" : false }'),
        ('{"a": true, "a": "sim"}', ["a"], '{"a": true, "a": false}'),
        ("{}", ["a"], '{"a": false}'),
        ("{ }", ["a"], '{"a": false }'),
        ('{"b":1}', ["a"], '{"a": false, "b":1}'),
        ('{"a": {"c": 1}}', ["a", "b"], '{"a": {"b": false, "c": 1}}'),
        ('{"a": 5, "z": 1}', ["a", "b"], '{"a": {"b": false}, "z": 1}'),
        ("{}", ["a", "b", "c"], '{"a": {"b": {"c": false}}}'),
        (" [1] ", ["a"], ' {"a": false} '),
        ("null", ["a", "b"], '{"a": {"b": false}}'),
        ("{}", ['"\\'], '{"\\"\\\\": false}'),
    ],
)
def test_replaced_makes_what_is_missing(text: str, path: list[str], written: str) -> None:
    assert replaced(text, path, "false") == written


@pytest.mark.parametrize(
    ("text", "path", "without"),
    [
        ('{"a": 1}', ["a"], "{}"),
        ('{"a": 1, "b": 2}', ["a"], '{"b": 2}'),
        ('{"b": 2 , "a": 1}', ["a"], '{"b": 2 }'),
        ('{"b": 1, "a": 2, "c": 3}', ["a"], '{"b": 1, "c": 3}'),
        ('{"a": 1, "b": 2, "a": 3}', ["a"], '{"b": 2}'),
        ('{"a": {"b": 1}}', ["a", "b"], '{"a": {}}'),
        ('{"b": 1}', ["a"], '{"b": 1}'),
        ('{"b": 1}', ["b", "c"], '{"b": 1}'),
        ("[1]", ["a"], "[1]"),
        ('{"a": 1}', [], '{"a": 1}'),
    ],
)
def test_removed_takes_the_member_alone(text: str, path: list[str], without: str) -> None:
    assert removed(text, path) == without


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "Infinity",
        "-Infinity",
        '{"a": NaN}',
        '{"a": [-Infinity]}',
        '{"a": 1} x',
        '{"a": 1}{"a": 2}',
        '{"a": 1,}',
        "[1,]",
        '{"a" 1}',
        '{"a": }',
        "{'a': 1}",
        "{a: 1}",
        '{1: "a"}',
        '{"a": 1',
        '{"a',
        '"\x00"',
        '"\n"',
        '{"a\t": 1}',
        '"\\x"',
        '"\\u00g0"',
        '"\\u12"',
        '"\\u 123"',
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "0x10",
        "-",
        "1_000",
        "٣",  # A digit, but not one that JSON knows.
        "True",
        "undefined",
        "/* */ {}",
        "\ufeff{}",
        "\xa0{}",
    ],
)
def test_what_is_no_json_is_said_to_be_none(text: str) -> None:
    for act in (locate, leaf, removed):
        with pytest.raises(NotJson):
            act(text, ["a"])
    with pytest.raises(NotJson):
        replaced(text, ["a"], "false")


@pytest.mark.parametrize("kind", ["array", "object"])
@pytest.mark.parametrize("depth", [900, 990, 5_000, 200_000])
def test_deep_nesting_is_read_or_refused_and_never_a_crash(kind: str, depth: int) -> None:
    text = f'{{"b": {nest(kind, depth)}, "a": true}}'
    try:
        assert replaced(text, ["a"], "false") == text[:-5] + "false}"
    except NotJson:
        # A moderate depth, which PostgreSQL takes too, must be read.
        assert depth > 900


def test_a_few_hundred_levels_are_read() -> None:
    text = nest("object", 300)
    assert leaf(text, ["a"] * 300) == "1"
    assert replaced(text, ["a"] * 300, "2") == text.replace("1", "2")


@given(documents(), paths)
def test_leaf_is_what_was_built_there(document: Document, path: tuple[str, ...]) -> None:
    node, text, start = document
    place = find(node, path)
    assert leaf(text, path) == (None if place is None else text[start + place[0] : start + place[1]])


@given(documents(), paths, nodes)
def test_what_is_replaced_is_the_place_and_not_a_letter_more(
    document: Document, path: tuple[str, ...], value: Node
) -> None:
    node, text, start = document
    new = replaced(text, path, value.text)
    assert leaf(new, path) == value.text
    place = find(node, path)
    if place is not None:
        assert new == text[: start + place[0]] + value.text + text[start + place[1] :]
        return
    point = deepest(node, path)
    if point.is_object:
        # A member is inserted right after a brace; without it the text is exactly the old one.
        added = len(new) - len(text)
        spots = [at + 1 for at, sign in enumerate(text) if sign == "{"]
        assert any(text[:at] == new[:at] and text[at:] == new[at + added :] for at in spots)
    else:
        # Anything that is not an object is replaced, and everything around it stays.
        rest = text.split(point.text)
        assert any(
            new.startswith(point.text.join(rest[:i])) and new.endswith(point.text.join(rest[i:]))
            for i in range(1, len(rest) + 1)
        )


@given(documents(), paths, nodes, nodes)
def test_the_last_write_is_the_one_that_counts(
    document: Document, path: tuple[str, ...], first: Node, second: Node
) -> None:
    _node, text, _start = document
    assert replaced(replaced(text, path, first.text), path, second.text) == replaced(text, path, second.text)


@given(documents(), paths)
def test_writing_what_stands_there_changes_nothing(document: Document, path: tuple[str, ...]) -> None:
    _node, text, _start = document
    value = leaf(text, path)
    if value is not None:
        assert replaced(text, path, value) == text


@given(documents(), paths, nodes)
def test_a_member_that_was_added_can_be_removed_again(document: Document, path: tuple[str, ...], value: Node) -> None:
    node, text, _start = document
    point = deepest(node, path[:-1])
    if find(node, path[:-1]) is not None and point.is_object and find(node, path) is None:
        assert tree(removed(replaced(text, path, value.text), path)) == tree(text)


@given(documents(), paths)
def test_removed_leaves_no_member_of_that_name_and_all_others(document: Document, path: tuple[str, ...]) -> None:
    node, text, _start = document
    new = removed(text, path)
    assert leaf(new, path) is None
    if find(node, path) is None:
        assert new == text
    elif len(path) == 1:
        assert tree(new) == Pairs(pair for pair in tree(text) if pair[0] != path[0])


@given(documents(), st.data())
def test_one_wrong_letter_is_refused_where_a_parser_refuses_it(document: Document, data: st.DataObject) -> None:
    _node, text, _start = document
    at = data.draw(st.integers(0, len(text)))
    letter = data.draw(st.sampled_from(["", ",", ":", '"', "{", "}", "]", "\\", "\x00", "\n", "N", "0", "e", "-"]))
    cut = data.draw(st.integers(0, 2))
    broken = text[:at] + letter + text[at + cut :]
    try:
        tree(broken)
        valid = "NaN" not in broken and "Infinity" not in broken
    except ValueError:
        valid = False
    if valid:
        assert leaf(replaced(broken, [OTHER], "[1]"), [OTHER]) == "[1]"
    else:
        for act in (locate, leaf, removed):
            with pytest.raises(NotJson):
                act(broken, ["a", "b"])


@given(paths, nodes)
def test_nested_is_an_object_per_step(path: tuple[str, ...], value: Node) -> None:
    read = json.loads(nested(path, '"here"'))
    for name in path:
        assert list(read) == [name]
        read = read[name]
    assert read == "here"
    assert leaf(nested(path, value.text), path) == value.text


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", "1", True),
        ("1", "1.0", False),
        ("1.0", "1.00", False),
        ("1e999", "1e998", False),
        ("1", "true", False),
        ("0", "false", False),
        ("0", "-0", False),
        ("1e2", "100", False),
        ('"\\u0061"', '"a"', True),
        ('"1"', "1", False),
        ('{"a":1,"b":2}', '{ "b": 2, "a": 1 }', True),
        ("[1, 2]", "[1,2]", True),
        ("[1, 2]", "[2, 1]", False),
        ('["number", "1"]', "1", False),
        ("9" * 5000, "9" * 5000, True),
        ("1" + "0" * 400, "1" + "0" * 399 + "1", False),
        ("null", "false", False),
        ("{}", "[]", False),
    ],
)
def test_same_value_keeps_apart_what_an_exact_undo_wants_apart(left: str, right: str, same: bool) -> None:
    assert same_value(left, right) is same


@given(nodes, nodes)
def test_same_value_is_blind_to_spelling_only(left: Node, right: Node) -> None:
    assert same_value(left.text, f" {left.text}\n")
    if same_value(left.text, right.text):
        assert json.loads(left.text, parse_int=str, parse_float=str) == json.loads(
            right.text, parse_int=str, parse_float=str
        )
