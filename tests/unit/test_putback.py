# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo is exact: a document comes back to the letter, or its flag alone if the rest has been changed since."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import (
    Flag,
    PutBack,
    mark_of,
    put_back_document,
    read_document,
    written_document,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import leaf, removed, replaced
from tests.unit.strategies import OTHER, Node, documents, nodes, paths, tree

Content = tuple[Node, str, int]

values = st.sampled_from([(True, False), (False, True), ("enabled", "disabled"), (1, 0), ({"on": 1}, None)])


@st.composite
def flags(draw: st.DrawFn) -> Flag:
    enabled, disabled = draw(values)
    return Flag(
        "jsonb",
        "Companies",
        "id",
        "settings",
        path=draw(paths),
        absent_is_on=draw(st.booleans()),
        enabled_value=enabled,
        disabled_value=disabled,
    )


flag = Flag("jsonb", "Companies", "id", "settings", path=("kanban",))


def put_back(current: str | None, prior: str | None, of: Flag = flag, enabled: bool = False) -> PutBack:
    """Put back one document as a restore does, which knows the prior, the mark and the value that was written."""
    mark = mark_of(written_document(prior, of, enabled))
    return put_back_document(current, prior, mark, of.json_value(enabled), of)


@pytest.mark.parametrize(
    "prior",
    [
        '{"kanban": true}',
        '{"kanban": "sim", "kanban": true }',
        ' {"z":1.00,"kanban":[],"a":"\\u0000"}\n',
        '{"kanban": "\\ud83d"}',
        '{"kanban": ""}',
        '{"kanban": 0}',
    ],
)
def test_untouched_since_comes_back_to_the_letter(prior: str) -> None:
    written = written_document(prior, flag, enabled=False)
    assert not read_document(written, flag).on
    assert put_back(written, prior) == PutBack("restored", prior)


@pytest.mark.parametrize("prior", [None, "", " \n", "{}", "[]", '"text"', "null", '{"z": 1}', "5"])
def test_absent_in_all_its_forms_comes_back_as_it_was(prior: str | None) -> None:
    inverted = Flag("jsonb", "Companies", "id", "settings", path=("kanban",), absent_is_on=True)
    written = written_document(prior, inverted, enabled=False)
    assert put_back(written, prior, inverted) == PutBack("restored", prior)


@pytest.mark.parametrize(
    ("prior", "current", "back"),
    [
        ('{"kanban": true, "a": 1}', '{"kanban": false, "a": 2}', '{"kanban": true, "a": 2}'),
        ('{"kanban": "sim"}', '{"b": [1], "kanban" :false}', '{"b": [1], "kanban" :"sim"}'),
        ('{"a": 1}', '{"kanban": false, "a": 2}', '{"a": 2}'),
        (None, '{"kanban": false, "a": 2}', '{"a": 2}'),
        ("[]", '{"kanban": false, "a": 2}', '{"a": 2}'),
    ],
)
def test_other_settings_that_changed_do_not_matter(prior: str | None, current: str, back: str) -> None:
    assert put_back(current, prior) == PutBack("restored", back)


@pytest.mark.parametrize(
    "current",
    [
        '{"kanban": "nao", "a": 1}',
        '{"kanban": null}',
        '{"kanban": 0}',
        '{"kanban": {"on": false}}',
        '{"a": 1}',
        "{}",
        "[]",
        None,
        "",
        "no JSON any more",
    ],
)
def test_a_flag_that_somebody_changed_since_is_left_alone(current: str | None) -> None:
    assert put_back(current, '{"kanban": true}') == PutBack("changed_since")


@pytest.mark.parametrize(
    ("current", "prior"),
    [
        ('{"kanban": true, "a": 2}', '{"kanban": true}'),
        ('{"kanban":"s\\u0069m"}', '{"kanban": "sim"}'),
        ("{}", '{"a": 1}'),
        (None, "[]"),
    ],
)
def test_a_flag_that_is_back_already_is_said_to_be(current: str | None, prior: str) -> None:
    assert put_back(current, prior) == PutBack("already")


def test_numbers_that_look_alike_are_two_values() -> None:
    one = Flag("jsonb", "Companies", "id", "settings", path=("kanban",), enabled_value=1, disabled_value=0)
    assert put_back('{"kanban": 0.0}', '{"kanban": 1}', one).outcome == "changed_since"
    assert put_back('{"kanban": 1.0}', '{"kanban": 1}', one).outcome == "changed_since"
    assert put_back('{"kanban": 0, "a": 1}', '{"kanban": 1.0}', one) == PutBack("restored", '{"kanban": 1.0, "a": 1}')


def put_back_after_two(again: str, prior: str, since: str | None = None) -> PutBack:
    """Put back what was switched off, written back by somebody as ``again``, and switched off again."""
    written = written_document(again, flag, enabled=False)
    return put_back_document(since or written, prior, mark_of(written), flag.json_value(False), flag, again)


