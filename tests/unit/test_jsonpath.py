# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths into JSON answers: where they lead, and what is said about those that lead nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import (
    PathMissing,
    parse,
    read,
    shown,
    steps,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson

DOCUMENT: dict[str, Any] = {
    "a": {"b": [{"c": 1}, {"c": 2}], "0": "zero", "none": None, "no": False},
    "x.y": {"it's": "dotted"},
    "ação": "acentos",
    "7": "a tenant's id",
    "text": "text",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[0].c", 1),
        ("a.b[-1].c", 2),
        ("a.b.1.c", 2),
        ("$.a.b[1].c", 2),
        ('$["a"]["b"][1]', {"c": 2}),
        ('a["b"][0]["c"]', 1),
        (["a", "b", 0, "c"], 1),
        (["a", "b", "1", "c"], 2),
        ("a.0", "zero"),
        ("a[0]", "zero"),
        ("a.none", None),
        ("a.no", False),
        ('["x.y"]["it\'s"]', "dotted"),
        (["x.y", "it's"], "dotted"),
        ("ação", "acentos"),
        ("7", "a tenant's id"),
        ([7], "a tenant's id"),
        ("", DOCUMENT),
        ("$", DOCUMENT),
        ([], DOCUMENT),
    ],
)
def test_a_path_leads_to_its_value(path: Any, value: Any) -> None:
    assert read(DOCUMENT, path) == value


@pytest.mark.parametrize(
    ("path", "step", "inside", "why"),
    [
        ("a.c", "c", "a", "a has no c"),
        ("gone.b", "gone", "the document", "the document has no gone"),
        ("a.b[2].c", "[2]", "a.b", "a.b is a list of 2 and has no [2]"),
        ("a.b[-3]", "[-3]", "a.b", "a.b is a list of 2 and has no [-3]"),
        ("a.b.c", "c", "a.b", "a.b is a list of 2 and has no c"),
        ("a.none.x", "x", "a.none", "a.none is null, which has no x"),
        ("a.no.x", "x", "a.no", "a.no is true or false, which has no x"),
        ("text.length", "length", "text", "text is a text, which has no length"),
        ("text[0]", "[0]", "text", "text is a text, which has no [0]"),
        ("a.b[0].c.d", "d", "a.b[0].c", "a.b[0].c is a number, which has no d"),
    ],
)
def test_a_path_that_leads_nowhere_says_which_step_is_missing(path: str, step: str, inside: str, why: str) -> None:
    with pytest.raises(PathMissing) as missing:
        read(DOCUMENT, path)
    assert (missing.value.step, missing.value.inside, missing.value.why) == (step, inside, why)
    assert str(missing.value) == f"nothing at {shown(path)}: {why}"


@pytest.mark.parametrize(
    "path",
    ["a..b", ".a", "a.", "a b[", "a[b]", "a[*]", "a[0", "$a", "a]", "[]", "a[1.5]", "x" * 501, 5, None, {"a": 1},
     [None], [True], [1.5], [["a"]], ["a"] * 33],
)  # fmt: skip
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(BadInput) as refused:
        steps(path)
    assert refused.value.code == "bad_json_path"
    assert len(str(refused.value)) < 400


_keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["0", "-1", "a.b", "]", "$", ""]
)
_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | _keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=10,
)


def leaves(document: Any) -> list[tuple[list[Any], Any]]:
    """Return every path of a document with the value there."""
    if isinstance(document, dict):
        inside = list(document.items())
    else:
        inside = list(enumerate(document)) if isinstance(document, list) else []
    return [([], document)] + [([key, *path], value) for key, below in inside for path, value in leaves(below)]


@given(_documents)
def test_every_value_is_found_by_its_list_of_steps(document: Any) -> None:
    for path, value in leaves(document):
        assert read(document, path) is value


@given(_documents, st.lists(_keys | st.integers(-5, 5), max_size=4))
def test_a_path_leads_to_a_value_or_is_missing_and_nothing_else(document: Any, path: list[Any]) -> None:
    try:
        value = read(document, path)
    except PathMissing:
        return
    assert any(value is known for _path, known in leaves(document))


@given(st.text(max_size=12))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        found = steps(text)
    except BadInput:
        return
    assert text.strip() in ("", "$") or found


@given(st.lists(_keys | st.integers(-5, 5), max_size=4))
def test_a_path_that_is_shown_means_the_same(path: list[Any]) -> None:
    if path and not any('"' in str(step) or "\\" in json.dumps(step) for step in path):
        assert [str(step) for step in steps(shown(path))] == [str(step) for step in path]


@pytest.mark.parametrize(
    "body", [b'{"a": [1, 2.5, null]}', b'\xef\xbb\xbf{"a": [1, 2.5, null]}', '{"a": [1, 2.5, null]}']
)
def test_a_body_is_parsed(body: bytes | str) -> None:
    assert parse(body) == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>tr0ub4dor</html>", "it is no JSON"),
        (b"", "it is no JSON"),
        (b'{"a": 1} {"tr0ub4dor": 1}', "it is no JSON"),
        (b"\xff\xfe\x00", "it is no JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[NaN]", "NaN is nothing that JSON has"),
        (b"-Infinity", "-Infinity is nothing that JSON has"),
        (b"[1e999]", "a number in it is too large"),
        (b"9" * 1_000_000, "a number in it is too long"),
    ],
)
def test_what_is_no_json_is_refused_without_repeating_it(body: bytes, why: str) -> None:
    with pytest.raises(NotJson) as refused:
        parse(body)
    assert str(refused.value) == why
