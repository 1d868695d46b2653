# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign text in Markdown is shown and is never markup."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import (
    block,
    clean,
    code,
    megabytes,
    number,
    percent,
    table,
    word,
)

HOSTILE = st.text(st.sampled_from("a`|\\<>*_[]()#-!\n\r\t \x1b\u202e\u2028{}"), max_size=40) | st.text(max_size=40)


@given(HOSTILE)
def test_a_line_of_code_is_one_line_and_stays_code(text: str) -> None:
    shown = block(text)
    assert shown.startswith("        ")
    assert len(shown.splitlines()) == 1


@given(HOSTILE)
def test_code_within_a_line_cannot_be_ended_from_inside(text: str) -> None:
    shown = code(text)
    assert len(shown.splitlines()) == 1
    found = re.fullmatch(r"(`+)(.*[^`])\1", shown)
    if found is None:
        assert shown == "–"
        assert not clean(text, 120)
    else:
        # A run of backticks ends the code only if it is as long as the one that begins it.
        assert len(found[1]) not in {len(run) for run in re.findall("`+", found[2])}


@given(HOSTILE, HOSTILE)
def test_a_cell_cannot_be_ended_from_inside(one: str, other: str) -> None:
    *_heads, row, _end = table(["a", "b"], [[code(one), code(other)]])
    assert row.count("|") == 3
    assert len(row.splitlines()) == 1


@given(HOSTILE)
def test_what_does_something_instead_of_being_seen_is_replaced(text: str) -> None:
    shown = clean(text, 100)
    assert {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


def test_texts_as_they_are_read() -> None:
    assert clean("a\n\tb  c", 100) == "a b c"
    assert clean("\x1b[31mred\u202e", 100) == "�[31mred�"
    assert clean("abcdef", 3) == "abc…"
    assert (code("a"), code("a`b"), code("``"), code("")) == ("`a`", "`` a`b ``", "``` `` ```", "–")
    assert table(["x"], [["`a|b`"]]) == ["| x |", "| --- |", "| `a¦b` |", ""]


@pytest.mark.parametrize("value", [None, "12", True, [], {}])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    assert (number(value), megabytes(value), percent(value)) == ("–", "–", "–")


def test_numbers_as_people_read_them() -> None:
    assert (number(1234567), number(1.25, 1, "ms"), megabytes(2_500_000), percent(0.256)) == (
        "1,234,567",
        "1.2 ms",
        "2.5 MB",
        "26%",
    )
    assert (word(True), word(False), word(None), word(1)) == ("yes", "no", "–", "–")
