# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's own words are found below their headings, in either language, and nothing else is taken for them."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import (
    HEADINGS,
    LONGEST_SECTION,
    read_words,
    words_file,
)


@pytest.mark.parametrize("locale", ["en", "pt_BR", "fr"])
def test_the_file_that_people_find_has_each_heading_and_says_nothing_yet(locale: str) -> None:
    text = words_file(locale)
    assert text.count("\n## ") == len(HEADINGS)
    assert read_words(text).said == {}
    filled = text.replace("## Root cause\n", "## Root cause\nA lock.\n").replace(
        "## Causa raiz\n", "## Causa raiz\nA lock.\n"
    )
    assert read_words(filled).said == {"root_cause": "A lock."}


def test_words_of_both_languages_and_of_no_heading_of_ours() -> None:
    words = read_words(
        "lost\n## causa RAIZ ##\none\n\n### two\n## Notes\nmine\n## What happened\n<!-- no -->{{ 7*7 }}\n"
    )
    assert words.said == {"root_cause": "one\n\n### two", "what_happened": "{{ 7*7 }}"}
    assert words.unknown == ("Notes",)


def test_a_section_has_an_end_and_a_comment_without_one_hides_what_follows() -> None:
    words = read_words(f"## Next steps\n{'x' * (LONGEST_SECTION + 1)}\n## Root cause\n<!-- lost")
    assert words.said == {"next_steps": "x" * LONGEST_SECTION}
    assert words.cut == ("next_steps",)
