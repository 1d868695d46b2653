# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbooks that bootstrap.yml writes to hosts say and show the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROLE = Path(__file__).parents[2] / "roles" / "bootstrap"
PAGES = ["scenario1", "scenario2", "scenario3", "triage"]
ENGLISH, PORTUGUESE = ".md", ".pt_BR.md"
# What people type or read on a screen is part of the contract, in either language; so is what the profile gives.
CODE = re.compile(r"`([^`\n]+)`")
JINJA = re.compile(r"\{\{.+?\}\}|\{%.+?%\}")
COMMAND = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
# What a page is made of: headings with their depth, rows of tables with their columns, points, commands.
SHAPES = (
    ("heading", re.compile(r"#+ ")),
    ("row", re.compile(r"\|.*\|$")),
    ("point", re.compile(r"- ")),
    ("command", re.compile(r" {4}\S")),
    ("switch", re.compile(r"\{%")),
)
NAMED = re.compile(r"\b(?:scenario\d|triage)(?:\.pt_BR)?\.md\b")


def text(name: str, language: str) -> str:
    return (ROLE / "templates" / "runbooks" / f"{name}{language}.j2").read_text(encoding="utf-8")


def shape(page: str) -> list[tuple[str, int]]:
    """Return the kind and size of each line that is not prose, in the order of the page."""
    found = []
    for line in page.splitlines():
        for kind, begins in SHAPES:
            if match := begins.match(line):
                bare = CODE.sub("", JINJA.sub("", line))
                found.append((kind, bare.count("|") if kind == "row" else len(match[0])))
                break
    return found


def test_each_page_is_there_in_both_languages_and_is_laid_down() -> None:
    both = sorted(f"{name}{language}" for name in PAGES for language in (ENGLISH, PORTUGUESE))
    assert sorted(path.stem for path in (ROLE / "templates" / "runbooks").iterdir()) == both
    for described in ("defaults/main.yml", "meta/argument_specs.yml"):
        told = (ROLE / described).read_text(encoding="utf-8").partition("bootstrap_runbooks:\n")[2]
        assert sorted(re.findall(r"^ *- (\S+\.md)$", told, re.MULTILINE)) == both, described


@pytest.mark.parametrize("name", PAGES)
def test_commands_screens_and_what_the_profile_says_are_the_same(name: str) -> None:
    english, portuguese = text(name, ENGLISH), text(name, PORTUGUESE)
    assert shape(english) == shape(portuguese)
    assert COMMAND.findall(english), "a page without a command is no page for on call"
    assert COMMAND.findall(english) == COMMAND.findall(portuguese)
    # Each language has an order of its own in a sentence.
    assert sorted(CODE.findall(english)) == sorted(CODE.findall(portuguese))
    assert sorted(JINJA.findall(english)) == sorted(JINJA.findall(portuguese))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_to_pages_of_its_language_and_once_to_the_other(name: str) -> None:
    for language, other in ((ENGLISH, PORTUGUESE), (PORTUGUESE, ENGLISH)):
        head, rest = text(name, language).split("\n\n", 2)[1:]
        assert NAMED.findall(head) == [f"{name}{other}"]
        assert {page.partition(".")[2] for page in NAMED.findall(rest)} <= {language.removeprefix(".")}
        assert {page.partition(".")[0] for page in NAMED.findall(rest)} <= set(PAGES)
    assert sorted(page.partition(".")[0] for page in NAMED.findall(text(name, ENGLISH))) == sorted(
        page.partition(".")[0] for page in NAMED.findall(text(name, PORTUGUESE))
    )


@pytest.mark.parametrize("language", [ENGLISH, PORTUGUESE])
def test_no_page_gives_a_reason_in_a_form_of_which_ansible_takes_the_first_word(language: str) -> None:
    assert [name for name in PAGES if "kanban_reason=" in text(name, language)] == []
