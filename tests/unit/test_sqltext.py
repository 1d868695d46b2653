# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements without their data: what PostgreSQL takes for a constant is gone, names stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqltext import hide_literals, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('SELECT * FROM "Tags" WHERE id = 5 AND b=$12', 'SELECT * FROM "Tags" WHERE id = ? AND b=$12'),
        ("SELECT t1.c2 FROM t1\n\tLIMIT 10", "SELECT t1.c2 FROM t1 LIMIT ?"),
        ("a = 'O''Brien' OR b = ''", "a = ? OR b = ?"),
        (r"a = E'it\'s', 'x'", "a = ?, ?"),
        (r"e'a''b\\' , 1", "? , ?"),
        ("x'1F', B'01', N'n', U&'d', type'y', 12.5e-3, 1_000, .5, -3", "?, ?, ?, ?, type?, ?, ?, ?, -?"),
        ("DO $$ 'a' $x$ $$ b", "DO ? b"),
        ("$fn$ $$ a $fn$ b", "? b"),
        ("a$1$b$2", "a$1$b$2"),
        ("a /* x /* y */ 'z' */ b -- secret\nc", "a b c"),
        ('"it\'s", "a""b\'", \'x\'', '"it\'s", "a""b\'", ?'),
        ("coração = 'é'", "coração = ?"),
        ("", ""),
    ],
)
def test_constants_and_comments_go_and_names_stay(text: str, shown: str) -> None:
    assert hide_literals(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'secret",
        "SELECT 'a''secret",
        "SELECT E'a\\'secret",
        "SELECT $$secret",
        "SELECT $x$ secret $y$",
        "SELECT /* secret",
        "SELECT -- secret",
        'SELECT "secret',
        # Two readings of a backslash; neither may show what the other hides.
        r"SELECT 'C:\', 'secret'",
        r"SELECT 'a\' , secret '",
        "SELECT E'a'\n'b\\'secret'",
    ],
)
def test_where_it_is_not_certain_where_a_string_ends_the_rest_goes(text: str) -> None:
    assert "secret" not in hide_literals(text)
    assert hide_literals(text).startswith("SELECT")


TEXT = st.text(st.sampled_from("aB1'\"\\$/*-E x\n;é"), max_size=60)


@given(TEXT)
def test_what_is_in_a_string_is_never_shown(data: str) -> None:
    quoted = "'" + f"{data}ZZZ{data}".replace("'", "''") + "'"
    for prefix in ("", "N", "U&", "type"):
        assert "ZZZ" not in hide_literals(f"SELECT {prefix}{quoted}, 1")
    escaped = f"{data}ZZZ".replace("\\", "\\\\").replace("'", "\\'")
    assert hide_literals(f"SELECT E'{escaped}', 1") == "SELECT ?, ?"


@given(st.text(max_size=80))
def test_any_text_gives_one_line_and_again_the_same(text: str) -> None:
    shown = hide_literals(text)
    assert len(shown.splitlines()) <= 1
    assert hide_literals(shown).rstrip("…?") == shown.rstrip("…?")


def test_long_texts_are_cut_and_take_no_time() -> None:
    assert hide_literals("a " * 5000, 7) == "a a a a…"
    assert one_line("a\n b\t c", 3) == "a b…"
    for text in ("'" * 100_001, "/*" * 50_000, "$" * 100_000, '"' * 100_001, "E'\\" * 30_000, "1e" * 50_000):
        assert len(hide_literals(text)) <= 1001
