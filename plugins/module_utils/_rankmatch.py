# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a text is looked for in other texts, as PostgreSQL is asked to do it. Pure: neither Ansible nor a driver.

Never with LIKE, in which ``%``, ``_`` and ``\\`` are wildcards. And never by the database's own rules for upper and
lower case: with the locale C they know no accents, and with ICU they take three times as long.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

LONGEST = 200
_HEXADECIMAL = re.compile(r"\\u([0-9a-f]{4})")


@dataclass(frozen=True)
class Match:
    """What to look for, and how.

    ``kind``: ``all`` (every text), ``plain`` (``value`` as it is), ``folded`` (``value``, lower-case ASCII, in the
    text with its ASCII letters lowered) or ``pattern`` (``value`` is a regular expression without any option).
    """

    kind: str
    value: str = ""


def match_for(wanted: str, ignore_case: bool) -> Match:
    """Return how to look for ``wanted``; raises BadInput if it is too long.

    Pure ASCII, which is nearly always the case, is searched for as bytes. Other letters, and those that JSON writes
    differently, become alternatives in a regular expression.
    """
    if len(wanted) > LONGEST:
        raise BadInput(
            "long_text",
            f"The text to look for has {len(wanted)} characters, the most are {LONGEST}.",
            "It is looked for in every row of the window. Nothing was read.",
            "Give the part that tells these errors from others (option contains).",
        )
    if not wanted:
        return Match("all")
    if wanted.isascii() and not any(_spellings(letter, ignore_case=False)[1:] for letter in wanted):
        return Match("folded", wanted.lower()) if ignore_case else Match("plain", wanted)
    letters = unicodedata.normalize("NFC", wanted)
    return Match("pattern", "".join(_one_of(_spellings(letter, ignore_case)) for letter in letters))


def _spellings(letter: str, ignore_case: bool) -> list[str]:
    """Return all spellings of a letter: its cases, as one or two code points, and as JSON escapes it."""
    cases = [letter, letter.lower(), letter.upper()] if ignore_case else [letter]
    found = [form for case in cases for form in (case, unicodedata.normalize("NFD", case))]
    for form in list(found):
        escaped = json.dumps(form)[1:-1]
        found += [json.dumps(form, ensure_ascii=False)[1:-1], escaped, _HEXADECIMAL.sub(_upper, escaped)]
    return list(dict.fromkeys(found))


def _upper(found: re.Match[str]) -> str:
    return f"\\u{found.group(1).upper()}"


def _one_of(spellings: list[str]) -> str:
    return f"(?:{'|'.join(map(_literal, spellings))})"


def _literal(text: str) -> str:
    """Return a regular expression for exactly this text; a backslash before a letter would be a class or an escape."""
    return "".join(letter if letter.isalnum() or not letter.isascii() else f"\\{letter}" for letter in text)
