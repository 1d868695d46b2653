# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How lines of the live view are folded, cleaned and shortened."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livetext as text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livetext import ODD, clock, folded
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import visible


def test_lines_are_folded_between_words_and_lines_to_copy_are_not() -> None:
    line = text.step(4, "Keep the flag off", ["db1"], "400 of 400 tenants off, latch up", ODD)
    assert folded(line, 40).split("\n") == [
        "00:04  Keep the flag off [db1]: 400 of",
        "       400 tenants off, latch up",
    ]
    assert folded(line, None) == line.text
    assert all(len(part) <= 40 for part in folded(line, 40).split("\n"))
    command = "ansible-playbook chatia.kanban_rollback.scenario3 -e kanban_incident_id=INC-1"
    ends = "db1: to end it: SELECT pg_terminate_backend(4711) and then type the same again"
    assert [folded(line, 30) for line in text.screen([command, ends])] == [command, ends]
    assert folded(text.screen(["  a b c d e f g h i j k l m n"])[0], 20).split("\n") == [
        "  a b c d e f g h i",
        "    j k l m n",
    ]


def test_clocks_and_cleaning() -> None:
    assert [clock(at) for at in (-1, 4.9, 3599, 3725)] == ["00:00", "00:04", "59:59", "1:02:05"]
    assert visible("a\tb\x1b[0m\r\u2028é") == "a�b�[0m��é"


def test_of_files_in_a_result_only_the_length_is_shown() -> None:
    long, told = "x" * 1234, "(1,234 characters, shown with -vvvv)"
    carried = {"keep": [{"name": "words.md", "text": long}], "words": {"root_cause": long, "eta": "soon"}, "msg": long}
    assert text.without_files(carried) == {
        "keep": [{"name": "words.md", "text": told}], "words": {"root_cause": told, "eta": "soon"}, "msg": long,
    }  # fmt: skip
    failure = {"failed": True, "content": long}
    assert text.without_files({"results": [failure, {"content": long}]}) == {"results": [failure, {"content": told}]}
