# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that are our own tics are found in prose, wherever they are folded, and nowhere else."""

from __future__ import annotations

import pytest

from tools.gates import ROOT
from tools.prose import TICS, complaints, pages, tics


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is mended, and Somebody knows.\n", ["mended", "Somebody"]),
        ("Each is given back to\nthe letter.\n", ["to the letter"]),
        ("A list:\n\n- which key\n  is in its\n  way\n", ["is in its way"]),
        ("Nobody was told.\n", ["was told"]),
        # Other words, and other meanings.
        ("An amendment. They are told apart; it cannot be told from it. A household.\n", []),
        # What people type and read.
        ("Read `what holds` and\n\n```text\nit holds\n```\n\n    all the same\n\n[a](mend.md) is done.\n", []),
    ],
)
def test_a_tic_is_found_in_prose_alone(text: str, found: list[str]) -> None:
    assert [words for _line, words, _better in tics(text)] == found


def test_the_line_and_the_better_words_are_named() -> None:
    assert list(tics("One.\n\nIt works all\nthe same.\n")) == [(3, "all the same", TICS["all the same"])]


def test_the_documentation_has_none() -> None:
    assert {path.name for path in pages()} >= {"README.md", "CONTRIBUTING.md", "errors.md"}
    assert all(path.is_relative_to(ROOT) for path in pages())
    assert complaints() == []
