# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a text is looked for: what PostgreSQL is given matches what a person means, and nothing else."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankmatch import LONGEST, match_for


def found(wanted: str, text: str, ignore_case: bool = True) -> bool:
    """Search as PostgreSQL will: its regular expressions agree with Python's for those that are made here."""
    match = match_for(wanted, ignore_case)
    if match.kind == "all":
        return True
    if match.kind == "pattern":
        return re.search(match.value, text) is not None
    ascii_lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    return match.value in (ascii_lowered if match.kind == "folded" else text)


@pytest.mark.parametrize(
    ("wanted", "ignore_case", "kind", "value"),
    [
        ("", True, "all", ""),
        ("Kanban", True, "folded", "kanban"),
        ("Kanban", False, "plain", "Kanban"),
        ("100%_a", True, "folded", "100%_a"),
    ],
)
def test_ascii_is_a_search_for_bytes(wanted: str, ignore_case: bool, kind: str, value: str) -> None:
    match = match_for(wanted, ignore_case)
    assert (match.kind, match.value) == (kind, value)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("kanban", "GET /KANBAN/board"),
        ("sessão", "SESSÃO do kanban"),
        ("SESSÃO", "sessão"),
        ("sessão", unicodedata.normalize("NFD", "Sessão")),
        (unicodedata.normalize("NFD", "Sessão"), "sessão"),
        ("sessão", '{"area": "Sess\\u00e3o"}'),
        ("sessão", '{"area": "SESS\\u00C3O"}'),
        ('say "x"', '{"a": "say \\"x\\""}'),
        ('say "x"', 'say "x"'),
        ("C:\\kanban", '{"a": "C:\\\\kanban"}'),
        ("C:\\kanban", "C:\\kanban"),
        ("a\nb", '{"a": "a\\nb"}'),
        ("straße", "STRASSE"),
        ("🥐", '"\\ud83e\\udd50"'),
    ],
)
def test_it_is_found_however_it_is_written(wanted: str, text: str) -> None:
    assert found(wanted, text)


@pytest.mark.parametrize(
    ("wanted", "text", "ignore_case"),
    [
        ("sessão", "sessao", True),
        ("sessao", "sessão", True),
        ("Sessão", "sessão", False),
        ("a%b", "a-b", True),
        ("a_b", "axb", True),
        ("a.b", "axb", True),
        ("ã.b", "ãxb", True),
        ("ã+", "ãã", True),
        ("\\w", "w", True),
        ("\\d", "5", True),
    ],
)
def test_no_character_is_a_wildcard_and_no_accent_is_left_out(wanted: str, text: str, ignore_case: bool) -> None:
    assert not found(wanted, text, ignore_case)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.booleans())
def test_a_text_is_found_in_itself_and_in_json(wanted: str, ignore_case: bool) -> None:
    assert found(wanted, f"before {wanted} after", ignore_case)
    assert found(wanted, json.dumps({"context": wanted}), ignore_case)
    assert found(wanted, json.dumps({"context": wanted}, ensure_ascii=False), ignore_case)


def test_a_text_that_is_too_long_is_refused() -> None:
    match_for("k" * LONGEST, True)
    with pytest.raises(BadInput) as raised:
        match_for("k" * (LONGEST + 1), True)
    assert raised.value.code == "long_text"
