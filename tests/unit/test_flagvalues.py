# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What off means, value by value, and what the flag's place must say to be acted on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import (
    Document,
    Flag,
    json_is_on,
    mark_of,
    read_document,
    written_document,
)
from tests.unit.strategies import nest, nodes


def flag(*path: str, **options: Any) -> Flag:
    """Return the flag of a document, by default the plan's own."""
    return Flag("jsonb", "Companies", "id", "settings", path=path or ("kanbanV2Enabled",), **options)


OFF = ["null", "false"]
ON = ["true", '"false"', '"sim"', '"true"', '"null"', '""', "0", "-0", "0.0", "1", "2", "{}", "[]", "[false]"]


@pytest.mark.parametrize("value", OFF)
def test_null_and_false_are_off(value: str) -> None:
    assert not json_is_on(value, flag())
    assert read_document(f'{{"kanbanV2Enabled": {value}}}', flag()) == Document(on=False)


@pytest.mark.parametrize("value", ON)
def test_everything_else_is_on(value: str) -> None:
    assert json_is_on(value, flag())
    assert read_document(f'{{"kanbanV2Enabled": {value}}}', flag()) == Document(on=True)


@pytest.mark.parametrize("absent_is_on", [False, True])
@pytest.mark.parametrize(
    "text",
    [None, "", "  \n", "{}", '{"other": true}', "[]", '"text"', "null", "true", "5", '["kanbanV2Enabled"]'],
)
def test_what_is_absent_is_off_unless_told_otherwise(text: str | None, absent_is_on: bool) -> None:
    assert read_document(text, flag(absent_is_on=absent_is_on)) == Document(on=absent_is_on)


@pytest.mark.parametrize("text", ['{"features": true}', '{"features": []}', '{"features": {"a": true}}', "{}"])
def test_a_path_that_leads_nowhere_is_absent(text: str) -> None:
    assert not read_document(text, flag("features", "kanban")).on
    assert read_document(text, flag("features", "kanban", absent_is_on=True)).on


@pytest.mark.parametrize("text", ["kanban", "{", '{"kanbanV2Enabled": NaN}', "{'kanbanV2Enabled': true}", "\x00"])
def test_what_is_no_json_is_neither_on_nor_readable(text: str) -> None:
    for absent_is_on in (False, True):
        assert read_document(text, flag(absent_is_on=absent_is_on)) == Document(on=False, readable=False)


@pytest.mark.parametrize(
    ("value", "on"),
    [("0", False), ("0.0", True), ("false", False), ("null", False), ('"0"', True), ("1", True), ("true", True)],
)
def test_the_disabled_value_is_off_exactly_as_it_is(value: str, on: bool) -> None:
    assert json_is_on(value, flag(enabled_value=1, disabled_value=0)) is on


@pytest.mark.parametrize(
    ("value", "on"), [("true", False), ("false", True), ("null", False), ('"true"', True), ("1", True)]
)
def test_an_inverted_flag_is_on_where_it_says_false(value: str, on: bool) -> None:
    assert json_is_on(value, flag(enabled_value=False, disabled_value=True)) is on


@pytest.mark.parametrize(
    ("disabled", "value"),
    [("disabled", '"d\\u0069sabled"'), ({"on": False, "by": 1}, '{ "by": 1, "on": false }'), ([], "[ ]")],
)
def test_the_disabled_value_is_known_in_any_spelling(disabled: Any, value: str) -> None:
    assert not json_is_on(value, flag(enabled_value="enabled", disabled_value=disabled))


@pytest.mark.parametrize("disabled", [False, None, 0, "off", {"a": [1]}])
def test_what_is_written_to_switch_off_counts_as_off(disabled: Any) -> None:
    kept = flag("a", "b", disabled_value=disabled, absent_is_on=True)
    for text in (None, "", "{}", "[]", '{"a": 5}', '{"a": {"b": true, "c": "x"}}'):
        written = written_document(text, kept, enabled=False)
        assert read_document(written, kept) == Document(on=False)
        assert json.loads(written)["a"]["b"] == disabled


@given(nodes, st.booleans())
def test_a_value_is_off_by_this_rule_alone(value: Any, absent_is_on: bool) -> None:
    read = json.loads(value.text, parse_int=str, parse_float=str)
    assert json_is_on(value.text, flag(absent_is_on=absent_is_on)) == (read is not None and read is not False)


@pytest.mark.parametrize("kind", ["array", "object"])
@pytest.mark.parametrize("depth", [900, 990, 1_490, 9_990, 10_010, 100_000])
def test_a_deep_value_is_read_or_is_unreadable_and_never_a_crash(kind: str, depth: int) -> None:
    document = read_document(f'{{"kanbanV2Enabled": {nest(kind, depth)}}}', flag())
    assert document in (Document(on=True), Document(on=False, readable=False))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, "bool", "true"),
        (False, "text", "false"),
        (True, "int4", "1"),
        (False, "numeric", "0"),
        ("enabled", "text", "enabled"),
        ("enabled", "varchar", "enabled"),
        ("enabled", "jsonb", '"enabled"'),
        (True, "jsonb", "true"),
        (2, "int4", "2"),
        (2, "text", "2"),
        ({"a": 1}, "text", '{"a": 1}'),
        ('it\'s "{{ x }}"', "text", 'it\'s "{{ x }}"'),
    ],
)
def test_a_plain_column_gets_the_value_in_its_own_words(value: Any, kind: str, text: str) -> None:
    column = Flag("column", "Companies", "id", "kanban", enabled_value=value, disabled_value="other")
    assert column.scalar_value(True, kind) == text


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"store": "jsonb"}, "path"),
        ({"store": "key_value", "key_column": "key"}, "key_column and key"),
        ({"store": "key_value", "key": "kanban"}, "key_column and key"),
        ({"store": "key_value", "key_column": "key", "key": "kanban", "absent_is_on": True}, "tenants_table"),
    ],
)
def test_a_place_that_is_not_complete_is_refused_before_anything_happens(options: dict[str, Any], missing: str) -> None:
    with pytest.raises(BadInput) as refused:
        Flag(table="Companies", tenant_column="id", column="settings", **options)
    assert refused.value.code == "incomplete_flag"
    assert missing in refused.value.what


def test_a_mark_knows_one_text_from_another() -> None:
    texts = ["", "{}", "{ }", '{"a": 1}', '{"a": 1.0}', '"\ud83d"', "ç"]
    marks = [mark_of(text) for text in texts]
    assert len(set(marks)) == len(texts)
    assert marks == [mark_of(text) for text in texts]
    assert all(len(mark) == 32 for mark in marks)
