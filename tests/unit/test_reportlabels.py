# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a report: in the language that was asked for, and never lost if that language lacks them."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportitems import ITEMS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import _TEXTS, LOCALES, Labels
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportstates import STATES

PROFILE = ("kanban/defaults/main.yml", "profile/meta/argument_specs.yml")


def test_what_was_answered_in_one_word_is_read_in_the_language() -> None:
    assert STATES.keys() <= set(LOCALES)
    portuguese, english = Labels("pt_BR"), Labels("en")
    assert [portuguese.word(word) for word in ("proven", "corrupt", "of_tomorrow")] == [
        "comprovado",
        "corrompido",
        "of_tomorrow",
    ]
    assert [english.word(word) for word in ("proven", 3)] == ["proven", "3"]


def test_variables_that_people_are_told_of_are_the_profiles() -> None:
    roles = Path(__file__).parents[2] / "roles"
    named = set(re.findall(r"\bkanban_\w+", repr([_TEXTS, ITEMS])))
    assert named
    profile = "".join((roles / path).read_text("utf-8") for path in PROFILE)
    assert named - set(re.findall(r"^(?: {6})?(kanban_\w+):", profile, re.MULTILINE)) == set()
