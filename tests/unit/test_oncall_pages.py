# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for the person on call have the runbook's headings, and say and show the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.docs import anchors

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, PORTUGUESE = DOCS / "oncall", DOCS / "pt_BR" / "oncall"
PAGES = ["going-back.md", "index.md", "scenario1.md", "scenario2.md", "scenario3.md", "triage.md"]
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<page>[^)#:]*)(?:#(?P<heading>[^)]+))?\)")
# What people type or read on a screen is part of the contract, and the same in either language.
CODE = re.compile(r"`([^`\n]+)`")


def fences(page: Path, kind: str) -> list[str]:
    """Return what stands between fences of a kind, one line each, in the order of the page."""
    found = [part["text"] for part in FENCE.finditer(page.read_text(encoding="utf-8")) if part["kind"] == kind]
    return [line.strip() for text in found for line in text.splitlines() if line.strip()]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    return re.findall(r"^(#+) .+$", prose(page), re.MULTILINE)


def screens(page: Path) -> list[str]:
    """Return the code in sentences and tables, sorted, because each language has an order of its own."""
    return sorted(CODE.findall(prose(page)))


def test_both_languages_have_the_same_pages() -> None:
    assert sorted(page.name for page in ENGLISH.iterdir()) == PAGES
    assert sorted(page.name for page in PORTUGUESE.iterdir()) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_headings_commands_and_screens_are_the_same(name: str) -> None:
    english, portuguese = ENGLISH / name, PORTUGUESE / name
    assert headings(english) == headings(portuguese)
    assert fences(english, "shell"), "a page without a command is no page for on call"
    for kind in ("shell", "text"):
        assert fences(english, kind) == fences(portuguese, kind)
    assert screens(english) == screens(portuguese)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("folder", [ENGLISH, PORTUGUESE], ids=["en", "pt_BR"])
def test_links_between_these_pages_lead_to_headings_that_are_there(folder: Path, name: str) -> None:
    for link in LINK.finditer(prose(folder / name)):
        target = (folder / (link["page"] or name)).resolve()
        assert target.is_relative_to(DOCS), link[0]
        translated = DOCS / "pt_BR" / target.relative_to(DOCS)
        assert folder == ENGLISH or not translated.exists(), f"{link[0]}: that page is there in Portuguese"
        if target.parent == folder:
            assert target.name in PAGES, link[0]
            assert not link["heading"] or link["heading"] in anchors(target.read_text(encoding="utf-8")), link[0]


# As people know them from the runbook that these pages replace.
FIRST = "Trigger, Impact, RTO, Immediate Actions"
PLANNED = {
    "scenario1.md": f"{FIRST}, Validation, Communication, Follow-up",
    "scenario2.md": f"{FIRST}, Investigation, Decision Matrix, Communication, Follow-up",
    "scenario3.md": f"{FIRST}, Assessment, Data Recovery, Validation, Communication, Post-Incident",
    "triage.md": f"{FIRST}, Decision Tree, Communication, Follow-up",
}


@pytest.mark.parametrize("name", PLANNED)
def test_the_headings_are_those_of_the_runbook_in_its_order(name: str) -> None:
    for page in (ENGLISH / name, PORTUGUESE / name):
        titles = re.findall(r"^## (.+)$", prose(page), re.MULTILINE)
        # In Portuguese the runbook's own word follows, in brackets.
        assert ", ".join(re.sub(r".*\((.+)\)", r"\1", title) for title in titles) == PLANNED[name]
