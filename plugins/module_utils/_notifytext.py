# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of messages: what is foreign in it, what is bold, and what each service makes of that. Pure.

A message is text in which ``**so**`` is bold; a backslash escapes a star or a backslash. Nothing else is markup.
Templates pass what people and databases wrote through ``foreign`` or ``foreign_lines``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterator

LONGEST_NAME, LONGEST_WORDS = 200, 10_000
LONGEST_SUBJECT = 200
_NO_TEXT = ("Cc", "Cs", "Co", "Zl", "Zp")
# Characters that turn the direction of writing change how the rest of a message reads; emoji joiners do not.
_TURNS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_MARKUP = re.compile(r"\\([\\*])|(\*\*)")
_SPECIAL = re.compile(r"([\\*])")


def foreign(text: object, most: int = LONGEST_NAME) -> str:
    """Return text of others as one line of a message, cut; nothing in it works as markup or as a control character."""
    return _escaped(_cut(_readable(" ".join(str(text).split())), most))


def foreign_lines(text: object, most: int = LONGEST_WORDS) -> str:
    """Return text of others that may have several lines, cut, and otherwise treated as in ``foreign``."""
    lines = str(text).replace("\r\n", "\n").replace("\r", "\n")
    return _escaped(_cut(_readable(lines).strip(), most))


def _readable(text: str) -> str:
    return "".join("�" if _acts(letter) else letter for letter in text)


def _acts(letter: str) -> bool:
    return (unicodedata.category(letter) in _NO_TEXT and letter not in "\n\t") or letter in _TURNS


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def runs(text: str) -> list[tuple[str, bool]]:
    """Return a message's text as pieces, each with whether it is bold; an unpaired mark is two stars."""
    pieces = list(_pieces(text))
    marks = [number for number, (_piece, mark) in enumerate(pieces) if mark]
    alone = marks[-1] if len(marks) % 2 else -1
    found: list[tuple[str, bool]] = []
    bold = False
    for number, (piece, mark) in enumerate(pieces):
        if mark and number != alone:
            bold = not bold
        elif found and found[-1][1] == bold:
            found[-1] = (found[-1][0] + piece, bold)
        else:
            found.append((piece, bold))
    return found


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    at = 0
    for match in _MARKUP.finditer(text):
        if match.start() > at:
            yield text[at : match.start()], False
        yield (match[1], False) if match[1] else ("**", True)
        at = match.end()
    if at < len(text):
        yield text[at:], False


def plain(text: str) -> str:
    """Return a message's text without its markup."""
    return "".join(piece for piece, _bold in runs(text))


def line_of(text: str, most: int = LONGEST_SUBJECT) -> str:
    """Return a message's text as one line without markup, cut: a subject, a summary, a name."""
    return _cut(_readable(" ".join(plain(text).split())), most)


def fitting(text: str, most: int, note: str) -> str:
    """Return text that fits; if it is too long it is cut, and ``note`` says so at its end."""
    return text if len(text) <= most else text[: most - len(note) - 2].rstrip() + "\n" + note


def split_message(rendered: str) -> tuple[str, str]:
    """Return the subject and the body of a rendered template: its first line, and what follows."""
    subject, _newline, body = str(rendered).strip().partition("\n")
    return subject.strip(), re.sub(r"\n{3,}", "\n\n", body.strip())
