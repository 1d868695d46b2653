# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/decisions.md say how the code decides, row for row."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._matrix import MATRIX
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._tree import OUTCOMES, TREE

DOCUMENT = Path(__file__).parents[2] / "docs" / "decisions.md"


def tree_rows() -> list[str]:
    rows = []
    for fork in TREE.values():
        for number, way in enumerate(fork.ways.values()):
            question = fork.question if number == 0 else ""
            leads_to = f"**{way.to}**" if way.to in OUTCOMES else TREE[way.to].question
            answer = "not known" if way.answer == "unknown" else way.answer
            rows.append(f"| {question} | {way.when} | {answer} | {leads_to} |")
    return rows


def outcome_rows() -> list[str]:
    return [
        f"| {name} | {severity} | {says} | {f'`{playbook}`' if playbook else ''} |"
        for name, (severity, says, playbook) in OUTCOMES.items()
    ]


def matrix_rows() -> list[str]:
    return [f"| {row.when} | {row.decision} | {row.says} |" for row in MATRIX.values()]


@pytest.mark.parametrize(
    ("heading", "rows"),
    [
        ("| question | what was found | answer | leads to |", tree_rows()),
        ("| outcome | severity | what it says | playbook |", outcome_rows()),
        ("| when | decision | what it says |", matrix_rows()),
    ],
    ids=["tree", "outcomes", "matrix"],
)
def test_the_table_is_what_the_code_decides_by(heading: str, rows: list[str]) -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    first = lines.index(heading) + 2
    table = lines[first : lines.index("", first)]
    assert table == rows, "copy the rows on the right into docs/decisions.md"
