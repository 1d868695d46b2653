# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that are our own tics are found in prose, wherever they are folded, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.gates import ROOT
from tools.prose import AREAS, TICS, complaints, pages, tics


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is mended, and Somebody knows.\n", ["mended", "Somebody"]),
        ("Each is given back to\nthe letter.\n", ["given back", "to the letter"]),
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


# A file of each area, and the lines of those of its words that are prose.
FILES = {
    "README.md": ("It holds.\n", [1]),
    "docs/oncall/index.md": ("# On call\n\nIt was mended.\n", [3]),
    "roles/walk/README.md": ("`holds`\n\nIt holds.\n", [3]),
    "roles/walk/meta/argument_specs.yml": (
        "a:\n  b:\n    description:\n      - C(holds).\n      - By\n        now.\n",
        [5],
    ),
    "roles/walk/tasks/main.yml": (
        "- name: Take away\n  debug:\n    msg: It holds\n- block:\n    - name: It holds\n",
        [1, 5],
    ),
    "playbooks/tasks/walk.yml": ("- name: Mend it\n", [1]),
    "roles/communicate/templates/en/end.md.j2": ("{{ 'Nobody was told' }}\n", [1]),
    "roles/bootstrap/templates/runbooks/triage.md.j2": ("It holds.\n", [1]),
    "roles/bootstrap/templates/runbooks/triage.pt_BR.md.j2": ("It holds.\n", []),
    "plugins/filter/walk.yml": ("DOCUMENTATION:\n  name: mends\n  description: It holds.\n", [3]),
    "plugins/modules/walk.py": ('RETURN = """\na:\n  description: It holds.\n"""\nMESSAGE = "It holds."\n', [3]),
    "plugins/doc_fragments/walk.py": ('class A:\n    DOCUMENTATION = """\nnotes: [It holds.]\n"""\n', [3]),
    "plugins/module_utils/_walk.py": (
        '"""A.\n\nIt holds.\n"""\n\ndef a():\n    """It\n    holds."""\n    # It holds.\n',
        [3, 8],
    ),
    "tools/walk.py": ('class A:\n    """It holds."""\n', [2]),
}


def test_each_area_is_read(tmp_path: Path) -> None:
    for name, (text, _lines) in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = sorted(line.rpartition(": write ")[0].rpartition(":")[0] for line in complaints(tmp_path))
    assert found == sorted(f"{name}:{line}" for name, (_text, lines) in FILES.items() for line in lines)


@pytest.mark.parametrize("area", AREAS)
def test_an_area_has_files_and_every_pattern_names_some(area: str) -> None:
    assert pages(area)
    assert all(list(ROOT.glob(pattern)) for pattern in AREAS[area][0])


def test_there_is_none() -> None:
    assert len(TICS) <= 25
    assert complaints() == []
