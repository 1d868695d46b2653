# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines to type."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import as_screen, command_of, extra_vars


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("INC-20261126-001", "x=INC-20261126-001"),
        ("app:!app2", "x=app:!app2"),
        ("tickets crash the app", "{x: tickets crash the app}"),
        ("não abre (P0).", "{x: não abre (P0).}"),
        ("abre", "x=abre"),
        ('he said "no"', None),
        ("a: b c", None),
        ("true no", "{x: true no}"),
        ("2026-11-26 08:00:00", None),
        ("{{ lookup('pipe', 'id') }}", None),
        ("[a, b c]", None),
        ("a # b", None),
        ("-e y=1", None),
        ("it's so", None),
        ("a\nb c", None),
        ("a, b", None),
        ("trailing -", None),
        ("a=b", None),
    ],
)
def test_a_value_is_as_plain_as_it_can_be(value: str, given: str | None) -> None:
    assert extra_vars({"x": value}) == ["-e", json.dumps({"x": value}, ensure_ascii=False) if given is None else given]


def test_where_quotes_would_be_escaped_a_sentence_keeps_its_words() -> None:
    assert extra_vars({"x": 'crash, says "Ana": não abre'}, "json") == ["-e", "{x: crash says Ana não abre}"]
    assert extra_vars({"x": "a,b"}, "json") == ["-e", "x=a,b"]
    assert extra_vars({"x": "INC {{ 7 }}"}, "json") == ["-e", "{x: INC 7}"]


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        ({"kind": "dump", "path": "/srv/a-b/INC-1"}, "{kind: dump, path: /srv/a-b/INC-1}"),
        ({"what": ["late_backup"], "rows": 3, "on_it": True}, "{what: [late_backup], rows: 3, on_it: true}"),
        ({"reason": "nobody else is awake"}, "{reason: nobody else is awake}"),
        # A value that YAML would take for a moment, another type or another map keeps its quotes.
        ({"target": "2026-11-25T02:45:00Z"}, None),
        ({"path": "/srv/a b"}, None),
        ({"path": "Yes"}, None),
        ({"path": "a: b"}, None),
        ({"path": "a, b"}, None),
        ({"path": "~"}, None),
        ({"path": "12"}, None),
        ({"on": "a"}, None),
        ({"path": None}, None),
    ],
)
def test_a_map_has_no_quotes_where_they_would_be_escaped_and_yaml_needs_none(value: Any, bare: str | None) -> None:
    whole = json.dumps({"x": value}, ensure_ascii=False)
    assert extra_vars({"x": value}, "json") == ["-e", whole if bare is None else f"{{x: {bare}}}"]
    assert extra_vars({"x": value}) == ["-e", whole]


def test_what_is_empty_is_left_out() -> None:
    assert extra_vars({"a": "", "b": None, "c": "1"}) == ["-e", "c=1"]


def test_a_shell_takes_the_line_apart_as_it_was_put_together() -> None:
    arguments = extra_vars({"hosts": "app:!app2", "reason": "it's `id` $HOME", "why": "tickets crash"})
    line = command_of("scenario1", ["-i", "/srv/a b", *arguments])
    assert shlex.split(line) == ["ansible-playbook", "chatia.kanban_rollback.scenario1", "-i", "/srv/a b", *arguments]
    assert command_of("", arguments) == ""


def test_a_screen_is_one_text_where_a_list_would_be_folded() -> None:
    assert as_screen(["a", "b"], "yaml") == "a\nb"
    assert as_screen(("a", "b")) == as_screen(["a", "b"], "json") == ["a", "b"]
