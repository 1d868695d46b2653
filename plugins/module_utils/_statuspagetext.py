# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that goes to a status page and text that comes from it: never markup, never more than fits. Pure."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean

# The limits that the API documents.
MOST_NAME, MOST_BODY = 255, 25_000
MOST_TOLD = 300
# A page shows the body of an update as HTML.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# For text that is plain in one place and HTML in another, this is the only form that is right in both.
_ANGLES = str.maketrans({"<": "‹", ">": "›"})
_NO_TEXT = ("Cc", "Cs", "Co")
# Characters that turn the direction of writing change how the rest of the page reads; joiners of emoji do not.
_TURNS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def body_of(text: str) -> str:
    """Return an update's words so that the page shows them exactly; raises BadInput if they do not fit."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join("�" if _acts(letter) else letter for letter in lines)
    return _fitting("body", kept.strip().translate(_ENTITIES), MOST_BODY)


def name_of(text: str) -> str:
    """Return an incident's name, one line of plain text; raises BadInput if it does not fit."""
    return _fitting("name", clean(text, len(text)).translate(_ANGLES), MOST_NAME)


def _acts(letter: str) -> bool:
    return (unicodedata.category(letter) in _NO_TEXT and letter not in "\n\t") or letter in _TURNS


def _fitting(what: str, text: str, most: int) -> str:
    if not text:
        raise BadInput(
            f"empty_{what}",
            f"{what} has no text.",
            "The page would show nothing where people look for news. Nothing was sent.",
            f"Give {what} some words, or leave it out.",
        )
    if len(text) > most:
        raise BadInput(
            f"{what}_too_long",
            f"{what} has {len(text):,} characters as they are sent, and the page takes {most:,}.",
            "The page would refuse it, or cut it where it likes. Nothing was sent.",
            f"Shorten {what}; what is longer belongs behind a link.",
        )
    return text


def told(answer: bytes) -> str:
    """Return what the API says is wrong, one bounded line without markup; a dash if it says nothing."""
    try:
        found = json.loads(answer)
    except ValueError:
        return "–"
    said = found.get("error", found.get("message")) if isinstance(found, dict) else found
    texts = said if isinstance(said, list) else [said]
    return shown("; ".join(str(one) for one in texts if isinstance(one, (str, int, float))) or "–", MOST_TOLD)


def shown(text: str, most: int = 60) -> str:
    """Return text of the page on one line, bounded, without markup."""
    return clean(text, most).translate(_ANGLES)


def some(names: Sequence[Any], most: int = 10) -> str:
    """Return names for people, the first of them and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return (", ".join(shown(str(one)) for one in names[:most]) or "none") + more