@pytest.mark.parametrize(
    ("prior", "again", "since", "outcome"),
    [
        ('{"kanban": "sim", "a": 1}', '{"kanban": true, "a":2}', None, PutBack("restored", '{"kanban": "sim", "a":2}')),
        ('{"kanban": true}', '{"kanban":true , "b": 1}', None, PutBack("restored", '{"kanban":true , "b": 1}')),
        ('{"a": 1}', '{"kanban": true, "a": 2}', None, PutBack("restored", '{"a": 2}')),
        ('{"kanban": "sim"}', '{"kanban": 1}', '{"kanban": false, "c": 3}',
         PutBack("restored", '{"kanban": "sim", "c": 3}')),
        ('{"kanban": "sim"}', '{"kanban": 1}', '{"kanban": "nao"}', PutBack("changed_since")),
        ('{"kanban": "sim"}', '{"kanban": 1}', '{"kanban": "sim", "c": 3}', PutBack("already")),
    ],
)  # fmt: skip
def test_a_save_between_two_kills_is_kept_and_the_first_flag_comes_back(
    prior: str, again: str, since: str | None, outcome: PutBack
) -> None:
    assert put_back_after_two(again, prior, since) == outcome


@pytest.mark.parametrize("again", ['{ "a":2}', "[1]", '"text"', "{}"])
def test_settings_saved_without_the_flag_between_two_kills_come_back_to_the_letter(again: str) -> None:
    absent = Flag("jsonb", "Companies", "id", "settings", path=("kanban",), absent_is_on=True)
    written = written_document(again, absent, enabled=False)
    assert put_back_document(written, '{"a": 1}', mark_of(written), "false", absent, again) == PutBack(
        "restored", again
    )


@given(documents(), flags(), nodes, nodes)
def test_after_two_kills_only_the_flag_goes_back(content: Content, kept: Flag, stale: Node, added: Node) -> None:
    prior = replaced(content[1], kept.path, '"sim"')
    again = replaced(replaced(prior, kept.path, stale.text), [OTHER], added.text)
    written = written_document(again, kept, enabled=False)
    back = put_back_document(written, prior, mark_of(written), kept.json_value(False), kept, again)
    assert back == PutBack("restored", replaced(again, kept.path, '"sim"'))


@given(documents(), flags(), st.booleans())
def test_the_whole_document_comes_back_to_the_letter(content: Content, kept: Flag, enabled: bool) -> None:
    _node, prior, _start = content
    written = written_document(prior, kept, enabled)
    assert read_document(written, kept).on == enabled
    assert put_back(written, prior, kept, enabled) == PutBack("restored", prior)


@given(documents(), flags(), nodes, nodes, st.booleans())
def test_with_another_setting_added_only_the_flag_goes_back(
    content: Content, kept: Flag, value: Node, added: Node, had_it: bool
) -> None:
    # The flag's object exists in the prior; whether the flag does is had_it.
    prior = replaced(content[1], kept.path, value.text)
    prior = prior if had_it else removed(prior, kept.path)
    enabled = not read_document(prior, kept).on
    current = replaced(written_document(prior, kept, enabled), [OTHER], added.text)
    back = put_back(current, prior, kept, enabled)
    assert back.outcome == "restored"
    assert back.text is not None
    assert leaf(back.text, [OTHER]) == added.text
    assert leaf(back.text, kept.path) == (value.text if had_it else None)
    assert tree(removed(back.text, [OTHER])) == tree(prior)
    if had_it:
        # A value that was there is put back in its place, and no letter around it moves.
        assert back.text == replaced(current, kept.path, value.text)


@given(documents(), flags(), nodes)
def test_with_another_setting_changed_its_new_value_stays(content: Content, kept: Flag, changed: Node) -> None:
    prior = replaced(content[1], [OTHER], '"before"')
    enabled = not read_document(prior, kept).on
    current = replaced(written_document(prior, kept, enabled), [OTHER], changed.text + " ")
    back = put_back(current, prior, kept, enabled)
    assert back.outcome == "restored"
    assert back.text is not None
    assert leaf(back.text, [OTHER]) == changed.text
    assert leaf(back.text, kept.path) == leaf(prior, kept.path)


@given(documents(), flags(), nodes)
def test_a_flag_changed_since_is_never_overwritten(content: Content, kept: Flag, changed: Node) -> None:
    _node, prior, _start = content
    current = replaced(written_document(prior, kept, enabled=False), kept.path, changed.text)
    before = leaf(prior, kept.path)
    same: list[Any] = [tree(text) for text in (kept.json_value(False), before) if text is not None]
    assume(tree(changed.text) not in same)
    assert put_back(current, prior, kept) == PutBack("changed_since")


@given(documents(), flags(), nodes)
def test_putting_back_twice_is_putting_back_once(content: Content, kept: Flag, added: Node) -> None:
    _node, prior, _start = content
    current = replaced(written_document(prior, kept, enabled=False), [OTHER], added.text)
    back = put_back(current, prior, kept)
    again = put_back(back.text if back.outcome == "restored" else current, prior, kept)
    # The prior's own text bears the mark only if nothing had to be written at all.
    assert again.outcome == "already" or again.text == back.text
